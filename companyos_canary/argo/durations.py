"""How long steps, runs and whole rollouts take as they are written, and how long a failure stays in the window of a
query. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from companyos_canary.model.analysisrun import AnalysisRun, Metric, MetricResult
from companyos_canary.model.quantity import parse_duration, whole_seconds
from companyos_canary.model.rollout import Rollout, Step
from companyos_canary.model.snapshot import Snapshot

_SETTLE = timedelta(seconds=20)


def default_timeout(rollout: Rollout, templates: Mapping[str, Mapping[str, Any]]) -> timedelta:
    """What `deploy` waits at most: twice the planned time, and once the progress deadline."""
    return 2 * planned_duration(rollout, templates) + rollout.progress_deadline


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
    return max((m.length or timedelta() for m in metrics), default=timedelta())


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


def first_look(snapshot: Snapshot) -> datetime | None:
    """When the newest run measures for the first time; None if it has, or does not say when."""
    run = snapshot.attempt[-1] if snapshot.attempt else None
    if run is None or run.started_at is None or any(r.measurements for r in run.results):
        return None
    try:
        return run.started_at + min(parse_duration(m.initial_delay or "0") for m in run.metrics)
    except (ValueError, OverflowError):
        return None
