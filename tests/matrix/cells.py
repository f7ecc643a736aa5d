"""One cell: a verb meets a fault at one of its requests. Each is played in a copy of the World in which its
story begins."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from msgspec import Struct

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request, Response
from tests.matrix.faults import CLOCKS, EVENTS, FAULTS, NO_FAILURE, NOT_MADE, STALE, Handle, Meet, Stale
from tests.matrix.stories import Story
from tests.world import Ran, SteppedFeed, World

LONGEST = timedelta(minutes=4)  # more than without the fault
_OF_A_CHANGE = (
    ExitCode.OK,
    ExitCode.DEGRADED,
    ExitCode.SUPERSEDED,
    ExitCode.UNFINISHED,
    ExitCode.UNOBSERVED,
    ExitCode.TIMEOUT,
)
_LEFT_OUT = ("! ", "? ", "not checked", "not known")
_NOT_SENT = ("nothing was sent", "nothing was changed", "was not sent", "no change was")
T = TypeVar("T")
ALL_FAULTS = (*FAULTS, STALE, *CLOCKS, *EVENTS)
_SENT = ("sent", "was created", "accepted", "taken effect", "continues", "aborted", "verdict=", "configured", "restart")


class Cell(Struct, frozen=True):
    """`at`: the number of the request (None: the whole command); `lasts`: every one from there on."""

    story: Story
    fault: str
    at: int | None
    request: str = ""
    lasts: bool = False

    @property
    def name(self) -> str:
        where = f"{'from' if self.lasts else 'at'} {self.request}" if self.at is not None else "all the time"
        return f"{self.story.name} | {self.fault} | {where}"


class Outcome(Struct, frozen=True):
    """What came of a cell; `broken` are the laws that it broke."""

    fault: str
    lasts: bool
    code: int
    sentence: str
    seconds: float
    broken: tuple[str, ...] = ()
    ran: Ran | None = None


@dataclass(slots=True)
class Line:
    """The way to the API server. `requests` are those that passed, `changes` those of them that were
    made or may have been."""

    world: World
    meet: Meet | None = None
    fault: str = ""
    at: int = 0
    lasts: bool = False
    requests: list[Request] = field(default_factory=list)
    changes: list[Request] = field(default_factory=list)
    handle: Handle = field(init=False)

    def __post_init__(self) -> None:
        self.handle = self.world.faults
        self.world.faults = self  # type: ignore[assignment]

    def __call__(self, request: Request) -> Response:
        number = len(self.requests)
        self.requests.append(request)
        met = self.meet is not None and (number == self.at or (self.lasts and number > self.at))
        changes = request.method not in ("GET", "HEAD") and not request.parameter("dryRun")
        counts = changes and not request.path.endswith("/events") and "/authorization.k8s.io/" not in request.path
        if met and self.meet is not None:
            if counts and self.fault not in NOT_MADE:
                self.changes.append(request)
            return self.meet(self.world, self.handle, request)
        response = self.handle(request)
        if counts and response.status < 300:
            self.changes.append(request)
        if isinstance(self.meet, Stale):
            self.meet.remember(request, response)
        return response


class Base(Struct, frozen=True):
    """A story without a fault."""

    ran: Ran
    took: timedelta
    requests: tuple[Request, ...]
    changes: int


def without_fault(story: Story, world: World) -> Base:
    line, began = Line(world), world.now
    ran = _run(story, world)
    return Base(ran, world.now - began, tuple(line.requests), len(line.changes))


def _run(story: Story, world: World) -> Ran:
    """What it wrote is taken away: a copy of a World shares the folder."""
    before = set(world.folder.iterdir())
    try:
        return world.canary(*story.command)
    finally:
        for made in set(world.folder.iterdir()) - before:
            made.unlink()


def cells_of(story: Story, base: Base, faults: tuple[str, ...] = ALL_FAULTS) -> Iterator[Cell]:
    """Each different request at its first time: met once, and, where the verb changes something, from
    there on."""
    first: dict[str, int] = {}
    for number, request in enumerate(base.requests):
        kind = request.path.removeprefix("/apis/argoproj.io/v1alpha1").removeprefix("/api/v1")
        kind = kind.removeprefix("/namespaces/companyos/")
        first.setdefault(f"{request.method} {kind}", number)
    for fault in faults:
        if fault in CLOCKS or fault in EVENTS:
            if fault in CLOCKS or story.follows:
                yield Cell(story, fault, None)
            continue
        for name, number in first.items():
            if story.changes or fault in NO_FAILURE:
                yield Cell(story, fault, number, name, lasts=True)
            if fault not in NO_FAILURE:
                yield Cell(story, fault, number, name)


def play(cell: Cell, world: World, base: Base) -> Outcome:
    began, meet = world.now, Stale() if cell.fault == STALE else FAULTS.get(cell.fault)
    if cell.fault in EVENTS:
        meet, world.feed = EVENTS[cell.fault], SteppedFeed  # type: ignore[misc]
    always = cell.fault in EVENTS
    line = Line(world, meet if cell.at is not None or always else None, cell.fault, cell.at or 0, cell.lasts or always)
    if cell.fault in CLOCKS:
        shift = timedelta(seconds=CLOCKS[cell.fault])
        world.clock = lambda: world.now + shift
    try:
        ran = _run(cell.story, world)
    except Exception as error:  # it is what is looked for
        return Outcome(cell.fault, cell.lasts, -1, repr(error)[:200], 0, ("it raised",))
    took = world.now - began
    world.faults = line.handle  # type: ignore[assignment]
    broken = tuple(_broken(cell, world, base, ran, line, took))
    said = (ran.err.strip() or ran.out.strip()).splitlines()
    sentence, lasts = said[0] if said else "", cell.lasts or cell.at is None
    return Outcome(cell.fault, lasts, ran.code, sentence, took.total_seconds(), broken, ran if broken else None)


def _broken(cell: Cell, world: World, base: Base, ran: Ran, line: Line, took: timedelta) -> Iterator[str]:
    said = ran.out + ran.err
    if ran.code not in set(ExitCode):
        yield "an exit code that is in no table"
    if "Traceback" in said or "unexpected" in said:
        yield "it was not foreseen"
    if ran.code and not said.strip():
        yield "it failed without a word"
    if cell.fault in EVENTS and (ran.code, ran.last) != (base.ran.code, base.ran.last):
        yield f"another end than without it: {base.ran.last}"
    if ran.err.count("error: ") > 1:
        yield "more than one error"
    if took > base.took + LONGEST:
        yield f"it took {took.total_seconds():.0f} s"
    yield from _of_a_change(cell, world, base, ran, line) if cell.story.changes else _of_a_look(cell, base, ran)


def _of_a_look(cell: Cell, base: Base, ran: Ran) -> Iterator[str]:
    said = ran.err.strip() or any(ran.out.count(word) > base.ran.out.count(word) for word in _LEFT_OUT)
    log = cell.request.endswith("/log") and cell.fault.startswith("200") and "page" not in cell.fault
    differs = ran.out != base.ran.out and not said and not log  # any text may be a log
    if ran.code == base.ran.code and differs and cell.fault not in NO_FAILURE:
        yield "something is left out without a word"


def _of_a_change(cell: Cell, world: World, base: Base, ran: Ran, line: Line) -> Iterator[str]:
    said = ran.out + ran.err
    if len(line.changes) > base.changes:
        yield f"{len(line.changes)} changes instead of {base.changes}"
    if ran.code == ExitCode.OK and not cell.story.is_kept(world):
        yield "it says that it is done, and it is not"
    if not line.changes:
        return
    if any(words in said for words in _NOT_SENT):
        yield "it says that nothing was sent, and something was"
    if ran.code not in _OF_A_CHANGE:
        yield f"exit {ran.code} behind a change that was made, or may have been"
    if ran.code and not any(words in said for words in _SENT):
        yield "it does not say what was sent"
