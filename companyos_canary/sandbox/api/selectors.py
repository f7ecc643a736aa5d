"""Label selectors and field selectors, in the text forms that clients send."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from companyos_canary.sandbox.api.call import Call
from companyos_canary.sandbox.kinds import EVENT, POD, Kind
from companyos_canary.sandbox.objects import Object, bad_request

Test = Callable[[Object], bool]
_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_IN = re.compile(rf"(?P<key>{_NAME})\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUAL = re.compile(rf"(?P<key>{_NAME})\s*(?P<op>==|=|!=|>|<)\s*(?P<value>{_VALUE})")
_EXISTS = re.compile(rf"(?P<not>!)?\s*(?P<key>{_NAME})")
_FIELDS: dict[str, tuple[str, ...]] = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
}
_MORE: dict[Kind, tuple[str, ...]] = {
    POD: (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    EVENT: (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}


def label_selector(text: str) -> Test:
    """`app=x,tier in (a, b),!old` as a test of an object; 400 for anything that does not parse."""
    tests = [_requirement(part) for part in _split(text)]
    return lambda obj: all(test(obj["metadata"].get("labels") or {}) for test in tests)


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector object as text (`app=x,tier in (a,b)`), as status.selector shows it."""
    selector = selector or {}
    parts = [f"{k}={v}" for k, v in (selector.get("matchLabels") or {}).items()]
    for e in selector.get("matchExpressions") or []:
        key, values = e["key"], ",".join(sorted(e.get("values") or []))
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[e["operator"]]
        )
    return ",".join(sorted(parts))


def field_selector(kind: Kind, text: str) -> Test:
    """`metadata.name=x,status.phase!=Running`; 400 for a field that the kind has no index for."""
    tests = []
    for part in filter(None, text.split(",")):
        match = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", part.strip())
        if not match:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        field, op, value = match[1], match[2], match[3]
        if field not in _FIELDS and field not in _MORE.get(kind, ()):
            raise bad_request(f"field label not supported: {field}")
        tests.append((_path(kind, field), op == "!=", value))
    return lambda obj: all((_value(obj, path) == value) != no for path, no, value in tests)


def selected_name(text: str) -> str:
    """The name that a field selector asks for: RBAC decides on it like on one in the path."""
    found = re.search(r"(?:^|,)metadata\.name==?([^,]+)", text)
    return found[1] if found else ""


def _path(kind: Kind, field: str) -> tuple[str, ...]:
    if kind is EVENT and field == "source":
        return ("source", "component")
    return tuple(field.split("."))


def _value(obj: Object, path: tuple[str, ...]) -> str:
    value: Any = obj
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^()]*\))", text) if part.strip()]


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if match := _IN.fullmatch(text):
        key, values = match["key"], {v.strip() for v in match["values"].split(",")}
        if match["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _EQUAL.fullmatch(text):
        key, op, value = match["key"], match["op"], match["value"]
        if op in "<>":
            return _compared(key, op, value)
        return lambda labels: (labels.get(key) == value) == (op != "!=")
    if match := _EXISTS.fullmatch(text):
        key, absent = match["key"], match["not"] is not None
        return lambda labels: (key in labels) != absent
    raise bad_request(f"unable to parse requirement: found '{text}', expected: a selector")


def _compared(key: str, op: str, value: str) -> Callable[[Mapping[str, str]], bool]:
    if not value.isdigit():
        raise bad_request(f"for 'Gt', 'Lt' operators, the value must be an integer: '{value}'")
    limit = int(value)

    def test(labels: Mapping[str, str]) -> bool:
        found = labels.get(key, "")
        if not found.isdigit():
            return False
        return int(found) > limit if op == ">" else int(found) < limit

    return test


def selected(call: Call) -> Test:
    """The test of labelSelector, fieldSelector and, for a single object, the name."""
    label = label_selector(call.request.parameter("labelSelector"))
    field = field_selector(call.kind, call.request.parameter("fieldSelector"))

    def test(obj: Object) -> bool:
        return (not call.name or obj["metadata"]["name"] == call.name) and label(obj) and field(obj)

    return test
