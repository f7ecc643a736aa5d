"""What a server refuses of Services, pods, pod templates and Events, beyond unknown fields and wrong
types (kube-apiserver v1.34, in its words)."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from companyos_canary.sandbox.kinds import DEPLOYMENT, EVENT, POD, REPLICASET, SERVICE, Kind
from companyos_canary.sandbox.objects import Object

Cause = tuple[str, str, str]
"""Path, message and reason."""
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SERVICE_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_PORT_RULE = "must be between 1 and 65535, inclusive"
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def causes_of(kind: Kind, obj: Object) -> Iterator[Cause]:
    """Why an object of a built-in kind is refused; nothing for one that is fine."""
    spec: Any = obj.get("spec") or {}
    if kind is SERVICE:
        yield from _service(obj["metadata"]["name"], spec)
    elif kind is POD:
        yield from _pod_spec(spec, "spec")
    elif kind in (DEPLOYMENT, REPLICASET):
        template = spec.get("template") or {}
        yield from _pod_spec(template.get("spec") or {}, "spec.template.spec")
    elif kind is EVENT:
        yield from _event(obj)


def _service(name: str, spec: Mapping[str, Any]) -> Iterator[Cause]:
    if not _SERVICE_NAME.fullmatch(name):
        yield _invalid("metadata.name", name, _SERVICE_RULE)
    type_, ports = spec.get("type"), spec.get("ports") or []
    headless = spec.get("clusterIP") == "None"
    if not ports and type_ != "ExternalName" and not headless:
        yield _required("spec.ports")
    for number, port in enumerate(ports):
        yield from _port(port, f"spec.ports[{number}]", alone=len(ports) == 1)
    yield from _twice([p.get("name") for p in ports], "spec.ports[{}].name")
    if type_ not in _TYPES:
        yield _unsupported("spec.type", type_, _TYPES)
    if spec.get("sessionAffinity") not in ("ClientIP", "None"):
        yield _unsupported("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    if type_ == "ExternalName" and not spec.get("externalName"):
        yield _required("spec.externalName")


def _port(port: Mapping[str, Any], where: str, *, alone: bool) -> Iterator[Cause]:
    if not alone and not port.get("name"):
        yield _required(f"{where}.name")
    elif port.get("name") and not _LABEL.fullmatch(port["name"]):
        yield _invalid(f"{where}.name", port["name"], _LABEL_RULE)
    for field in ("port", "targetPort"):
        value = port.get(field)
        if isinstance(value, int) and not 1 <= value <= 65535:
            yield _invalid(f"{where}.{field}", value, _PORT_RULE)
    if port.get("protocol") not in _PROTOCOLS:
        yield _unsupported(f"{where}.protocol", port.get("protocol"), _PROTOCOLS)


def _pod_spec(spec: Mapping[str, Any], where: str) -> Iterator[Cause]:
    containers = spec.get("containers") or []
    if not containers:
        yield _required(f"{where}.containers")
    for field in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(field) or []):
            yield from _container(container, f"{where}.{field}[{number}]")
    yield from _twice([c.get("name") for c in containers], where + ".containers[{}].name")


def _container(container: Mapping[str, Any], where: str) -> Iterator[Cause]:
    name = container.get("name")
    if not name:
        yield _required(f"{where}.name")
    elif not _LABEL.fullmatch(name):
        yield _invalid(f"{where}.name", name, _LABEL_RULE)
    if not container.get("image"):
        yield _required(f"{where}.image")
    for number, port in enumerate(container.get("ports") or []):
        value = port.get("containerPort")
        if isinstance(value, int) and not 1 <= value <= 65535:
            yield _invalid(f"{where}.ports[{number}].containerPort", value, _PORT_RULE)


def _event(event: Object) -> Iterator[Cause]:
    about = (event.get("involvedObject") or {}).get("namespace") or ""
    namespace = event["metadata"].get("namespace", "")
    if about != namespace and not (about == "" and namespace == "default"):
        yield _invalid("involvedObject.namespace", about, "does not match event.namespace")


def _twice(names: list[Any], where: str) -> Iterator[Cause]:
    """A name that an item before has; `where` has a place for the number of the item."""
    for number, name in enumerate(names):
        if name and name in names[:number]:
            yield where.format(number), f"Duplicate value: {json.dumps(name)}", "FieldValueDuplicate"


def _required(where: str) -> Cause:
    return where, "Required value", "FieldValueRequired"


def _invalid(where: str, value: Any, why: str) -> Cause:
    return where, f"Invalid value: {json.dumps(value)}: {why}", "FieldValueInvalid"


def _unsupported(where: str, value: Any, known: tuple[str, ...]) -> Cause:
    told = ", ".join(json.dumps(k) for k in known)
    return where, f"Unsupported value: {json.dumps(value)}: supported values: {told}", "FieldValueNotSupported"
