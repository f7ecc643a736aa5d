"""What `canary metrics` shows now: the values of canary and stable that Prometheus answers with."""

import textwrap
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Struct

from companyos_canary.argo.limits import Limit, Operator, Unit, number_text, unit_of
from companyos_canary.argo.metric_rows import MetricRow, SequentialRow, Verdict
from companyos_canary.argo.picture import Picture
from companyos_canary.argo.rows import bound
from companyos_canary.model.outcome import Warned
from companyos_canary.model.quantity import format_time
from companyos_canary.model.row import Percent, Placed, RunPhase, Says, pick
from companyos_canary.model.snapshot import Live, LiveMetric
from companyos_canary.render.questions import Question, Questions
from companyos_canary.view import advice
from companyos_canary.view.format import clock, keyed, limit_text, value_text
from companyos_canary.view.lines import Column, Facts, Line, Tone, joined, role_symbol, table


class Row(Struct, frozen=True):
    """One metric. `question` is None if another provider is asked, `live` also where Prometheus
    gave no answer, `measured` without a run."""

    name: str
    question: Question | None
    live: LiveMetric | None
    measured: MetricRow | None

    @property
    def limit(self) -> Limit | None:
        known = self.measured or self.question
        return known.limit if known else None

    @property
    def unit(self) -> Unit:
        return unit_of(self.name, self.limit)

    @property
    def verdict(self) -> str:
        return verdict(self.live, self.limit)


