"""The requests that the sandbox's applications get, what each pod counts of them on its /metrics
page, and the scrapes that see it."""

import math
import random
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate, pairwise, repeat
from typing import Any

from msgspec import Struct, field

from companyos_canary.analysis.chance import binomial, clumped, poisson
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.promql import STALE
from companyos_canary.sandbox.behaviour import Lag
from companyos_canary.sandbox.kinds import POD, REPLICASET, ROLLOUT
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.scenarios import BOUNDS, RATE, Behaviour, Rates, behaviour
from companyos_canary.sandbox.store import Store
from companyos_canary.sandbox.tsdb import Identity, Row, Target, Tsdb

#: The healthy distribution of latency: (seconds, share of requests that are faster), straight in
#: between. Its p95 is 0.183 s.
_LATENCY = (
    (0.0, 0.0),
    (0.005, 0.02),
    (0.01, 0.08),
    (0.025, 0.3),
    (0.05, 0.58),
    (0.1, 0.8),
    (0.2, 0.98),
    (0.3, 0.995),
    (0.5, 0.999),
    (1.0, 1.0),
)
_SHARES = tuple(share for _, share in _LATENCY)
_MEAN = sum((a + b) / 2 * (q - p) for (a, p), (b, q) in pairwise(_LATENCY))
_NOT_FOUND = 0.01
REQUESTS = "companyos_http_requests_total"
DURATION = "companyos_http_request_duration_seconds"
DECISIONS = "companyos_opa_decisions_total"

#: A longer gap (a laptop that slept) is not filled: traffic continues from its end.
MAX_SCRAPES = 600
_NOT_A_LABEL = re.compile(r"[^a-zA-Z0-9_]")


class Exporter:
    """The counters of one process; they start at 0. Equal seeds count equally. With `chance` every
    request is drawn. Without it the shares are exact in the long run: fractions of a request are
    kept, and never shown."""

    def __init__(self, seed: str, bounds: tuple[float, ...] = BOUNDS, chance: bool = False) -> None:
        self.bounds, self.chance = bounds, chance
        self._random = random.Random(seed)
        self._requests = dict.fromkeys(("200", "404", "500"), 0.0)
        self._seconds = 0.0
        # Pods of one age would otherwise all have their rare error in the same second.
        self._decisions = {"success": 0.0, "error": 0.0 if chance else self._random.random()}
        self._buckets = [0.0] * (len(bounds) + 1)

    def serve(self, requests: float, rates: Rates) -> None:
        """Counts about so many requests, each with one policy decision: as many as chance needs,
        or so many with a jitter of 3 %."""
        if self.chance:
            self._draw(requests, rates)
            return
        count = requests * self._random.uniform(0.97, 1.03)
        self._count(count, count * rates.errors, count * _NOT_FOUND, count * (1 - rates.opa))
        shares = _shares(self.bounds, rates.latency)
        self._buckets = [bucket + count * share for bucket, share in zip(self._buckets, shares, strict=True)]
        self._seconds += count * _MEAN * rates.latency

    def _draw(self, requests: float, rates: Rates) -> None:
        count = poisson(self._random, requests)
        errors = clumped(self._random, count, rates.errors, rates.clumps)
        missing = binomial(self._random, count - errors, min(_NOT_FOUND / max(1 - rates.errors, _NOT_FOUND), 1.0))
        self._count(count, errors, missing, binomial(self._random, count, 1 - rates.opa))
        fell = [0] * len(self._buckets)
        for _ in range(count):
            seconds = _latency_of(self._random.random()) * rates.latency
            self._seconds += seconds
            fell[bisect_left(self.bounds, seconds)] += 1
        self._buckets = [bucket + more for bucket, more in zip(self._buckets, accumulate(fell), strict=True)]

    def _count(self, count: float, errors: float, missing: float, undecided: float) -> None:
        self._requests["500"] += errors
        self._requests["404"] += missing
        self._requests["200"] += count - errors - missing
        self._decisions["success"] += count - undecided
        self._decisions["error"] += undecided

    def series(self) -> Iterator[tuple[str, dict[str, str]]]:
        """(metric, labels) of every series, which stay the same."""
        yield from ((REQUESTS, {"status": status}) for status in self._requests)
        yield from ((f"{DURATION}_bucket", {"le": _written(bound)}) for bound in (*self.bounds, math.inf))
        yield from ((f"{DURATION}_sum", {}), (f"{DURATION}_count", {}))
        yield from ((DECISIONS, {"result": result}) for result in self._decisions)

    def values(self) -> list[float]:
        """In the order of `series`."""
        whole = list(map(math.floor, self._buckets))
        requests, decisions = map(math.floor, self._requests.values()), map(math.floor, self._decisions.values())
        return [*requests, *whole, self._seconds, whole[-1], *decisions]


