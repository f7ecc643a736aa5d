"""Runs the rules over files that were read, and leaves out what comments ignore."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from msgspec import Struct

from companyos_canary.lint.documents import YamlDocument, read
from companyos_canary.lint.finding import SEVERITIES, Finding, Found, Rule, below, dotted
from companyos_canary.lint.metric import metrics_of
from companyos_canary.lint.objects import SCRAPE, Manifest, Rendered, RuleCase, World, objects_in
from companyos_canary.lint.rules import RULES, argument, comment, shape
from companyos_canary.lint.rules.analysis import TEMPLATES
from companyos_canary.lint.rules.comment import Comment


class File(Struct, frozen=True):
    """A file that was read. `strange` are its documents that are no objects of Kubernetes."""

    name: str
    objects: tuple[Manifest, ...]
    comments: tuple[Comment, ...] = ()
    strange: tuple[YamlDocument, ...] = ()


class LintReport(Struct, frozen=True):
    """Everything that was found, the worst first within a file; `ignored` counts what comments left out."""

    findings: tuple[Finding, ...]
    ignored: int
    objects: int

    def count(self, severity: str) -> int:
        return sum(f.severity == severity for f in self.findings)


def file_of(name: str, content: bytes) -> File:
    """Read a file. Raises Unreadable."""
    documents = read(name, content)
    found = {id(document): tuple(objects_in(document)) for document in documents}
    return File(
        name,
        tuple(o for objects in found.values() for o in objects),
        comment.comments(content.decode("utf-8", "replace"), documents),
        tuple(d for d in documents if not found[id(d)]),
    )


def file_of_objects(file: File, objects: Iterable[Mapping[str, Any]]) -> File:
    """canary.yaml, read as `file`, as the objects that it represents; their findings are at the lines of its fields."""
    made = {str(index): data for index, data in enumerate(objects)}
    names = {i: tuple(m["name"] for m in below(data, "spec", "metrics") or ()) for i, data in made.items()}
    rendered = Rendered(file.strange[0], names)
    return File(file.name, tuple(Manifest(rendered, (i,), data) for i, data in made.items()), file.comments)


def check(files: Sequence[File], scrape: timedelta = SCRAPE) -> LintReport:
    """The findings of all files, looked at together. `scrape`: how often Prometheus scrapes pods."""
    objects = tuple(o for file in files for o in file.objects)
    sound = {o: _is_sound(o) for o in objects}
    world = World(tuple(o for o in objects if sound[o]), scrape)
    found = list({_key(f): f for o in objects for f in _of_object(RuleCase(o, world), sound[o])}.values())
    by_file: dict[str, list[Finding]] = {}
    for one in found:
        by_file.setdefault(one.file, []).append(one)
    ignored, of_comments = set[Finding](), list[Finding]()
    for file in files:
        for written in file.comments:
            gone = [f for f in by_file.get(file.name, ()) if written.ignores(f.rule, f.line)]
            ignored.update(gone)
            of_comments += _of_comment(file.name, written, gone)
    kept = [*(f for f in found if f not in ignored), *of_comments]
    return LintReport(tuple(_sorted(kept, [file.name for file in files])), len(ignored), len(objects))


def _of_comment(file: str, written: Comment, gone: Iterable[Finding]) -> Iterator[Finding]:
    used = comment.Used(written, frozenset(f.rule for f in gone), tuple(rule.id for rule in RULES))
    for rule in comment.RULES:
        for found in rule.check(used):
            yield Finding(rule.id, rule.severity, file, written.line, "", "", "", found.message, found.hint)


def _is_sound(obj: Manifest) -> bool:
    """Whether its types are those of its kind, and everything that has a name has one: what other rules rely on."""
    return not any(
        isinstance(fault, shape.WrongType)
        or (isinstance(fault, shape.MissingField) and fault.path[-1] in ("name", "spec"))
        for fault in shape.faults(obj.kind, obj.data)
    )


def _key(f: Finding) -> tuple[str, str, int, str]:
    """One for the same finding in several objects of one canary.yaml."""
    return f.rule, f.file, f.line, f.message


def _of_object(case: RuleCase, sound: bool) -> Iterator[Finding]:
    kind = case.object.kind
    rules = [r for r in RULES if kind in r.kinds or (r.kinds and "" in r.kinds)]
    if isinstance(case.object.document, Rendered):
        rules = [r for r in rules if r not in argument.RULES]  # its arguments are not the author's
    if not sound:
        rules = [r for r in rules if r in shape.RULES]
    for rule in rules:
        yield from (_finding(rule, case.object, found) for found in rule.check(case))
    if kind in TEMPLATES and sound:
        for metric in metrics_of(case):
            for rule in RULES:
                if not rule.kinds:
                    yield from (_finding(rule, case.object, found) for found in rule.check(metric))


def _finding(rule: Rule, obj: Manifest, found: Found) -> Finding:
    return Finding(
        rule.id,
        rule.severity,
        obj.document.file,
        obj.line(found.path),
        str(obj.data.get("kind") or ""),
        obj.name,
        dotted(found.path),
        found.message,
        found.hint,
    )


def _sorted(findings: Iterable[Finding], files: Sequence[str]) -> list[Finding]:
    order: Mapping[str, int] = {name: index for index, name in enumerate(files)}
    return sorted(findings, key=lambda f: (order[f.file], f.line, SEVERITIES.index(f.severity), f.rule, f.path))
