"""Refuses single values with their place in the file."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from companyos_canary.config import units
from companyos_canary.config.document import ALLOWED, key_of
from companyos_canary.config.nodes import Path
from companyos_canary.config.reading import Source

_ADDRESS = re.compile(r"https?://[^\s/?#]+[^\s]*")
_FILLED_IN = re.compile(r"\{(\w*)\}")


class Checker:
    """Every method answers the value it was given, typed, or raises ConfigError."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def that(self, good: Any, path: Path, allowed: str | None = None, found: str | None = None) -> None:
        """Refuses unless `good`; the texts are those of the table and of the file if not given."""
        if not good:
            self.source.refuse(path, allowed or ALLOWED[key_of(path)], found=found)

    def name(self, path: Path, value: str, pattern: re.Pattern[str]) -> str:
        self.that(pattern.fullmatch(value), path)
        return value

    def unit(self, path: Path, read: Callable[[Any], Any], value: Any) -> Any:
        """The value as `read` understands it; its ValueError becomes ours."""
        try:
            return read(value)
        except (ValueError, OverflowError):
            self.source.refuse(path, ALLOWED[key_of(path)])

    def seconds(self, path: Path, text: str) -> timedelta:
        """A duration of whole seconds."""
        value: timedelta = self.unit(path, units.duration, text)
        self.that(not value % timedelta(seconds=1), path)
        return value

    def address(self, path: Path, text: str, *, or_auto: bool = False) -> str:
        self.that(_ADDRESS.fullmatch(text) or (or_auto and text == "auto"), path)
        return text

    def link(self, path: Path, text: str) -> str:
        """An address in which only `{namespace}` and `{rollout}` stand for something."""
        self.that({"namespace", "rollout"}.issuperset(_FILLED_IN.findall(text)), path)
        return text
