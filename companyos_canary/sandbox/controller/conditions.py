"""The conditions of a Rollout's status, in the order in which the controller computes them."""

from datetime import datetime
from typing import Any

from companyos_canary.model.quantity import format_time, parse_time, whole_seconds
from companyos_canary.sandbox.controller.delays import has_deadline
from companyos_canary.sandbox.controller.passes import Pass, hash_of

Status = dict[str, Any]
Wanted = tuple[str, str, str, str]
"""Type, status, reason and message of a condition."""
_NOT_AVAILABLE = "Rollout does not have minimum availability"


def find(status: Status, type_: str) -> dict[str, Any] | None:
    return next((c for c in status.get("conditions") or [] if c["type"] == type_), None)


def put(status: Status, now: datetime, new: Wanted, *, refresh: bool = False) -> bool:
    """Sets a condition at the end of the list; whether it changed. One with the same status and
    reason is left as it is, even its message, unless it is a `refresh`. The transition time moves
    with the status only."""
    type_, value, reason, message = new
    old = find(status, type_)
    if old and not refresh and (old["status"], old["reason"]) == (value, reason):
        return False
    moved = old["lastTransitionTime"] if old and old["status"] == value else format_time(now)
    entry = {
        "type": type_,
        "status": value,
        "lastUpdateTime": format_time(now),
        "lastTransitionTime": moved,
        "reason": reason,
        "message": message,
    }
    status["conditions"] = [c for c in status.get("conditions") or [] if c is not old] + [entry]
    return True


def drop(status: Status, type_: str) -> None:
    if find(status, type_):
        status["conditions"] = [c for c in status["conditions"] if c["type"] != type_]


def before_the_pass(state: Pass) -> list[Wanted]:
    """Pauses, resumes and retries that the conditions do not show yet; they are written before
    anything else (upstream checkPausedConditions). A finished Rollout that is paused by hand
    does not stop to progress (recorded: scenario manual-pause-then-promote)."""
    progressing = find(state.status, "Progressing") or {}
    paused = bool(state.view.pause_conditions) or state.view.paused
    aborted = progressing.get("reason") == "RolloutAborted"
    wanted = []
    known = progressing.get("reason") == "RolloutPaused"
    if not aborted and paused != known and not (paused and state.promoted):
        reason, message = ("RolloutPaused", "Rollout is paused") if paused else ("RolloutResumed", "Rollout is resumed")
        wanted.append(("Progressing", "Unknown", reason, message))
    if aborted and not state.view.aborted:
        wanted.append(("Progressing", "Unknown", "RolloutRetry", "Retrying Rollout after abort"))
    shown = (find(state.status, "Paused") or {}).get("status") == "True"
    if not aborted and paused != shown:
        wanted.append(("Paused", str(paused), "RolloutPaused", "Rollout is paused"))
    return wanted


def put_conditions(state: Pass, status: Status) -> None:
    """Healthy, Progressing, Available, Completed and ReplicaFailure for the status that will be
    written, with the events they cause."""
    healthy = is_healthy(state, status)
    unhealthy = False
    if healthy and not _is_paused(state, status):
        put(status, state.now, ("Healthy", "True", "RolloutHealthy", "Rollout is healthy"))
    elif find(status, "Healthy"):
        unhealthy = put(status, state.now, ("Healthy", "False", "RolloutHealthy", "Rollout is not healthy"))
    if state.aborted:
        _put_aborted(state, status)
    else:
        _put_progress(state, status, healthy, unhealthy)
    _put_available(state, status)
    _put_completed(state, status)
    _put_failure(state, status)


def is_healthy(state: Pass, status: Status) -> bool:
    """All pods are new, there are enough, every step is done and the spec is an observed one."""
    wanted, steps = state.view.replicas, state.view.steps
    if state.view.blue_green is not None:
        counts = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
        selected, shown = status.get("blueGreen") or {}, ["activeSelector"]
        shown += ["previewSelector"] if state.view.blue_green.preview_service else []
        switched = all(selected.get(field) == status["currentPodHash"] for field in shown)
        return counts == (wanted, wanted) and switched and state.view.observed
    done = not steps or status.get("currentStepIndex") == len(steps)
    promoted = bool(status.get("stableRS")) and status["stableRS"] == status["currentPodHash"]
    counts = (status.get("updatedReplicas", 0), status.get("replicas", 0))
    return (
        counts == (wanted, wanted)
        and status.get("availableReplicas", 0) == wanted
        and done
        and promoted
        and state.view.observed_generation == str(state.view.generation)
    )


def _is_paused(state: Pass, status: Status) -> bool:
    pauses = status if state.release.judges_new_pauses else state.status
    return bool(pauses.get("pauseConditions")) or state.view.paused


def _put_aborted(state: Pass, status: Status) -> None:
    message = f"Rollout aborted update to revision {state.view.revision}"
    if state.pauses.message:
        message += f": {state.pauses.message}"
    if put(status, state.now, ("Progressing", "False", "RolloutAborted", message)):
        state.tell("Warning", "RolloutAborted", message)


