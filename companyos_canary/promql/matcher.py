"""Label matchers: the part of a selector that a series store has to understand."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Op = Literal["=", "!=", "=~", "!~"]


@dataclass(frozen=True, slots=True)
class Matcher:
    """An absent label counts as an empty one. Regular expressions match the whole value; ValueError
    for one that Python reads in another way than Prometheus' RE2, or not at all."""

    name: str
    op: Op
    value: str
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.op in ("=~", "!~"):
            object.__setattr__(self, "_pattern", _compiled(self.value))

    def accepts(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.name, "")
        if self._pattern is None:
            return (value == self.value) == (self.op == "=")
        return (self._pattern.fullmatch(value) is not None) == (self.op == "=~")


def _compiled(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # `[[:alpha:]]` means something else to Python, and it warns
        try:
            return re.compile(pattern, re.ASCII)
        except (re.error, FutureWarning, OverflowError, RecursionError) as error:
            raise ValueError(f"the regular expression `{pattern}` is not supported") from error
