"""What the shapes do not say: ranges, units and names. A Document becomes Settings."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal

from companyos_canary.config.document import ALLOWED, AnalysisDocument, Document, MetricDocument, StepDocument, key_of
from companyos_canary.config.settings import (
    MANUAL,
    NAME,
    NAMESPACE_NAME,
    REPOSITORY,
    Analysis,
    MetricSettings,
    PrometheusSettings,
    Settings,
    StepSettings,
    TrafficSettings,
    limit,
    parsed_duration,
)
from companyos_canary.config.source import FieldPath, Source
from companyos_canary.config.traffic import blue_green_settings, step_pods, traffic_settings
from companyos_canary.model.abort_on import OF_PODS, AbortOn
from companyos_canary.model.quantity import parse_duration

_ADDRESS = r"https?://[^\s/?#]+[^\s]*"
_FILLED_IN = r"\{(\w*)\}"


class Checker:
    """Every method answers the value it was given, typed, or raises ConfigError."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def that(self, good: Any, path: FieldPath, allowed: str | None = None, found: str | None = None) -> None:
        """Refuses unless `good`; the texts are those of the table and of the file if not given."""
        if not good:
            self.source.refuse(path, allowed or ALLOWED[key_of(path)], found=found)

    def name(self, path: FieldPath, value: str, pattern: str) -> str:
        self.that(re.fullmatch(pattern, value), path)
        return value

    def unit(self, path: FieldPath, read: Callable[[Any], Any], value: Any) -> Any:
        """The value as `read` understands it; its ValueError becomes ours."""
        try:
            return read(value)
        except (ValueError, OverflowError):
            self.source.refuse(path, ALLOWED[key_of(path)])

    def seconds(self, path: FieldPath, text: str) -> timedelta:
        """A duration of whole seconds."""
        value: timedelta = self.unit(path, parsed_duration, text)
        self.that(not value % timedelta(seconds=1), path)
        return value

    def seconds_if_any(self, path: FieldPath, text: str | None) -> timedelta | None:
        return None if text is None else self.seconds(path, text)

    def pause(self, path: FieldPath, text: str) -> timedelta | Literal["manual"]:
        """How long it waits, or that it waits for a person."""
        return MANUAL if text == MANUAL else self.seconds(path, text)

    def analysis(self, path: FieldPath, text: str | None) -> timedelta | None:
        """How long an analysis lasts, if there is one."""
        if text is None:
            return None
        length: timedelta = self.unit(path, parsed_duration, text)
        self.that(length >= SHORTEST_ANALYSIS, path)
        return length

    def address(self, path: FieldPath, text: str, *, or_auto: bool = False) -> str:
        self.that(re.fullmatch(_ADDRESS, text) or (or_auto and text == "auto"), path)
        return text

    def link(self, path: FieldPath, text: str) -> str:
        """An address in which only `{namespace}` and `{rollout}` represent something."""
        self.that({"namespace", "rollout"}.issuperset(re.findall(_FILLED_IN, text)), path)
        return text


Direction = Literal["below", "above"]
GUIDE: dict[str, tuple[Direction, float]] = {
    "error-rate": ("below", 0.05),
    "latency-p95": ("below", 0.3),
    "latency-ratio": ("below", 1.2),
    "error-ratio": ("below", 1.5),
    "opa-success": ("above", 0.99),
}
_MOST: dict[str, tuple[float, str]] = {
    "error-rate": (1.0, "a share up to 100%, such as 5%"),
    "opa-success": (1.0, "a share up to 100%, such as 99%"),
    "latency-p95": (60.0, "up to 60s; a plain number is in seconds, so write 300ms"),
}
"""Limits beyond which something else was meant: `latency-p95: {below: 300}` is 300 s."""
ARGUMENTS = ("prometheus", "window", "min-requests", "error-floor", "canary-hash", "scope")
_TAG = r"(?s)\{\{(.*?)(\}\}|$)"
_KNOWN = {f"args.{name}" for name in ARGUMENTS}


def _metrics(check: Checker, document: Document) -> tuple[MetricSettings, ...]:
    """The guide's five without those set to null, then the user's own in the file's order."""
    given = document.metrics
    found = []
    guide = GUIDE if document.manage == "all" else ()  # whatever judges a Rollout alone is not canary's
    for name in (*guide, *(n for n in given if n not in guide)):
        wanted = given.get(name, MetricDocument() if name in GUIDE else None)
        if wanted is not None:
            found.append(_metric(check, name, wanted, document.analysis))
    check.that(found or document.manage == "rollout", ("metrics",), "at least one", "no metric that is not `null`")
    return tuple(found)


