"""What a pass writes into the Rollout's status: the reset, promotion, abort and next step."""

import json
import marshal
from functools import lru_cache
from typing import Any

from companyos_canary.argo.phase import calculated_phase
from companyos_canary.argo.replicas import strategy
from companyos_canary.argo.steps import step_text
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.rollout import Rollout, Step
from companyos_canary.sandbox.controller import pods
from companyos_canary.sandbox.controller.conditions import Wanted, deadline, drop, put, put_conditions
from companyos_canary.sandbox.controller.experiments import experiment_is_successful, plugin_is_done
from companyos_canary.sandbox.controller.passes import (
    PAUSE_STEP,
    Pass,
    hash_of,
    phase_of,
    pods_of,
    revision_of,
    selector_of,
)
from companyos_canary.sandbox.controller.pauses import pause_is_over, put_duration, put_pauses
from companyos_canary.sandbox.controller.runs import PROMOTION, reference, run_is_successful, run_status
from companyos_canary.sandbox.controller.template import WORKLOAD_GENERATION, template_hash
from companyos_canary.sandbox.kinds import ROLLOUT
from companyos_canary.sandbox.objects import ApiStatus, Object, frozen

Status = dict[str, Any]


def step_hash(state: Pass) -> str:
    """Changes with the list of steps, however it is written."""
    return _step_hash(frozen(state.strategy.get("steps") or []))


@lru_cache(maxsize=512)
def _step_hash(steps: bytes) -> str:
    return template_hash({"steps": json.dumps(marshal.loads(steps), sort_keys=True)})


def is_changed(state: Pass) -> bool:
    """The template or the steps are others than the status was written for."""
    current = state.view.current_hash
    if state.view.blue_green is not None:
        return bool(current) and current != hash_of(state.canary)
    return current != hash_of(state.canary) or state.status.get("currentStepHash") != step_hash(state)


def write_reset(state: Pass) -> None:
    """A new template or new steps: everything starts again. Going back to the stable version, or
    to one within the rollback window that still has pods, skips all steps. That the version before has passed the
    checkpoint of previewReplicaCount is not forgotten: the new one gets all its pods at once, and no analysis before
    its promotion, which it therefore waits for."""
    state.pauses.cleared = state.pauses.unabort = True
    state.step_run = state.background_run = None
    state.promotion_runs, state.plugins = {}, []
    status = _base(state)
    count = len(state.view.steps)
    status.pop("promoteFull", None)
    if count:
        status["currentStepIndex"] = 0
    back = bool(state.view.stable_hash) and state.view.stable_hash == hash_of(state.canary)
    if back and count:
        state.tell("Normal", "SkipSteps", "Rollback to stable ReplicaSets")
        status["currentStepIndex"] = count
    elif count and state.in_window and _has_pods(state):
        state.tell("Normal", "SkipSteps", "Rollback to active ReplicaSets within RollbackWindow")
        status["currentStepIndex"] = count
    if state.view.blue_green is not None and (reason := _promotion(state)):
        _promote(state, status, reason)
    put_pauses(state, status)
    put_conditions(state, status)
    put_duration(state, status, changed=True)
    persist(state, status)


def write_counts(state: Pass) -> None:
    """The status after a pass that only scales: as it was, with other counts. While paused by hand nothing is scaled,
    so that this continues until a person resumes it."""
    new, status = _base(state), dict(state.status)
    status.update(availableReplicas=new["availableReplicas"], HPAReplicas=new["HPAReplicas"])
    for field in ("abort", "abortedAt"):
        status.pop(field, None)
    put_pauses(state, status)
    put_duration(state, status, changed=not state.view.current_hash or is_changed(state))
    persist(state, status)


def write(state: Pass) -> None:
    """The status after a full pass."""
    if state.view.promote_full or state.in_window:
        state.pauses.cleared = state.pauses.unabort = True
    status = _decided(state)
    put_conditions(state, status)
    if (state.pauses.abort or state.aborted) and not status.get("abort"):  # the progress deadline has just ended it
        if state.release.aborts_at_once:
            status = _decided(state)
            put_conditions(state, status)
        else:
            put_pauses(state, status)
    put_duration(state, status, changed=not state.view.current_hash)
    end = deadline(state, status)
    if end is not None:
        state.wake_at.append(end)
    persist(state, status)


def write_conditions(state: Pass, wanted: list[Wanted], *, phase: bool = True) -> None:
    """Only conditions, in a write of their own; the phase follows unless a ReplicaSet has just
    been made (recorded: the old phase stays for that one write)."""
    status = dict(state.status)
    for condition in wanted:
        put(status, state.now, condition)
    if not phase:
        status.setdefault("canary", {})
        status.setdefault("blueGreen", {})
    else:
        put_duration(state, status)
    persist(state, status, phase=phase)


