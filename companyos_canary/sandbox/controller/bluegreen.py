"""A pass over a blue-green Rollout: two whole versions, a preview and an active Service, a pause and
analyses before and after the switch.

Upstream rollout/bluegreen.go and rollout/analysis.go; recorded: the scenarios of blue-green.
"""

from datetime import datetime, timedelta

from companyos_canary.argo.replicas import strategy
from companyos_canary.sandbox.controller import status
from companyos_canary.sandbox.controller.delays import deadline_of
from companyos_canary.sandbox.controller.passes import BLUE_GREEN, INCONCLUSIVE, Pass, hash_of, pods_of, selector_of
from companyos_canary.sandbox.controller.pods import is_saturated, preview_size, restart_pods, scale_blue_green
from companyos_canary.sandbox.controller.roles import switch, sync_metadata
from companyos_canary.sandbox.controller.runs import (
    PROMOTION,
    create_run,
    end_others,
    is_used_up,
    judge,
    phase_of,
    tell_change,
    terminate,
)
from companyos_canary.sandbox.objects import Object


def begin(work: Pass) -> None:
    """What a pass reads first; the preview Service follows the newest version at once."""
    end = deadline_of(work.newest)
    work.returns_in_time = end is not None and (end > work.now or not work.release.calls_it_fast)
    work.passed_checkpoint = bool((work.status.get("blueGreen") or {}).get("scaleUpPreviewCheckPoint"))
    preview = work.service("preview")
    if preview is not None and not _is_halted(work):
        switch(work, preview, hash_of(work.canary))


def blue_green_pass(work: Pass) -> None:
    restart_pods(work)
    scale_blue_green(work)
    _reconcile_pause(work)
    _reconcile_active(work)
    _reconcile_runs(work)
    sync_metadata(work)
    work.passed_checkpoint = _checkpoint(work)
    status.write(work)


def _is_halted(work: Pass) -> bool:
    return work.view.paused or work.has_pause(INCONCLUSIVE)


def _is_ready(work: Pass) -> bool:
    pods, wanted = pods_of(work.newest), preview_size(work)
    return pods.desired == pods.available == wanted


def _is_fast_tracked(work: Pass) -> bool:
    """No pause: back to a version that still has its pods, a promotion in full, a first version."""
    active = selector_of(work.service("active"))
    back = status.is_fast_rollback(work) if work.release.calls_it_fast else work.returns_in_time
    return back or work.view.promote_full or active in ("", hash_of(work.canary))


def _reconcile_pause(work: Pass) -> None:
    if work.view.aborted or not _is_ready(work) or _is_halted(work):
        return
    wanted = _waits_for_a_person(work) or _seconds(work) > 0
    if _is_fast_tracked(work) or work.passed_checkpoint or not wanted:
        work.pauses.removed.append(BLUE_GREEN)
    elif not _has_passed(work):
        return
    elif not work.has_pause(BLUE_GREEN):
        if not work.view.controller_pause:
            work.pauses.added.append(BLUE_GREEN)
    elif _pause_is_over(work):
        work.pauses.removed.append(BLUE_GREEN)
    elif (end := _pause_ends(work)) is not None:
        work.wake_at.append(end)


def _waits_for_a_person(work: Pass) -> bool:
    return strategy(work.view).get("autoPromotionEnabled") is False


def _seconds(work: Pass) -> int:
    return int(strategy(work.view).get("autoPromotionSeconds") or 0)


def _pause_ends(work: Pass) -> datetime | None:
    begun = next((p.started_at for p in work.view.pause_conditions if p.reason == BLUE_GREEN), None)
    return begun + timedelta(seconds=_seconds(work)) if begun is not None and _seconds(work) else None


def _pause_is_over(work: Pass) -> bool:
    """Someone has resumed it, or its time is over; without a pause at once."""
    if work.pauses.added:
        return False
    if work.passed_checkpoint:
        return True
    if _waits_for_a_person(work):
        return work.view.controller_pause and not work.has_pause(BLUE_GREEN)
    end = _pause_ends(work)
    return not _seconds(work) or (end is not None and work.now > end)


def _has_passed(work: Pass) -> bool:
    """The analysis before the promotion, if there is one."""
    wanted = strategy(work.view).get("prePromotionAnalysis") is not None
    return not wanted or phase_of(work.promotion_runs.get("PrePromotion")) == "Successful"


def _reconcile_active(work: Pass) -> None:
    active = work.service("active")
    if active is None or _is_halted(work) or not _is_ready(work) or not is_saturated(work):
        return
    wanted = selector_of(active)
    if _is_fast_tracked(work) or (_pause_is_over(work) and _has_passed(work)):
        wanted = hash_of(work.canary)
    if work.view.aborted:
        wanted = work.view.stable_hash
    if wanted:
        switch(work, active, wanted)


def _reconcile_runs(work: Pass) -> None:
    """Both analyses of an update; after it, and where it is skipped, their runs stay named."""
    skipped = status.is_fast_rollback(work) or work.aborted or work.view.promote_full or not work.view.stable_hash
    if skipped:
        for run in work.runs if work.release.keeps_runs else work.promotion_runs.values():
            terminate(work, run)
        if work.release.keeps_runs:
            return
    else:
        for kind, what in (("PrePromotion", "pre"), ("PostPromotion", "post")):
            found = _promotion_run(work, kind, what)
            if found is None:
                work.promotion_runs.pop(kind, None)
                continue
            work.promotion_runs[kind] = found
            judge(work, found, f"Blue/green {what}-promotion")
    end_others(work, list(work.promotion_runs.values()))
    shown = work.status.get("blueGreen") or {}
    for kind, field in PROMOTION.items():
        tell_change(work, kind, work.promotion_runs.get(kind), shown.get(field))


def _promotion_run(work: Pass, kind: str, what: str) -> Object | None:
    analysis = strategy(work.view).get(f"{what}PromotionAnalysis") or {}
    run = work.promotion_runs.get(kind)
    if not analysis.get("templates") or _is_skipped(work, kind, run):
        if run is not None:
            terminate(work, run)
        return run if analysis.get("templates") else None
    if work.has_pause(INCONCLUSIVE):
        return run
    if run is None or is_used_up(work, run):
        return create_run(work, analysis, f"-{what}", {"rollout-type": kind})
    return run


def _is_skipped(work: Pass, kind: str, run: Object | None) -> bool:
    """Before the switch there is one analysis, after it the other, and none before all pods are there."""
    active = (work.status.get("blueGreen") or {}).get("activeSelector") or ""
    is_active = active == hash_of(work.canary)
    if work.promoted or not active or is_active == (kind == "PrePromotion"):
        return True
    if run is not None:
        return False
    count = strategy(work.view).get("previewReplicaCount")
    if kind == "PrePromotion" and count is not None:
        pods = pods_of(work.newest)
        return not pods.desired == pods.available == count
    return not is_saturated(work)


def _checkpoint(work: Pass) -> bool:
    """Whether the new version gets all its pods now, where previewReplicaCount has kept it smaller."""
    count = strategy(work.view).get("previewReplicaCount")
    if count is None:
        return False
    if work.passed_checkpoint:
        return True
    return _has_passed(work) and _pause_is_over(work) and pods_of(work.newest).available == count
