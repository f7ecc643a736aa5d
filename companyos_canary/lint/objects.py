"""The objects of the files, and which of them belongs to which."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from companyos_canary.lint.documents import Document
from companyos_canary.lint.paths import Path, below
from companyos_canary.lint.rendered import Rendered

Json = Mapping[str, Any]

ARGO = "argoproj.io"
_GROUPS = {
    "Rollout": ARGO,
    "AnalysisTemplate": ARGO,
    "ClusterAnalysisTemplate": ARGO,
    "Experiment": ARGO,
    "Application": ARGO,
    "Service": "",
    "Ingress": "networking.k8s.io",
    "HorizontalPodAutoscaler": "autoscaling",
    "VirtualService": "networking.istio.io",
    "HTTPRoute": "gateway.networking.k8s.io",
}


@dataclass(frozen=True, eq=False)
class Object:
    """An object of Kubernetes in a document; `at` is its path there (empty, or in the items of a List)."""

    document: Document | Rendered
    at: Path
    data: Json

    @property
    def kind(self) -> str:
        """The kind if it is one that lint knows, of its own group; else empty."""
        kind, version = self.data.get("kind"), self.data.get("apiVersion")
        group = version.rpartition("/")[0] if isinstance(version, str) else ""
        return kind if isinstance(kind, str) and _GROUPS.get(kind) == group else ""

    @property
    def name(self) -> str:
        return str(below(self.data, "metadata", "name") or below(self.data, "metadata", "generateName") or "")

    @property
    def namespace(self) -> str:
        """Empty if it is left to whoever applies it."""
        return str(below(self.data, "metadata", "namespace") or "")

    @property
    def spec(self) -> Json:
        spec = self.data.get("spec")
        return spec if isinstance(spec, Mapping) else {}

    def line(self, path: Path) -> int:
        return self.document.line((*self.at, *path))


def objects_in(document: Document) -> Iterator[Object]:
    """The object of a document, or those of a List; nothing for what is not an object of Kubernetes."""
    waiting: list[tuple[Path, Any]] = [((), document.root.data)]
    while waiting:
        at, data = waiting.pop(0)
        if not isinstance(data, Mapping) or not isinstance(data.get("kind"), str):
            continue
        items = data.get("items")
        if data["kind"].endswith("List") and isinstance(items, list):
            waiting += [((*at, "items", index), item) for index, item in enumerate(items)]
        elif isinstance(data.get("apiVersion"), str):
            yield Object(document, at, data)


@dataclass(frozen=True, eq=False)
class World:
    """All objects that were read together."""

    objects: tuple[Object, ...]

    @cached_property
    def _by_kind(self) -> Mapping[str, tuple[Object, ...]]:
        kinds = dict.fromkeys(o.kind for o in self.objects)
        return {kind: tuple(o for o in self.objects if o.kind == kind) for kind in kinds}

    def of(self, *kinds: str) -> tuple[Object, ...]:
        return tuple(o for kind in kinds for o in self._by_kind.get(kind, ()))

    def find(self, kind: str, name: str, beside: Object) -> Object | None:
        """The object of a name in the namespace of another one."""
        return next((o for o in self.of(kind) if o.name == name and together(o, beside)), None)

    def template(self, name: str, cluster: bool, beside: Object) -> Object | None:
        if cluster:
            return next((o for o in self.of("ClusterAnalysisTemplate") if o.name == name), None)
        return self.find("AnalysisTemplate", name, beside)


def together(one: Object, other: Object) -> bool:
    """Whether two objects may be in one namespace."""
    return one.namespace == other.namespace or "" in (one.namespace, other.namespace)


@dataclass(frozen=True, eq=False)
class Case:
    """An object with all others: what a rule looks at."""

    object: Object
    world: World


def named_services(rollout: Object) -> Iterator[tuple[Path, str]]:
    """The Services that a Rollout names: the path of the field, and the name."""
    for strategy, names in _SERVICES.items():
        for name in names:
            at: Path = ("spec", "strategy", strategy, *name.split("."))
            if service := below(rollout.data, *at):
                yield at, service


_SERVICES = {
    "canary": ("stableService", "canaryService", "pingPong.pingService", "pingPong.pongService"),
    "blueGreen": ("activeService", "previewService"),
}


def analyses_of(rollout: Object) -> Iterator[tuple[Path, Json, bool]]:
    """The analyses of a Rollout: path, object, and whether it runs in the background."""
    canary = below(rollout.spec, "strategy", "canary") or {}
    at: Path = ("spec", "strategy", "canary")
    if canary.get("analysis"):
        yield (*at, "analysis"), canary["analysis"], True
    for index, step in enumerate(canary.get("steps") or ()):
        if step and step.get("analysis") is not None:
            yield (*at, "steps", index, "analysis"), step["analysis"], False
    blue_green = below(rollout.spec, "strategy", "blueGreen") or {}
    for name in ("prePromotionAnalysis", "postPromotionAnalysis"):
        if blue_green.get(name):
            yield ("spec", "strategy", "blueGreen", name), blue_green[name], False
