"""The requests that the sandbox's applications get, and the scrapes that see them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from companyos_canary.sandbox.exporter import Exporter
from companyos_canary.sandbox.kinds import POD, REPLICASET
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.scenarios import RATE, Behaviour, behaviour
from companyos_canary.sandbox.store import Store
from companyos_canary.sandbox.tsdb import Target, Tsdb

#: A longer gap (a laptop that slept) is not filled: traffic goes on from its end.
MAX_SCRAPES = 600
_NOT_A_LABEL = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True)
class _Pod:
    """A ready pod of a Rollout. `process` is another one after a restart of the container."""

    process: tuple[str, int]
    name: str
    rollout: str
    replicaset: str
    image: str
    labels: dict[str, str]
    address: str


@dataclass(slots=True)
class _Process:
    """`since`: when it was first seen ready, in milliseconds."""

    exporter: Exporter
    pod: _Pod
    since: int
    shown: dict[frozenset[tuple[str, str]], dict[str, str]] = field(default_factory=dict)


class Traffic:
    """Sends `rate` requests a second to every Rollout, evenly over its ready pods, and scrapes
    those pods each `interval` seconds: what the application counts, plus `up`. The labels of a
    pod are on its series (`-`, `.` and `/` become `_`), as a `labelmap` rule copies them. Of pods
    that show no metrics there is only `up`, 0. `scenarios` says how an image behaves.

    Deterministic: the same pods at the same times give the same samples. Owns no thread.
    """

    def __init__(
        self,
        store: Store,
        tsdb: Tsdb,
        scenarios: Callable[[str], Behaviour] = behaviour,
        *,
        rate: Callable[[], float] = lambda: RATE,
        interval: float = 0.5,
    ) -> None:
        self._store = store
        self._tsdb = tsdb
        self._scenarios = scenarios
        self._rate = rate
        self._interval = max(round(interval * 1000), 1)  # milliseconds, like all times in here
        self._last: int | None = None
        self._processes: dict[tuple[str, int], _Process] = {}

    def step(self, now: datetime) -> datetime | None:
        """Makes every scrape that is due; returns the time of the next, or None while there is
        no pod to scrape. Time that went by before a pod was first seen brings it no requests."""
        moment = round(now.timestamp() * 1000)
        if self._last is not None and moment < self._last + self._interval:
            return _time(self._last + self._interval)
        pods = _ready_pods(self._store)
        if not pods and not self._processes:
            self._last = None
            return None
        if self._last is None:
            self._last = moment
            self._scrape(pods, moment, 0)
        due = (moment - self._last) // self._interval
        self._last += max(due - MAX_SCRAPES, 0) * self._interval
        for _ in range(min(due, MAX_SCRAPES)):
            self._last += self._interval
            self._scrape(pods, self._last, self._interval)
        return _time(self._last + self._interval)

    def targets(self) -> list[Target]:
        """What is scraped now, as Prometheus lists it."""
        at = _time(self._last or 0)
        return [
            Target(
                labels=process.pod.labels,
                url=f"http://{process.pod.address}/metrics",
                pool=process.pod.labels["job"],
                last_scrape=at,
                interval=self._interval / 1000,
                health="down" if self._how(process.pod).metrics == "none" else "up",
            )
            for process in list(self._processes.values())
        ]

    def _scrape(self, pods: Iterable[_Pod], moment: int, since_last: int) -> None:
        at, seconds, rate = moment / 1000, since_last / 1000, self._rate()
        known = {pod.process: pod for pod in pods}
        for gone in self._processes.keys() - known.keys():
            for labels in self._processes.pop(gone).shown.values():
                self._tsdb.mark_stale(labels, at)
        ready = _counted(known.values(), lambda pod: pod.rollout)
        in_version = _counted(known.values(), lambda pod: pod.replicaset)
        for pod in known.values():
            process = self._processes.get(pod.process)
            if process is None:
                process = _Process(Exporter(f"{pod.name} {pod.process[1]}"), pod, moment)
                self._processes[pod.process] = process
            else:
                weight = 100 * in_version[pod.replicaset] / ready[pod.rollout]
                rates = self._how(pod).at((moment - process.since) / 1000, weight)
                process.exporter.serve(rate * seconds / ready[pod.rollout], rates)
            process.pod = pod
            self._show(process, at)

    def _how(self, pod: _Pod) -> Behaviour:
        return self._scenarios(pod.image)

    def _show(self, process: _Process, at: float) -> None:
        """Writes one scrape; series that are no longer there (a label of the pod changed) end."""
        metrics = self._how(process.pod).metrics
        own = dict(process.pod.labels)
        if metrics == "unlabelled":
            own.pop("canary", None)
        up: tuple[str, dict[str, str], float] = ("up", {}, float(metrics != "none"))
        exported = () if metrics == "none" else process.exporter.exported()
        shown = {}
        for metric, labels, value in (up, *exported):
            full = {"__name__": metric, **own, **labels}
            shown[frozenset(full.items())] = full
            self._tsdb.append(full, at, value)
        for identity in process.shown.keys() - shown.keys():
            self._tsdb.mark_stale(process.shown[identity], at)
        process.shown = shown


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _counted(pods: Iterable[_Pod], key: Callable[[_Pod], str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for pod in pods:
        counts[key(pod)] = counts.get(key(pod), 0) + 1
    return counts


def _ready_pods(store: Store) -> list[_Pod]:
    """The ready pods of every ReplicaSet that a Rollout owns, by namespace and name."""
    rollouts = {
        replicaset["metadata"]["uid"]: owner["uid"]
        for replicaset in store.items(REPLICASET)
        if (owner := _controller(replicaset)).get("kind") == "Rollout"
    }
    found = []
    for pod in store.items(POD):
        owner = _controller(pod).get("uid", "")
        if owner in rollouts and _is_ready(pod):
            found.append(_scraped(pod, owner, rollouts[owner]))
    return found


def _scraped(pod: Object, replicaset: str, rollout: str) -> _Pod:
    meta, status = pod["metadata"], pod["status"]
    container = pod["spec"]["containers"][0]
    ports = container.get("ports") or [{}]
    address = f"{status.get('podIP', '127.0.0.1')}:{ports[0].get('containerPort', 8080)}"
    copied = {_NOT_A_LABEL.sub("_", n): v for n, v in (meta.get("labels") or {}).items()}
    labels = {
        **copied,
        "job": copied.get("app", "pods"),
        "namespace": meta["namespace"],
        "pod": meta["name"],
        "instance": address,
    }
    restarts = sum(c.get("restartCount", 0) for c in status.get("containerStatuses") or [])
    process = (meta["uid"], restarts)
    return _Pod(process, meta["name"], rollout, replicaset, container["image"], labels, address)


def _controller(obj: Object) -> dict[str, Any]:
    owners = obj["metadata"].get("ownerReferences") or []
    return next((o for o in owners if o.get("controller")), {})


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return not pod["metadata"].get("deletionTimestamp") and any(
        c.get("type") == "Ready" and c.get("status") == "True" for c in conditions
    )
