"""Metrics over time: a chart for each, lines for a pipe, points for machines; and how one is asked. No rich."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from msgspec import Struct

from companyos_canary.argo.limits import Operator, Unit, number_text, unit_of
from companyos_canary.argo.rows import bound
from companyos_canary.model.http import without_password
from companyos_canary.model.quantity import format_time
from companyos_canary.model.snapshot import Course
from companyos_canary.render.questions import Question
from companyos_canary.view.chart import chart, resampled, time_axis
from companyos_canary.view.format import keyed, limit_text, value_text
from companyos_canary.view.lines import Facts, Line

HEIGHT = 6
Charted = tuple[Question, Course]


def charts(asked: Sequence[Charted], now: datetime, facts: Facts) -> list[Line]:
    """Each metric with its newest and its worst value, and its limit."""
    lines: list[Line] = []
    for question, course in asked:
        lines += [*([()] if lines else []), _title(question, course)]
        if not course.points:
            continue
        values = [v for _, v in course.points]
        unit = unit_of(question.name, question.limit)
        lines += chart(values, question.limit, unit, width=facts.width, height=HEIGHT, symbols=facts.symbols)
        lines.append(time_axis(course.points[0][0], course.points[-1][0], now, width=facts.width))
    return lines


def _title(question: Question, course: Course) -> Line:
    limit, unit = question.limit, unit_of(question.name, question.limit)
    if course.problem:
        return (f"{question.name}  ", (course.problem, "failure"))
    values = [v for _, v in course.points]
    newest = value_text(values[-1] if values else None, unit, limit=limit)
    (worst,) = resampled(values, 1, limit) or (None,)
    bad = limit is not None and limit.broken_by(worst)
    limited = f"   limit {limit_text(limit, unit)}" if limit else ""
    said = value_text(worst, unit, limit=limit)
    return (f"{question.name}  now {newest}   worst ", (said, "failure" if bad else ""), limited)


def plain(asked: Sequence[Charted]) -> tuple[str, ...]:
    """A line a point; a metric that could not be asked is one line with its problem."""
    lines: list[str] = []
    for _, course in asked:
        if course.problem:
            lines.append(keyed(f"metric={course.name}", problem=course.problem))
        lines += (
            f"metric={course.name} at={format_time(at)} value={number_text(v) or 'no-data'}" for at, v in course.points
        )
    return tuple(lines)


class Point(Struct, frozen=True):
    at: datetime
    value: float | None


class CourseRow(Struct, frozen=True):
    name: str
    unit: Unit
    operator: Operator | Literal[""]
    limit: float | None
    problem: str
    points: tuple[Point, ...]


def course_rows(asked: Sequence[Charted]) -> tuple[CourseRow, ...]:
    return tuple(
        CourseRow(
            question.name,
            unit_of(question.name, question.limit),
            **bound(question.limit),
            problem=course.problem,
            points=tuple(Point(at, value) for at, value in course.points),
        )
        for question, course in asked
    )


def link(address: str, question: Question) -> str:
    """The graph page with the canary's query, and stable's beneath it."""
    queries = [q for q in (question.query, question.stable) if q]
    parts = [f"g{n}.expr={quote(query, safe='')}&g{n}.tab=0&g{n}.range_input=1h" for n, query in enumerate(queries)]
    return f"{without_password(address).rstrip('/')}/graph?{'&'.join(parts)}"


def query_lines(question: Question, address: str) -> tuple[str, ...]:
    """PromQL with comments: all of it can be pasted into Prometheus."""
    lines = [f"# {question.name}, canary", *question.query.splitlines()]
    if question.stable:
        lines += [f"# {question.name}, stable", *question.stable.splitlines()]
    if address:
        lines.append(f"# {link(address, question)}")
    return tuple(lines)
