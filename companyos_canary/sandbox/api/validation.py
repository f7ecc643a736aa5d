"""What the API server refuses with 422: unknown fields and wrong types (by the schema of the kind),
and labels, finalizers and selectors that break a rule."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from companyos_canary.model.workload import labels_match
from companyos_canary.sandbox.api.built_in import Cause, causes_of
from companyos_canary.sandbox.api.schema import Shape, shape_of
from companyos_canary.sandbox.kinds import DEPLOYMENT, REPLICASET, Kind
from companyos_canary.sandbox.objects import ApiStatus, Object, bad_request, invalid

_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int,),
    "flag": (bool,),
    "map": (dict,),
    "number or text": (int, str),
}
_TYPE_NAMES = {"text": "string", "number": "integer", "flag": "boolean", "map": "object"}
_TYPES_OF_JSON = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}

_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_NAME = re.compile(_PART)
_LABEL_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
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


class Findings(Struct):
    """What is wrong with an object: paths of unknown fields, and (path, message, reason)."""

    unknown: list[str] = field(default_factory=list)
    wrong: list[tuple[str, str, str]] = field(default_factory=list)


def findings_of(kind: Kind, obj: Object) -> Findings:
    """What of a whole object does not fit its kind."""
    findings = Findings()
    if (shape := shape_of(kind)) is not None:
        rest = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "metadata")}
        _checked(rest, shape, "", findings)
    return findings


def check_shape(
    kind: Kind, obj: Object, validation: str, subresource: str = "", *, patched: bool = False
) -> tuple[Object, tuple[str, ...]]:
    """The object without fields that its kind does not have, and warnings about them. Only what
    the write may change is looked at: the status, or everything but an isolated status.

    `validation` is fieldValidation: Strict makes unknown fields a 400 (422 with the whole object where
    it is `patched`), Warn (the default) warns, Ignore drops them silently, as the real server prunes
    them. 422 for types and required fields.
    """
    shape = shape_of(kind)
    if shape is None:
        return obj, ()
    findings = Findings()
    if subresource == "status":
        checked = {"status"} & obj.keys()
    else:
        isolated = {"status"} if "status" in kind.subresources else set()
        checked = obj.keys() - {"apiVersion", "kind", "metadata"} - isolated
    shape = {n: s for n, s in shape.items() if n != "spec!" or subresource != "status"}
    head = {k: v for k, v in obj.items() if k not in checked}
    rest = {k: v for k, v in obj.items() if k in checked}
    kept = _checked(rest, shape, "", findings)
    if findings.unknown and validation == "Strict":
        told = ", ".join(f'unknown field "{path}"' for path in findings.unknown)
        if patched:
            raise _not_patched(obj, f"strict decoding error: {told}")
        raise bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: strict decoding error: {told}'
        )
    if findings.wrong:
        raise invalid(kind, obj["metadata"].get("name", ""), findings.wrong)
    warn = findings.unknown if validation != "Ignore" else []
    return {**head, **kept}, tuple(f'unknown field "{path}"' for path in warn)


def _checked(value: Any, shape: Shape, path: str, findings: Findings) -> Any:
    if isinstance(shape, str):
        return _checked_word(value, shape, path, findings)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _wrong_type(value, "array", path, findings)
        return [_checked(v, shape[0], f"{path}[{n}]", findings) for n, v in enumerate(value)]
    if not isinstance(value, dict):
        return _wrong_type(value, "object", path, findings)
    known = {name.rstrip("!"): inner for name, inner in shape.items() if name != "*"}
    kept = {}
    for name, inner in value.items():
        place = f"{path}.{name}" if path else name
        if name not in known and "*" in shape:
            kept[name] = inner
        elif name not in known:
            findings.unknown.append(place)
        elif inner is not None:
            kept[name] = _checked(inner, known[name], place, findings)
    for missing in _missing(shape, kept):
        place = f"{path}.{missing}" if path else missing
        findings.wrong.append((place, "Required value", "FieldValueRequired"))
    return kept


def _missing(shape: dict[str, Shape], kept: dict[str, Any]) -> Iterator[str]:
    return (n[:-1] for n in shape if n.endswith("!") and n[:-1] not in kept)


def _checked_word(value: Any, word: str, path: str, findings: Findings) -> Any:
    if word == "any":
        return value
    if word == "texts":
        return _checked_texts(value, path, findings)
    fits = isinstance(value, _TYPES[word]) and (word == "flag" or not isinstance(value, bool))
    return value if fits else _wrong_type(value, _TYPE_NAMES.get(word, "integer,string"), path, findings)


def _checked_texts(value: Any, path: str, findings: Findings) -> Any:
    if not isinstance(value, dict):
        return _wrong_type(value, "object", path, findings)
    return {k: _checked(v, "text", f"{path}.{k}", findings) for k, v in value.items()}


def _wrong_type(value: Any, wanted: str, path: str, findings: Findings) -> Any:
    given = _TYPES_OF_JSON.get(type(value), "null")
    message = f'Invalid value: "{given}": {path} in body must be of type {wanted}: "{given}"'
    findings.wrong.append((path, message, "FieldValueTypeInvalid"))
    return value


def check_object(kind: Kind, obj: Object) -> None:
    """422 for labels and annotations with wrong names, labels with wrong values, a workload whose
    selector does not select its own pods, and what else a built-in kind forbids."""
    meta = obj["metadata"]
    causes = [
        *_labels(meta.get("labels") or {}, "metadata.labels"),
        *_keys(meta.get("annotations") or {}, "metadata.annotations"),
    ]
    if kind in (DEPLOYMENT, REPLICASET):
        causes += _own_pods(obj)
    causes += causes_of(kind, obj)
    if causes:
        raise invalid(kind, meta["name"], causes)


def _not_patched(obj: Object, why: str) -> ApiStatus:
    """422 for the result of a patch; it names no kind."""
    whole = json.dumps(json.dumps(obj, separators=(",", ":"), ensure_ascii=False), ensure_ascii=False)
    cause = {"reason": "FieldValueInvalid", "message": f"Invalid value: {whole}: {why}", "field": "patch"}
    return ApiStatus(422, "Invalid", f' "" is invalid: patch: {cause["message"]}', {"causes": [cause]})


def check_same(kind: Kind, old: Object, new: Object) -> None:
    """422 where a patch gives the object another uid."""
    uid = new["metadata"].get("uid") or ""
    if uid != old["metadata"]["uid"]:
        why = f"Invalid value: {json.dumps(uid)}: field is immutable"
        raise invalid(kind, old["metadata"]["name"], [("metadata.uid", why, "FieldValueInvalid")])


def check_change(kind: Kind, old: Object, new: Object) -> None:
    """422 for a selector that changes, and for a new finalizer on what is being deleted."""
    causes = []
    if old["metadata"].get("deletionTimestamp"):
        before = old["metadata"].get("finalizers") or []
        found = sorted(set(new["metadata"].get("finalizers") or []) - set(before))
        if found:
            told = ", ".join(json.dumps(name) for name in found)
            causes.append(
                (
                    "metadata.finalizers",
                    "Forbidden: no new finalizers can be added if the object is being deleted, found "
                    f"new finalizers []string{{{told}}}",
                    "FieldValueForbidden",
                )
            )
    if kind in (DEPLOYMENT, REPLICASET):
        selector = (new.get("spec") or {}).get("selector")
        if isinstance(selector, dict) and selector != old["spec"].get("selector"):
            causes += _own_pods(new)
            causes.append(
                ("spec.selector", f"Invalid value: {_go_selector(selector)}: field is immutable", "FieldValueInvalid")
            )
    if causes:
        raise invalid(kind, new["metadata"]["name"], causes)


def _labels(labels: Mapping[str, str], where: str) -> Iterator[Cause]:
    yield from _keys(labels, where)
    for value in labels.values():
        if len(value) > 63:
            why = "must be no more than 63 characters"
            yield where, f'Invalid value: "{value}": {why}', "FieldValueInvalid"
        elif value and not _LABEL_NAME.fullmatch(value):
            yield where, f'Invalid value: "{value}": {_VALUE_RULE}', "FieldValueInvalid"


def _keys(values: Mapping[str, str], where: str) -> Iterator[Cause]:
    for key in values:
        prefix, slash, name = key.rpartition("/")
        if not _LABEL_NAME.fullmatch(name) or len(name) > 63:
            yield where, f'Invalid value: "{key}": {_NAME_RULE}', "FieldValueInvalid"
        elif slash and not _LABEL_PREFIX.fullmatch(prefix):
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
    return f"v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}}"


def _go_map(labels: Mapping[str, str]) -> str:
    inner = ", ".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in sorted(labels.items()))
    return f"map[string]string{{{inner}}}"
