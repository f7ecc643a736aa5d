"""The objects of the files, which of them belongs to which, and where canary.yaml says what one of them has."""

import posixpath
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cached_property, lru_cache
from typing import Any

from msgspec import Struct

from companyos_canary.lint.documents import YamlDocument
from companyos_canary.lint.finding import Path, below
from companyos_canary.model.http import Fields

_ORIGINS: tuple[tuple[Path, Path], ...] = (
    (("spec", "strategy", "canary", "steps"), ("steps",)),
    (("spec", "replicas"), ("replicas",)),
    (("spec", "progressDeadlineSeconds"), ("progress_deadline",)),
    (("spec", "template", "spec"), ("pod",)),
)
_FALLBACK: Path = ("rollout",)
SCRAPE = timedelta(seconds=15)
"""How often Prometheus scrapes where no one says it."""


class Rendered(Struct, frozen=True, eq=False):
    """The objects of a canary.yaml, as a document; `names` are those of the metrics of each template."""

    source: YamlDocument
    names: dict[str, tuple[str, ...]]

    @property
    def file(self) -> str:
        return self.source.file

    @property
    def twice(self) -> tuple[()]:
        return ()

    def line(self, path: Path) -> int:
        """The line of the field from which the field at `path` (the number of the object, then the field) is made."""
        index, rest = str(path[0]), path[1:]
        if rest[:2] == ("spec", "metrics") and len(rest) > 2:
            name = self.names[index][int(rest[2])]
            return self._line(("metrics", name), ("analysis",))
        origin = next((to for of, to in _ORIGINS if rest[: len(of)] == of), _FALLBACK)
        return self._line(origin, _FALLBACK)

    def _line(self, *origins: Path) -> int:
        root = self.source.root
        for origin in (*origins, _FALLBACK):
            if below(root.data, *origin) is not None:
                return self.source.line(origin)
        return root.line


_ARGO = "argoproj.io"
_GROUPS = {
    "Rollout": _ARGO,
    "AnalysisTemplate": _ARGO,
    "ClusterAnalysisTemplate": _ARGO,
    "Experiment": _ARGO,
    "Application": _ARGO,
    "Service": "",
    "Ingress": "networking.k8s.io",
    "HorizontalPodAutoscaler": "autoscaling",
    "VirtualService": "networking.istio.io",
    "HTTPRoute": "gateway.networking.k8s.io",
}


class Manifest(Struct, frozen=True, eq=False):
    """An object of Kubernetes in a document; `at` is its path there (empty, or in the items of a List)."""

    document: YamlDocument | Rendered
    at: Path
    data: Fields

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
    def spec(self) -> Fields:
        spec = self.data.get("spec")
        return spec if isinstance(spec, Mapping) else {}

    @property
    def canary(self) -> Fields:
        """The canary strategy of a Rollout; empty without one."""
        return below(self.spec, "strategy", "canary") or {}

    def line(self, path: Path) -> int:
        return self.document.line((*self.at, *path))


def objects_in(document: YamlDocument) -> Iterator[Manifest]:
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
            yield Manifest(document, at, as_kubernetes(data, {}))


def as_kubernetes(data: Any, known: dict[int, Any]) -> Any:
    """The data as JSON has them: fields that are null are not there, and `2.0` is 2. `known` has what was done already,
    so that an alias stays one object."""
    if isinstance(data, float) and data.is_integer():
        return int(data)
    if not isinstance(data, dict | list):
        return data
    if id(data) in known:
        return known[id(data)]
    found: Any
    if isinstance(data, dict):
        found = {key: as_kubernetes(value, known) for key, value in data.items() if value is not None}
    else:
        found = [as_kubernetes(item, known) for item in data]
    known[id(data)] = found
    return found


