"""Where our templates are, and their parsed content."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from companyos_canary.errors import CanaryError

_PACKAGE = Path(__file__).resolve().parent.parent


def template_dir() -> Path:
    """`templates/` inside the package where it was installed from a wheel, beside the package in a
    checkout."""
    inside = _PACKAGE / "templates"
    return inside if inside.is_dir() else _PACKAGE.parent / "templates"


def text(name: str) -> str:
    """The source of a template, for example `canary.yaml`."""
    try:
        return (template_dir() / name).read_text(encoding="utf-8")
    except OSError as error:
        raise CanaryError(
            f"the template `{name}` cannot be read: {error.strerror}",
            hint="the installation is incomplete: install `companyos-canary` again",
        ) from error


@cache
def parsed(name: str) -> Any:
    """A template as data, to be filled and never changed."""
    return yaml.safe_load(text(name))
