"""Asks a Prometheus for the analysis judge, as the controller's client does.

A POST with a form; the same as a GET after 403, 405 or 501; once more at once when the connection
was closed without an answer; the whole within the metric's time-out. Recorded: rows `post-405-...`,
`closed-without-answer`, `hang-timeout-1`, `refused`.
"""

import http.client
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from msgspec.structs import replace

from companyos_canary.model.http import Request, Response

_FALLBACK = (403, 405, 501)
_AT_ONCE = 16
_CHUNK = 65536


class TransportError(Exception):
    """No answer; the text is that of Go's HTTP client. `closed`: the connection ended before one
    byte came, so the request may be sent again."""

    def __init__(self, message: str, *, closed: bool = False, bare: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.closed = closed
        self.bare = bare


class Provider(Protocol):
    """Sends the question of a metric. The future holds a Response or a TransportError."""

    def submit(self, request: Request, address: str) -> Future[Response]: ...


Send = Callable[[Request, str], Response]


def exchange(request: Request, address: str, send: Send) -> Response:
    """The POST, its retry and its fallback over `send`, which raises TransportErrors."""
    response = _once_more(request, address, send)
    if response.status not in _FALLBACK:
        return response
    form = tuple(parse_qsl(request.body.decode(), keep_blank_values=True))
    return _once_more(replace(request, method="GET", query=form, body=b""), address, send)


def _once_more(request: Request, address: str, send: Send) -> Response:
    try:
        try:
            return send(request, address)
        except TransportError as error:
            if not error.closed:
                raise
        return send(request, address)
    except TransportError as error:
        if error.bare:
            raise
        verb = request.method.capitalize()
        raise TransportError(f'{verb} "{address}{request.target}": {error.message}') from None


class HttpProvider:
    """Asks over the network, a few questions at a time. `resolve` maps an address such as
    `http://prometheus.monitoring:9090` to a real one; `wake` is called after every answer. Its
    threads are daemons: a Prometheus that hangs never keeps the process alive."""

    def __init__(self, resolve: Callable[[str], str], wake: Callable[[], None]) -> None:
        self._resolve = resolve
        self._wake = wake
        self._slots = threading.Semaphore(_AT_ONCE)
        self._closed = False

    def submit(self, request: Request, address: str) -> Future[Response]:
        future: Future[Response] = Future()
        threading.Thread(target=self._answer, args=(future, request, address), name="measure", daemon=True).start()
        return future

    def close(self) -> None:
        """Answers that are still to come wake no one."""
        self._closed = True

    def _answer(self, future: Future[Response], request: Request, address: str) -> None:
        with self._slots:
            deadline = time.monotonic() + request.timeout
            try:
                real = self._resolve(address)
                response = exchange(request, address, lambda r, _: _send(r, real, deadline))
            except TransportError as error:
                future.set_exception(error)
            except Exception as error:
                future.set_exception(TransportError(str(error) or type(error).__name__))
            else:
                future.set_result(response)
        if not self._closed:
            self._wake()


def _send(request: Request, address: str, deadline: float) -> Response:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TransportError("context deadline exceeded")
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=left)
    try:
        body = request.body if request.method == "POST" else None
        connection.request(request.method, request.target, body, dict(request.headers))
        answer = connection.getresponse()
        return Response(answer.status, dict(answer.getheaders()), _read(answer, deadline))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failure(error, parts.netloc, parts.hostname or "") from None
    finally:
        connection.close()


def _read(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """The whole body; the deadline also ends one that comes in drips."""
    parts: list[bytes] = []
    while part := answer.read1(_CHUNK):
        parts.append(part)
        if time.monotonic() > deadline:
            raise TimeoutError
    if answer.length:
        raise http.client.IncompleteRead(b"")
    return b"".join(parts)


def _failure(error: Exception, netloc: str, host: str) -> TransportError:
    """An error of the network in the words of Go's client."""
    if isinstance(error, TimeoutError):
        return TransportError("context deadline exceeded")
    if isinstance(error, http.client.IncompleteRead):
        return TransportError("unexpected EOF", bare=True)
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError):
        return TransportError("EOF", closed=True)
    if isinstance(error, ConnectionRefusedError):
        return TransportError(f"dial tcp {netloc}: connect: connection refused")
    if isinstance(error, socket.gaierror):
        return TransportError(f"dial tcp: lookup {host}: no such host")
    return TransportError(str(error) or type(error).__name__)
