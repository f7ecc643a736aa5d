"""A local copy of some kinds, kept up to date from the store's log, as a controller has it."""

from collections.abc import Iterator

from companyos_canary.sandbox.errors import ApiStatus
from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.store import Change, Store


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
