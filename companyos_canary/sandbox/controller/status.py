"""What a pass writes into the Rollout's status: the reset, promotion, abort and next step."""

import json
from typing import Any

from companyos_canary.argo.phase import calculated_phase
from companyos_canary.argo.replicas import strategy
from companyos_canary.argo.steps import step_text
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.rollout import Rollout, Step
from companyos_canary.sandbox.controller import pods
from companyos_canary.sandbox.controller.conditions import Wanted, deadline, drop, put, put_conditions
from companyos_canary.sandbox.controller.experiments import experiment_is_successful
from companyos_canary.sandbox.controller.passes import PAUSE_STEP, Pass, hash_of, pods_of, revision_of, selector_of
from companyos_canary.sandbox.controller.pauses import pause_is_over, put_duration, put_pauses
from companyos_canary.sandbox.controller.runs import PROMOTION, phase_of, reference, run_is_successful, run_status
from companyos_canary.sandbox.controller.stepplugins import plugin_is_done
from companyos_canary.sandbox.controller.template import WORKLOAD_GENERATION, template_hash
from companyos_canary.sandbox.kinds import ROLLOUT
from companyos_canary.sandbox.objects import ApiStatus, Object

Status = dict[str, Any]


def step_hash(work: Pass) -> str:
    """Changes with the list of steps, however it is written."""
    return template_hash({"steps": json.dumps(work.strategy.get("steps") or [], sort_keys=True)})


def is_changed(work: Pass) -> bool:
    """The template or the steps are others than the status was written for."""
    current = work.view.current_hash
    if work.view.blue_green is not None:
        return bool(current) and current != hash_of(work.canary)
    return current != hash_of(work.canary) or work.status.get("currentStepHash") != step_hash(work)


def write_reset(work: Pass) -> None:
    """A new template or new steps: everything starts again. Going back to the stable version, or
    to one within the rollback window that still has pods, skips all steps."""
    work.pauses.cleared = work.pauses.unabort = True
    work.step_run = work.background_run = None
    work.promotion_runs, work.passed_checkpoint, work.plugins = {}, False, []
    status = _base(work)
    count = len(work.view.steps)
    status.pop("promoteFull", None)
    if count:
        status["currentStepIndex"] = 0
    back = bool(work.view.stable_hash) and work.view.stable_hash == hash_of(work.canary)
    if back and count:
        work.tell("Normal", "SkipSteps", "Rollback to stable ReplicaSets")
        status["currentStepIndex"] = count
    elif count and work.in_window and _has_pods(work):
        work.tell("Normal", "SkipSteps", "Rollback to active ReplicaSets within RollbackWindow")
        status["currentStepIndex"] = count
    if work.view.blue_green is not None and (reason := _promotion(work)):
        _promote(work, status, reason)
    put_pauses(work, status)
    put_conditions(work, status)
    put_duration(work, status, changed=True)
    persist(work, status)


def write_counts(work: Pass) -> None:
    """The status after a pass that only scales: as it was, with other counts. While paused by hand nothing is scaled,
    so that this continues until somebody resumes."""
    new, status = _base(work), dict(work.status)
    status.update(availableReplicas=new["availableReplicas"], HPAReplicas=new["HPAReplicas"])
    put_duration(work, status, changed=not work.view.current_hash or is_changed(work))
    persist(work, status)


def write(work: Pass) -> None:
    """The status after a full pass."""
    if work.view.promote_full or work.in_window:
        work.pauses.cleared = work.pauses.unabort = True
    status = _decided(work)
    put_conditions(work, status)
    if work.aborted and not status.get("abort"):  # the progress deadline has just ended it
        if work.release.aborts_at_once:
            status = _decided(work)
            put_conditions(work, status)
        else:
            put_pauses(work, status)
    put_duration(work, status, changed=not work.view.current_hash)
    end = deadline(work, status)
    if end is not None:
        work.wake_at.append(end)
    persist(work, status)


def write_conditions(work: Pass, wanted: list[Wanted], *, phase: bool = True) -> None:
    """Only conditions, in a write of their own; the phase follows unless a ReplicaSet has just
    been made (recorded: the old phase stays for that one write)."""
    status = dict(work.status)
    for condition in wanted:
        put(status, work.now, condition)
    if not phase:
        status.setdefault("canary", {})
        status.setdefault("blueGreen", {})
    else:
        put_duration(work, status)
    persist(work, status, phase=phase)


