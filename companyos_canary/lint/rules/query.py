"""What a query selects, and over which time."""

from collections.abc import Iterator
from datetime import timedelta

from companyos_canary.analysis.expr import tree
from companyos_canary.lint.finding import Found, rule
from companyos_canary.lint.metric import CANARY, Metric
from companyos_canary.lint.objects import named_services
from companyos_canary.lint.query import selectors, windows
from companyos_canary.lint.verdict import guards_emptiness, inner, numbers_in
from companyos_canary.model.quantity import format_duration
from companyos_canary.promql.values import Matcher

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
def window_too_short(metric: Metric) -> Iterator[Found]:
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
def not_separated(metric: Metric) -> Iterator[Found]:
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
def wrong_unit(metric: Metric) -> Iterator[Found]:
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
def first_of_many(metric: Metric) -> Iterator[Found]:
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


RULES = (window_too_short, not_separated, wrong_unit, first_of_many)
