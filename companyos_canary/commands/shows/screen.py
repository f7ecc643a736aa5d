"""One screen on a terminal, drawn again in place; its last frame and the closing sentences stay.

Keys are read between two frames. What they start, and all that is asked in addition to the cluster's own
word (Prometheus, a log, permissions), runs concurrently with the drawing and wakes it when it is done.
"""

import queue
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import TypeVar

from msgspec.structs import replace

from companyos_canary.argo.picture import look
from companyos_canary.commands.session import Session
from companyos_canary.commands.shows.jobs import LiveValues, Repeated, carried_out, heard, log_of, why_read_only
from companyos_canary.commands.shows.keys import LEAVE, YES, Order, press
from companyos_canary.commands.shows.lines import Manner, Show
from companyos_canary.diagnosis.table import seen
from companyos_canary.keyboard import REDRAW, Keyboard
from companyos_canary.model.outcome import Diagnosis, Ending
from companyos_canary.model.place import Place
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Live, Snapshot
from companyos_canary.view.panels import Desk, Notice
from companyos_canary.view.redraw import LiveScreen as Drawn
from companyos_canary.view.screen import closing_screen, last_screen, screen

_T = TypeVar("_T")
_ONCE = timedelta(days=1)
_TO_READ = timedelta(seconds=0.3)
_LOGS = timedelta(seconds=2)
_VALUES = timedelta(seconds=5)
_QUIET, _SILENT = timedelta(seconds=10), timedelta(seconds=20)


class Screen(Show):
    """With -q only the closing sentences are shown; keys are read where someone can press them."""

    draws = True

    def __init__(self, session: Session, place: Place, manner: Manner, wake: Callable[[], None]) -> None:
        runtime = session.runtime
        self._session = session
        self._runtime = runtime
        self._now = runtime.clock.now
        self._place = place
        self._wake = wake
        self._live = None if session.quiet else Drawn(runtime.stdout, lambda: self._now().timestamp())
        self._keyboard: Keyboard | None = None
        if self._live and runtime.attended:
            self._keyboard = runtime.keyboard(runtime.stdin, wake)
        self._desk = Desk(read_only="--read-only" if manner.read_only else "")
        self._done: queue.SimpleQueue[Notice] = queue.SimpleQueue()
        self._rights = self._asked(lambda _: why_read_only(session), _ONCE)
        self._logs = self._asked(lambda s: log_of(session, s), _LOGS)
        self._pulse = self._asked(lambda _: heard(session), _QUIET)
        self._received: Snapshot | None = None
        self._heard_at = self._now()
        self._asker = LiveValues(session)
        self._values = self._asked(self._asker.of, _VALUES)
        self._asked_at = self._now()
        self._latest: Snapshot | None = None
        self._hash = ""
        self._said = runtime.said
        self._open = ExitStack()

    def __enter__(self) -> "Screen":
        if self._live:
            self._open.enter_context(self._live)
        if self._keyboard:
            self._open.enter_context(self._keyboard)
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is not None and self._latest:
            self._stays(self._latest, closed=False)  # no key is read any more, and an error follows
        self._open.close()

    def first(self, rollout: Rollout) -> None:
        self._latest = Snapshot(rollout, whole=False)
        self._draw(self._latest)

    def idle(self) -> None:
        if self._latest:
            self.snapshot(self._latest)

    def snapshot(self, snapshot: Snapshot) -> float | None:
        if self._live is None:
            return None
        self._latest = snapshot
        snapshot = self._listening(snapshot)
        if self._keyboard:
            self._look_up(snapshot)
            for key in list(self._keyboard.pressed()):
                self._press(key, snapshot)
            if self._desk.panel == "metrics":
                self._desk = replace(self._desk, stable=self._asker.stable)
            if self._desk.panel == "logs":
                self._desk = replace(self._desk, logs=self._logs.about(snapshot))
        self._draw(snapshot)
        return self._live.tick()

    def _listening(self, snapshot: Snapshot) -> Snapshot:
        """Marked as lost where the server has said nothing for long. A watch may be silent for a
        minute and be alive: where nothing changes, the server is asked whether it is there."""
        now = self._now()
        if snapshot != self._received:
            self._received, self._heard_at = snapshot, now
        elif now - self._heard_at >= _QUIET:
            self._heard_at = max(self._heard_at, self._pulse.about(snapshot) or self._heard_at)
        if snapshot.stale_since is None and now - self._heard_at >= _SILENT:
            return replace(snapshot, stale_since=self._heard_at)
        return snapshot

    def last(self, ending: Ending) -> None:
        self._stays(ending.snapshot, closed=True, why=ending.why)

    def _stays(self, snapshot: Snapshot, *, closed: bool, why: Diagnosis | None = None) -> None:
        if self._live:
            live = self._values_of(snapshot).newest
            picture = seen(snapshot, self._now(), self._place, live)
            picture = replace(picture, why=why or picture.why)
            facts = self._runtime.facts
            self._live.update(last_screen(picture, facts, closed=closed), facts)

    def end(self, ending: Ending) -> None:
        self._runtime.draw(("", *closing_screen(ending, self._runtime.facts, place=self._place)))

    def _draw(self, snapshot: Snapshot) -> None:
        if self._live is None:
            return
        facts = self._runtime.facts
        desk = self._desk if self._keyboard else None
        live = self._values_of(snapshot).about(snapshot) if snapshot.whole else None
        picture = seen(snapshot, self._now(), self._place, live)
        if self._said != self._runtime.said:
            self._said = self._runtime.said
            self._live.write_over()
        self._live.update(screen(picture, facts, desk=desk, leave="Ctrl-C"), facts)

    def _values_of(self, snapshot: Snapshot) -> Repeated[Live | None]:
        """Another version is asked about again: no value of the one before is shown for it."""
        if self._hash != snapshot.rollout.current_hash:
            self._hash = snapshot.rollout.current_hash
            self._asker = LiveValues(self._session)
            self._values = self._asked(self._asker.of, _VALUES)
        return self._values

    def _look_up(self, snapshot: Snapshot) -> None:
        """What was answered meanwhile."""
        while not self._done.empty():
            self._desk = replace(self._desk, busy="", notice=self._done.get())
        if not self._desk.read_only:
            self._desk = replace(self._desk, read_only=self._rights.about(snapshot) or "")

    def _press(self, key: str, snapshot: Snapshot) -> None:
        if key == REDRAW and self._live:
            self._live.begin_anew()
            return
        if key in LEAVE and not self._desk.question:
            if not self._desk.busy:
                raise KeyboardInterrupt
            text = f"{self._desk.busy} is still running; Ctrl-C leaves at once"
            self._desk = replace(self._desk, notice=Notice(text))
            return
        too_early = self._desk.question and self._now() - self._asked_at < _TO_READ
        if too_early and key in YES:
            return
        self._desk, order = press(self._desk, key, look(snapshot, self._now(), self._place))
        if self._desk.question:
            self._asked_at = self._now()
        if order:
            self._runtime.start(lambda: self._carry_out(order, snapshot.rollout.name))

    def _carry_out(self, order: Order, name: str) -> None:
        try:
            notice = carried_out(self._session, order, name)
        except Exception as error:  # told, not thrown into a thread that no one hears
            text = f"{order.verb}: unexpected {type(error).__name__}: {error}"
            notice = Notice(text, "failure")
        self._done.put(notice)
        self._wake()

    def _asked(self, ask: Callable[[Snapshot], _T], every: timedelta) -> Repeated[_T]:
        return Repeated(ask, every=every, now=self._now, start=self._runtime.start, wake=self._wake)
