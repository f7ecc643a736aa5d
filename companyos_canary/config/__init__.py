"""canary.yaml, its environments, flags and variables → what a verb works with.

YAML and the form of the file are loaded only when there is one to read: `canary abort NAME -n NS` does without.
"""

from pathlib import Path
from typing import Any

from companyos_canary.config.resolver import FILE, Flags, Resolved, find, owned_by_another, require_file, resolve
from companyos_canary.config.settings import (
    MANUAL,
    Analysis,
    BlueGreenSettings,
    MergePatch,
    MetricSettings,
    PrometheusSettings,
    Settings,
    StepSettings,
    TrafficSettings,
    image_reference,
)
from companyos_canary.model.image import repository

__all__ = [
    "FILE",
    "MANUAL",
    "Analysis",
    "BlueGreenSettings",
    "Flags",
    "MergePatch",
    "MetricSettings",
    "PrometheusSettings",
    "Resolved",
    "Settings",
    "StepSettings",
    "TrafficSettings",
    "config_schema",
    "find",
    "image_reference",
    "load",
    "owned_by_another",
    "repository",
    "require_file",
    "resolve",
]


def load(path: Path, environment: str | None = None, *, shown: str | None = None) -> Settings:
    """The settings of a file, for an environment if one is named. Every block is checked, whichever
    is used. ConfigError for anything wrong; `shown` is the file's name in it."""
    from companyos_canary.config import loader  # noqa: PLC0415

    return loader.load_settings(path, environment, shown=shown)


def config_schema() -> dict[str, Any]:
    """A JSON Schema of canary.yaml, for editors."""
    from companyos_canary.config import document  # noqa: PLC0415

    return document.settings_schema()
