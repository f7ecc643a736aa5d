"""When the steps of an update were completed and how each ended; what was measured meanwhile. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from companyos_canary.argo.announcement import announcement, announcing
from companyos_canary.argo.limits import decided_of
from companyos_canary.argo.progress import progress
from companyos_canary.argo.steps import WeightStep, steps_of, weight_step_at
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.outcome import Ending
from companyos_canary.model.snapshot import Snapshot


def step_times(snapshot: Snapshot) -> Mapping[int, datetime]:
    """By the index of the Rollout's own step. Told by events, which a cluster may drop, so that
    any may be missing; none where it is not known when this update began. The status only has the step that is
    current."""
    began = _began(snapshot)
    told = (
        (said.step - 1, event.at)
        for event in snapshot.events
        if began and event.at and event.at >= began and (said := announcement(event)) and said.step
    )
    return dict(told)


def _began(snapshot: Snapshot) -> datetime | None:
    """An undo mid-way keeps the start of the release that it ended; its own revision is reported, by an Event whose
    message alone says which one it is (recorded)."""
    started = snapshot.rollout.update_started
    told = [e.at for e in announcing(snapshot.events, "RolloutUpdated", snapshot.rollout.revision) if e.at]
    return max([started, *told]) if started else None


EndWord = Literal["passed", "skipped", "pause over", "done"]


class StepEnd(Struct, frozen=True):
    """`passed` only where every analysis of the step ended Successful by itself; `skipped` where
    the rollout went on without that verdict. `runs` are those of this step and this attempt.
    `settled` is false while a run's own word is still to come."""

    word: EndWord
    runs: tuple[AnalysisRun, ...]
    settled: bool = True

    @property
    def judged_for(self) -> timedelta | None:
        """How long its longest analysis took; None without one."""
        spans = [r.completed_at - r.started_at for r in self.runs if r.started_at and r.completed_at]
        return max(spans, default=None)


def step_end(snapshot: Snapshot, step: WeightStep) -> StepEnd:
    """Of a step that the rollout has left behind. A finished run may have been deleted (upstream
    successfulRunHistoryLimit): without one nothing is said of its verdict."""
    rollout = snapshot.rollout
    runs = tuple(r for r in snapshot.attempt if r.step_index is not None and step.covers(r.step_index))
    if any(not r.is_finished and not r.terminating for r in runs):
        return StepEnd("done", runs, settled=False)
    kinds = [rollout.steps[i].kind for i in range(step.first, step.end)]
    asked = kinds.count("analysis")
    if runs and not all(r.passed for r in runs):
        return StepEnd("skipped", runs)
    if asked and len(runs) == asked:
        return StepEnd("passed", runs)
    if asked and rollout.promote_full:
        return StepEnd("skipped", runs)
    if not asked and "pause" in kinds:
        return StepEnd("pause over", runs)
    return StepEnd("done", runs)


_STOPPED = ("rolled-back", "degraded")
_ANOTHER = ("superseded", "reverted")  # the snapshot is of another version's update
_UNKNOWN = "not recorded"


class StepRow(Struct, frozen=True):
    """How a step of an update that is over went. `number` counts as canary.yaml does; `became` is how it ended, or what
    was going on in it; `took` is None if no one knows."""

    number: int
    weight: float
    became: str
    took: timedelta | None


def timeline(ending: Ending) -> tuple[StepRow, ...]:
    """Every step in its order; none where this update took no steps, or no one recorded any."""
    snapshot, last = ending.snapshot, progress(ending.snapshot, ending.at)
    if ending.kind in _ANOTHER:
        return ()
    steps, times = steps_of(snapshot.rollout), step_times(snapshot)
    at = weight_step_at(steps, ending.step) or last.failed_step
    if snapshot.rollout.is_fully_promoted:
        at = None
    elif at is None and last.activity != "finishing":
        return ()
    rows = tuple(_step_row(ending, times, last.activity, step, at) for step in steps)
    return rows if any(r.became != _UNKNOWN for r in rows) else ()


def _step_row(
    ending: Ending, times: Mapping[int, datetime], doing: str, step: WeightStep, at: WeightStep | None
) -> StepRow:
    if at and step.number > at.number:
        return StepRow(step.number, step.percent, "not reached", None)
    began = times.get(step.first - 1) if step.first else ending.snapshot.rollout.update_started
    if step == at:
        became = "stopped here" if ending.kind in _STOPPED else doing
        over = ending.snapshot.rollout.aborted_at or ending.at
        return StepRow(step.number, step.percent, became, over - began if began else None)
    end, completed = step_end(ending.snapshot, step), times.get(step.end - 1)
    became = end.word if completed or end.runs else _UNKNOWN
    took = completed - began if completed and began else end.judged_for
    return StepRow(step.number, step.percent, became, took)


Points = tuple[tuple[datetime, float | None], ...]


@lru_cache(maxsize=4)  # a panel of charts asks each second
def measured_courses(runs: tuple[AnalysisRun, ...]) -> Mapping[str, Points]:
    """By the name of a metric: when it was measured and what, oldest first; None without a number."""
    found: dict[str, list[tuple[datetime, float | None]]] = {}
    for run in runs:
        metrics = {m.name: m for m in run.metrics}
        for result in run.results:
            asked = metrics.get(result.name)
            timed = ((m.finished_at or m.started_at, decided_of(asked, m.value).number) for m in result.measurements)
            found.setdefault(result.name, []).extend((at, number) for at, number in timed if at)
    return {name: tuple(sorted(points, key=lambda p: p[0])) for name, points in found.items()}


def weight_starts(snapshot: Snapshot, steps: tuple[WeightStep, ...]) -> tuple[tuple[datetime, float], ...]:
    """When each weight of this update began, as far as events or the run that judged it say."""
    told, found = step_times(snapshot), []
    for step in steps:
        runs = (r.started_at or r.created_at for r in snapshot.attempt if step.covers(r.step_index or 0))
        judged = None if all(r.step_index is None for r in snapshot.attempt) else min(filter(None, runs), default=None)
        at = told.get(step.first) or judged
        if at:
            found.append((at, step.percent))
    began = snapshot.rollout.update_started
    if steps and steps[0].percent not in (weight for _, weight in found):
        found += [(began, steps[0].percent)] if began else []
    return tuple(sorted(found))
