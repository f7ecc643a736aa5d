"""The causes, in the order in which they are believed: the first that fits is the answer, the same one
for every voice that holds a Snapshot."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.argo.picture import Picture, look
from companyos_canary.diagnosis import analysis, control, doubts, nodata, pods, release, services, upstream, weights
from companyos_canary.diagnosis.case import Case, Explanation, recorded
from companyos_canary.model.outcome import MOST_EVIDENCE, Diagnosis
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Live, Snapshot


class CauseRow(Struct, frozen=True):
    """`id` is stable. `fine`: it is an answer, not an alarm."""

    id: str
    find: Callable[[Case], Explanation | None]
    fine: bool = False


def diagnose(case: Case) -> Diagnosis:
    """The first cause of the table that fits; the last one always does."""
    for cause in CAUSES:
        if found := cause.find(case):
            return Diagnosis(
                cause.id,
                cause.fine,
                found.sentence,
                found.evidence[:MOST_EVIDENCE],
                found.next,
                found.because or found.sentence,
                cause.id in pods.ORDER,
            )
    raise AssertionError("the last cause fits whatever is left")


CAUSES: tuple[CauseRow, ...] = (
    CauseRow("spec-invalid", control.spec_invalid),
    CauseRow("instance-id", control.not_ours),
    CauseRow("template-cycle", control.templates_in_a_circle),
    CauseRow("controller-not-running", control.controller_gone),
    CauseRow("controller-not-observing", upstream.not_observing),
    CauseRow("promote-lost", upstream.promote_lost),
    CauseRow("gitops-reverted", control.gitops),
    CauseRow("spec-on-aborted-version", control.spec_on_aborted),
    CauseRow("superseded", control.superseded),
    CauseRow("in-progress", release.not_shown_yet, fine=True),
    CauseRow("abort-dropped", release.abort_dropped),
    CauseRow("no-previous-version", release.nothing_before),
    CauseRow("abort-held-by-pause", release.abort_held),
    CauseRow("stable-unhealthy", services.stable_broken),
    CauseRow("service-pinned", services.pinned),
    CauseRow("service-selects-nothing", services.selects_nothing),
    CauseRow("scaled-to-zero", release.scaled_to_zero),
    CauseRow("weight-without-pods", services.weight_without_pods),
    CauseRow("abort-keeps-weight", upstream.abort_keeps_weight),
    CauseRow("old-run-decides", upstream.old_run_decides),
    CauseRow("healthy", release.healthy, fine=True),
    *(CauseRow(id_, pods.pod_cause(id_)) for id_ in pods.ORDER),
    *(CauseRow(id_, services.refused(id_)) for id_ in services.REFUSALS),
    *(CauseRow(id_, analysis.error(id_)) for id_ in analysis.ERRORS),
    *(CauseRow(id_, nodata.cause_finder(id_)) for id_ in nodata.REASONS),
    CauseRow("no-data", analysis.no_data),
    CauseRow("wrong-unit", doubts.in_another_unit),
    CauseRow("retry-on-old-samples", doubts.on_old_samples),
    CauseRow("judged-on-earlier-canary", doubts.on_earlier_canary),
    CauseRow("several-apps", doubts.several_apps),
    CauseRow("stable-is-as-bad", nodata.stable_is_as_bad),
    CauseRow("chance", doubts.by_chance),
    CauseRow("analysis-failed", analysis.failed),
    CauseRow("progress-deadline", release.deadline_passed),
    CauseRow("aborted-by-a-person", release.aborted_by_person),
    CauseRow("aborted", release.aborted_release),
    CauseRow("router-error", services.router_error),
    CauseRow("paused-by-hand", release.paused_by_hand),
    CauseRow("inconclusive", analysis.inconclusive),
    CauseRow("missing-argument", analysis.missing_field),
    CauseRow("analysis-not-started", analysis.never_started),
    CauseRow("no-room", services.no_room),
    CauseRow("stale-replica-count", upstream.stale_count),
    CauseRow("deadline-not-firing", upstream.deadline_not_firing),
    CauseRow("undo-is-a-canary", release.undo_is_canary),
    CauseRow("router-lagging", services.not_verified),
    CauseRow("weight-not-reached", weights.not_reached),
    CauseRow("weight-rounded", weights.rounded_away),
    CauseRow("timed-pause", release.timed_pause, fine=True),
    CauseRow("waiting-for-a-person", release.waiting_for_person, fine=True),
    CauseRow("slow-start", release.slow_start, fine=True),
    CauseRow("in-progress", release.in_progress, fine=True),
)


def seen(snapshot: Snapshot, now: datetime, place: Place | None = None, live: Live | None = None) -> Picture:
    """A Picture that says why, where something is wrong."""
    picture = look(snapshot, now, place, live)
    return replace(picture, why=alarm(picture))


def alarm(picture: Picture) -> Diagnosis | None:
    """Why, from what the Snapshot was made of; None if all is well, or if only the Rollout is known."""
    snapshot = picture.snapshot
    if not snapshot.whole or not snapshot.objects or picture.progress.phase.word == "Healthy":
        return None
    did = recorded(snapshot.rollout)
    case = Case(now=picture.as_of, snapshot=snapshot, objects=snapshot.objects, did=did, place=picture.place)
    found = diagnose(case)
    return None if found.fine else found
