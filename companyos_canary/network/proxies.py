"""A way to a server through a proxy: http and https (CONNECT, RFC 9110 §9.3.6), or SOCKS5 (RFC 1928, with user and
password RFC 1929). Names are resolved by the proxy, as Go does it."""

import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPException
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import unquote, urlsplit

from companyos_canary.model.http import basic_authorization, without_password
from companyos_canary.network.failure import Broken
from companyos_canary.network.wire import FinalResponse, TimeLimit, connected, seconds, secured

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_ADDRESS_SIZES = {1: 4, 4: 16}
_REFUSED = {
    1: "it failed",
    2: "its rules do not allow that",
    3: "it cannot reach that network",
    4: "it cannot reach that host",
    5: "the server refused the connection",
    6: "it took too long",
}


class Proxy:
    """That of an address, which may have a user and a password. `context` makes that of TLS with an https one.
    `asks`: what goes to a server in clear is sent to the proxy itself, with its `headers`. ValueError for an address
    that is none."""

    def __init__(self, address: str, context: Callable[[], ssl.SSLContext]) -> None:
        try:
            parts = urlsplit(address)
            self._host, self._port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
            self._host.encode("ascii")
        except (ValueError, KeyError):
            self._host = ""
        if not self._host:
            raise ValueError(f"the proxy `{without_password(address)}` is none that can be used: http, https or socks5")
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self.asks = parts.scheme in ("http", "https")
        self._context = context() if parts.scheme == "https" else None
        self.headers: tuple[tuple[str, str], ...] = ()
        if self._user and self.asks:
            self.headers = (("Proxy-Authorization", basic_authorization(self._user, self._password)),)

    def connected(self, host: str, port: int, limit: TimeLimit, *, tunnel: bool) -> tuple[socket.socket, Any]:
        """A connection to the host through the proxy, or without a `tunnel` to a proxy that `asks`. Raises Broken."""
        found: Any = None
        try:
            found = connected(self._host, self._port, limit)
            found.settimeout(seconds(limit))
            if self._context:
                found = secured(found, self._context, self._host)
            if not self.asks:
                _socks_tunnel(found, host, port, self._user, self._password)
            elif tunnel:
                _http_tunnel(found, host, port, self.headers)
        except (OSError, ValueError, HTTPException, struct.error) as error:
            if found is not None:
                found.close()
            raise Broken("proxy", error) from error
        return found, found


def _http_tunnel(found: socket.socket, host: str, port: int, headers: Iterable[tuple[str, str]]) -> None:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *(f"{n}: {v}" for n, v in headers)]
    found.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
    answer = FinalResponse(found, method="CONNECT")
    try:
        answer.begin()
    finally:
        answer.close()
    if not 200 <= answer.status < 300:
        raise ConnectionError(f"Tunnel connection failed: {answer.status} {answer.reason}".strip())


def _socks_tunnel(found: socket.socket, host: str, port: int, user: str, password: str) -> None:
    found.sendall(b"\x05\x02\x00\x02" if user else b"\x05\x01\x00")
    method = _exactly(found, 2)[1]
    if method == 2 and user:
        name, secret = user.encode(), password.encode()
        found.sendall(bytes([1, len(name)]) + name + bytes([len(secret)]) + secret)
        if _exactly(found, 2)[1]:
            raise ConnectionError("it does not accept the user")
    elif method:
        raise ConnectionError("it requires an unknown kind of login")
    name = host.encode("ascii")
    found.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + struct.pack(">H", port))
    _, code, _, kind = _exactly(found, 4)
    if code:
        raise ConnectionError(_REFUSED.get(code, "it failed"))
    _exactly(found, (_ADDRESS_SIZES.get(kind) or _exactly(found, 1)[0]) + 2)


def _exactly(found: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = found.recv(size - len(parts))
        if not part:
            raise ConnectionError("it closed the connection")
        parts += part
    return parts


def proxy_of_environment(address: str, environ: Mapping[str, str]) -> str:
    """The address of the proxy on the way to a server, as Go finds it: that of its scheme, which is never asked for
    this machine; empty without one, and for a server whose address is none."""
    try:
        server = urlsplit(address)
        port = server.port or (443 if server.scheme == "https" else 80)
    except ValueError:
        return ""
    name = f"{server.scheme}_proxy"
    proxy = environ.get(name.upper()) or environ.get(name) or ""
    host = (server.hostname or "").lower()
    if not proxy or host == "localhost" or _is_loopback(host):
        return ""
    no = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if any(_excepted(host, port, word.strip().lower()) for word in no.split(",")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _excepted(host: str, port: int, word: str) -> bool:
    """Whether an entry of NO_PROXY is about the host: `*`, a name and what is below it, an address, a
    network, each maybe with a port."""
    name, colon, wanted = word.rpartition(":") if word.count(":") == 1 else (word, "", "")
    if colon and wanted != str(port):
        return False
    if name in ("*", host):
        return True
    try:
        return ip_address(host) in ip_network(name, strict=False)
    except ValueError:
        below = name.removeprefix("*").lstrip(".")
        return bool(below) and host.endswith(f".{below}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