def persist(state: Pass, status: Status, *, phase: bool = True) -> None:
    """Writes the status if anything in it differs. Zero values that a client has left there stay,
    as they do behind a merge patch, but for an index of 0, which is something; without `phase` the controller sends
    the whole status, and they go."""
    new = {k: v for k, v in status.items() if v not in (None, [], "", False, 0) or _is_kept(k, v)}
    if phase:
        for key, value in state.status.items():
            if key not in new and value in (False, 0, "") and value is not None and key != "currentStepIndex":
                new[key] = value
        new["observedGeneration"] = str(state.view.generation)
        seen = Rollout.from_object({**state.rollout, "status": new})
        found = calculated_phase(seen)
        new["phase"] = found.word
        new.pop("message", None)
        if found.message:
            new["message"] = found.message
    patch_status(state, new)
    if phase:
        _tell_pauses(state, new)


def patch_status(state: Pass, new: Status) -> None:
    """Sends what differs from the status that this pass has read, and only that, as a merge patch
    does: what a client has written meanwhile stays."""
    changed = {k: v for k, v in new.items() if v != state.status.get(k) or k not in state.status}
    gone = [k for k in state.status if k not in new]
    while changed or gone:
        current = state.store.read(ROLLOUT, state.view.namespace, state.view.name)
        kept = {k: v for k, v in (current.get("status") or {}).items() if k not in gone}
        version = current["metadata"]["resourceVersion"]
        written: Object = {**current, "status": {**kept, **changed}}
        try:
            state.store.update(ROLLOUT, written, status_only=True, expect=version)
        except ApiStatus as status:
            if status.code != 409:
                raise
        else:
            return


def is_fast_rollback(state: Pass) -> bool:
    """Back to the stable version, to one that still waits to be scaled down, or within the window. Until 1.9 a version
    that has just been promoted is none: what its runs say still counts."""
    if state.canary is None or state.stable is None:
        return False
    if not state.release.calls_it_fast:
        return state.returns_in_time or state.in_window
    return state.promoted or (state.goes_back and state.returns_in_time) or state.in_window


def _is_kept(key: str, value: Any) -> bool:
    """Fields that are written even when empty or zero."""
    return key in ("canary", "blueGreen") or (key == "currentStepIndex" and value is not None)


def _decided(state: Pass) -> Status:
    """The status with step index, stable hash, pauses and abort, before conditions."""
    status = _base(state)
    count, index = len(state.view.steps), state.view.step_index
    if state.view.promote_full or state.in_window:
        index = count
    reason = _promotion(state)
    if reason:
        _promote(state, status, reason)
        index = count
    elif state.aborted:
        index = count if status.get("stableRS") == status["currentPodHash"] else 0
    else:
        step = state.view.current_step
        if step is not None and index is not None and index < count and _is_done(state, step):
            index += 1
            status["canary"].pop("currentStepAnalysisRunStatus", None)
            state.tell("Normal", "RolloutStepCompleted", f"Rollout step {index}/{count} completed ({step_text(step)})")
            state.pauses.removed.append(PAUSE_STEP)
    if count:
        status["currentStepIndex"] = index if index is not None else 0
    put_pauses(state, status)
    return status


def _base(state: Pass) -> Status:
    """What is counted and copied in every status."""
    counts = [pods_of(s) for s in state.sets]
    current = hash_of(state.canary)
    stable = state.view.stable_hash
    total = sum(c.replicas for c in counts)
    status: Status = {
        "canary": _canary(state),
        "blueGreen": {},
        "conditions": list(state.status.get("conditions") or []),
        "currentPodHash": current,
        "currentStepHash": step_hash(state),
        "selector": _selector(state),
        "stableRS": stable,
        "replicas": total,
        "HPAReplicas": total,
        "updatedReplicas": pods_of(state.newest).replicas,
        "readyReplicas": sum((s.get("status") or {}).get("readyReplicas", 0) for s in state.sets),
        "availableReplicas": sum(c.available for c in counts),
        "promoteFull": state.view.promote_full and current != stable,
        "restartedAt": state.restarted_at,
        "collisionCount": state.status.get("collisionCount"),
        "workloadObservedGeneration": (state.rollout["metadata"].get("annotations") or {}).get(WORKLOAD_GENERATION),
    }
    drop(status, "InvalidSpec")
    if state.view.blue_green is not None:
        _put_blue_green(state, status)
    return status


