"""Reads the folder of a case, and answers as the API server of its cluster would.

`objects.yaml` has one document an object, `case.yaml` the keys `now`, `wanted`, `asked`, `did`, `config`, `prometheus`,
`logs`, and what is right: `cause`, `also`, `partly`, `healthy`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from companyos_canary.actions.explain import AskedWhy, explain
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import path_target
from companyos_canary.diagnosis.case import Case, Did
from companyos_canary.errors import Unreachable
from companyos_canary.model.http import Json, Request, Response
from companyos_canary.model.outcome import Diagnosis
from companyos_canary.model.place import Place
from companyos_canary.model.quantity import parse_duration, parse_time
from companyos_canary.prometheus.client import Prometheus
from companyos_canary.sandbox.api.selectors import label_selector
from companyos_canary.sandbox.prometheus import PrometheusApi
from companyos_canary.sandbox.tsdb import Tsdb

_KINDS = {"horizontalpodautoscalers": "HorizontalPodAutoscaler", "ingresses": "Ingress", "leases": "Lease"}


@dataclass
class Folder:
    """One case; `requests` collects what was asked."""

    path: Path
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.case: Json = yaml.load((self.path / "case.yaml").read_text(), yaml.CBaseLoader) or {}

    @cached_property
    def _typed(self) -> Json:
        return yaml.load((self.path / "case.yaml").read_text(), yaml.CSafeLoader) or {}

    @cached_property
    def logs(self) -> Any:
        return self._typed.get("logs")

    @cached_property
    def prometheus(self) -> Any:
        return self._typed.get("prometheus")

    @cached_property
    def objects(self) -> list[Json]:
        return _objects(self.path)

    @property
    def now(self) -> datetime:
        return parse_time(self.case.get("now")) or datetime.now(UTC)

    @property
    def rollout(self) -> Json:
        config = self.case.get("config") or {}
        found = [o for o in self.objects if o.get("kind") == "Rollout"]
        named = [o for o in found if o["metadata"]["name"] == config.get("rollout", "")]
        return (named or found)[0]

    def diagnosis(self) -> tuple[Diagnosis, Case]:
        """Asked for once: `requests` has what that took."""
        return self._explained

    @cached_property
    def _explained(self) -> tuple[Diagnosis, Case]:
        meta, config = self.rollout["metadata"], self.case.get("config") or {}
        did = self.case.get("did") or {}
        namespace = meta.get("namespace", "default")
        cluster = Cluster(self, namespace)
        found, case, _ = explain(
            cluster,
            cluster.rollout(meta["name"]),
            self.now,
            Place(target=(meta["name"], namespace), container=config.get("container")),
            AskedWhy(
                str(self.case.get("wanted") or ""),
                Did(str(did.get("verb", "")), parse_time(did.get("at"))) if did else None,
                lambda _: Prometheus("", Scripted(self.prometheus, self.now)),
            ),
        )
        return found, case

    def line(self) -> dict[str, Any]:
        """What `make diagnosis` prints of a case."""
        found, _ = self.diagnosis()
        return {
            "case": self.path.name,
            "cause": found.cause,
            "sentence": found.sentence,
            "evidence": [{"object": e.object, "field": e.field, "value": e.value} for e in found.evidence],
            "next": found.next,
        }

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        if request.path.endswith("/log"):
            return self._log(request)
        target = path_target(request.path)
        kind = _KINDS.get(target.plural) or target.kind
        if target.name:
            there = (o for o in self._in(target.namespace) if o.get("kind") == kind)
            found = next((o for o in there if o["metadata"]["name"] == target.name), None)
            missing = {"kind": "Status", "reason": "NotFound", "message": f'{target.plural} "{target.name}" not found'}
            missing["details"] = {"name": target.name, "kind": target.plural}  # type: ignore[assignment]
            return _json(found) if found else _json(missing, 404)
        fits = label_selector(request.parameter("labelSelector"))
        fields = [pair.partition("=") for pair in request.parameter("fieldSelector").split(",") if pair]
        items = [
            o
            for o in self._in(target.namespace)
            if o.get("kind") == kind and fits(o) and all(_at(o, key) == value for key, _, value in fields)
        ]
        return _json({"kind": f"{kind}List", "apiVersion": "v1", "metadata": {}, "items": items})

    def stream(self, request: Request) -> Response:
        """A log that would be followed: what there is of it."""
        self.requests.append(request)
        return self._log(request)

    def _log(self, request: Request) -> Response:
        logs, container = self.logs, request.parameter("container")
        if isinstance(logs, dict) and container in logs:
            logs = logs[container]
        return Response(200, {}, "\n".join(_lines(logs, path_target(request.path).name)).encode())

    def close(self) -> None:
        """Nothing is open."""

    def _in(self, namespace: str) -> Iterator[Json]:
        """Of one namespace; of none those of the cluster."""
        usual = "default" if namespace else ""
        return (o for o in self.objects if o["metadata"].get("namespace", usual) == namespace)


@dataclass
class Scripted:
    """A Prometheus that gives the answers of a case, and evaluates any other query over the series that exist."""

    script: Any
    now: datetime
    address: str = "http://prometheus"

    def send(self, request: Request) -> Response:
        script = self.script or {"unreachable": True}
        if script.get("unreachable"):
            raise Unreachable("Prometheus cannot be reached")
        query = request.parameter("query")
        listed = {_canonical(known["query"]): known["answer"] for known in script.get("answers") or []}
        if (answer := listed.get(_canonical(query))) is not None:
            return self._answer(answer)
        of_stable = listed.get(_canonical(query.replace('canary!="true"', 'canary="false"')))
        if of_stable is not None:
            return self._answer(of_stable)
        per_second = listed.get(_canonical(query.replace("increase(", "rate(")))
        if per_second is not None and (window := re.search(r"\[(\w+)\]", query)) and "http" not in per_second:
            seconds = parse_duration(window[1]).total_seconds()
            return self._answer({"vector": [{**s, "value": float(_value(s)) * seconds} for s in per_second["vector"]]})
        series = script.get("series") or []
        if re.search(r"\b(increase|rate)\(", query) and not all(_stands_at_zero(s) for s in series):
            return Response(422, {}, b"")  # that they exist is known, but not what they count
        return PrometheusApi(_series(series, self.now), lambda: self.now).handle(request)

    def _answer(self, answer: Json) -> Response:
        if "http" in answer:
            return Response(int(answer["http"]), {}, b"")
        found = [
            {"metric": s.get("metric") or {}, "value": [self.now.timestamp(), str(_value(s))]}
            for s in answer.get("vector") or []
        ]
        return _json({"status": "success", "data": {"resultType": "vector", "result": found}})

    def stream(self, request: Request) -> Response:
        raise NotImplementedError(request.path)

    def close(self) -> None:
        """Nothing is open."""


def _value(sample: Json) -> Any:
    """A value, also as Prometheus writes it: next to its time."""
    return sample["value"][-1] if isinstance(sample["value"], list) else sample["value"]


def _canonical(query: str) -> str:
    """Without blanks, and with the matchers of each selector in one order."""

    def ordered(found: re.Match[str]) -> str:
        return "{" + ",".join(sorted(re.findall(r'\w+(?:=~|!~|!=|=)(?:"(?:\\.|[^"\\])*"|\'[^\']*\')', found[1]))) + "}"

    return re.sub(r"\{([^{}]*)\}", ordered, "".join(query.split()))


def _series(entries: Any, now: datetime) -> Tsdb:
    """Series with a constant value, scraped every 15 s for ten minutes; an entry is a selector's text or labels."""
    made = Tsdb()
    for entry in entries:
        labels, value = _labels(entry)
        for n in range(40, -1, -1):
            made.append(labels, now.timestamp() - 15 * n, value)
    return made


