"""The one bounded wait of all verbs: it looks at the Rollout until what is waited for is seen, or can
no longer come. A look that fails ends nothing: the next one may succeed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

from companyos_canary.argo.effects import Effect
from companyos_canary.argo.phase import invalid_spec
from companyos_canary.errors import CanaryError, DeniedError, NotFound
from companyos_canary.model.rollout import Rollout

_FIRST_LOOK, _SLOWEST_LOOK = 0.05, 1.0
_TRIES = 8  # of what is denied or not found, in a row


@dataclass(frozen=True, slots=True)
class Time:
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


@dataclass(frozen=True, slots=True)
class Waited:
    """How a wait ended. `effect` is PENDING where the time was over; `timed_out`: the user's own.
    `rollout` is what the last look that succeeded found, `trouble` why the ones after it failed."""

    effect: Effect
    rollout: Rollout
    trouble: CanaryError | None = None
    timed_out: bool = False


def wait(
    look: Callable[[], Rollout],
    judge: Callable[[Rollout], Effect],
    rollout: Rollout,
    *,
    time: Time,
    patience: timedelta | None,
    known: bool = True,
) -> Waited:
    """Looks again, more and more slowly. `known`: `rollout` is what is there now, so that it may be
    all that has to be looked at. It needs no more than the right to get the Rollout, so it also
    works in an emergency."""
    end, pause, refusals = time.earliest(patience), _FIRST_LOOK, 0
    effect = _judged(judge, rollout) if known else Effect.PENDING
    trouble: CanaryError | None = None
    while effect is Effect.PENDING and refusals < _TRIES:
        left = None if end is None else (end - time.now()).total_seconds()
        if left is not None and left <= 0:
            break
        time.sleep(pause if left is None else min(pause, left))
        pause = min(pause * 2, _SLOWEST_LOOK)
        try:
            rollout = look()
        except CanaryError as error:
            trouble = error
            refusals = refusals + 1 if isinstance(error, DeniedError | NotFound) else 0
            continue
        trouble, refusals = None, 0
        effect = _judged(judge, rollout)
    return Waited(effect, rollout, trouble, time.over and effect is Effect.PENDING)


def _judged(judge: Callable[[Rollout], Effect], rollout: Rollout) -> Effect:
    """The controller acts on nothing while it calls the spec invalid."""
    effect = judge(rollout)
    return Effect.INVALID if effect is Effect.PENDING and invalid_spec(rollout) else effect
