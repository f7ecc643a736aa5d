"""As which release of Argo Rollouts the sandbox's controller behaves (what is different between 1.9 and the master
branch was recorded with both, or is in the pull request that a field names; the rest is the same), and how late
controllers and kubelet act on a change."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from companyos_canary.errors import UsageError


class Release(Struct, frozen=True):
    """`ends_passes`: a pass ends behind a new ReplicaSet and behind conditions that it writes
    first, which it only does for an observed spec; otherwise it continues with what it has read.
    `keeps_runs`: the status names the runs of an aborted update. `has_duration`: there is a
    status.duration. `judges_new_pauses`: conditions follow the pauses that are about to be written,
    not those that were read. `aborts_at_once`: the pass that sees the progress deadline go by says
    so in its abort, and there is none for a promoted version. `names_conditions`: an error in a
    condition of a metric says in which one. `knows_basic_auth`: metrics may have one.
    `calls_it_fast`: going back to the stable version, or to one whose pods are still there, is one thing, with a reason
    of its own. `frees_traffic`: after an abort with
    dynamicStableScale and a delay of its own the traffic leaves before the canary's pods do; until then neither moved
    (#4900). `notices_stuck_jobs`: a Job whose image cannot be pulled is Inconclusive, not Failed in the end
    (#4692). `notes_replicas`: an aborted version that waits for its end notes a change of spec.replicas; where it does
    not, the controller takes every pass until then for one that only scales, and moves no traffic. `caps_least`:
    minPodsPerReplicaSet counts only up to the replicas. `routes_by_plugins`: those of routers may mirror requests and
    play ping-pong."""

    name: str
    ends_passes: bool
    keeps_runs: bool
    has_duration: bool
    judges_new_pauses: bool
    aborts_at_once: bool
    names_conditions: bool
    knows_basic_auth: bool
    calls_it_fast: bool
    frees_traffic: bool
    notices_stuck_jobs: bool
    notes_replicas: bool
    caps_least: bool
    routes_by_plugins: bool


V1_9 = Release(
    "1.9",
    ends_passes=False,
    keeps_runs=True,
    has_duration=False,
    judges_new_pauses=False,
    aborts_at_once=False,
    names_conditions=False,
    knows_basic_auth=False,
    calls_it_fast=False,
    frees_traffic=False,
    notices_stuck_jobs=False,
    notes_replicas=False,
    caps_least=False,
    routes_by_plugins=False,
)
HEAD = Release(
    "head",
    ends_passes=True,
    keeps_runs=False,
    has_duration=True,
    judges_new_pauses=True,
    aborts_at_once=True,
    names_conditions=True,
    knows_basic_auth=True,
    calls_it_fast=True,
    frees_traffic=True,
    notices_stuck_jobs=True,
    notes_replicas=True,
    caps_least=True,
    routes_by_plugins=True,
)
V1_10 = replace(HEAD, name="1.10")
"""Its release candidate and the recordings of the master branch differ in nothing that the sandbox plays. Routes of
steps that are no managed routes, which it clears away as well (#4307), make a Rollout invalid here."""
RELEASES = (V1_9, V1_10, HEAD)


def release_named(name: str) -> Release:
    """Raises UsageError for a name that is none."""
    found = next((r for r in RELEASES if r.name == name), None)
    if found is None:
        raise UsageError(
            f"the sandbox cannot behave as a controller `{name}`",
            hint="`--controller` takes " + ", ".join(f"`{r.name}`" for r in RELEASES),
        )
    return found


_SECOND = timedelta(seconds=1)

Delay = Callable[[], timedelta]
"""How long it takes from a change until someone acts on it; asked for each one."""


def prompt() -> timedelta:
    """Everything is done at once."""
    return timedelta()


def drawn(most: timedelta, seed: int) -> Delay:
    """Between nothing and `most`, the same for the same seed."""
    return _Drawn(most, seed)


class _Drawn:
    """A copy of it draws for itself, and the same."""

    def __init__(self, most: timedelta, seed: int) -> None:
        self._most, self._random = most, Random(seed)

    def __call__(self) -> timedelta:
        return self._most * self._random.random()


class Pace(Struct, frozen=True):
    """How late each part acts: the controller of Rollouts and AnalysisRuns, that of ReplicaSets, and
    the kubelet when it starts a pod. `takes`: how long a pass over a Rollout takes; what it writes
    then follows from the Rollout as it was when the pass began."""

    rollouts: Delay = prompt
    replicasets: Delay = prompt
    kubelet: Delay = prompt
    takes: timedelta = timedelta()


PROMPT = Pace()


def natural(seed: int) -> Pace:
    """As in a real cluster: each part takes up to a second, drawn for every change. A Rollout's status
    therefore lags behind the counts of its ReplicaSets."""
    rollouts, replicasets, kubelet = (drawn(_SECOND, seed + part) for part in range(3))
    return Pace(rollouts, replicasets, kubelet)


class Queue:
    """Keys and the moments at which their turn comes. What is changed again meanwhile keeps its
    turn: whoever acts then sees all of it. Of those whose turn is at the same moment the first that came is first.
    A turn costs the logarithm of how many wait: a kubelet has every pod of a cluster in here at once."""

    def __init__(self, delay: Delay = prompt) -> None:
        self._delay = delay
        self._came = 0
        self._due: dict[str, tuple[datetime, int]] = {}
        self._turns: list[tuple[datetime, int, str]] = []  # a heap; a key has the one that `_due` names

    def __contains__(self, key: str) -> bool:
        return key in self._due

    def changed(self, key: str, now: datetime) -> None:
        """Puts a key in, or nearer to the front."""
        self.put(key, now + self._delay())

    def put(self, key: str, at: datetime) -> None:
        """Its turn comes then, unless it comes before."""
        known = self._due.get(key)
        if known is None:
            self._came += 1
        elif known[0] <= at:
            return
        number = self._came if known is None else known[1]
        self._due[key] = at, number
        heappush(self._turns, (at, number, key))

    def take(self, now: datetime) -> str | None:
        """The key that has waited longest of those whose turn has come."""
        at = self.next
        if at is None or at > now:
            return None
        key = heappop(self._turns)[2]
        del self._due[key]
        return key

    def drop(self, key: str) -> None:
        self._due.pop(key, None)

    @property
    def next(self) -> datetime | None:
        """When the next turn comes."""
        while self._turns:
            at, number, key = self._turns[0]
            if self._due.get(key) == (at, number):
                return at
            heappop(self._turns)
        return None


Weights = Mapping[str, Any]  # as `status.canary.weights`


class Lag(Struct):
    """How late routers take a weight over: after so many `seconds` it is in force; 0: at once, and routers say what
    they always do. Weights are those of `status.canary.weights`, without `verified`."""

    seconds: float = 0
    _asked: dict[str, list[tuple[datetime, Weights]]] = field(default_factory=dict)

    def until(self, uid: str, weights: Weights, now: datetime) -> datetime | None:
        """When the weights that a Rollout asks for now are in force; None if they are."""
        asked = self._asked.setdefault(uid, [])
        if not asked or asked[-1][1] != weights:
            asked.append((now + timedelta(seconds=self.seconds), dict(weights)))
        while len(asked) > 1 and asked[1][0] <= now:
            del asked[0]
        due = asked[-1][0]
        return due if self.seconds and now < due else None

    def in_force(self, uid: str, weights: Weights, now: datetime) -> Weights:
        """What routers do at `now` for a Rollout whose status has these weights."""
        asked = self._asked.get(uid)
        if not self.seconds or not asked:
            return weights
        return next((taken for due, taken in reversed(asked) if due <= now), asked[0][1])
