"""Settings for tests about rendering."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from companyos_canary.config import Metric, Settings, Step

SETTINGS = Settings(
    rollout="companyos-api",
    namespace="companyos",
    image="companyos-api",
    app="companyos-api",
    container="companyos-api",
    steps=(Step(10, timedelta(minutes=2)), Step(25, timedelta(minutes=2)), Step(50, timedelta(minutes=3))),
    metrics=(
        Metric("error-rate", "below", 0.05),
        Metric("latency-p95", "below", 0.3),
        Metric("latency-ratio", "below", 1.2),
        Metric("error-ratio", "below", 1.5),
        Metric("opa-success", "above", 0.99),
    ),
)


def settings(**changes: Any) -> Settings:
    return replace(SETTINGS, **changes)