def _metric(check: Checker, name: str, given: MetricDocument, defaults: AnalysisDocument) -> MetricSettings:
    path: FieldPath = ("metrics", name)
    check.that("{{" not in name, path, "a name without `{{`", "an argument in the name")
    check.that(name.isprintable(), path, "a name on one line", "a character that cannot be seen")
    if given.query is not None:
        _query(check, path, given)
    elif name not in GUIDE:
        allowed = "a PromQL query that returns one number, since this is not one of the guide's metrics"
        check.that(False, path, allowed, "no `query`")
    direction, limit = _limit(check, path, given)
    return MetricSettings(
        name=name,
        direction=direction,
        limit=limit,
        query=given.query,
        form=given.form or defaults.form,
        no_data=given.no_data or defaults.no_data,
        burst=defaults.burst,
        boundary=_boundary(check, path, given),
    )


def _boundary(check: Checker, path: FieldPath, given: MetricDocument) -> float | None:
    if given.boundary is None:
        return None
    here = path[1] == "latency-p95" and given.query is None
    check.that(here, (*path, "boundary"), "with the guide's latency-p95 alone", f"with {path[1]}")
    seconds: float = check.unit((*path, "boundary"), limit, given.boundary)
    check.that(0 < seconds <= _MOST["latency-p95"][0], (*path, "boundary"), "more than 0s and up to 60s")
    return seconds


def _limit(check: Checker, path: FieldPath, given: MetricDocument) -> tuple[Direction, float]:
    """Which side of which number is good. A guide's metric keeps its side: an error rate that must
    be above its limit is a slip."""
    guide = GUIDE.get(str(path[1]))
    limits: list[tuple[Direction, float | str | None]] = [("below", given.below), ("above", given.above)]
    stated = [(side, value) for side, value in limits if value is not None]
    check.that(len(stated) < 2, path, "one of them", "both `below` and `above`")
    if not stated:
        check.that(guide, path, "one of them", "neither `below` nor `above`")
        return guide or ("below", 0.0)
    direction, value = stated[0]
    if guide and given.query is None:
        allowed = f"`{guide[0]}`: `{path[1]}` is good {guide[0]} its limit"
        check.that(direction == guide[0], path, allowed, f"`{direction}`")
    number: float = check.unit((*path, direction), limit, value)
    if given.query is None and str(path[1]) in _MOST:
        most, allowed = _MOST[str(path[1])]
        check.that(number <= most, (*path, direction), allowed)
    if given.query is None and direction == "below":
        check.that(number > 0, (*path, direction), "a limit above 0: this metric is never below it")
    elif given.query is None:
        check.that(0 <= number < 1, (*path, direction), "a limit from 0 to less than 100%")
    return direction, number


def _query(check: Checker, path: FieldPath, given: MetricDocument) -> None:
    query = given.query or ""
    check.that(query.strip(), (*path, "query"))
    check.that(given.form is None, (*path, "form"), "no `form` together with a `query`")
    known = ", ".join(f"`{{{{args.{name}}}}}`" for name in ARGUMENTS)
    check.that(_resolves(query), (*path, "query"), f"between {{{{ }}}} one of {known}")


def _resolves(text: str) -> bool:
    """Whether the controller finds an argument for each `{{ }}`, read from the left as it does:
    `{{{args.scope}}}` has none, `{ {{args.scope}} }` has."""
    return all(tag[1].strip(" ") in _KNOWN and tag[2] for tag in re.finditer(_TAG, text))


SHORTEST_ANALYSIS, _LONGEST_WARMUP = timedelta(seconds=4), timedelta(hours=1)
_MATCHER = r'[A-Za-z_][A-Za-z0-9_]*\s*(=|!=|=~|!~)\s*"([^"\\\n]|\\.)*"'
_SCOPE = rf"\s*({_MATCHER}\s*(,\s*{_MATCHER}\s*)*,?\s*)?"


