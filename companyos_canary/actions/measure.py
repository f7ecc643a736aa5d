"""Asks Prometheus what it says now, and what it said over time."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache, partial

from msgspec.structs import replace

from companyos_canary.analysis.evidence import LABEL, OBSERVED, window
from companyos_canary.errors import CanaryError, Invalid
from companyos_canary.model.snapshot import Course, Live, LiveMetric, Missing
from companyos_canary.prometheus.client import Prometheus
from companyos_canary.render.questions import Question, Questions

Values = tuple[float, ...]
_SECOND = timedelta(seconds=1)


def measure(prometheus: Prometheus, questions: Questions, now: datetime) -> Live:
    """As `ask`, for those who can do without: where no one answers there is a `problem`."""
    try:
        return ask(prometheus, questions, now)
    except CanaryError as error:
        return Live(at=now, address=prometheus.address, problem=error.message)


def ask(prometheus: Prometheus, questions: Questions, now: datetime) -> Live:
    """Every question once, two metrics' common one once for both. A wrong query is its metric's
    problem; the first error of another kind is raised: no one answers, or not to us."""

    values = cache(partial(_values, prometheus))
    metrics = tuple(_metric(q, values) for q in questions.metrics)
    return replace(ask_share(prometheus, questions, now), metrics=metrics)


def _values(prometheus: Prometheus, query: str) -> Values:
    return tuple(s.value for s in prometheus.query(query)) if query else ()


def ask_share(prometheus: Prometheus, questions: Questions, now: datetime) -> Live:
    """The canary's share of the requests alone, and of how many. Raises as `ask` does."""

    values = partial(_values, prometheus)
    share = _number(_or_nothing(values, questions.share))
    requests = None if share is None else _number(_or_nothing(values, questions.requests))
    return Live(at=now, address=prometheus.address, share=share, requests=requests, over=window(questions.share))


def courses(
    prometheus: Prometheus, questions: Questions, now: datetime, since: timedelta, most: int
) -> tuple[Course, ...]:
    """The canary's values since then, at most so many of each metric. Raises as `ask` does."""
    step = max(_SECOND, _SECOND * math.ceil(since / _SECOND / max(1, most - 1)))
    start = now - since // step * step
    return tuple(_course(prometheus, q, start, now, step) for q in questions.metrics)


def _course(prometheus: Prometheus, question: Question, start: datetime, end: datetime, step: timedelta) -> Course:
    try:
        problem = question.problem
        found = () if problem else prometheus.query_range(question.query, start, end, step)
    except Invalid as error:
        return Course(question.name, problem=error.message)
    found = tuple(s for s in found if s.labels.get(LABEL, OBSERVED) == OBSERVED)
    if problem or len(found) > 1:
        return Course(question.name, problem=problem or f"the query finds {len(found)} series")
    known = {round((at - start) / step): v for series in found for at, v in series.points}
    values = (known.get(n) for n in range((end - start) // step + 1))
    points = (None if v is None or math.isnan(v) else v for v in values)
    return Course(question.name, tuple((start + step * n, v) for n, v in enumerate(points)))


def _metric(question: Question, values: Callable[[str], Values]) -> LiveMetric:
    problem, found = question.problem, Values()
    if not problem:
        try:
            found = values(question.query)[: 1 if question.row else None]
        except Invalid as error:
            problem = error.message
    if problem:
        return LiveMetric(question.name, None, None, None, compares=question.compares, problem=problem)
    requests = _number(_or_nothing(values, question.count))
    return LiveMetric(
        name=question.name,
        canary=_number(found),
        stable=_number(_or_nothing(values, question.stable)[: 1 if question.row else None]),
        requests=requests,
        compares=question.compares,
        needed=question.needed,
        missing=_missing(found, requests, question.needed),
    )


def _missing(found: Values, requests: float | None, needed: float | None) -> Missing:
    """The word for why there is no number."""
    if len(found) > 1:
        return "several series"
    if found:
        return "NaN" if math.isnan(found[0]) else ""
    few = requests is not None and needed is not None and requests < needed
    return "too few requests" if few else "no data"


def _or_nothing(values: Callable[[str], Values], query: str) -> Values:
    try:
        return values(query)
    except Invalid:
        return ()


def _number(found: Values) -> float | None:
    return found[0] if len(found) == 1 and not math.isnan(found[0]) else None
