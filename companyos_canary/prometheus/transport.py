"""Ways to a Prometheus: straight over HTTP, through the API server, or whichever works."""

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary import __version__
from companyos_canary.errors import CanaryError, Forbidden, Unreachable
from companyos_canary.model.http import Request, Response, Transport, basic_authorization, without_password

if TYPE_CHECKING:
    from companyos_canary.network.connections import Connections

CONNECTING = 2.0  # seconds


class HttpTransport:
    """Requests relative to `url` over http.client. Name and password may stand in the address and are shown nowhere."""

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        self.address = without_password(url)
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._connections: Connections | None = None

    def send(self, request: Request) -> Response:
        from companyos_canary.network.failure import Broken, no_answer  # noqa: PLC0415 - few ask Prometheus

        limit = min(request.timeout, self._timeout)
        deadline = time.monotonic() + limit
        try:
            answer = self._opened().request(
                request.method,
                request.target,
                tuple({**self._headers(), **request.headers}.items()),
                request.body,
                connect=lambda: min(limit, CONNECTING),
                read=lambda: deadline - time.monotonic(),
            )
            return Response(answer.status, answer.headers, answer.whole())
        except Broken as error:
            raise Unreachable(
                f"Prometheus at `{self.address}` {no_answer(error.stage, error.error)}",
                hint="check `prometheus.cli_url` in canary.yaml, or set it to `auto`",
            ) from error

    def close(self) -> None:
        if self._connections:
            self._connections.close()

    def _opened(self) -> "Connections":
        """Raises Broken."""
        from companyos_canary.network.connections import connections_to  # noqa: PLC0415 - as above
        from companyos_canary.network.failure import Broken  # noqa: PLC0415

        if self._connections is None:
            environ = dict(os.environ)
            every = environ.get("ALL_PROXY") or environ.get("all_proxy") or ""
            environ = {"http_proxy": every, "https_proxy": every, **environ}
            try:
                self._connections = connections_to(self._url, environ=environ)
            except ValueError as error:
                raise Broken("proxy", error) from error
        return self._connections

    def _headers(self) -> dict[str, str]:
        found = {"Accept-Encoding": "identity", "User-Agent": f"canary/{__version__}"}
        with suppress(ValueError):  # of an address that is none, as the connection says
            url = urlsplit(self._url)
            if url.username or url.password:
                login = unquote(url.username or ""), unquote(url.password or "")
                found["Authorization"] = basic_authorization(*login)
        return found


class ProxyTransport:
    """Requests to a service of the cluster through the API server's proxy (the right `get` on
    `services/proxy` is needed)."""

    def __init__(self, cluster: Transport, service: "Service") -> None:
        self._cluster = cluster
        self._service = service
        self.address = f"service {service.namespace}/{service.name}:{service.port}"

    def send(self, request: Request) -> Response:
        s = self._service
        target = f"https:{s.name}:{s.port}" if s.secure else f"{s.name}:{s.port}"
        base = f"/api/v1/namespaces/{s.namespace}/services/{target}/proxy{s.prefix}"
        return self._cluster.send(replace(request, path=base + request.path))

    def close(self) -> None:
        """The cluster's transport is its owner's to close."""


class FirstThatAnswers:
    """`direct`, and for good `proxied` once `direct` could not be reached but `proxied` could."""

    def __init__(self, direct: HttpTransport, proxied: ProxyTransport) -> None:
        self._direct = direct
        self._proxied = proxied
        self._chosen: HttpTransport | ProxyTransport | None = None

    @property
    def address(self) -> str:
        return (self._chosen or self._direct).address

    def send(self, request: Request) -> Response:
        if self._chosen:
            return self._chosen.send(request)
        try:
            response = self._direct.send(request)
            self._chosen = self._direct
        except Unreachable as error:
            response = self._through_the_cluster(request, error)
            self._chosen = self._proxied
        return response

    def close(self) -> None:
        self._direct.close()

    def _through_the_cluster(self, request: Request, first: Unreachable) -> Response:
        try:
            response = self._proxied.send(request)
        except CanaryError as second:
            raise _both(first, second.message) from first
        if response.status == 403:
            raise Forbidden(
                f"{first.message}; through the API server: not permitted to `get` `services/proxy`",
                hint="ask for that right, or set `prometheus.cli_url` in canary.yaml",
            ) from first
        if response.status in (401, 404, 502, 503):
            raise _both(first, f"{self._proxied.address} answered {response.status}") from first
        return response


def _both(first: Unreachable, second: str) -> Unreachable:
    return Unreachable(f"{first.message}; through the API server: {second}", hint=first.hint)


class Service(Struct, frozen=True):
    """A service of the cluster that an address names; `prefix` is the path before `/api`."""

    namespace: str
    name: str
    port: int
    prefix: str = ""
    secure: bool = False


def service_of(url: str, namespace: str) -> Service | None:
    """`http://prometheus.monitoring:9090` (also `….svc`, `….svc.cluster.local`) as a service; one
    name alone is looked for in `namespace`. None for an address that cannot be one."""
    try:
        parts = urlsplit(url)
        secure, port = parts.scheme == "https", parts.port
    except ValueError:
        return None
    labels = (parts.hostname or "").split(".")
    if not labels[0] or labels[0].isdigit() or (len(labels) > 2 and labels[2] != "svc"):
        return None
    place = labels[1] if len(labels) > 1 else namespace
    prefix = parts.path.rstrip("/")
    return Service(place, labels[0], port or (443 if secure else 80), prefix, secure)
