"""How long a rollout takes, when its steps were completed and their outcomes, and how long a failure stays in the
window of a query. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

from companyos_canary.argo.announcement import announcement, announcing
from companyos_canary.argo.limits import decided_of
from companyos_canary.argo.progress import metric_length, progress, progress_deadline
from companyos_canary.argo.steps import WeightStep, steps_of, weight_step_at
from companyos_canary.model.analysisrun import AnalysisRun, Metric, MetricResult
from companyos_canary.model.outcome import Ending
from companyos_canary.model.quantity import parse_duration, whole_seconds
from companyos_canary.model.rollout import Rollout, Step
from companyos_canary.model.snapshot import Snapshot

_SETTLE = timedelta(seconds=20)


def default_timeout(rollout: Rollout, templates: Mapping[str, Mapping[str, Any]]) -> timedelta:
    """What `deploy` waits at most: twice the planned time, and once the progress deadline."""
    return 2 * planned_duration(rollout, templates) + progress_deadline(rollout)


def planned_duration(rollout: Rollout, templates: Mapping[str, Mapping[str, Any]]) -> timedelta:
    """The sum of timed pauses and analyses, and some seconds a step for its pods. An endless
    pause counts as nothing. `templates`: AnalysisTemplate objects by name; a missing one too. In
    blue-green: the pause that ends by itself, and the analyses around the switch."""
    steps = sum((_step(step, templates) for step in rollout.steps), timedelta())
    pause = whole_seconds(rollout.blue_green.seconds if rollout.blue_green else 0)
    around = (_analysis(found, templates) for found in _around_the_switch(rollout))
    return steps + pause + sum(around, timedelta())


def analysis_templates_of(rollout: Rollout) -> tuple[str, ...]:
    """The AnalysisTemplates that the steps or the switch name, each once."""
    steps = (step.raw["analysis"] for step in rollout.steps if step.kind == "analysis")
    names = (
        t.get("templateName", "")
        for analysis in (*steps, *_around_the_switch(rollout))
        for t in analysis.get("templates") or []
        if not t.get("clusterScope")
    )
    return tuple(dict.fromkeys(n for n in names if n))


def _step(step: Step, templates: Mapping[str, Mapping[str, Any]]) -> timedelta:
    if step.kind == "pause":
        return max(step.duration or timedelta(), timedelta())
    if step.kind == "setWeight":
        return _SETTLE
    if step.kind == "analysis":
        return _analysis(step.raw["analysis"], templates)
    return timedelta()


def _around_the_switch(rollout: Rollout) -> list[Mapping[str, Any]]:
    """The analyses before and after the active Service moves."""
    if rollout.blue_green is None:
        return []
    strategy = rollout.written_strategy("blueGreen")
    return [strategy[name] for name in rollout.blue_green.analyses]


def _analysis(analysis: Mapping[str, Any], templates: Mapping[str, Mapping[str, Any]]) -> timedelta:
    found = (templates.get(t.get("templateName", "")) for t in analysis.get("templates") or [])
    given = {a["name"]: a.get("value", "") for a in analysis.get("args") or []}
    return max((_template(t, given) for t in found if t), default=timedelta())


def _template(template: Mapping[str, Any], given: Mapping[str, str]) -> timedelta:
    spec = template.get("spec") or {}
    defaults = {a["name"]: a.get("value", "") for a in spec.get("args") or []}
    metrics = (Metric.from_object(m, {**defaults, **given}) for m in spec.get("metrics") or [])
    return max((metric_length(m) or timedelta() for m in metrics), default=timedelta())


_RANGE = r"\[([0-9][0-9a-z]*)(?::[^\]]*)?\]"
_HOURS = {"d": 24, "w": 7 * 24, "y": 365 * 24}
_BAD = ("Failed", "Error", "Inconclusive")


def window_left(snapshot: Snapshot, now: datetime) -> timedelta:
    """From now until no window of a metric that ended badly covers its last bad measurement any
    more; zero where none does."""
    waits = (
        _over(run, result) - now for run in snapshot.current_runs for result in run.results if result.phase in _BAD
    )
    return max((w for w in waits if w > timedelta()), default=timedelta())


def _over(run: AnalysisRun, result: MetricResult) -> datetime:
    """When the window has left the last bad measurement behind; the epoch if there was none."""
    bad = [m.finished_at for m in result.measurements if m.phase in _BAD and m.finished_at]
    last = max(bad, default=run.completed_at or run.started_at)
    return last + longest_range(result.query) if last else datetime.fromtimestamp(0, UTC)


def longest_range(query: str) -> timedelta:
    """The longest range selector of a query: `rate(x[5m])` is five minutes."""
    return max((_promql(text) for text in re.findall(_RANGE, query)), default=timedelta())


def _promql(text: str) -> timedelta:
    """A PromQL duration; days, weeks and years are not Go's. What Prometheus would refuse is 0."""
    parts = re.findall(r"([0-9]+)(ms|[smhdwy])", text)
    try:
        return parse_duration("".join(f"{int(n) * _HOURS[u]}h" if u in _HOURS else n + u for n, u in parts))
    except ValueError:
        return timedelta()


def failing_metrics(runs: Iterable[AnalysisRun]) -> tuple[str, ...]:
    """Names of the metrics that ended badly, each once."""
    names = (r.name for run in runs for r in run.results if r.phase in _BAD)
    return tuple(dict.fromkeys(names))


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


def first_look(snapshot: Snapshot) -> datetime | None:
    """When the newest run measures for the first time; None if it has, or does not say when."""
    run = snapshot.attempt[-1] if snapshot.attempt else None
    if run is None or run.started_at is None or any(r.measurements for r in run.results):
        return None
    try:
        return run.started_at + min(parse_duration(m.initial_delay or "0") for m in run.metrics)
    except (ValueError, OverflowError):
        return None
