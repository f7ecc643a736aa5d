"""Lines for a pipe: one a change, a heartbeat where nothing does, and a verdict at the end."""

from datetime import timedelta

from companyos_canary.commands.base import Session
from companyos_canary.commands.shows import Silent
from companyos_canary.model.outcome import Ending
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view import closing, plain
from companyos_canary.view.picture import Place
from companyos_canary.view.plain_pods import unsaid

HEARTBEAT = timedelta(seconds=30)
_REMEMBERED = 50  # lines


class Lines(Silent):
    def __init__(self, session: Session, place: Place) -> None:
        self._session = session
        self._runtime = session.runtime
        self._place = place
        self._last: Snapshot | None = None
        self._said_at = self._runtime.clock.now()
        self._told = [""]

    def snapshot(self, snapshot: Snapshot) -> float | None:
        if self._session.quiet:
            return None
        now, say, place = self._runtime.clock.now(), self._runtime.say, self._place
        if self._last is None:
            say(plain.opening(self._session.command, snapshot, now, place=place))
        changes = plain.lines(self._last, snapshot, now, place=place)
        lines = unsaid(changes, self._told)
        if not lines and now - self._said_at >= HEARTBEAT:
            lines = [plain.heartbeat(snapshot, now, place=place)]
        for line in lines:
            say(line)
            self._said_at = now
        self._told = [*self._told, *changes][-_REMEMBERED:]
        self._last = snapshot
        return None

    def end(self, ending: Ending) -> None:
        for line in closing.closing_text(ending, self._runtime.facts, place=self._place):
            self._runtime.say(line)
        self._runtime.say(closing.verdict_line(ending))
