"""Tables: the columns and cells that `kubectl get` prints for each kind, as a real server sends
them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal

from msgspec import Struct

from companyos_canary.model.http import Json
from companyos_canary.model.quantity import parse_time
from companyos_canary.sandbox.api.selectors import selector_text
from companyos_canary.sandbox.kinds import (
    ANALYSISRUN,
    CONFIGMAP,
    CRD,
    DEPLOYMENT,
    EVENT,
    EXPERIMENT,
    NAMESPACE,
    POD,
    REPLICASET,
    ROLLOUT,
    SECRET,
    SERVICE,
    SERVICEACCOUNT,
    Kind,
)
from companyos_canary.sandbox.objects import Object

Cell = Callable[[Object, str], Any]


def field(path: str, missing: Any = None) -> Cell:
    """The value at a dotted path, `missing` if there is none."""
    parts = [p for p in path.split(".") if p]

    def cell(obj: Object, _: str) -> Any:
        value: Any = obj if parts else None
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        return missing if value is None else value

    return cell


def text_field(path: str, missing: Any = None) -> Cell:
    """As `field`, where an empty text counts as missing."""
    read = field(path)
    return lambda obj, now: read(obj, now) or missing


def age(obj: Object, now: str) -> str:
    """How old an object is, in the short form of kubectl: `45s`, `3m10s`, `2d4h`."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def since(moment: str | None, now: str) -> str:
    then, until = parse_time(moment), parse_time(now)
    if then is None or until is None:
        return "<unknown>"
    return _short(max(until - then, timedelta()))


