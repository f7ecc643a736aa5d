"""What can go wrong, as values: effects, the rules that say which requests meet them, and how people write a rule:
`PATCH 409 x2`, `watch /rollouts cut=120`, `freeze=30s`."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from msgspec import Struct

from companyos_canary.errors import UsageError, guess
from companyos_canary.model.http import Request, Response
from companyos_canary.model.quantity import format_duration, parse_duration
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


class Answer(Struct, frozen=True):
    """Another answer: 401, 403 (as RBAC says it), 409, 410, 422, 429, 500, 503, 504."""

    code: int
    message: str = ""
    retry_after: int | None = None


class Html(Struct, frozen=True):
    """A page of something in between (a proxy that needs a login) in place of the answer."""

    code: int = 200


class Drop(Struct, frozen=True):
    """The connection is reset before any answer."""


class Cut(Struct, frozen=True):
    """The answer (or the stream) is reset after so many bytes: in the middle of a line."""

    bytes: int = 40


class Truncate(Struct, frozen=True):
    """The answer (or the stream) ends after so many bytes, in good order: half an object."""

    bytes: int = 40


class Silence(Struct, frozen=True):
    """No answer; a stream that already runs says nothing after so many lines."""

    lines: int | None = None


class Slow(Struct, frozen=True):
    """The answer comes later."""

    seconds: float


class Expire(Struct, frozen=True):
    """A watch says 410 in an ERROR event."""


class Lose(Struct, frozen=True):
    """A change is answered as if it had been made, and nothing of it is kept."""


class Race(Struct, frozen=True):
    """Someone else writes to the object just before a change of it: whoever pins the
    resourceVersion gets a conflict. `refuse`: everyone gets one (a storm of them)."""

    refuse: bool = False


class Freeze(Struct, frozen=True):
    """The Rollouts controller is stopped, for so many seconds (None: until it is thawed). This
    is no answer to a request: see `Cluster.freeze`."""

    seconds: float | None = None


class RouterLag(Struct, frozen=True):
    """Traffic routers take each new weight over so many seconds late, and say so. This is no answer to a request
    either: see `behaviour.Lag`."""

    seconds: float


Effect = Answer | Html | Drop | Cut | Truncate | Silence | Slow | Expire | Lose | Race


class Fault(Struct, frozen=True):
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


VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_HINT = "for example `PATCH 409 x2`, `watch drop`, `slow=2s`, `429=3`"
_PLAIN: Mapping[str, Effect] = {
    "drop": Drop(),
    "expire": Expire(),
    "lose": Lose(),
    "race": Race(),
    "storm": Race(refuse=True),
}
#: Effects with a number, and what they are without one (None: they need it).
_COUNTED: Mapping[str, Callable[[int | None], Effect]] = {
    "html": lambda n: Html() if n is None else Html(n),
    "cut": lambda n: Cut() if n is None else Cut(n),
    "truncate": lambda n: Truncate() if n is None else Truncate(n),
    "silence": Silence,
}
EFFECTS = (*_PLAIN, *_COUNTED, "slow", "freeze", "router")


def parse_fault(text: str) -> Fault | Freeze | RouterLag:
    """`[METHOD|verb] [/PATH-REGEXP] EFFECT [xTIMES] [after=N]`; an effect is a status code
    (`429=3`: with Retry-After) or one of EFFECTS. `freeze` and `router` are used alone. UsageError otherwise."""
    method = verb = path = ""
    times, after = None, 0
    effects: list[Effect | Freeze | RouterLag] = []
    for word in text.split():
        name, _, value = word.partition("=")
        if word.startswith("/"):
            path = _pattern(word)
        elif word[0] == "x" and word[1:].isdecimal():
            times = int(word[1:])
        elif name == "after" and value.isdecimal():
            after = int(value)
        elif word in METHODS:
            method = word
        elif word in VERBS:
            verb = word
        else:
            effects.append(_effect(word, name, value))
    if len(effects) != 1:
        raise UsageError(f"`{text}` names {'no fault' if not effects else 'two'}", hint=_HINT)
    effect = effects[0]
    if not isinstance(effect, Freeze | RouterLag):
        return Fault(effect, method, verb, path, times, after)
    if len(text.split()) > 1:
        name = "freeze" if isinstance(effect, Freeze) else "router"
        raise UsageError(f"`{text}`: `{name}` takes nothing else", hint=f"`{name}=30s`")
    return effect


def rule_text(fault: Fault) -> str:
    """The text that a fault is parsed from."""
    times = "" if fault.times is None else f"x{fault.times}"
    after = f"after={fault.after}" if fault.after else ""
    words = (fault.method, fault.verb, fault.path, _word(fault.effect), times, after)
    return " ".join(word for word in words if word)


def _effect(word: str, name: str, value: str) -> Effect | Freeze | RouterLag:
    number = int(value) if value.isdecimal() else None
    given = "=" in word
    if name.isdecimal() and int(name) in ANSWERS and (number is not None or not given):
        return Answer(int(name), retry_after=number)
    if name in _PLAIN and not given:
        return _PLAIN[name]
    if name in _COUNTED and (number is not None or not given):
        return _COUNTED[name](number)
    if name == "freeze":
        return Freeze(_seconds(word, value) if given else None)
    if name == "router":
        return RouterLag(_seconds(word, value))
    if name == "slow":
        return Slow(_seconds(word, value))
    raise UsageError(f"`{word}` names no fault{guess(name, (*EFFECTS, *VERBS))}", hint=_HINT)


def _seconds(word: str, value: str) -> float:
    try:
        seconds = parse_duration(value).total_seconds()
    except ValueError:
        seconds = -1.0
    if seconds < 0:
        name = word.partition("=")[0]
        raise UsageError(f"`{word}` is no duration", hint=f"`{name}=2s`")
    return seconds


def _pattern(word: str) -> str:
    try:
        re.compile(word)
    except re.error as error:
        raise UsageError(f"`{word}` is no regular expression: {error}", hint=_HINT) from error
    return word


def _word(effect: Effect) -> str:
    match effect:
        case Answer(code=code, retry_after=seconds):
            return str(code) if seconds is None else f"{code}={seconds}"
        case Html(code=code):
            return "html" if effect == Html() else f"html={code}"
        case Cut(bytes=length) | Truncate(bytes=length):
            return f"{type(effect).__name__.lower()}={length}"
        case Silence(lines=lines):
            return "silence" if lines is None else f"silence={lines}"
        case Slow(seconds=seconds):
            return f"slow={format_duration(timedelta(seconds=seconds))}"
        case _:
            return next(word for word, plain in _PLAIN.items() if plain == effect)
