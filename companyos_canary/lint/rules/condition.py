"""What conditions make of the answers that a query can give."""

import math
import re
from collections.abc import Iterator, Sequence

from companyos_canary.analysis.expr.language import Condition
from companyos_canary.analysis.expr.tree import ConditionError
from companyos_canary.analysis.gotext import float_text
from companyos_canary.lint.finding import Found, rule
from companyos_canary.lint.metric import (
    ConditionResult,
    TemplateMetric,
    as_result,
    asks,
    condition_holds,
    guards_emptiness,
    guards_nan,
    only_counts,
    phase,
    values,
)
from companyos_canary.lint.query import Possible, counts_a_part, without_part

_SEVERAL = re.compile(r"\bresult\[\s*[1-9]")


@rule("constant-condition", "warning")
def constant_condition(metric: TemplateMetric) -> Iterator[Found]:
    """A condition does not look at the result.

    It is true, or false, whatever the query answers: the metric judges nothing.
    """
    for field, condition in metric.conditions.items():
        if not asks(condition.tree):
            yield Found((*metric.path, field), f"`{condition.text}` does not look at `result`")


@rule("wrong-result", "error")
def wrong_result(metric: TemplateMetric) -> Iterator[Found]:
    """A condition does not fit the type of the result.

    Prometheus answers a query with a list (a vector), even if it has one element: `result < 0.05` compares a list with
    a number, and every measurement is an Error. Only scalars (`scalar(…)`, a number) are numbers. While the list is
    empty, the message blames missing data, so that the mistake shows only once there are some.
    """
    if metric.provider != "prometheus":
        return
    kinds = (True, False) if metric.answer is None else (metric.answer.kind == "scalar",)
    for field, condition in metric.conditions.items():
        faults = [_type_fault(condition, scalar=scalar) for scalar in kinds]
        if all(faults) and "supported here" not in faults[0]:
            what = "a number" if kinds[0] and len(kinds) == 1 else "a list"
            hint = "write `result[0]`" if what == "a list" and "result[" not in condition.text else ""
            hint = "write `result`" if what == "a number" and "result[" in condition.text else hint
            yield Found((*metric.path, field), f"`result` is {what} here, which does not fit: {faults[-1]}", hint)
            return
    for answer, conditions in _judged(metric):
        if not answer.many and _phases(metric, answer, conditions) == {"Error"}:
            text = f"every answer is an Error: {_error(conditions, as_result(answer, 1.0))}"
            yield Found(_at(metric), text, "" if answer.kind == "scalar" else "`result` is a list; write `result[0]`")


def _error(conditions: Sequence[Condition], result: ConditionResult) -> str:
    """Why a condition cannot be evaluated."""
    for condition in conditions:
        try:
            condition.evaluate(result)
        except ConditionError as error:
            return " ".join(str(error).split())
    return ""


def _type_fault(condition: Condition, *, scalar: bool) -> str:
    try:
        condition.check(scalar=scalar)
    except ConditionError as error:
        return " ".join(str(error).split())
    return ""


def _judged(metric: TemplateMetric) -> Iterator[tuple[Possible, Sequence[Condition]]]:
    """What can be said about its answers, and its conditions, where both are understood and fit each other; else
    nothing."""
    answer, conditions = metric.answer, tuple(metric.conditions.values())
    wanted = sum(map(bool, (metric.success, metric.failure)))
    if metric.provider != "prometheus" or answer is None or answer.kind == "text" or not wanted:
        return
    if len(conditions) < wanted or not all(asks(c.tree) for c in conditions):
        return
    if any(_SEVERAL.search(c.text) for c in conditions):
        return  # about a row of numbers, which one number does not represent
    if not any(_type_fault(c, scalar=answer.kind == "scalar") for c in conditions):
        yield answer, conditions


@rule("cannot-fail", "error")
def cannot_fail(metric: TemplateMetric) -> Iterator[Found]:
    """No value that the query can have fails.

    Often the limit has another unit than the value: a share of errors is between 0 and 1, so that `< 5` holds always;
    a rate is never below 0.
    """
    for answer, conditions in _judged(metric):
        phases = _phases(metric, answer, conditions)
        if phases == {"Successful"} and not only_counts(conditions):
            yield Found(_at(metric), f"every value passes: {_range(answer)}", _percent(answer))


@rule("cannot-pass", "error")
def cannot_pass(metric: TemplateMetric) -> Iterator[Found]:
    """No value that the query can have passes.

    A share that is compared with a percentage (`> 95`), or two conditions that exclude each other: every update is
    aborted, or waits for a person.
    """
    for answer, conditions in _judged(metric):
        phases = _phases(metric, answer, conditions)
        empty = answer.empty and answer.kind != "scalar" and phase(metric, []) == "Successful"
        if phases and phases <= {"Failed", "Inconclusive"} and not empty:
            yield Found(_at(metric), f"no value passes: {_range(answer)}", _percent(answer))


@rule("failure-never-holds", "error")
def failure_never_holds(metric: TemplateMetric) -> Iterator[Found]:
    """The failureCondition can never hold.

    What does not pass is Inconclusive then, never Failed: the update waits for a person where it should be aborted.
    """
    for answer, conditions in _judged(metric):
        failure = metric.conditions.get("failureCondition")
        found = (
            {condition_holds(failure, as_result(answer, v)) for v in values(answer, conditions)} if failure else set()
        )
        if metric.success and found == {False} and _phases(metric, answer, conditions) != {"Successful"}:
            yield Found((*metric.path, "failureCondition"), f"it never holds: {_range(answer)}")


