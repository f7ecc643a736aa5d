"""Logs of a Rollout's pods by role: which pods, their lines in order of time, and following."""

import heapq
import math
import re
from collections.abc import Iterator
from datetime import timedelta

from msgspec import Struct

from companyos_canary.actions.deploy import container_of
from companyos_canary.argo.pods import pod_status, restarts
from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import Forbidden, Invalid, NotFound, UsageError, near
from companyos_canary.model.http import Stream
from companyos_canary.model.image import version as version_of
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import LogLine, Pod

Options = tuple[tuple[str, str], ...]
LONGEST_LINE = 1024 * 1024
"""Bytes of a line that are shown."""


class Wanted(Struct, frozen=True):
    """Which pods and which of their lines. `tail` is a number of lines of each pod, None for all;
    `container` None lets the version's own container speak, `settled` names that of canary.yaml."""

    stable: bool = False
    pod: str | None = None
    container: str | None = None
    settled: str | None = None
    previous: bool = False
    since: timedelta | None = None
    tail: int | None = None
    grep: re.Pattern[str] | None = None

    def options(self, container: str) -> Options:
        """As the API server names them. The stamps put the lines of several pods in order."""
        found = [("container", container), ("timestamps", "true")]
        if self.previous:
            found.append(("previous", "true"))
        if self.since is not None:
            found.append(("sinceSeconds", str(max(1, math.ceil(self.since.total_seconds())))))
        if self.tail is not None:
            found.append(("tailLines", str(self.tail)))
        return tuple(found)

    def shows(self, text: str) -> bool:
        return self.grep is None or self.grep.search(text) is not None


class FoundLines(Struct, frozen=True):
    """Lines in chronological order, of how many pods, and what could not be read."""

    lines: tuple[LogLine, ...]
    pods: int
    notes: tuple[str, ...]


def hash_of(snapshot: Snapshot, wanted: Wanted) -> str:
    """The pod template whose pods are meant."""
    rollout = snapshot.rollout
    return rollout.stable_hash if wanted.stable else rollout.current_hash


def role_of(snapshot: Snapshot, pod: Pod) -> str:
    return snapshot.role_of(pod.hash) or "old"


def pods_of(snapshot: Snapshot, wanted: Wanted) -> tuple[Pod, ...]:
    """The pods that are meant. Raises NotFound with a near name, or where none is left."""
    if wanted.pod:
        return (_named(snapshot, wanted.pod),)
    found = tuple(p for p in snapshot.pods if p.hash == hash_of(snapshot, wanted))
    if found:
        return found
    if denied := snapshot.denied("pods") or snapshot.denied("replicasets"):
        raise Forbidden(denied)
    rollout = snapshot.rollout
    version = version_of(rollout.image(container_of(rollout, wanted.settled))) or rollout.name
    if wanted.stable or rollout.is_fully_promoted:
        raise NotFound(f"`{rollout.name}` has no stable pods", hint="see `canary get`")
    if rollout.aborted:
        raise NotFound(
            f"no pod of {version} is left: it was aborted",
            hint="`canary logs --stable` has those that serve; `canary analysis` says what failed",
        )
    raise NotFound(f"{version} has no pods yet", hint="`canary logs -f` waits for them")


def worst_pod(snapshot: Snapshot) -> Pod | None:
    """The pod of the newest version that is worst off: not ready, started again most often; the
    youngest of equals."""
    found = [p for p in snapshot.pods if p.hash == snapshot.rollout.current_hash]

    def badness(pod: Pod) -> tuple[bool, int, float]:
        born = pod.created_at.timestamp() if pod.created_at else 0.0
        return not pod.ready and not pod.deleting, restarts(pod), born

    return max(found, key=badness, default=None)