def persist(work: Pass, status: Status, *, phase: bool = True) -> None:
    """Writes the status if anything in it differs. Zero values that a client has left there stay,
    as they do behind a merge patch."""
    new = {k: v for k, v in status.items() if v not in (None, [], "", False, 0) or _is_kept(k, v)}
    for key, value in work.status.items():
        if key not in new and value in (False, 0, "") and value is not None:
            new[key] = value
    if phase:
        new["observedGeneration"] = str(work.view.generation)
        seen = Rollout.from_object({**work.rollout, "status": new})
        found = calculated_phase(seen)
        new["phase"] = found.word
        new.pop("message", None)
        if found.message:
            new["message"] = found.message
    patch_status(work, new)
    if phase:
        _tell_pauses(work, new)


def patch_status(work: Pass, new: Status) -> None:
    """Sends what differs from the status that this pass has read, and only that, as a merge patch
    does: what a client has written meanwhile stays."""
    changed = {k: v for k, v in new.items() if v != work.status.get(k) or k not in work.status}
    gone = [k for k in work.status if k not in new]
    while changed or gone:
        current = work.store.read(ROLLOUT, work.view.namespace, work.view.name)
        kept = {k: v for k, v in (current.get("status") or {}).items() if k not in gone}
        version = current["metadata"]["resourceVersion"]
        written: Object = {**current, "status": {**kept, **changed}}
        try:
            work.store.update(ROLLOUT, written, status_only=True, expect=version)
        except ApiStatus as status:
            if status.code != 409:
                raise
        else:
            return


def is_fast_rollback(work: Pass) -> bool:
    """Back to the stable version, to one that still waits to be scaled down, or within the window. Until 1.9 a version
    that has just been promoted is none: what its runs say still counts."""
    if work.canary is None or work.stable is None:
        return False
    if not work.release.calls_it_fast:
        return work.returns_in_time or work.in_window
    return work.promoted or (work.goes_back and work.returns_in_time) or work.in_window


def _is_kept(key: str, value: Any) -> bool:
    """Fields that are written even when empty or zero."""
    return key in ("canary", "blueGreen") or (key == "currentStepIndex" and value is not None)


def _decided(work: Pass) -> Status:
    """The status with step index, stable hash, pauses and abort, before conditions."""
    status = _base(work)
    count, index = len(work.view.steps), work.view.step_index
    if work.view.promote_full or work.in_window:
        index = count
    reason = _promotion(work)
    if reason:
        _promote(work, status, reason)
        index = count
    elif work.aborted:
        index = count if status.get("stableRS") == status["currentPodHash"] else 0
    else:
        step = work.view.current_step
        if step is not None and index is not None and index < count and _is_done(work, step):
            index += 1
            status["canary"].pop("currentStepAnalysisRunStatus", None)
            work.tell("Normal", "RolloutStepCompleted", f"Rollout step {index}/{count} completed ({step_text(step)})")
            work.pauses.removed.append(PAUSE_STEP)
    if count:
        status["currentStepIndex"] = index if index is not None else 0
    put_pauses(work, status)
    return status


def _base(work: Pass) -> Status:
    """What is counted and copied in every status."""
    counts = [pods_of(s) for s in work.sets]
    current = hash_of(work.canary)
    stable = work.view.stable_hash
    total = sum(c.replicas for c in counts)
    status: Status = {
        "canary": _canary(work),
        "blueGreen": {},
        "conditions": list(work.status.get("conditions") or []),
        "currentPodHash": current,
        "currentStepHash": step_hash(work),
        "selector": _selector(work),
        "stableRS": stable,
        "replicas": total,
        "HPAReplicas": total,
        "updatedReplicas": pods_of(work.newest).replicas,
        "readyReplicas": sum((s.get("status") or {}).get("readyReplicas", 0) for s in work.sets),
        "availableReplicas": sum(c.available for c in counts),
        "promoteFull": work.view.promote_full and current != stable,
        "restartedAt": work.restarted_at,
        "collisionCount": work.status.get("collisionCount"),
        "workloadObservedGeneration": (work.rollout["metadata"].get("annotations") or {}).get(WORKLOAD_GENERATION),
    }
    drop(status, "InvalidSpec")
    if work.view.blue_green is not None:
        _put_blue_green(work, status)
    return status


def _put_blue_green(work: Pass, status: Status) -> None:
    """The selectors as they are now; replicas, readiness and selector are those of the active version."""
    services = {s: work.service(s) for s in ("active", "preview")}
    selectors = {f"{side}Selector": selector_of(service) for side, service in services.items()}
    runs = {PROMOTION[kind]: reference(run) for kind, run in work.promotion_runs.items()}
    checkpoint = {"scaleUpPreviewCheckPoint": True} if work.passed_checkpoint else {}
    status["canary"] = {}
    status["blueGreen"] = {**{k: v for k, v in selectors.items() if v}, **checkpoint, **runs}
    del status["currentStepHash"]
    active = next((s for s in work.sets if hash_of(s) == selectors["activeSelector"]), None)
    if active is not None:
        counted = active.get("status") or {}
        status["HPAReplicas"] = counted.get("replicas", 0)
        status["availableReplicas"] = counted.get("availableReplicas", 0)
        status["readyReplicas"] = counted.get("readyReplicas", 0)
        labels = (active["spec"].get("selector") or {}).get("matchLabels") or {}
        status["selector"] = ",".join(f"{k}={labels[k]}" for k in sorted(labels))