def _phases(metric: TemplateMetric, answer: Possible, conditions: Sequence[Condition]) -> set[str | None]:
    return {phase(metric, as_result(answer, value)) for value in values(answer, conditions)}


def _range(answer: Possible) -> str:
    if math.isinf(answer.low) and math.isinf(answer.high):
        return "the conditions have no limit between two values"
    if math.isinf(answer.high):
        return f"the query answers {float_text(answer.low)} or more"
    if math.isinf(answer.low):
        return f"the query answers {float_text(answer.high)} or less"
    return f"the query answers between {float_text(answer.low)} and {float_text(answer.high)}"


def _percent(answer: Possible) -> str:
    if (answer.low, answer.high) != (0, 1):
        return ""
    return "the value is a share, so write 5 % as 0.05"


@rule("healthy-is-empty", "error")
def healthy_is_empty(metric: TemplateMetric) -> Iterator[Found]:
    """The healthiest canary gives no data.

    `errors / all` has no element as long as no request has failed, because the series of errors does not exist yet.
    Then `result[0]` is an Error, and five Errors in a row (40 seconds) abort the update: without a single error. With a
    condition on `len(result)` it is Inconclusive, and every good release waits for a person.
    """
    for answer, _ in _judged(metric):
        found = phase(metric, [])
        if found not in ("Successful", None) and answer.empty and _healthy_when_empty(metric, answer):
            yield Found(
                metric.query_path,
                f"as long as nothing has failed, the query of `{metric.name}` answers nothing, which is {_AN[found]}",
                "give the numerator a default: `(errors or vector(0)) / all`, without `by`",
            )


_AN = {"Error": "an Error", "Failed": "Failed", "Inconclusive": "Inconclusive"}


def _healthy_when_empty(metric: TemplateMetric, answer: Possible) -> bool:
    if metric.query is None or answer.kind == "scalar" or not counts_a_part(metric.query):
        return False
    value = without_part(metric.query)
    if math.isnan(value) or phase(metric, [value]) != "Successful":
        return False
    return _phases(metric, answer, tuple(metric.conditions.values())) != {"Successful"}


@rule("empty-answer", "warning")
def empty_answer(metric: TemplateMetric) -> Iterator[Found]:
    """An empty answer is an Error.

    A query has no element while its series do not exist: before the first scrape of the canary's pods, after a rename,
    with a wrong label. `result[0]` is an Error then, and five Errors in a row (40 seconds) abort the update.
    `len(result) > 0 && …` in a successCondition with a failureCondition next to it makes it Inconclusive, and
    `len(result) == 0 || …` makes it pass.
    """
    for answer, _ in _judged(metric):
        empty = answer.empty and answer.kind != "scalar"
        if empty and phase(metric, []) == "Error" and not _healthy_when_empty(metric, answer):
            text = (
                f"if the query of `{metric.name}` answers nothing, the measurement is an Error; five abort the update"
            )
            yield Found(_at(metric), text)


@rule("passes-on-nothing", "warning")
def passes_on_nothing(metric: TemplateMetric) -> Iterator[Found]:
    """A metric passes without data, and does not say so.

    `all`, `none`, `sum` and `count` of an empty answer hold, and NaN (0/0: no requests) is not greater than any limit,
    so that a failureCondition alone never fails. The canary passes although nothing was measured. If that is meant,
    say it: `len(result) == 0 || …`, `isNaN(result[0]) || …`.
    """
    for answer, conditions in _judged(metric):
        empty = answer.empty and answer.kind != "scalar" and not guards_emptiness(conditions)
        if empty and phase(metric, []) == "Successful":
            yield Found(_at(metric), f"metric `{metric.name}` passes if the query answers nothing")
        nan = as_result(answer, math.nan)
        if answer.nan and phase(metric, nan) == "Successful" and not guards_nan(conditions):
            yield Found(_at(metric), f"metric `{metric.name}` passes on NaN, e.g. without any request (0/0)")


@rule("fails-on-nan", "warning")
def fails_on_nan(metric: TemplateMetric) -> Iterator[Found]:
    """Without requests the canary is rolled back.

    0/0 is NaN, and NaN is not less than any limit: a successCondition alone makes it Failed. With a failureCondition
    next to it, it is Inconclusive.
    """
    for answer, conditions in _judged(metric):
        nan = as_result(answer, math.nan)
        if answer.nan and phase(metric, nan) == "Failed" and not guards_nan(conditions):
            yield Found(
                _at(metric),
                f"metric `{metric.name}` fails on NaN, e.g. without any request (0/0)",
                "add a failureCondition, so that NaN is Inconclusive",
            )


@rule("division-by-zero", "warning")
def division_by_zero(metric: TemplateMetric) -> Iterator[Found]:
    """A division by zero fails the canary.

    x/0 is +Inf, greater than every limit. A ratio of the canary's errors to those of stable is +Inf with the first
    error of the canary if stable has none.
    """
    for answer, _ in _judged(metric):
        if answer.infinite and phase(metric, as_result(answer, math.inf)) == "Failed":
            yield Found(
                metric.query_path,
                f"a denominator of 0 makes the value of `{metric.name}` +Inf, which fails",
                "put a floor under the denominator, e.g. `clamp_min(…, 0.01)`",
            )


def _at(metric: TemplateMetric) -> tuple[str | int, ...]:
    return (*metric.path, "successCondition" if metric.success else "failureCondition")


RULES = (
    constant_condition,
    wrong_result,
    cannot_fail,
    cannot_pass,
    failure_never_holds,
    healthy_is_empty,
    empty_answer,
    passes_on_nothing,
    fails_on_nan,
    division_by_zero,
)
