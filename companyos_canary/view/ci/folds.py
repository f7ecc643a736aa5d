"""Where the log of a CI system is folded: what happens within a step, behind the step's line."""

import re
from datetime import datetime
from typing import Literal

from companyos_canary.view.ci import github, gitlab

System = Literal["", "github", "gitlab"]
_BEGINS = re.compile(r"step \d+/\d+ weight=")
# What is read without unfolding anything: how a step and the whole ended.
_ALWAYS = ("step ", "finishing", "healthy", "aborted", "degraded", "revision ")


class Folds:
    """Knows whether a fold is open; for "" it folds nothing."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._number = 0
        self._open = False

    def around(self, words: str, line: str, now: datetime) -> list[str]:
        """The lines to say for `line`, whose text without its times is `words`."""
        if not self._system or not words.startswith(_ALWAYS):
            return [line]
        lines = self.close(now)
        if not _BEGINS.match(words):
            return [*lines, line]
        self._open, self._number = True, self._number + 1
        github_ = self._system == "github"
        return [*lines, github.group(line) if github_ else gitlab.section(self._number, line, now)]

    def close(self, now: datetime) -> list[str]:
        """The end of the fold that is open, if one is."""
        if not self._open:
            return []
        self._open = False
        return [github.END if self._system == "github" else gitlab.section_end(self._number, now)]
