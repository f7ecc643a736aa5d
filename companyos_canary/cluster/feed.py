"""A Rollout and all that belongs to it, kept up to date: what `watch` and `deploy` follow."""

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from companyos_canary.argo.pods import told_by_events, with_pod_events, without_a_verdict
from companyos_canary.cluster import kinds
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import (
    ANALYSISRUN,
    DEPLOYMENT,
    EVENT,
    EXPERIMENT,
    POD,
    REPLICASET,
    ROLLOUT,
    Kind,
    Selection,
)
from companyos_canary.cluster.reflector import Reflector
from companyos_canary.cluster.sources import ObjectSource, Pause, Poller, Watcher
from companyos_canary.errors import CanaryError, DeniedError, Forbidden, NotFound
from companyos_canary.model.http import Json
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot

CLOSING = 0.9  # seconds
_NEEDED = (REPLICASET, POD, ANALYSISRUN)
_WANTED = (EVENT, EXPERIMENT)


class Feed(Protocol):
    """Snapshots that follow a Rollout.

    `snapshot` is the newest, None until the first is whole; it raises NotFound once the Rollout is
    gone, and what made the feed stop (Forbidden, Unauthenticated, CrdMissing).
    `wait` blocks until `snapshot` would say something else than it last did, at most so many
    seconds; False if nothing changed and no one poked. `stale_since`: the last word of the
    cluster, while the connection is lost, and `trouble` why it is. `close` takes at most a second."""

    @property
    def stale_since(self) -> datetime | None: ...

    @property
    def trouble(self) -> CanaryError | None: ...

    def snapshot(self) -> Snapshot | None: ...

    def wait(self, timeout: float) -> bool: ...

    def poke(self) -> None:
        """Ends a wait, from any thread."""

    def close(self) -> None: ...


