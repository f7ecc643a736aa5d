"""What Prometheus says now beside what the newest AnalysisRun measured, as facts. No rich."""

from dataclasses import dataclass
from typing import Any

from companyos_canary.argo.cause import number_text
from companyos_canary.argo.limits import Limit
from companyos_canary.argo.share import pod_share
from companyos_canary.model.live import Live, LiveMetric
from companyos_canary.model.quantity import format_time
from companyos_canary.render.questions import Question, Questions
from companyos_canary.view.format import Unit, unit_of
from companyos_canary.view.keyed import keyed
from companyos_canary.view.metrics import MetricRow
from companyos_canary.view.picture import Picture
from companyos_canary.view.records import limit_record


@dataclass(frozen=True, slots=True)
class Row:
    """One metric. `question` is None where another provider is asked, `live` also where Prometheus
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


@dataclass(frozen=True, slots=True)
class Now:
    """One look: the update, what was asked, and the answers."""

    picture: Picture
    questions: Questions
    live: Live

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


def verdict(live: LiveMetric | None, limit: Limit | None) -> str:
    """`ok`, `failing`, or the word for why it is neither."""
    if live is None:
        return "not asked"
    if live.problem:
        return "error"
    if live.canary is None:
        return live.missing or "no data"
    if limit is None:
        return "no limit"
    return "ok" if limit.holds(live.canary) else "failing"


def plain(now: Now) -> tuple[str, ...]:
    """For a pipe: the traffic, then a line a metric. What a run measured is `analysis`."""
    live, at = now.live, format_time(now.live.at)
    first = keyed(
        f"traffic at={at}",
        asked=str(now.picture.progress.weight) if now.under_way else "",
        pods=_text(pod_share(now.picture.snapshot)) if now.under_way else "",
        measured=_text(None if live.share is None else round(live.share * 100, 1)),
        prometheus=live.address,
        problem=live.problem,
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
        problem=live.problem,
    )


def record(now: Now) -> dict[str, Any]:
    """For machines; values as they were asked for, `analysis` as a run measured them."""
    live, rollout = now.live, now.picture.snapshot.rollout
    return {
        "rollout": rollout.name,
        "namespace": rollout.namespace,
        "context": now.picture.place.context,
        "revision": rollout.revision,
        "at": live.at,
        "prometheus": {
            "address": live.address,
            "through_api_server": now.through_the_api_server,
            "problem": live.problem,
        },
        "traffic": {
            "asked": now.picture.progress.weight,
            "pods": pod_share(now.picture.snapshot),
            "measured": None if live.share is None else 100 * live.share,
        },
        "metrics": [_record(r) for r in now.rows],
        "notes": list(now.picture.snapshot.notes),
    }


def _record(row: Row) -> dict[str, Any]:
    live, run = row.live or LiveMetric(row.name, None, None, None), row.measured
    return {
        "name": row.name,
        "unit": row.unit,
        **limit_record(row.limit),
        "verdict": row.verdict,
        "canary": live.canary,
        "stable": live.stable,
        "compares": live.compares,
        "requests": live.requests,
        "needed": live.needed,
        "problem": live.problem,
        "analysis": None
        if run is None
        else {
            "run": run.run,
            "value": run.value,
            "verdict": run.verdict,
            "phase": run.phase,
            "failed": run.failed,
            "measured": run.measured,
            "planned": run.planned,
        },
    }


def _text(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
