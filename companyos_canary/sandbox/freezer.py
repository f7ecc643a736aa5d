"""Parts of the sandbox that can be made to stand still."""

from datetime import datetime
from typing import Protocol

from companyos_canary.errors import UsageError


class Part(Protocol):
    """Something that acts on the store. `step` does what is due, all of it or one thing, and
    returns when it wants to be called again though nothing changes."""

    def step(self, now: datetime) -> datetime | None: ...


class Freezer:
    """Holds the parts that are put into it, for a while or until they are let go. What happens in
    the meantime they see when they go on, as a controller that was restarted would."""

    def __init__(self) -> None:
        self._parts = 0
        self._frozen = False
        self._until: datetime | None = None

    def freeze(self, until: datetime | None = None) -> None:
        """UsageError where nothing was put into it."""
        if not self._parts:
            raise nothing_to_freeze()
        self._frozen, self._until = True, until

    def thaw(self) -> None:
        self._frozen, self._until = False, None

    def holds(self, now: datetime) -> bool:
        return self._frozen and (self._until is None or now < self._until)

    @property
    def until(self) -> datetime | None:
        """When they go on by themselves; None: not, or nothing is frozen."""
        return self._until

    def around(self, part: Part) -> Part:
        self._parts += 1
        return _Held(self, part)


def nothing_to_freeze() -> UsageError:
    return UsageError(
        "no controller of ours acts on Rollouts: there is nothing to freeze",
        hint="leave `rollouts` in `--controllers`",
    )


class _Held:
    def __init__(self, freezer: Freezer, part: Part) -> None:
        self._freezer = freezer
        self._part = part

    def step(self, now: datetime) -> datetime | None:
        if self._freezer.holds(now):
            return self._freezer.until
        return self._part.step(now)