class World(Struct, frozen=True, eq=False, dict=True):
    """All objects that were read together, and how often Prometheus scrapes them."""

    objects: tuple[Manifest, ...]
    scrape: timedelta = SCRAPE

    @cached_property
    def _by_kind(self) -> Mapping[str, list[Manifest]]:
        kinds: dict[str, list[Manifest]] = {}
        for one in self.objects:
            kinds.setdefault(one.kind, []).append(one)
        return kinds

    @cached_property
    def _by_place(self) -> Mapping[tuple[Any, ...], list[Manifest]]:
        """By kind, name, namespace, and file, or folder and how far it is above theirs: the files may hold thousands
        that name each other, and thousands of one name."""
        found: dict[tuple[Any, ...], list[Manifest]] = {}
        for one in self.objects:
            file = one.document.file
            places: list[tuple[Any, ...]] = [(file,), *((folder, up) for up, folder in enumerate(_folders(file)))]
            for namespace in (one.namespace, None):
                for place in places:
                    found.setdefault((one.kind, one.name, namespace, *place), []).append(one)
        return found

    @cached_property
    def _names(self) -> Mapping[tuple[Any, ...], dict[str, None]]:
        """By kind, namespace and folder."""
        found: dict[tuple[Any, ...], dict[str, None]] = {}
        for one in self.objects:
            for namespace in (one.namespace, None):
                found.setdefault((one.kind, namespace, _folders(one.document.file)[0]), {})[one.name] = None
        return found

    def of(self, *kinds: str) -> tuple[Manifest, ...]:
        return tuple(o for kind in kinds for o in self._by_kind.get(kind, ()))

    def find(self, kind: str, name: str, beside: Manifest) -> Manifest | None:
        """The object of a name that another one means: in its namespace, and nearest in the folders. A folder may hold
        several applications, whose objects have the same names; None if it cannot be known which is meant."""
        namespaces, file = namespaces_of(kind, beside), beside.document.file
        folders = _folders(file)
        for away in range(_FAR):
            places: list[tuple[Any, ...]] = [(f, away - 1 - up) for up, f in enumerate(folders[:away])] or [(file,)]
            keys = [(kind, name, namespace, *place) for place in places for namespace in namespaces]
            if found := [one for key in keys for one in self._by_place.get(key, ())[:2]]:
                return found[0] if len(found) == 1 else None
        return None

    def names_beside(self, kind: str, other: Manifest) -> list[str]:
        """The names of a kind in the same folder as another object."""
        folder = _folders(other.document.file)[0]
        found = (self._names.get((kind, namespace, folder), ()) for namespace in namespaces_of(kind, other))
        return list(dict.fromkeys(name for names in found for name in names))

    def template(self, name: str, cluster: bool, beside: Manifest) -> Manifest | None:
        return self.find("ClusterAnalysisTemplate" if cluster else "AnalysisTemplate", name, beside)


_FAR = 5
"""So far apart are two files that do not belong together: 0 for the same one, 1 in one folder, and one more for each
folder up or down."""


@lru_cache(maxsize=1024)
def _folders(file: str) -> tuple[tuple[str, ...], ...]:
    """The folder of a file, and those above it that are not too far."""
    parts = tuple(posixpath.dirname(posixpath.normpath(file)).split("/"))
    return tuple(parts[: len(parts) - up] for up in range(min(_FAR - 1, len(parts) + 1)))


def namespaces_of(kind: str, beside: Manifest) -> tuple[str | None, ...]:
    """Those in which an object of a kind may be that another one means; None is any."""
    if "ClusterAnalysisTemplate" in (kind, beside.kind) or not beside.namespace:
        return (None,)
    return beside.namespace, ""


class RuleCase(Struct, frozen=True, eq=False):
    """An object with all others: what a rule looks at."""

    object: Manifest
    world: World


def named_services(rollout: Manifest) -> Iterator[tuple[Path, str]]:
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


def analyses_of(rollout: Manifest) -> Iterator[tuple[Path, Fields, bool]]:
    """The analyses of a Rollout: path, object, and whether it runs in the background."""
    canary = rollout.canary
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


def holders(case: "RuleCase") -> list[tuple[Path, Fields]]:
    """What names templates and arguments: the analyses of a Rollout, or the spec of a template."""
    if case.object.kind == "Rollout":
        return [(path, analysis) for path, analysis, _ in analyses_of(case.object)]
    return [(("spec",), case.object.spec)]
