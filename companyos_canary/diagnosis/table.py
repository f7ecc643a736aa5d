"""The causes, in the order in which they are believed: the first that fits is the answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from companyos_canary.diagnosis import analysis, control, nodata, pods, release, services
from companyos_canary.diagnosis.case import MOST_EVIDENCE, Case, Finding


@dataclass(frozen=True, slots=True)
class Cause:
    """`id` is stable. `fine`: it is an answer, not an alarm."""

    id: str
    find: Callable[[Case], Finding | None]
    fine: bool = False


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The cause that fits best, and what was found for it."""

    cause: Cause
    finding: Finding


def diagnose(case: Case) -> Diagnosis:
    """The first cause of the table that fits; the last one always does."""
    for cause in CAUSES:
        if finding := cause.find(case):
            return Diagnosis(cause, replace(finding, evidence=finding.evidence[:MOST_EVIDENCE]))
    raise AssertionError("the last cause fits whatever is left")


CAUSES: tuple[Cause, ...] = (
    Cause("spec-invalid", control.spec_invalid),
    Cause("instance-id", control.not_ours),
    Cause("controller-not-running", control.controller_gone),
    Cause("controller-not-observing", control.not_observing),
    Cause("promote-lost", control.promote_lost),
    Cause("gitops-reverted", control.gitops),
    Cause("superseded", control.superseded),
    Cause("abort-dropped", release.abort_dropped),
    Cause("no-previous-version", release.nothing_before),
    Cause("abort-held-by-pause", release.abort_held),
    Cause("stable-unhealthy", services.stable_broken),
    Cause("service-pinned", services.pinned),
    Cause("service-selects-nothing", services.selects_nothing),
    Cause("scaled-to-zero", release.scaled_to_zero),
    Cause("healthy", release.healthy, fine=True),
    *(Cause(id_, pods.pod_cause(id_)) for id_ in pods.ORDER),
    *(Cause(id_, services.refused(id_)) for id_ in services.REFUSALS),
    *(Cause(id_, analysis.error(id_)) for id_ in analysis.ERRORS),
    *(Cause(id_, nodata.told(id_)) for id_ in nodata.REASONS),
    Cause("no-data", analysis.no_data),
    Cause("stable-is-as-bad", nodata.stable_is_as_bad),
    Cause("analysis-failed", analysis.failed),
    Cause("progress-deadline", release.deadline_passed),
    Cause("aborted-by-a-person", release.aborted_by_person),
    Cause("aborted", release.aborted),
    Cause("router-error", services.router_error),
    Cause("paused-by-hand", release.paused_by_hand),
    Cause("inconclusive", analysis.inconclusive),
    Cause("missing-argument", analysis.missing_field),
    Cause("analysis-not-started", analysis.never_started),
    Cause("no-room", services.no_room),
    Cause("undo-is-a-canary", release.undo_is_canary),
    Cause("router-lagging", services.not_verified),
    Cause("timed-pause", release.timed_pause, fine=True),
    Cause("waiting-for-a-person", release.waiting_for_person, fine=True),
    Cause("slow-start", release.slow_start, fine=True),
    Cause("in-progress", release.in_progress, fine=True),
)
