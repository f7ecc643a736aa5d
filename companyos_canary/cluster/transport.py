"""HTTP to the API server over a urllib3 pool that carries the credentials.

One level below `ApiClient.call_api`, which writes bodies again and, for bytes, turns a JSON patch
into a strategic merge patch.
"""

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from companyos_canary import __version__
from companyos_canary.cluster.errors import broke, failures, retry_after, unreachable
from companyos_canary.errors import Unreachable, Untrusted
from companyos_canary.model.http import Request, Response, without_password

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager


CONNECTIONS = 10  # six watches and what is asked in addition to them


def make_pool(
    *,
    secure: bool = True,
    authority: bytes = b"",
    certificate: bytes = b"",
    key: bytes = b"",
    server_name: str = "",
    verify: bool = True,
    proxy: str = "",
) -> "PoolManager":
    """`secure`: over TLS. All certificates are PEM. Without `authority` the system's are trusted.
    `proxy`: the address of one, http, https or socks5. Raises ValueError for what is
    no certificate or no proxy."""
    import urllib3  # noqa: PLC0415 - 60 ms

    options: dict[str, Any] = {"maxsize": CONNECTIONS, "retries": False, "socket_options": _socket_options()}
    if secure:
        options["ssl_context"] = _context(authority, certificate, key, verify)
    if server_name:
        options["server_hostname"] = server_name
    if not verify:  # chosen in the kubeconfig; kubectl does not nag either
        options["cert_reqs"] = "CERT_NONE"
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    if not proxy:
        return urllib3.PoolManager(**options)
    if proxy.startswith(("socks5://", "socks5h://")):
        from companyos_canary.cluster.socks import socks_pool  # noqa: PLC0415 - few need it

        return socks_pool(proxy, options)
    address = urllib3.util.parse_url(proxy)
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError(f"the proxy `{without_password(proxy)}` is none that can be used: http, https or socks5")
    login = urllib3.util.make_headers(proxy_basic_auth=unquote(address.auth)) if address.auth else None
    return urllib3.ProxyManager(address._replace(auth=None).url, proxy_headers=login, **options)


