"""Output for machines: one envelope, or one object a line. The keys are a contract.

Within `canary/v1` keys are only added. Times are RFC 3339 in UTC, spans are seconds, shares are as
measured (0.05 is 5 %), weights are percent; NaN and infinities are strings.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from msgspec import Struct

from companyos_canary.errors import CanaryError, ExitCode
from companyos_canary.model.quantity import format_time
from companyos_canary.model.row import Says, entries

SCHEMA = "canary/v1"
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


Code = Annotated[int, Says(words=tuple(int(code) for code in ExitCode))]


class Problem(Struct, frozen=True):
    """`code` is stable, the sentences are not."""

    code: str
    message: str
    hint: str


class Failure(Struct, frozen=True):
    """The last line where it ended without a verdict."""

    exit_code: Code
    errors: Annotated[tuple[Problem, ...], Says(least=1)]


def envelope(command: str, exit_code: int, data: object = None, errors: Iterable[Problem] = ()) -> str:
    """The one JSON object of a verb, also when it failed."""
    body = {
        "schema": SCHEMA,
        "command": command,
        "exit_code": int(exit_code),
        "data": {} if data is None else data,
        "errors": [*errors],
    }
    return _written(json.dumps(jsonable(body), indent=2, ensure_ascii=False, allow_nan=False))


def error_entry(error: CanaryError) -> Problem:
    """`code` is the error's kind: `not-found`, `crd-missing`, `refused`, `unreachable`, ..."""
    kind = type(error).__name__.removesuffix("Error") or "Canary"
    code = "failed" if kind == "Canary" else _WORD.sub("-", kind).lower()
    return Problem(code, error.message, error.hint)


def event_line(event: str, data: object, *, at: datetime, seq: int) -> str:
    """One line of a verb that writes an object a line; `event` is its type."""
    body = {"schema": SCHEMA, "seq": seq, "at": format_time(at), "event": event, "data": data}
    return _written(json.dumps(jsonable(body), ensure_ascii=False, allow_nan=False))


def _written(text: str) -> str:
    """The same JSON without what GitHub's runner takes for a command (of the older form) anywhere in a line."""
    return text.replace("##[", "##\\u005b")


def jsonable(value: Any) -> Any:
    """Rows as objects, times as text, spans as seconds, NaN and infinities as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, timedelta):
        return round(value.total_seconds(), 3)
    if isinstance(value, Struct):
        value = entries(value)
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    return value
