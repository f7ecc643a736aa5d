"""How late controllers and kubelet act on a change, and the queue in which what has changed waits."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

_SECOND = timedelta(seconds=1)

Delay = Callable[[], timedelta]
"""How long it takes from a change until somebody acts on it; asked for each one."""


def prompt() -> timedelta:
    """Everything is done at once."""
    return timedelta()


def always(delay: timedelta) -> Delay:
    return lambda: delay


def drawn(most: timedelta, seed: int) -> Delay:
    """Between nothing and `most`, the same for the same seed."""
    random = Random(seed)
    return lambda: most * random.random()


@dataclass(frozen=True, slots=True)
class Pace:
    """How late each part acts: the controller of Rollouts and AnalysisRuns, that of ReplicaSets, and
    the kubelet when it starts a pod. `takes`: how long a pass over a Rollout takes; what it writes
    then follows from the Rollout as it was when the pass began."""

    rollouts: Delay = prompt
    replicasets: Delay = prompt
    kubelet: Delay = prompt
    takes: timedelta = timedelta()


PROMPT = Pace()


def late(delay: Delay) -> Pace:
    """Everybody is as late as that."""
    return Pace(delay, delay, delay)


def natural(seed: int) -> Pace:
    """As in a real cluster: each part takes up to a second, drawn for every change. A Rollout's status
    therefore lags behind the counts of its ReplicaSets."""
    rollouts, replicasets, kubelet = (drawn(_SECOND, seed + part) for part in range(3))
    return Pace(rollouts, replicasets, kubelet)


class Queue:
    """Keys and the moments at which their turn comes. What is changed again meanwhile keeps its
    turn: whoever acts then sees all of it."""

    def __init__(self, delay: Delay = prompt) -> None:
        self._delay = delay
        self._due: dict[str, datetime] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._due

    def changed(self, key: str, now: datetime) -> None:
        """Puts a key in, or nearer to the front."""
        at = now + self._delay()
        if key not in self._due or at < self._due[key]:
            self._due[key] = at

    def put(self, key: str, at: datetime) -> None:
        """Its turn comes then, unless it comes before."""
        self._due[key] = min(at, self._due.get(key, at))

    def take(self, now: datetime) -> str | None:
        """The key that has waited longest of those whose turn has come."""
        ready = [key for key, at in self._due.items() if at <= now]
        first = min(ready, key=lambda k: self._due[k], default=None)
        if first is not None:
            del self._due[first]
        return first

    def drop(self, key: str) -> None:
        self._due.pop(key, None)

    @property
    def next(self) -> datetime | None:
        """When the next turn comes."""
        return min(self._due.values(), default=None)
