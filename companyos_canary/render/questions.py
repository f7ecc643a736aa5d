"""What Prometheus is asked about an update now: the questions of its analysis, and their parts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from companyos_canary.argo.attempt import attempt
from companyos_canary.argo.limits import Limit, limit_of
from companyos_canary.config import Settings
from companyos_canary.model.analysisrun import AnalysisRun, Metric
from companyos_canary.model.secrets import ARGUMENT, MASK
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.render.asked import compares, guard, of_stable, share
from companyos_canary.render.objects import analysis_template
from companyos_canary.render.steps import background_timing


@dataclass(frozen=True, slots=True)
class Question:
    """One metric. `stable` is the same asked about the stable pods, `count` the canary's requests
    in the window (`needed`: how many it must have); empty (None) where there is no such question.
    With a `problem` it cannot be asked."""

    name: str
    query: str
    limit: Limit | None = None
    stable: str = ""
    count: str = ""
    needed: float | None = None
    compares: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Questions:
    """`address` is the Prometheus that the controller asks (it may hold a password); empty where
    none is known. `share` asks for the canary's part of all requests; empty if nobody counts."""

    address: str = ""
    metrics: tuple[Question, ...] = ()
    share: str = ""


def questions(snapshot: Snapshot, settings: Settings | None) -> Questions:
    """From the runs of the update; before its first one from canary.yaml, if that is of this
    Rollout; without it from the runs of earlier revisions. Metrics of other providers are left
    out."""
    rollout = snapshot.rollout
    runs = attempt(snapshot)
    if not runs and settings and settings.rollout == rollout.name:
        runs = (_planned(settings, rollout.current_hash),)
    asked = dict(_asked(runs or snapshot.runs, rollout.current_hash))
    address = next((m.address for m in reversed(asked.values()) if m.address), "")
    if not address and settings:
        address = settings.prometheus.url
    guards = (guard(m.query) for m in asked.values())
    counted = next((g for g in guards if g), None)
    return Questions(
        address=address,
        metrics=tuple(_question(m, address) for m in asked.values()),
        share=share(counted) if counted else "",
    )


def _asked(runs: tuple[AnalysisRun, ...], hash_: str) -> Iterator[tuple[str, Metric]]:
    """Every metric as the newest run asks it, about the pods of that hash."""
    for run in runs:
        for metric in run.metrics:
            result = run.result(metric.name)
            query = (result.query if result else "") or metric.query
            if query and run.hash:
                query = query.replace(run.hash, hash_)
            if query:
                yield metric.name, replace(metric, query=query)


def _question(metric: Metric, address: str) -> Question:
    query, problem = metric.query.strip(), ""
    if ARGUMENT.search(query + metric.address) or MASK in query:
        problem = "it is asked with the value of a Secret"
    elif metric.address and metric.address != address:
        problem = "it is asked of another Prometheus"
    counted = guard(query)
    return Question(
        name=metric.name,
        query=query,
        limit=limit_of(metric.success_condition, metric.failure_condition),
        stable=of_stable(query),
        count=counted.count if counted else "",
        needed=counted.needed if counted else None,
        compares=compares(query),
        problem=problem,
    )


def _planned(settings: Settings, hash_: str) -> AnalysisRun:
    """An AnalysisRun as this canary.yaml would have one made."""
    template = analysis_template(settings, settings.rollout, background_timing(settings), False)
    spec = template["spec"]
    args = spec["args"]
    if settings.analysis.by_hash:
        own = {"name": "canary-hash", "value": hash_}
        args = [own if a["name"] == own["name"] else a for a in args]
    return AnalysisRun.from_object({**template, "spec": {**spec, "args": args}})
