"""When the steps of the update in work were completed, and what became of them. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from companyos_canary.argo.steps import WeightStep
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.snapshot import Snapshot

_COMPLETED = re.compile(r"Rollout step (\d+)/\d+ completed")  # message: recorded


def step_times(snapshot: Snapshot) -> Mapping[int, datetime]:
    """By the index of the Rollout's own step. Told by events, which a cluster may drop, so that
    any may be missing; none where it is not known when this update began."""
    began = _began(snapshot)
    told = (
        (int(found[1]) - 1, event.at)
        for event in snapshot.events
        if began
        and event.at
        and event.at >= began
        and event.reason == "RolloutStepCompleted"
        and (found := _COMPLETED.match(event.message))
    )
    return dict(told)


def _began(snapshot: Snapshot) -> datetime | None:
    """An undo mid-way keeps the start of the release that it ended; its own revision is told."""
    updated = f"Rollout updated to revision {snapshot.rollout.revision}"  # message: recorded
    told = [e.at for e in snapshot.events if e.at and e.message == updated]
    started = snapshot.rollout.update_started
    return max([started, *told]) if started else None


EndWord = Literal["passed", "skipped", "pause over", "done"]
_TERMINATED = "Run Terminated"  # upstream analysis/analysis.go; the phase is Successful all the same


@dataclass(frozen=True, slots=True)
class StepEnd:
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
    if runs and not all(_passed(r) for r in runs):
        return StepEnd("skipped", runs)
    if asked and len(runs) == asked:
        return StepEnd("passed", runs)
    if asked and rollout.promote_full:
        return StepEnd("skipped", runs)
    if not asked and "pause" in kinds:
        return StepEnd("pause over", runs)
    return StepEnd("done", runs)


def _passed(run: AnalysisRun) -> bool:
    return run.phase == "Successful" and not run.terminating and run.message != _TERMINATED
