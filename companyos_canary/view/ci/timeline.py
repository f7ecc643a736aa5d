"""The steps of an update that has ended: what became of each, and how long it took."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from companyos_canary.argo.attempt import update_started
from companyos_canary.argo.step_end import StepEnd, step_end
from companyos_canary.argo.step_times import step_times
from companyos_canary.argo.weight_steps import WeightStep, weight_step_at, weight_steps
from companyos_canary.model.outcome import Ending
from companyos_canary.view.progress import progress

_STOPPED = ("rolled-back", "degraded")
_ANOTHER = ("superseded", "reverted")  # the snapshot is of another version's update
_WORDS = {
    "waiting": "waits for a person",
    "held": "paused by hand",
    "inconclusive": "no verdict",
}


@dataclass(frozen=True, slots=True)
class StepRow:
    """`number` of `of`, counted as canary.yaml does; `took` None where nobody knows."""

    number: int
    of: int
    weight: int
    became: str
    took: timedelta | None


def timeline(ending: Ending) -> tuple[StepRow, ...]:
    """Every step in its order; none where this update took no steps."""
    snapshot = ending.snapshot
    steps = weight_steps(snapshot.rollout.steps)
    times = step_times(snapshot)
    if ending.kind in _ANOTHER or (ending.step is None and not times):
        return ()
    at = None if snapshot.rollout.is_fully_promoted else weight_step_at(steps, ending.step)
    return tuple(_row(ending, times, step, at, len(steps)) for step in steps)


def _row(
    ending: Ending, times: Mapping[int, datetime], step: WeightStep, at: WeightStep | None, of: int
) -> StepRow:
    if at and step.number > at.number:
        return StepRow(step.number, of, step.weight, "not reached", None)
    rollout = ending.snapshot.rollout
    began = times.get(step.first - 1) if step.first else update_started(ending.snapshot)
    over: datetime | None
    end: StepEnd | None = None
    if step == at:
        over = rollout.aborted_at or ending.at
        doing = progress(ending.snapshot, ending.at).activity
        became = "stopped here" if ending.kind in _STOPPED else _WORDS.get(doing, doing)
    else:
        end = step_end(ending.snapshot, step)
        over, became = times.get(step.end - 1), end.word
    took = over - began if over and began else (end.judged_for if end else None)
    return StepRow(step.number, of, step.weight, became, took)
