"""Questions to a Prometheus, and its answers as values."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct

from companyos_canary import errors
from companyos_canary.model.http import Json, Request, Response, Transport
from companyos_canary.prometheus.transport import FirstThatAnswers, HttpTransport, ProxyTransport, service_of

_LONGEST_BODY = 200


class Addressed(Protocol):
    """A way to a Prometheus that can say whom it asks. `send` is that of a Transport."""

    @property
    def address(self) -> str: ...

    def send(self, request: Request) -> Response: ...

    def close(self) -> None: ...


class Sample(Struct, frozen=True):
    """One value; `value` may be NaN or infinite."""

    labels: Mapping[str, str]
    at: datetime
    value: float


class Series(Struct, frozen=True):
    labels: Mapping[str, str]
    points: tuple[tuple[datetime, float], ...]


class Reading(Struct, frozen=True):
    """What `ask` got: samples, or the `problem` in one sentence."""

    samples: tuple[Sample, ...] = ()
    problem: str = ""

    @property
    def value(self) -> float | None:
        """The one number; None without data, for NaN, and where there are several."""
        if len(self.samples) != 1 or math.isnan(self.samples[0].value):
            return None
        return self.samples[0].value


class Prometheus:
    """`transport` is over HTTP to `url` unless given. Methods raise Unreachable, Invalid (the query
    is wrong), Unauthenticated, Forbidden, NotFound or ServerError; only `ask` never raises."""

    def __init__(self, url: str, transport: Addressed | None = None, *, timeout: float = 5.0) -> None:
        self._transport = transport or HttpTransport(url, timeout=timeout)
        self._timeout = timeout

    @property
    def address(self) -> str:
        """Whom it asks, as it may be shown."""
        return self._transport.address

    def query(self, text: str, at: datetime | None = None) -> tuple[Sample, ...]:
        """The value of a PromQL expression at a moment (now, if not given)."""
        moment = (("time", f"{at.timestamp():.3f}"),) if at else ()
        data = self.get("/api/v1/query", ("query", text), *moment)
        try:
            return _samples(data)
        except _Malformed as error:
            raise self._other(error) from error

    def query_range(self, text: str, start: datetime, end: datetime, step: timedelta) -> tuple[Series, ...]:
        """The values of a PromQL expression over time, one every `step`."""
        data = self.get(
            "/api/v1/query_range",
            ("query", text),
            ("start", f"{start.timestamp():.3f}"),
            ("end", f"{end.timestamp():.3f}"),
            ("step", f"{step.total_seconds():g}"),
        )
        try:
            return tuple(map(_series, data.get("result") or []))
        except _Malformed as error:
            raise self._other(error) from error

    def ask(self, text: str, at: datetime | None = None) -> Reading:
        """As `query`, for those who can do without: a failure is a `problem`."""
        try:
            return Reading(self.query(text, at))
        except errors.CanaryError as error:
            return Reading(problem=error.message)

    def targets(self) -> tuple[Json, ...]:
        """The active scrape targets as Prometheus describes them (`labels`, `health`, ...)."""
        found = self.get("/api/v1/targets", ("state", "active")).get("activeTargets") or []
        return tuple(found)

    def get(self, path: str, *query: tuple[str, str]) -> Json:
        """The `data` of any API path."""
        response = self._transport.send(Request("GET", path, query, timeout=self._timeout))
        body = response.json_or_empty()
        if response.status == 200 and body.get("status") == "success":
            data = body.get("data")
            return data if isinstance(data, dict) else {"result": data}
        raise self._error(response, body)

    def close(self) -> None:
        self._transport.close()

    def _other(self, error: Exception) -> errors.CanaryError:
        if isinstance(error, _NoMoment):
            return errors.Invalid("the query has no value at one moment: it asks for a range")
        return errors.ServerError(f"`{self.address}` does not answer as a Prometheus does")

    def _error(self, response: Response, body: Json) -> errors.CanaryError:
        who = f"Prometheus at `{self.address}`"
        why = str(body.get("error") or body.get("message") or "").rstrip(".")
        if not why:
            why = " ".join(response.body[:_LONGEST_BODY].decode("utf-8", "replace").split())
        told = f": {why}" if why else ""
        match response.status:
            case 400 | 422:
                return errors.Invalid(f"{who} does not accept the query{told}")
            case 401:
                return errors.Unauthenticated(f"{who} does not accept the credentials{told}")
            case 403:
                return errors.Forbidden(f"not permitted to ask {who}{told}")
            case 404:
                return errors.NotFound(f"{who} has no API there{told}")
            case 200:
                return errors.ServerError(f"`{self.address}` is not a Prometheus{told}")
            case code:
                return errors.ServerError(f"{who} answered {code}{told}", status=code)


def automatic(url: str, cluster: Transport, namespace: str, *, timeout: float = 5.0) -> Prometheus:
    """The Prometheus at `url`: directly, or through the API server where that cannot be reached
    and the address names a service of the cluster (`prometheus.cli_url: auto`)."""
    direct = HttpTransport(url, timeout=timeout)
    service = service_of(url, namespace)
    if service is None:
        return Prometheus(url, direct, timeout=timeout)
    ways = FirstThatAnswers(direct, ProxyTransport(cluster, service))
    return Prometheus(url, ways, timeout=timeout)


class _NoMoment(ValueError):
    """The answer is a range, or a text."""


_Malformed = (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError)


def _samples(data: Json) -> tuple[Sample, ...]:
    result = data.get("result") or []
    if data.get("resultType") == "scalar":
        return (_sample({}, result),)
    if data.get("resultType") == "vector":
        return tuple(_sample(r["metric"], r["value"]) for r in result if "value" in r)
    raise _NoMoment


def _sample(labels: Mapping[str, str], value: Iterable[Any]) -> Sample:
    at, number = value
    return Sample(dict(labels), _time(at), float(number))


def _series(raw: Json) -> Series:
    points = tuple((_time(at), float(value)) for at, value in raw.get("values") or [])
    return Series(dict(raw["metric"]), points)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
