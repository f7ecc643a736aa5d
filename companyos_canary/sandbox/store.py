"""The objects of the sandbox, their resourceVersions, and the log that watches read.

Objects in the store are never changed in place: every write puts a new dict there, so a reader
in another thread never sees half a change. Callers treat what they get as read-only and copy
before they edit.
"""

import copy
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.kinds import KINDS, NAMESPACE, Kind

Object = dict[str, Any]
Key = tuple[Kind, str, str]
_SERVER_FIELDS = ("uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp")


class ApiStatus(Exception):
    """What an API server answers instead of an object: `code`, `reason` (a word) and a message."""

    def __init__(
        self, code: int, reason: str, message: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}


def not_found(kind: Kind, name: str) -> ApiStatus:
    return ApiStatus(
        404, "NotFound", f'{kind.resource} "{name}" not found',
        {"name": name, "group": kind.group, "kind": kind.plural},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the watch log. `before` is None for ADDED; for DELETED `object` is the last
    state with the resourceVersion of the deletion."""

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    kind: Kind
    object: Object
    before: Object | None


class Store:
    """All objects of one cluster. `now` is the cluster's clock; every method may be called from
    any thread. Raises ApiStatus: 404 NotFound, 409 AlreadyExists or Conflict, 410 Expired."""

    def __init__(self, now: Callable[[], datetime], log_size: int = 5000) -> None:
        self.now = now
        self._objects: dict[Key, Object] = {}
        self._log: deque[Change] = deque(maxlen=log_size)
        self._version = 100
        self._compacted = 100
        self._changed = threading.Condition(threading.RLock())
        for name in ("default", "kube-system"):
            self.create(NAMESPACE, {"metadata": {"name": name}, "status": {"phase": "Active"}})

    # reading

    @property
    def version(self) -> int:
        """The resourceVersion of the newest change."""
        return self._version

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._objects.get((kind, namespace if kind.namespaced else "", name))

    def read(self, kind: Kind, namespace: str, name: str) -> Object:
        """As `get`, but 404 for a missing object."""
        found = self.get(kind, namespace, name)
        if found is None:
            raise not_found(kind, name)
        return found

    def items(self, kind: Kind, namespace: str = "") -> list[Object]:
        """All objects of a kind in a namespace (all namespaces for an empty one), by name."""
        with self._changed:
            found = [
                (key[1], key[2], obj)
                for key, obj in self._objects.items()
                if key[0] is kind and (not namespace or key[1] == namespace)
            ]
        return [obj for _, _, obj in sorted(found, key=lambda f: f[:2])]

    def changes(self, since: int) -> list[Change]:
        """Everything after a resourceVersion, in order. Raises 410 where the log is too short."""
        with self._changed:
            if since < self._compacted:
                raise ApiStatus(
                    410, "Expired",
                    f"too old resource version: {since} ({self._compacted})",
                )  # fmt: skip
            return [c for c in self._log if c.version > since]

    def wait(self, since: int, timeout: float) -> int:
        """Blocks until something is newer than `since` or the time is over; the newest version."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > since, timeout)
            return self._version

    def wake(self) -> None:
        """Wakes every `wait` (they look and go on waiting if nothing is new)."""
        with self._changed:
            self._changed.notify_all()

    def compact(self) -> None:
        """Forgets the log: a watch from any older version gets 410."""
        with self._changed:
            self._log.clear()
            self._compacted = self._version

    # writing

    def create(self, kind: Kind, obj: Object) -> Object:
        with self._changed:
            obj = copy.deepcopy(obj)
            meta = obj.setdefault("metadata", {})
            namespace = meta.get("namespace", "") if kind.namespaced else ""
            key = (kind, namespace, meta["name"])
            if key in self._objects:
                raise ApiStatus(
                    409, "AlreadyExists", f'{kind.resource} "{meta["name"]}" already exists',
                    {"name": meta["name"], "group": kind.group, "kind": kind.plural},
                )  # fmt: skip
            meta["uid"] = str(uuid.uuid4())
            meta["creationTimestamp"] = format_time(self.now())
            meta["generation"] = 1
            obj.setdefault("apiVersion", kind.api_version)
            obj.setdefault("kind", kind.kind)
            return self._put("ADDED", key, obj, None)

    def update(
        self,
        kind: Kind,
        obj: Object,
        *,
        status_only: bool = False,
        expect: str = "",
    ) -> Object:
        """Replaces an object. With a status subresource, a write to the main resource keeps the
        old status and a `status_only` write keeps everything else. The generation moves when
        anything but metadata and (isolated) status changes. `expect`: the resourceVersion that
        must still be there (409 otherwise). Nothing is written when nothing changes."""
        with self._changed:
            meta = obj["metadata"]
            namespace = meta.get("namespace", "") if kind.namespaced else ""
            key = (kind, namespace, meta["name"])
            old = self.read(kind, namespace, meta["name"])
            if expect and expect != old["metadata"]["resourceVersion"]:
                raise ApiStatus(
                    409, "Conflict",
                    f'Operation cannot be fulfilled on {kind.resource} "{meta["name"]}": '
                    "the object has been modified; please apply your changes to the latest "
                    "version and try again",
                    {"name": meta["name"], "group": kind.group, "kind": kind.plural},
                )  # fmt: skip
            new = _merged(kind, old, copy.deepcopy(obj), status_only)
            if new == old:
                return old
            if old["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
                return self._remove(key, new)
            return self._put("MODIFIED", key, new, old)

    def delete(self, kind: Kind, namespace: str, name: str) -> Object:
        """Removes an object and, by ownerReferences, all that it owned. One with finalizers only
        gets its deletionTimestamp."""
        with self._changed:
            old = self.read(kind, namespace, name)
            key = (kind, namespace if kind.namespaced else "", name)
            if old["metadata"].get("finalizers"):
                new = copy.deepcopy(old)
                new["metadata"].setdefault("deletionTimestamp", format_time(self.now()))
                return old if new == old else self._put("MODIFIED", key, new, old)
            return self._remove(key, copy.deepcopy(old))

    def _remove(self, key: Key, obj: Object) -> Object:
        gone = self._put("DELETED", key, obj, self._objects[key])
        self._collect(gone["metadata"]["uid"])
        return gone

    def _collect(self, owner: str) -> None:
        for (kind, namespace, name), obj in list(self._objects.items()):
            owners = obj["metadata"].get("ownerReferences") or []
            if any(o.get("uid") == owner for o in owners) and self.get(kind, namespace, name):
                self.delete(kind, namespace, name)

    def _put(
        self, type_: Literal["ADDED", "MODIFIED", "DELETED"], key: Key, obj: Object,
        before: Object | None,
    ) -> Object:  # fmt: skip
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        if type_ == "DELETED":
            del self._objects[key]
        else:
            self._objects[key] = obj
        if len(self._log) == self._log.maxlen:
            self._compacted = self._log[0].version
        self._log.append(Change(self._version, type_, key[0], obj, before))
        self._changed.notify_all()
        return obj


def _merged(kind: Kind, old: Object, new: Object, status_only: bool) -> Object:
    """The object that a write leaves behind, with the server's own fields kept."""
    isolated = "status" in kind.subresources
    if status_only:
        return {**copy.deepcopy(old), "status": new.get("status", {})}
    if isolated:
        new.pop("status", None)
        if "status" in old:
            new["status"] = copy.deepcopy(old["status"])
    for field in _SERVER_FIELDS:
        if field in old["metadata"]:
            new["metadata"][field] = old["metadata"][field]
        else:
            new["metadata"].pop(field, None)
    new["apiVersion"], new["kind"] = kind.api_version, kind.kind
    if _content(new, isolated) != _content(old, isolated):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    return new


def _content(obj: Object, isolated: bool) -> Object:
    skipped = {"metadata", "status"} if isolated else {"metadata"}
    return {k: v for k, v in obj.items() if k not in skipped}


def kind_of(obj: Object, kinds: Iterable[Kind] = KINDS) -> Kind | None:
    """The kind that an object's apiVersion and kind name."""
    return next(
        (k for k in kinds
         if (k.api_version, k.kind) == (obj.get("apiVersion"), obj.get("kind"))), None,
    )  # fmt: skip
