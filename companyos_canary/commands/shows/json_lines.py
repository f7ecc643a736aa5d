"""JSON Lines: an object each time that something changed, then the verdict."""

from companyos_canary.commands.base import Session
from companyos_canary.commands.shows import Silent
from companyos_canary.model.outcome import Ending
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view import machine
from companyos_canary.view.picture import Place


class JsonLines(Silent):
    def __init__(self, session: Session, place: Place) -> None:
        self._session = session
        self._runtime = session.runtime
        self._place = place
        self._last: Snapshot | None = None

    def snapshot(self, snapshot: Snapshot) -> float | None:
        if self._last != snapshot:
            now, runtime = self._runtime.clock.now(), self._runtime
            data = machine.snapshot_data(snapshot, now, place=self._place)
            runtime.say(machine.event_line("snapshot", data, at=now, seq=runtime.next_seq()))
            self._last = snapshot
        return None

    def end(self, ending: Ending) -> None:
        data = machine.ending_data(ending, place=self._place)
        line = machine.event_line("ending", data, at=ending.at, seq=self._runtime.next_seq())
        self._runtime.say(line)
        self._session.answered = True
