"""A socket to a host: TCP, and TLS over it, each step with its limit of time."""

import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

TimeLimit = Callable[[], float]
"""How many seconds the next step may take; where none are left it does not begin."""


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
