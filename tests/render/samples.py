"""Settings for tests about rendering."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from companyos_canary.config import MetricSettings, Settings, StepSettings

SETTINGS = Settings(
    rollout="companyos-api",
    namespace="companyos",
    image="companyos-api",
    app="companyos-api",
    container="companyos-api",
    steps=(
        StepSettings(10, timedelta(minutes=2)),
        StepSettings(25, timedelta(minutes=2)),
        StepSettings(50, timedelta(minutes=3)),
    ),
    metrics=(
        MetricSettings("error-rate", "below", 0.05),
        MetricSettings("latency-p95", "below", 0.3),
        MetricSettings("latency-ratio", "below", 1.2),
        MetricSettings("error-ratio", "below", 1.5),
        MetricSettings("opa-success", "above", 0.99),
    ),
)


def settings(**changes: Any) -> Settings:
    return replace(SETTINGS, **changes)
