"""The metrics of canary.yaml: the guide's five as defaults, changed, left out or added to."""

import re
from typing import Literal

from companyos_canary.config import units
from companyos_canary.config.checker import Checker
from companyos_canary.config.document import AnalysisDocument, Document, MetricDocument
from companyos_canary.config.nodes import Path
from companyos_canary.config.settings import Metric

Direction = Literal["below", "above"]
GUIDE: dict[str, tuple[Direction, float]] = {
    "error-rate": ("below", 0.05),
    "latency-p95": ("below", 0.3),
    "latency-ratio": ("below", 1.2),
    "error-ratio": ("below", 1.5),
    "opa-success": ("above", 0.99),
}
MOST: dict[str, tuple[float, str]] = {
    "error-rate": (1.0, "a share up to 100%, such as 5%"),
    "opa-success": (1.0, "a share up to 100%, such as 99%"),
    "latency-p95": (60.0, "up to 60s; a plain number is in seconds, so write 300ms"),
}
"""Limits beyond which somebody meant something else: `latency-p95: {below: 300}` is 300 s."""
ARGUMENTS = ("prometheus", "window", "min-requests", "error-floor", "canary-hash", "scope")
_TAG = re.compile(r"\{\{(.*?)(\}\}|$)", re.DOTALL)
_KNOWN = {f"args.{name}" for name in ARGUMENTS}


def metrics(check: Checker, document: Document) -> tuple[Metric, ...]:
    """The guide's five without those set to null, then the user's own in the file's order."""
    given = document.metrics
    found = []
    for name in (*GUIDE, *(n for n in given if n not in GUIDE)):
        wanted = given.get(name, MetricDocument() if name in GUIDE else None)
        if wanted is not None:
            found.append(_metric(check, name, wanted, document.analysis))
    check.that(found, ("metrics",), "at least one", "no metric that is not `null`")
    return tuple(found)


def _metric(check: Checker, name: str, given: MetricDocument, defaults: AnalysisDocument) -> Metric:
    path: Path = ("metrics", name)
    check.that("{{" not in name, path, "a name without `{{`", "an argument in the name")
    if given.query is not None:
        _query(check, path, given)
    elif name not in GUIDE:
        allowed = "a PromQL query that answers one number, as this is none of the guide's metrics"
        check.that(False, path, allowed, "no `query`")
    direction, limit = _limit(check, path, given)
    return Metric(
        name=name,
        direction=direction,
        limit=limit,
        query=given.query,
        form=given.form or defaults.form,
        no_data=given.no_data or defaults.no_data,
    )


def _limit(check: Checker, path: Path, given: MetricDocument) -> tuple[Direction, float]:
    """Which side of which number is good. A guide's metric keeps its side: an error rate that must
    be above its limit is a slip."""
    guide = GUIDE.get(str(path[1]))
    limits: list[tuple[Direction, float | str | None]] = [("below", given.below), ("above", given.above)]
    stated = [(side, value) for side, value in limits if value is not None]
    check.that(len(stated) < 2, path, "one of them", "both `below` and `above`")
    if not stated:
        check.that(guide, path, "one of them", "neither `below` nor `above`")
        return guide or ("below", 0.0)
    direction, value = stated[0]
    if guide and given.query is None:
        allowed = f"`{guide[0]}`: `{path[1]}` is good {guide[0]} its limit"
        check.that(direction == guide[0], path, allowed, f"`{direction}`")
    number: float = check.unit((*path, direction), units.limit, value)
    if given.query is None and str(path[1]) in MOST:
        most, allowed = MOST[str(path[1])]
        check.that(number <= most, (*path, direction), allowed)
    return direction, number


def _query(check: Checker, path: Path, given: MetricDocument) -> None:
    query = given.query or ""
    check.that(query.strip(), (*path, "query"))
    check.that(given.form is None, (*path, "form"), "no `form` beside a `query`")
    known = ", ".join(f"`{{{{args.{name}}}}}`" for name in ARGUMENTS)
    check.that(_resolves(query), (*path, "query"), f"between {{{{ }}}} one of {known}")


def _resolves(text: str) -> bool:
    """Whether the controller finds an argument for each `{{ }}`, read from the left as it does:
    `{{{args.scope}}}` has none, `{ {{args.scope}} }` has."""
    return all(tag[1].strip(" ") in _KNOWN and tag[2] for tag in _TAG.finditer(text))
