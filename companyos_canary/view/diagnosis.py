"""The answer of `canary why`, for people and as data."""

from typing import Any

from companyos_canary.diagnosis.table import Diagnosis

_LONGEST = 200  # characters of a value in a line; JSON has all of it


def lines(found: Diagnosis) -> tuple[str, ...]:
    """The sentence, the evidence, the next command."""
    finding = found.finding
    evidence = (f"  {e.object}  {e.field}: {_text(e.value)}" for e in finding.evidence)
    following = (f"next: {finding.next}",) if finding.next else ()
    return (_sentence(finding.sentence), *evidence, *following)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0].isalpha() else text


def _text(value: Any) -> str:
    text = " ".join(str(value).split()) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
