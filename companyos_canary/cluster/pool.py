"""A urllib3 pool for one API server: TLS with the certificates of both sides, TCP keep-alive."""

import os
import socket
import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from urllib3 import PoolManager

CONNECTIONS = 10  # six watches and what is asked beside them


def make_pool(
    *,
    secure: bool = True,
    authority: bytes = b"",
    certificate: bytes = b"",
    key: bytes = b"",
    server_name: str = "",
    verify: bool = True,
) -> "PoolManager":
    """`secure`: over TLS. All certificates are PEM. Without `authority` the system's are trusted.
    Raises ssl.SSLError (an OSError) for what is no certificate."""
    import urllib3  # noqa: PLC0415 - 60 ms

    options: dict[str, Any] = {"maxsize": CONNECTIONS, "retries": False, "socket_options": _socket_options()}
    if secure:
        options["ssl_context"] = _context(authority, certificate, key, verify)
    if server_name:
        options["server_hostname"] = server_name
    if not verify:  # chosen in the kubeconfig; kubectl does not nag either
        options["cert_reqs"] = "CERT_NONE"
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return urllib3.PoolManager(**options)


def _context(authority: bytes, certificate: bytes, key: bytes, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    # Python 3.13 wants of a CA what many clusters' own ones do not have; kubectl takes them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        import tempfile  # noqa: PLC0415

        # OpenSSL takes certificates and keys from files only; this one is gone in a moment.
        handle, path = tempfile.mkstemp()
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(certificate + b"\n" + key)
            context.load_cert_chain(path)
        finally:
            os.unlink(path)
    return context


def _socket_options() -> list[tuple[int, int, int]]:
    """As client-go: a dead peer is noticed after a minute or so of silence."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options
