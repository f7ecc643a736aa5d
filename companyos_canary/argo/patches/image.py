"""Images: what people call them, and the patch that sets one."""

from typing import Any

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
from companyos_canary.argo.patches.record import Record
from companyos_canary.argo.phase import shown_phase
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import JSON_PATCH
from companyos_canary.model.image import version
from companyos_canary.model.rollout import Rollout


def set_image(rollout: Rollout, container: str, image: str, *, record: Record, supersede: bool) -> Decision:
    """Puts `image` into the named container. `Nothing` also when that image is already on its
    way: `deploy` then attaches to it."""
    position = next((i for i, c in enumerate(rollout.containers) if c.name == container), None)
    old = rollout.image(container)
    if refusal := not_changeable(rollout):
        return refusal
    if position is None:
        names = ", ".join(f"`{c.name}`" for c in rollout.containers)
        return Refusal(
            f"Rollout `{rollout.name}` has no container `{container}`",
            f"its containers are {names}: set `container:` in canary.yaml or pass --container",
            ExitCode.NOT_FOUND,
        )
    if old == image:
        return _same_image(rollout, image)
    if not supersede and (running := _in_progress(rollout, container)):
        return Refusal(
            f"{running} is still in progress: deploying {version(image)} now would take its place",
            "wait for it (`canary watch`), stop it (`canary abort`), or pass --supersede",
        )
    if rollout.workload_ref:
        return Change(_workload_patches(rollout, position, image, record))
    return Change((_image_patch(rollout, position, image, record),))


def _same_image(rollout: Rollout, image: str) -> Decision:
    if rollout.aborted:
        return Refusal(
            f"{version(image)} was aborted: the Rollout already names it, so nothing would start",
            "run it again with `canary retry`, or deploy a fixed version",
        )
    return Nothing(f"{version(image)} is already the version of `{rollout.name}`")


def _in_progress(rollout: Rollout, container: str) -> str:
    """The version that is being rolled out now, empty if none is."""
    unfinished = not rollout.observed or not rollout.is_fully_promoted
    if unfinished and not rollout.aborted and shown_phase(rollout).word != "Degraded":
        return version(rollout.image(container)) if rollout.stable_hash else ""
    return ""


def _image_patch(rollout: Rollout, position: int, image: str, record: Record) -> Patch:
    operations = _set_pinned(rollout, position, image)
    if rollout.current_hash:
        operations.insert(-1, test("/status/currentPodHash", rollout.current_hash))
    return Patch([*operations, record.annotation(rollout.annotations)], JSON_PATCH)


def _workload_patches(rollout: Rollout, position: int, image: str, record: Record) -> tuple[Patch, ...]:
    """The Deployment first. The other way round the controller would copy the record to the old
    ReplicaSet, in the place of its own."""
    return (Patch(_set_pinned(rollout, position, image), JSON_PATCH, target="Deployment"), record.patch())


def _set_pinned(rollout: Rollout, position: int, image: str) -> list[dict[str, Any]]:
    """The operations that set an image where that container is still at its place."""
    at, live = f"/spec/template/spec/containers/{position}", rollout.containers[position]
    return [test(f"{at}/name", live.name), test(f"{at}/image", live.image), replace(f"{at}/image", image)]
