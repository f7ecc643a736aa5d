"""What a verb decides: patches to send, a refusal, or nothing to do. Pure."""

from typing import Any, Literal

from msgspec import Struct

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import MERGE_PATCH
from companyos_canary.model.rollout import Rollout

UNRECORDED = "could not record who deployed it"


class Patch(Struct, frozen=True):
    """One PATCH of the Rollout, or of the Deployment (its `workload`) that it takes its pods from.
    `subresource` is empty or `status`. `beside`: the change is made without it; where it cannot be
    written, that is only a note, which begins with `unwritten`."""

    body: list[dict[str, Any]] | dict[str, Any]
    content_type: str
    subresource: str = ""
    target: Literal["Rollout", "Deployment"] = "Rollout"
    beside: bool = False
    unwritten: str = UNRECORDED


class Change(Struct, frozen=True):
    """Patches in the order they are sent. `note` is something the user should know about them.
    `again`: once the effect is seen, read and decide once more (a promote behind a resume).
    `put_back`: the version whose template takes the place of the newest one, where that is how the
    verb is done."""

    patches: tuple[Patch, ...]
    note: str = ""
    again: bool = False
    put_back: str = ""


class Refusal(Struct, frozen=True):
    message: str
    hint: str = ""
    exit_code: ExitCode = ExitCode.REFUSED


class Nothing(Struct, frozen=True):
    """What the verb needs already holds."""

    message: str


Decision = Change | Refusal | Nothing


def not_changeable(rollout: Rollout) -> Refusal | None:
    """Why the pod template cannot be changed: it is that of an object that is no Deployment."""
    reference = rollout.workload_ref
    if not reference or reference.get("kind") == "Deployment":
        return None
    kind = reference.get("kind") or "object"
    return Refusal(
        f"`{rollout.name}` takes its pods from the {kind} `{reference.get('name')}`: only those of "
        "a Deployment are changed from here",
        f"change that {kind}, then follow it with `canary watch`",
    )


def pins(rollout: Rollout) -> list[dict[str, Any]]:
    """The template and the step that were looked at, and by the generation the whole spec: its steps,
    and a pause by hand."""
    pins = [test("/metadata/generation", rollout.generation), test("/status/currentPodHash", rollout.current_hash)]
    if rollout.step_index is not None:
        pins.append(test("/status/currentStepIndex", rollout.step_index))
    return pins


def annotation_patch(key: str, text: str, unwritten: str = UNRECORDED) -> Patch:
    """A patch of the Rollout that writes this annotation and nothing else."""
    return Patch({"metadata": {"annotations": {key: text}}}, MERGE_PATCH, beside=True, unwritten=unwritten)


def annotation_path(key: str) -> str:
    """As a JSON patch names it."""
    return "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")


def test(path: str, value: Any) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}


def add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def remove(path: str) -> dict[str, Any]:
    return {"op": "remove", "path": path}


def replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}
