"""What puts another template in place: a new image, or that of an earlier revision."""

import copy
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from companyos_canary.argo.affinity import without_rule
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
from companyos_canary.argo.patches.hold import STILL_HELD, Hold, held, held_sentence
from companyos_canary.argo.patches.record import Record, record_of, undone_to
from companyos_canary.argo.phase import shown_phase
from companyos_canary.argo.replicas import strategy
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import JSON_PATCH
from companyos_canary.model.image import HASH_LABEL, pull_policy, version
from companyos_canary.model.rollout import Rollout
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
    if (rollout.observed and target.hash == rollout.current_hash) or _is_sent(rollout, target):
        already = _already(rollout, target)
        if isinstance(already, Nothing) and hold and not hold.is_there(rollout.annotations):
            return Change((structs.replace(hold.patch(), beside=False),), already.message)
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


def _is_sent(rollout: Rollout, target: ReplicaSet) -> bool:
    """This undo was sent, and the controller has not seen it yet."""
    there = not rollout.observed and template_of(rollout, target) == rollout.template
    return there and record_of(rollout.annotations).get("undo_to") == target.hash


def _already(rollout: Rollout, target: ReplicaSet) -> Decision:
    """Once it is in progress there is nothing to send; an aborted version would not start again."""
    if not rollout.observed:
        return Nothing(f"the undo of `{rollout.name}` to revision {target.revision} was already sent")
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
    """The pod template as a person wrote it: no hash label, no metadata of a role, no rule of an antiAffinity."""
    template: dict[str, Any] = copy.deepcopy(without_rule(replicaset.template, strategy(rollout)))
    meta = template.setdefault("metadata", {})
    for kind in ("labels", "annotations"):
        injected = {HASH_LABEL} | _injected(rollout, kind)
        kept = {k: v for k, v in (meta.get(kind) or {}).items() if k not in injected}
        if kept:
            meta[kind] = kept
        else:
            meta.pop(kind, None)
    meta.pop("creationTimestamp", None)
    found = _without_defaults(template, rollout.template)
    return found if isinstance(found, dict) else template


# What the API server puts into the template of a ReplicaSet, and not into that of a Rollout
# (k8s.io/kubernetes pkg/apis/core/v1/defaults.go).
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "terminationMessagePath": ("/dev/termination-log",),
    "terminationMessagePolicy": ("File",),
    "restartPolicy": ("Always",),
    "dnsPolicy": ("ClusterFirst",),
    "schedulerName": ("default-scheduler",),
    "terminationGracePeriodSeconds": (30,),
    "securityContext": ({},),
    "resources": ({},),
    "protocol": ("TCP",),
    "scheme": ("HTTP",),
    "timeoutSeconds": (1,),
    "periodSeconds": (10,),
    "successThreshold": (1,),
    "failureThreshold": (3,),
    "defaultMode": (420,),
    "apiVersion": ("v1",),
    "creationTimestamp": (None,),
}


def _without_defaults(value: Any, live: Any) -> Any:
    """The value without defaults that the live template does not name at that place, its keys in the
    order of that one."""
    if isinstance(value, dict):
        known = live if isinstance(live, Mapping) else {}
        order = [k for k in known if k in value] + [k for k in value if k not in known]
        kept = [k for k in order if k in known or not _is_default(value, k)]
        return {k: _without_defaults(value[k], known.get(k)) for k in kept}
    if isinstance(value, list):
        known_items = live if isinstance(live, list) else []
        return [_without_defaults(item, _same_item(item, at, known_items)) for at, item in enumerate(value)]
    return value


def _is_default(holder: Mapping[str, Any], key: str) -> bool:
    if key == "imagePullPolicy":
        return bool(holder[key] == pull_policy(str(holder.get("image", ""))))
    if key == "restartPolicy" and "image" in holder:
        return False  # of an init container: a sidecar
    return holder[key] in _DEFAULTS.get(key, ())


def _same_item(item: Any, at: int, live: list[Any]) -> Any:
    """The item of that name, else the one at that place."""
    name = item.get("name") if isinstance(item, dict) else None
    if name is None:
        return live[at] if at < len(live) else None
    return next((other for other in live if isinstance(other, dict) and other.get("name") == name), None)


def _injected(rollout: Rollout, kind: str) -> set[str]:
    spec: Mapping[str, Any] = rollout.raw.get("spec") or {}
    canary = (spec.get("strategy") or {}).get("canary") or {}
    own = (rollout.template.get("metadata") or {}).get(kind) or {}
    roles = (canary.get("canaryMetadata") or {}, canary.get("stableMetadata") or {})
    return {key for role in roles for key in role.get(kind) or {}} - set(own)


