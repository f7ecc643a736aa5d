"""The one bounded wait of all verbs: it looks at an object until what is waited for is seen, or can
no longer come. A look that fails ends nothing: the next one may succeed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from math import inf
from typing import Any, Generic, TypeVar

from msgspec import Struct

from companyos_canary.argo.effects import Effect
from companyos_canary.argo.phase import invalid_spec
from companyos_canary.errors import CanaryError, DeniedError, NotFound, ServerError
from companyos_canary.model.quantity import whole
from companyos_canary.model.rollout import Rollout

_Seen = TypeVar("_Seen")
_FIRST_LOOK, _SLOWEST_LOOK = 0.05, 1.0
_LONG = timedelta(seconds=5)
_TRIES = 8  # of what is denied, not found or older than what is known, in a row


class Time(Struct, frozen=True):
    """The clock of one command. `until`: when the time that the user gave is over; None for no
    end."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    until: datetime | None = None

    @property
    def over(self) -> bool:
        return self.until is not None and self.now() >= self.until

    def left(self) -> float:
        """The seconds until then."""
        return inf if self.until is None else (self.until - self.now()).total_seconds()

    def earliest(self, patience: timedelta | None) -> datetime | None:
        """When a wait that begins now is over."""
        ends = [self.until] if self.until else []
        if patience is not None:
            ends.append(self.now() + patience)
        return min(ends, default=None)


class Waited(Struct, Generic[_Seen], frozen=True):
    """How a wait ended. `effect` is PENDING where the time was over; `timed_out`: the user's own.
    `seen` is what the last look that succeeded found, `trouble` why the ones after it failed."""

    effect: Effect
    seen: _Seen
    trouble: CanaryError | None = None
    timed_out: bool = False

    @property
    def outcome(self) -> dict[str, Any]:
        """As a change that was waited for has it."""
        return {"after": self.seen, "effect": self.effect, "trouble": self.trouble, "timed_out": self.timed_out}


class _Behind(ServerError):
    """A read that is older than what is known."""


def wait(
    look: Callable[[], Rollout],
    judge: Callable[[Rollout], Effect],
    rollout: Rollout,
    *,
    time: Time,
    patience: timedelta | None,
    known: bool = True,
) -> Waited[Rollout]:
    """The wait for a Rollout. It needs no more than the right to get it, so it also works in an emergency. A read that
    is older than what is known, as from a cache that is behind, says nothing."""
    newest = rollout

    def read() -> Rollout:
        nonlocal newest
        found = look()
        if _is_older(found, newest):
            raise _Behind("the API server answers with an older state than it has shown before")
        newest = found
        return newest

    return wait_for(read, partial(_judged, judge, rollout.uid), rollout, time=time, patience=patience, known=known)


def wait_for(
    look: Callable[[], _Seen],
    judge: Callable[[_Seen], Effect],
    seen: _Seen,
    *,
    time: Time,
    patience: timedelta | None,
    known: bool = True,
) -> Waited[_Seen]:
    """Looks again, more and more slowly. `known`: `seen` is what is there now, so that it may be
    all that has to be looked at."""
    end, pause, refusals = time.earliest(patience), _FIRST_LOOK, 0
    effect = judge(seen) if known else Effect.PENDING
    trouble: CanaryError | None = None
    took, last = timedelta(), False
    while effect is Effect.PENDING and refusals < _TRIES:
        left = None if end is None else (end - time.now()).total_seconds()
        if left is not None and left <= 0:
            if last or trouble is None or took < _LONG or time.over:
                break
            last, left = True, pause  # a look that failed took the time: it is no answer
        time.sleep(pause if left is None else min(pause, left))
        pause = min(pause * 2, _SLOWEST_LOOK)
        began = time.now()
        try:
            seen = look()
        except CanaryError as error:
            trouble, took = error, time.now() - began
            refusals = refusals + 1 if isinstance(error, DeniedError | NotFound | _Behind) else 0
            continue
        trouble, refusals = None, 0
        effect = judge(seen)
    return Waited(effect, seen, trouble, time.over and effect is Effect.PENDING)


def _is_older(found: Rollout, known: Rollout) -> bool:
    """By their resourceVersions, which grow with every change where they are numbers, as etcd's are."""
    return found.uid == known.uid and 0 < whole(found.resource_version) < whole(known.resource_version)


def _judged(judge: Callable[[Rollout], Effect], uid: str, rollout: Rollout) -> Effect:
    """What another Rollout of its name shows is no effect. The controller acts on nothing while it calls the spec
    invalid."""
    if rollout.uid != uid:
        return Effect.REPLACED
    effect = judge(rollout)
    return Effect.INVALID if effect is Effect.PENDING and invalid_spec(rollout) else effect
