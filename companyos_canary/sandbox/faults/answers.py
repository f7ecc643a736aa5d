"""The answers of a server on a bad day, in its words; also those that end too early."""

import threading
from collections.abc import Generator, Iterator

from companyos_canary.model.http import Request, Response, Stream
from companyos_canary.sandbox.api.answer import encoded
from companyos_canary.sandbox.errors import ApiStatus, forbidden
from companyos_canary.sandbox.faults.effects import (
    Answer,
    Cut,
    Dropped,
    Html,
    Silence,
    Silent,
    Truncate,
    call_of,
)

ANSWERS = {
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
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n"


def status(answer: Answer, request: Request) -> ApiStatus:
    """An Answer as the API server would put it for this request."""
    reason, message = ANSWERS.get(answer.code, ("Unknown", "an error on the server"))
    call = call_of(request)
    if answer.code == 403 and call and not answer.message:
        return forbidden(
            "sandbox", call.verb, call.kind, namespace=call.namespace, name=call.name,
            subresource=call.subresource,
        )  # fmt: skip
    if answer.code == 409 and call:
        message = f'Operation cannot be fulfilled on {call.kind.resource} "{call.name}": {message}'
    details = {} if answer.retry_after is None else {"retryAfterSeconds": answer.retry_after}
    return ApiStatus(answer.code, reason, answer.message or message, details)


def page(html: Html) -> Response:
    return Response(html.code, {"Content-Type": "text/html; charset=utf-8"}, _PAGE)


def spoilt(response: Response, effect: Cut | Truncate | Silence) -> Response:
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


class Once:
    """A watch that says one ERROR event, and ends."""

    def __init__(self, error: object) -> None:
        self._line = encoded({"type": "ERROR", "object": error})

    def close(self) -> None:
        """Nothing is open."""

    def __iter__(self) -> Iterator[bytes]:
        yield self._line
