"""The ways in which `deploy` and `watch` show what they follow: one class each, all used alike."""

from collections.abc import Callable

from companyos_canary.argo.picture import Place
from companyos_canary.commands.base import Session
from companyos_canary.commands.shows.lines import Manner, Show


def show_for(session: Session, place: Place, manner: Manner, wake: Callable[[], None]) -> Show:
    """The way that fits this run: JSON Lines, a screen on a terminal, lines elsewhere. `wake` ends
    a wait for the next snapshot, from any thread."""
    if session.writes_lines:
        from companyos_canary.commands.shows.lines import JsonLines

        return JsonLines(session, place)
    if not session.human:
        return Show()
    if session.runtime.facts.terminal and not session.reporting.ci:
        from companyos_canary.commands.shows.screen import Screen

        return Screen(session, place, manner, wake)
    from companyos_canary.commands.shows.lines import Lines

    return Lines(session, place)
