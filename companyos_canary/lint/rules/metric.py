"""Whether a metric of an AnalysisTemplate judges anything, how often, and what its query selects."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from companyos_canary.analysis.expr import tree
from companyos_canary.analysis.rules import effective_count
from companyos_canary.analysis.webmetric import web_fault as fault_of
from companyos_canary.lint.finding import Found, below, rule
from companyos_canary.lint.metric import CANARY, TemplateMetric, Use, guards_emptiness, inner, numbers_in, tags
from companyos_canary.lint.objects import named_services
from companyos_canary.lint.query import selectors, windows
from companyos_canary.model.analysisrun import ARGUMENT
from companyos_canary.model.http import Fields
from companyos_canary.model.quantity import format_duration, parse_duration
from companyos_canary.model.rollout import Rollout
from companyos_canary.promql.values import Matcher

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
def no_condition(metric: TemplateMetric) -> Iterator[Found]:
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


@rule("limit-never-reached", "warning")
def limit_never_reached(metric: TemplateMetric) -> Iterator[Found]:
    """A limit that the count does not leave room for.

    Limits are exceeded, not reached: with `failureLimit: 3` and `count: 3` three failures of three are still a
    success. The same holds for `inconclusiveLimit`: a metric that is never conclusive passes. The controller accepts
    it, and a metric that is only there to be looked at may want it.
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


def _count(metric: TemplateMetric) -> int | None:
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
def cut_short(metric: TemplateMetric) -> Iterator[Found]:
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


def _time(metric: TemplateMetric, field: str) -> timedelta | None:
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


_SCRAPES = 4
_TELLING = (
    "hash",
    "canary",
    "stable",
    "track",
    "role",
    "version",
    "revision",
    "release",
    "color",
    "variant",
    "preview",
)
_LONG, _SHORT = 50, 2


@rule("window-too-short", "warning")
def window_too_short(metric: TemplateMetric) -> Iterator[Found]:
    """A window with less than four scrapes.

    A rate needs two samples in its window, and scrapes come late or fail: with fewer than four the answer is often
    empty, and it jumps. `--scrape-interval` says how often Prometheus scrapes (15s if it is not given).
    """
    if metric.query is None:
        return
    least = _SCRAPES * metric.template.world.scrape
    shortest = min((timedelta(seconds=w) for w in windows(metric.query)), default=least)
    if shortest < least:
        text = f"the window `[{format_duration(shortest)}]` of `{metric.name}` has room for less than four scrapes"
        yield Found(metric.query_path, text, f"take {format_duration(least)} or more, or give --scrape-interval")


@rule("not-separated", "warning")
def not_separated(metric: TemplateMetric) -> Iterator[Found]:
    """A query that does not tell the canary from the stable version.

    At 10 % of the traffic nine of ten requests are those of the stable version: a canary that fails every second
    request adds 5 % to the errors of all. Select its pods by their hash (an argument with `podTemplateHashValue:
    Latest`), by a label that only the canary has, or by its Service.
    """
    if metric.query is None or not metric.query_text:
        return
    found = list(selectors(metric.query))
    services = {name for use in metric.uses for _, name in named_services(use.rollout)}
    if found and not any(_tells(m, services) for matchers in found for m in matchers):
        text = f"the query of `{metric.name}` does not tell the canary from the stable version"
        yield Found(metric.query_path, text, "select the canary's pods, e.g. by the pod template hash")


def _tells(matcher: Matcher, services: set[str]) -> bool:
    """Whether a matcher can tell versions apart: by its label, or by its value."""
    name, value = matcher.name.lower(), matcher.value
    if name == "__name__":
        return False
    known = CANARY in value or "args." in value or "canary" in value.lower() or "preview" in value.lower()
    return known or any(word in name for word in _TELLING) or any(service in value for service in services)


@rule("wrong-unit", "warning")
def wrong_unit(metric: TemplateMetric) -> Iterator[Found]:
    """Seconds are compared with milliseconds.

    The name of a metric ends in the unit of its values: `…_seconds` with a limit of 300 is five minutes. What was meant
    is 0.3.
    """
    answer = metric.answer
    if answer is None or not answer.unit:
        return
    for field, condition in metric.conditions.items():
        for number in numbers_in(condition.tree):
            if answer.unit == "s" and abs(number) >= _LONG:
                hint = f"write {number / 1000:g} for {number:g} ms"
                yield Found((*metric.path, field), f"the value is in seconds, and the limit is {number:g}", hint)
            elif answer.unit == "ms" and 0 < abs(number) < _SHORT:
                hint = f"write {number * 1000:g} for {number:g} s"
                yield Found((*metric.path, field), f"the value is in milliseconds, and the limit is {number:g}", hint)


@rule("first-of-many", "note")
def first_of_many(metric: TemplateMetric) -> Iterator[Found]:
    """Only the first of several series is judged.

    `result[0]` is one element, and their order is not promised: with `by (…)`, or without an aggregation, the others
    may be as bad as they like. Aggregate, or use `all(result, # < …)`.
    """
    answer, conditions = metric.answer, tuple(metric.conditions.values())
    if answer is None or answer.kind != "vector" or not answer.many or guards_emptiness(conditions):
        return
    for field, condition in metric.conditions.items():
        found = [n for n in inner(condition.tree) if isinstance(n, tree.Member) and n.node == tree.Name("result")]
        if found and all(n.key == tree.Literal(0) for n in found):
            yield Found((*metric.path, field), f"the query of `{metric.name}` can answer several series")
            return


@rule("web-fault", "error")
def web_fault(metric: TemplateMetric) -> Iterator[Found]:
    """A web metric is asked nothing, because its path, body or address is wrong.

    Every measurement is an Error with that message, and more of them than `consecutiveErrorLimit` abort the release.
    """
    web = below(metric.raw, "provider", "web")
    if web is not None and (fault := fault_of(_known(web, metric))):
        yield Found((*metric.path, "provider", "web"), f"every measurement is an Error: {fault}")


@rule("path-is-text", "error")
def path_is_text(metric: TemplateMetric) -> Iterator[Found]:
    """A jsonPath without braces is no path, but a text.

    Only what is in braces is looked up in the answer. The value of the metric is the text before them, whatever the
    service answers: `$.ok` is the text `$.ok`.
    """
    path = (below(metric.raw, "provider", "web") or {}).get("jsonPath") or ""
    before = path.partition("{")[0]
    if before:
        hint = f"write `{{{path}}}`" if before == path else "begin it with `{`"
        yield Found((*metric.path, "provider", "web", "jsonPath"), f"the value is always the text `{before}`", hint)


def _known(web: Fields, metric: TemplateMetric) -> Fields:
    """With its arguments, and without a text that needs one which is not known; a host stands for such an address."""
    found = {"url": "http://unknown", **web}
    for key, text in web.items():
        if isinstance(text, str) and (names := tags(text)):
            known = all(name in metric.values for name in names)
            found[key] = re.sub(ARGUMENT, lambda m: metric.values[m[1]], text) if known else ""
    return found | ({} if found["url"] else {"url": "http://unknown"} if web.get("url") else {})


RULES = (
    no_condition,
    limit_never_reached,
    cut_short,
    window_too_short,
    not_separated,
    wrong_unit,
    first_of_many,
    web_fault,
    path_is_text,
)
