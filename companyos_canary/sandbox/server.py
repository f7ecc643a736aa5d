"""Serves a handle (Request to Response) on loopback, over TLS or plain http."""

import contextlib
import hmac
import re
import select
import socket
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from companyos_canary.model.http import Request, Response, Stream
from companyos_canary.sandbox.api.answer import failure
from companyos_canary.sandbox.api.call import Handle, parse_request
from companyos_canary.sandbox.faults.effects import Dropped, Silent
from companyos_canary.sandbox.objects import ApiStatus, bad_request, unauthorized

_OPEN = ("/healthz", "/livez", "/readyz")
_GONE = (ConnectionError, TimeoutError, ssl.SSLError, OSError)
_WATCHFUL_SECONDS = 0.5
_LAST_WORDS_SECONDS = 0.5
_LARGEST = 3 * 1024 * 1024
_PORT = re.compile(r":\d+$")
_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_NO_LINGER = struct.pack("ii", 1, 0)


class Server(ThreadingHTTPServer):
    """A running server. `url` names it; `close` ends every connection and waits for nothing else.

    `token`: the bearer token that requests must carry (empty: none is asked for). `patience` is how many seconds a
    client has for the next part of a request that it began, `idle` how long a connection may wait for the next one.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        handle: Handle,
        *,
        tls: ssl.SSLContext | None = None,
        token: str = "",
        port: int = 0,
        patience: float = 15,
        idle: float = 90,
    ) -> None:
        self.answer = handle
        self.patience, self.idle = patience, idle
        self.tls = tls
        self.token = token
        self.closing = threading.Event()
        self._lock = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._streams: dict[socket.socket, Stream] = {}
        super().__init__(("127.0.0.1", port), Connection)
        self._running = [
            threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True),
            threading.Thread(target=self._notice_the_gone, daemon=True),
        ]

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    def start(self) -> "Server":
        for thread in self._running:
            thread.start()
        return self

    def close(self) -> None:
        """Ends streams and connections; returns when the port is free."""
        self.closing.set()
        if self._running[0].is_alive():
            self.shutdown()
        self.server_close()
        with self._lock:
            streams = list(self._streams.values())
        for stream in streams:
            stream.close()
        with self._lock:
            self._lock.wait_for(lambda: not self._streams, _LAST_WORDS_SECONDS)
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                # not SSLSocket.shutdown: what another thread then writes would go out in the clear
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def get_request(self) -> tuple[Any, Any]:
        connection, address = self.socket.accept()
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: clients that vanish are everyday."""

    def follow(self, connection: socket.socket, stream: Stream) -> None:
        """Notes that a stream goes out on a connection, so that it ends with it."""
        with self._lock:
            self._streams[connection] = stream

    def forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._streams.pop(connection, None)
            self._lock.notify_all()

    def _notice_the_gone(self) -> None:
        # a client of a quiet watch can only be seen leaving by its end of file
        while not self.closing.wait(_WATCHFUL_SECONDS):
            with self._lock:
                streams = dict(self._streams)
            poll = select.poll()
            by_number = {}
            for connection, stream in streams.items():
                if (number := connection.fileno()) >= 0:
                    poll.register(number, select.POLLIN | select.POLLHUP)
                    by_number[number] = (connection, stream)
            for number, _ in poll.poll(0):
                connection, stream = by_number[number]
                self.forget(connection)
                stream.close()


_MISDIRECTED = ApiStatus(421, "MisdirectedRequest", "this server answers to 127.0.0.1 and localhost only")


class _TooLarge(Exception):
    """A body beyond what the real server takes."""


class Connection(BaseHTTPRequestHandler):
    """One connection. Each answer leaves in one write: two would wait 40 ms for each other."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "canary-sandbox"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.patience)
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()

    def handle_one_request(self) -> None:
        super().handle_one_request()
        with contextlib.suppress(OSError):  # closed
            self.connection.settimeout(self.server.idle)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: the server is quiet."""

    def answer(self) -> None:
        try:
            self._answer()
        except Dropped as dropped:
            self._reset(dropped)
        except Silent:
            self.server.closing.wait()
            self.close_connection = True
        except _GONE:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def _answer(self) -> None:
        try:
            body = self._body()
        except ValueError as error:
            self.close_connection = True  # where the next request would begin is not known
            response = failure(bad_request(f"the body of the request cannot be read: {error}"))
        except _TooLarge as error:
            self.close_connection = True
            response = failure(ApiStatus(413, "RequestEntityTooLarge", str(error)))
        else:
            # A header that comes more than once (Impersonate-Group) has a line for each value, which no value can hold.
            headers = {name: "\n".join(self.headers.get_all(name, ())) for name in self.headers}
            request = parse_request(self.command, self.path, headers, body)
            response = self._respond(request) if self._is_meant() else failure(_MISDIRECTED)
        if response.stream is None:
            self._send(response, len(response.body))
            if self.command != "HEAD":
                self.wfile.write(response.body)
            self.wfile.flush()
        else:
            self._stream(response, response.stream)

    def _is_meant(self) -> bool:
        """A page in a browser may send requests here under the name of its own server."""
        return _PORT.sub("", self.headers.get("Host", _HOSTS[0])).lower() in _HOSTS

    def _respond(self, request: Request) -> Response:
        wanted = f"Bearer {self.server.token}".encode()
        given = request.header("Authorization").encode()
        if self.server.token and request.path not in _OPEN and not hmac.compare_digest(given, wanted):
            return failure(unauthorized())
        try:
            return self.server.answer(request)
        except OSError:  # faults, too
            raise
        except Exception as error:
            told = f"Internal error occurred: {type(error).__name__}: {error}"
            return failure(ApiStatus(500, "InternalError", told))

    def _send(self, response: Response, length: int | None) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _stream(self, response: Response, stream: Stream) -> None:
        self.server.follow(self.connection, stream)
        try:
            self._send(response, None)
            self.wfile.flush()
            for chunk in filter(None, stream):  # an empty chunk would be the end
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
        finally:
            self.server.forget(self.connection)
            stream.close()

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                body += self._read(size, len(body))
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self._read(int(self.headers.get("Content-Length") or 0), 0)

    def _read(self, size: int, before: int) -> bytes:
        if size < 0:
            raise ValueError(f"its length is {size}")
        if before + size > _LARGEST:
            raise _TooLarge(f"Request entity too large: limit is {_LARGEST}")
        return self.rfile.read(size)

    def _reset(self, dropped: Dropped) -> None:
        """Closes with a TCP reset instead of an orderly end, if need be in the middle of a body."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            if dropped.partial is not None:
                self._send(dropped.partial, len(dropped.partial.body))
                self.wfile.write(dropped.partial.body[: dropped.length])
            self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            socket.socket.close(self.connection)
