"""Requests to the API server with the credentials that belong to them, and what is sent again.

One level below `ApiClient.call_api`, which writes bodies again and, for bytes, turns a JSON patch
into a strategic merge patch.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from companyos_canary import __version__
from companyos_canary.cluster.errors import retry_after
from companyos_canary.cluster.failure import broke, unreachable
from companyos_canary.errors import Unreachable, Untrusted
from companyos_canary.model.http import READS, Request, Response
from companyos_canary.network.failure import Broken

if TYPE_CHECKING:
    from companyos_canary.network.connections import Connections, Reply
    from companyos_canary.network.wire import TimeLimit

_ATTEMPTS = 3
_SECRET = 8  # characters: what is shorter is a word that any sentence may hold


class KubernetesTransport:
    """Sends Requests over connections to one server. `authorize` gives the Authorization header (empty: none) and may
    raise Unauthenticated; after a 401 or a certificate that is not trusted, which is before anything
    was done, `renew` may get other credentials (True: try again, once). `timeout` (seconds) is the most
    a whole answer may take, and a connection; `headers` go with every request. Reads that broke or got
    Retry-After are sent again, changes never. `nameless`: why they carry no credentials. `ends` says
    when these do, None if that is not known or they are renewed. `requests` counts what was sent."""

    def __init__(
        self,
        connections: "Connections",
        authorize: Callable[[], str],
        *,
        renew: Callable[[], bool] = lambda: False,
        timeout: float = 30.0,
        headers: Sequence[tuple[str, str]] = (),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = connections.server
        self.nameless = ""
        self.ends: Callable[[], datetime | None] = lambda: None
        self.requests = 0
        self._connections = connections
        self._authorize = authorize
        self._renew = renew
        self._timeout = timeout
        self._headers = tuple(headers)
        self._sleep = sleep
        self._counting = threading.Lock()
        self._renewing = threading.Lock()
        self._shown = ""

    def send(self, request: Request) -> Response:
        deadline = time.monotonic() + min(request.timeout, self._timeout)
        attempts = _ATTEMPTS if request.method in READS else 1
        renewed = False
        while True:
            attempts -= 1
            before = self._connections
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
            if not attempts or pause is None or time.monotonic() + pause >= deadline:
                return response
            self._sleep(pause)

    def stream(self, request: Request) -> Response:
        """The response with its `stream`; `request.timeout` is the longest silence. An answer that
        is no success has its `body` instead."""
        before = self._connections
        try:
            answer = self._opened(request)
        except Untrusted:
            if not self._renewed(before):
                raise
            answer = self._opened(request)
        if answer.status == 401 and self._renewed(before):
            answer.close()
            answer = self._opened(request)
        if 200 <= answer.status < 300:
            return Response(answer.status, answer.headers, stream=_Body(answer, lambda e: self._failure(e, request)))
        answer.limit(self._until(time.monotonic() + self._timeout))
        return self._whole(answer, request)

    def otherwise(self, again: "Callable[[], KubernetesTransport | None]") -> None:
        """From now on what `again` makes is used where credentials or the certificate are refused and nothing else
        renews them; None: there is no other."""
        renew = self._renew

        def reread() -> bool:
            if renew():
                return True
            found = again()
            if found is not None:
                self._connections.close()
                self._connections, self._authorize = found._connections, found._authorize
                self._headers = found._headers
            return found is not None

        self._renew = reread

    def _renewed(self, before: "Connections") -> bool:
        """Whether other credentials are there than those of a request that went over `before`: another thread may
        have got them."""
        with self._renewing:
            return self._connections is not before or self._renew()

    @property
    def expires(self) -> datetime | None:
        """When the credentials end. Raises Unauthenticated where they cannot be read."""
        return self.ends()

    def close(self) -> None:
        self._connections.close()

    def _once(self, request: Request, deadline: float) -> Response:
        left = self._until(deadline)
        return self._whole(self._open(request, connect=left, read=left), request)

    def _opened(self, request: Request) -> "Reply":
        """Of a stream."""
        return self._open(request, connect=self._until(time.monotonic() + self._timeout), read=lambda: request.timeout)

    def _until(self, deadline: float) -> "TimeLimit":
        return lambda: deadline - time.monotonic()

    def _whole(self, answer: "Reply", request: Request) -> Response:
        try:
            body = answer.whole()
        except Broken as error:
            raise self._failure(error, request) from error
        success = 200 <= answer.status < 300
        return Response(answer.status, answer.headers, body if success else self._without_credentials(body))

    def _without_credentials(self, body: bytes) -> bytes:
        """Some proxies answer a failure with the headers that they got; its text is shown to people."""
        secret = self._shown.rpartition(" ")[2].encode()
        return body.replace(secret, b"***") if len(secret) >= _SECRET else body

    def _open(self, request: Request, *, connect: "TimeLimit", read: "TimeLimit") -> "Reply":
        own = {"Accept": "application/json, */*", "Accept-Encoding": "identity", "User-Agent": f"canary/{__version__}"}
        headers = [*{**own, **request.headers}.items(), *self._headers]
        # As client-go: nothing that is secret goes in clear over the network.
        if self.server.startswith("https:") and (authorization := self._authorize()):
            self._shown = authorization
            headers.append(("Authorization", authorization))
        with self._counting:
            self.requests += 1
        try:
            return self._connections.request(
                request.method, request.target, headers, request.body, connect=connect, read=read
            )
        except Broken as error:
            raise self._failure(error, request) from error

    def _failure(self, error: Broken, request: Request) -> Unreachable:
        return unreachable(error, self.server, changing=request.method not in READS)


class _Body:
    """The chunks of a long answer as they come."""

    def __init__(self, answer: "Reply", failure: Callable[[Broken], Unreachable]) -> None:
        self._answer = answer
        self._failure = failure
        self._reading = False
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        self._reading = True
        try:
            while not self._closed and (part := self._answer.read()) and not self._closed:
                yield part
        except Broken as error:
            if not self._closed:
                raise self._failure(error) from error
        finally:
            self._closed = True
            self._answer.close()

    def close(self) -> None:
        """Ends a blocked read in another thread, which then closes the connection."""
        self._closed = True
        with contextlib.suppress(OSError):  # closed already
            self._answer.hang_up()
        if not self._reading:
            self._answer.close()
