"""Times, durations and whole numbers as Kubernetes and Go write them."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d*(?:\.\d*)?)([^.0-9]*)", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1000, 9000
_LONGEST = 2**63 / 1e9  # seconds: 64 bits of nanoseconds, 292 years


def parse_duration(text: str) -> timedelta:
    """A Go duration (`2m`, `1h30m`, `300ms`), read as time.ParseDuration reads it. ValueError with
    Go's sentence (`time: invalid duration "soon"`) for anything else, also for over 292 years."""
    invalid = ValueError(f'time: invalid duration "{text}"')
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return timedelta()
    if not rest:
        raise invalid
    seconds, at = 0.0, 0
    while at < len(rest):
        part = _PART.match(rest, at)
        digits, unit = part.groups() if part else ("", "")
        if not digits.strip("."):
            raise invalid
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in _UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        seconds += float(digits) * _UNITS[unit]
        if seconds > _LONGEST:
            raise invalid
        at += len(digits) + len(unit)
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


def whole(text: Any) -> int:
    """A number that may be written as text; 0 for anything else, also for more than 64 bits."""
    try:
        found = int(text)
    except (OverflowError, TypeError, ValueError):
        return 0
    return found if abs(found) < 2**63 else 0


def whole_seconds(value: object, otherwise: int = 0) -> timedelta:
    """A field of seconds, which may have 64 bits; `otherwise` where it is not a whole number. What is
    longer than a Go duration counts as the longest one."""
    seconds = value if isinstance(value, int) else otherwise
    return timedelta(seconds=max(-_LONGEST, min(seconds, _LONGEST)))


def repeated(duration: timedelta, times: int) -> timedelta:
    """The duration so many times, as far as a Go duration goes."""
    return timedelta(seconds=min(duration.total_seconds() * min(times, 2**63), _LONGEST))


def format_duration(duration: timedelta) -> str:
    """The shortest Go duration for a timedelta: `90s` is `1m30s`, half a second `500ms`."""
    micros = round(duration / timedelta(microseconds=1))
    if micros % 1_000_000:
        if abs(micros) < 1_000_000:
            return f"{micros / 1000:g}ms"
        return f"{micros / 1e6:.6f}".rstrip("0") + "s"
    seconds = micros // 1_000_000
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{n}{u}" for n, u in ((hours, "h"), (minutes, "m"), (rest, "s")) if n]
    return sign + ("".join(parts) or "0s")


def parse_time(text: object) -> datetime | None:
    """An RFC 3339 time as an aware datetime; None for nothing or something else, also for a year
    so early or late that no duration can be added to it."""
    return _time(text) if isinstance(text, str) else None


@lru_cache(maxsize=4096)
def _time(text: str) -> datetime | None:
    """As `parse_time`: the same few times are read again with each look at an object."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo and _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, cut not rounded: the form of metav1.Time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_FACTORS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_FACTORS |= {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", 1)}


def amount(text: object) -> float | None:
    """An amount of a resource as Kubernetes writes it: 0.25 for `250m`, bytes for `1Gi`; None for anything else."""
    number = str(text).strip()
    unit = number.lstrip("+-0123456789.") if not number.lower().rstrip("0123456789").endswith(("e", "e+", "e-")) else ""
    try:
        return float(number.removesuffix(unit)) * _FACTORS[unit]
    except (KeyError, ValueError):
        return None


def percent_of(weight: int, most: int) -> float:
    """A weight in percent, where `most` is all traffic: a whole number where it is one."""
    whole, rest = divmod(weight * 100, most)
    return round(weight * 100 / most, 3) if rest else whole


def plural(count: int, one: str, many: str = "") -> str:
    """`1 pod`, `3 pods`; `many` where that is not `one` with an s."""
    return f"1 {one}" if count == 1 else f"{count} {many or one + 's'}"
