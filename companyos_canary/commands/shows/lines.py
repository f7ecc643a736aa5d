"""What is told while a version is followed, and when: nothing, lines for a pipe, or JSON Lines.

A pipe gets a line a change, a heartbeat where nothing does, and a verdict at the end. On stdout are only they; the
sentences for people go to stderr. A CI system gets the lines folded.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from companyos_canary.argo.events import happenings
from companyos_canary.argo.picture import Place, look
from companyos_canary.argo.rows import verdict_row
from companyos_canary.commands.base import Session
from companyos_canary.model.outcome import Ending
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.words import harmless
from companyos_canary.view import closing, pipe
from companyos_canary.view.ci.forges import CONTROLS, Folds
from companyos_canary.view.ci.summary import ending_report
from companyos_canary.view.closing import verdict_line
from companyos_canary.view.lines import plain as text_of
from companyos_canary.view.pipe import unsaid


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


_REMEMBERED = 50  # lines
_SOON, _LONGEST = 0.2, timedelta(seconds=2)


class Lines(Show):
    def __init__(self, session: Session, place: Place) -> None:
        self._session = session
        self._runtime = session.runtime
        self._place = place
        self._last: Snapshot | None = None
        self._began = self._said_at = self._runtime.clock.now()
        self._told = [""]
        self._early_since: datetime | None = None
        self._folds = Folds(session.reporting.ci)

    def __exit__(self, *_: object) -> None:
        for line in self._folds.close(self._runtime.clock.now()):
            self._runtime.say(line, ours=CONTROLS)

    def snapshot(self, snapshot: Snapshot) -> float | None:
        if self._session.quiet or self._is_early(snapshot):
            return _SOON
        self._say(snapshot)
        return None

    def last(self, snapshot: Snapshot) -> None:
        if not self._session.quiet and snapshot != self._last:
            self._say(snapshot)

    def _is_early(self, snapshot: Snapshot) -> bool:
        """A step's end is told before the next one, though the Rollout is seen before the run."""
        now = self._runtime.clock.now()
        if not pipe.awaits_a_verdict(snapshot, now):
            self._early_since = None
        elif self._early_since is None:
            self._early_since = now
        return self._early_since is not None and now - self._early_since < _LONGEST

    def _say(self, snapshot: Snapshot) -> None:
        now, place, beat = self._runtime.clock.now(), self._place, self._session.reporting.heartbeat
        changes = pipe.lines(self._last, snapshot, now, place=place)
        lines = unsaid(changes, self._told)
        if self._last is None:
            lines = [pipe.opening(self._session.command, snapshot, now, place=place), *lines]
        elif not lines and beat and now - self._said_at >= beat:
            lines = [pipe.heartbeat(snapshot, now, place=place)]
        for words in lines:
            stamped = harmless(self._runtime.harmless(pipe.stamped(words, self._began, now)))
            for line in self._folds.around(words, stamped, now):
                self._runtime.say(line, ours=CONTROLS)
            self._said_at = now
        self._told = [*self._told, *changes][-_REMEMBERED:]
        self._last = snapshot

    def end(self, ending: Ending) -> None:
        facts, place = self._runtime.facts, self._place
        lines = closing.closing(ending, facts, place=place)
        if self._session.reporting.ci and ending_report(ending, place).level:
            lines = closing.details(ending, facts, place=place)  # the sentence was annotated
        for line in lines:
            self._session.note(text_of(line))
        self._runtime.say(self._runtime.harmless(verdict_line(ending)))


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
