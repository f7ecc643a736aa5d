"""A pass over a blue-green Rollout: two whole versions, a preview and an active Service, a pause and
analyses before and after the switch.

Upstream rollout/bluegreen.go and rollout/analysis.go; recorded: the scenarios of blue-green.
"""

from datetime import datetime, timedelta

from companyos_canary.argo.replicas import strategy
from companyos_canary.sandbox.controller import status
from companyos_canary.sandbox.controller.delays import deadline_of
from companyos_canary.sandbox.controller.passes import (
    BLUE_GREEN,
    INCONCLUSIVE,
    Pass,
    hash_of,
    phase_of,
    pods_of,
    selector_of,
    terminate,
)
from companyos_canary.sandbox.controller.pods import is_saturated, preview_size, restart_pods, scale_blue_green
from companyos_canary.sandbox.controller.roles import switch, sync_metadata
from companyos_canary.sandbox.controller.runs import PROMOTION, create_run, end_others, is_used_up, judge, tell_change
from companyos_canary.sandbox.kinds import ANALYSISRUN
from companyos_canary.sandbox.objects import Object


def begin(state: Pass) -> None:
    """What a pass reads first; the preview Service follows the newest version at once."""
    end = deadline_of(state.newest)
    state.returns_in_time = end is not None and (end > state.now or not state.release.calls_it_fast)
    state.passed_checkpoint = bool((state.status.get("blueGreen") or {}).get("scaleUpPreviewCheckPoint"))
    preview = state.service("preview")
    if preview is not None and not _is_halted(state):
        switch(state, preview, hash_of(state.canary))


def blue_green_pass(state: Pass) -> None:
    restart_pods(state)
    scale_blue_green(state)
    _reconcile_pause(state)
    _reconcile_active(state)
    _reconcile_runs(state)
    sync_metadata(state)
    state.passed_checkpoint = _checkpoint(state)
    status.write(state)


def _is_halted(state: Pass) -> bool:
    return state.view.paused or state.has_pause(INCONCLUSIVE)


def _is_ready(state: Pass) -> bool:
    pods, wanted = pods_of(state.newest), preview_size(state)
    return pods.desired == pods.available == wanted


def _is_fast_tracked(state: Pass) -> bool:
    """No pause: back to a version that still has its pods, a promotion in full, a first version."""
    active = selector_of(state.service("active"))
    back = status.is_fast_rollback(state) if state.release.calls_it_fast else state.returns_in_time
    return back or state.view.promote_full or active in ("", hash_of(state.canary))


def _reconcile_pause(state: Pass) -> None:
    if state.view.aborted or not _is_ready(state) or _is_halted(state):
        return
    wanted = _waits_for_a_person(state) or _seconds(state) > 0
    if _is_fast_tracked(state) or state.passed_checkpoint or not wanted:
        state.pauses.removed.append(BLUE_GREEN)
    elif not _has_passed(state):
        return
    elif not state.has_pause(BLUE_GREEN):
        if not state.view.controller_pause:
            state.pauses.added.append(BLUE_GREEN)
    elif _pause_is_over(state):
        state.pauses.removed.append(BLUE_GREEN)
    elif (end := _pause_ends(state)) is not None:
        state.wake_at.append(end)


def _waits_for_a_person(state: Pass) -> bool:
    return strategy(state.view).get("autoPromotionEnabled") is False


def _seconds(state: Pass) -> int:
    return int(strategy(state.view).get("autoPromotionSeconds") or 0)


def _pause_ends(state: Pass) -> datetime | None:
    begun = next((p.started_at for p in state.view.pause_conditions if p.reason == BLUE_GREEN), None)
    return begun + timedelta(seconds=_seconds(state)) if begun is not None and _seconds(state) else None


def _pause_is_over(state: Pass) -> bool:
    """Someone has resumed it, or its time is over; without a pause at once."""
    if state.pauses.added:
        return False
    if state.passed_checkpoint:
        return True
    if _waits_for_a_person(state):
        return state.view.controller_pause and not state.has_pause(BLUE_GREEN)
    end = _pause_ends(state)
    return not _seconds(state) or (end is not None and state.now > end)


def _has_passed(state: Pass) -> bool:
    """The analysis before the promotion, if there is one."""
    wanted = strategy(state.view).get("prePromotionAnalysis") is not None
    return not wanted or phase_of(state.promotion_runs.get("PrePromotion")) == "Successful"


def _reconcile_active(state: Pass) -> None:
    active = state.service("active")
    if active is None or _is_halted(state) or not _is_ready(state) or not is_saturated(state):
        return
    wanted = selector_of(active)
    if _is_fast_tracked(state) or (_pause_is_over(state) and _has_passed(state)):
        wanted = hash_of(state.canary)
    if state.view.aborted:
        wanted = state.view.stable_hash
    if wanted:
        switch(state, active, wanted)


def _reconcile_runs(state: Pass) -> None:
    """Both analyses of an update; after it, and where it is skipped, their runs stay named."""
    skipped = status.is_fast_rollback(state) or state.aborted or state.view.promote_full or not state.view.stable_hash
    if skipped:
        for run in state.runs if state.release.keeps_runs else state.promotion_runs.values():
            terminate(state, ANALYSISRUN, run)
        if state.release.keeps_runs:
            return
    else:
        for kind, what in (("PrePromotion", "pre"), ("PostPromotion", "post")):
            found = _promotion_run(state, kind, what)
            if found is None:
                state.promotion_runs.pop(kind, None)
                continue
            state.promotion_runs[kind] = found
            judge(state, found, f"Blue/green {what}-promotion")
    end_others(state, list(state.promotion_runs.values()))
    shown = state.status.get("blueGreen") or {}
    for kind, field in PROMOTION.items():
        tell_change(state, kind, state.promotion_runs.get(kind), shown.get(field))


def _promotion_run(state: Pass, kind: str, what: str) -> Object | None:
    analysis = strategy(state.view).get(f"{what}PromotionAnalysis") or {}
    run = state.promotion_runs.get(kind)
    if not analysis.get("templates") or _is_skipped(state, kind, run):
        if run is not None:
            terminate(state, ANALYSISRUN, run)
        return run if analysis.get("templates") else None
    if state.has_pause(INCONCLUSIVE):
        return run
    if run is None or is_used_up(state, run):
        return create_run(state, analysis, f"-{what}", {"rollout-type": kind})
    return run


def _is_skipped(state: Pass, kind: str, run: Object | None) -> bool:
    """Before the switch there is one analysis, after it the other, and none before all pods are there."""
    active = (state.status.get("blueGreen") or {}).get("activeSelector") or ""
    is_active = active == hash_of(state.canary)
    if state.promoted or not active or is_active == (kind == "PrePromotion"):
        return True
    if run is not None:
        return False
    count = strategy(state.view).get("previewReplicaCount")
    if kind == "PrePromotion" and count is not None:
        pods = pods_of(state.newest)
        return not pods.desired == pods.available == count
    return not is_saturated(state)


def _checkpoint(state: Pass) -> bool:
    """Whether the new version gets all its pods now, where previewReplicaCount has kept it smaller."""
    count = strategy(state.view).get("previewReplicaCount")
    if count is None:
        return False
    if state.passed_checkpoint:
        return True
    return _has_passed(state) and _pause_is_over(state) and pods_of(state.newest).available == count
