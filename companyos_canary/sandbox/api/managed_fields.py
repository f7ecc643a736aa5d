"""Who owns which field: metadata.managedFields, kept at every write that comes over the API."""

import json
from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.model.http import Json
from companyos_canary.sandbox.api.patch import merge_key
from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import Object

Path = tuple[str, ...]
_ATOMIC = ("selector", "labelSelector", "namespaceSelector", "nodeSelector")
_NOT_OWNED = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
    "generateName",
)


class Manager(Struct, frozen=True):
    """Who writes. `operation` is Apply or Update, `time` RFC 3339."""

    name: str
    operation: str
    api_version: str
    subresource: str
    time: str

    def same(self, entry: "Entry") -> bool:
        mine = (self.name, self.operation, self.subresource)
        return mine == (entry.manager.name, entry.manager.operation, entry.manager.subresource)


class Entry(Struct, frozen=True):
    """One entry of managedFields: paths of `f:name`, `k:{...}`, `v:...` and `.` elements."""

    manager: Manager
    paths: frozenset[Path]

    @classmethod
    def from_object(cls, raw: Json) -> "Entry":
        manager = Manager(
            raw.get("manager", ""),
            raw.get("operation", "Update"),
            raw.get("apiVersion", ""),
            raw.get("subresource", ""),
            raw.get("time", ""),
        )
        return cls(manager, frozenset(_decoded(raw.get("fieldsV1") or {}, ())))

    def to_object(self) -> Json:
        raw: Json = {
            "manager": self.manager.name,
            "operation": self.manager.operation,
            "apiVersion": self.manager.api_version,
            "time": self.manager.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": _encoded(self.paths),
        }
        if self.manager.subresource:
            raw["subresource"] = self.manager.subresource
        return raw


def entries_of(obj: Object | None) -> list[Entry]:
    raw = (obj or {}).get("metadata", {}).get("managedFields") or []
    return [Entry.from_object(r) for r in raw if r]


def with_entries(obj: Object, entries: Iterable[Entry]) -> Object:
    """The object with these managedFields; entries without fields are left out."""
    raw = [entry.to_object() for entry in entries if entry.paths]
    meta = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    return {**obj, "metadata": {**meta, "managedFields": raw} if raw else meta}


def updated(kind: Kind, old: Object | None, new: Object, manager: Manager) -> Object:
    """`new` with its managedFields after an Update: the writer owns what it changed, others lose
    that. A write that sets managedFields itself is taken at its word."""
    before, after = leaves(kind, old or {}), leaves(kind, new)
    in_scope = _scope(kind, manager.subresource)
    changed = {p for p, v in after.items() if in_scope(p) and (p not in before or before[p] != v)}
    removed = {p for p in before if in_scope(p) and p not in after}
    given = "managedFields" in new["metadata"]
    entries = entries_of(new if given else old)
    if not changed and not removed:
        return with_entries(new, entries)
    own, others = None, []
    for entry in entries:
        if manager.same(entry):
            own = entry
        else:
            others.append(replace(entry, paths=entry.paths - changed - removed))
    mine = (own.paths if own else frozenset()) | changed
    return with_entries(new, [*others, Entry(manager, mine - removed)])


def _scope(kind: Kind, subresource: str) -> Any:
    isolated = "status" in kind.subresources
    if subresource == "status":
        return lambda path: path[0] == "f:status"
    return lambda path: not isolated or path[0] != "f:status"


def leaves(kind: Kind, obj: Object) -> dict[Path, Any]:
    """Every owned field of an object with its value; an item of a keyed list is a `.`."""
    found: dict[Path, Any] = {}
    for name, value in obj.items():
        if name == "metadata":
            for field, inner in value.items():
                if field not in _NOT_OWNED:
                    _walk(kind, inner, ("f:metadata", f"f:{field}"), (name, field), found)
        elif name not in ("apiVersion", "kind"):
            _walk(kind, value, (f"f:{name}",), (name,), found)
    return found


def _walk(kind: Kind, value: Any, path: Path, names: tuple[str, ...], found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value and not is_atomic(kind, names):
        for name, inner in value.items():
            _walk(kind, inner, (*path, f"f:{name}"), (*names, name), found)
        return
    keys = apply_keys(kind.group, names) if isinstance(value, list) else None
    if keys is None:
        found[path] = value
        return
    for item in value:
        element = item_element(item, keys)
        found[(*path, element, ".")] = element
        if isinstance(item, dict):
            for name, inner in item.items():
                _walk(kind, inner, (*path, element, f"f:{name}"), (*names, name), found)


def is_atomic(kind: Kind, names: tuple[str, ...]) -> bool:
    """Whether the object at a path of field names has one owner, as selectors and references have."""
    if names[-1] in _ATOMIC or (kind.kind, names) == ("Event", ("involvedObject",)):
        return names[0] == "spec"
    return "valueFrom" in names[:-1] and "env" in names and names[-1].endswith(("Ref", "KeyRef"))


def item_element(item: Any, keys: tuple[str, ...]) -> str:
    """The path element of a list item: `k:{"name":"app"}`, for a set `v:"text"`."""
    if not keys or not isinstance(item, dict):
        return f"v:{json.dumps(item, separators=(',', ':'))}"
    told = {k: item.get(k, "TCP" if k == "protocol" else None) for k in keys}
    return f"k:{json.dumps(told, separators=(',', ':'))}"


def path_text(path: Path) -> str:
    """`.spec.template.spec.containers[name="app"].image`: as conflicts name a field."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            keys = json.loads(rest)
            text += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in keys.items()) + "]"
        elif kind == "v":
            text += f"[={rest}]"
    return text


def _decoded(fields: Json, path: Path) -> Iterable[Path]:
    for name, inner in fields.items():
        if inner:
            yield from _decoded(inner, (*path, name))
        else:
            yield (*path, name)


def _encoded(paths: Iterable[Path]) -> Json:
    fields: Json = {}
    for path in sorted(paths):
        place = fields
        for element in path:
            place = place.setdefault(element, {})
    return fields


def apply_keys(group: str, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """The keys that tell items apart in server-side apply: ports are distinguished by protocol, too; `()`
    for a set. Custom resources have such lists in their metadata and pod templates only, and
    volumes as a whole (the CRD of Rollouts, git 9f8d111d8)."""
    if group.endswith("argoproj.io"):
        in_template = path[:2] == ("spec", "template") and path[-1] != "volumes"
        if path[:1] != ("metadata",) and not in_template:
            return None
    key = merge_key(path)
    if key is None:
        return None
    if key in ("containerPort", "port"):
        return (key, "protocol")
    return (key,) if key else ()
