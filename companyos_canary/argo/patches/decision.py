"""What a verb decides: patches to send, a refusal, or nothing to do. Pure."""

from dataclasses import dataclass
from typing import Any

from companyos_canary.errors import ExitCode
from companyos_canary.model.rollout import Rollout

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Patch:
    """One PATCH of the Rollout; `subresource` is empty or `status`."""

    body: list[dict[str, Any]] | dict[str, Any]
    content_type: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Patches in the order they are sent. `note` is something the user should know about them.
    `again`: once the effect is seen, read and decide once more (a promote behind a resume)."""

    patches: tuple[Patch, ...]
    note: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    message: str
    hint: str = ""
    exit_code: ExitCode = ExitCode.REFUSED


@dataclass(frozen=True, slots=True)
class Nothing:
    """What the verb wants already holds."""

    message: str


Decision = Change | Refusal | Nothing


def pins(rollout: Rollout) -> list[dict[str, Any]]:
    pins = [test("/status/currentPodHash", rollout.current_hash)]
    if rollout.step_index is not None:
        pins.append(test("/status/currentStepIndex", rollout.step_index))
    return pins


def test(path: str, value: Any) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}


def add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}
