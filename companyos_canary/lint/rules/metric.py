"""Whether a metric of an AnalysisTemplate judges anything, and how often."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from companyos_canary.analysis.rules import effective_count
from companyos_canary.lint.finding import Found, rule
from companyos_canary.lint.metric import Metric, Use
from companyos_canary.lint.paths import below
from companyos_canary.model.quantity import format_duration, parse_duration
from companyos_canary.model.rollout import Rollout

_JUDGED_BY_CONDITIONS = (
    "prometheus",
    "datadog",
    "newRelic",
    "wavefront",
    "cloudWatch",
    "graphite",
    "influxdb",
    "skywalking",
)


@rule("no-condition", "error")
def no_condition(metric: Metric) -> Iterator[Found]:
    """A metric without a condition always passes.

    Without successCondition and failureCondition every answer is a success, whatever its value is; only
    a query that fails is not. (The documentation of Argo Rollouts says Inconclusive; the controller does not do that.)
    """
    if metric.provider in _JUDGED_BY_CONDITIONS and not (metric.success or metric.failure):
        yield Found(
            metric.path,
            f"metric `{metric.name}` has neither a successCondition nor a failureCondition, so every answer passes",
            "add a successCondition, e.g. `result[0] < 0.05`",
        )


@rule("limit-never-reached", "error")
def limit_never_reached(metric: Metric) -> Iterator[Found]:
    """A limit that the count does not leave room for.

    Limits are exceeded, not reached: with `failureLimit: 3` and `count: 3` three failures of three are still a
    success. The same holds for `inconclusiveLimit`: a metric that is never conclusive passes.
    """
    count = _count(metric)
    if count is None:
        return
    for field, phase in (("failureLimit", "Failed"), ("inconclusiveLimit", "Inconclusive")):
        limit = _whole(metric.number(field))
        possible = field == "failureLimit" or (metric.success and metric.failure)
        if limit is not None and limit >= count and possible and limit > 0:
            times = "one measurement" if count == 1 else f"{count} measurements"
            text = f"{times} cannot exceed `{field}: {limit}`, so the metric passes even if every one is {phase}"
            yield Found((*metric.path, field), text)


def _count(metric: Metric) -> int | None:
    """The number of measurements; None if it has no end, or is not known."""
    if metric.raw.get("count") is not None and metric.number("count") is None:
        return None
    return effective_count({"count": metric.number("count") or 0, "interval": metric.raw.get("interval")})


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


@rule("cut-short", "warning")
def cut_short(metric: Metric) -> Iterator[Found]:
    """A background metric that is measured longer than the Rollout takes.

    When the last step is done the analysis is ended, and what is not finished counts as successful: a metric that has
    not been measured yet, too.
    """
    for use in metric.uses:
        lasts, first = _duration(use), _time(metric, "initialDelay") or timedelta()
        if not use.background or lasts is None:
            continue
        who = f"Rollout `{use.rollout.name}`"
        count, interval = _count(metric), _time(metric, "interval")
        if first >= lasts:
            text = f"the first measurement is after {format_duration(first)}; the steps of {who} take"
            yield Found((*metric.path, "initialDelay"), f"{text} {format_duration(lasts)}")
        elif count and interval and first + (count - 1) * interval > lasts:
            text = f"the last measurement is after {format_duration(first + (count - 1) * interval)}; the steps of"
            yield Found((*metric.path, "count"), f"{text} {who} take {format_duration(lasts)}")


def _time(metric: Metric, field: str) -> timedelta | None:
    try:
        return parse_duration(str(metric.number(field))) if metric.number(field) else None
    except ValueError:
        return None


def _duration(use: Use) -> timedelta | None:
    """How long the steps of a Rollout take at least, from where the analysis starts; None if only a person or an
    analysis can tell."""
    total = timedelta()
    first = below(use.analysis, "startingStep") or 0
    for step in Rollout.from_object({"metadata": {}, **use.rollout.data}).steps[max(first, 0) :]:
        if step.kind in ("analysis", "experiment", "plugin") or (step.kind == "pause" and not step.duration):
            return None
        total += step.duration or timedelta()
    return total


RULES = (no_condition, limit_never_reached, cut_short)
