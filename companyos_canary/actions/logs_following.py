"""Following the logs of pods that come and go: a thread a pod, one place where lines come out.

A connection that breaks, or a container that is started again, is read on from the last line that
was shown; the stamps tell which ones those were.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from companyos_canary.actions.change import interrupted
from companyos_canary.actions.logs import Wanted, container_in, has_log, hash_of, lines_of, pods_of, role_of
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.feed import Feed
from companyos_canary.errors import CanaryError, Invalid, NotFound, Unreachable
from companyos_canary.model.http import Stream
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import LogLine, Pod

LOOK = 0.2  # seconds
AGAIN = timedelta(seconds=1)

Show = Callable[[LogLine], None]
Start = Callable[[Callable[[], None]], None]


def in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


@dataclass
class _Tail:
    """The log of one container. Its thread only puts lines into the queue and sets `over`. `late`:
    the pod came while we followed, so that all of its log is new."""

    first: LogLine
    late: bool
    lines: "queue.SimpleQueue[LogLine]"
    last: str = ""
    over: bool = False
    ended_at: datetime | None = None
    error: CanaryError | None = None
    stream: Stream | None = field(default=None, repr=False)

    def read(self, cluster: Cluster, wanted: Wanted) -> None:
        told = self.last
        try:
            options = [*wanted.options(self.first.container), ("follow", "true")]
            if self.late or told:
                options = [o for o in options if o[0] not in ("tailLines", "sinceSeconds")]
            if told:
                options.append(("sinceTime", told))
            self.stream = cluster.log(self.first.pod, *options)
            for at, text in lines_of(self.stream):
                if at > told:
                    self.lines.put(replace(self.first, at=at, text=text))
                    self.last = at
        except CanaryError as error:
            self.error = error
        finally:
            self.over = True


class Follower:
    """Follows the pods of one pod template, or one pod."""

    def __init__(
        self, cluster: Cluster, wanted: Wanted, *, now: Callable[[], datetime], show: Show, start: Start = in_thread
    ) -> None:
        self._cluster = cluster
        self._wanted = wanted
        self._now = now
        self._show = show
        self._start = start
        self._lines: queue.SimpleQueue[LogLine] = queue.SimpleQueue()
        self._tails: dict[str, _Tail] = {}
        self._hash = ""
        self._looked = False

    def follow(self, feed: Feed) -> str:
        """Shows lines until all pods are gone; says why they are. Raises NotFound where none will
        come, what the server refuses, and Interrupted for Ctrl-C."""
        try:
            while True:
                snapshot = feed.snapshot()
                if snapshot is not None and self._look(snapshot):
                    self._drain()
                    return self._why(snapshot)
                self._drain()
                feed.wait(LOOK)
        except KeyboardInterrupt:
            raise interrupted("stopped reading; the rollout continues") from None
        finally:
            for tail in self._tails.values():
                if tail.stream is not None:
                    tail.stream.close()

    def _look(self, snapshot: Snapshot) -> bool:
        """Begins with new pods and again with broken ones; whether all is over."""
        self._hash = self._hash or hash_of(snapshot, self._wanted)
        pods = self._pods(snapshot)
        for pod in pods:
            tail = self._tails.get(pod.name)
            if tail is None:
                self._begin(snapshot, pod)
            elif tail.over and not _ends(pod):
                self._again(tail)
        self._looked = True
        over = all(t.over for t in self._tails.values())
        return bool(self._tails) and over and all(map(_ends, pods))

    def _pods(self, snapshot: Snapshot) -> list[Pod]:
        if self._tails and self._wanted.pod:
            return [p for p in snapshot.pods if p.name in self._tails]
        if not self._tails and (self._wanted.pod or not _may_come(snapshot, self._hash)):
            return list(pods_of(snapshot, self._wanted))
        return [p for p in snapshot.pods if p.hash == self._hash]

    def _begin(self, snapshot: Snapshot, pod: Pod) -> None:
        container = container_in(snapshot, pod, self._wanted)
        if has_log(pod, container, previous=False):
            first = LogLine("", pod.name, role_of(snapshot, pod), container, "")
            self._tails[pod.name] = tail = _Tail(first, self._looked, self._lines)
            self._start(lambda: tail.read(self._cluster, self._wanted))

    def _again(self, tail: _Tail) -> None:
        """A second after it ended. An error that will not pass ends everything."""
        if tail.error and not isinstance(tail.error, (Unreachable, Invalid, NotFound)):
            raise tail.error
        if tail.ended_at is None:
            tail.ended_at = self._now()
        elif self._now() - tail.ended_at >= AGAIN:
            tail.over, tail.ended_at, tail.error = False, None, None
            self._start(lambda: tail.read(self._cluster, self._wanted))

    def _drain(self) -> None:
        while True:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return
            if self._wanted.shows(line.text):
                self._show(line)

    def _why(self, snapshot: Snapshot) -> str:
        rollout = snapshot.rollout
        if self._wanted.pod:
            return "the pod is gone"
        if self._hash not in (rollout.current_hash, rollout.stable_hash):
            return "the pods are gone: another version took their place"
        if rollout.aborted and self._hash == rollout.current_hash:
            return "the pods are gone: the version was aborted"
        return "the pods are gone"


def _ends(pod: Pod) -> bool:
    """No container of it will be started again."""
    return pod.deleting or pod.phase in ("Succeeded", "Failed")


def _may_come(snapshot: Snapshot, digest: str) -> bool:
    """Whether the template has pods or is on its way."""
    rollout = snapshot.rollout
    there = any(p.hash == digest for p in snapshot.pods)
    return there or not (rollout.aborted or rollout.is_fully_promoted)
