"""PromQL without native histograms, evaluated over samples in memory as Prometheus 2.42 would."""

from companyos_canary.promql.evaluate import evaluate, evaluate_range
from companyos_canary.promql.parse import parse, parse_duration, selector
from companyos_canary.promql.values import (
    STALE,
    Matcher,
    Matrix,
    PromqlError,
    Scalar,
    Series,
    Text,
    Value,
    Vector,
    by_labels,
)

__all__ = [
    "STALE",
    "Matcher",
    "Matrix",
    "PromqlError",
    "Scalar",
    "Series",
    "Text",
    "Value",
    "Vector",
    "by_labels",
    "evaluate",
    "evaluate_range",
    "parse",
    "parse_duration",
    "selector",
]
