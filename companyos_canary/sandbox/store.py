"""The objects of the sandbox, their resourceVersions, the log that watches read, and the local copy
(informer) that a controller keeps from that log.

Objects in the store are never changed in place: every write puts a new dict there, so a reader
in another thread never sees half a change. Callers treat what they get as read-only and copy
before they edit.
"""

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal

from msgspec import Struct

from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.defaults import complete, namespace
from companyos_canary.sandbox.kinds import NAMESPACE, Kind
from companyos_canary.sandbox.objects import (
    ApiStatus,
    Key,
    Object,
    check_uid,
    conflict,
    copied,
    details_of,
    key_of,
    merged,
    not_found,
    owners_of,
)

Propagation = Literal["Background", "Foreground", "Orphan"]


class Change(Struct, frozen=True):
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
        self._listed: dict[Kind, dict[str, list[Object]]] = {}
        self._owned: dict[str, set[Key]] = {}
        self._uids: set[str] = set()
        self._log: deque[Change] = deque(maxlen=log_size)
        self._version = 100
        self._compacted = 100
        self._changed = threading.Condition(threading.RLock())
        for name in ("default", "kube-system"):
            self.create(NAMESPACE, namespace(name))

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

    def items(self, kind: Kind, namespace: str = "", at: int | None = None) -> list[Object]:
        """All objects of a kind in a namespace (all namespaces for an empty one), by name; `at` an
        older resourceVersion as they were then (410 where the log is too short)."""
        with self._changed:
            if at in (None, self._version):
                return list(self._list(kind, namespace))
            found = {
                key: obj
                for key, obj in self._objects.items()
                if key[0] is kind and (not namespace or key[1] == namespace)
            }
            for change in reversed(self.changes(at)):
                key = key_of(change.kind, change.object)
                if change.kind is not kind or (namespace and key[1] != namespace):
                    continue
                if change.before is None:
                    found.pop(key, None)
                else:
                    found[key] = change.before
        return [found[key] for key in sorted(found, key=_place)]

    def _list(self, kind: Kind, namespace: str) -> list[Object]:
        """What is there now; kept until an object of the kind changes."""
        lists = self._listed.setdefault(kind, {})
        if namespace not in lists:
            if not namespace:
                keys = sorted((key for key in self._objects if key[0] is kind), key=_place)
                lists[""] = [self._objects[key] for key in keys]
            else:
                lists[namespace] = [o for o in self._list(kind, "") if key_of(kind, o)[1] == namespace]
        return lists[namespace]

    def changes(self, since: int) -> list[Change]:
        """Everything after a resourceVersion, in order. Raises 410 if the log is too short."""
        with self._changed:
            if since < self._compacted:
                raise ApiStatus(410, "Expired", f"too old resource version: {since} ({self._compacted})")
            newest_first = []
            for change in reversed(self._log):
                if change.version <= since:
                    break
                newest_first.append(change)
            return newest_first[::-1]

    def wait(self, since: int, timeout: float, until: Callable[[], bool] | None = None) -> int:
        """Blocks until something is newer than `since`, the time is over, or `until` says so after
        a `wake`; the newest version."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > since or (until is not None and until()), timeout)
            return self._version

    def wake(self) -> None:
        """Wakes every `wait` (they look and continue waiting if nothing is new)."""
        with self._changed:
            self._changed.notify_all()

    # writing

    def create(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        """A new object with uid, creationTimestamp, generation 1 and its defaults; `dry_run` writes nothing."""
        with self._changed:
            obj = copied(obj)
            meta = obj.setdefault("metadata", {})
            key = key_of(kind, obj)
            if key in self._objects:
                raise ApiStatus(
                    409,
                    "AlreadyExists",
                    f'{kind.resource} "{meta["name"]}" already exists',
                    details_of(kind, meta["name"]),
                )
            meta["uid"] = str(uuid.uuid4())
            meta["creationTimestamp"] = format_time(self.now())
            meta.pop("generation", None)
            if kind.counts_generations:
                meta["generation"] = 1
            obj.setdefault("apiVersion", kind.api_version)
            obj.setdefault("kind", kind.kind)
            complete(kind, obj)
            return obj if dry_run else self._put("ADDED", key, obj, None)

    def update(
        self, kind: Kind, obj: Object, *, status_only: bool = False, expect: str = "", dry_run: bool = False
    ) -> Object:
        """Replaces an object. With a status subresource, a write to the main resource keeps the
        old status and a `status_only` write keeps everything else. The generation moves when
        anything but metadata and (isolated) status changes. `expect`: the resourceVersion that
        must still be there (409 otherwise). Nothing is written when nothing changes."""
        with self._changed:
            meta = obj["metadata"]
            key = key_of(kind, obj)
            old = self.read(kind, key[1], meta["name"])
            if expect and expect != old["metadata"]["resourceVersion"]:
                raise conflict(
                    kind,
                    meta["name"],
                    "the object has been modified; please apply your changes to the latest version and try again",
                )
            check_uid(kind, old, meta.get("uid", ""))
            if obj == old and not dry_run:
                return old
            new = merged(kind, old, obj, status_only)
            if new == old or dry_run:
                return new
            if old["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
                return self._remove(key, new)
            return self._put("MODIFIED", key, new, old)

    def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        propagation: Propagation = "Background",
        uid: str = "",
        expect: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Removes an object and, by ownerReferences, all that only it owned (`Foreground`: those
        first; `Orphan`: they stay and lose the reference). One with finalizers only gets its
        deletionTimestamp. `uid` and `expect` (a resourceVersion) are preconditions."""
        with self._changed:
            old = self.read(kind, namespace, name)
            check_uid(kind, old, uid)
            if expect and expect != old["metadata"]["resourceVersion"]:
                raise conflict(
                    kind,
                    name,
                    f"Precondition failed: ResourceVersion in precondition: {expect}, "
                    f"ResourceVersion in object meta: {old['metadata']['resourceVersion']}",
                )
            new: Object = {**old, "metadata": dict(old["metadata"])}
            if dry_run:
                return new
            if propagation == "Foreground":
                self._collect(old["metadata"]["uid"])
            elif propagation == "Orphan":
                self._collect(old["metadata"]["uid"], orphan=True)
            if old["metadata"].get("finalizers"):
                new["metadata"].setdefault("deletionTimestamp", format_time(self.now()))
                return old if new == old else self._put("MODIFIED", key_of(kind, old), new, old)
            return self._remove(key_of(kind, old), new)

    def _remove(self, key: Key, obj: Object) -> Object:
        gone = self._put("DELETED", key, obj, self._objects[key])
        if key[0] is NAMESPACE:
            for kind, space, name in [k for k in self._objects if k[1] == key[2]]:
                if self.get(kind, space, name):
                    self.delete(kind, space, name)
        self._collect(gone["metadata"]["uid"])
        return gone

    def _collect(self, owner: str, *, orphan: bool = False) -> None:
        """Deletes what no one but `owner` owns; the rest only loses the reference."""
        for key in sorted(self._owned.get(owner, ()), key=lambda k: (k[0].resource, *k[1:])):
            old = self._objects.get(key)
            if old is None:
                continue
            left = [o for o in old["metadata"]["ownerReferences"] if o.get("uid") != owner]
            if orphan or any(o.get("uid") in self._uids for o in left):
                new = copied(old)
                new["metadata"]["ownerReferences"] = left
                if not left:
                    del new["metadata"]["ownerReferences"]
                self._put("MODIFIED", key, new, old)
            else:
                self.delete(*key)

    def _put(
        self, type_: Literal["ADDED", "MODIFIED", "DELETED"], key: Key, obj: Object, before: Object | None
    ) -> Object:
        self._version += 1
        self._listed.pop(key[0], None)
        obj["metadata"]["resourceVersion"] = str(self._version)
        for owner in owners_of(before) - owners_of(obj):
            self._owned.get(owner, set()).discard(key)
        if type_ == "DELETED":
            del self._objects[key]
            self._uids.discard(obj["metadata"]["uid"])
            for owner in owners_of(obj):
                self._owned.get(owner, set()).discard(key)
        else:
            self._objects[key] = obj
            self._uids.add(obj["metadata"]["uid"])
            for owner in owners_of(obj):
                self._owned.setdefault(owner, set()).add(key)
        if len(self._log) == self._log.maxlen:
            self._compacted = self._log[0].version
        self._log.append(Change(self._version, type_, key[0], obj, before))
        self._changed.notify_all()
        return obj


