"""`Faulty`: a handle that injects faults in front of another one, by spoiling its answers and
streams or giving others in their place."""

import json
import threading
import time
from collections.abc import Callable, Generator, Iterator

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.model.http import Request, Response, Stream
from companyos_canary.sandbox.api.answer import encoded, failure, status_object
from companyos_canary.sandbox.api.call import Handle
from companyos_canary.sandbox.faults.effects import (
    ANSWERS,
    Answer,
    Cut,
    Drop,
    Dropped,
    Effect,
    Expire,
    Fault,
    Html,
    Lose,
    Race,
    Silence,
    Silent,
    Slow,
    Truncate,
    call_of,
)
from companyos_canary.sandbox.objects import ApiStatus, forbidden

_MERGE = {"Content-Type": "application/merge-patch+json", "User-Agent": "somebody-else"}
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n"


class _Rule(Struct):
    fault: Fault
    seen: int = 0
    met: int = 0

    def applies(self, request: Request) -> bool:
        if not self.fault.matches(request):
            return False
        self.seen += 1
        last = None if self.fault.times is None else self.fault.after + self.fault.times
        applies = self.seen > self.fault.after and (last is None or self.seen <= last)
        self.met += applies
        return applies


class Faulty:
    """A handle with faults in front; the first rule that applies wins. What no Response can say is
    raised: `Dropped` and `Silent` are the errors that a client would meet. `sleep` is for Slow."""

    def __init__(self, handle: Handle, *faults: Fault, sleep: Callable[[float], None] = time.sleep) -> None:
        self._handle = handle
        self._sleep = sleep
        self._lock = threading.Lock()
        self._rules = [_Rule(fault) for fault in faults]
        self._races = 0

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._rules += [_Rule(fault) for fault in faults]

    def clear(self) -> None:
        with self._lock:
            self._rules = []

    def rules(self) -> list[tuple[Fault, int]]:
        """Every rule, and how many requests have met it."""
        with self._lock:
            return [(rule.fault, rule.met) for rule in self._rules]

    def __call__(self, request: Request) -> Response:
        with self._lock:
            rule = next((rule for rule in self._rules if rule.applies(request)), None)
        return self._handle(request) if rule is None else self._met(request, rule.fault.effect)

    def _met(self, request: Request, effect: Effect) -> Response:
        match effect:
            case Answer():
                return failure(_status(effect, request))
            case Html():
                return _page(effect)
            case Drop():
                raise Dropped
            case Silence(lines=None):
                raise Silent("no answer")
            case Expire():
                error = status_object(_status(Answer(410), request))
                return Response(200, {"Content-Type": "application/json"}, stream=_Once(error))
            case Slow():
                self._sleep(effect.seconds)
                return self._handle(request)
            case Lose():
                return self._handle(replace(request, query=(*request.query, ("dryRun", "All"))))
            case Race():
                self._write_before(request)
                refusal = failure(_status(Answer(409), request))
                return refusal if effect.refuse else self._handle(request)
            case Cut() | Truncate() | Silence():
                return _spoilt(self._handle(request), effect)

    def _write_before(self, request: Request) -> None:
        """Someone else writes an annotation to the object that a request is about to change."""
        call = call_of(request)
        if call is None or not call.name:
            return
        with self._lock:
            self._races += 1
            annotations = {"sandbox/race": str(self._races)}
        path = request.path.rstrip("/").removesuffix(f"/{call.rest}" if call.rest else "")
        body = json.dumps({"metadata": {"annotations": annotations}}).encode()
        path = path.removesuffix(f"/{call.subresource}" if call.subresource else "")
        self._handle(Request("PATCH", path, (), _MERGE, body))


def _status(answer: Answer, request: Request) -> ApiStatus:
    """An Answer as the API server would put it for this request."""
    reason, message = ANSWERS.get(answer.code, ("Unknown", "an error on the server"))
    call = call_of(request)
    if answer.code == 403 and call and not answer.message:
        return forbidden(
            "sandbox", call.verb, call.kind, namespace=call.namespace, name=call.name, subresource=call.subresource
        )
    if answer.code == 409 and call:
        message = f'Operation cannot be fulfilled on {call.kind.resource} "{call.name}": {message}'
    details = {} if answer.retry_after is None else {"retryAfterSeconds": answer.retry_after}
    return ApiStatus(answer.code, reason, answer.message or message, details)


def _page(html: Html) -> Response:
    return Response(html.code, {"Content-Type": "text/html; charset=utf-8"}, _PAGE)


def _spoilt(response: Response, effect: Cut | Truncate | Silence) -> Response:
    """A real answer, spoilt. Raises Dropped or Silent where no Response can say it."""
    if response.stream is not None:
        stream: Stream = _Spoilt(response.stream, effect)
        return Response(response.status, response.headers, stream=stream)
    if isinstance(effect, Truncate):
        return Response(response.status, response.headers, response.body[: effect.bytes])
    if isinstance(effect, Cut):
        raise Dropped(response, min(effect.bytes, max(len(response.body) - 1, 0)))
    raise Silent("no answer")


class _Spoilt:
    def __init__(self, stream: Stream, effect: Cut | Truncate | Silence) -> None:
        self._stream = stream
        self._effect = effect
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()
        self._stream.close()

    def __iter__(self) -> Iterator[bytes]:
        if isinstance(self._effect, Silence):
            yield from self._until_silent(self._effect.lines or 0)
        else:
            cut = yield from self._until_cut(self._effect.bytes)
            if cut and isinstance(self._effect, Cut):
                raise Dropped

    def _until_cut(self, length: int) -> Generator[bytes, None, bool]:
        sent = 0
        for chunk in self._stream:
            if sent + len(chunk) > length:
                yield chunk[: max(length - sent, 1)]
                self._stream.close()
                return True
            yield chunk
            sent += len(chunk)
        return False

    def _until_silent(self, lines: int) -> Iterator[bytes]:
        if lines:
            for number, chunk in enumerate(self._stream, start=1):
                yield chunk
                if number == lines:
                    break
            else:
                return
        self._closed.wait()


class _Once:
    """A watch that says one ERROR event, and ends."""

    def __init__(self, error: object) -> None:
        self._line = encoded({"type": "ERROR", "object": error})

    def close(self) -> None:
        """Nothing is open."""

    def __iter__(self) -> Iterator[bytes]:
        yield self._line
