"""Server-side apply: check a configuration against the schema of its kind, merge it, own its
fields, refuse to take fields from others."""

import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from companyos_canary.model.http import Json
from companyos_canary.sandbox.api.admission import check_metadata
from companyos_canary.sandbox.api.call import Call, read_value
from companyos_canary.sandbox.api.managed_fields import (
    Entry,
    Manager,
    Path,
    apply_keys,
    entries_of,
    is_atomic,
    item_element,
    leaves,
    path_text,
    with_entries,
)
from companyos_canary.sandbox.api.validation import findings_of
from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import ApiStatus, Object, bad_request, copied, unsupported_media

_TYPE_NAMES = {
    "integer": "numeric (int or float)",
    "array": "list",
    "object": "map",
    "boolean": "boolean",
    "string": "string",
}

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MISSING = object()


def read_configuration(call: Call) -> Json:
    """The body of an apply patch, checked: a field manager, no managedFields, the right object."""
    if not call.request.parameter("fieldManager"):
        raise ApiStatus(
            422,
            "Invalid",
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
        )
    body = read_value(call.request.body, yaml=True)
    if not isinstance(body, dict):
        raise unsupported_media(("application/apply-patch+yaml",))
    kind = call.kind
    if (body.get("apiVersion"), body.get("kind")) != (kind.api_version, kind.kind):
        raise bad_request(f"error decoding YAML: Object must be {kind.api_version}, Kind={kind.kind}")
    check_metadata(body)
    meta = body["metadata"]
    if meta.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    if meta.setdefault("name", call.name) != call.name:
        raise bad_request(f"the name of the object ({meta['name']}) is not that of the URL")
    if kind.namespaced and meta.setdefault("namespace", call.namespace) != call.namespace:
        raise bad_request(f"the namespace ({meta['namespace']}) is not that of the URL")
    return body


def applied(kind: Kind, old: Object | None, configuration: Json, manager: Manager, *, force: bool) -> Object:
    """The object after `manager` applied `configuration`. 409 with the fields and their owners
    where someone else set another value, unless forced."""
    live, wanted = leaves(kind, old or {}), leaves(kind, configuration)
    entries = entries_of(old)
    own = next((e for e in entries if manager.same(e)), None)
    others = [e for e in entries if e is not own]
    different = {p for p, v in wanted.items() if live.get(p, _MISSING) != v}
    if not force:
        _refuse_conflicts(kind, old, others, different, manager)
    new: Object = _merge(kind, old or {}, configuration, ())
    others = [replace(e, paths=e.paths - different) for e in others]
    if own:
        held = frozenset[Path]().union(*(e.paths for e in others))
        gone = own.paths - wanted.keys() - held
        for path in sorted(gone, key=lambda p: p[-1] != "."):  # whole items before their fields
            _drop(new, path)
    paths = frozenset(wanted)
    mine = own if own and own.paths == paths else Entry(manager, paths)
    if old is None:
        new["metadata"].pop("resourceVersion", None)
    elif manager.name == "kubectl" and LAST_APPLIED in (old["metadata"].get("annotations") or {}):
        new["metadata"]["annotations"][LAST_APPLIED] = json.dumps(configuration) + "\n"
    if own is None:
        return with_entries(new, [*others, mine])
    place = entries.index(own)
    return with_entries(new, [*others[:place], mine, *others[place:]])


def _refuse_conflicts(
    kind: Kind, old: Object | None, others: list[Entry], different: set[Path], manager: Manager
) -> None:
    handed_over = _last_applied(kind, old) if manager.name == "kubectl" else frozenset()
    conflicts = [
        (entry.manager, path) for entry in others for path in sorted(entry.paths & different) if path not in handed_over
    ]
    if conflicts:
        raise conflict_error(conflicts)


def _last_applied(kind: Kind, old: Object | None) -> frozenset[Path]:
    """What `kubectl apply` on the client's side wrote before: its server side may take it over."""
    annotations = (old or {}).get("metadata", {}).get("annotations") or {}
    try:
        configuration = json.loads(annotations.get(LAST_APPLIED) or "{}")
    except ValueError:
        return frozenset()
    return frozenset(leaves(kind, configuration))