@lru_cache(maxsize=1024)
def _shares(bounds: tuple[float, ...], latency: float) -> tuple[float, ...]:
    """The part of the requests in each bucket of a histogram, where answers take so many times longer."""
    return tuple(_share_below(bound / latency) for bound in (*bounds, math.inf))


def _share_below(seconds: float) -> float:
    for (a, p), (b, q) in pairwise(_LATENCY):
        if seconds <= b:
            return p + (q - p) * (seconds - a) / (b - a)
    return 1.0


def _latency_of(share: float) -> float:
    """The latency that this share of the requests stays below: the inverse of `_share_below`."""
    at = bisect_right(_SHARES, share)
    if at == len(_SHARES):
        return _LATENCY[-1][0]
    (a, p), (b, q) = _LATENCY[at - 1], _LATENCY[at]
    return a + (b - a) * (share - p) / (q - p)


def _written(bound: float) -> str:
    return "+Inf" if math.isinf(bound) else f"{bound:g}"


class _Pod(Struct):
    """A ready pod. `process` is another one after a restart of the container. `rollout`: whose it is, and `share`:
    the part of its requests that the pod's version gets now; None: pods share evenly, whosever they are."""

    process: tuple[str, int]
    name: str
    replicaset: str
    image: str
    labels: dict[str, str]
    address: str
    rollout: str = ""
    share: float | None = None


class _Process(Struct):
    """`since`: when it was first seen ready, in milliseconds. `rows`: its series, those of `labelled`, the labels
    of the pod and how it shows metrics."""

    exporter: Exporter
    pod: _Pod
    since: int
    rows: dict[Identity, Row] = field(default_factory=dict)
    labelled: tuple[dict[str, str], str] = ({}, "")


