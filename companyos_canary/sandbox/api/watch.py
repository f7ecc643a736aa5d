"""A watch: the changes since a resourceVersion as lines of JSON, until time-out or close."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from companyos_canary.model.http import Json
from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.api.answer import Form, encoded, status_object
from companyos_canary.sandbox.api.selectors import Test
from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import ApiStatus, Object
from companyos_canary.sandbox.store import Change, Store

BOOKMARK_SECONDS = 60.0
BEFORE_THE_END = 2.0  # seconds: the last bookmark of a watch


class WatchOptions(Struct, frozen=True):
    """`since` None: what exists comes first as ADDED. `bookmark_initial`: a bookmark that says
    where that ends (`sendInitialEvents`). `seconds` is how long the watch lasts."""

    kind: Kind
    namespace: str
    test: Test
    form: Form
    since: int | None
    seconds: float
    bookmarks: bool = False
    bookmark_initial: bool = False


class Watch:
    """The body of a watch (model.http.Stream). `elapsed` is a monotonic clock in seconds."""

    def __init__(self, store: Store, options: WatchOptions, elapsed: Callable[[], float]) -> None:
        self._store = store
        self._options = options
        self._elapsed = elapsed
        self._closed = False
        self._headings = True

    def close(self) -> None:
        self._closed = True
        self._store.wake()

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._events()
        except ApiStatus as error:
            yield encoded({"type": "ERROR", "object": status_object(error)})

    def _events(self) -> Iterator[bytes]:
        options, since = self._options, self._options.since
        if since is None:
            since = self._store.version
            for obj in self._store.items(options.kind, options.namespace, at=since):
                if options.test(obj):
                    yield self._line("ADDED", obj)
            if options.bookmark_initial:
                yield self._bookmark(since, initial=True)
        yield from self._follow(since)

    def _follow(self, since: int) -> Iterator[bytes]:
        begun = self._elapsed()
        end = begun + self._options.seconds
        told, due = since, _next_bookmark(begun, end)
        while not self._closed:
            for change in self._store.changes(since):
                since = change.version
                if line := self._change(change):
                    told = since
                    yield line
                if self._closed:
                    return
            now = self._elapsed()
            if now >= end:
                return
            if now >= due:
                due = _next_bookmark(now, end)
                if self._options.bookmarks and told < since:
                    told = since
                    yield self._bookmark(since)
            self._store.wait(since, min(end, due) - now, lambda: self._closed)

    def _change(self, change: Change) -> bytes | None:
        """The event that the selector makes of a change: entering is ADDED, leaving DELETED."""
        options = self._options
        if change.kind is not options.kind:
            return None
        if options.namespace and change.object["metadata"].get("namespace") != options.namespace:
            return None
        was = change.before is not None and options.test(change.before)
        if change.type == "DELETED":
            return self._line("DELETED", change.object) if was else None
        matches = options.test(change.object)
        if matches:
            return self._line("MODIFIED" if was else "ADDED", change.object)
        if was and change.before is not None:
            meta = {**change.before["metadata"], "resourceVersion": str(change.version)}
            return self._line("DELETED", {**change.before, "metadata": meta})
        return None

    def _line(self, type_: str, obj: Object) -> bytes:
        ages_at = format_time(self._store.now())
        shown = self._options.form.one(self._options.kind, obj, ages_at, headings=self._headings)
        self._headings = False
        return encoded({"type": type_, "object": shown})

    def _bookmark(self, version: int, *, initial: bool = False) -> bytes:
        meta: Json = {"resourceVersion": str(version), "creationTimestamp": None}
        if initial:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        kind, api_version = self._options.kind.kind, self._options.kind.api_version
        bookmark: Json = {"kind": kind, "apiVersion": api_version, "metadata": meta}
        if self._options.form.name == "table":
            bookmark.update(kind="Table", apiVersion="meta.k8s.io/v1", rows=[])
            bookmark["columnDefinitions"] = []
        return encoded({"type": "BOOKMARK", "object": bookmark})


def _next_bookmark(now: float, end: float) -> float:
    """Every minute, and once shortly before the end."""
    last = end - BEFORE_THE_END
    regular = now + BOOKMARK_SECONDS
    return last if now < last < regular else regular
