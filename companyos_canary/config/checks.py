"""What the shapes do not say: ranges, units and names. A Document becomes Settings."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from companyos_canary.config import names, units
from companyos_canary.config.checker import Checker
from companyos_canary.config.document import AnalysisDocument, Document, StepDocument
from companyos_canary.config.metric import metrics
from companyos_canary.config.nodes import Path
from companyos_canary.config.reading import Source
from companyos_canary.config.settings import MANUAL, Analysis, Prometheus, Settings, Step

SHORTEST_ANALYSIS = timedelta(seconds=4)
_MATCHER = r'[A-Za-z_][A-Za-z0-9_]*\s*(=|!=|=~|!~)\s*"([^"\\\n]|\\.)*"'
_SCOPE = re.compile(rf"\s*({_MATCHER}\s*(,\s*{_MATCHER}\s*)*,?\s*)?")


def settings(source: Source, document: Document) -> Settings:
    """The settings a document stands for; ConfigError with file, line and field for a wrong value.
    What the environment and other files add is the caller's."""
    check = Checker(source)
    rollout = check.name(("rollout",), document.rollout, names.NAME)
    namespace = check.name(("namespace",), document.namespace, names.NAMESPACE)
    app = check.name(("app",), document.app or rollout, names.NAMESPACE)
    container = check.name(("container",), document.container or rollout, names.NAMESPACE)
    check.that(names.REPOSITORY.fullmatch(document.image), ("image",))
    check.that(0 <= (document.replicas or 0) <= 2**31 - 1, ("replicas",))
    check.that(1 <= document.port <= 65535, ("port",))
    _check_pod(check, document.pod, container, app)
    return Settings(
        rollout=rollout,
        namespace=namespace,
        image=document.image,
        app=app,
        container=container,
        replicas=document.replicas,
        port=document.port,
        progress_deadline=check.seconds(("progress_deadline",), document.progress_deadline),
        steps=_steps(check, document.steps),
        analysis=_analysis(check, document.analysis),
        prometheus=Prometheus(
            check.address(("prometheus", "url"), document.prometheus.url),
            check.address(("prometheus", "cli_url"), document.prometheus.cli_url, or_auto=True),
        ),
        metrics=metrics(check, document),
        pod=document.pod,
        link_texts={name: check.link(("links", name), text) for name, text in document.links.items()},
    )


def _steps(check: Checker, documents: tuple[StepDocument, ...]) -> tuple[Step, ...]:
    check.that(documents, ("steps",), found="an empty list")
    found: list[Step] = []
    for index, document in enumerate(documents):
        path: Path = ("steps", index)
        least = found[-1].weight if found else 1
        check.that(least <= document.weight <= 100, (*path, "weight"))
        judged = document.analysis is not None or document.pause is not None
        neither = "neither `analysis` nor `pause`"
        check.that(judged, path, "one of them or both beside `weight`", neither)
        found.append(_step(check, path, document))
    return tuple(found)


def _step(check: Checker, path: Path, document: StepDocument) -> Step:
    analysis: timedelta | None = None
    if document.analysis is not None:
        analysis = check.unit((*path, "analysis"), units.duration, document.analysis)
        check.that(analysis and analysis >= SHORTEST_ANALYSIS, (*path, "analysis"))
    if document.pause is None:
        return Step(document.weight, analysis)
    if document.pause == MANUAL:
        return Step(document.weight, analysis, MANUAL)
    return Step(document.weight, analysis, check.seconds((*path, "pause"), document.pause))


def _analysis(check: Checker, document: AnalysisDocument) -> Analysis:
    path: Path = ("analysis",)
    window = document.window
    check.that(1 <= document.min_requests <= 10**9, (*path, "min_requests"))
    plain = _SCOPE.fullmatch(document.scope) and "{{" not in document.scope
    check.that(plain, (*path, "scope"))
    return Analysis(
        window=None if window is None else check.seconds((*path, "window"), window),
        min_requests=document.min_requests,
        no_data=document.no_data,
        scope=document.scope.strip().removesuffix(",").rstrip(),
        by_hash=document.by_hash,
    )


def _check_pod(check: Checker, pod: Mapping[str, Any], container: str, app: str) -> None:
    """The image is ours, the label `app` selects, and every container has a name."""
    path: Path = ("pod",)
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