def _canary(work: Pass) -> Status:
    found: Status = run_status(work)
    if work.running_experiment is not None:
        found["currentExperiment"] = work.running_experiment["metadata"]["name"]
    if work.weights:
        found["weights"] = work.weights
    if work.plugins:
        found["stepPluginStatuses"] = work.plugins
    if work.stable_ping_pong:
        found["stablePingPong"] = work.stable_ping_pong
    return found


def _selector(work: Pass) -> str:
    selector = work.rollout["spec"].get("selector") or {}
    labels = selector.get("matchLabels") or {}
    return ",".join(f"{k}={labels[k]}" for k in sorted(labels))


def _has_pods(work: Pass) -> bool:
    return pods_of(work.newest).desired > 0


def _promotion(work: Pass) -> str:
    """Why the new version becomes the stable one now, or nothing."""
    if work.stable is None:
        return "Initial deploy"
    if work.view.blue_green is not None:
        return _blue_green_promotion(work)
    if work.aborted:
        return ""
    if pods_of(work.newest).available < work.view.replicas:
        return ""
    if work.view.promote_full:
        return "Full promotion requested"
    if work.promoted and work.release.calls_it_fast:
        return "Fast rollback"
    if work.in_window:
        return "Rollback within window"
    count = len(work.view.steps)
    if not count or work.view.step_index == count:
        return f"Completed all {count} canary steps"
    return ""


def _blue_green_promotion(work: Pass) -> str:
    """Only what the active Service selects can become the stable version."""
    active = selector_of(work.service("active"))
    if not active:
        return "Initial deploy"
    if active != hash_of(work.canary):
        return ""
    if work.view.promote_full:
        return "Full promotion requested"
    if work.in_window:
        return "Rollback within window"
    if work.release.calls_it_fast and is_fast_rollback(work):
        return "Fast rollback"
    if work.aborted:
        return ""
    after = strategy(work.view).get("postPromotionAnalysis")
    if after is not None and work.returns_in_time and not work.release.calls_it_fast:
        return f"Rollback to '{work.newest['metadata']['name']}' within scaleDownDelay"
    if after is not None and phase_of(work.promotion_runs.get("PostPromotion")) != "Successful":
        return ""
    return "Completed blue-green update"


def _promote(work: Pass, status: Status, reason: str) -> None:
    work.pauses.cleared = work.pauses.unabort = True
    status.pop("promoteFull", None)
    status["blueGreen"].pop("scaleUpPreviewCheckPoint", None)
    if status["stableRS"] != status["currentPodHash"]:
        if work.strategy.get("pingPong") is not None:
            status["canary"]["stablePingPong"] = "pong" if work.stable_ping_pong == "ping" else "ping"
        revision = revision_of(work.rollout)
        work.tell(
            "Normal",
            "RolloutCompleted",
            f"Rollout completed update to revision {revision} ({status['currentPodHash']}): {reason}",
        )
    status["stableRS"] = status["currentPodHash"]


def _is_done(work: Pass, step: Step) -> bool:
    if work.view.paused:
        return False
    match step.kind:
        case "setWeight":
            unverified = work.weights is not None and work.weights.get("verified") is False
            return pods.is_at_size(work, work.weights) and not unverified
        case "setCanaryScale":
            return pods.is_at_size(work, work.weights)
        case "setHeaderRoute" | "setMirrorRoute":
            return True
        case "experiment":
            return experiment_is_successful(work)
        case "pause":
            return pause_is_over(work, step)
        case "analysis":
            return run_is_successful(work)
        case "plugin":
            return plugin_is_done(work)
        case _:
            return False


def _tell_pauses(work: Pass, status: Status) -> None:
    before, after = bool(work.view.pause_conditions), status.get("pauseConditions") or []
    if after and not before:
        work.tell("Normal", "RolloutPaused", f"Rollout is paused ({after[0]['reason']})")
    if before and not after and not status.get("abort"):
        work.tell("Normal", "RolloutResumed", "Rollout is resumed")


def restarted_at(work: Pass) -> str | None:
    text = work.status.get("restartedAt")
    return str(text) if parse_time(text) else None