def settings(source: Source, document: Document) -> Settings:
    """The settings a document represents; ConfigError with file, line and field for a wrong value.
    What the environment and other files add is the caller's."""
    check = Checker(source)
    rollout = check.name(("rollout",), document.rollout, NAME)
    namespace = check.name(("namespace",), document.namespace, NAMESPACE_NAME)
    app = check.name(("app",), document.app or rollout, NAMESPACE_NAME)
    container = check.name(("container",), document.container or rollout, NAMESPACE_NAME)
    check.that(re.fullmatch(REPOSITORY, document.image), ("image",))
    check.that(0 <= (document.replicas or 0) <= 2**31 - 1, ("replicas",))
    check.that(1 <= document.port <= 65535, ("port",))
    _check_pod(check, document.pod, container, app)
    split = traffic_settings(check, document.traffic, rollout)
    switch = blue_green_settings(check, document)
    return Settings(
        rollout=rollout,
        namespace=namespace,
        image=document.image,
        app=app,
        container=container,
        replicas=document.replicas,
        port=document.port,
        progress_deadline=check.seconds(("progress_deadline",), document.progress_deadline),
        abort_on=_abort_on(check, document.abort_on),
        manage=document.manage,
        blue_green=switch,
        traffic=split,
        steps=() if switch else _steps(check, document.steps, split),
        analysis=_analysis(check, document.analysis),
        prometheus=PrometheusSettings(
            check.address(("prometheus", "url"), document.prometheus.url),
            check.address(("prometheus", "cli_url"), document.prometheus.cli_url, or_auto=True),
        ),
        metrics=_metrics(check, document),
        pod=document.pod,
        link_texts={name: check.link(("links", name), text) for name, text in document.links.items()},
    )


def _abort_on(check: Checker, conditions: tuple[str, ...]) -> AbortOn:
    words, stuck = list[str](), None
    for index, condition in enumerate(conditions):
        name, equals, value = condition.partition("=")
        if name == "stuck" and equals:
            stuck = check.unit(("abort_on", index), parsed_duration, value)
        else:
            check.that(condition in OF_PODS, ("abort_on", index))
            words.append(condition)
    return AbortOn(tuple(dict.fromkeys(words)), stuck)


def _steps(
    check: Checker, documents: tuple[StepDocument, ...], split: TrafficSettings | None
) -> tuple[StepSettings, ...]:
    check.that(documents, ("steps",), found="an empty list")
    found: list[StepSettings] = []
    for index, document in enumerate(documents):
        path: FieldPath = ("steps", index)
        least = found[-1].weight if found else 1
        check.that(least <= document.weight <= 100, (*path, "weight"))
        judged = document.analysis is not None or document.pause is not None
        neither = "neither `analysis` nor `pause`"
        check.that(judged, path, "one or both, together with `weight`", neither)
        analysis = check.analysis((*path, "analysis"), document.analysis)
        pause = None if document.pause is None else check.pause((*path, "pause"), document.pause)
        pods = step_pods(check, split, document.pods, path)
        found.append(StepSettings(document.weight, analysis, pause, pods))
    return tuple(found)


def _analysis(check: Checker, document: AnalysisDocument) -> Analysis:
    path: FieldPath = ("analysis",)
    check.that(1 <= document.min_requests <= 10**9, (*path, "min_requests"))
    check.that(1 <= document.burst <= 100, (*path, "burst"))
    warmup: timedelta = check.unit((*path, "warmup"), parse_duration, document.warmup)
    check.that(timedelta() <= warmup <= _LONGEST_WARMUP and not warmup % timedelta(seconds=1), (*path, "warmup"))
    scope = document.scope
    check.that(scope is None or (re.fullmatch(_SCOPE, scope) and "{{" not in scope), (*path, "scope"))
    return Analysis(
        window=check.seconds_if_any((*path, "window"), document.window),
        min_requests=document.min_requests,
        no_data=document.no_data,
        scope=None if scope is None else scope.strip().removesuffix(",").rstrip(),
        by_hash=document.by_hash,
        longest=check.seconds_if_any((*path, "max"), document.max),
        burst=document.burst,
        warmup=warmup,
    )


def _check_pod(check: Checker, pod: Mapping[str, Any], container: str, app: str) -> None:
    """The image is ours, the label `app` selects, and every container has a name."""
    path: FieldPath = ("pod",)
    spec, meta = pod.get("spec") or {}, pod.get("metadata") or {}
    check.that(isinstance(spec, Mapping), path, "a mapping as `spec`")
    check.that(isinstance(meta, Mapping), path, "`metadata` with `labels` and `annotations`")
    for field in ("containers", "initContainers"):
        items = [*_items(check, pod, field), *_items(check, spec, field)]
        for item in items:
            named = isinstance(item, Mapping) and isinstance(item.get("name"), str)
            check.that(named, path, f"a `name` for each of the `{field}`", "one without")
            ours = item["name"] == container and "image" in item
            allowed = f"none for `{container}`: it comes from `image` and the version"
            check.that(not ours, path, allowed, "an `image`")
    labels = meta.get("labels") or {}
    check.that(isinstance(labels, Mapping), path, "a mapping as `labels`")
    check.that(labels.get("app", app) == app, path, f"`{app}`", "another label `app`")


def _items(check: Checker, spec: Mapping[str, Any], field: str) -> list[Any]:
    items = spec.get(field) or []
    check.that(isinstance(items, list), ("pod",), f"a list as `{field}`")
    return list(items)
