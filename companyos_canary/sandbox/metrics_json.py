"""Values as Prometheus writes them into its JSON."""

import math
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

from companyos_canary.model.quantity import format_duration
from companyos_canary.promql import Matrix, Scalar, Text, Value
from companyos_canary.sandbox.tsdb import Target


def result(value: Value, at: float) -> dict[str, Any]:
    moment = _stamp(at)
    if isinstance(value, Scalar):
        return {"resultType": "scalar", "result": [moment, go_float(value.value, plain=True)]}
    if isinstance(value, Text):
        return {"resultType": "string", "result": [moment, value.value]}
    if isinstance(value, Matrix):
        series = [
            {
                "metric": dict(sorted(s.labels.items())),
                "values": [[_stamp(t), go_float(v)] for t, v in s.samples],
            }
            for s in sorted(value.series, key=lambda s: sorted(s.labels.items()))
        ]
        return {"resultType": "matrix", "result": series}
    samples = [
        {"metric": dict(sorted(s.labels.items())), "value": [moment, go_float(s.value)]}
        for s in value.samples
    ]
    return {"resultType": "vector", "result": samples}


def _stamp(at: float) -> float | int:
    at = round(at, 3)
    return int(at) if at.is_integer() else at


def target_entry(target: Target) -> dict[str, Any]:
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
    return (
        f"{'-' if sign else ''}{mantissa[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02}"
    )
