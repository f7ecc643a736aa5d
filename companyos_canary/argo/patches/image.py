"""Images: what people call them, and the patch that sets one."""

from dataclasses import dataclass
from typing import Any

from companyos_canary.argo.gitops import keeper_of, kept_in_git, put_back_note
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
from companyos_canary.argo.patches.record import Record
from companyos_canary.argo.phase import shown_phase
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import JSON_PATCH
from companyos_canary.model.image import version
from companyos_canary.model.rollout import Rollout


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


@dataclass(frozen=True, slots=True)
class _Place:
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
