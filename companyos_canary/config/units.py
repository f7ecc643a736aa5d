"""Durations and limits as people write them: `2m`, `90s`, `300ms`, `5%`."""

import math
import re
from datetime import timedelta
from decimal import Decimal

from companyos_canary.model.quantity import parse_duration

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LONGEST = timedelta(days=30)


def duration(text: str) -> timedelta:
    """A Go duration above zero and up to 30 days; ValueError for anything else."""
    value = parse_duration(text)
    if not timedelta() < value <= _LONGEST:
        raise ValueError(f"`{text}` is not a duration of more than 0s and up to 720h")
    return value


def limit(value: float | str) -> float:
    """A limit as a number: `300ms` is 0.3 (seconds), `5%` is 0.05; ValueError for anything else."""
    number = _limit(value.strip()) if isinstance(value, str) else float(value)
    if not math.isfinite(number):
        raise ValueError(f"`{value}` is not a finite number")
    return number


def _limit(text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    if text.endswith("%") and _NUMBER.fullmatch(text[:-1].strip()):
        return float(Decimal(text[:-1].strip()) / 100)
    try:
        return parse_duration(text).total_seconds()
    except ValueError:
        raise ValueError(f"`{text}` is not a number, a share or a duration") from None


def plain(number: float) -> str:
    """A number without an exponent, shortest: `0.3`, `100`, `0.0000001`."""
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
