"""One screen on a terminal, drawn again in place; its last frame and the closing sentences stay."""

from companyos_canary.commands.base import Session
from companyos_canary.model.outcome import Ending
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.live import Live
from companyos_canary.view.picture import Place
from companyos_canary.view.screen import closing_screen, screen


class Screen:
    """With -q only the closing sentences are shown."""

    def __init__(self, session: Session, place: Place) -> None:
        self._runtime = session.runtime
        self._now = session.runtime.clock.now
        self._place = place
        self._live = (
            None if session.quiet else Live(self._runtime.out, lambda: self._now().timestamp())
        )

    def __enter__(self) -> "Screen":
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.__exit__(None, None, None)

    def snapshot(self, snapshot: Snapshot) -> float | None:
        if self._live is None:
            return None
        runtime = self._runtime
        runtime.fit()
        self._live.update(
            screen(snapshot, self._now(), runtime.facts, place=self._place, leave="Ctrl-C")
        )
        return self._live.tick()

    def last(self, snapshot: Snapshot) -> None:
        if self._live:
            facts = self._runtime.facts
            self._live.update(screen(snapshot, self._now(), facts, place=self._place, last=True))

    def end(self, ending: Ending) -> None:
        out = self._runtime.out
        out.print()
        out.print(closing_screen(ending, self._runtime.facts, place=self._place))
