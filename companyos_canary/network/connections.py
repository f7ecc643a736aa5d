"""Connections to one server over http.client: opened when they are needed, kept, and shared by threads.

What fails here is Broken, with the stage in which it failed. A redirection is an answer like any other, and is not
followed: the credentials are for this server.
"""

import re
import socket
import ssl
import threading
from collections.abc import Mapping
from http.client import HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from companyos_canary.model.http import READS
from companyos_canary.network.failure import Broken
from companyos_canary.network.wire import FAILURES, Headers, TimeLimit, Wire, connected, seconds, secured, tls_context

if TYPE_CHECKING:
    from companyos_canary.network.proxies import Proxy

KEPT = 10  # six watches of the cluster and what is asked in addition to them
_PORTS = {"http": 80, "https": 443}
_WITH_BODY = ("POST", "PUT", "PATCH")
_CHUNK = 65536
_NAME = r"([^\s.]{1,63}\.)*[^\s.]{1,63}\.?"


class Connections:
    """Those to `server`, an http or https address that may have a path. `context`: that of https; `server_name` is the
    name in its certificate where it is another than in the address. May be used by several threads."""

    def __init__(
        self, server: str, context: ssl.SSLContext | None = None, *, server_name: str = "", proxy: "Proxy | None" = None
    ) -> None:
        self.server = server
        self.proxy = proxy
        self._context = context
        self._server_name = server_name
        self._idle: list[Wire] = []
        self._lock = threading.Lock()
        self._keeps = True

    def request(
        self, method: str, target: str, headers: Headers, body: bytes, *, connect: TimeLimit, read: TimeLimit
    ) -> "Reply":
        """Raises Broken. `target` is a path with its query; `connect` limits the way to the server, `read` each step
        from then on."""
        host, port, path = self._address()
        if self.proxy and self.proxy.asks and not self._context:
            path, headers = f"http://{_authority(host, port, 80)}{path}", (*headers, *self.proxy.headers)
        lines = [("Host", _authority(host, port, _PORTS["https" if self._context else "http"])), *headers]
        if body or method in _WITH_BODY:
            lines.append(("Content-Length", str(len(body))))
        if kept := self._take():
            try:
                return Reply(self, kept, kept.ask(method, path + target, lines, body, read))
            except Broken as error:
                # The server ended it in the same moment: it has not got all of the request, and could do nothing.
                unsent = error.stage == "send" and not isinstance(error.error, TimeoutError)
                unread = error.stage == "answer" and isinstance(error.error, ConnectionError) and method in READS
                if not (unsent or unread):
                    raise
        new = self._opened(host, port, connect)
        return Reply(self, new, new.ask(method, path + target, lines, body, read, new=True))

    def keep(self, wire: Wire) -> None:
        with self._lock:
            if self._keeps and len(self._idle) < KEPT:
                self._idle.append(wire)
                return
        wire.end()

    def close(self) -> None:
        """Ends those that are kept; those in use end when they are no longer used."""
        with self._lock:
            self._keeps, idle, self._idle = False, self._idle, []
        for wire in idle:
            wire.end()

    def _take(self) -> Wire | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                wire = self._idle.pop()
            if wire.is_quiet():
                return wire
            wire.end()

    def _address(self) -> tuple[str, int, str]:
        """Host, port and path of the server."""
        try:
            parts = urlsplit(self.server)
            if parts.scheme not in _PORTS:
                raise ValueError(f"it begins with neither `http://` nor `https://`: {parts.scheme or 'nothing'}")
            host = (parts.hostname or "").replace("%25", "%")  # of a zone in an IPv6 address
            if not host.isascii():
                host = host.encode("idna").decode()
            if ":" not in host and not re.fullmatch(_NAME, host):
                raise ValueError("it names no host")
            return host, parts.port or _PORTS[parts.scheme], quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
        except ValueError as error:
            raise Broken("address", error) from error

    def _opened(self, host: str, port: int, limit: TimeLimit) -> Wire:
        if self.proxy:
            sock, wire = self.proxy.connected(host, port, limit, tunnel=self._context is not None)
        else:
            try:
                sock = wire = connected(host, port, limit)
            except (OSError, ValueError) as error:
                raise Broken("connect", error) from error
        if self._context is None:
            return Wire(host, sock, wire)
        try:
            wire.settimeout(seconds(limit))
            secure = secured(wire, self._context, self._server_name or host.partition("%")[0])
        except (OSError, ValueError) as error:
            wire.close()
            raise Broken("tls", error) from error
        return Wire(host, secure if isinstance(secure, socket.socket) else sock, secure)


