"""Times and durations as Kubernetes and Go write them."""

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
# What 64 bits of nanoseconds hold: Go refuses what is longer (time.ParseDuration).
_LONGEST = timedelta(seconds=9223372036)
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)")


def parse_duration(text: str) -> timedelta:
    """A Go duration (`2m`, `1h30m`, `300ms`) as timedelta; ValueError for anything else."""
    rest = text.strip()
    sign = -1 if rest.startswith("-") else 1
    rest = rest.removeprefix("-")
    if rest == "0":
        return timedelta()
    seconds, at = 0.0, 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if not part:
            raise ValueError(f"`{text}` is not a duration")
        seconds += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    if not rest:
        raise ValueError("an empty text is not a duration")
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"`{text}` is longer than a duration can be (292 years)")
    return timedelta(seconds=sign * seconds)


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