def set_image(
    rollout: Rollout,
    container: str,
    image: str,
    *,
    record: Record,
    supersede: bool,
    release: bool = False,
    force: bool = False,
) -> Decision:
    """Puts `image` into the named container. `Nothing` also when that image is already on its
    way: `deploy` then attaches to it. `release` ends what holds the image, `force` sets it although
    Git has another one."""
    old = rollout.image(container)
    if refusal := not_changeable(rollout):
        return refusal
    places = _places(rollout)
    named = next((p for p in places if p.name == container), None)
    if named is None:
        names = ", ".join(f"`{p.name}`" for p in places)
        return Refusal(
            f"Rollout `{rollout.name}` has no container `{container}`",
            f"its containers are {names}: set `container:` in canary.yaml or pass --container",
            ExitCode.NOT_FOUND,
        )
    if old == image:
        return _same_image(rollout, image)
    holding = held(rollout.annotations, container, image)
    if holding and not release:
        return Refusal(
            f"{version(image)} is held: {held_sentence(holding[0])}", "--release-hold deploys it all the same"
        )
    keeper = keeper_of(rollout)
    if keeper and not force:
        return kept_in_git(rollout, keeper, {container: image})
    if not supersede and (running := _in_progress(rollout, container)):
        return Refusal(
            f"{running} is still in progress: deploying {version(image)} now would replace it",
            "wait for it (`canary watch`), stop it (`canary abort`), or pass --supersede",
        )
    others = [p for p in places if p is not named and p.image == old]
    moved, note = (named, *others), ""
    if others:
        note = f"with the same image, and set too: {', '.join(f'`{p.name}`' for p in others)}"
    note = "; ".join(filter(None, (note, put_back_note(keeper))))
    if rollout.workload_ref:
        return Change(_workload_patches(moved, image, record, holding), note)
    return Change((_image_patch(rollout, moved, image, record, holding),), note)


class _Place(Struct, frozen=True):
    """A container of the pod template, and the path of it."""

    path: str
    name: str
    image: str


def _places(rollout: Rollout) -> tuple[_Place, ...]:
    """The containers, and behind them the init containers."""
    lists = (("containers", rollout.containers), ("initContainers", rollout.init_containers))
    return tuple(
        _Place(f"/spec/template/spec/{key}/{i}", c.name, c.image) for key, found in lists for i, c in enumerate(found)
    )


def _same_image(rollout: Rollout, image: str) -> Decision:
    if rollout.aborted:
        return Refusal(
            f"{version(image)} was aborted; the Rollout's spec already has it, so nothing would start",
            "run it again with `canary retry`, or deploy a fixed version",
        )
    return Nothing(f"{version(image)} is already the version of `{rollout.name}`")


def _in_progress(rollout: Rollout, container: str) -> str:
    """The version that is being rolled out now, empty if none is."""
    unfinished = not rollout.observed or not rollout.is_fully_promoted
    if unfinished and not rollout.aborted and shown_phase(rollout).word != "Degraded":
        return version(rollout.image(container)) if rollout.stable_hash else ""
    return ""


def _image_patch(
    rollout: Rollout, moved: tuple[_Place, ...], image: str, record: Record, holding: tuple[Hold, ...]
) -> Patch:
    pins = _pins(moved)
    if rollout.current_hash:
        pins.append(test("/status/currentPodHash", rollout.current_hash))
    released = [operation for hold in holding for operation in hold.release()]
    return Patch([*pins, *_set(moved, image), record.annotation(rollout.annotations), *released], JSON_PATCH)


def _workload_patches(
    moved: tuple[_Place, ...], image: str, record: Record, holding: tuple[Hold, ...]
) -> tuple[Patch, ...]:
    """The Deployment first. The other way round the controller would copy the record to the old
    ReplicaSet, in the place of its own."""
    released = (Patch(hold.release(), JSON_PATCH, beside=True, unwritten=STILL_HELD) for hold in holding)
    return (Patch([*_pins(moved), *_set(moved, image)], JSON_PATCH, target="Deployment"), record.patch(), *released)


def _pins(moved: tuple[_Place, ...]) -> list[dict[str, Any]]:
    """Each container is still at its place, with the image that was looked at."""
    return [test(f"{p.path}/{key}", value) for p in moved for key, value in (("name", p.name), ("image", p.image))]


def _set(moved: tuple[_Place, ...], image: str) -> list[dict[str, Any]]:
    return [replace(f"{p.path}/image", image) for p in moved]
