"""The steps of an update that has ended: what became of each, and how long it took."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from companyos_canary.argo.attempt import update_started
from companyos_canary.argo.step_end import step_end
from companyos_canary.argo.step_times import step_times
from companyos_canary.argo.weight_steps import WeightStep, weight_step_at, weight_steps
from companyos_canary.model.outcome import Ending
from companyos_canary.view.progress import progress

_STOPPED = ("rolled-back", "degraded")
_ANOTHER = ("superseded", "reverted")  # the snapshot is of another version's update
_UNKNOWN = "not recorded"
_WORDS = {"waiting": "waits for a person", "held": "paused by hand", "inconclusive": "no verdict"}


@dataclass(frozen=True, slots=True)
class StepRow:
    """`number` counts as canary.yaml does; `took` is None where nobody knows."""

    number: int
    weight: int
    became: str
    took: timedelta | None


def timeline(ending: Ending) -> tuple[StepRow, ...]:
    """Every step in its order; none where this update took no steps, or nobody recorded any."""
    snapshot, last = ending.snapshot, progress(ending.snapshot, ending.at)
    if ending.kind in _ANOTHER:
        return ()
    steps, times = weight_steps(snapshot.rollout.steps), step_times(snapshot)
    at = weight_step_at(steps, ending.step) or last.failed_step
    if snapshot.rollout.is_fully_promoted:
        at = None
    elif at is None and last.activity != "finishing":
        return ()
    rows = tuple(_row(ending, times, last.activity, step, at) for step in steps)
    return rows if any(r.became != _UNKNOWN for r in rows) else ()


def _row(ending: Ending, times: Mapping[int, datetime], doing: str, step: WeightStep, at: WeightStep | None) -> StepRow:
    if at and step.number > at.number:
        return StepRow(step.number, step.weight, "not reached", None)
    began = times.get(step.first - 1) if step.first else update_started(ending.snapshot)
    if step == at:
        became = "stopped here" if ending.kind in _STOPPED else _WORDS.get(doing, doing)
        over = ending.snapshot.rollout.aborted_at or ending.at
        return StepRow(step.number, step.weight, became, over - began if began else None)
    end, completed = step_end(ending.snapshot, step), times.get(step.end - 1)
    became = end.word if completed or end.runs else _UNKNOWN
    took = completed - began if completed and began else end.judged_for
    return StepRow(step.number, step.weight, became, took)
