"""Several works in parallel on the clock of a world: only one acts at a time, and another one may take its turn
at each request and whenever one waits. Which one is drawn, so that a test says in which order things happen."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from companyos_canary.model.http import Request, Response
from tests.world import World

Choose = Callable[[int], int]
"""How many may act now -> which of them does."""


class _Work:
    def __init__(self, run: Callable[[], None]) -> None:
        self.go, self.back = threading.Semaphore(0), threading.Semaphore(0)
        self.wakes: datetime | None = None
        self.done = False
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        self.thread.start()

    def _run(self, run: Callable[[], None]) -> None:
        self.go.acquire()
        try:
            run()
        except BaseException as error:  # the test's own thread raises it
            self.failure = error
        self.done = True
        self.back.release()

    def turn(self) -> None:
        """Lets it act until it waits, or asks something."""
        self.go.release()
        self.back.acquire()

    def rest(self) -> None:
        """Called by the work itself."""
        self.back.release()
        self.go.acquire()


def take_turns(world: World, works: Sequence[Callable[[], None]], choose: Choose = lambda _: 0) -> None:
    """Runs all of them to their end. By default the first that can act does, so that each acts until it waits."""
    doing: dict[int, _Work] = {}
    answer, sleep = world.answer, world.sleep

    def asked(request: Request) -> Response:
        if work := doing.get(threading.get_ident()):
            work.rest()
        return answer(request)

    def waits(seconds: float) -> None:
        work = doing.get(threading.get_ident())
        if work is None:
            return sleep(seconds)
        work.wakes = world.now + timedelta(seconds=seconds)
        work.rest()
        return None

    world.answer, world.sleep = asked, waits  # type: ignore[method-assign]
    try:
        left = [_Work(work) for work in works]
        doing |= {work.thread.ident: work for work in left if work.thread.ident}
        while left:
            ready = [w for w in left if w.wakes is None or w.wakes <= world.now]
            if not ready:
                soonest = min(w.wakes for w in left if w.wakes)
                sleep((soonest - world.now).total_seconds())
                continue
            work = ready[choose(len(ready))]
            work.wakes = None
            work.turn()
            if work.failure:
                raise work.failure
            left = [w for w in left if not w.done]
    finally:
        world.answer, world.sleep = answer, sleep  # type: ignore[method-assign]