class WatchFeed:
    """Watches the Rollout by name and, once its selector is known, ReplicaSets, Pods, AnalysisRuns
    and events, each on a thread of its own. Any event makes a whole new Snapshot; equality decides
    whether anything changed. What may not be watched becomes a note; a Rollout that may be read
    but not watched is polled. Events of a pod are watched once it has been starting for long."""

    def __init__(
        self, cluster: Cluster, name: str, *, now: Callable[[], datetime], pause: Pause = threading.Event.wait
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._now = now
        self._pause = pause
        self._sources: dict[Kind, ObjectSource] = {}
        self._words: dict[str, ObjectSource] = {}
        self._closed = False
        self._complete = False
        self._news = threading.Condition(threading.RLock())
        self._changes = 0
        self._seen = 0
        self._poked = False
        self._shown: Snapshot | None = None
        self._built: tuple[int, Snapshot] | None = None
        self._watch(kinds.rollout_named(cluster.namespace, name))

    @property
    def stale_since(self) -> datetime | None:
        """Of a kind in which nothing happens the last word may be old, though it came through the
        same connection: the newest counts."""
        return max((s.stale_since for s in self._lost() if s.stale_since), default=None)

    @property
    def trouble(self) -> CanaryError | None:
        """The newest: an older one of another kind may be over."""
        lost = [s for s in self._lost() if s.trouble]
        return max(lost, key=lambda s: s.failed_at or self._now()).trouble if lost else None

    def snapshot(self) -> Snapshot | None:
        self._shown = self._snapshot()
        if self._shown is not None:
            self._listen(self._shown)
        return self._shown

    def wait(self, timeout: float) -> bool:
        end = time.monotonic() + timeout
        while True:
            with self._news:
                left = max(0.0, end - time.monotonic())
                if not self._news.wait_for(self._has_news, left):
                    return False
                self._seen = self._changes
                if self._poked:
                    self._poked = False
                    return True
            try:
                newest = self._snapshot()
            except CanaryError:
                return True
            if newest is not None and newest != self._shown:
                return True

    def poke(self) -> None:
        with self._news:
            self._poked = True
            self._news.notify_all()

    def _has_news(self) -> bool:
        return self._poked or self._changes != self._seen

    def close(self) -> None:
        with self._news:
            self._closed = True
        sources = self._current()
        for source in sources:
            source.close()
        end = time.monotonic() + CLOSING
        for source in sources:
            source.join(max(0.0, end - time.monotonic()))

    def _current(self) -> list[ObjectSource]:
        with self._news:
            return [*self._sources.values(), *self._words.values()]

    def _watch(self, selection: Selection) -> None:
        """Starts a watch of this kind, unless there is one."""
        with self._news:
            if self._closed or selection.kind in self._sources:
                return
            self._sources[selection.kind] = self._watcher(selection)

    def _watcher(self, selection: Selection) -> Watcher:
        reflector = Reflector(selection, random.random)
        watcher = Watcher(self._cluster.transport, reflector, self._changed, now=self._now, pause=self._pause)
        watcher.start()
        return watcher

    def _listen(self, snapshot: Snapshot) -> None:
        """Watches what happens to a pod whose events tell more than its status. One pod at a time: those of a revision
        fail alike."""
        pod = told_by_events(snapshot, self._now())
        with self._news:
            if pod is None or self._closed or any(p.name in self._words for p in snapshot.pods):
                return
            gone, self._words = self._words, {}
            self._words[pod.name] = self._watcher(kinds.events_about(self._cluster.namespace, POD.kind, pod.name))
        for source in gone.values():
            source.close()

    def _changed(self) -> None:
        """On the thread of a source."""
        with self._news:
            self._begin_others()
            self._changes += 1
            self._news.notify_all()

    def _begin_others(self) -> None:
        self._poll_if_forbidden()
        rollout = None if self._complete else self._rollout()
        if rollout is None:
            return
        workload = kinds.workload_of(rollout)
        if workload:
            self._watch(workload)
            source = self._sources.get(DEPLOYMENT)
            if source is None or not (source.synced or source.stopped):
                return
        for part in kinds.parts(rollout):
            self._watch(part)
        self._complete = True

    def _poll_if_forbidden(self) -> None:
        source = self._sources[ROLLOUT]
        if self._closed or isinstance(source, Poller) or not isinstance(source.stopped, Forbidden):
            return
        selection = kinds.rollout_named(self._cluster.namespace, self._name)
        poller = Poller(self._cluster.transport, selection, self._name, self._changed, now=self._now, pause=self._pause)
        self._sources[ROLLOUT] = poller
        poller.start()

    def _rollout(self) -> Rollout | None:
        found = self._objects(ROLLOUT)
        if not found:
            return None
        deployment = next(iter(self._objects(DEPLOYMENT)), None)
        return kinds.with_workload(Rollout.from_object(found[-1]), deployment)

    def _objects(self, kind: Kind) -> list[Json]:
        source = self._sources.get(kind)
        return source.objects() if source else []

    def _snapshot(self) -> Snapshot | None:
        with self._news:
            if self._built is None or self._built[0] != self._changes:
                snapshot = self._build()
                self._built = (self._changes, snapshot) if snapshot else None
                return snapshot
            return self._built[1]

    def _build(self) -> Snapshot | None:
        self._poll_if_forbidden()
        source = self._sources[ROLLOUT]
        if source.stopped:
            raise source.stopped
        if not source.synced:
            return None
        rollout = self._rollout()
        if rollout is None:
            where = f"in namespace `{self._cluster.namespace}`"
            raise NotFound(f"Rollout `{self._name}` not found {where}")
        others = [self._sources.get(kind) for kind in (*_NEEDED, *_WANTED)]
        if any(s is None or not (s.synced or s.stopped) for s in others[: len(_NEEDED)]):
            return None
        notes = tuple(s.stopped.message for s in others if s and s.stopped)
        notes += (self.trouble.message,) if self.trouble else ()
        forbidden = tuple(
            (kind.plural, source.stopped.message)
            for kind, source in zip((*_NEEDED, *_WANTED), others, strict=True)
            if source and isinstance(source.stopped, Forbidden)
        )
        found = kinds.assemble(rollout, self._objects, notes=notes, stale_since=self.stale_since, forbidden=forbidden)
        words = [o for source in self._words.values() for o in source.objects()]
        now = self._now()
        read = any(s.synced or s.stopped for s in self._words.values())
        unread = not read and told_by_events(found, now) is not None
        return with_pod_events(without_a_verdict(found) if unread else found, words, now)

    def _lost(self) -> list[ObjectSource]:
        """Those without a connection; what is refused from the start never had one."""
        return [
            s
            for s in self._current()
            if s.stale_since and not s.stopped and (s.synced or not isinstance(s.trouble, DeniedError))
        ]
