"""What is told while a version is followed, and when."""

from dataclasses import dataclass

from companyos_canary.model.outcome import Ending
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot


class Show:
    """`with show: show.snapshot(…)`, again and again; then `last` with the one it ended with. `end`
    has the last words, after the block. This one shows nothing: the answer of the verb says it."""

    def __enter__(self) -> "Show":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def first(self, rollout: Rollout) -> None:
        """The Rollout alone, before anything else is known of it."""

    def idle(self) -> None:
        """Nothing more is known yet."""

    def snapshot(self, snapshot: Snapshot) -> float | None:  # noqa: ARG002 - for those who show
        """Shows it; in how many seconds it wants to be called again at most."""
        return None

    def last(self, snapshot: Snapshot) -> None:
        """The one it ended with."""

    def end(self, ending: Ending) -> None:
        """How it ended."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What flags say of the showing. `read_only`: no key changes anything; `stay`: it does not end
    with the rollout, but goes on with the next."""

    read_only: bool = False
    stay: bool = False
