"""Prometheus' HTTP API over the sandbox's samples: its parameters, JSON and errors as version 2.42
has them."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from companyos_canary.model.http import Request, Response
from companyos_canary.model.quantity import format_duration
from companyos_canary.promql import (
    Matcher,
    Matrix,
    PromqlError,
    Scalar,
    Text,
    Value,
    evaluate,
    evaluate_range,
    parse,
    parse_duration,
    selector,
)
from companyos_canary.sandbox.tsdb import Target, Tsdb

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?", re.IGNORECASE)
_LATEST = 1e12
_LONGEST = 2**63 / 1e9  # seconds in an int64 of nanoseconds

MAX_POINTS = 11_000
_STATUS = {"bad_data": 400, "execution": 422}
_LABEL_VALUES = re.compile(r"/api/v1/label/([^/]*)/values")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_READ = ("GET", "OPTIONS")
_FORM = ("GET", "OPTIONS", "POST")
_PAGE = ("GET", "HEAD", "OPTIONS")
_EVER = (float("-inf"), float("inf"))


class _Parameters:
    """The parameters of a request: those of the body, then those of the address."""

    def __init__(self, request: Request) -> None:
        pairs: list[tuple[str, str]] = []
        if request.header("Content-Type").partition(";")[0] == "application/x-www-form-urlencoded":
            parts = filter(None, request.body.decode(errors="replace").split("&"))
            pairs += [(_unquoted(name), _unquoted(value)) for name, _, value in (p.partition("=") for p in parts)]
        self._pairs = (*pairs, *request.query)

    def first(self, name: str) -> str:
        return next((value for key, value in self._pairs if key == name), "")

    def query(self) -> str:
        text = self.first("query")
        try:
            parse(text)
        except PromqlError as error:
            raise _invalid("query", error.message) from error
        return text

    def time(self, name: str, default: datetime | float | None = None) -> float:
        text = self.first(name)
        if not text and default is not None:
            return default.timestamp() if isinstance(default, datetime) else default
        moment = _seconds(text)
        if moment is None:
            problem = f'cannot parse "{text}" to a valid timestamp'
            if default is not None:
                problem = f"Invalid time value for '{name}': {problem}"
            raise _invalid(name, problem)
        return moment

    def duration(self, name: str) -> float:
        text = self.first(name)
        problem = f'cannot parse "{text}" to a valid duration'
        try:
            seconds = float(text) if _NUMBER.fullmatch(text) else parse_duration(text)
        except ValueError as error:
            raise _invalid(name, problem) from error
        if not abs(seconds) < _LONGEST:
            raise _invalid(name, f"{problem}. It overflows int64")
        return seconds

    def timeout(self) -> None:
        """Only checked: an evaluation here takes no time to speak of."""
        if self.first("timeout"):
            self.duration("timeout")

    def matches(self) -> list[Sequence[Matcher]]:
        found: list[Sequence[Matcher]] = []
        for name, text in self._pairs:
            if name == "match[]":
                try:
                    found.append(selector(text))
                except PromqlError as error:
                    raise _invalid(name, error.message) from error
        return found


@lru_cache(maxsize=256)
def _unquoted(text: str) -> str:
    """A part of a form. The queries of an analysis come again and again, and are long."""
    return unquote_plus(text)


def _invalid(name: str, problem: str) -> PromqlError:
    return PromqlError("bad_data", f'invalid parameter "{name}": {problem}')


def _seconds(text: str) -> float | None:
    """Unix seconds or RFC 3339, to the millisecond."""
    if _NUMBER.fullmatch(text):
        moment = round(float(text), 3)
        return moment if abs(moment) < _LATEST else None
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round(date.timestamp(), 3) if date.tzinfo else None


class PrometheusApi:
    """`now` is the time of a query that names none; `targets` is what is scraped."""

    def __init__(
        self, tsdb: Tsdb, now: Callable[[], datetime], targets: Callable[[], Iterable[Target]] = tuple
    ) -> None:
        self._tsdb = tsdb
        self._now = now
        self._targets = targets
        self._known: tuple[float, int, dict[str, Value]] = (0.0, -1, {})
        self._routes: dict[str, tuple[tuple[str, ...], Callable[[_Parameters], Any]]] = {
            "/api/v1/query": (_FORM, self._query),
            "/api/v1/query_range": (_FORM, self._query_range),
            "/api/v1/labels": (_FORM, self._label_names),
            "/api/v1/series": (_FORM, self._series),
            "/api/v1/targets": (_READ, self._target_list),
            "/api/v1/status/buildinfo": (_READ, _buildinfo),
        }

    def handle(self, request: Request) -> Response:
        """Answers any request; never raises."""
        if request.path in ("/-/ready", "/-/healthy"):
            return _page(request)
        methods, answer = self._route(request.path)
        if answer is None:
            return _text(404, "404 page not found\n")
        if request.method not in methods:
            return _not_allowed(methods)
        if request.method == "OPTIONS":
            return Response(204)
        try:
            with self._tsdb.transaction():
                return _json(200, {"status": "success", "data": answer(_Parameters(request))})
        except PromqlError as error:
            return _json(_STATUS[error.kind], {"status": "error", "errorType": error.kind, "error": error.message})

    def _route(self, path: str) -> tuple[tuple[str, ...], Callable[[_Parameters], Any] | None]:
        found = _LABEL_VALUES.fullmatch(path)
        if found:
            return _READ, lambda form: self._label_values(form, found[1])
        return self._routes.get(path, ((), None))

    def _query(self, form: _Parameters) -> Any:
        at = form.time("time", self._now())
        form.timeout()
        text = form.query()
        return _result(evaluate(text, at, self._tsdb.select, self._known_at(at)), at)

    def _known_at(self, at: float) -> dict[str, Value]:
        """What earlier queries about the moment have computed: the metrics of an analysis have much in common."""
        if self._known[:2] != (at, self._tsdb.version):
            self._known = (at, self._tsdb.version, {})
        return self._known[2]

    def _query_range(self, form: _Parameters) -> Any:
        start, end = form.time("start"), form.time("end")
        if end < start:
            raise _invalid("end", "end timestamp must not be before start time")
        step = form.duration("step")
        if step <= 0:
            raise _invalid(
                "step", "zero or negative query resolution step widths are not accepted. Try a positive integer"
            )
        if (end - start) / step > MAX_POINTS:
            raise PromqlError(
                "bad_data",
                "exceeded maximum resolution of 11,000 points per timeseries. "
                "Try decreasing the query resolution (?step=XX)",
            )
        form.timeout()
        return _result(evaluate_range(form.query(), start, end, step, self._tsdb.select), end)

    def _label_names(self, form: _Parameters) -> list[str]:
        return sorted({name for labels in self._selected(form) for name in labels})

    def _label_values(self, form: _Parameters, name: str) -> list[str]:
        if not _LABEL_NAME.fullmatch(name):
            raise PromqlError("bad_data", f'invalid label name: "{name}"')
        return sorted({labels[name] for labels in self._selected(form) if name in labels})

    def _series(self, form: _Parameters) -> list[Mapping[str, str]]:
        if not form.matches():
            raise PromqlError("bad_data", "no match[] parameter provided")
        return self._selected(form)

    def _selected(self, form: _Parameters) -> list[Mapping[str, str]]:
        start, end = form.time("start", _EVER[0]), form.time("end", _EVER[1])
        found = {
            tuple(sorted(labels.items())): labels
            for matchers in form.matches() or [()]
            for labels in self._tsdb.series(matchers, start, end)
        }
        return [found[identity] for identity in sorted(found)]

    def _target_list(self, form: _Parameters) -> Any:
        active = [] if form.first("state") == "dropped" else [_target_entry(t) for t in self._targets()]
        return {"activeTargets": active, "droppedTargets": []}


def _buildinfo(_: _Parameters) -> dict[str, str]:
    return {
        "version": "2.42.0",
        "revision": "sandbox",
        "branch": "sandbox",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }


def _page(request: Request) -> Response:
    if request.method not in _PAGE:
        return _not_allowed(_PAGE)
    word = "Ready" if request.path == "/-/ready" else "Healthy"
    return _text(200, f"Prometheus Server is {word}.\n")


def _not_allowed(methods: tuple[str, ...]) -> Response:
    return _text(405, "Method Not Allowed\n", {"Allow": ", ".join(methods)})


def _json(status: int, body: Any) -> Response:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Response(status, {"Content-Type": "application/json"}, text.encode())


def _text(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    shared = {"Content-Type": "text/plain; charset=utf-8"}
    return Response(status, {**shared, **(headers or {})}, text.encode())


def _result(value: Value, at: float) -> dict[str, Any]:
    moment = _stamp(at)
    if isinstance(value, Scalar):
        return {"resultType": "scalar", "result": [moment, go_float(value.value, plain=True)]}
    if isinstance(value, Text):
        return {"resultType": "string", "result": [moment, value.value]}
    if isinstance(value, Matrix):
        series = [
            {"metric": dict(sorted(s.labels.items())), "values": [[_stamp(t), go_float(v)] for t, v in s.samples]}
            for s in sorted(value.series, key=lambda s: sorted(s.labels.items()))
        ]
        return {"resultType": "matrix", "result": series}
    samples = [{"metric": dict(sorted(s.labels.items())), "value": [moment, go_float(s.value)]} for s in value.samples]
    return {"resultType": "vector", "result": samples}


def _stamp(at: float) -> float | int:
    at = round(at, 3)
    return int(at) if at.is_integer() else at


def _target_entry(target: Target) -> dict[str, Any]:
    every = format_duration(timedelta(seconds=target.interval))
    return {
        "discoveredLabels": {"job": target.pool},
        "labels": dict(sorted(target.labels.items())),
        "scrapePool": target.pool,
        "scrapeUrl": target.url,
        "globalUrl": target.url,
        "lastError": "",
        "lastScrape": target.last_scrape.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "lastScrapeDuration": 0.001,
        "health": target.health,
        "scrapeInterval": every,
        "scrapeTimeout": every,
    }


def go_float(value: float, *, plain: bool = False) -> str:
    """The shortest text that reads back as the same number, as Go writes it; with an exponent
    below 1e-6 and from 1e21 on, unless `plain`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    exact = Decimal(repr(value)).normalize()
    if plain or value == 0 or 1e-6 <= abs(value) < 1e21:
        return f"{exact:f}"
    sign, digits, exponent = exact.as_tuple()
    mantissa = "".join(map(str, digits))
    power = int(exponent) + len(digits) - 1
    fraction = f".{mantissa[1:]}" if len(digits) > 1 else ""
    return f"{'-' if sign else ''}{mantissa[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02}"
