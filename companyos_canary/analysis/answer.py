"""Reads an answer of Prometheus: its samples, or a fault in the words of the controller's client.

Upstream: prometheus/client_golang api/prometheus/v1. Recorded: rows of the truth table. The
messages of its JSON decoder change between versions, so only their beginnings are the same here.
"""

import json
from typing import Any

from msgspec import Struct

from companyos_canary.analysis.gotext import float_text, parse_float
from companyos_canary.model.http import Response

_API_ERRORS = (400, 422)
_TYPES = ("scalar", "vector", "matrix", "string", "<ValNone>")


class AnswerError(Exception):
    """The answer gives no measurement; the text becomes the message of the measurement."""


class Samples(Struct, frozen=True):
    """`result` is a float for a scalar, otherwise the values of all series, one after another."""

    result: float | tuple[float, ...]
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The form of `measurement.value`: `0.95`, `[0.95]`, `[1,NaN]`, `[]`."""
        if isinstance(self.result, float):
            return float_text(self.result)
        return f"[{','.join(float_text(v) for v in self.result)}]"


def read(response: Response) -> Samples:
    """Read an answer of /api/v1/query or query_range. Raises AnswerError if it has no samples."""
    code = response.status
    if code // 100 != 2 and code not in _API_ERRORS:
        raise AnswerError(_status_text(code))
    body = {} if code == 204 else _body(response.body)
    status = body.get("status")
    if code in _API_ERRORS and status == "success":
        raise AnswerError("bad_response: inconsistent body for response code")
    if status == "error":
        raise AnswerError(f"{body.get('errorType') or ''}: {body.get('error') or ''}")
    warnings = tuple(str(w) for w in body.get("warnings") or ())
    return Samples(_result(body.get("data")), warnings)


def _status_text(code: int) -> str:
    if 400 <= code < 500:
        return f"client_error: client error: {code}"
    if code >= 500:
        return f"server_error: server error: {code}"
    return f"bad_response: bad response code {code}"


def _body(body: bytes) -> dict[str, Any]:
    text = body.decode(errors="replace")
    start = text.lstrip()[:1]
    if start not in ("{", "n"):
        raise AnswerError(f"bad_response: readObjectStart: expect {{ or n, but found {start or chr(0)}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"bad_response: v1.apiResponse: {error}") from None
    return found if isinstance(found, dict) else {}


def _result(data: Any) -> float | tuple[float, ...]:
    if not isinstance(data, dict):
        raise AnswerError("Skip: do not know how to skip: 0")
    kind, result = data.get("resultType", "<ValNone>"), data.get("result")
    if kind not in _TYPES:
        raise AnswerError(f'unmarshalerDecoder: Result: Type: unknown value type "{kind}"')
    if kind not in ("scalar", "vector", "matrix"):
        raise AnswerError(f'unmarshalerDecoder: unexpected value type "{kind}"')
    try:
        if kind == "scalar":
            return _value(result)
        return tuple(_series(kind, result))
    except (TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
        name = f"model.{kind.capitalize()}"
        raise AnswerError(f"unmarshalerDecoder: {name}: unmarshalerDecoder: {error}") from None


def _series(kind: str, result: Any) -> list[float]:
    """All values in order. A native histogram counts as 0 in a vector, and is left out of a
    matrix (recorded: `native-histogram-sample`)."""
    if not isinstance(result, list):
        raise TypeError("decode slice: expect [ or n")
    if kind == "vector":
        return [_value(s["value"]) if s.get("value") is not None else 0.0 for s in result]
    return [_value(pair) for series in result for pair in series.get("values") or ()]


def _value(pair: Any) -> float:
    _, value = pair
    if not isinstance(value, str):
        raise TypeError("sample value must be a quoted string")
    return parse_float(value)
