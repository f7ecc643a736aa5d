"""`canary lint`: what would go wrong with manifests, before a release and without a cluster."""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from companyos_canary.commands import base
from companyos_canary.commands.manifests import STDIN, file_content, why_unreadable
from companyos_canary.commands.options import a_duration
from companyos_canary.config import FILE, find, load, require_file
from companyos_canary.errors import CanaryError, ConfigError, ExitCode, UsageError, printable
from companyos_canary.lint.check import File, LintReport, check, file_of, file_of_objects
from companyos_canary.lint.documents import Unreadable
from companyos_canary.lint.finding import SEVERITIES, Finding, UnreadableRow
from companyos_canary.model.quantity import plural
from companyos_canary.model.row import Output, Says, pick
from companyos_canary.view import findings as view


class Linted(Struct, frozen=True):
    """`files` and `objects` count what was read, `ignored` the findings that a comment leaves out."""

    files: int
    objects: int
    severities: Annotated[dict[str, int], Says("findings by severity: error, warning, note")]
    ignored: int
    findings: tuple[Finding, ...]
    unreadable: tuple[UnreadableRow, ...]


EXAMPLES = (
    "canary lint                          canary.yaml, and what it renders",
    "canary lint deploy/                  every .yaml, .yml and .json below it",
    "helm template . | canary lint -      from standard input",
    "canary lint -o github rollout.yaml   annotations for a pull request",
    "canary lint -o sarif . > lint.sarif  for code scanning",
)
OUTPUT = Output((Linted,), partial=True)
EXITS = (ExitCode.OK, ExitCode.USAGE, ExitCode.DEGRADED)
_ENDINGS = (".yaml", ".yml", ".json")
_SCRAPED = timedelta(seconds=15)


def lint(
    session: base.Session,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="files, directories, or - for standard input")
    ] = None,
    scrape_interval: Annotated[
        timedelta,
        typer.Option("--scrape-interval", metavar="DURATION", help="how often Prometheus scrapes pods"),
        a_duration("--scrape-interval"),
    ] = _SCRAPED,
) -> base.Answer:
    """Check manifests and canary.yaml before a release, without a cluster.

    It reads Rollouts, AnalysisTemplates and what belongs to them, all files together, and reports what the controller
    would refuse and what it would accept although it cannot work. docs/lint.md has all rules. The comment
    `# canary-lint: ignore=RULE reason` suppresses a finding. The exit code is 3 if there are errors; warnings and
    notes do not change it.
    """
    read, problems = _read(session, _asked(session, files))
    report = check(read, scrape_interval)
    broken = tuple(pick(UnreadableRow, p) for p in problems)
    if session.output in ("github", "sarif"):
        from companyos_canary.lint.rules import RULES

        github = (
            *view.annotations(report.findings),
            *(view.finding_annotation(b.file, b.line, b.message) for b in broken),
        )
        text = view.sarif(report.findings, RULES, broken) if session.output == "sarif" else "\n".join(github)
        if text:
            ours = "\n" if session.output == "github" else ""  # our commands, with harmless words in them
            session.runtime.say(text, ours=ours)
        session.answered = True
    return base.Answer(
        code=ExitCode.DEGRADED if report.count("error") else ExitCode.OK,
        data=Linted(
            files=len(read),
            objects=report.objects,
            severities={severity: report.count(severity) for severity in SEVERITIES},
            ignored=report.ignored,
            findings=tuple(report.findings),
            unreadable=broken,
        ),
        lines=tuple(map(printable, view.finding_lines(report.findings))),
        notes=(*(printable(f"error: {p}") for p in problems[1:]), *((_summary(report, read),) if read else ())),
        error=_error(problems),
    )


class _Problem(Exception):
    """A file that cannot be read, or a part of the command line that names none."""

    def __init__(self, file: str, line: int, message: str, hint: str = "") -> None:
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")
        self.file, self.line, self.message, self.hint = file, line, message, hint