def _put_progress(state: Pass, status: Status, healthy: bool, unhealthy: bool) -> None:
    now, name = state.now, state.canary["metadata"]["name"] if state.canary else ""
    old = find(state.status, "Progressing")
    settled = (
        old is not None
        and old["reason"] == "NewReplicaSetAvailable"
        and status.get("replicas", 0) == status.get("availableReplicas", 0)
    )
    if settled and not unhealthy and not _has_progressed(state.status, status):
        return
    if healthy:
        message = f'ReplicaSet "{name}" has successfully progressed.'
        put(status, now, ("Progressing", "True", "NewReplicaSetAvailable", message))
    elif _has_progressed(state.status, status) or unhealthy:
        reason, message = "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.'
        if unhealthy and status.get("stableRS") == status.get("currentPodHash"):
            reason, message = "ReplicaSetNotAvailable", _NOT_AVAILABLE
        put(status, now, ("Progressing", "True", reason, message), refresh=True)
    elif deadline_is_over(state, status):
        message = f'ReplicaSet "{name}" has timed out progressing.'
        put(status, now, ("Progressing", "False", "ProgressDeadlineExceeded", message))
        under_way = not state.promoted or not state.release.aborts_at_once
        if state.rollout["spec"].get("progressDeadlineAbort") and under_way:
            state.tell("Warning", "RolloutAborted", message)
            state.pauses.abort_with(message)


def _has_progressed(old: Status, new: Status) -> bool:
    def number(status: Status, key: str) -> int:
        return int(status.get(key) or 0)

    def outdated(status: Status) -> int:
        return number(status, "replicas") - number(status, "updatedReplicas")

    indexes = old.get("currentStepIndex"), new.get("currentStepIndex")
    selected = [status.get("blueGreen") or {} for status in (old, new)]
    return (
        number(new, "updatedReplicas") != number(old, "updatedReplicas")
        or outdated(new) < outdated(old)
        or number(new, "readyReplicas") > number(old, "readyReplicas")
        or number(new, "availableReplicas") > number(old, "availableReplicas")
        or (None not in indexes and indexes[0] != indexes[1])
        or (new.get("stableRS") != old.get("stableRS") and "currentStepHash" in new)
        or any(selected[0].get(f) != selected[1].get(f) for f in ("activeSelector", "previewSelector"))
        or new.get("currentStepHash") != old.get("currentStepHash")
    )


def deadline(state: Pass, status: Status) -> datetime | None:
    """When the rollout counts as stuck; None while the clock does not run: after an abort or a
    pause, and at a step that may take as long as it likes."""
    condition = find(status, "Progressing")
    if condition is None or condition["reason"] in ("RolloutAborted", "RolloutPaused"):
        return None
    step = state.view.current_step
    if state.view.paused or (step is not None and step.kind in ("pause", "analysis", "experiment")):
        return None
    if condition["reason"] == "NewReplicaSetAvailable":
        return None
    paused = find(state.status, "Paused") or {}
    if any(has_deadline(s) for s in state.others) or (state.view.blue_green and paused.get("status") == "True"):
        return None
    since = parse_time(condition["lastUpdateTime"])
    seconds = whole_seconds(state.rollout["spec"].get("progressDeadlineSeconds"), 600)
    return None if since is None else since + seconds


def deadline_is_over(state: Pass, status: Status) -> bool:
    condition = find(status, "Progressing")
    if condition is not None and condition["reason"] == "ProgressDeadlineExceeded":
        return True
    end = deadline(state, status)
    return end is not None and state.now > end


def _put_available(state: Pass, status: Status) -> None:
    enough = status.get("availableReplicas", 0) >= state.view.replicas
    message = "Rollout has minimum availability" if enough else _NOT_AVAILABLE
    put(status, state.now, ("Available", str(enough), "AvailableReason", message))


def _put_completed(state: Pass, status: Status) -> None:
    done = bool(status.get("stableRS")) and status["stableRS"] == status["currentPodHash"]
    condition = ("Completed", str(done), "RolloutCompleted", "RolloutCompleted")
    if put(status, state.now, condition) and not done:
        revision, current = state.view.revision, hash_of(state.canary)
        state.tell(
            "Normal", "RolloutNotCompleted", f"Rollout not completed, started update to revision {revision} ({current})"
        )


def _put_failure(state: Pass, status: Status) -> None:
    """A ReplicaFailure of a ReplicaSet, the newest first, shows on the Rollout."""
    for replicaset in [state.canary, *state.sets]:
        found = find((replicaset or {}).get("status") or {}, "ReplicaFailure")
        if found and found["status"] == "True":
            failure = ("ReplicaFailure", "True", found["reason"], found["message"])
            put(status, state.now, failure)
            return
    drop(status, "ReplicaFailure")
