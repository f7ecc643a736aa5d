"""The parameters of a request to Prometheus' HTTP API, and what is wrong with them."""

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import parse_qsl

from companyos_canary.model.http import Request
from companyos_canary.promql import Matcher, PromqlError, parse, parse_duration, selector

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?", re.IGNORECASE)
_LATEST = 1e12
_LONGEST = 2**63 / 1e9  # seconds in an int64 of nanoseconds


class Form:
    """The parameters of a request: those of the body, then those of the address."""

    def __init__(self, request: Request) -> None:
        pairs: list[tuple[str, str]] = []
        if request.header("Content-Type").partition(";")[0] == "application/x-www-form-urlencoded":
            pairs += parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True)
        self._pairs = (*pairs, *request.query)

    def first(self, name: str) -> str:
        return next((value for key, value in self._pairs if key == name), "")

    def query(self) -> str:
        text = self.first("query")
        try:
            parse(text)
        except PromqlError as error:
            raise invalid("query", error.message) from error
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
            raise invalid(name, problem)
        return moment

    def duration(self, name: str) -> float:
        text = self.first(name)
        problem = f'cannot parse "{text}" to a valid duration'
        try:
            seconds = float(text) if _NUMBER.fullmatch(text) else parse_duration(text)
        except ValueError as error:
            raise invalid(name, problem) from error
        if not abs(seconds) < _LONGEST:
            raise invalid(name, f"{problem}. It overflows int64")
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
                    raise invalid(name, error.message) from error
        return found


def invalid(name: str, problem: str) -> PromqlError:
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