def conflict_error(conflicts: list[tuple[Manager, Path]]) -> ApiStatus:
    """409 in the words of the real server; kubectl prints them as they are."""
    told: dict[str, list[str]] = {}
    for manager, path in conflicts:
        told.setdefault(_manager_name(manager), []).append(path_text(path))
    if len(conflicts) == 1:
        name, paths = next(iter(told.items()))
        message = f"Apply failed with 1 conflict: conflict with {name}: {paths[0]}"
    else:
        lines = []
        for name in sorted(told):
            lines += [f"conflicts with {name}:", *(f"- {path}" for path in told[name])]
        message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_manager_name(manager)}",
            "field": path_text(path),
        }
        for manager, path in conflicts
    ]
    return ApiStatus(409, "Conflict", message, {"causes": causes})


def _manager_name(manager: Manager) -> str:
    name = json.dumps(manager.name)
    if manager.subresource:
        name += f" with subresource {json.dumps(manager.subresource)}"
    return f"{name} using {manager.api_version}" if manager.operation == "Update" else name


def _merge(kind: Kind, live: Any, wanted: Any, names: tuple[str, ...]) -> Any:
    if isinstance(wanted, dict) and not (names and is_atomic(kind, names)):
        result = copied(live) if isinstance(live, dict) else {}
        for name, value in wanted.items():
            result[name] = _merge(kind, result.get(name), value, (*names, name))
        return result
    keys = apply_keys(kind.group, names) if isinstance(wanted, list) else None
    if keys is None:
        return copied(wanted)
    items = list(live or [])
    for item in wanted:
        element = item_element(item, keys)
        place = next((i for i, v in enumerate(items) if item_element(v, keys) == element), None)
        if place is None:
            items.append(copied(item))
        else:
            items[place] = _merge(kind, items[place], item, names)
    return items


def _drop(value: Any, path: Path) -> None:
    """Takes the field at a path out of a value, and containers that are empty then."""
    head, rest = path[0], path[1:]
    if head.startswith("f:"):
        name = head[2:]
        if not isinstance(value, dict) or name not in value:
            return
        if rest:
            _drop(value[name], rest)
        if not rest or value[name] in ({}, []):
            del value[name]
        return
    if not isinstance(value, list):
        return
    keys = tuple(json.loads(head[2:])) if head.startswith("k:") else ()
    place = next((i for i, v in enumerate(value) if item_element(v, keys) == head), None)
    if place is None:
        return
    if rest == (".",):
        del value[place]
    else:
        _drop(value[place], rest)


def check_typed(kind: Kind, configuration: Json) -> None:
    """500 for fields that the kind does not have and for values of another type."""
    findings = findings_of(kind, configuration)
    faults = [f"{_field_text(kind, path, configuration)}: field not declared in schema" for path in findings.unknown]
    for path, message, reason in findings.wrong:
        match = re.search(r'must be of type (\w+): "(\w+)"', message)
        if reason == "FieldValueTypeInvalid" and match and match[1] in _TYPE_NAMES:
            place = _field_text(kind, path, configuration)
            faults.append(f"{place}: expected {_TYPE_NAMES[match[1]]}, got {match[2]}")
    faults += _without_keys(kind, configuration, ())
    if faults:
        where = f"/{configuration['metadata']['name']}; {kind.group}/{kind.version}, Kind={kind.kind}"
        told = faults[0] if len(faults) == 1 else "errors:\n" + "".join(f"  {f}\n" for f in faults)
        message = f"failed to create typed patch object ({where}): {told}"
        raise ApiStatus(500, "", message.rstrip("\n"))


def _without_keys(kind: Kind, value: Any, names: tuple[str, ...]) -> Iterator[str]:
    """Items of keyed lists that have none of their keys."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _without_keys(kind, inner, (*names, name))
    if not isinstance(value, list):
        return
    keys = apply_keys(kind.group, names) or ()
    for number, item in enumerate(value):
        if keys and "protocol" not in keys and isinstance(item, dict) and not item.keys() & set(keys):
            why = (
                f"associative list with keys has an element that omits all key fields {json.dumps(keys)} "
                "(and doesn't have default values for any key fields)"
            )
            yield f".{'.'.join(names)}: element {number}: {why}"
        else:
            yield from _without_keys(kind, item, names)


def _field_text(kind: Kind, path: str, value: Any) -> str:
    """`.spec.template.spec.containers[name="app"].x` for a path with an index in a keyed list."""
    text, names = "", tuple[str, ...]()
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        if name:
            text, names = f"{text}.{name}", (*names, name)
            value = value.get(name) if isinstance(value, dict) else None
            continue
        value = value[int(index)] if isinstance(value, list) else None
        keys = apply_keys(kind.group, names)
        text += path_text((item_element(value, keys),)) if keys else f"[{index}]"
    return text
