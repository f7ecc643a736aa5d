"""The sequential verdict in words: what all requests of an update say, however often someone looks."""

from collections.abc import Sequence

from companyos_canary.analysis.sequential import Found
from companyos_canary.argo.limits import number_text
from companyos_canary.argo.metric_rows import MetricRow
from companyos_canary.view.lines import Column, Facts, Line, Tone, table

SEQUENTIAL_ROLES: dict[str, Tone] = {"worse": "failure", "not-worse": "success", "open": ""}
_SHORT = {"worse": "worse, sure", "not-worse": "not worse, sure", "open": "cannot tell yet"}
_ADVICE = "all requests of this update; Argo Rollouts decides by the limits above"


def short_verdict(found: Found | None) -> str:
    return _SHORT[found.verdict] if found and found.counts.requests else ""


def sequential_words(found: Found) -> str:
    """`worse, sure`, `not worse than 1.5 x`, `cannot tell yet: about 900 more requests`."""
    match found.verdict:
        case "worse":
            return "worse, sure"
        case "not-worse":
            return f"not worse than {found.limit:g} x" if found.compares else "within the limit, sure"
    if found.needed is None:
        return "cannot tell yet"
    return f"cannot tell yet: about {_rounded(found.needed):,.0f} more requests"


def counted(found: Found) -> str:
    """Bad requests of all: `12/4,180`, and `vs 31/37,900` of stable where it compares."""
    own = f"{found.counts.bad:,.0f}/{found.counts.requests:,.0f}"
    return f"{own} vs {found.counts.stable_bad:,.0f}/{found.counts.stable:,.0f}" if found.compares else own


def measured(found: Found) -> str:
    """`2.9 x (1.4-5.9)`, `0.29 % (0.1-0.6)`, `over 4.2 x` where stable had none; empty without data."""
    if found.low is None:
        return ""
    scale, unit = (1.0, "x") if found.compares else (100.0, "%")
    ends = (_digits(found.low * scale), _digits(found.high * scale) if found.high is not None else "any")
    if found.estimate is None and found.counts.bad and found.high is None:
        return f"over {ends[0]} {unit}"  # stable had none
    value = "-" if found.estimate is None else _digits(found.estimate * scale)
    return f"{value} {unit} ({ends[0]}-{ends[1]})"


def sequential_lines(rows: Sequence[MetricRow], facts: Facts) -> list[Line]:
    """A table of it; none where no metric counts."""
    found = [(r.name, r.advice) for r in rows if r.advice and r.advice.counts.requests]
    if not found:
        return []
    columns = [
        Column("  BAD OF ALL", [f"  {name}" for name, _ in found], keep=9),
        Column("", [counted(a) for _, a in found], align="right", keep=5),
        Column("", [measured(a) for _, a in found], align="right", keep=6),
        Column("VERDICT SO FAR", [(sequential_words(a), SEQUENTIAL_ROLES[a.verdict]) for _, a in found], keep=8),
    ]
    return [(), *table(columns, facts.width), ((f"    {_ADVICE}"[: facts.width], "hint"),)]


def pairs(found: Found | None) -> dict[str, str]:
    """For a pipe: `sequential=worse n=4180 ratio=2.9 low=1.4 high=5.9`; `share` where it does not compare, and
    `more` requests that a verdict still takes. Empty if nothing was counted."""
    if found is None or not found.counts.requests:
        return {}
    return {
        "sequential": found.verdict,
        "n": f"{found.counts.requests:.0f}",
        "ratio" if found.compares else "share": _text(found.estimate),
        "low": _text(found.low),
        "high": _text(found.high),
        "more": "" if found.needed is None else f"{_rounded(found.needed):.0f}",
    }


def _text(number: float | None) -> str:
    return "" if number is None else number_text(float(f"{number:.3g}"))


def _digits(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"


def _rounded(number: float) -> float:
    """Two digits, and at least one request: no one knows it better."""
    return max(1.0, float(f"{number:.2g}"))
