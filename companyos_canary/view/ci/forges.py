"""Annotations and folds of GitHub and GitLab."""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from companyos_canary.argo.events import Finished, Finishing, Happened, Replaced, StepBegan, StepEnded

if TYPE_CHECKING:
    from companyos_canary.view.ci.summary import Outputs, Report

System = Literal["", "github", "gitlab"]
# What is read without unfolding anything: how a step and the whole ended.
_ALWAYS = (StepBegan, StepEnded, Finishing, Finished, Replaced)


class Folds:
    """Knows whether a fold is open; for "" it folds nothing."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._number = 0
        self._open = False

    def around(self, event: Happened | None, line: str, now: datetime) -> list[str]:
        """The lines to say for `line`, which tells of `event`."""
        if not self._system or not isinstance(event, _ALWAYS):
            return [line]
        lines = self.close(now)
        if not isinstance(event, StepBegan):
            return [*lines, line]
        self._open, self._number = True, self._number + 1
        github_ = self._system == "github"
        return [*lines, group(line) if github_ else section(self._number, line, now)]

    def close(self, now: datetime) -> list[str]:
        """The end of the fold that is open, if one is."""
        if not self._open:
            return []
        self._open = False
        return [END if self._system == "github" else section_end(self._number, now)]


_COMMAND = re.compile(r"^(\s*)::", re.M)
_OLDER = "##["  # a command of the older form is one anywhere in a line


def annotation(report: "Report") -> str:
    """`::error title=companyos-api rolled-back::v1.2.0 was rolled back …`."""
    return f"::{report.level} title={_property(report.title)}::{_data(report.message)}"


def at_line(level: str, file: str, line: int, title: str, message: str) -> str:
    """`::warning file=rollout.yaml,line=12,title=unknown-field::…`; `level` is error, warning or notice."""
    return f"::{level} file={_property(file)},line={line},title={_property(title)}::{_data(message)}"


def outputs(values: "Outputs", delimiter: str) -> str:
    """Lines for $GITHUB_OUTPUT. `delimiter` is one that no one can guess."""
    pairs = (
        ("phase", values.phase),
        ("revision", values.revision),
        ("image", values.image),
        ("verdict", values.verdict),
    )
    return "".join(_output(name, value, delimiter) for name, value in pairs)


def harmless_line(line: str) -> str:
    """Lines with words of the cluster's: never a command to the runner."""
    return _COMMAND.sub(r"\1 .::", line).replace(_OLDER, "## [")


def group(title: str) -> str:
    return f"::group::{_data(title)}"


END = "::endgroup::"


def _output(name: str, value: str, delimiter: str) -> str:
    if "\n" in value or "\r" in value:
        return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
    return f"{name}={value}\n"


def _data(text: str) -> str:
    text = text.replace(_OLDER, "## [")
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


_CLEAR = "\r\x1b[0K"
CONTROLS = "\r\x1b"
"""What a fold of GitLab is made of; of the lines that have it the words of others are harmless already."""


def error_line(report: "Report") -> str:
    """GitLab has no annotations: one line, outside of every section."""
    return f"{report.level}: {report.message}"


def dotenv(values: "Outputs") -> str:
    """`CANARY_VERDICT=healthy`, a line a value. The format knows no quotes and no line breaks."""
    pairs = (
        ("PHASE", values.phase),
        ("REVISION", values.revision),
        ("IMAGE", values.image),
        ("VERDICT", values.verdict),
    )
    return "".join(f"CANARY_{name}={' '.join(value.split())}\n" for name, value in pairs)


def section(number: int, title: str, now: datetime) -> str:
    """The line that opens a folded section; its title is read in place of the line."""
    return f"\x1b[0Ksection_start:{_unix(now)}:canary_{number}[collapsed=true]{_CLEAR}{title}"


def section_end(number: int, now: datetime) -> str:
    return f"\x1b[0Ksection_end:{_unix(now)}:canary_{number}{_CLEAR}"


def _unix(now: datetime) -> int:
    return int(now.timestamp())
