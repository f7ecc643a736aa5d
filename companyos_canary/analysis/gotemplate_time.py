"""Times and durations of Go in templates: their methods, layouts, and sprig's functions of dates.

Without a zone a time is in UTC, as in the controller's pod.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from companyos_canary.analysis.gotemplate_printf import Int
from companyos_canary.model.quantity import parse_time

_NANO, _MICRO = 10**9, 1000
_LAYOUT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|002|01|02|03|04|05|06|15|PM|pm|_2006|_2|Z07:00|Z0700|-07:00|-0700"
    r"|-07|[.,]0+(?!\d)|[.,]9+(?!\d)|1|2|3|4|5"
)
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1, "us": 1000, "µs": 1000, "ms": 10**6, "s": _NANO, "m": 60 * _NANO, "h": 3600 * _NANO}
_READ: Mapping[str, tuple[str, str]] = {
    "2006": ("%Y", r"\d{4}"),
    "06": ("%y", r"\d\d"),
    "01": ("%m", r"\d\d"),
    "1": ("%m", r"\d\d?"),
    "Jan": ("%b", "[A-Za-z]{3}"),
    "January": ("%B", "[A-Za-z]+"),
    "02": ("%d", r"\d\d"),
    "2": ("%d", r"\d\d?"),
    "_2": ("%d", r" ?\d\d?"),
    "15": ("%H", r"\d\d"),
    "03": ("%I", r"\d\d"),
    "3": ("%I", r"\d\d?"),
    "04": ("%M", r"\d\d"),
    "4": ("%M", r"\d\d?"),
    "05": ("%S", r"\d\d"),
    "5": ("%S", r"\d\d?"),
    "PM": ("%p", "[AP]M"),
    "Mon": ("%a", "[A-Za-z]{3}"),
    "Monday": ("%A", "[A-Za-z]+"),
    "Z07:00": ("%z", r"Z|[-+]\d\d:\d\d"),
    "-0700": ("%z", r"[-+]\d{4}"),
    "-07:00": ("%z", r"[-+]\d\d:\d\d"),
}


class Span:
    """A time.Duration, in nanoseconds."""

    def __init__(self, nanoseconds: int) -> None:
        self.nanoseconds = nanoseconds
        self.methods: dict[str, Callable[..., Any]] = {
            "Hours": lambda: nanoseconds / (3600 * _NANO),
            "Minutes": lambda: nanoseconds / (60 * _NANO),
            "Seconds": lambda: nanoseconds / _NANO,
            "Milliseconds": lambda: int(nanoseconds / 10**6),
            "Microseconds": lambda: int(nanoseconds / 1000),
            "Nanoseconds": lambda: nanoseconds,
            "Abs": lambda: Span(abs(nanoseconds)),
            "Round": lambda to: Span(_rounded(nanoseconds, _length_of(to))),
            "Truncate": lambda to: Span(int(nanoseconds / _length_of(to)) * _length_of(to)),
            "String": lambda: str(self),
        }

    def __str__(self) -> str:
        left = abs(self.nanoseconds)
        if not left:
            return "0s"
        sign = "-" if self.nanoseconds < 0 else ""
        if left < _NANO:
            unit, size = ("ns", 1) if left < 1000 else ("µs", 1000) if left < 10**6 else ("ms", 10**6)
            return f"{sign}{_decimal(left, size)}{unit}"
        minutes, rest = divmod(left, 60 * _NANO)
        hours, minutes = divmod(minutes, 60)
        seconds = f"{_decimal(rest, _NANO)}s"
        return f"{sign}{f'{hours}h' if hours else ''}{f'{minutes}m' if hours or minutes else ''}{seconds}"


def span_of(text: str) -> Span | None:
    """`1h30m`; None for what is no duration."""
    body = text.removeprefix("-").removeprefix("+")
    if body == "0":
        return Span(0)
    if not re.fullmatch(rf"(?:{_DURATION.pattern})+", body):
        return None
    total = sum(round(float(number) * _UNITS[unit]) for number, unit in _DURATION.findall(body))
    return Span(-total if text.startswith("-") else total)


class Moment:
    """A time.Time, with the methods that templates call."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        day = at.timetuple().tm_yday
        self.methods: dict[str, Callable[..., Any]] = {
            "Unix": lambda: int(at.timestamp()),
            "UnixMilli": lambda: int(at.timestamp() * 1000),
            "Year": lambda: at.year,
            "Month": lambda: f"{at:%B}",
            "Day": lambda: at.day,
            "Hour": lambda: at.hour,
            "Minute": lambda: at.minute,
            "Second": lambda: at.second,
            "Nanosecond": lambda: at.microsecond * _MICRO,
            "Weekday": lambda: f"{at:%A}",
            "YearDay": lambda: day,
            "IsZero": lambda: at.year == 1 and day == 1,
            "UTC": lambda: Moment(at.astimezone(UTC)),
            "Local": lambda: Moment(at.astimezone(UTC)),
            "Format": lambda layout: in_layout(at, layout),
            "Sub": lambda other: Span(_nanoseconds(at - other.at)),
            "Add": lambda span: Moment(at + timedelta(microseconds=_length_of(span) / _MICRO)),
            "Before": lambda other: at < other.at,
            "After": lambda other: at > other.at,
            "Equal": lambda other: at == other.at,
            "Truncate": lambda span: Moment(_truncated(at, _length_of(span))),
            "String": lambda: str(self),
        }

    def __str__(self) -> str:
        return in_layout(self.at, "2006-01-02 15:04:05.999999999 -0700 MST")


