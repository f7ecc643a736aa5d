"""One connection to a server: http.client over TLS over TCP, each step with its limit of time."""

import io
import os
import socket
import ssl
import weakref
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any, Protocol

from companyos_canary.network.failure import Broken

FAILURES = (HTTPException, OSError, ValueError)
Headers = Sequence[tuple[str, str]]
TimeLimit = Callable[[], float]
"""How many seconds the next step may take; where none are left it does not begin."""


class Socket(Protocol):
    """What is needed of a socket, or of TLS inside of TLS."""

    def settimeout(self, value: float | None, /) -> None: ...

    def sendall(self, data: bytes, /) -> None: ...

    def recv_into(self, buffer: Any, /) -> Any: ...

    def close(self) -> None: ...


class FinalResponse(HTTPResponse):
    """The answer itself: http.client passes over `100 Continue` only, but any number of interim answers may come before
    it (RFC 9110 §15.2), such as `103 Early Hints`. After `101 Switching Protocols` no other one comes."""

    def begin(self) -> None:
        super().begin()
        while 100 <= self.status < 200 and self.status != 101:
            self.headers = None  # type: ignore[assignment] # not begun
            super().begin()


class Wire:
    """`sock` is what the operating system has, `wire` what the bytes are read from: TLS may be inside of TLS."""

    def __init__(self, host: str, sock: socket.socket, wire: Socket) -> None:
        self._sock = sock
        self._wire = _Limited(wire)
        self._http = HTTPConnection(host, 0)
        self._http.auto_open = False
        self._http.response_class = FinalResponse
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


def seconds(limit: TimeLimit) -> float:
    """Those that are left. Raises TimeoutError."""
    left = limit()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def connected(host: str, port: int, limit: TimeLimit) -> socket.socket:
    """A TCP connection. Raises OSError, and ValueError for a host that is no name."""
    # As bytes: Python loads the tables of foreign scripts for any text.
    found = socket.create_connection((host.encode("ascii"), port), seconds(limit))  # type: ignore[arg-type]
    try:
        for level, name, value in _options():
            found.setsockopt(level, name, value)
    except OSError:
        found.close()
        raise
    return found


def secured(sock: Any, context: ssl.SSLContext, name: str) -> Any:
    """The same with TLS. Raises OSError and ValueError."""
    if isinstance(sock, ssl.SSLSocket):  # inside the TLS of a proxy, which Python itself cannot do
        from urllib3.util.ssltransport import SSLTransport  # noqa: PLC0415 - few need it

        return SSLTransport(sock, context, name)
    return context.wrap_socket(sock, server_hostname=name.encode("ascii"))


def _options() -> list[tuple[int, int, int]]:
    """As client-go: a dead peer is noticed after a minute or so of silence."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


def tls_context(authority: bytes, certificate: bytes, key: bytes, *, verify: bool) -> ssl.SSLContext:
    """All are PEM; without `authority` the system's are trusted. Raises ValueError for what is no certificate."""
    try:
        if verify:
            context = ssl.create_default_context(cadata=authority.decode() or None)
        else:  # no one has to be known
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError("`certificate-authority` of the cluster is not a certificate in PEM") from error
    # Python 3.13 needs of a CA what many clusters' own ones do not have; kubectl takes them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        _show(context, certificate, key)
    return context


def _show(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    import tempfile  # noqa: PLC0415 - few need it

    # OpenSSL takes certificates and keys from files only; this one is gone in a moment.
    handle, path = tempfile.mkstemp()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(certificate + b"\n" + key)
        context.load_cert_chain(path)
    except ssl.SSLError as error:
        raise ValueError(
            "`client-certificate` and `client-key` of the user are not a certificate and its key in PEM"
        ) from error
    finally:
        os.unlink(path)