def connections_to(
    server: str,
    *,
    authority: bytes = b"",
    certificate: bytes = b"",
    key: bytes = b"",
    server_name: str = "",
    verify: bool = True,
    proxy: str = "",
    environ: Mapping[str, str] = {},
) -> Connections:
    """All certificates are PEM; without `authority` the system's are trusted. `proxy`: the address of one, http,
    https or socks5; without it `environ` says which. Raises ValueError for what is no certificate or no proxy."""
    context = tls_context(authority, certificate, key, verify=verify) if server.startswith("https:") else None
    way = None
    if proxy or any(name.lower().endswith("_proxy") for name in environ):
        from companyos_canary.network.proxies import Proxy, proxy_of_environment  # noqa: PLC0415 - few need it

        if address := proxy or proxy_of_environment(server, environ):
            way = Proxy(address, lambda: tls_context(b"", b"", b"", verify=verify))
    return Connections(server, context, server_name=server_name, proxy=way)


def _authority(host: str, port: int, default: int) -> str:
    """Host and port as HTTP writes them."""
    name = f"[{host.partition('%')[0]}]" if ":" in host else host
    return name if port == default else f"{name}:{port}"


class Reply:
    """An answer of which the body is read as a whole, or part by part."""

    def __init__(self, connections: Connections, wire: Wire, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers: dict[str, str] = {}
        for name, value in response.getheaders():
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        self._wires = connections
        self._wire = wire
        self._response = response
        encoding = (response.headers["Content-Encoding"] or "").strip().lower()
        self._packed = _Packed() if encoding in ("gzip", "x-gzip", "deflate") else None

    def whole(self) -> bytes:
        """The body, unpacked; then the connection can be used again. Raises Broken."""
        parts = []
        try:
            while part := self.read():
                parts.append(part)
        except Broken:
            self.close()
            raise
        self._response.close()
        if self._response.will_close:
            self._wire.end()
        else:
            self._wires.keep(self._wire)
        return b"".join(parts)

    def read(self) -> bytes:
        """The next part, unpacked; empty at the end. Raises Broken."""
        try:
            while part := self._response.read1(_CHUNK):
                if self._packed is None:
                    return part
                if unpacked := self._packed.more(part):
                    return unpacked
            if self._response.length:
                raise IncompleteRead(b"", self._response.length)
            if self._packed is not None:
                self._packed.check_end()
        except FAILURES as error:
            raise Broken("body", error) from error
        return b""

    def limit(self, limit: TimeLimit) -> None:
        """From the next part on."""
        self._wire.limit(limit)

    def close(self) -> None:
        self._response.close()
        self._wire.end()

    def hang_up(self) -> None:
        """Ends a read that waits in another thread. Raises OSError where it is closed already."""
        self._wire.hang_up()


class _Packed:
    """A body that no one asked to be compressed: some proxies do so all the same."""

    def __init__(self) -> None:
        import zlib  # noqa: PLC0415 - few need it

        self._zlib = zlib
        self._unpacker = self._next()
        self._begun = False

    def _next(self) -> Any:
        return self._zlib.decompressobj(self._zlib.MAX_WBITS | 32)  # gzip or zlib, whichever it is

    def more(self, part: bytes) -> bytes:
        found = b""
        try:
            while part:
                if self._unpacker.eof:  # gzip is a row of members
                    self._unpacker = self._next()
                self._begun = True
                found += self._unpacker.decompress(part)
                part = self._unpacker.unused_data
        except self._zlib.error as error:
            raise Broken("packed", error) from error
        return found

    def check_end(self) -> None:
        if self._begun and not self._unpacker.eof:
            raise IncompleteRead(b"")
