"""A release of canary.yaml before it happens: its steps with their times, and what would be judged too rarely."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from msgspec import Struct

from companyos_canary.analysis import evidence
from companyos_canary.analysis.evidence import BUCKETS, DECISIONS, REQUESTS
from companyos_canary.argo.limits import limit_of
from companyos_canary.argo.replicas import limits, target
from companyos_canary.argo.steps import scale_of
from companyos_canary.model.outcome import Chance, PlannedStep, Warned
from companyos_canary.model.quantity import format_duration, parse_duration, percent_of
from companyos_canary.model.rollout import Step
from companyos_canary.render.evidence import NAMES, at_least, boundaries
from companyos_canary.render.questions import guard
from companyos_canary.render.steps import SECOND
from companyos_canary.trials import Behaviour, Load, PlayedStep, resolved

_ANY_POD = {"scope": "", "canary-hash": ".*"}  # the simulated pods have no further labels
_ALPHA = 0.01
_RARELY = 0.9  # of releases with twice the errors; fewer deserve advice
_FAR = 20  # times as many errors before a limit is crossed


class RuleStep(Struct, frozen=True):
    """A weight with the spec of its analysis, its arguments put in (None: nothing is judged that can be simulated)."""

    weight: int
    percent: float
    share: float
    pods: int | None
    spec: Mapping[str, Any] | None
    pause: timedelta
    waits_for_a_person: bool

    @property
    def metric(self) -> Mapping[str, Any]:
        """One of them: all are asked at the same times."""
        return (self.spec or {"metrics": [{}]})["metrics"][0]  # type: ignore[no-any-return]


class PlannedRule(Struct, frozen=True):
    """What is simulated. `scope` are the label matchers of its queries, `address` whom they ask. `left_out` are the
    names of metrics about which nothing is known."""

    rollout: str
    namespace: str
    steps: tuple[RuleStep, ...]
    left_out: tuple[str, ...]
    scope: str
    address: str

    def played(self) -> tuple[PlayedStep, ...]:
        return tuple(PlayedStep(s.percent, s.spec, s.pause.total_seconds(), s.share / 100) for s in self.steps)

    def metrics(self) -> tuple[Mapping[str, Any], ...]:
        """Each of them, as its first step asks it."""
        found = {m["name"]: m for s in reversed(self.steps) if s.spec for m in s.spec["metrics"]}
        return tuple(found.values())

    @property
    def burst(self) -> float:
        """So many errors at a time are no evidence to it."""
        return evidence.burst(str(self.metrics()[0].get("failureCondition") or ""))


def planned_rule(objects: Sequence[Mapping[str, Any]], replicas: int | None) -> PlannedRule:
    """The rule of a Rollout and its AnalysisTemplates, rendered or live."""
    rollout = next(o for o in objects if o["kind"] == "Rollout")
    templates = {o["metadata"]["name"]: o["spec"] for o in objects if o["kind"] == "AnalysisTemplate"}
    canary = rollout["spec"]["strategy"].get("canary") or {}
    groups: list[list[Mapping[str, Any]]] = []
    for step in canary.get("steps") or []:
        if "setWeight" in step:
            groups.append([])
        if groups:
            groups[-1].append(step)
    left_out: set[str] = set()
    steps = tuple(_step(group, templates, canary, replicas, left_out) for group in groups)
    known = [a for spec in templates.values() for a in spec.get("args") or []]
    scope = next((a.get("value") or "" for a in known if a["name"] == "scope"), "")
    address = next((a.get("value") or "" for a in known if a["name"] == "prometheus"), "")
    meta = rollout["metadata"]
    return PlannedRule(meta["name"], meta.get("namespace", ""), steps, tuple(sorted(left_out)), scope, address)


def _step(
    group: Sequence[Mapping[str, Any]],
    templates: Mapping[str, Mapping[str, Any]],
    canary: Mapping[str, Any],
    replicas: int | None,
    left_out: set[str],
) -> RuleStep:
    weight = int(group[0]["setWeight"])
    asked = percent_of(weight, scale_of(canary))
    share, pods = _share(canary, asked, replicas)
    metrics: list[Mapping[str, Any]] = []
    for reference in (r for s in group for r in (s.get("analysis") or {}).get("templates") or []):
        spec = templates.get(reference.get("templateName", ""), {"metrics": []})
        args = [{**a, "value": _ANY_POD.get(a["name"], a.get("value"))} for a in spec.get("args") or []]
        for metric in spec["metrics"]:
            if is_ours(metric):
                metrics += resolved({"args": args, "metrics": [metric]})["metrics"]
            else:
                left_out.add(metric["name"])
    pauses = [Step.from_object(s) for s in group if "pause" in s]
    return RuleStep(
        weight=weight,
        percent=asked,
        share=share,
        pods=pods,
        spec={"metrics": metrics} if metrics else None,
        pause=sum((p.duration for p in pauses if p.duration is not None), timedelta()),
        waits_for_a_person=any(p.duration is None for p in pauses),
    )


def is_ours(metric: Mapping[str, Any]) -> bool:
    """It asks about requests, latencies or decisions by the names that the simulated pods have."""
    return metric["name"] in NAMES and any(n in _query(metric) for n in (REQUESTS, BUCKETS, DECISIONS))


def _share(canary: Mapping[str, Any], weight: float, replicas: int | None) -> tuple[float, int | None]:
    """The share of the traffic in percent, and by how many pods; by a traffic router, or without a number of
    replicas, it is the weight."""
    if replicas is None or canary.get("trafficRouting"):
        return float(weight), None
    pods = target(replicas, round(weight), limits(replicas, canary.get("maxSurge"), canary.get("maxUnavailable")).surge)
    total = pods.canary + pods.stable
    return 100 * pods.canary / total if total else 0.0, pods.canary


def planned(asked: PlannedRule, rate: float) -> tuple[PlannedStep, ...]:
    """The steps in their order, if no pod takes long to start."""
    return tuple(_planned(asked, rate))


def _planned(asked: PlannedRule, rate: float) -> Iterator[PlannedStep]:
    at, most = timedelta(), timedelta()
    for number, step in enumerate(asked.steps, 1):
        start, metric = at, step.metric
        looks = int(metric.get("consecutiveSuccessLimit") or metric.get("count") or 1) if step.spec else 0
        window = _duration(evidence.window(_query(metric)))
        if step.spec:
            first, interval = _duration(metric.get("initialDelay")), _duration(metric.get("interval"))
            at += first + interval * (looks - 1) + SECOND
            most += first + interval * (max(looks, int(metric.get("count") or 1)) - 1) + SECOND
        yield PlannedStep(
            number=number,
            weight=step.weight,
            percent=step.percent,
            share=step.share,
            pods=step.pods,
            starts_after_seconds=start,
            ends_after_seconds=at + step.pause,
            at_most_after_seconds=most + step.pause,
            looks=looks,
            window_seconds=window,
            requests=rate * step.share / 100 * min(window, at - start).total_seconds(),
            waits_for_a_person=step.waits_for_a_person,
        )
        at, most = at + step.pause, most + step.pause


def _query(metric: Mapping[str, Any]) -> str:
    return ((metric.get("provider") or {}).get("prometheus") or {}).get("query") or ""


def _duration(text: str | None) -> timedelta:
    try:
        return parse_duration(text or "0s")
    except ValueError:
        return timedelta()


def plan_warnings(
    asked: PlannedRule, load: Load, steps: Sequence[PlannedStep], chances: Sequence[Chance], *, latencies: bool
) -> tuple[Warned, ...]:
    """What cannot be judged, or only late, and which change helps. `latencies`: the histogram is the service's."""
    few = tuple(_few_requests(asked, load.rate, steps))
    short = tuple(_short_windows(steps, timedelta(seconds=load.scrape)))
    limit = {m["name"]: limit_of(m.get("successCondition", ""), m.get("failureCondition", "")) for m in asked.metrics()}
    p95, errors = limit.get("latency-p95"), limit.get("error-rate")
    return (
        *short,
        *few,
        *(_far_limit(errors.value, load.stable.errors) if errors else ()),
        *_clumps(asked, load.stable),
        *(boundaries(p95.value, load.bounds) if p95 and latencies and not _has_boundary(asked, p95.value) else ()),
        *_wrong_about_good_ones(asked, chances),
        *(() if few or short else _slow(load, steps, chances)),
    )


