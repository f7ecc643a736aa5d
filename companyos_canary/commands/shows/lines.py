"""What is reported while a version is followed, and when: nothing, lines for a pipe, or JSON Lines.

A pipe gets a line a change, a heartbeat where nothing does, and a verdict at the end. On stdout are only they; the
sentences for people go to stderr. A CI system gets the lines folded.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from companyos_canary.argo.events import Happened, PodsReady, awaits_a_verdict, events, happenings, untold
from companyos_canary.argo.picture import Picture, look
from companyos_canary.argo.rows import verdict_row
from companyos_canary.commands.session import Session
from companyos_canary.diagnosis.table import seen
from companyos_canary.errors import harmless
from companyos_canary.model.outcome import Ending
from companyos_canary.model.place import Place
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view import closing, pipe
from companyos_canary.view.ci.forges import CONTROLS, Folds
from companyos_canary.view.ci.summary import ending_report
from companyos_canary.view.closing import verdict_line
from companyos_canary.view.lines import plain_text as text_of


class Show:
    """`with show: show.snapshot(…)`, again and again; then `last` with the one it ended with. `end`
    has the last words, after the block. This one shows nothing: the answer of the verb says it. `draws`: it is a
    screen, whose first frame waits for nothing, and on which no one else writes."""

    draws = False

    def __enter__(self) -> "Show":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def first(self, rollout: Rollout) -> None:
        """The Rollout alone, before anything else is known of it."""

    def idle(self) -> None:
        """Nothing more is known yet."""

    def snapshot(self, snapshot: Snapshot) -> float | None:  # noqa: ARG002 - for those who show
        """Shows it; in how many seconds it has to be called again at most."""
        return None

    def last(self, ending: Ending) -> None:
        """What it ended with is shown."""

    def end(self, ending: Ending) -> None:
        """How it ended."""


class Manner(Struct, frozen=True):
    """What flags say of the showing. `read_only`: no key changes anything; `stay`: it does not end
    with the rollout, but continues with the next."""

    read_only: bool = False
    stay: bool = False


_SOON, _LONGEST, _UNSEEN = 0.2, timedelta(seconds=2), timedelta(seconds=20)


class Lines(Show):
    def __init__(self, session: Session, place: Place) -> None:
        self._session = session
        self._runtime = session.runtime
        self._place = place
        self._last: Snapshot | None = None
        self._began = self._said_at = self._runtime.clock.now()
        self._pods: PodsReady | None = None
        self._early_since: datetime | None = None
        self._folds = Folds(session.reporting.ci)

    def __exit__(self, *_: object) -> None:
        for line in self._folds.close(self._runtime.clock.now()):
            self._runtime.say(line, ours=CONTROLS)

    def snapshot(self, snapshot: Snapshot) -> float | None:
        picture = look(snapshot, self._runtime.clock.now(), self._place)
        if self._session.quiet or self._is_early(picture) or self._is_unseen(picture):
            return _SOON
        self._tell(picture)
        return None

    def last(self, ending: Ending) -> None:
        if not self._session.quiet and ending.snapshot != self._last:
            self._tell(look(ending.snapshot, self._runtime.clock.now(), self._place))

    def _is_early(self, picture: Picture) -> bool:
        """A step's end is reported before the next one, though the Rollout is seen before the run."""
        if not awaits_a_verdict(picture):
            self._early_since = None
        elif self._early_since is None:
            self._early_since = picture.now
        return self._early_since is not None and picture.now - self._early_since < _LONGEST

    def _is_unseen(self, picture: Picture) -> bool:
        """The first line names the revision, which the controller gives; it is not awaited for ever."""
        unseen = self._last is None and not picture.snapshot.rollout.observed
        return unseen and picture.now - self._began < _UNSEEN

    def _tell(self, picture: Picture) -> None:
        now, beat = picture.now, self._session.reporting.heartbeat
        before = look(self._last, now, self._place) if self._last else None
        fresh, self._pods = untold(events(before, picture), self._pods)
        if before is None:
            self._say(None, pipe.opening(self._session.command, picture), now)
        elif not fresh and beat and now - self._said_at >= beat:
            self._say(None, pipe.heartbeat(picture), now)
        for event in fresh:
            self._say(event, pipe.event_words(event, picture), now)
        self._last = picture.snapshot

    def _say(self, event: Happened | None, words: str, now: datetime) -> None:
        stamped = harmless(self._runtime.harmless(pipe.stamped(words, self._began, now)))
        for line in self._folds.around(event, stamped, now):
            self._runtime.say(line, ours=CONTROLS)
        self._said_at = now

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
            for event, data in happenings(before, seen(snapshot, now, self._place)):
                self._runtime.say_event(event, data, now)
            self._last = snapshot
        return None

    def end(self, ending: Ending) -> None:
        data = verdict_row(ending, seen(ending.snapshot, ending.at, self._place))
        self._runtime.say_event("verdict", data, ending.at)
        self._session.answered = True
