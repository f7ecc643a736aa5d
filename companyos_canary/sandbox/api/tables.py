"""Tables: the columns that `kubectl get` prints for each kind, as a real server sends them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from companyos_canary.model.http import Json
from companyos_canary.sandbox.api.cells import (
    age,
    at,
    containers,
    event_age,
    event_object,
    event_source,
    external_ip,
    images,
    number,
    pod_ready,
    pod_restarts,
    pod_status,
    ports,
    selector,
    text,
)  # fmt: skip
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
)  # fmt: skip
from companyos_canary.sandbox.objects import Object

Cell = Callable[[Object, str], Any]


@dataclass(frozen=True, slots=True)
class Column:
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
    return Column("Name", "string", at("metadata.name"), format="name")


def _wide(name: str, cell: Cell) -> Column:
    return Column(name, "string", cell, 1)


def _number(name: str, path: str, missing: Any = None) -> Column:
    return Column(name, "integer", number(path, missing))


def _text(name: str, path: str, missing: Any = None) -> Column:
    return Column(name, "string", text(path, missing))


_AGE = Column("Age", "string", age)
_DEFAULT = (_name(), _AGE)
_RUN = (_name(), _text("Status", "status.phase"), Column("Age", "date", age))
_TEMPLATE = (
    _wide("Containers", containers),
    _wide("Images", images),
    _wide("Selector", selector("spec.selector")),
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
        _name(), Column("Ready", "string", pod_ready), Column("Status", "string", pod_status),
        Column("Restarts", "string", pod_restarts), _AGE,
        _wide("IP", text("status.podIP", "<none>")),
        _wide("Node", text("spec.nodeName", "<none>")),
        _wide("Nominated Node", text("status.nominatedNodeName", "<none>")),
        _wide("Readiness Gates", at("", "<none>")),
    ),
    REPLICASET: (
        _name(), _number("Desired", "spec.replicas", 0), _number("Current", "status.replicas", 0),
        _number("Ready", "status.readyReplicas", 0), _AGE, *_TEMPLATE,
    ),
    DEPLOYMENT: (
        _name(),
        Column("Ready", "string", lambda o, now: (
            f"{number('status.readyReplicas', 0)(o, now)}/{number('spec.replicas', 0)(o, now)}")),
        _number("Up-to-date", "status.updatedReplicas", 0),
        _number("Available", "status.availableReplicas", 0), _AGE, *_TEMPLATE,
    ),
    SERVICE: (
        _name(), _text("Type", "spec.type", "ClusterIP"),
        _text("Cluster-IP", "spec.clusterIP", "<none>"),
        Column("External-IP", "string", external_ip), Column("Port(s)", "string", ports), _AGE,
        _wide("Selector", selector("spec.selector")),
    ),
    EVENT: (
        Column("Last Seen", "string", event_age), _text("Type", "type"),
        _text("Reason", "reason"), Column("Object", "string", event_object),
        _wide("Subobject", text("involvedObject.fieldPath", "")), _wide("Source", event_source),
        _text("Message", "message"), _wide("First Seen", age),
        _wide("Count", number("count", 1)), Column("Name", "string", at("metadata.name"), 1),
    ),
    NAMESPACE: (_name(), _text("Status", "status.phase"), _AGE),
    CONFIGMAP: (_name(), Column("Data", "integer", lambda o, _: len(o.get("data") or {})), _AGE),
    SECRET: (
        _name(), _text("Type", "type", "Opaque"),
        Column("Data", "integer", lambda o, _: len(o.get("data") or {})), _AGE,
    ),
    SERVICEACCOUNT: (
        _name(), Column("Secrets", "integer", lambda o, _: len(o.get("secrets") or [])), _AGE,
    ),
    CRD: (_name(), Column("Created At", "date", at("metadata.creationTimestamp"))),
}  # fmt: skip


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
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }
