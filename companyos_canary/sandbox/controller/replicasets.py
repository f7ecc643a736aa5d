"""The ReplicaSets of a Rollout: which is new, its creation, revisions and history."""

from collections.abc import Mapping
from typing import Any

from companyos_canary.argo.affinity import rule_is_against, with_rule, without_rule
from companyos_canary.argo.replicas import strategy
from companyos_canary.model.rollout import HASH_LABEL, REVISION, REVISION_HISTORY
from companyos_canary.sandbox.controller.conditions import find
from companyos_canary.sandbox.controller.passes import DESIRED, Pass, hash_of, pods_of, revision_of
from companyos_canary.sandbox.controller.roles import role_metadata
from companyos_canary.sandbox.controller.status import patch_status, write_conditions
from companyos_canary.sandbox.controller.template import (
    EPHEMERAL,
    metadata_text,
    same_template,
    template_hash,
    with_metadata,
    with_resources,
)
from companyos_canary.sandbox.kinds import REPLICASET, ROLLOUT
from companyos_canary.sandbox.objects import Object, copied, owner_reference

_NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    "notified.notifications.argoproj.io",
    EPHEMERAL,
)


def find_sets(work: Pass) -> None:
    """Sorts the ReplicaSets into the one of the template, the stable one, and the others. The
    template's is found by its hash, else by comparing templates."""
    template = work.rollout["spec"].get("template") or {}
    wanted = template_hash(template, work.status.get("collisionCount") or 0)
    same = [s for s in work.sets if hash_of(s) == wanted or same_template(template, s, strategy(work.view))]
    same.sort(key=lambda s: (hash_of(s) != wanted, s["metadata"]["creationTimestamp"]))
    work.canary = same[0] if same else None
    work.stable = next((s for s in work.sets if hash_of(s) == work.view.stable_hash), None)
    work.others = [s for s in work.sets if s is not work.canary and s is not work.stable]


def create_set(work: Pass) -> bool:
    """A ReplicaSet without pods for a template that has none; False if its name is taken."""
    template = work.rollout["spec"]["template"]
    collisions = work.status.get("collisionCount") or 0
    digest = template_hash(template, collisions)
    name = f"{work.view.name}-{digest}"
    if work.store.get(REPLICASET, work.view.namespace, name) is not None:
        patch_status(work, {**work.status, "collisionCount": collisions + 1})
        return False
    revision = max((revision_of(s) for s in work.sets), default=0) + 1
    work.canary = dict(work.store.create(REPLICASET, _new_set(work, name, digest, revision)))
    work.sets.append(work.canary)
    _put_revision(work, revision)
    work.tell("Normal", "NewReplicaSetCreated", f"Created ReplicaSet {name} (revision {revision})")
    message = f'Created new replica set "{name}"'
    _write_progress(work, "NewReplicaSetCreated", message)
    return True


def sync_revision(work: Pass) -> bool:
    """Gives a ReplicaSet that is used again the highest revision, and the Rollout the same;
    whether the Rollout had no Progressing condition yet and has got one."""
    newest = work.canary
    if newest is None:
        return False
    before = revision_of(newest)
    revision = max([before, *(revision_of(s) + 1 for s in work.sets if s is not newest)])
    meta = copied(newest["metadata"])
    annotations = meta.setdefault("annotations", {})
    annotations.update(_copied(work))
    if revision > before:
        annotations[REVISION] = str(revision)
        history = annotations.get(REVISION_HISTORY)
        annotations[REVISION_HISTORY] = f"{history},{before}" if history else str(before)
    spec = dict(newest["spec"])
    seconds = work.rollout["spec"].get("minReadySeconds") or 0
    if seconds != (spec.get("minReadySeconds") or 0):
        spec["minReadySeconds"] = seconds
    wanted = strategy(work.view)
    if wanted.get("antiAffinity"):
        against = rule_is_against(spec["template"], wanted)
        moved = against is not None and work.view.stable_hash not in (against, _digest(work))
        if moved or annotations != newest["metadata"].get("annotations") or spec != newest["spec"]:
            spec["template"] = _kept_apart(work, without_rule(spec["template"], wanted))
    newest.update(work.write(REPLICASET, {**newest, "metadata": meta, "spec": spec}))
    _put_revision(work, revision)
    if find(work.status, "Progressing") is None:
        message = f'Found new replica set "{newest["metadata"]["name"]}"'
        _write_progress(work, "FoundNewReplicaSet", message)
        return True
    return False