def _stands_at_zero(entry: Any) -> bool:
    """A counter of which it is known that it has counted nothing; of any other one value does not say how it grew."""
    return isinstance(entry, dict) and "value" in entry and not float(entry["value"])


def _labels(entry: Any) -> tuple[dict[str, str], float]:
    if isinstance(entry, dict):
        metric = entry.get("metric", entry)
        labels = {"__name__": metric} if isinstance(metric, str) else {str(k): str(v) for k, v in metric.items()}
        if "__name__" not in labels and "name" in entry and "labels" in entry:
            labels["__name__"] = str(entry["name"])
            labels.pop("name", None)
        labels |= {str(k): str(v) for k, v in (entry.get("labels") or {}).items()}
        return {k: v for k, v in labels.items() if k not in ("value", "labels")}, float(entry.get("value", 1))
    name, _, rest = str(entry).partition("{")
    pairs = re.findall(r'(\w+)\s*=\s*"([^"]*)"', rest)
    return {"__name__": name.strip(), **dict(pairs)}, 1.0


class _AsWritten(yaml.CSafeLoader):
    """Times stay the text that they are in JSON."""


_AsWritten.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@cache
def _objects(path: Path) -> list[Json]:
    """Nothing changes them: several tests ask about the same case."""
    found = yaml.load_all((path / "objects.yaml").read_text(), _AsWritten)
    return [o for document in found for o in _flat(document)]


def folders(root: Path) -> list[Path]:
    """The cases in a folder and below it, or the folder itself."""
    return sorted(p.parent for p in root.rglob("case.yaml") if (p.parent / "objects.yaml").is_file())


def _flat(document: Any) -> Iterator[Json]:
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        yield from (o for o in document["items"] if isinstance(o, dict))
    elif isinstance(document, dict) and document:
        yield document


def _json(body: Mapping[str, Any] | None, status: int = 200) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


def _at(obj: Json, path: str) -> str:
    value: Any = obj
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def _lines(logs: Any, pod: str) -> list[str]:
    """Of one pod, whichever form the file has: a text, lines, or either by pod or container."""
    if isinstance(logs, dict):
        if "lines" in logs:
            return _lines(logs["lines"], pod)
        return _lines(logs.get(pod) or next(iter(logs.values()), ""), pod)
    if isinstance(logs, list):
        return [line for entry in logs for line in _lines(entry, pod)]
    return str(logs or "").splitlines()
