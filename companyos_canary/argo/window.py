"""How long a failure stays in the window of the query that found it. Pure.

A retry has the same pod template hash, so its metrics are asked over the old pods' samples too,
until the window has left them behind (verified: a retry within the window fails on old samples).
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from companyos_canary.model.analysisrun import AnalysisRun, MetricResult
from companyos_canary.model.quantity import parse_duration
from companyos_canary.model.snapshot import Snapshot

_RANGE = re.compile(r"\[([0-9][0-9a-z]*)(?::[^\]]*)?\]")
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
    return max((_promql(text) for text in _RANGE.findall(query)), default=timedelta())


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
