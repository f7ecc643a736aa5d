"""One connection to a server: http.client over a socket, each step with its limit of time.

What fails here is Broken, with the stage in which it failed: errors.py makes the sentence of it.
"""

import io
import socket
import ssl
import weakref
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any, Protocol

from companyos_canary.cluster.errors import Broken
from companyos_canary.cluster.sockets import TimeLimit, seconds

FAILURES = (HTTPException, OSError, ValueError)
Headers = Sequence[tuple[str, str]]


class Socket(Protocol):
    """What is needed of a socket, or of TLS inside of TLS."""

    def settimeout(self, value: float | None, /) -> None: ...

    def sendall(self, data: bytes, /) -> None: ...

    def recv_into(self, buffer: Any, /) -> Any: ...

    def close(self) -> None: ...


class Wire:
    """`sock` is what the operating system has, `wire` what the bytes are read from: TLS may be inside of TLS."""

    def __init__(self, host: str, sock: socket.socket, wire: Socket) -> None:
        self._sock = sock
        self._wire = _Limited(wire)
        self._http = HTTPConnection(host, 0)
        self._http.auto_open = False
        self._http.sock = self._wire
        weakref.finalize(self, wire.close).atexit = False  # of a stream that no one read, too

    def ask(
        self, method: str, target: str, headers: Headers, body: bytes, limit: TimeLimit, *, new: bool = False
    ) -> HTTPResponse:
        """The answer, of which the body is not read yet. After a failure the connection is of no use any more."""
        self.limit(limit)
        try:
            return self._asked(method, target, headers, body, new)
        except BaseException:
            self.end()
            raise

    def _asked(self, method: str, target: str, headers: Headers, body: bytes, new: bool) -> HTTPResponse:
        try:
            self._http.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                self._http.putheader(name, value)
            self._http.endheaders(body or None)
        except FAILURES as error:
            raise Broken("headers", error) from error
        try:
            self._wire.send()
        except FAILURES as error:
            # Who does not want all of a request may have said why before it closed the connection.
            if not (new and isinstance(error, BrokenPipeError | ssl.SSLEOFError)):
                raise Broken("send", error) from error
        try:
            answer = self._http.getresponse()
            try:
                self._check(answer)
            except HTTPException:
                answer.close()
                raise
        except FAILURES as error:
            raise Broken("answer", error) from error
        return answer

    def _check(self, answer: HTTPResponse) -> None:
        """HTTPException for a head that http.client takes and that is none."""
        if self._wire.ended:  # in the middle of the headers
            raise IncompleteRead(b"")
        lengths = set(answer.headers.get_all("Content-Length", ()))
        if not answer.chunked and (len(lengths) > 1 or (lengths and answer.length is None)):
            raise HTTPException("Content-Length is no number, or several")

    def limit(self, limit: TimeLimit) -> None:
        """From the next step on."""
        self._wire.limit = limit

    def is_quiet(self) -> bool:
        """Nothing has come since the last answer: neither the end, nor what no one asked for."""
        if self._wire.holds_more():
            return False
        try:
            self._sock.setblocking(False)
            socket.socket.recv(self._sock, 1, socket.MSG_PEEK)  # below TLS
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def hang_up(self) -> None:
        """Ends a read that waits in another thread."""
        socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # below TLS, which that thread still uses

    def end(self) -> None:
        self._wire.end()


class _Limited:
    """What http.client takes for a socket: each step has its limit of time. `ended`: nothing more will come."""

    def __init__(self, wire: Socket) -> None:
        self._wire = wire
        self._reader = _Reader(_Reading(self))
        self._request = b""
        self.limit: TimeLimit = lambda: 0
        self.ended = False

    def sendall(self, data: bytes) -> None:
        """Not yet: a request goes out as a whole. See `send`."""
        self._request += data

    def send(self) -> None:
        request, self._request = self._request, b""
        self._wire.settimeout(seconds(self.limit))
        self._wire.sendall(request)

    def recv_into(self, buffer: Any) -> int:
        self._wire.settimeout(seconds(self.limit))
        size = int(self._wire.recv_into(buffer))
        self.ended = not size
        return size

    def holds_more(self) -> bool:
        """More was read than the last answer."""
        self.limit = lambda: 0
        try:
            return bool(self._reader.peek(1))
        except TimeoutError:  # there is nothing, and no time to read
            return False

    def makefile(self, _mode: str) -> io.BufferedReader:
        return self._reader

    def close(self) -> None:
        """Nothing: http.client closes as soon as the answer begins, and reads it then. See `end`."""

    def end(self) -> None:
        self._wire.close()


class _Reading(io.RawIOBase):
    def __init__(self, wire: _Limited) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.recv_into(buffer)


class _Reader(io.BufferedReader):
    """One for all answers of a connection, so that nothing of the next one is lost with it; an answer closes and
    flushes it."""

    def close(self) -> None:
        pass

    def flush(self) -> None:
        pass