def _asked(session: base.Session, files: Sequence[str] | None) -> list[str]:
    """The files to read: those that are named, else canary.yaml."""
    named = [*(files or ()), *filter(None, (session.flags.file,))]
    if named:
        return named
    cwd = session.runtime.cwd
    path = find(cwd)
    if path is None:
        raise UsageError(
            "there is nothing to lint: no file was given, and there is no canary.yaml here",
            hint="name files or directories, e.g. `canary lint deploy/`",
        )
    require_file(path, os.path.relpath(path, cwd))
    return [os.path.relpath(path, cwd)]


def _read(session: base.Session, asked: Iterable[str]) -> tuple[list[File], list[_Problem]]:
    """What could be read, each file once, and what could not."""
    read: dict[str, File] = {}
    problems: list[_Problem] = []
    for name in asked:
        for file in _files(session.runtime.cwd, name):
            if file in read:
                continue
            try:
                read[file] = _file(session, file, inside=file != name)
            except _Problem as problem:
                problems.append(problem)
    return list(read.values()), problems


def _files(cwd: Path, name: str) -> Iterator[str]:
    """The files that a name represents: itself, or the manifests below it if it is a directory."""
    if name == STDIN or not (cwd / name).is_dir():
        yield name
        return
    for folder, folders, files in os.walk(cwd / name):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "node_modules")
        for file in sorted(files):
            path = Path(folder, file)
            if path.suffix in _ENDINGS and not file.startswith(".") and path.is_file():
                yield os.path.normpath(os.path.join(name, os.path.relpath(path, cwd / name)))


def _file(session: base.Session, name: str, *, inside: bool) -> File:
    """Read a file; `inside` a directory other YAML is skipped, but a file that is named must have objects."""
    file = "stdin" if name == STDIN else name
    try:
        found = file_of(file, file_content(session, name))
    except Unreadable as error:
        raise _Problem(file, error.line, error.message, error.hint) from None
    except OSError as error:
        raise _Problem(file, 0, why_unreadable(error)) from None
    if not inside and Path(name).name == FILE and not found.objects:
        return _rendered(session, name, found)
    for document in found.strange:
        data = document.root.data
        if isinstance(data, dict) and str(data.get("schema", "")).startswith("canary/"):
            return _rendered(session, name, found)
        if not inside:
            what = "it has no `apiVersion` and `kind`" if isinstance(data, dict) else "it is not a mapping"
            raise _Problem(file, document.root.line, f"this is not an object of Kubernetes: {what}")
    return found


def _rendered(session: base.Session, name: str, file: File) -> File:
    """canary.yaml as the objects that it represents."""
    from companyos_canary.render.objects import objects

    if name == STDIN:
        raise _Problem("stdin", 1, f"{FILE} is only read as a file", f"use `canary lint {FILE}`")
    try:
        settings = load(session.runtime.cwd / name, session.flags.env, shown=name)
        return file_of_objects(file, objects(settings, None))
    except ConfigError as error:
        place, _, message = error.message.removeprefix(f"{name}:").partition(": ")
        line = int(place) if place.isdecimal() else 0
        raise _Problem(name, line, message if line else error.message.removeprefix(f"{name}: "), error.hint) from None


def _error(problems: Sequence[_Problem]) -> CanaryError | None:
    """The first file that could not be read; the others are reported next to it."""
    return UsageError(printable(str(problems[0])), hint=printable(problems[0].hint)) if problems else None


def _summary(report: LintReport, files: Sequence[File]) -> str:
    where = f"in {plural(report.objects, 'object')} of {plural(len(files), 'file')}"
    found = [plural(report.count(s), s) for s in SEVERITIES if report.count(s)]
    left = f" ({report.ignored} ignored)" if report.ignored else ""
    return f"{', '.join(found) or 'no findings'} {where}{left}"


command = base.verb(lint, reads_config=False, forms=("human", "json", "github", "sarif"))