class Now(Struct, frozen=True):
    """One look: the update, what was asked, and the answers; `warnings` are about what is counted besides."""

    picture: Picture
    questions: Questions
    live: Live
    warnings: tuple[Warned, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The metrics in the order in which they are asked, then those of other providers."""
        asked = {q.name: q for q in self.questions.metrics}
        measured = {m.name: m for m in self.picture.metrics}
        return tuple(
            Row(name, asked.get(name), self.live.metric(name), measured.get(name)) for name in asked | measured
        )

    @property
    def under_way(self) -> bool:
        """Whether there is a canary that requests could go to."""
        return self.picture.progress.stepped

    @property
    def through_the_api_server(self) -> bool:
        return self.live.address.startswith("service ")


Word = Annotated[
    str,
    Says(
        words=(
            "ok",
            "failing",
            "no limit",
            "error",
            "not asked",
            "no data",
            "NaN",
            "too few requests",
            "several series",
        )
    ),
]


class Asked(Struct, frozen=True):
    """Who was asked, and why there is no answer: empty if there is one."""

    address: str
    through_api_server: bool
    problem: str


class TrafficRow(Struct, frozen=True):
    """The canary's part in percent: asked for, made by the pods, seen by Prometheus."""

    asked: Percent
    pods: Percent | None
    measured: float | None


class OfRun(Struct, frozen=True):
    """What the newest AnalysisRun measured; that alone is what counts."""

    run: str
    value: float | None
    verdict: Verdict
    phase: RunPhase
    failed: int
    measured: int
    planned: int


class MetricNow(Struct, frozen=True):
    """`stable` is the same question about the stable pods, null where the metric itself `compares`.
    `requests` of `needed` in the metric's window, null where its query does not count them."""

    name: str
    unit: Unit
    operator: Operator | Literal[""]
    limit: float | None
    verdict: Word
    canary: float | None
    stable: float | None
    compares: bool
    requests: float | None
    needed: float | None
    problem: str
    analysis: OfRun | None
    sequential: SequentialRow | None


class NowRow(Placed, frozen=True, kw_only=True):
    revision: int
    at: datetime
    prometheus: Asked
    traffic: TrafficRow
    metrics: tuple[MetricNow, ...]
    notes: tuple[str, ...]
    warnings: tuple[Warned, ...]


def verdict(live: LiveMetric | None, limit: Limit | None) -> str:
    """`ok`, `failing`, or the word for why it is neither: the rule has no verdict on too few requests."""
    if live is None:
        return "not asked"
    if live.problem:
        return "error"
    if live.canary is None:
        return live.missing or "no data"
    if live.requests is not None and live.needed is not None and live.requests < live.needed:
        return "too few requests"
    if limit is None:
        return "no limit"
    return "ok" if limit.holds(live.canary) else "failing"


def plain(now: Now) -> tuple[str, ...]:
    """For a pipe: the traffic, then a line a metric. What a run measured is `analysis`."""
    live, at = now.live, format_time(now.live.at)
    first = keyed(
        f"traffic at={at}",
        asked=str(now.picture.progress.percent) if now.under_way else "",
        pods=_text(now.picture.pod_share) if now.under_way else "",
        measured=_text(None if live.share is None else round(live.share * 100, 1)),
        prometheus=live.address,
        problem=live.problem,
        warnings=",".join(w.code for w in now.warnings),
    )
    return (first, *(_line(r, at) for r in now.rows))


def _line(row: Row, at: str) -> str:
    live, run = row.live or LiveMetric(row.name, None, None, None), row.measured
    return keyed(
        f"metric={row.name} at={at}",
        verdict=row.verdict,
        canary=number_text(live.canary),
        stable=number_text(live.stable),
        limit=f"{row.limit.value:g}" if row.limit else "",
        requests=_text(None if live.requests is None else round(live.requests)),
        needed=_text(live.needed),
        analysis=number_text(run.known) if run else "",
        analysis_verdict=run.verdict if run else "",
        **advice.pairs(run.advice if run else None),
        problem=live.problem,
    )


def now_row(now: Now) -> NowRow:
    """Values as they were asked for, `analysis` as a run measured them."""
    live, rollout = now.live, now.picture.snapshot.rollout
    return NowRow(
        rollout=rollout.name,
        namespace=rollout.namespace,
        context=now.picture.place.context,
        revision=rollout.revision,
        at=live.at,
        prometheus=pick(Asked, live, through_api_server=now.through_the_api_server),
        traffic=TrafficRow(
            asked=now.picture.progress.weight,
            pods=now.picture.pod_share,
            measured=None if live.share is None else 100 * live.share,
        ),
        metrics=tuple(map(_metric_now, now.rows)),
        notes=now.picture.snapshot.notes,
        warnings=now.warnings,
    )


def _metric_now(row: Row) -> MetricNow:
    return pick(
        MetricNow,
        row.live or LiveMetric(row.name, None, None, None),
        unit=row.unit,
        **bound(row.limit),
        verdict=row.verdict,
        analysis=pick(OfRun, row.measured) if row.measured else None,
        sequential=row.measured.sequential if row.measured else None,
    )


def _text(number: float | None) -> str:
    return "" if number is None else f"{number:g}"


_ROLES: dict[str, Tone] = {"ok": "success", "failing": "failure", "error": "failure", "not asked": "", "no limit": ""}


def screen(now: Now, facts: Facts) -> list[Line]:
    so_far = advice.sequential_lines([r.measured for r in now.rows if r.measured], facts)
    return [*head(now, facts), (), *_table(now, facts), *_problems(now, facts), *so_far]


def head(now: Now, facts: Facts) -> list[Line]:
    """Which Rollout, when, who was asked, and what traffic the canary has."""
    picture, live, dot = now.picture, now.live, f" {facts.symbols.dot} "
    pieces = [(9, picture.name), (7, picture.where), (5, picture.version), (8, clock(live.at, picture.now).strip())]
    lines: list[Line] = [(joined(pieces, facts.width, dot),)]
    if live.problem:
        lines += _told(("Prometheus gave no answer: the values are those of the analysis", "warning"), facts)
    elif live.address:
        way = "through the API server" if now.through_the_api_server else "directly"
        lines += _told((f"asked {live.address} {way}", ""), facts)
    return [*lines, _traffic(now, facts)] if now.under_way else lines


def _told(sentence: tuple[str, Tone], facts: Facts, indent: str = "") -> list[Line]:
    text, role = sentence
    folded = textwrap.wrap(
        text, facts.width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
    return [((line, role),) for line in folded]


def _traffic(now: Now, facts: Facts) -> Line:
    """The share that is asked for, what the pods make of it, and what Prometheus counts."""
    picture, share = now.picture, now.live.share
    by_pods = picture.pod_share
    pods = f"pods {by_pods} % ({picture.canary_pods} of {picture.pods})"
    pieces = [
        (9, f"traffic  asked {picture.progress.percent} %"),
        (7, "" if by_pods is None else pods),
        (8, f"measured {'unknown' if share is None else f'{share * 100:.1f} %'}"),
    ]
    return (joined(pieces, facts.width, "   "),)


def _table(now: Now, facts: Facts) -> list[Line]:
    rows, symbols = now.rows, facts.symbols
    roles = [_ROLES.get(r.verdict, "warning") for r in rows]
    columns = [
        Column("", [(role_symbol(symbols, x, symbols.waiting), x) for x in roles], keep=8),
        Column("METRIC", [r.name for r in rows]),
        Column("NOW", [_canary(r) for r in rows], align="right"),
        Column("STABLE", [_stable(r) for r in rows], align="right", keep=6),
        Column("LIMIT", [limit_text(r.limit, r.unit) for r in rows], align="right", keep=5),
        Column("VERDICT NOW", [(r.verdict, x) for r, x in zip(rows, roles, strict=True)], keep=7),
        Column("REQUESTS", [_requests(r) for r in rows], align="right", keep=4),
        Column("MEASURED", [_measured(r) for r in rows], keep=3),
    ]
    return table(columns, facts.width)


def _canary(row: Row) -> str:
    """Where there is no value the verdict has the word for it."""
    if row.live is None or row.live.canary is None:
        return "-" if row.live else ""
    return value_text(row.live.canary, row.unit, limit=row.limit)


def _stable(row: Row) -> str:
    """`-` where stable cannot be asked the same."""
    if row.live is None:
        return ""
    asked = row.question and row.question.stable and not row.live.problem
    return value_text(row.live.stable, row.unit) if asked else "-"


def _requests(row: Row) -> str:
    """`2,140`; `6 of 100` where that is too few."""
    if row.live is None or row.live.requests is None:
        return ""
    needed = row.live.needed or 0
    few = f" of {needed:,.0f}" if row.live.requests < needed else ""
    return f"{row.live.requests:,.0f}{few}"


def _measured(row: Row) -> str:
    """What the newest AnalysisRun measured; its verdict where that is not `ok`."""
    if row.measured is None or row.measured.known is None:
        return row.measured.verdict if row.measured else ""
    text = value_text(row.measured.known, row.unit, limit=row.limit)
    return text if row.measured.verdict == "ok" else f"{text} {row.measured.verdict}"


def _problems(now: Now, facts: Facts) -> list[Line]:
    told = [f"{m.name}: {m.problem}" for m in now.live.metrics if m.problem]
    return [line for text in told for line in _told((text, "failure"), facts, "    ")]
