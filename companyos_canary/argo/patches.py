"""What each changing verb sends, decided from what was read: no I/O here.

A decision is a `Change` (patches, with the `test` operations that pin what was decided on), a
`Refusal` (the verb would do something else than its name says) or `Nothing` (it already holds).
Facts: the plugin's own patches and their traps as they were recorded in the scenarios
pause-promote, promote-skips-running-step, manual-pause-then-promote, abort-healthy.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from companyos_canary.argo.phase import shown_phase
from companyos_canary.argo.steps import step_text
from companyos_canary.errors import ExitCode
from companyos_canary.model.quantity import format_time
from companyos_canary.model.rollout import Rollout

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
RECORD = "canary.companyos.io/deploy"
"""Annotation that `deploy` writes with the image; the controller copies it to the ReplicaSet."""

INCONCLUSIVE = "InconclusiveAnalysisRun"


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


@dataclass(frozen=True, slots=True)
class Record:
    """Who deployed what, and which hash was stable then. Believed only where `image` is the
    ReplicaSet's own: an undo copies a stale annotation to an old ReplicaSet."""

    by: str
    at: datetime
    reason: str
    image: str
    stable: str

    def text(self) -> str:
        facts = {"by": self.by, "at": format_time(self.at), "reason": self.reason,
                 "image": self.image, "stable": self.stable}  # fmt: skip
        return json.dumps({k: v for k, v in facts.items() if v}, separators=(",", ":"))


def set_image(
    rollout: Rollout, container: str, image: str, *, record: Record, supersede: bool
) -> Decision:
    """Puts `image` into the named container. `Nothing` also when that image is already on its
    way: `deploy` then attaches to it."""
    position = next((i for i, c in enumerate(rollout.containers) if c.name == container), None)
    old = rollout.image(container)
    if rollout.workload_ref:
        kind = rollout.workload_ref.get("kind", "object")
        return Refusal(
            f"`{rollout.name}` takes its pods from the {kind} `{rollout.workload_ref.get('name')}`",
            f"change the image of that {kind}; `canary watch` follows what comes of it",
        )
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
            f"{running} is still on its way: deploying {tag(image)} now would take its place",
            "wait for it (`canary watch`), stop it (`canary abort`), or pass --supersede",
        )
    return Change((_image_patch(rollout, position, image, record),))


def _same_image(rollout: Rollout, image: str) -> Decision:
    if rollout.aborted:
        return Refusal(
            f"{tag(image)} was aborted: the Rollout already names it, so nothing would start",
            "run it again with `kubectl argo rollouts retry rollout "
            f"{rollout.name} -n {rollout.namespace}`, or deploy a version that is mended",
        )
    return Nothing(f"{tag(image)} is already the version of `{rollout.name}`")


def _in_progress(rollout: Rollout, container: str) -> str:
    """The version that is being rolled out now, empty if none is."""
    unfinished = not rollout.observed or not rollout.is_fully_promoted
    if unfinished and not rollout.aborted and shown_phase(rollout).word != "Degraded":
        return tag(rollout.image(container)) if rollout.stable_hash else ""
    return ""


def _image_patch(rollout: Rollout, position: int, image: str, record: Record) -> Patch:
    at, live = f"/spec/template/spec/containers/{position}", rollout.containers[position]
    tests = [_test(f"{at}/name", live.name), _test(f"{at}/image", live.image)]
    if rollout.current_hash:
        tests.append(_test("/status/currentPodHash", rollout.current_hash))
    annotate = (
        _add(f"/metadata/annotations/{_escape(RECORD)}", record.text())
        if rollout.annotations
        else _add("/metadata/annotations", {RECORD: record.text()})
    )
    return Patch([*tests, _replace(f"{at}/image", image), annotate], JSON_PATCH)


def abort(rollout: Rollout) -> Decision:
    """Always sent without a precondition; refused only where the controller would drop it
    (recorded: abort-healthy). A pause by hand is lifted too: under it no pod would move."""
    if rollout.aborted and not rollout.paused:
        return Nothing(f"`{rollout.name}` is already aborted")
    if rollout.observed and rollout.is_fully_promoted:
        return Refusal(
            f"`{rollout.name}` is fully promoted: there is nothing to abort",
            "to undo it, deploy the version you want back: `canary deploy VERSION`",
        )
    patches = [Patch({"status": {"abort": True}}, MERGE_PATCH, "status")]
    if rollout.paused:
        patches.append(Patch({"spec": {"paused": False}}, MERGE_PATCH))
        return Change(tuple(patches), "it was paused by hand: resumed, so that its pods can go")
    return Change(tuple(patches))