def _short(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _two_units(minutes, "m", seconds % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two_units(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two_units(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    return _two_units(days // 365, "y", days % 365, "d") if days < 365 * 8 else f"{days // 365}y"


def _two_units(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"


def pod_ready(obj: Object, _: str) -> str:
    statuses = field("status.containerStatuses", [])(obj, _)
    ready = sum(1 for s in statuses if s.get("ready"))
    return f"{ready}/{len(field('spec.containers', [])(obj, _))}"


def pod_status(obj: Object, _: str) -> str:
    """The Status column: the phase, or why the last telling container waits or ended."""
    status = obj.get("status") or {}
    reason: str = status.get("reason") or status.get("phase") or "Unknown"
    running = False
    for container in reversed(status.get("containerStatuses") or []):
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif ended:
            code = f"Signal:{ended['signal']}" if ended.get("signal") else ""
            reason = ended.get("reason") or code or f"ExitCode:{ended.get('exitCode', 0)}"
        elif container.get("ready") and "running" in state:
            running = True
    if reason == "Completed" and running:
        reason = "Running"
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else reason


def pod_restarts(obj: Object, now: str) -> str:
    statuses = field("status.containerStatuses", [])(obj, now)
    restarts = sum(s.get("restartCount", 0) for s in statuses)
    ends = [finished for s in statuses if (finished := field("lastState.terminated.finishedAt")(s, now)) is not None]
    return f"{restarts} ({since(max(ends), now)} ago)" if restarts and ends else str(restarts)


def containers(obj: Object, now: str) -> str:
    return ",".join(c.get("name", "") for c in field("spec.template.spec.containers", [])(obj, now))


def images(obj: Object, now: str) -> str:
    return ",".join(c.get("image", "") for c in field("spec.template.spec.containers", [])(obj, now))


def selector_field(path: str) -> Cell:
    """A selector as text: a LabelSelector, or the plain map of a Service."""
    read = field(path)

    def cell(obj: Object, now: str) -> str:
        found = read(obj, now) or {}
        if "matchLabels" not in found and "matchExpressions" not in found:
            found = {"matchLabels": found}
        return selector_text(found) or "<none>"

    return cell


def external_ip(obj: Object, now: str) -> str:
    if field("spec.type")(obj, now) == "LoadBalancer":
        return "<pending>"
    return ",".join(field("spec.externalIPs", [])(obj, now)) or "<none>"


def ports(obj: Object, now: str) -> str:
    shown = []
    for port in field("spec.ports", [])(obj, now):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or "<none>"


def event_age(obj: Object, now: str) -> str:
    return since(obj.get("lastTimestamp") or obj.get("eventTime"), now)


def event_object(obj: Object, _: str) -> str:
    about = obj.get("involvedObject") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def event_source(obj: Object, _: str) -> str:
    source = obj.get("source") or {}
    return ", ".join(v for v in (source.get("component"), source.get("host")) if v)


class Column(Struct, frozen=True):
    """`priority` 1 is shown by `-o wide` only; `cell` gets the object and the time now."""

    name: str
    type: str
    cell: Cell
    priority: int = 0
    format: str = ""

    def heading(self) -> Json:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": "",
            "priority": self.priority,
        }


def _name() -> Column:
    return Column("Name", "string", field("metadata.name"), format="name")


def _wide(name: str, cell: Cell) -> Column:
    return Column(name, "string", cell, 1)


def _number(name: str, path: str, missing: Any = None) -> Column:
    return Column(name, "integer", field(path, missing))


def _text(name: str, path: str, missing: Any = None) -> Column:
    return Column(name, "string", text_field(path, missing))


_AGE = Column("Age", "string", age)
_DEFAULT = (_name(), _AGE)
_RUN = (_name(), _text("Status", "status.phase"), Column("Age", "date", age))
_TEMPLATE = (
    _wide("Containers", containers),
    _wide("Images", images),
    _wide("Selector", selector_field("spec.selector")),
)
_COLUMNS: dict[Kind, tuple[Column, ...]] = {
    ROLLOUT: (
        _name(),
        _number("Desired", "spec.replicas"),
        _number("Current", "status.replicas"),
        _number("Up-to-date", "status.updatedReplicas"),
        _number("Available", "status.availableReplicas"),
        Column("Age", "date", age),
    ),
    ANALYSISRUN: _RUN,
    EXPERIMENT: _RUN,
    POD: (
        _name(),
        Column("Ready", "string", pod_ready),
        Column("Status", "string", pod_status),
        Column("Restarts", "string", pod_restarts),
        _AGE,
        _wide("IP", text_field("status.podIP", "<none>")),
        _wide("Node", text_field("spec.nodeName", "<none>")),
        _wide("Nominated Node", text_field("status.nominatedNodeName", "<none>")),
        _wide("Readiness Gates", field("", "<none>")),
    ),
    REPLICASET: (
        _name(),
        _number("Desired", "spec.replicas", 0),
        _number("Current", "status.replicas", 0),
        _number("Ready", "status.readyReplicas", 0),
        _AGE,
        *_TEMPLATE,
    ),
    DEPLOYMENT: (
        _name(),
        Column(
            "Ready",
            "string",
            lambda o, now: f"{field('status.readyReplicas', 0)(o, now)}/{field('spec.replicas', 0)(o, now)}",
        ),
        _number("Up-to-date", "status.updatedReplicas", 0),
        _number("Available", "status.availableReplicas", 0),
        _AGE,
        *_TEMPLATE,
    ),
    SERVICE: (
        _name(),
        _text("Type", "spec.type", "ClusterIP"),
        _text("Cluster-IP", "spec.clusterIP", "<none>"),
        Column("External-IP", "string", external_ip),
        Column("Port(s)", "string", ports),
        _AGE,
        _wide("Selector", selector_field("spec.selector")),
    ),
    EVENT: (
        Column("Last Seen", "string", event_age),
        _text("Type", "type"),
        _text("Reason", "reason"),
        Column("Object", "string", event_object),
        _wide("Subobject", text_field("involvedObject.fieldPath", "")),
        _wide("Source", event_source),
        _text("Message", "message"),
        _wide("First Seen", age),
        _wide("Count", field("count", 1)),
        Column("Name", "string", field("metadata.name"), 1),
    ),
    NAMESPACE: (_name(), _text("Status", "status.phase"), _AGE),
    CONFIGMAP: (_name(), Column("Data", "integer", lambda o, _: len(o.get("data") or {})), _AGE),
    SECRET: (
        _name(),
        _text("Type", "type", "Opaque"),
        Column("Data", "integer", lambda o, _: len(o.get("data") or {})),
        _AGE,
    ),
    SERVICEACCOUNT: (_name(), Column("Secrets", "integer", lambda o, _: len(o.get("secrets") or [])), _AGE),
    CRD: (_name(), Column("Created At", "date", field("metadata.creationTimestamp"))),
}


def columns(kind: Kind) -> tuple[Column, ...]:
    return _COLUMNS.get(kind, _DEFAULT)


def table(
    kind: Kind,
    objects: Iterable[Object],
    now: str,
    include: Literal["None", "Metadata", "Object"] = "Metadata",
    *,
    version: str = "",
    headings: bool = True,
) -> Json:
    """A meta.k8s.io/v1 Table; `now` is the RFC 3339 time that ages are counted from."""
    shown: Sequence[Column] = columns(kind)
    rows = []
    for obj in objects:
        row: Json = {"cells": [_cell(column, obj, now) for column in shown]}
        if include != "None":
            row["object"] = include_of(include, obj)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version} if version else {},
        "columnDefinitions": [column.heading() for column in shown] if headings else [],
        "rows": rows,
    }


def _cell(column: Column, obj: Object, now: str) -> Any:
    try:
        return column.cell(obj, now)
    except (AttributeError, KeyError, TypeError):  # a status that is not what its kind says
        return "<invalid>"


def include_of(include: str, obj: Object) -> Json:
    """The object itself, or what a metadata client gets of it."""
    if include == "Object":
        return obj
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
