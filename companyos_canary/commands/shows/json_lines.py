"""JSON Lines: what happened, an object each, then the verdict."""

from companyos_canary.argo.events import happenings
from companyos_canary.argo.picture import Place, look
from companyos_canary.argo.rows import verdict_row
from companyos_canary.commands.base import Session
from companyos_canary.commands.shows.show import Show
from companyos_canary.model.outcome import Ending
from companyos_canary.model.snapshot import Snapshot


class JsonLines(Show):
    def __init__(self, session: Session, place: Place) -> None:
        self._session = session
        self._runtime = session.runtime
        self._place = place
        self._last: Snapshot | None = None

    def snapshot(self, snapshot: Snapshot) -> float | None:
        if self._last != snapshot:
            now = self._runtime.clock.now()
            before = look(self._last, now, self._place) if self._last else None
            for event, data in happenings(before, look(snapshot, now, self._place)):
                self._runtime.say_event(event, data, now)
            self._last = snapshot
        return None

    def end(self, ending: Ending) -> None:
        data = verdict_row(ending, look(ending.snapshot, ending.at, self._place))
        self._runtime.say_event("verdict", data, ending.at)
        self._session.answered = True