def promote(rollout: Rollout, *, skip_step: bool) -> Decision:
    """Goes on at a pause. A step that still runs is skipped only on request."""
    if rollout.aborted:
        return Refusal(
            f"`{rollout.name}` is aborted: the controller would undo a promote",
            "run the steps again with `kubectl argo rollouts retry rollout "
            f"{rollout.name} -n {rollout.namespace}`, or deploy another version",
        )
    if not rollout.observed:
        return Refusal(
            f"the controller has not seen the newest change of `{rollout.name}` yet",
            "look with `canary status`, then try again",
        )
    if rollout.paused:
        return _resume(rollout)
    if rollout.is_fully_promoted and not rollout.pause_conditions:
        return Nothing(f"`{rollout.name}` is already fully promoted")
    if rollout.controller_pause and not rollout.pause_conditions:
        return Nothing(f"`{rollout.name}` is already promoted and about to go on")
    if rollout.pause_conditions:
        return _leave_pause(rollout)
    return _skip(rollout, skip_step)


def _resume(rollout: Rollout) -> Decision:
    patch = Patch(
        [_test("/spec/paused", True), _replace("/spec/paused", False)], JSON_PATCH
    )  # fmt: skip
    if rollout.pause_conditions:
        return Change((patch,), "it was paused by hand as well: resumed first", again=True)
    return Change((patch,), "it was paused by hand: resumed, no step is skipped")


def _leave_pause(rollout: Rollout) -> Decision:
    reason = rollout.pause_conditions[0].reason
    operations = [
        *_pins(rollout),
        _test("/status/pauseConditions/0/reason", reason),
        {"op": "remove", "path": "/status/pauseConditions"},
    ]
    run, note = rollout.step_run, ""
    if run and run.status == "Inconclusive" and rollout.step_index is not None:
        operations.append(_add("/status/controllerPause", False))
        operations.append(_replace("/status/currentStepIndex", rollout.step_index + 1))
        note = f"the analysis {run.name} was inconclusive: its step is taken as done"
    elif any(c.reason == INCONCLUSIVE for c in rollout.pause_conditions):
        note = "the background analysis was inconclusive: it starts again"
    return Change((Patch(operations, JSON_PATCH, "status"),), note)


def _skip(rollout: Rollout, skip_step: bool) -> Decision:
    step, index = rollout.current_step, rollout.step_index
    if step is None or index is None:
        return Refusal(
            f"`{rollout.name}` has no step left to promote: its last pods are being replaced",
            "follow it with `canary watch`",
        )
    place = f"step {index + 1}/{len(rollout.steps)} ({step_text(step)})"
    if not skip_step:
        return Refusal(
            f"`{rollout.name}` does not wait for anybody: {place} is running",
            "follow it with `canary watch`; --skip-step ends this step early",
        )
    operations = [*_pins(rollout), _replace("/status/currentStepIndex", index + 1)]
    return Change((Patch(operations, JSON_PATCH, "status"),), f"{place} is skipped")


def _pins(rollout: Rollout) -> list[dict[str, Any]]:
    pins = [_test("/status/currentPodHash", rollout.current_hash)]
    if rollout.step_index is not None:
        pins.append(_test("/status/currentStepIndex", rollout.step_index))
    return pins


def tag(image: str) -> str:
    """What people call an image: its tag, its digest, or all of it where it has neither."""
    if "@" in image:
        return image.split("@", 1)[1]
    name = image.rsplit("/", 1)[-1]
    return name.split(":", 1)[1] if ":" in name else image


def record_of(annotations: Mapping[str, str]) -> dict[str, str]:
    """The facts of a deploy record, empty where there is none that can be read."""
    try:
        facts = json.loads(annotations.get(RECORD, ""))
    except ValueError:
        return {}
    return {k: str(v) for k, v in facts.items()} if isinstance(facts, dict) else {}


def _test(path: str, value: Any) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}


def _add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def _replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
