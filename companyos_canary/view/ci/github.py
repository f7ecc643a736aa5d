"""GitHub Actions: workflow commands, and the lines of its output file. Pure text.

Escapes as GitHub documents them under "Workflow commands for GitHub Actions".
"""

import re

from companyos_canary.view.ci.report import Outputs, Report

_COMMAND = re.compile(r"^(\s*)::", re.M)
_OLDER = "##["  # a command of the older form is one anywhere in a line


def annotation(report: Report) -> str:
    """`::error title=companyos-api rolled-back::v1.2.0 was rolled back …`."""
    return f"::{report.level} title={_property(report.title)}::{_data(report.message)}"


def at_line(level: str, file: str, line: int, title: str, message: str) -> str:
    """`::warning file=rollout.yaml,line=12,title=unknown-field::…`; `level` is error, warning or notice."""
    return f"::{level} file={_property(file)},line={line},title={_property(title)}::{_data(message)}"


def outputs(values: Outputs, delimiter: str) -> str:
    """Lines for $GITHUB_OUTPUT. `delimiter` is one that nobody can guess."""
    pairs = (
        ("phase", values.phase),
        ("revision", values.revision),
        ("image", values.image),
        ("verdict", values.verdict),
    )
    return "".join(_output(name, value, delimiter) for name, value in pairs)


def harmless(line: str) -> str:
    """A line with words of the cluster's: never a command to the runner."""
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
