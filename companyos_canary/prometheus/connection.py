"""Connections to one server over http.client, as the environment wants them: its proxies, and the certificates that
the system trusts."""

import os
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection
from typing import Any, Literal
from urllib.parse import SplitResult, quote, unquote, urlsplit

from msgspec import Struct

from companyos_canary.model.http import Response

_FAILURES = (HTTPException, OSError, ValueError)
_PORTS = {"http": 80, "https": 443}
_Headers = Mapping[str, str]


class Failed(Exception):
    """No answer: `phase` is where it failed, `why` the reason."""

    def __init__(self, phase: Literal["address", "proxy", "connect", "answer"], why: Exception) -> None:
        super().__init__(str(why))
        self.phase = phase
        self.why = why


class _Asked(Struct, frozen=True):
    """A request as it goes on the wire."""

    method: str
    path: str
    headers: _Headers
    body: bytes


class KeptConnections:
    """Those to the server of `url`, which may have a path, a user and a password. Each is kept until it is needed
    again; several threads may ask."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[HTTPConnection] = []

    def request(
        self, method: str, target: str, headers: _Headers, body: bytes, *, connect: float, timeout: float
    ) -> Response:
        """Raises Failed. Both times are in seconds: that for a connection, and that for each step of the answer. It is
        only read, so that it is asked again where the server has closed a connection that was kept."""
        url = _address(self._url)
        proxy = _proxy(url)
        path = quote(url.path, safe="/%:@!$&'()*+,;=~") + target
        lines = {"Host": _host(url), "Accept-Encoding": "identity", **_authorization(url, "Authorization"), **headers}
        if proxy and url.scheme == "http":
            path, lines = f"http://{_host(url)}{path}", {**lines, **_authorization(proxy, "Proxy-Authorization")}
        asked = _Asked(method, path, lines, body)
        while kept := self._kept():
            with suppress(ConnectionError):
                return self._answer(kept, asked, timeout)
        try:
            return self._answer(_connected(url, proxy, connect), asked, timeout)
        except ConnectionError as error:
            raise Failed("answer", error) from error

    def close(self) -> None:
        while kept := self._kept():
            kept.close()

    def _kept(self) -> HTTPConnection | None:
        with suppress(IndexError):
            return self._idle.pop()
        return None

    def _answer(self, connection: HTTPConnection, asked: _Asked, timeout: float) -> Response:
        """Raises Failed, and ConnectionError where the server has closed the connection."""
        try:
            connection.sock.settimeout(timeout)
            connection.request(asked.method, asked.path, asked.body or None, asked.headers)
            answer = connection.getresponse()
            data = _unpacked(answer.read(), answer.headers)
        except ConnectionError:
            connection.close()
            raise
        except _FAILURES as error:
            connection.close()
            raise Failed("answer", error) from error
        if answer.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return Response(answer.status, dict(answer.getheaders()), data)


def _address(url: str) -> SplitResult:
    try:
        found = urlsplit(url)
        if found.scheme not in _PORTS:
            raise ValueError(f"it begins with neither `http://` nor `https://`: {found.scheme or 'nothing'}")
        if not found.hostname:
            raise ValueError("it names no host")
        _name(found)
        found.port  # noqa: B018 - raises ValueError for what is none
    except ValueError as error:
        raise Failed("address", error) from error
    return found


def _proxy(url: SplitResult) -> SplitResult | None:
    """The one of the environment for that address."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined] # noqa: PLC0415

    known = getproxies_environment()
    found = known.get(url.scheme) or known.get("all")
    if not found or proxy_bypass_environment(url.netloc.rpartition("@")[2], known):
        return None
    try:
        return _address(found if "://" in found else f"http://{found}")
    except Failed as error:
        raise Failed("proxy", error.why) from error


def _connected(url: SplitResult, proxy: SplitResult | None, timeout: float) -> HTTPConnection:
    way = proxy or url
    kind = HTTPSConnection if "https" in (way.scheme, url.scheme) else HTTPConnection
    name: Any = _name(way)
    connection = kind(name.decode(), way.port or _PORTS[way.scheme], timeout=timeout)
    connection.host = name
    if proxy and url.scheme == "https":
        connection.set_tunnel(url.hostname or "", url.port or 443, _authorization(proxy, "Proxy-Authorization"))
    try:
        connection.connect()
    except _FAILURES as error:
        connection.close()
        known = proxy is None or isinstance(error, ssl.SSLCertVerificationError | TimeoutError)
        raise Failed("connect" if known else "proxy", error) from error
    return connection


def _name(url: SplitResult) -> bytes:
    """As bytes: Python loads the tables of foreign scripts for any text."""
    name = url.hostname or ""
    return name.encode("ascii" if name.isascii() else "idna")


def _host(url: SplitResult) -> str:
    """Host and port as they are written in the address, without user and password."""
    return url.netloc.rpartition("@")[2]


def _authorization(url: SplitResult, header: str) -> dict[str, str]:
    if not url.username and not url.password:
        return {}
    given = f"{unquote(url.username or '')}:{unquote(url.password or '')}"
    return {header: f"Basic {b64encode(given.encode()).decode()}"}


def _unpacked(body: bytes, headers: HTTPMessage) -> bytes:
    """No one asked for it to be compressed: some proxies do so all the same. Raises ValueError."""
    if (headers["Content-Encoding"] or "").strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    import zlib  # noqa: PLC0415 - few need it

    try:
        return zlib.decompress(body, zlib.MAX_WBITS | 32)
    except zlib.error as error:
        raise ValueError(f"its answer cannot be unpacked: {error}") from error
