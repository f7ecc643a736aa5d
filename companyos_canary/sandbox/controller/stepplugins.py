"""Step plugins, acted out: each runs for some seconds, and ends as a Job for the same version would. A plugin of any
name is taken for a configured one.

Upstream rollout/stepplugin.go; not recorded.
"""

from datetime import timedelta
from typing import Any

from companyos_canary.model.quantity import format_time, parse_time
from companyos_canary.sandbox.controller.passes import Pass

_TAKES = timedelta(seconds=5)
_TOLD = {
    "Run": "Step plugin {name} (step {step}) transitioned to {phase}",
    "Abort": "Step plugin {name} (step {step}) aborted ({phase})",
    "Terminate": "Step plugin {name} (step {step}) terminated ({phase})",
}
Plugin = dict[str, Any]


def reconcile_plugins(state: Pass) -> None:
    """Runs the plugin of the current step; after an abort or a promotion in full those that have run are ended."""
    found = state.plugins = [dict(s) for s in (state.status.get("canary") or {}).get("stepPluginStatuses") or []]
    if state.aborted:
        for ran in [s for s in reversed(found) if s["operation"] == "Run"]:
            _end(state, ran, "Abort")
        return
    if state.view.promote_full or state.promoted:
        last = next((s for s in reversed(found) if s["operation"] == "Run" and s["phase"] == "Running"), None)
        if last is not None:
            _end(state, last, "Terminate")
        return
    index, step = state.view.step_index or 0, state.view.current_step
    if index == 0 and found and (step is None or step.kind != "plugin" or plugin_is_done(state)):
        found.clear()  # those of the attempt before a retry
    if step is not None and step.kind == "plugin" and state.status.get("phase") == "Progressing":
        _run(state, index, str((step.raw.get("plugin") or {}).get("name") or ""))


def plugin_is_done(state: Pass) -> bool:
    ran = _find(state, state.view.step_index or 0, "Run")
    return ran is not None and ran["phase"] in ("Successful", "Failed")


def _run(state: Pass, index: int, name: str) -> None:
    ran, time = _find(state, index, "Run"), format_time(state.now)
    if ran is None:
        ran = {
            "index": index,
            "name": name,
            "operation": "Run",
            "phase": "Running",
            "startedAt": time,
            "updatedAt": time,
        }
        state.plugins.append({**ran, "executions": 1, "backoff": f"{_TAKES.seconds}s"})
        _tell(state, ran)
        state.wake_at.append(state.now + _TAKES)
    elif ran["phase"] == "Running":
        end = (parse_time(ran.get("startedAt")) or state.now) + _TAKES
        if state.now < end:
            state.wake_at.append(end)
            return
        good = state.is_good()
        ran.update(phase="Successful" if good else "Failed", updatedAt=time, finishedAt=time, executions=2)
        ran.pop("backoff", None)
        if not good:
            ran["message"] = "the version has errors"
            _tell(state, ran)
            state.pauses.abort_with(f"Step Plugin {index + 1} ({name}) failed: {ran['message']}")


def _end(state: Pass, ran: Plugin, operation: str) -> None:
    if _find(state, ran["index"], operation) is not None:
        return
    time = format_time(state.now)
    times = {"startedAt": time, "updatedAt": time, "finishedAt": time, "executions": 1}
    ended = {"index": ran["index"], "name": ran["name"], "operation": operation, "phase": "Successful", **times}
    state.plugins.append(ended)
    _tell(state, ended)


def _find(state: Pass, index: int, operation: str) -> Plugin | None:
    return next((s for s in state.plugins if (s["index"], s["operation"]) == (index, operation)), None)


def _tell(state: Pass, status: Plugin) -> None:
    told = _TOLD[status["operation"]].format(name=status["name"], step=status["index"] + 1, phase=status["phase"])
    state.tell("Warning" if status["phase"] == "Failed" else "Normal", "StepPluginTransition", told)
