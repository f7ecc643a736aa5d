"""`canary logs`: what the canary's pods write, or the stable ones'.

Pods come and go: they are followed with a thread a pod, and there is one place where lines come out. A connection that
breaks, or a container that is started again, is read on from the last line that was shown; the stamps tell which ones
those were.
"""

import inspect
import queue
import re
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Annotated

import typer
from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.actions import logs as action
from companyos_canary.actions.change import interrupted
from companyos_canary.actions.logs import Wanted, container_in, has_log, hash_of, lines_of, pods_of, role_of
from companyos_canary.adapters import in_thread
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.feed import Feed
from companyos_canary.commands import base
from companyos_canary.commands.options import a_duration
from companyos_canary.errors import CanaryError, ExitCode, Invalid, NotFound, Unreachable, UsageError, exits
from companyos_canary.model.http import Stream
from companyos_canary.model.row import Output, Placed
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import LogLine, Pod
from companyos_canary.view.machine import Failure


class Logs(Placed, frozen=True, kw_only=True):
    lines: tuple[LogLine, ...]
    notes: tuple[str, ...]


EXAMPLES = (
    "canary logs                            the last 100 lines of each canary pod",
    "canary logs -f --grep 'status=5'       follow until the pods are gone",
    "canary logs --stable --since 10m",
    "canary logs --pod x2k1z --previous     a suffix of the pod's name is enough",
)
OUTPUT = Output((Logs,), {"log": LogLine, "error": Failure})
EXITS = exits(ExitCode.INTERRUPTED)


LOOK = 0.2  # seconds
_AGAIN = timedelta(seconds=1)

_Show = Callable[[LogLine], None]
_Start = Callable[[Callable[[], None]], None]


class _Tail(Struct):
    """The log of one container. Its thread only puts lines into the queue and sets `over`. `late`:
    the pod came while we followed, so that all of its log is new."""

    first: LogLine
    late: bool
    lines: "queue.SimpleQueue[LogLine]"
    last: str = ""
    over: bool = False
    ended_at: datetime | None = None
    error: CanaryError | None = None
    stream: Stream | None = None

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
        self, cluster: Cluster, wanted: Wanted, *, now: Callable[[], datetime], show: _Show, start: _Start = in_thread
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
        """Shows lines until all pods are gone; says why they are. Raises NotFound if none will
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
            self._leave()

    def _look(self, snapshot: Snapshot) -> bool:
        """Begins with new pods and again with broken ones; whether all is over."""
        self._hash = self._hash or hash_of(snapshot, self._wanted)
        if self._a_newer_one_came(snapshot):
            self._leave()
            self._hash = hash_of(snapshot, self._wanted)
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

    def _a_newer_one_came(self, snapshot: Snapshot) -> bool:
        """What is followed is the canary: where its version was or became stable, the next one is that."""
        live, wanted = snapshot.rollout, self._wanted
        moved = live.current_hash not in ("", self._hash) and self._hash == live.stable_hash
        return moved and not (wanted.stable or wanted.pod or live.aborted)

    def _leave(self) -> None:
        for tail in self._tails.values():
            if tail.stream is not None:
                tail.stream.close()
        self._tails.clear()

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
        elif self._now() - tail.ended_at >= _AGAIN:
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
            return "the pods are gone: another version replaced them"
        if rollout.aborted and self._hash == rollout.current_hash:
            return "the pods are gone: the version was aborted"
        return "the pods are gone"


def _ends(pod: Pod) -> bool:
    """No container of it will be started again."""
    return pod.deleting or pod.phase in ("Succeeded", "Failed")


def _may_come(snapshot: Snapshot, digest: str) -> bool:
    """Whether the template has pods or is in progress."""
    rollout = snapshot.rollout
    there = any(p.hash == digest for p in snapshot.pods)
    return there or not (rollout.aborted or rollout.is_fully_promoted)


_LEAST = timedelta(milliseconds=1)
_TAIL = 100


def logs(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    stable: Annotated[bool, typer.Option("--stable", help="pods of the stable version")] = False,
    pod: Annotated[str | None, typer.Option("--pod", metavar="POD", help="only this pod, by name or suffix")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="keep printing, also from new pods")] = False,
    previous: Annotated[
        bool, typer.Option("--previous", help="lines of the container before its last restart")
    ] = False,
    since: Annotated[
        timedelta | None,
        typer.Option("--since", help="only lines from the last, e.g. 10m"),
        a_duration("--since", least=_LEAST),
    ] = None,
    tail: Annotated[
        int | None,
        typer.Option("--tail", min=-1, help="last lines of each pod; -1 = all [default: 100, without --since]"),
    ] = None,
    container: Annotated[
        str | None, typer.Option("-c", "--container", help="container to read [default: the deployed one]")
    ] = None,
    grep: Annotated[
        str | None, typer.Option("--grep", metavar="REGEX", help="only lines that match this regular expression")
    ] = None,
) -> base.Answer:
    """Show the logs of the canary's pods in chronological order. Each line is prefixed with the pod name."""
    usual = None if since else _TAIL
    wanted = action.Wanted(
        stable=stable,
        pod=pod,
        container=container,
        settled=session.container,
        previous=previous,
        since=since,
        tail=usual if tail is None else (None if tail < 0 else tail),
        grep=_pattern(grep),
    )
    action.check_wanted(wanted, follow=follow)
    if follow:
        session.ends("--follow")
        return _follow(session, wanted)
    from companyos_canary.view import pods as view

    snapshot = session.cluster.snapshot(session.rollout, events=False)
    found = action.read_logs(session.cluster, snapshot, wanted)
    live, facts = snapshot.rollout, session.runtime.facts
    several = found.pods > 1
    pods: dict[str, int] = {}
    return base.Answer(
        data=Logs(**session.place_of(live), lines=tuple(found.lines), notes=tuple(found.notes)),
        lines=tuple(view.log_line(x, facts, prefixed=several, pods=pods) for x in found.lines),
        notes=(*_role_note(snapshot, wanted), *found.notes),
    )


