"""What lint found, for people, for GitHub's annotations, as SARIF 2.1.0 and as data."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from companyos_canary import __version__
from companyos_canary.lint.finding import Finding, Rule, Severity, UnreadableRow
from companyos_canary.view.ci import forges

_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "note": "notice"}
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """One line a finding; `hint:` below it where there is one."""
    for f in findings:
        yield f"{f.file}:{f.line}: {f.severity}: {f.message} [{f.rule}]"
        if f.hint:
            yield f"  hint: {f.hint}"


def annotations(findings: Sequence[Finding]) -> Iterator[str]:
    """A workflow command of GitHub a finding."""
    for f in findings:
        text = f"{f.message}\n{f.hint}" if f.hint else f.message
        yield forges.at_line(_LEVELS[f.severity], f.file, f.line, f.rule, text)


def finding_annotation(file: str, line: int, message: str) -> str:
    """The same for a file that could not be read."""
    return forges.at_line("error", file, max(line, 1), "unreadable", message)


def sarif(findings: Sequence[Finding], rules: Sequence[Rule], unreadable: Sequence[UnreadableRow]) -> str:
    """A log of one run. The rules are all that there are, so that a rule without a result is one that passed."""
    index = {rule.id: number for number, rule in enumerate(rules)}
    driver = {
        "name": "canary",
        "semanticVersion": __version__,
        "rules": [
            {
                "id": rule.id,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": " ".join(rule.why.split()) or rule.title},
                "defaultConfiguration": {"level": rule.severity},
            }
            for rule in rules
        ],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [
            {
                "executionSuccessful": not unreadable,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": u.message}, "locations": [_location(u.file, u.line)]}
                    for u in unreadable
                ],
            }
        ],
        "results": [_result(f, index) for f in findings],
        "columnKind": "unicodeCodePoints",
    }
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _result(f: Finding, index: dict[str, int]) -> dict[str, Any]:
    text = f"{f.message}. {f.hint[0].upper()}{f.hint[1:]}" if f.hint else f.message
    location = _location(f.file, f.line)
    if f.name or f.path:
        location["logicalLocations"] = [{"fullyQualifiedName": f"{f.kind}/{f.name}:{f.path}"}]
    mark = hashlib.sha256("\0".join((f.rule, f.file, f.kind, f.name, f.path)).encode()).hexdigest()
    return {
        "ruleId": f.rule,
        "ruleIndex": index[f.rule],
        "level": f.severity,
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"canaryLint/v1": mark},
    }


def _location(file: str, line: int) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": quote(file)}, "region": {"startLine": max(line, 1)}}}