def _put_blue_green(state: Pass, status: Status) -> None:
    """The selectors as they are now; replicas, readiness and selector are those of the active version."""
    services = {s: state.service(s) for s in ("active", "preview")}
    selectors = {f"{side}Selector": selector_of(service) for side, service in services.items()}
    runs = {PROMOTION[kind]: reference(run) for kind, run in state.promotion_runs.items()}
    checkpoint = {"scaleUpPreviewCheckPoint": True} if state.passed_checkpoint else {}
    status["canary"] = {k: v for k, v in status["canary"].items() if k == "weights"}  # of a strategy that was a canary
    status["blueGreen"] = {**{k: v for k, v in selectors.items() if v}, **checkpoint, **runs}
    del status["currentStepHash"]
    active = next((s for s in state.sets if hash_of(s) == selectors["activeSelector"]), None)
    if active is not None:
        counted = active.get("status") or {}
        status["HPAReplicas"] = counted.get("replicas", 0)
        status["availableReplicas"] = counted.get("availableReplicas", 0)
        status["readyReplicas"] = counted.get("readyReplicas", 0)
        labels = (active["spec"].get("selector") or {}).get("matchLabels") or {}
        status["selector"] = ",".join(f"{k}={labels[k]}" for k in sorted(labels))


def _canary(state: Pass) -> Status:
    found: Status = run_status(state)
    if state.running_experiment is not None:
        found["currentExperiment"] = state.running_experiment["metadata"]["name"]
    if state.weights:
        found["weights"] = state.weights
    if state.plugins:
        found["stepPluginStatuses"] = state.plugins
    if state.stable_ping_pong:
        found["stablePingPong"] = state.stable_ping_pong
    return found


def _selector(state: Pass) -> str:
    selector = state.rollout["spec"].get("selector") or {}
    labels = selector.get("matchLabels") or {}
    return ",".join(f"{k}={labels[k]}" for k in sorted(labels))


def _has_pods(state: Pass) -> bool:
    return pods_of(state.newest).desired > 0


def _promotion(state: Pass) -> str:
    """Why the new version becomes the stable one now, or nothing."""
    if state.stable is None:
        return "Initial deploy"
    if state.view.blue_green is not None:
        return _blue_green_promotion(state)
    if state.aborted:
        return ""
    replicas = state.view.replicas
    if pods_of(state.newest).available < replicas and not state.has_enough(state.newest, replicas):
        return ""
    if state.view.promote_full:
        return "Full promotion requested"
    if state.promoted and state.release.calls_it_fast:
        return "Fast rollback"
    if state.in_window:
        return "Rollback within window"
    count = len(state.view.steps)
    if not count or state.view.step_index == count:
        return f"Completed all {count} canary steps"
    return ""


def _blue_green_promotion(state: Pass) -> str:
    """Only what the active Service selects can become the stable version."""
    active = selector_of(state.service("active"))
    if not active:
        return "Initial deploy"
    if active != hash_of(state.canary):
        return ""
    if state.view.promote_full:
        return "Full promotion requested"
    if state.in_window:
        return "Rollback within window"
    if state.release.calls_it_fast and is_fast_rollback(state):
        return "Fast rollback"
    if state.aborted:
        return ""
    after = strategy(state.view).get("postPromotionAnalysis")
    if after is not None and state.returns_in_time and not state.release.calls_it_fast:
        return f"Rollback to '{state.newest['metadata']['name']}' within scaleDownDelay"
    if after is not None and phase_of(state.promotion_runs.get("PostPromotion")) != "Successful":
        return ""
    return "Completed blue-green update"


def _promote(state: Pass, status: Status, reason: str) -> None:
    state.pauses.cleared = state.pauses.unabort = True
    status.pop("promoteFull", None)
    status["blueGreen"].pop("scaleUpPreviewCheckPoint", None)
    if status["stableRS"] != status["currentPodHash"]:
        if state.strategy.get("pingPong") is not None:
            status["canary"]["stablePingPong"] = "pong" if state.stable_ping_pong == "ping" else "ping"
        revision = revision_of(state.rollout)
        state.tell(
            "Normal",
            "RolloutCompleted",
            f"Rollout completed update to revision {revision} ({status['currentPodHash']}): {reason}",
        )
    status["stableRS"] = status["currentPodHash"]


def _is_done(state: Pass, step: Step) -> bool:
    if state.view.paused:
        return False
    match step.kind:
        case "setWeight":
            unverified = state.weights is not None and state.weights.get("verified") is False
            return pods.is_at_size(state, state.weights) and not unverified
        case "setCanaryScale":
            return pods.is_at_size(state, state.weights)
        case "setHeaderRoute" | "setMirrorRoute":
            return True
        case "experiment":
            return experiment_is_successful(state)
        case "pause":
            return pause_is_over(state, step)
        case "analysis":
            return run_is_successful(state)
        case "plugin":
            return plugin_is_done(state)
        case _:
            return False


def _tell_pauses(state: Pass, status: Status) -> None:
    before, after = bool(state.view.pause_conditions), status.get("pauseConditions") or []
    if after and not before:
        state.tell("Normal", "RolloutPaused", f"Rollout is paused ({after[0]['reason']})")
    if before and not after and not status.get("abort"):
        state.tell("Normal", "RolloutResumed", "Rollout is resumed")


def restarted_at(state: Pass) -> str | None:
    text = state.status.get("restartedAt")
    return str(text) if parse_time(text) else None