def container_in(snapshot: Snapshot, pod: Pod, wanted: Wanted) -> str:
    """The container that is read: the one asked for, that of the version, else the first."""
    spec = pod.raw_spec
    own = [c.get("name", "") for c in spec.get("containers") or []]
    names = own + [c.get("name", "") for c in spec.get("initContainers") or []]
    if wanted.container:
        if wanted.container not in names:
            others = "it has " + ", ".join(f"`{n}`" for n in names)
            raise NotFound(
                f"pod `{pod.name}` has no container `{wanted.container}`", hint=near(wanted.container, names, others)
            )
        return wanted.container
    usual = container_of(snapshot.rollout, wanted.settled)
    return usual if usual in own or not own else own[0]


def has_log(pod: Pod, container: str, *, previous: bool) -> bool:
    """Whether the container has run, or with `previous` has been started again. One that waits for
    its next start has the log of its last run (kubelet: pkg/kubelet/kubelet_pods.go)."""
    status = (*pod.containers, *pod.init_containers)
    found = next((c for c in status if c.name == container), None)
    if found is None:
        return False
    return found.restarts > 0 or (not previous and (found.running or found.terminated))


def read_logs(cluster: Cluster, snapshot: Snapshot, wanted: Wanted) -> FoundLines:
    """What is there now. Raises NotFound if no pod has a log."""
    pods, notes = pods_of(snapshot, wanted), []
    texts: list[list[LogLine]] = []
    for pod in pods:
        container = container_in(snapshot, pod, wanted)
        if not has_log(pod, container, previous=wanted.previous):
            notes.append(f"pod {pod.name}: {_silent(pod, wanted)}")
            continue
        try:
            stream = cluster.log(pod.name, *wanted.options(container))
            role = role_of(snapshot, pod)
            texts.append([LogLine(at, pod.name, role, container, t) for at, t in lines_of(stream)])
        except (Invalid, NotFound) as error:
            notes.append(f"pod {pod.name}: {error.message}")
    if not texts:
        raise NotFound(f"no logs available: {notes[0]}", hint="`canary get` shows the pods")
    merged = heapq.merge(*texts, key=lambda line: line.at)
    return FoundLines(tuple(x for x in merged if wanted.shows(x.text)), len(texts), tuple(notes))


def _silent(pod: Pod, wanted: Wanted) -> str:
    if wanted.previous and not restarts(pod):
        return "it has never been restarted, so there is no previous log"
    return f"it has not started ({pod_status(pod)})"


def lines_of(stream: Stream) -> Iterator[tuple[str, str]]:
    """Stamp and text of every line as it comes; the last one also without an end. Of a line that is
    very long only the beginning, and how much is left out."""
    begun = bytearray()
    size = 0
    for chunk in stream:
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            yield _split(begun + piece[: LONGEST_LINE - len(begun)], size + len(piece))
            begun, size = bytearray(), 0
        begun += rest[: LONGEST_LINE - len(begun)]
        size += len(rest)
    if size:
        yield _split(begun, size)


def _split(line: bytearray, size: int) -> tuple[str, str]:
    stamp, _, text = line.decode("utf-8", "replace").rstrip("\r").partition(" ")
    left_out = size - len(line)
    return stamp, f"{text} … ({left_out} bytes more)" if left_out else text


def _named(snapshot: Snapshot, name: str) -> Pod:
    """By name, or by the end of it."""
    for pod in snapshot.pods:
        if pod.name == name or pod.name.endswith(f"-{name}"):
            return pod
    names = [p.name for p in snapshot.pods]
    ends = [n.rpartition("-")[2] for n in names]
    raise NotFound(
        f"`{snapshot.rollout.name}` has no pod `{name}`",
        hint=near(name, [*names, *ends], "`canary get` shows its pods"),
    )


def check_wanted(wanted: Wanted, *, follow: bool) -> None:
    """UsageError for flags that exclude each other."""
    if wanted.pod and wanted.stable:
        raise UsageError("--pod and --stable exclude each other", hint="leave out one of them")
    if follow and wanted.previous:
        raise UsageError(
            "a previous log has ended: --follow and --previous exclude each other", hint="leave out one of them"
        )
