"""When the metrics of an AnalysisRun are due, and when a finished run is deleted.

Times are read back from the status, where they have whole seconds: an interval or a delay is up to
a second short, as in a cluster. Upstream: analysis/analysis.go `generateMetricTasks`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from companyos_canary.analysis.rules import Metric, effective_count
from companyos_canary.model.quantity import parse_duration, parse_time, whole_seconds
from companyos_canary.model.row import COMPLETED

_AFTER_AN_ERROR = timedelta(seconds=10)


def is_due(metric: Metric, result: Mapping[str, Any] | None, status: Mapping[str, Any], now: datetime) -> bool:
    """Whether a metric must be measured at `now`, given its result so far."""
    if result is not None and result.get("phase") in COMPLETED:
        return False
    if not (result or {}).get("measurements"):
        delay = metric.get("initialDelay")
        started = parse_time(status.get("startedAt"))
        return not delay or (started is not None and started + parse_duration(delay) <= now)
    moment = _due_at(metric, result or {})
    return moment is not None and moment <= now


def _due_at(metric: Metric, result: Mapping[str, Any]) -> datetime | None:
    """When a metric that was measured is due again: an interval after the end of its last
    measurement, but always 10 s after an error (recorded: `cel-interval-30s`)."""
    count = effective_count(metric)
    if count is not None and result.get("count", 0) >= count:
        return None
    last = (result.get("measurements") or [{}])[-1]
    finished = parse_time(last.get("finishedAt"))
    if finished is None:
        return None
    interval = metric.get("interval")
    if last.get("phase") == "Error" or not interval:
        return finished + _AFTER_AN_ERROR
    return finished + parse_duration(interval)


def next_moment(metrics: Sequence[Metric], status: Mapping[str, Any]) -> datetime | None:
    """When the next metric is due; `status` must have its startedAt."""
    results = {r["name"]: r for r in status.get("metricResults") or ()}
    started = parse_time(status["startedAt"])
    moments: list[datetime] = []
    for metric in metrics:
        result = results.get(metric.get("name", ""))
        if result is None:
            delay = metric.get("initialDelay")
            if started is not None and delay:
                moments.append(started + parse_duration(delay))
        elif result.get("phase") not in COMPLETED:
            moment = _due_at(metric, result)
            if moment is not None:
                moments.append(moment)
    return min(moments, default=None)


def expires_at(run: Mapping[str, Any]) -> datetime | None:
    """When a finished run is deleted because of its ttlStrategy; None for never."""
    status = run.get("status") or {}
    strategy = (run.get("spec") or {}).get("ttlStrategy") or {}
    completed = parse_time(status.get("completedAt"))
    phase = status.get("phase")
    if completed is None or phase not in COMPLETED:
        return None
    seconds = strategy.get("secondsAfterCompletion")
    field = {"Successful": "secondsAfterSuccess", "Failed": "secondsAfterFailure"}.get(str(phase))
    if field and strategy.get(field) is not None:
        seconds = strategy[field]
    return None if seconds is None else completed + whole_seconds(seconds)
