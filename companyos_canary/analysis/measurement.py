"""One measurement: the request that a metric makes, and the verdict on the answer.

Upstream: metricproviders/prometheus/prometheus.go, utils/evaluate/evaluate.go.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from msgspec import Struct, field

from companyos_canary.analysis.answer import AnswerError, Samples, read
from companyos_canary.analysis.expr import language
from companyos_canary.analysis.expr.tree import ConditionError, OutOfRangeError
from companyos_canary.analysis.gotext import float_text
from companyos_canary.model.http import Request, Response, basic_authorization
from companyos_canary.model.quantity import parse_duration

_TIMEOUT = 30.0
_FORM = "application/x-www-form-urlencoded"
_BEYOND = "reflect: slice index out of range"


class MeasurementError(Exception):
    """The measurement cannot be taken. `asked`: the provider is fine, and its query is shown."""

    def __init__(self, message: str, *, asked: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.asked = asked


class Question(Struct, frozen=True):
    """What is sent to Prometheus: a POST with a form, to the scheme and host of `address`."""

    address: str
    request: Request


class Measured(Struct, frozen=True):
    """A measurement as it is written into the status; the judge adds the times. `provider_failed`:
    the provider could not be set up, so no query is shown."""

    phase: str
    value: str = ""
    message: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    provider_failed: bool = False


def question(metric: Mapping[str, Any], now: datetime) -> Question:
    """Return what a metric, with its arguments replaced, asks at `now`. Raises MeasurementError."""
    prometheus = _prometheus(metric)
    timeout = prometheus.get("timeout")
    address = prometheus.get("address") or ""
    headers = {"Content-Type": _FORM, **_credentials(prometheus)}
    given = prometheus.get("headers") or ()
    headers |= {h["key"]: h.get("value") or "" for h in given if h.get("key")}
    parts = _address(address)
    if timeout is not None and timeout < 0:
        raise MeasurementError("prometheus timeout should not be negative")
    query, form = prometheus.get("query") or "", {"time": float_text(now.timestamp())}
    path = "/api/v1/query"
    if prometheus.get("rangeQuery") is not None:
        path, form = "/api/v1/query_range", _range(prometheus["rangeQuery"], now)
    request = Request(
        "POST",
        parts.path.rstrip("/") + path,
        (),
        headers,
        f"query={_quoted(query)}&{urlencode(form)}".encode(),
        _TIMEOUT if timeout is None else float(timeout),
    )
    return Question(f"{parts.scheme}://{parts.netloc}", request)


@lru_cache(maxsize=256)
def _quoted(query: str) -> str:
    """A query is long, and is asked again and again."""
    return quote_plus(query)


def _prometheus(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    provider = metric.get("provider") or {}
    if provider.get("prometheus") is not None:
        return dict(provider["prometheus"])
    if name := next(iter(provider.get("plugin") or {}), ""):
        raise MeasurementError(
            "failed to create plugin: unable to get metric plugin: unable to start plugin system: "
            f"unable to find plugin ({name}): plugin {name} not configured in configmap"
        )
    name = next((k for k, v in provider.items() if v is not None), "none")
    raise MeasurementError(f"the provider `{name}` is not emulated here, only prometheus is")


def _address(address: str) -> Any:
    if not address:
        raise MeasurementError("prometheus address is not configured")
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise MeasurementError("prometheus address is not is url format") from None
    if not parts.scheme or not parts.netloc:
        raise MeasurementError("prometheus address is not is url format")
    return parts


def _credentials(prometheus: Mapping[str, Any]) -> dict[str, str]:
    authentication = prometheus.get("authentication") or {}
    basic = authentication.get("basicAuth") or {}
    username, password = basic.get("username") or "", basic.get("password") or ""
    if (authentication.get("oauth2") or {}).get("tokenUrl"):
        raise MeasurementError("oauth2 is not emulated here")
    if not username and not password:
        return {}
    if not username or not password:
        missing = "password" if username else "username"
        raise MeasurementError(f"missing mandatory parameter in metric for basic auth setup: {missing}")
    return {"Authorization": basic_authorization(username, password)}


def _range(range_query: Mapping[str, Any], now: datetime) -> dict[str, str]:
    form: dict[str, str] = {}
    for name in ("start", "end"):
        try:
            moment = language.evaluate_time(range_query.get(name) or "", now)
        except ConditionError as error:
            text = f"failed to parse rangeQuery.{name} as time: {error}"
            raise MeasurementError(text, asked=True) from None
        form[name] = float_text(moment.timestamp())
    try:
        step = parse_duration(range_query.get("step") or "")
    except ValueError as error:
        text = f"failed to parse rangeQuery.step as duration: {error}"
        raise MeasurementError(text, asked=True) from None
    return {**form, "step": float_text(step.total_seconds())}


def judged(metric: Mapping[str, Any], response: Response, now: datetime, *, named: bool = True) -> Measured:
    """Judge an answer by the conditions of a metric, with its arguments replaced. `named`: an error
    in a condition says in which one, as it does since v1.9."""
    try:
        return assessed(metric, read(response), now, named=named)
    except AnswerError as error:
        return Measured("Error", message=str(error))


def assessed(metric: Mapping[str, Any], samples: Samples, now: datetime, *, named: bool = True) -> Measured:
    """As `judged`, for samples that were read."""
    try:
        phase = _phase(metric, samples, now, named)
    except MeasurementError as error:
        return Measured("Error", message=str(error))
    warnings = ", ".join(f'"{w}"' for w in samples.warnings)
    return Measured(phase, samples.text, metadata={"warnings": warnings} if warnings else {})


def _phase(metric: Mapping[str, Any], samples: Samples, now: datetime, named: bool) -> str:
    """Successful, Failed or Inconclusive. An error in either condition comes before a failure."""
    success = _holds("successCondition", metric, samples, now, named)
    failure = _holds("failureCondition", metric, samples, now, named)
    if failure or (failure is None and success is False):
        return "Failed"
    return "Inconclusive" if success is False else "Successful"


def _holds(field_name: str, metric: Mapping[str, Any], samples: Samples, now: datetime, named: bool) -> bool | None:
    """Whether a condition holds; None if the metric does not have it."""
    text = metric.get(field_name) or ""
    if not text:
        return None
    try:
        return language.compile(text).evaluate(samples.result, now)
    except ConditionError as error:
        if not named:
            raise MeasurementError(_BEYOND if isinstance(error, OutOfRangeError) else str(error)) from None
        reason = str(error)
    if samples.result == ():
        reason = "metric result is nil or empty: no data returned from the metric provider"
    raise MeasurementError(f'could not evaluate {field_name} "{text}": {reason}')
