"""A way to the API server through a SOCKS5 proxy (RFC 1928, with user and password RFC 1929). Names are
resolved by the proxy, as Go does it."""

import socket
import struct
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProxyError
from urllib3.util import Url, parse_url

_PORT = 1080
_ADDRESS_SIZES = {1: 4, 4: 16}
_REFUSED = {
    1: "it failed",
    2: "its rules do not allow that",
    3: "it cannot reach that network",
    4: "it cannot reach that host",
    5: "the server refused the connection",
    6: "it took too long",
}


def socks_pool(proxy: str, options: Mapping[str, Any]) -> PoolManager:
    """A pool whose connections go through that proxy. ValueError for an address without a host."""
    address = parse_url(proxy)
    if not address.host:
        raise ValueError("the address of the SOCKS proxy has no host")

    def connected(connection: HTTPConnection) -> socket.socket:
        try:
            return _through(address, connection.host, connection.port, connection.timeout)
        except (OSError, struct.error) as error:
            raise ProxyError(f"SOCKS proxy: {getattr(error, 'strerror', None) or error}", error) from error

    plain = type("SocksConnection", (HTTPConnection,), {"_new_conn": connected})
    secure = type("SocksTlsConnection", (HTTPSConnection,), {"_new_conn": connected})
    manager = PoolManager(**options)
    manager.pool_classes_by_scheme = {
        "http": type("SocksPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SocksTlsPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
    return manager


def _through(proxy: Url, host: str, port: int, timeout: Any) -> socket.socket:
    """A connection to host and port that the proxy has made. Raises OSError."""
    seconds = timeout if isinstance(timeout, int | float) else None
    found = socket.create_connection((proxy.host, proxy.port or _PORT), seconds)
    try:
        user, _, password = (unquote(part) for part in (proxy.auth or "").partition(":"))
        found.sendall(b"\x05\x02\x00\x02" if user else b"\x05\x01\x00")
        method = _exactly(found, 2)[1]
        if method == 2 and user:
            name, secret = user.encode(), password.encode()
            found.sendall(bytes([1, len(name)]) + name + bytes([len(secret)]) + secret)
            if _exactly(found, 2)[1]:
                raise ConnectionError("it does not accept the user")
        elif method:
            raise ConnectionError("it requires an unknown kind of login")
        name = host.strip("[]").encode("idna")
        found.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + struct.pack(">H", port))
        _, code, _, kind = _exactly(found, 4)
        if code:
            raise ConnectionError(_REFUSED.get(code, "it failed"))
        _exactly(found, (_ADDRESS_SIZES.get(kind) or _exactly(found, 1)[0]) + 2)
    except BaseException:
        found.close()
        raise
    return found


def _exactly(found: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = found.recv(size - len(parts))
        if not part:
            raise ConnectionError("it closed the connection")
        parts += part
    return parts