def _short_windows(steps: Sequence[PlannedStep], scrape: timedelta) -> Iterator[Warned]:
    """A rate needs two samples."""
    for window in sorted({s.window_seconds for s in steps if s.looks and s.window_seconds < 2 * scrape}):
        yield Warned(
            "window-too-short",
            f"a window of {format_duration(window)} has fewer than two scrapes if pods are scraped every "
            f"{format_duration(scrape)}, so its queries often answer nothing. Take a longer `analysis.window`, or give "
            "--scrape-interval",
        )


def _few_requests(asked: PlannedRule, rate: float, steps: Sequence[PlannedStep]) -> Iterator[Warned]:
    for s, step in zip(steps, asked.steps, strict=True):
        least = evidence.requests_needed(step.metric.get("successCondition") or "")
        if found := guard(_query(step.metric)):
            least = least or found.needed
        full = rate * s.share / 100 * s.window_seconds.total_seconds()
        if least and s.looks and full < least:
            window = format_duration(s.window_seconds)
            needed = least / (rate * s.window_seconds.total_seconds()) * 100
            warmed = _duration(step.metric.get("initialDelay")) > s.window_seconds
            longer = "a longer `analysis` of the step" if warmed else "a longer `analysis.window`"
            better = f"a weight of {math.ceil(needed)} %, " if needed <= 100 else ""
            yield Warned(
                "few-requests",
                f"step {s.number} cannot be judged: {full:.0f} of {least:.0f} requests in {window}; it stops for a "
                f"person. What helps: {better}{longer}, or fewer `analysis.min_requests`",
            )


