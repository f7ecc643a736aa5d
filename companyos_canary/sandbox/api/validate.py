"""What a real API server refuses with 422 beyond the shape of an object: labels, finalizers that
come too late, and selectors that do not fit or change."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from companyos_canary.sandbox.api.answer import invalid
from companyos_canary.sandbox.api.selectors import labels_match
from companyos_canary.sandbox.kinds import DEPLOYMENT, REPLICASET, Kind
from companyos_canary.sandbox.objects import Object

Cause = tuple[str, str, str]
_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_NAME = re.compile(_PART)
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    f"'12345', regex used for validation is '({_PART})?')"
)
_NAME_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{_PART}')"
)


def check_object(kind: Kind, obj: Object) -> None:
    """422 for labels and annotations with wrong names, labels with wrong values, and a workload
    whose selector does not select its own pods."""
    meta = obj["metadata"]
    causes = [
        *_labels(meta.get("labels") or {}, "metadata.labels"),
        *_keys(meta.get("annotations") or {}, "metadata.annotations"),
    ]
    if kind in (DEPLOYMENT, REPLICASET):
        causes += _own_pods(obj)
    if causes:
        raise invalid(kind, meta["name"], causes)


def check_change(kind: Kind, old: Object, new: Object) -> None:
    """422 for a selector that changes, and for a new finalizer on what is being deleted."""
    causes = []
    if old["metadata"].get("deletionTimestamp"):
        before = old["metadata"].get("finalizers") or []
        found = sorted(set(new["metadata"].get("finalizers") or []) - set(before))
        if found:
            told = ", ".join(json.dumps(name) for name in found)
            causes.append((
                "metadata.finalizers",
                "Forbidden: no new finalizers can be added if the object is being deleted, found "
                f"new finalizers []string{{{told}}}",
                "FieldValueForbidden",
            ))  # fmt: skip
    if kind in (DEPLOYMENT, REPLICASET):
        selector = (new.get("spec") or {}).get("selector")
        if isinstance(selector, dict) and selector != old["spec"].get("selector"):
            causes += _own_pods(new)
            causes.append((
                "spec.selector",
                f"Invalid value: {_go_selector(selector)}: field is immutable",
                "FieldValueInvalid",
            ))  # fmt: skip
    if causes:
        raise invalid(kind, new["metadata"]["name"], causes)


def _labels(labels: Mapping[str, str], where: str) -> Iterator[Cause]:
    yield from _keys(labels, where)
    for value in labels.values():
        if len(value) > 63:
            why = "must be no more than 63 characters"
            yield where, f'Invalid value: "{value}": {why}', "FieldValueInvalid"
        elif value and not _NAME.fullmatch(value):
            yield where, f'Invalid value: "{value}": {_VALUE_RULE}', "FieldValueInvalid"


def _keys(values: Mapping[str, str], where: str) -> Iterator[Cause]:
    for key in values:
        prefix, slash, name = key.rpartition("/")
        if not _NAME.fullmatch(name) or len(name) > 63:
            yield where, f'Invalid value: "{key}": {_NAME_RULE}', "FieldValueInvalid"
        elif slash and not _PREFIX.fullmatch(prefix):
            why = "prefix part must be a lowercase RFC 1123 subdomain"
            yield where, f'Invalid value: "{key}": {why}', "FieldValueInvalid"


def _own_pods(obj: Object) -> Iterator[Cause]:
    spec: Any = obj.get("spec") or {}
    selector = spec.get("selector") or {}
    template: Any = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not labels_match(selector, labels):
        yield (
            "spec.template.metadata.labels",
            f"Invalid value: {_go_map(labels)}: `selector` does not match template `labels`",
            "FieldValueInvalid",
        )


def _go_selector(selector: Mapping[str, Any]) -> str:
    """As Go prints a LabelSelector: expressions are only counted on."""
    labels = _go_map(selector.get("matchLabels") or {})
    return (
        f"v1.LabelSelector{{MatchLabels:{labels}, "
        "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}"
    )


def _go_map(labels: Mapping[str, str]) -> str:
    inner = ", ".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in sorted(labels.items()))
    return f"map[string]string{{{inner}}}"
