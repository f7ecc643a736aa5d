"""The ways in which `deploy` and `watch` show what they follow: one class each, all used alike."""

from typing import Protocol

from companyos_canary.commands.base import Session
from companyos_canary.model.outcome import Ending
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.picture import Place


class Show(Protocol):
    """`with show: show.snapshot(…)`, again and again; then `last` with the one it ended with. `end`
    has the last words, after the block."""

    def __enter__(self) -> "Show": ...

    def __exit__(self, *_: object) -> None: ...

    def snapshot(self, snapshot: Snapshot) -> float | None:
        """Shows it; in how many seconds it wants to be called again at most."""

    def last(self, snapshot: Snapshot) -> None: ...

    def end(self, ending: Ending) -> None: ...


class Silent:
    """Shows nothing while it goes on: `-q`, and the forms that answer once."""

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def snapshot(self, snapshot: Snapshot) -> float | None:  # noqa: ARG002 - for those who show
        return None

    def last(self, snapshot: Snapshot) -> None:
        """It was shown as all the others, or not at all."""

    def end(self, ending: Ending) -> None:
        """The answer of the verb says it."""


def show_for(session: Session, place: Place) -> Show:
    """The way that fits this run: JSON Lines, a screen on a terminal, lines elsewhere."""
    if session.output == "json" and session.command == "watch":
        from companyos_canary.commands.shows.json_lines import JsonLines

        return JsonLines(session, place)
    if not session.human:
        return Silent()
    if session.runtime.facts.terminal:
        from companyos_canary.commands.shows.screen import Screen

        return Screen(session, place)
    from companyos_canary.commands.shows.lines import Lines

    return Lines(session, place)
