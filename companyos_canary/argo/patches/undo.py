"""Going back to the pod template of an earlier revision."""

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from companyos_canary.argo.gitops import different, keeper_of, kept_in_git, put_back_note
from companyos_canary.argo.patches.decision import (
    Change,
    Decision,
    Nothing,
    Patch,
    Refusal,
    not_changeable,
    replace,
    test,
)
from companyos_canary.argo.patches.hold import Hold
from companyos_canary.argo.patches.record import Record, undone_to
from companyos_canary.model.http import JSON_PATCH
from companyos_canary.model.rollout import HASH_LABEL, Rollout
from companyos_canary.model.workload import ReplicaSet


def undo(
    rollout: Rollout, target: ReplicaSet, record: Record, *, hold: Hold | None = None, force: bool = True
) -> Decision:
    """Writes the template of a ReplicaSet back, with the record of who did it: the controller
    copies the Rollout's record to that ReplicaSet, and a stale one would lie. What the controller
    put into the template stays out: with it the controller would see a template that no
    ReplicaSet has, and walk it through the steps as a new canary (seen with the plugin's undo). `hold`
    keeps the version that is left from being deployed again; without `force` it is refused where
    Git has the image."""
    if refusal := not_changeable(rollout):
        return refusal
    if rollout.observed and target.hash == rollout.current_hash:
        already = _already(rollout, target)
        if isinstance(already, Nothing) and hold and not hold.is_there(rollout.annotations):
            return Change((dataclasses.replace(hold.patch(), beside=False),), already.message)
        return already
    keeper = keeper_of(rollout)
    if keeper and not force:
        return kept_in_git(rollout, keeper, different(rollout.containers, target.containers))
    write = replace("/spec/template", template_of(rollout, target))
    if rollout.workload_ref:
        template = Patch([*_images(rollout), write], JSON_PATCH, target="Deployment")
        return Change((template, record.patch(), *((hold.patch(),) if hold else ())), put_back_note(keeper))
    hashes = (("currentPodHash", rollout.current_hash), ("stableRS", rollout.stable_hash))
    pinned = [*(test(f"/status/{field}", value) for field, value in hashes if value), *_images(rollout)]
    holding = [hold.operation()] if hold else []
    body = [*pinned, write, record.annotation(rollout.annotations), *holding]
    return Change((Patch(body, JSON_PATCH),), put_back_note(keeper))


def _already(rollout: Rollout, target: ReplicaSet) -> Decision:
    """Once it is in progress there is nothing to send; an aborted version would not start again."""
    if rollout.aborted:
        return Refusal(
            f"`{rollout.name}` is already on revision {target.revision}, which was aborted",
            "run its steps again with `canary retry`",
        )
    if rollout.is_fully_promoted:
        return Nothing(f"`{rollout.name}` is already on revision {target.revision}")
    if undone_to(rollout):
        to = f"`{rollout.name}` to revision {target.revision}"
        return Nothing(f"the undo of {to} is already in progress")
    return Nothing(f"revision {target.revision} of `{rollout.name}` is already in progress")


def _images(rollout: Rollout) -> list[dict[str, Any]]:
    """Pins of what is undone: its images, which the controller may not have seen yet."""
    at = "/spec/template/spec/containers"
    return [
        test(f"{at}/{position}/{key}", value)
        for position, container in enumerate(rollout.containers)
        for key, value in (("name", container.name), ("image", container.image))
    ]


def template_of(rollout: Rollout, replicaset: ReplicaSet) -> dict[str, Any]:
    """The pod template as a person wrote it: no hash label, no canary or stable metadata."""
    template: dict[str, Any] = copy.deepcopy(dict(replicaset.template))
    meta = template.setdefault("metadata", {})
    for kind in ("labels", "annotations"):
        injected = {HASH_LABEL} | _injected(rollout, kind)
        kept = {k: v for k, v in (meta.get(kind) or {}).items() if k not in injected}
        if kept:
            meta[kind] = kept
        else:
            meta.pop(kind, None)
    meta.pop("creationTimestamp", None)
    return template


def _injected(rollout: Rollout, kind: str) -> set[str]:
    strategy: Mapping[str, Any] = (rollout.raw.get("spec") or {}).get("strategy") or {}
    canary = strategy.get("canary") or {}
    own = (rollout.template.get("metadata") or {}).get(kind) or {}
    roles = (canary.get("canaryMetadata") or {}, canary.get("stableMetadata") or {})
    return {key for role in roles for key in role.get(kind) or {}} - set(own)
