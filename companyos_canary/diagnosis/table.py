"""The causes, in the order in which they are believed: the first that fits is the answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from companyos_canary.diagnosis import analysis, control, pods, release
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
    Cause("superseded", control.superseded),
    Cause("controller-not-running", control.controller_gone),
    Cause("healthy", release.healthy, fine=True),
    *(Cause(id_, pods.pod_cause(id_)) for id_ in ("image-pull", "oom-killed", "crash-loop", "readiness-failing")),
    Cause("analysis-failed", analysis.failed),
    Cause("progress-deadline", release.deadline_passed),
    Cause("aborted-by-a-person", release.aborted_by_person),
    Cause("aborted", release.aborted),
    Cause("waiting-for-a-person", release.waiting_for_person, fine=True),
    Cause("in-progress", release.in_progress, fine=True),
)
