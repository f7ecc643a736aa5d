"""What goes into a reflector and what comes out of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from companyos_canary.errors import CanaryError
from companyos_canary.model.http import Json, Request, Response


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; also the first input."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the request that was asked for (of a watch: its head)."""

    response: Response


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the watch's body."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The watch's body ended, or no answer came; `error` where it was not in order."""

    error: CanaryError | None = None


@dataclass(frozen=True, slots=True)
class Event:
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Json


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: send `request` (a watch if it says so) and leave a stream that is still
    open; or go on reading it where `reading`; or come back with a Tick at `wake_at`. Nothing of
    these: it has stopped."""

    request: Request | None = None
    events: tuple[Event, ...] = ()
    wake_at: datetime | None = None
    reading: bool = False


Input = Tick | Answer | Chunk | Ended