def in_layout(at: datetime, layout: str) -> str:
    """`2006-01-02` and the like; what is not a part of a layout stays as it is."""
    offset = f"{at:%z}" or "+0000"
    colon, utc = f"{offset[:3]}:{offset[3:5]}", offset.startswith("+0000")
    parts = {
        "January": f"{at:%B}",
        "Jan": f"{at:%b}",
        "Monday": f"{at:%A}",
        "Mon": f"{at:%a}",
        "MST": offset[:5] if (at.tzname() or "").startswith("UTC") and not utc else at.tzname() or "UTC",
        "2006": f"{at.year:04d}",
        "_2006": f"_{at.year:04d}",
        "06": f"{at.year % 100:02d}",
        "01": f"{at.month:02d}",
        "1": str(at.month),
        "02": f"{at.day:02d}",
        "_2": f"{at.day:2d}",
        "2": str(at.day),
        "002": f"{at:%j}",
        "15": f"{at.hour:02d}",
        "03": f"{at.hour % 12 or 12:02d}",
        "3": str(at.hour % 12 or 12),
        "04": f"{at.minute:02d}",
        "4": str(at.minute),
        "05": f"{at.second:02d}",
        "5": str(at.second),
        "PM": "PM" if at.hour >= 12 else "AM",
        "pm": "pm" if at.hour >= 12 else "am",
        "Z07:00": "Z" if utc else colon,
        "Z0700": "Z" if utc else offset[:5],
        "-07:00": colon,
        "-0700": offset[:5],
        "-07": offset[:3],
    }

    def put(found: re.Match[str]) -> str:
        part = found[0]
        if part in parts:
            return parts[part]
        digits = f"{at.microsecond:06d}000"[: len(part) - 1]
        if part[1] == "9":
            digits = digits.rstrip("0")
            return part[0] + digits if digits else ""
        return part[0] + digits

    return _LAYOUT.sub(put, layout)


def out_of_layout(layout: str, text: str) -> datetime | None:
    """The time that a text in a layout is; None where it is none."""
    form, pattern, at = "", "", 0
    for found in _LAYOUT.finditer(layout):
        if found[0] not in _READ:
            return None
        plain = layout[at : found.start()]
        form += plain.replace("%", "%%") + _READ[found[0]][0]
        pattern += re.escape(plain) + f"(?:{_READ[found[0]][1]})"
        at = found.end()
    plain = layout[at:]
    if not re.fullmatch(pattern + re.escape(plain), text):
        return None
    try:
        read = datetime.strptime(text, form + plain.replace("%", "%%"))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC, year=read.year if "%Y" in form or "%y" in form else 1)


