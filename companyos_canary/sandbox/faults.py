"""Faults on demand: what a cluster does on a bad day, in front of a handle.

`Faulty(handle)` is a handle, too. What cannot be said by a Response is raised: `Dropped` and
`Silent` are the errors that a client would meet; the server turns them into a reset connection and
into silence.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from companyos_canary.errors import UsageError
from companyos_canary.model.http import Request, Response, Stream
from companyos_canary.model.quantity import parse_duration
from companyos_canary.sandbox.api.answer import encoded, failure, forbidden, status_object
from companyos_canary.sandbox.api.call import Call, Handle, read_call
from companyos_canary.sandbox.objects import ApiStatus


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
class Drop:
    """The connection is reset before any answer."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The answer (or the stream) is reset after so many bytes: in the middle of a line."""

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


Effect = Answer | Drop | Cut | Silence | Slow | Expire


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule. `method` and `verb` (get, list, watch, patch, ...) are compared, `path` is a
    regular expression that is searched; empty ones match all. `times` None: for ever; `after`:
    so many matching requests are let through first."""

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
        call = _call(request)
        return not self.verb or (call is not None and call.verb == self.verb)


@dataclass(slots=True)
class _Rule:
    fault: Fault
    met: int = field(default=0)

    def applies(self, request: Request) -> bool:
        if not self.fault.matches(request):
            return False
        self.met += 1
        late = self.met > self.fault.after
        return late and (
            self.fault.times is None or self.met <= self.fault.after + self.fault.times
        )


class Faulty:
    """A handle with faults in front; the first rule that applies wins. `sleep` is for Slow."""

    def __init__(
        self, handle: Handle, *faults: Fault, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._handle = handle
        self._sleep = sleep
        self._lock = threading.Lock()
        self._rules = [_Rule(fault) for fault in faults]

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._rules += [_Rule(fault) for fault in faults]

    def clear(self) -> None:
        with self._lock:
            self._rules = []

    def __call__(self, request: Request) -> Response:
        with self._lock:
            rule = next((rule for rule in self._rules if rule.applies(request)), None)
        if rule is None:
            return self._handle(request)
        effect = rule.fault.effect
        if isinstance(effect, Answer):
            return failure(_status(effect, request))
        if isinstance(effect, Drop):
            raise Dropped
        if isinstance(effect, Expire):
            error = status_object(_status(Answer(410), request))
            return Response(200, {"Content-Type": "application/json"}, stream=_Once(error))
        if isinstance(effect, Slow):
            self._sleep(effect.seconds)
            return self._handle(request)
        if isinstance(effect, Silence) and effect.lines is None:
            raise Silent("no answer")
        return _spoilt(self._handle(request), effect)


def _spoilt(response: Response, effect: Cut | Silence) -> Response:
    if response.stream is not None:
        stream: Stream = _CutStream(response.stream, effect)
        return Response(response.status, response.headers, stream=stream)
    if isinstance(effect, Cut):
        raise Dropped(response, min(effect.bytes, max(len(response.body) - 1, 0)))
    raise Silent("no answer")


class _CutStream:
    def __init__(self, stream: Stream, effect: Cut | Silence) -> None:
        self._stream = stream
        self._effect = effect
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()
        self._stream.close()

    def __iter__(self) -> Iterator[bytes]:
        sent, lines, effect = 0, 0, self._effect
        if isinstance(effect, Silence) and effect.lines == 0:
            self._closed.wait()
            return
        for chunk in self._stream:
            if isinstance(effect, Cut) and sent + len(chunk) > effect.bytes:
                yield chunk[: max(effect.bytes - sent, 1)]
                raise Dropped
            yield chunk
            sent, lines = sent + len(chunk), lines + 1
            if isinstance(effect, Silence) and lines == effect.lines:
                self._closed.wait()
                return


class _Once:
    def __init__(self, error: object) -> None:
        self._line = encoded({"type": "ERROR", "object": error})

    def close(self) -> None:
        """Nothing is open."""

    def __iter__(self) -> Iterator[bytes]:
        yield self._line


_ANSWERS = {
    400: ("BadRequest", "the server rejected our request for an unknown reason"),
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "forbidden"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: ("Conflict", "the object has been modified; please apply your changes to the latest "
          "version and try again"),
    410: ("Expired", "The resourceVersion for the provided watch is too old."),
    422: ("Invalid", "the server rejected our request due to an error in our request"),
    429: ("TooManyRequests", "the server has received too many requests and has asked us to try "
          "again later"),
    500: ("InternalError", "Internal error occurred: the sandbox was told to fail"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the server was unable to return a response in the time allotted"),
}  # fmt: skip


def _status(answer: Answer, request: Request) -> ApiStatus:
    reason, message = _ANSWERS.get(answer.code, ("Unknown", "an error on the server"))
    call = _call(request)
    if answer.code == 403 and call and not answer.message:
        return forbidden(
            "sandbox", call.verb, call.kind, namespace=call.namespace, name=call.name,
            subresource=call.subresource,
        )  # fmt: skip
    if answer.code == 409 and call:
        message = f'Operation cannot be fulfilled on {call.kind.resource} "{call.name}": {message}'
    details = {} if answer.retry_after is None else {"retryAfterSeconds": answer.retry_after}
    return ApiStatus(answer.code, reason, answer.message or message, details)


def _call(request: Request) -> Call | None:
    try:
        return read_call(request)
    except ApiStatus:
        return None


def parse_fault(text: str) -> Fault:
    """`[METHOD|verb] [/PATH-REGEXP] EFFECT [xTIMES] [after=N]`, for example `PATCH 409 x2`,
    `watch /rollouts cut=120`, `429=3` (Retry-After), `slow=2s`, `silence`, `drop`, `expire`."""
    method = verb = path = ""
    effect: Effect | None = None
    times, after = None, 0
    for word in text.split():
        name, _, value = word.partition("=")
        if word.startswith("/"):
            path = word
        elif word[0] == "x" and word[1:].isdecimal():
            times = int(word[1:])
        elif name == "after" and value.isdecimal():
            after = int(value)
        elif found := _effect(name, value):
            effect = found
        elif word.isupper():
            method = word
        else:
            verb = word
    if effect is None:
        raise UsageError(
            f"`{text}` names no fault",
            hint="for example `PATCH 409 x2`, `watch drop`, `slow=2s`, `429=3`",
        )
    return Fault(effect, method, verb, path, times, after)


def _effect(name: str, value: str) -> Effect | None:
    if name.isdecimal() and int(name) in _ANSWERS:
        return Answer(int(name), retry_after=int(value) if value.isdecimal() else None)
    number = int(value) if value.isdecimal() else None
    if name == "slow":
        try:
            return Slow(parse_duration(value).total_seconds())
        except ValueError as error:
            raise UsageError(f"`slow={value}` is no duration", hint="`slow=2s`") from error
    simple: dict[str, Effect] = {
        "drop": Drop(),
        "expire": Expire(),
        "silence": Silence(number),
        "cut": Cut(40 if number is None else number),
    }
    return simple.get(name)
