"""JSON Lines: what happened, an object each, then the verdict."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from companyos_canary.commands.base import Session
from companyos_canary.commands.shows import Show
from companyos_canary.model.outcome import Ending
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view import machine
from companyos_canary.view.picture import Place
from companyos_canary.view.stream import happenings


class JsonLines(Show):
    def __init__(self, session: Session, place: Place) -> None:
        self._session = session
        self._runtime = session.runtime
        self._place = place
        self._last: Snapshot | None = None

    def snapshot(self, snapshot: Snapshot) -> float | None:
        if self._last != snapshot:
            now = self._runtime.clock.now()
            for event, data in happenings(self._last, snapshot, now, place=self._place):
                self._say(event, data, now)
            self._last = snapshot
        return None

    def end(self, ending: Ending) -> None:
        self._say("verdict", machine.ending_data(ending, place=self._place), ending.at)
        self._session.answered = True

    def _say(self, event: str, data: Mapping[str, Any], at: datetime) -> None:
        runtime = self._runtime
        runtime.say(machine.event_line(event, data, at=at, seq=runtime.next_seq()))