def functions_of_time(now: datetime) -> dict[str, Callable[..., Any]]:
    """sprig's; `now` is the moment of rendering."""

    def moment(value: Any) -> datetime:
        if isinstance(value, Moment):
            return value.at
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int) else now.astimezone(UTC)

    def in_zone(layout: str, value: Any, zone: str) -> str:
        return in_layout(moment(value).astimezone(_zone(zone)), layout)

    def modified(text: str, value: Any) -> Any:
        span = span_of(text)
        return value if span is None else Moment(moment(value) + timedelta(microseconds=span.nanoseconds / _MICRO))

    def read(layout: str, text: str) -> Moment:
        return Moment(out_of_layout(layout, text) or datetime(1, 1, 1, tzinfo=UTC))

    def must_read(layout: str, text: str) -> Moment:
        found = out_of_layout(layout, text)
        if found is None:
            raise ValueError(f'parsing time "{text}" as "{layout}": cannot parse')
        return Moment(found)

    return {
        "now": lambda: Moment(now.astimezone(UTC)),
        "ago": lambda value: str(Span(_rounded(_nanoseconds(now - moment(value)), _NANO))),
        "date": lambda layout, value: in_zone(layout, value, "UTC"),
        "dateInZone": in_zone,
        "date_in_zone": in_zone,
        "dateModify": modified,
        "date_modify": modified,
        "mustDateModify": modified,
        "must_date_modify": modified,
        "htmlDate": lambda value: in_zone("2006-01-02", value, "UTC"),
        "htmlDateInZone": lambda value, zone: in_zone("2006-01-02", value, zone),
        "toDate": read,
        "mustToDate": must_read,
        "unixEpoch": lambda value: str(int(moment(value).timestamp())),
        "duration": _duration,
        "durationRound": lambda value: _coarse(value, now),
    }


def moment_of(text: Any) -> Moment | None:
    found = parse_time(text)
    return None if found is None else Moment(found)


def _duration(value: Any) -> str:
    """Of seconds: a text, or a number of an object; sprig does not know the type of one in a template."""
    known = not isinstance(value, Int) and re.fullmatch(r"-?\d+", str(value))
    return str(Span(int(value) * _NANO if known else 0))


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name) if name not in ("Local", "") else UTC
    except (OSError, ValueError, LookupError):
        return UTC


def _coarse(value: Any, now: datetime) -> str:
    """`2h` for `2h10m5s`: the largest unit alone."""
    if isinstance(value, Moment):
        nanoseconds = _nanoseconds(now - value.at)
    elif isinstance(value, str):
        nanoseconds = (span_of(value) or Span(0)).nanoseconds
    else:
        nanoseconds = value if isinstance(value, int) else getattr(value, "nanoseconds", 0)
    seconds = abs(nanoseconds) // _NANO
    for unit, size in (("y", 31536000), ("mo", 2592000), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if abs(nanoseconds) > size * _NANO:
            return f"{'-' if nanoseconds < 0 else ''}{seconds // size}{unit}"
    return "0s"


def _length_of(span: Any) -> int:
    """In nanoseconds, also where a number is given for it."""
    found = span if isinstance(span, int) else getattr(span, "nanoseconds", None)
    if not isinstance(found, int):
        raise TypeError(f"wrong type for value; expected time.Duration; got {span}")
    return found


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    digits = f"{rest:0{len(str(size)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def _nanoseconds(span: timedelta) -> int:
    return (span.days * 86400 + span.seconds) * _NANO + span.microseconds * _MICRO


def _rounded(value: int, to: int) -> int:
    """Half away from zero, as time.Duration.Round."""
    if to <= 0:
        return value
    whole, rest = divmod(abs(value), to)
    found = (whole + (rest * 2 >= to)) * to
    return -found if value < 0 else found


def _truncated(at: datetime, nanoseconds: int) -> datetime:
    if nanoseconds <= 0:
        return at
    since = _nanoseconds(at - datetime(1, 1, 1, tzinfo=UTC))
    return at - timedelta(microseconds=since % nanoseconds / _MICRO)
