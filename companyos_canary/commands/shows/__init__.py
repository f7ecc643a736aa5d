"""The ways in which `deploy` and `watch` show what they follow: one class each, all used alike."""

from collections.abc import Callable
from dataclasses import dataclass

from companyos_canary.commands.base import Session
from companyos_canary.model.outcome import Ending
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.picture import Place


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


def show_for(session: Session, place: Place, manner: Manner, wake: Callable[[], None]) -> Show:
    """The way that fits this run: JSON Lines, a screen on a terminal, lines elsewhere. `wake` ends
    a wait for the next snapshot, from any thread."""
    if session.writes_lines:
        from companyos_canary.commands.shows.json_lines import JsonLines

        return JsonLines(session, place)
    if not session.human:
        return Show()
    if session.runtime.facts.terminal and not session.reporting.ci:
        from companyos_canary.commands.shows.screen import Screen

        return Screen(session, place, manner, wake)
    from companyos_canary.commands.shows.lines import Lines

    return Lines(session, place)
