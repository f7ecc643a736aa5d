"""What can go wrong, as values: effects, and the rules that say which requests meet them."""

import re
from dataclasses import dataclass

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.api.call import Call, read_call
from companyos_canary.sandbox.objects import ApiStatus

_READING = ("GET", "HEAD", "OPTIONS")

ANSWERS = {
    400: ("BadRequest", "the server rejected our request for an unknown reason"),
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "forbidden"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: ("Conflict", "the object has been modified; please apply your changes to the latest version and try again"),
    410: ("Expired", "The resourceVersion for the provided watch is too old."),
    422: ("Invalid", "the server rejected our request due to an error in our request"),
    429: ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
    500: ("InternalError", "Internal error occurred: the sandbox was told to fail"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the server was unable to return a response in the time allotted"),
}


class Dropped(ConnectionResetError):
    """The connection is reset. `partial`: what a server sends before, `length` bytes of it."""

    def __init__(self, partial: Response | None = None, length: int = 0) -> None:
        super().__init__("connection reset by peer")
        self.partial = partial
        self.length = length


class Silent(TimeoutError):
    """No answer comes; a server keeps the connection open and says nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Another answer: 401, 403 (as RBAC says it), 409, 410, 422, 429, 500, 503, 504."""

    code: int
    message: str = ""
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Html:
    """A page of something in between (a proxy that needs a login) in place of the answer."""

    code: int = 200


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is reset before any answer."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The answer (or the stream) is reset after so many bytes: in the middle of a line."""

    bytes: int = 40


@dataclass(frozen=True, slots=True)
class Truncate:
    """The answer (or the stream) ends after so many bytes, in good order: half an object."""

    bytes: int = 40


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer; a stream that already runs says nothing after so many lines."""

    lines: int | None = None


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer comes later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Expire:
    """A watch says 410 in an ERROR event."""


@dataclass(frozen=True, slots=True)
class Lose:
    """A change is answered as if it had been made, and nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class Race:
    """Someone else writes to the object just before a change of it: whoever pins the
    resourceVersion gets a conflict. `refuse`: everyone gets one (a storm of them)."""

    refuse: bool = False


@dataclass(frozen=True, slots=True)
class Freeze:
    """The Rollouts controller is stopped, for so many seconds (None: until it is thawed). This
    is no answer to a request: see `Cluster.freeze`."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RouterLag:
    """Traffic routers take each new weight over so many seconds late, and say so. This is no answer to a request
    either: see `behaviour.Lag`."""

    seconds: float


Effect = Answer | Html | Drop | Cut | Truncate | Silence | Slow | Expire | Lose | Race


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule. `method` and `verb` (get, list, watch, patch, ...) are compared, `path` is a
    regular expression that is searched; empty ones match all. `times` None: for ever; `after`:
    so many matching requests are let through first. Lose and Race meet changes only."""

    effect: Effect
    method: str = ""
    verb: str = ""
    path: str = ""
    times: int | None = None
    after: int = 0

    def matches(self, request: Request) -> bool:
        if self.method and self.method != request.method:
            return False
        if self.path and not re.search(self.path, request.path):
            return False
        if isinstance(self.effect, Lose | Race) and not _changes(request):
            return False
        call = call_of(request)
        return not self.verb or (call is not None and call.verb == self.verb)


def call_of(request: Request) -> Call | None:
    """What a request asks for; None if no object is meant."""
    try:
        return read_call(request)
    except ApiStatus:
        return None


def _changes(request: Request) -> bool:
    return request.method not in _READING and not request.parameter("dryRun")
