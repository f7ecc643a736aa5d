"""What the shapes do not say: ranges, units, names, and the guide's five metrics as defaults."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal

from companyos_canary.config import names, units
from companyos_canary.config.document import (
    ALLOWED,
    AnalysisDocument,
    Document,
    MetricDocument,
    StepDocument,
)
from companyos_canary.config.reading import Path, Source
from companyos_canary.config.settings import MANUAL, Analysis, Metric, Prometheus, Settings, Step

SHORTEST_ANALYSIS = timedelta(seconds=4)
GUIDE: dict[str, tuple[Literal["below", "above"], float]] = {
    "error-rate": ("below", 0.05),
    "latency-p95": ("below", 0.3),
    "latency-ratio": ("below", 1.2),
    "error-ratio": ("below", 1.5),
    "opa-success": ("above", 0.99),
}
ARGUMENTS = ("prometheus", "window", "min-requests", "error-floor", "canary-hash", "scope")
_ARGUMENT = re.compile(r"\{\{ *args\.(" + "|".join(ARGUMENTS) + r") *\}\}")
_MATCHER = r'[A-Za-z_][A-Za-z0-9_]*\s*(=|!=|=~|!~)\s*"([^"\\\n]|\\.)*"'
_SCOPE = re.compile(rf"\s*({_MATCHER}\s*(,\s*{_MATCHER}\s*)*,?\s*)?")
_ADDRESS = re.compile(r"https?://[^\s/?#]+[^\s]*")
_FILLED_IN = re.compile(r"\{(\w*)\}")


def settings(source: Source, document: Document) -> Settings:
    """The settings a document stands for; ConfigError with file, line and field for a wrong value.

    `context`, `environment`, `merge` and `path` are the caller's to add.
    """
    check = Checker(source)
    rollout = check.name(("rollout",), document.rollout, names.NAME)
    namespace = check.name(("namespace",), document.namespace, names.NAMESPACE)
    app = check.name(("app",), document.app or rollout, names.NAME)
    container = check.name(("container",), document.container or rollout, names.NAMESPACE)
    check.that(names.REPOSITORY.fullmatch(document.image), ("image",))
    check.that(document.replicas is None or document.replicas >= 0, ("replicas",))
    check.that(1 <= document.port <= 65535, ("port",))
    check.pod(document.pod, container, app)
    return Settings(
        rollout=rollout,
        namespace=namespace,
        image=document.image,
        app=app,
        container=container,
        replicas=document.replicas,
        port=document.port,
        progress_deadline=check.seconds(("progress_deadline",), document.progress_deadline),
        steps=check.steps(document.steps),
        analysis=check.analysis(document.analysis),
        prometheus=Prometheus(
            check.address(("prometheus", "url"), document.prometheus.url),
            check.address(("prometheus", "cli_url"), document.prometheus.cli_url, or_auto=True),
        ),
        metrics=check.metrics(document),
        pod=document.pod,
        links={
            name: check.link(("links", name), text, rollout, namespace)
            for name, text in document.links.items()
        },
    )


class Checker:
    """Refuses a value with its place in the file."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def that(
        self, good: Any, path: Path, allowed: str | None = None, found: str | None = None
    ) -> None:
        if not good:
            self.source.refuse(path, allowed or ALLOWED[_general(path)], found=found)

    def name(self, path: Path, value: str, pattern: re.Pattern[str]) -> str:
        self.that(pattern.fullmatch(value), path)
        return value

    def unit(self, path: Path, read: Callable[[Any], Any], value: Any) -> Any:
        try:
            return read(value)
        except ValueError:
            self.source.refuse(path, ALLOWED[_general(path)])

    def seconds(self, path: Path, text: str) -> timedelta:
        value: timedelta = self.unit(path, units.duration, text)
        self.that(not value % timedelta(seconds=1), path)
        return value

    def address(self, path: Path, text: str, *, or_auto: bool = False) -> str:
        self.that(_ADDRESS.fullmatch(text) or (or_auto and text == "auto"), path)
        return text

    def link(self, path: Path, text: str, rollout: str, namespace: str) -> str:
        values = {"rollout": rollout, "namespace": namespace}
        self.that(all(n in values for n in _FILLED_IN.findall(text)), path)
        return _FILLED_IN.sub(lambda found: values[found[1]], text)

    def steps(self, documents: tuple[StepDocument, ...]) -> tuple[Step, ...]:
        self.that(documents, ("steps",), found="an empty list")
        result: list[Step] = []
        for index, document in enumerate(documents):
            path: Path = ("steps", index)
            least = result[-1].weight if result else 1
            self.that(least <= document.weight <= 100, (*path, "weight"))
            self.that(
                document.analysis is not None or document.pause is not None,
                path,
                "one of them or both beside `weight`",
                "neither `analysis` nor `pause`",
            )
            result.append(self.step(path, document))
        return tuple(result)

    def step(self, path: Path, document: StepDocument) -> Step:
        analysis: timedelta | None = None
        if document.analysis is not None:
            analysis = self.unit((*path, "analysis"), units.duration, document.analysis)
            self.that(analysis and analysis >= SHORTEST_ANALYSIS, (*path, "analysis"))
        if document.pause in (None, MANUAL):
            return Step(document.weight, analysis, MANUAL if document.pause else None)
        return Step(document.weight, analysis, self.seconds((*path, "pause"), str(document.pause)))

    def analysis(self, document: AnalysisDocument) -> Analysis:
        window = document.window
        path: Path = ("analysis",)
        self.that(document.min_requests >= 1, (*path, "min_requests"))
        self.that(_SCOPE.fullmatch(document.scope), (*path, "scope"))
        self.that("{{" not in document.scope, (*path, "scope"))
        return Analysis(
            window=None if window is None else self.seconds((*path, "window"), window),
            min_requests=document.min_requests,
            no_data=document.no_data,
            scope=document.scope.strip().removesuffix(","),
            by_hash=document.by_hash,
        )

    def metrics(self, document: Document) -> tuple[Metric, ...]:
        """The guide's five, changed or left out, then the user's own in the file's order."""
        given = document.metrics
        found = []
        for name in (*GUIDE, *(n for n in given if n not in GUIDE)):
            wanted = given.get(name, MetricDocument() if name in GUIDE else None)
            if wanted is not None:
                found.append(self.metric(name, wanted, document.analysis))
        self.that(found, ("metrics",), "at least one", "no metric that is not `null`")
        return tuple(found)

    def metric(self, name: str, given: MetricDocument, defaults: AnalysisDocument) -> Metric:
        path: Path = ("metrics", name)
        guide = GUIDE.get(name)
        own = "a PromQL query that answers one number, as this is none of the guide's metrics"
        self.that(guide or given.query is not None, path, own, "no `query`")
        self.that(
            given.below is None or given.above is None,
            path,
            "one of them",
            "both `below` and `above`",
        )
        direction: Literal["below", "above"] = "below"
        if given.below is not None or given.above is not None:
            direction = "below" if given.below is not None else "above"
            text = given.below if given.below is not None else given.above
            limit: float = self.unit((*path, direction), units.limit, text)
        else:
            self.that(guide, path, "one of them", "neither `below` nor `above`")
            direction, limit = guide or ("below", 0.0)
        if guide and given.query is None:
            allowed = f"`{guide[0]}`: `{name}` is good {guide[0]} its limit"
            self.that(direction == guide[0], (*path, direction), allowed)
        if given.query is not None:
            self.query(path, given)
        return Metric(
            name=name,
            direction=direction,
            limit=limit,
            query=given.query,
            form=given.form or defaults.form,
            no_data=given.no_data or defaults.no_data,
        )

    def query(self, path: Path, given: MetricDocument) -> None:
        query = (given.query or "").strip()
        self.that(query, (*path, "query"))
        self.that(given.form is None, (*path, "form"), "no form beside a `query` of your own")
        rest = _ARGUMENT.sub("", query)
        allowed = ", ".join(f"`{{{{args.{name}}}}}`" for name in ARGUMENTS)
        self.that(
            "{{" not in rest and "}}" not in rest, (*path, "query"), f"of {{{{…}}}} only {allowed}"
        )

    def pod(self, pod: Mapping[str, Any], container: str, app: str) -> None:
        """The image is ours, the label `app` selects, and every container has a name."""
        path: Path = ("pod",)
        spec = {**pod, **(pod.get("spec") or {})}
        containers = spec.get("containers") or []
        self.that(isinstance(containers, list), path, "a list of containers")
        for item in containers:
            good = isinstance(item, Mapping) and isinstance(item.get("name"), str)
            self.that(good, path, "a `name` for each of the `containers`")
            ours = item["name"] == container and "image" in item
            allowed = f"no `image` for `{container}`: it comes from `image` and the version"
            self.that(not ours, path, allowed)
        meta = pod.get("metadata") or {}
        labels = meta.get("labels") or {} if isinstance(meta, Mapping) else None
        self.that(isinstance(labels, Mapping), path, "`metadata` with `labels` and `annotations`")
        if isinstance(labels, Mapping):
            self.that(labels.get("app", app) == app, path, f"no label `app` but `{app}`")


def _general(path: Path) -> str:
    text = ""
    for index, part in enumerate(path):
        name = "*" if index == 1 and path[0] in ("metrics", "links") else part
        text += "[]" if isinstance(part, int) else f".{name}" if text else str(name)
    return text
