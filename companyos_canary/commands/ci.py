"""What the verbs that follow tell in addition to their result: annotations, outputs and summaries of CI."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.commands.options import time_limit
from companyos_canary.errors import CanaryError, UsageError

if TYPE_CHECKING:
    from companyos_canary.runtime import Runtime
    from companyos_canary.view.ci.forges import System
    from companyos_canary.view.ci.summary import Report


HEARTBEAT = timedelta(seconds=30)
OPTIONS: tuple[tuple[str, Any, Any], ...] = (
    (
        "heartbeat",
        Annotated[
            str | None,
            typer.Option("--heartbeat", help="print a line at least this often when piped, e.g. 30s; 0 = never"),
        ],
        None,
    ),
    (
        "ci",
        Annotated[str | None, typer.Option("--ci", help="CI system to format for: auto, github, gitlab or none")],
        None,
    ),
    (
        "summary",
        Annotated[str | None, typer.Option("--summary", metavar="FILE", help="write a Markdown summary")],
        None,
    ),
)
_AUTOMATIC: dict[str, Literal["github", "gitlab"]] = {"GITHUB_ACTIONS": "github", "GITLAB_CI": "gitlab"}


class Reporting(Struct, frozen=True):
    """How this run reports. `ci` is the system that reads its log, empty for none; `heartbeat`
    None: no line where nothing changes. `summary` and `dotenv` are files, empty for none."""

    ci: "System" = ""
    heartbeat: timedelta | None = HEARTBEAT
    summary: str = ""
    dotenv: str = ""


@contextmanager
def reporting(runtime: "Runtime", command: str, options: Mapping[str, str | None]) -> Iterator[Reporting]:
    """What the options and CANARY_* say; an error on the way is reported too. UsageError for a
    value that cannot be, before anything is asked of a cluster."""
    environ = runtime.environ
    given = {n: options[n] or environ.get(f"CANARY_{n.upper()}") or "" for n, _, _ in OPTIONS}
    named = {n: f"--{n}" if options[n] else f"CANARY_{n.upper()}" for n, _, _ in OPTIONS}
    found = Reporting(summary=given["summary"], dotenv=environ.get("CANARY_DOTENV", ""))
    try:
        found = replace(found, ci=_system(given["ci"], named["ci"], runtime))
        yield replace(found, heartbeat=_heartbeat(given["heartbeat"], named["heartbeat"]))
    except CanaryError as error:
        from companyos_canary.view.ci.summary import error_report

        publish(runtime, found, error_report(command, error), said=found.ci == "gitlab")
        raise


def publish(runtime: "Runtime", wanted: Reporting, report: "Report", *, said: bool = False) -> None:
    """The annotation on stderr (not where the same line is `said` there anyway), the rest into
    files. A file that cannot be written is a note: the release has ended as it has."""
    import secrets

    from companyos_canary.view.ci import forges

    environ, outputs = runtime.environ, report.outputs
    if not said:
        annotate(runtime, wanted, report)
    if wanted.ci == "github":
        lines = forges.outputs(outputs, f"canary_{secrets.token_hex(8)}")
        _write(runtime, environ.get("GITHUB_OUTPUT", ""), lines, append=True)
        _write(runtime, environ.get("GITHUB_STEP_SUMMARY", ""), report.summary, append=True)
    _write(runtime, wanted.summary, report.summary)
    _write(runtime, wanted.dotenv, forges.dotenv(outputs))


def annotate(runtime: "Runtime", wanted: Reporting, report: "Report") -> None:
    """The annotation on stderr, for a CI system."""
    from companyos_canary.view.ci import forges

    if wanted.ci and report.level:
        line = forges.annotation(report) if wanted.ci == "github" else forges.error_line(report)
        runtime.stderr.write(f"{line}\n")  # never folded
        runtime.stderr.flush()


def _write(runtime: "Runtime", name: str, text: str, *, append: bool = False) -> None:
    if not name:
        return
    try:
        with (runtime.cwd / name).open("a" if append else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        runtime.say_error(f"note: `{name}` cannot be written: {error.strerror}")


def _system(word: str, name: str, runtime: "Runtime") -> "System":
    """`auto` finds one by the variable it sets, and not on a terminal."""
    match word or "auto":
        case "github" | "gitlab" as named:
            return named
        case "none":
            return ""
        case "auto":
            names = [v for k, v in _AUTOMATIC.items() if runtime.environ.get(k) == "true"]
            return names[0] if names and not runtime.out_is_terminal else ""
    raise UsageError(f"{name} `{word}` is not known", hint="use auto, github, gitlab or none")


def _heartbeat(text: str, name: str) -> timedelta | None:
    return (time_limit(text, name) or None) if text else HEARTBEAT