def _context(authority: bytes, certificate: bytes, key: bytes, verify: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError("`certificate-authority` of the cluster is not a certificate in PEM") from error
    # Python 3.13 needs of a CA what many clusters' own ones do not have; kubectl takes them.
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
        except ssl.SSLError as error:
            raise ValueError(
                "`client-certificate` and `client-key` of the user are not a certificate and its key in PEM"
            ) from error
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


_ATTEMPTS = 3
_READS = ("GET", "HEAD")
_CHUNK = 65536
_SECRET = 8  # characters: what is shorter is a word that any sentence may hold


class KubernetesTransport:
    """Sends Requests to `server`. `authorize` gives the Authorization header (empty: none) and may
    raise Unauthenticated; after a 401 or a certificate that is not trusted, which is before anything
    was done, `renew` may get other credentials (True: try again, once). `timeout` (seconds) is the most
    a whole answer may take, and a connection; `headers` go with every request. Reads that broke or got
    Retry-After are sent again, changes never. `nameless`: why they carry no credentials. `expires`: when
    these end, None if that is not known or they are renewed. `requests` counts what was sent."""

    def __init__(
        self,
        pool: "PoolManager",
        server: str,
        authorize: Callable[[], str],
        *,
        renew: Callable[[], bool] = lambda: False,
        timeout: float = 30.0,
        headers: Sequence[tuple[str, str]] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = server
        self.nameless = ""
        self.expires: datetime | None = None
        self.requests = 0
        self._pool = pool
        self._authorize = authorize
        self._renew = renew
        self._timeout = timeout
        self._headers = tuple(headers)
        self._clock = clock
        self._sleep = sleep
        self._counting = threading.Lock()
        self._renewing = threading.Lock()
        self._shown = ""

    def send(self, request: Request) -> Response:
        deadline = self._clock() + min(request.timeout, self._timeout)
        attempts = _ATTEMPTS if request.method in _READS else 1
        renewed = False
        while True:
            attempts -= 1
            before = self._pool
            try:
                response = self._once(request, deadline)
            except Untrusted:
                if renewed or not self._renewed(before):
                    raise
                renewed, attempts = True, max(attempts, 1)
                continue
            except Unreachable as error:
                if not attempts or not broke(error):
                    raise
                continue
            busy = response.status == 429 or response.status >= 500
            pause = retry_after(response) if busy else None
            if response.status == 401 and not renewed and self._renewed(before):
                renewed, attempts = True, max(attempts, 1)
                continue
            if not attempts or pause is None or self._clock() + pause >= deadline:
                return response
            self._sleep(pause)

    def stream(self, request: Request) -> Response:
        """The response with its `stream`; `request.timeout` is the longest silence. An answer that
        is no success has its `body` instead."""
        before = self._pool
        try:
            answer = self._open(request, connect=self._timeout, read=request.timeout)
        except Untrusted:
            if not self._renewed(before):
                raise
            answer = self._open(request, connect=self._timeout, read=request.timeout)
        if answer.status == 401 and self._renewed(before):
            answer.close()
            answer = self._open(request, connect=self._timeout, read=request.timeout)
        body = _Body(answer, lambda e: self._failure(e, request))
        if not 200 <= answer.status < 300:
            return Response(answer.status, dict(answer.headers), self._without_credentials(b"".join(body)))
        return Response(answer.status, dict(answer.headers), stream=body)

    def otherwise(self, again: "Callable[[], KubernetesTransport | None]") -> None:
        """From now on what `again` makes is used where credentials or the certificate are refused and nothing else
        renews them; None: there is no other."""
        renew = self._renew

        def reread() -> bool:
            if renew():
                return True
            found = again()
            if found is not None:
                self._pool, self._authorize, self._headers = found._pool, found._authorize, found._headers
            return found is not None

        self._renew = reread

    def _renewed(self, before: "PoolManager") -> bool:
        """Whether other credentials are there than those of a request that went over `before`: another thread may
        have got them."""
        with self._renewing:
            return self._pool is not before or self._renew()

    def close(self) -> None:
        self._pool.clear()

    def _once(self, request: Request, deadline: float) -> Response:
        left = max(0.001, deadline - self._clock())
        answer = self._open(request, connect=left, read=left)
        parts = []
        try:
            while part := answer.read1(_CHUNK):
                parts.append(part)
                if self._clock() > deadline:
                    raise TimeoutError
            answer.release_conn()
        except failures() as error:
            answer.close()
            raise self._failure(error, request) from error
        body = b"".join(parts)
        success = 200 <= answer.status < 300
        return Response(answer.status, dict(answer.headers), body if success else self._without_credentials(body))

    def _without_credentials(self, body: bytes) -> bytes:
        """Some proxies answer a failure with the headers that they got; its text is shown to people."""
        secret = self._shown.rpartition(" ")[2].encode()
        return body.replace(secret, b"***") if len(secret) >= _SECRET else body

    def _open(self, request: Request, *, connect: float, read: float) -> "BaseHTTPResponse":
        from urllib3 import HTTPHeaderDict, Timeout  # noqa: PLC0415 - loaded with the pool

        headers = HTTPHeaderDict({"Accept": "application/json, */*", "User-Agent": f"canary/{__version__}"})
        headers.update(request.headers)
        for name, value in self._headers:
            headers.add(name, value)
        # As client-go: nothing that is secret goes in clear over the network.
        if self.server.startswith("https:") and (authorization := self._authorize()):
            headers["Authorization"] = self._shown = authorization
        with self._counting:
            self.requests += 1
        try:
            return self._pool.request(
                request.method,
                self.server + request.target,
                body=request.body or None,
                headers=headers,
                preload_content=False,
                timeout=Timeout(connect=connect, read=read),
                redirect=False,
                retries=False,
            )
        except failures() as error:
            raise self._failure(error, request) from error

    def _failure(self, error: Exception, request: Request) -> Unreachable:
        return unreachable(error, self.server, changing=request.method not in _READS)


class _Body:
    """The chunks of a long answer as they come."""

    def __init__(self, answer: "BaseHTTPResponse", failure: Callable[[Exception], Unreachable]) -> None:
        self._answer = answer
        self._failure = failure
        self._reading = False
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        self._reading = True
        try:
            # After `close` the socket no longer decrypts: what is read then is not the body.
            while not self._closed and (part := self._answer.read1(_CHUNK)) and not self._closed:
                yield part
        except Exception as error:
            if not self._closed:
                raise self._failure(error) from error
        finally:
            self._closed = True
            self._answer.close()

    def close(self) -> None:
        """Ends a blocked read in another thread, which then closes the connection."""
        self._closed = True
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # closed already
            self._answer.shutdown()
        if not self._reading:
            self._answer.close()
