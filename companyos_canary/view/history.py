"""The revisions of a Rollout: what each was, who sent it, and outcome."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from companyos_canary.argo.history import Became, Revision, word
from companyos_canary.argo.patches.record import End
from companyos_canary.model.image import image_of, version
from companyos_canary.model.outcome import Cause
from companyos_canary.model.quantity import format_time
from companyos_canary.view import advice
from companyos_canary.view.format import clock, duration, failure, keyed, shorten
from companyos_canary.view.lines import Column, Facts, Line, Part, Tone, part_text, table
from companyos_canary.view.why import controller_sentence, metric_sentence

_ROLES: dict[Became, Tone] = {"stable": "success", "in progress": "hint", "degraded": "failure", "aborted": "failure"}
_BELOW = " " * 9


def screen(revisions: Sequence[Revision], now: datetime, facts: Facts, container: str | None) -> list[Line]:
    """A row a revision, newest first; below it who was to blame for its end, and its reason."""
    symbols = facts.symbols
    columns = [
        Column("", [_mark(r, facts) for r in revisions], keep=7),
        Column("REV", [str(r.replicaset.revision) for r in revisions], align="right"),
        Column("VERSION", [shorten(_version(r, container), 24, symbols) for r in revisions]),
        Column("AGE", [_age(r, now) for r in revisions], align="right", keep=5),
        Column("BY", [shorten(r.by, 16, symbols) for r in revisions], keep=4),
        Column("TOOK", [_took(r) for r in revisions], align="right", keep=3),
        Column("OUTCOME", [(outcome(r), _ROLES.get(r.became, "")) for r in revisions]),
    ]
    head, *rows = table(columns, facts.width)
    lines = [head]
    for revision, row in zip(revisions, rows, strict=True):
        lines += [row, *_below(revision, facts)]
    return lines


def outcome(revision: Revision) -> str:
    """`aborted at 25 %`, `stable`, `in progress`."""
    return revision.became + ("" if revision.weight is None else f" at {revision.percent} %")


def aborted_sentence(revision: Revision, now: datetime) -> str:
    """`aborted at 12:04:31: error-rate 11.2 % (limit < 5 %) in 2 of 4 measurements`, or by whom."""
    said = "; ".join(metric_sentence(m) for m in revision.metrics)
    if not said and revision.message:
        said = controller_sentence(Cause(revision.message))
    if said.startswith("aborted "):
        return said
    at = f" at {clock(revision.ended_at, now).strip()}" if revision.ended_at else ""
    return f"aborted{at}" + (f": {said}" if said else "")


def undone_sentence(end: End) -> str:
    """`undone by ana: slow login`."""
    return "undone " + _said(end)


def _said(end: End) -> str:
    by = f"by {end.by}" if end.by else "by someone"
    return f"{by}: {end.reason}" if end.reason else by


def _earlier(end: End) -> str:
    who = f" by {end.by}" if end.by else ""
    reason = controller_sentence(Cause(end.reason)) if end.reason else ""
    why = f": {reason}" if reason and not reason.startswith("aborted ") else ""
    return f"revision {end.revision} was aborted{who}{why}"


def _below(revision: Revision, facts: Facts) -> list[Line]:
    """The metrics that ended it, and what its sender said."""
    found: list[Part] = [(metric_sentence(m), "failure") for m in revision.metrics]
    found += [
        (f"all requests: {r.name} {advice.counted(r.advice)}, {advice.measured(r.advice)}: worse, sure", "failure")
        for r in revision.judged
        if r.advice and r.advice.verdict == "worse"
    ]
    if revision.message:
        found.append((controller_sentence(Cause(revision.message)), "failure"))
    if revision.undone:
        found.append(undone_sentence(revision.undone))
    found += [_earlier(end) for end in revision.earlier if end.result == "aborted"]
    found += _done_with(revision)
    if revision.reason:
        found.append(f"“{revision.reason}”" if facts.unicode else f'"{revision.reason}"')
    room = facts.width - len(_BELOW)
    cut = ((shorten(part_text(p), room, facts.symbols), p) for p in found)
    return [(_BELOW, (text, "" if isinstance(p, str) else p[1])) for text, p in cut]


def plain(revision: Revision, container: str | None) -> str:
    """One line for a pipe: `revision=8 version=v1.1.0 outcome=aborted ... metric=error-rate`."""
    at = format_time(revision.at) if revision.at else ""
    return keyed(
        f"revision={revision.replicaset.revision}",
        version=_version(revision, container),
        outcome=word(revision.became),
        current="true" if revision.current else "",
        at=at,
        by=revision.by,
        took=duration(revision.took) if revision.took is not None else "",
        weight="" if revision.weight is None else str(revision.percent),
        **failure(revision.metrics),
        undone=_said(revision.undone) if revision.undone else "",
        earlier=",".join(f"{e.revision}:{word(e.result)}" for e in revision.earlier),
        **_so_far(revision),
        message=revision.message,
        reason=revision.reason,
        actions="; ".join(_done_with(revision)),
    )


def _so_far(revision: Revision) -> dict[str, str]:
    """`worse=error-ratio not-worse=error-rate,latency-p95`: the sequential verdicts that there are."""
    found = {r.name: r.advice.verdict for r in revision.judged if r.advice}
    names = {word: ",".join(n for n, v in found.items() if v == word) for word in ("worse", "not-worse")}
    return {"worse": names["worse"], "not_worse": names["not-worse"]}


def _done_with(revision: Revision) -> list[str]:
    """`pause by ana on laptop: wait for the database`; who made the revision is reported next to it."""
    return [
        f"{a.verb} by {a.by} on {a.host}" + (f": {a.reason}" if a.reason else "")
        for a in revision.actions
        if a.verb not in ("deploy", "undo")
    ]


def diff_lines(rows: Iterable[str]) -> list[Line]:
    """A unified diff with what goes and what comes in colour."""
    roles: dict[str, Tone] = {"-": "failure", "+": "success", "@": "hint"}
    return [((row, roles.get(row[:1], "")),) for row in rows]


def _version(revision: Revision, container: str | None) -> str:
    return version(image_of(revision.replicaset.containers, container))


def _mark(revision: Revision, facts: Facts) -> Part:
    marks = {
        "stable": facts.symbols.ok,
        "in progress": facts.symbols.running,
        "aborted": facts.symbols.failed,
        "degraded": facts.symbols.failed,
    }
    return (marks.get(revision.became, " "), _ROLES.get(revision.became, ""))


def _age(revision: Revision, now: datetime) -> str:
    since = revision.at or revision.replicaset.created_at
    return duration(now - since) if since else ""


def _took(revision: Revision) -> str:
    if revision.took is None:
        return ""
    if revision.waited:
        return f"{duration(revision.took - revision.waited)} + {duration(revision.waited)}"
    return duration(revision.took)