def _far_limit(limit: float, errors: float) -> Iterator[Warned]:
    if 0 < errors * _FAR < limit:
        times = f"{limit / errors:.0f} times as many"
        yield Warned(
            "far-limit",
            f"error-rate: with {_percent(errors)} errors only {times} cross the limit of {_percent(limit)}; "
            "what is less is up to error-ratio",
        )


def _clumps(asked: PlannedRule, stable: Behaviour) -> Iterator[Warned]:
    if stable.clumps >= 1.5 * asked.burst and all(evidence.is_row(_query(m)) for m in asked.metrics()):
        yield Warned(
            "burst",
            f"errors came about {stable.clumps} at a time in the last hour, or differed as much between pods: the rule "
            f"takes them for evidence. Write `analysis: {{burst: {stable.clumps}}}`",
        )


def _has_boundary(asked: PlannedRule, limit: float) -> bool:
    """Whether requests count as slow beyond a boundary of its own, not beyond the limit."""
    query = next((_query(m) for m in asked.metrics() if m["name"] == "latency-p95"), "")
    return evidence.is_row(query) and at_least(limit) not in query


def _wrong_about_good_ones(asked: PlannedRule, chances: Sequence[Chance]) -> Iterator[Warned]:
    good = next((c for c in chances if c.times == 1), None)
    if good and good.rolled_back > 0.02 and not all(evidence.is_row(_query(m)) for m in asked.metrics()):
        yield Warned(
            "false-roll-backs",
            f"it would roll back {good.rolled_back:.0%} of the versions that are as good as the stable one; "
            "`analysis.form: evidence` asks whether chance explains a value before it fails",
        )


def _slow(load: Load, steps: Sequence[PlannedStep], chances: Sequence[Chance]) -> Iterator[Warned]:
    """More traffic for the canary is evidence sooner."""
    double = next((c for c in chances if c.times == 2), None)
    judged = [s for s in steps if s.looks and 0 < s.share < 100]
    if double is None or double.rolled_back >= _RARELY or not judged or not load.stable.errors or not load.rate:
        return
    first = judged[0].share
    now = _sure_of_double(load.rate, load.stable.errors, first / 100)
    more = next((w for w in (25.0, 50.0) if w > 1.5 * first), None)
    better = ""
    if more:
        then = _sure_of_double(load.rate, load.stable.errors, more / 100)
        better = f", and {format_duration(_minutes(then))} at {more:.0f} %: a larger weight or a longer analysis helps"
    yield Warned(
        "slow", f"twice the errors are sure after about {format_duration(_minutes(now))} at {first:.0f} %{better}"
    )


def _sure_of_double(rate: float, errors: float, weight: float) -> timedelta:
    """How long errors that are twice as frequent take to be sure: as many as ln(1/alpha) over the divergence of the
    canary's part in them from its `weight`, a share of 1."""
    all_ = 1 + weight  # of the stable version's
    own = 2 * weight / all_
    divergence = own * math.log(own / weight) + (1 - own) * math.log((1 - own) / (1 - weight))
    needed = math.log(1 / _ALPHA) / divergence / (errors * all_)
    return timedelta(seconds=needed / rate)


def _minutes(span: timedelta) -> timedelta:
    seconds = span.total_seconds()
    return timedelta(seconds=max(1, round(seconds) if seconds < 60 else 60 * round(seconds / 60)))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