def _write_progress(work: Pass, reason: str, message: str) -> None:
    write_conditions(work, [("Progressing", "True", reason, message)], phase=False)
    work.reread(work.store.read(ROLLOUT, work.view.namespace, work.view.name))


def drop_old_sets(work: Pass) -> None:
    """Removes the oldest versions without pods beyond spec.revisionHistoryLimit."""
    limit = work.rollout["spec"].get("revisionHistoryLimit")
    limit = 10 if limit is None else limit
    others = sorted(work.others, key=lambda s: (s["metadata"]["creationTimestamp"], revision_of(s)))
    for replicaset in others[: max(0, len(others) - limit)]:
        if pods_of(replicaset).desired == 0 and pods_of(replicaset).replicas == 0:
            name = replicaset["metadata"]["name"]
            work.store.delete(REPLICASET, work.view.namespace, name)
            work.others.remove(replicaset)
            work.sets.remove(replicaset)


def _new_set(work: Pass, name: str, digest: str, revision: int) -> Object:
    template = with_resources(work.rollout["spec"]["template"])
    role = role_metadata(work, stable=work.stable is None)
    template = with_metadata(_kept_apart(work, template), {"labels": {HASH_LABEL: digest}})
    labels = dict(template["metadata"]["labels"])
    annotations = {**_copied(work), DESIRED: str(work.view.replicas), REVISION: str(revision)}
    if role:
        template = with_metadata(template, role)
        annotations[EPHEMERAL] = metadata_text(role)
    selector = copied(work.rollout["spec"].get("selector") or {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}
    spec: dict[str, Any] = {"replicas": 0, "selector": selector, "template": template}
    if work.rollout["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = work.rollout["spec"]["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": work.view.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner_reference(work.rollout)],
        },
        "spec": spec,
    }


def _kept_apart(work: Pass, template: Object) -> Object:
    """With the rule of an antiAffinity, while another version is stable."""
    if work.view.stable_hash in ("", _digest(work)):
        return template
    return with_rule(template, strategy(work.view), stable=work.view.stable_hash, namespace=work.view.namespace)


def _digest(work: Pass) -> str:
    return template_hash(work.rollout["spec"].get("template") or {}, work.status.get("collisionCount") or 0)


def _copied(work: Pass) -> Mapping[str, str]:
    """The Rollout's annotations that its newest ReplicaSet gets."""
    annotations = work.rollout["metadata"].get("annotations") or {}
    return {k: v for k, v in annotations.items() if k not in _NOT_COPIED}


def _put_revision(work: Pass, revision: int) -> None:
    """Writes the revision into the Rollout. The controller sends the whole object, with the
    `resources` that its types add to every container (recorded: scenario first-deploy)."""
    if revision_of(work.rollout) == revision:
        return
    stored = copied(work.store.read(ROLLOUT, work.view.namespace, work.view.name))
    stored["metadata"].setdefault("annotations", {})[REVISION] = str(revision)
    if stored["spec"].get("template"):
        stored["spec"]["template"] = with_resources(stored["spec"]["template"])
    if stored["spec"].get("paused") is False:  # what is written back leaves out what is false
        del stored["spec"]["paused"]
    written = work.write(ROLLOUT, stored)
    work.reread(written)
    work.tell("Normal", "RolloutUpdated", f"Rollout updated to revision {revision}")
