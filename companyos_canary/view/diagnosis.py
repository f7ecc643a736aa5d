"""The answers of `canary why` and `canary doctor`, for people and as data."""

from typing import Any

from companyos_canary.diagnosis.readiness import Check
from companyos_canary.model.outcome import Diagnosis
from companyos_canary.view.lines import Symbols

_LONGEST = 200  # characters of a value in a line; JSON has all of it


def diagnosis_lines(found: Diagnosis) -> tuple[str, ...]:
    """The sentence, the evidence, the next command."""
    evidence = (f"  {e.object}  {e.field}: {_text(e.value)}" for e in found.evidence)
    following = (f"next: {found.next}",) if found.next else ()
    return (_sentence(found.sentence), *evidence, *following)


def checks_lines(checks: tuple[Check, ...], symbols: Symbols) -> tuple[str, ...]:
    """A line for each check, its fix below it; the count at the end."""
    marks = {"ok": symbols.ok, "warning": symbols.warning, "fault": symbols.failed, "unknown": symbols.unknown}
    lines: list[str] = []
    for check in checks:
        lines.append(f"{marks[check.mark]} {check.sentence}")
        if check.fix:
            lines.append(f"    {check.fix}")
    faults = sum(c.mark == "fault" for c in checks)
    would = f"{faults} problem{'s' if faults > 1 else ''} would make a release fail"
    return (*lines, would if faults else "nothing was found that would make a release fail")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0].isalpha() else text


def _text(value: Any) -> str:
    text = " ".join(str(value).split()) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