class Traffic:
    """Sends `rate` requests a second to every Rollout: by the weights that its traffic router has (`lag`), to the
    active version of a blue-green one, else evenly over its ready pods. Scrapes those pods each
    `interval` seconds: what the application counts, plus `up`. The labels of a pod are on its series
    (`-`, `.` and `/` become `_`), as a `labelmap` rule copies them. Of pods that show no metrics
    there is only `up`, 0. `scenarios` says how an image behaves, `bounds` the buckets of new
    processes. With a `seed` requests are drawn; None: shares are exact.

    Deterministic: the same pods at the same times give the same samples. A scrape of all pods is one
    transaction of the `tsdb`. Owns no thread.
    """

    def __init__(
        self,
        store: Store,
        tsdb: Tsdb,
        scenarios: Callable[[str], Behaviour] = behaviour,
        *,
        rate: Callable[[], float] = lambda: RATE,
        bounds: Callable[[], tuple[float, ...]] = lambda: BOUNDS,
        interval: float = 0.5,
        seed: int | None = None,
        lag: Lag | None = None,
    ) -> None:
        self._store = store
        self._tsdb = tsdb
        self._scenarios = scenarios
        self._rate = rate
        self._bounds = bounds
        self._seed = seed
        self._lag = lag or Lag()
        self._started = 0
        self._interval = max(round(interval * 1000), 1)  # milliseconds, like all times in here
        self._last: int | None = None
        self._processes: dict[tuple[str, int], _Process] = {}
        self._read: dict[str, tuple[Object, _Pod | None]] = {}

    def step(self, now: datetime) -> datetime | None:
        """Makes every scrape that is due; returns the time of the next, or None while there is
        no pod to scrape. Time that went by before a pod was first seen brings it no requests."""
        moment = round(now.timestamp() * 1000)
        if self._last is not None and moment < self._last + self._interval:
            return _time(self._last + self._interval)
        pods = self._ready_pods(now)
        if not pods and not self._processes:
            self._last = None
            return None
        if self._last is None:
            self._last = moment
            with self._tsdb.transaction():
                self._scrape(pods, moment, 0)
        due = (moment - self._last) // self._interval
        self._last += max(due - MAX_SCRAPES, 0) * self._interval
        for _ in range(min(due, MAX_SCRAPES)):
            self._last += self._interval
            with self._tsdb.transaction():
                self._scrape(pods, self._last, self._interval)
        return _time(self._last + self._interval)

    def _ready_pods(self, now: datetime) -> list[_Pod]:
        """The ready pods of every ReplicaSet that a Rollout owns, by namespace and name. A pod is read again when
        it was written again: objects in the store are never changed in place."""
        rollouts = {rollout["metadata"]["uid"]: rollout for rollout in self._store.items(ROLLOUT)}
        sets = {
            replicaset["metadata"]["uid"]: (uid, _share(replicaset, rollouts.get(uid), self._lag, now))
            for replicaset in self._store.items(REPLICASET)
            if (owner := _controller(replicaset)).get("kind") == "Rollout" and (uid := owner["uid"])
        }
        before, self._read = self._read, {}
        for pod in self._store.items(POD):
            uid = pod["metadata"]["uid"]
            read = before.get(uid)
            if read is None or read[0] is not pod:
                read = pod, _scraped(pod) if _is_ready(pod) else None
            self._read[uid] = read
        ready = [shown for _, shown in self._read.values() if shown is not None and shown.replicaset in sets]
        for shown in ready:
            shown.rollout, shown.share = sets[shown.replicaset]
        return ready

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
                health="down" if self._scenarios(process.pod.image).metrics == "none" else "up",
            )
            for process in list(self._processes.values())
        ]

    def _scrape(self, pods: Iterable[_Pod], moment: int, since_last: int) -> None:
        at, seconds, rate = moment / 1000, since_last / 1000, self._rate()
        known = {pod.process: pod for pod in pods}
        for gone in self._processes.keys() - known.keys():
            rows = self._processes.pop(gone).rows.values()
            self._tsdb.scraped(rows, at, repeat(STALE, len(rows)))
        ready = Counter(pod.rollout for pod in known.values())
        in_version = Counter(pod.replicaset for pod in known.values())
        behaviours = {image: self._scenarios(image) for image in {pod.image for pod in known.values()}}
        for pod in known.values():
            how = behaviours[pod.image]
            process = self._processes.get(pod.process)
            if process is None:
                process = _Process(self._exporter(pod), pod, moment)
                self._processes[pod.process] = process
            else:
                size = in_version[pod.replicaset]
                share = size / ready[pod.rollout] if pod.share is None else pod.share
                rates = how.at((moment - process.since) / 1000, 100 * share)
                process.exporter.serve(rate * seconds * share / size, rates)
            process.pod = pod
            self._show(process, how.metrics, at)

    def _exporter(self, pod: _Pod) -> Exporter:
        """By its turn and not by its name, which is random, where chance has a seed."""
        self._started += 1
        if self._seed is None:
            return Exporter(f"{pod.name} {pod.process[1]}", self._bounds())
        return Exporter(f"{self._seed} {self._started}", self._bounds(), chance=True)

    def _show(self, process: _Process, metrics: str, at: float) -> None:
        """Writes one scrape; series that are no longer there (a label of the pod changed) end."""
        if process.labelled != (process.pod.labels, metrics):
            self._label(process, metrics, at)
        values = [] if metrics == "none" else process.exporter.values()
        self._tsdb.scraped(process.rows.values(), at, (float(metrics != "none"), *values))

    def _label(self, process: _Process, metrics: str, at: float) -> None:
        own = dict(process.pod.labels)
        if metrics == "unlabelled":
            own.pop("canary", None)
        up: tuple[str, dict[str, str]] = ("up", {})
        exported = () if metrics == "none" else process.exporter.series()
        rows = [self._tsdb.row({"__name__": metric, **own, **labels}) for metric, labels in (up, *exported)]
        before, process.rows = process.rows, {row.identity: row for row in rows}
        ended = [before[identity] for identity in before.keys() - process.rows.keys()]
        self._tsdb.scraped(ended, at, repeat(STALE, len(ended)))
        process.labelled = process.pod.labels, metrics


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _share(replicaset: Object, rollout: Object | None, lag: Lag, now: datetime) -> float | None:
    """The part of a Rollout's requests that one of its versions gets by a router, as far as that has taken the weights
    over, or by a Service; None if the number of pods decides."""
    if rollout is None:
        return None
    digest = (replicaset["metadata"].get("labels") or {}).get(HASH_LABEL)
    status = rollout.get("status") or {}
    active = (status.get("blueGreen") or {}).get("activeSelector")
    if active:
        return float(digest == active)
    weights = (status.get("canary") or {}).get("weights")
    if not weights:
        return None
    weights = lag.in_force(rollout["metadata"]["uid"], weights, now)
    sides = [w for w in (weights.get("canary"), weights.get("stable"), *(weights.get("additional") or [])) if w]
    whole = sum(w.get("weight", 0) for w in sides)
    return sum(w.get("weight", 0) for w in sides if w.get("podTemplateHash") == digest) / whole if whole else 0.0


def _scraped(pod: Object) -> _Pod:
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
    return _Pod(process, meta["name"], _controller(pod).get("uid", ""), container["image"], labels, address)


def _controller(obj: Object) -> dict[str, Any]:
    owners = obj["metadata"].get("ownerReferences") or []
    return next((o for o in owners if o.get("controller")), {})


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return not pod["metadata"].get("deletionTimestamp") and any(
        c.get("type") == "Ready" and c.get("status") == "True" for c in conditions
    )