def _place(key: Key) -> tuple[str, str]:
    """Namespace and name: the order of a list."""
    return key[1:]


class Informer:
    """`objects` are by uid, in order of creation; read-only. A look costs what has changed, not
    what there is."""

    def __init__(self, store: Store, *kinds: Kind) -> None:
        self._store = store
        self._kinds = kinds
        self._seen = 0
        self.objects: dict[str, Object] = {}

    def changes(self) -> Iterator[Change]:
        """What has happened since the last call; `objects` is at the newest state before the
        first is given. Where the log is too short, everything that is there counts as new."""
        try:
            found = self._store.changes(self._seen)
        except ApiStatus:
            found = self._everything()
        if found:
            self._seen = found[-1].version
        mine = [c for c in found if c.kind in self._kinds]
        for change in mine:
            uid = change.object["metadata"]["uid"]
            if change.type == "DELETED":
                self.objects.pop(uid, None)
            else:
                self.objects[uid] = change.object
        yield from mine

    def _everything(self) -> list[Change]:
        """Deletions of what is gone and additions of what is there, the eldest first."""
        version = self._store.version
        now = [(k, o) for k in self._kinds for o in self._store.items(k)]
        now.sort(key=lambda found: int(found[1]["metadata"]["resourceVersion"]))
        kept = {o["metadata"]["uid"] for _, o in now}
        gone = [(uid, o) for uid, o in self.objects.items() if uid not in kept]
        kinds = {k.kind: k for k in self._kinds}
        return [
            *(Change(version, "DELETED", kinds[o["kind"]], o, o) for _, o in gone),
            *(Change(version, "ADDED", k, o, None) for k, o in now),
        ]