def _role_note(snapshot: Snapshot, wanted: action.Wanted) -> tuple[str, ...]:
    if wanted.stable or wanted.pod or not snapshot.rollout.is_fully_promoted:
        return ()
    return ("no update is in progress: these are the stable pods",)


def _follow(session: base.Session, wanted: action.Wanted) -> base.Answer:
    from companyos_canary.view import pods as view

    runtime, as_json = session.runtime, session.output == "json"
    pods: dict[str, int] = {}
    now = runtime.clock.now

    def show(found: LogLine) -> None:
        if as_json:
            runtime.say_event("log", found)
        else:
            runtime.say(view.log_line(found, runtime.facts, prefixed=True, pods=pods))

    name = session.cluster.rollout(session.rollout).name
    with closing(runtime.feed(session.cluster, name)) as feed:
        why = Follower(session.cluster, wanted, now=now, show=show).follow(feed)
    session.answered = as_json
    return base.Answer(notes=(why,))


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text is not None else None
    except re.error as error:
        raise UsageError(
            f"--grep `{text}` is not a regular expression: {error.msg}",
            hint="put a backslash before a special character",
        ) from None


def _f_follows(callback: Callable[..., None]) -> Callable[..., None]:
    """Leaves -f to --follow, as kubectl has it; --file keeps its long name here."""
    only_long = Annotated[str | None, typer.Option("--file", help="canary.yaml to use")]
    signature = inspect.signature(callback)
    changed = [p.replace(annotation=only_long) if p.name == "file" else p for p in signature.parameters.values()]
    callback.__signature__ = signature.replace(parameters=changed)  # type: ignore[attr-defined]
    callback.__annotations__["file"] = only_long
    return callback


command = _f_follows(base.verb(logs, forms=("human", "json")))
