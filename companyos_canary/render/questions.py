"""What Prometheus is asked about an update now, and a query taken apart: canary, stable, requests."""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.analysis.evidence import is_row, requests_needed
from companyos_canary.argo.limits import Limit, limit_of
from companyos_canary.config import Settings
from companyos_canary.model.analysisrun import ARGUMENT, MASK, AnalysisRun, Metric
from companyos_canary.model.quantity import format_duration, parse_duration
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.render.analysis import analysis_template
from companyos_canary.render.steps import background_timing

_TEXT = r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\''
_SELECTOR = re.compile(rf'\{{(?:[^{{}}"\']|{_TEXT})*\}}')
_MATCHER = re.compile(rf"(\w+)\s*(=~|!~|!=|=)\s*({_TEXT})\s*(,?)")
_GUARD = re.compile(
    rf"(sum\s*\(\s*increase\s*\(\s*([\w:]+)({_SELECTOR.pattern})\s*\[(\w+)\]\s*\)\s*\))"
    r"\s*>=\s*(\d+(?:\.\d+)?)"
)
_SERIES = re.compile(rf"([\w:]+)({_SELECTOR.pattern})")
_OUTCOMES = frozenset({"status", "code", "result", "le"})
_HASH = "rollouts_pod_template_hash"
_LONGEST = timedelta(minutes=1)


class RequestGuard(Struct, frozen=True):
    """The part of a safe query that asks for enough requests of the canary."""

    count: str
    needed: float
    metric: str
    matchers: str
    window: str


def compares(query: str) -> bool:
    """Whether the query itself sets the canary against other pods."""
    return _kinds(query) == {True, False}


def of_stable(query: str) -> str:
    """The same asked about the stable pods; empty if the query does not speak of the canary
    alone. The canary's own hash is left out."""
    if _kinds(query) != {True}:
        return ""
    return _SELECTOR.sub(lambda s: _without(s[0], 'canary!="true"'), query)


@lru_cache(maxsize=64)
def guard(query: str) -> RequestGuard | None:
    """The guard about the canary, where there is one."""
    for count, metric, matchers, window, needed in _GUARD.findall(query):
        if _kinds(matchers) == {True}:
            return RequestGuard(count, float(needed), metric, matchers, window)
    return None


@lru_cache(maxsize=64)
def everybody(query: str) -> str:
    """The selector of all requests of canary and stable, by the first part that asks for one of them; empty
    without one. The outcome of a request is left out."""
    for metric, matchers in _SERIES.findall(query):
        if _kinds(matchers):
            kept = _MATCHER.sub(lambda m: "" if m[1] in _OUTCOMES else m[0], _without(matchers, ""))
            return f"{metric}{kept}"
    return ""


def share(found: RequestGuard) -> str:
    """The canary's part of all requests, over the guard's window and at most a minute."""
    window, everybody = _share_window(found), _without(found.matchers, "")
    return f"sum(rate({found.metric}{found.matchers}[{window}])) / sum(rate({found.metric}{everybody}[{window}]))"


def all_requests(found: RequestGuard) -> str:
    """How many requests `share` is a part of."""
    return f"sum(increase({found.metric}{_without(found.matchers, '')}[{_share_window(found)}]))"


def _share_window(found: RequestGuard) -> str:
    try:
        return format_duration(min(parse_duration(found.window), _LONGEST))
    except ValueError:  # `1d`, which Go's durations do not know
        return format_duration(_LONGEST)


def _kinds(query: str) -> set[bool]:
    """For each matcher on the label `canary`: whether it selects the canary."""
    return {
        operator in ("=", "=~") and value[1:-1] == "true"
        for selector in _SELECTOR.findall(query)
        for label, operator, value, _ in _MATCHER.findall(selector)
        if label == "canary"
    }


def _without(selector: str, instead: str) -> str:
    """A canary's selector with `instead` in the place of its matcher, and without the hash."""
    if not _kinds(selector):
        return selector

    def kept(matcher: re.Match[str]) -> str:
        if matcher[1] == "canary":
            return instead + matcher[4] if instead else ""
        return "" if matcher[1] == _HASH else matcher[0]

    return _MATCHER.sub(kept, selector)


class Question(Struct, frozen=True):
    """One metric. `stable` is the same asked about the stable pods, `count` the canary's requests
    in the window (`needed`: how many it must have); empty (None) where there is no such question.
    A `row` is answered with several numbers, of which the first is the value.
    With a `problem` it cannot be asked."""

    name: str
    query: str
    limit: Limit | None = None
    stable: str = ""
    count: str = ""
    needed: float | None = None
    compares: bool = False
    row: bool = False
    problem: str = ""


class Questions(Struct, frozen=True):
    """`address` is the Prometheus that the controller asks (it may hold a password); empty if none is known. `share`
    asks for the canary's part of all requests, and `requests` for how many those were; empty if no one counts.
    `everybody` is the selector that canary and stable have in common; empty if no query tells them apart."""

    address: str = ""
    metrics: tuple[Question, ...] = ()
    share: str = ""
    requests: str = ""
    everybody: str = ""


def questions(snapshot: Snapshot, settings: Settings | None) -> Questions:
    """From the runs of the update; before its first one from canary.yaml, if that is of this
    Rollout; without it from the runs of earlier revisions. Metrics of other providers are left
    out."""
    rollout = snapshot.rollout
    runs = snapshot.attempt
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
        requests=all_requests(counted) if counted else "",
        everybody=next(filter(None, (everybody(m.query) for m in asked.values())), ""),
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


@lru_cache(maxsize=64)  # the same few in every look of a live screen
def _question(metric: Metric, address: str) -> Question:
    query, problem = metric.query.strip(), ""
    if re.search(ARGUMENT, query + metric.address) or MASK in query:
        problem = "it is asked with the value of a Secret"
    elif metric.address and metric.address != address:
        problem = "it is asked of another Prometheus"
    counted = guard(query)
    needed = requests_needed(metric.success_condition)
    return Question(
        name=metric.name,
        query=query,
        limit=limit_of(metric.success_condition, metric.failure_condition),
        stable=of_stable(query),
        count=counted.count if counted else "",
        needed=needed or (counted.needed if counted else None),
        compares=compares(query),
        row=is_row(query),
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
