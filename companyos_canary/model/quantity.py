"""Times and durations as Kubernetes and Go write them."""

import re
from datetime import UTC, datetime, timedelta

_UNITS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip
_PART = re.compile(r"(\d*(?:\.\d*)?)([^.0-9]*)", re.ASCII)
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


def parse_time(text: str | None) -> datetime | None:
    """An RFC 3339 time as an aware datetime; None for nothing or something else."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, cut not rounded: the form of metav1.Time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
