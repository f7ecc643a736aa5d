"""A line a Rollout: that of `canary status`, and those of `canary list`. No rich: these verbs are the fast ones."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from companyos_canary.argo.picture import Picture, look
from companyos_canary.model.outcome import Diagnosis
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.format import duration, keyed, left, limit_text, shorten, value_text, weight_text
from companyos_canary.view.lines import PHASES, Column, Facts, Line, Part, Tone, phase_symbol, table
from companyos_canary.view.steps import doing as kind_text
from companyos_canary.view.steps import route_text
from companyos_canary.view.why import controller_sentence, pod_sentence, short_metric

if TYPE_CHECKING:
    from companyos_canary.argo.metric_rows import MetricRow
    from companyos_canary.argo.rows import Listed  # `status` needs none of the rows

_DOING = {
    "waiting": "waits",
    "held": "by hand",
    "inconclusive": "no verdict",
    "pausing": "timed",
    "healthy": "",
    "degraded": "",
}


def _step(one: "Listed") -> str:
    """`2/3`; nothing once all are done."""
    return f"{one.step}/{one.steps}" if one.step else ""


def _lasts(one: "Listed") -> str:
    return "" if one.for_seconds is None else duration(one.for_seconds)


def _state(one: "Listed") -> str:
    """`Paused: waits`, `Progressing: analysing`, `Healthy`."""
    doing = _DOING.get(one.activity, one.activity)
    return f"{one.phase}: {doing}" if doing else one.phase


def longest_waiting_first(rows: Iterable["Listed"]) -> list["Listed"]:
    """Those that wait for a person, the longest first; then the others by namespace and name."""

    def key(r: "Listed") -> tuple[bool, timedelta, str, str]:
        waited = r.for_seconds if r.waits_for_a_person and r.for_seconds else timedelta()
        return (not r.waits_for_a_person, -waited, r.namespace, r.rollout)

    return sorted(rows, key=key)


def screen(rows: Sequence["Listed"], facts: Facts, *, namespaces: bool) -> list[Line]:
    """A table; `namespaces` where they are of several."""
    symbols = facts.symbols
    roles: list[Tone] = [PHASES.get(r.phase, "") for r in rows]
    names = [shorten(r.rollout, 32, symbols) for r in rows]
    marks: list[Part] = [(phase_symbol(symbols, r.phase), x) for r, x in zip(rows, roles, strict=True)]
    states: list[Part] = [(_state(r), x) for r, x in zip(rows, roles, strict=True)]
    places = [r.namespace for r in rows]
    steps = [f"{_step(r)} {r.percent:>3} %" if r.step else "" for r in rows]
    columns = [
        Column("", marks, keep=3),
        Column("NAMESPACE", places if namespaces else [""] * len(rows), keep=8),
        Column("NAME", names),
        Column("PHASE", states),
        Column("FOR", [_lasts(r) for r in rows], align="right", keep=7),
        Column("STEP", steps, align="right", keep=4),
        Column("VERSION", [shorten(r.version, 20, symbols) for r in rows], keep=5),
    ]
    return table(columns, facts.width)


def plain(one: "Listed") -> str:
    """One line for a pipe: `namespace=companyos rollout=api phase=Paused step=1/3 weight=10`."""
    return keyed(
        f"namespace={one.namespace} rollout={one.rollout} phase={one.phase}",
        step=_step(one),
        weight=str(one.percent) if one.step else "",
        version=one.version,
        waits="true" if one.waits_for_a_person else "",
        **{"for": _lasts(one)},
        message=one.message,
    )


_ACTIVITY = {
    "scaling": "scaling",
    "analysing": "analysing",
    "pausing": "pause",
    "waiting": "waits for a person",
    "inconclusive": "no verdict, waits for a person",
    "held": "paused by hand",
    "aborting": "aborting",
}


def status_line(snapshot: Snapshot, now: datetime, *, place: Place | None = None, why: Diagnosis | None = None) -> str:
    """`companyos-api v1.1.0 Progressing: step 2/3, 25 %, analysing, 48s left, error-rate 0.9 %`.
    From the Rollout alone it says what that knows; with more it says more."""
    picture = replace(look(snapshot, now, place), why=why)
    head = " ".join(w for w in (picture.name, picture.version, picture.progress.phase.word) if w)
    tail = ", ".join(_facts(picture))
    return f"{head}: {tail}" if tail else head


def _facts(picture: Picture) -> list[str]:
    progress = picture.progress
    if progress.activity in ("aborted", "degraded"):
        return _ended(picture)
    if progress.activity == "healthy":
        return []
    found: list[str] = []
    if progress.step:
        found += [f"step {progress.step.number}/{len(progress.steps)}", weight_text(progress.percent, picture.share)]
    found += [route_text(route) for route in picture.routes]
    if picture.snapshot.rollout.weights_verified is False:
        found.append("weight not verified by the router")
    found.append(_ACTIVITY.get(progress.activity) or kind_text(picture) or progress.phase.message)
    found.append(left(picture))
    if picture.why is not None and picture.why.cause != "paused-by-hand":
        found.append(picture.why.because)
    else:
        found += [pod_sentence(p) for p in (picture.cause.pods[:1] if picture.cause else ())]
    found += [_metric(r) for r in picture.metrics if r.verdict != "waiting"]
    return [f for f in found if f]


def _metric(row: "MetricRow") -> str:
    if row.known is None:
        return f"{row.name} {row.verdict}"
    value = value_text(row.value, row.unit, limit=row.limit)
    wrong = f" (limit {limit_text(row.limit, row.unit)})" if row.limit else ""
    return f"{row.name} {value}{wrong if row.verdict == 'failing' else ''}"


def _ended(picture: Picture) -> list[str]:
    why = picture.cause
    aborted = picture.progress.activity == "aborted"
    because = picture.why.because if picture.why else controller_sentence(why) if why else ""
    found: list[str] = ["aborted"] if aborted and not because.startswith("aborted") else []
    if picture.why:
        found.append(because)
    elif why and why.metrics:
        found += [short_metric(m) for m in why.metrics]
    elif why:
        found += [pod_sentence(p) for p in why.pods[:1]]
        found.append(controller_sentence(why))
    if aborted and picture.stable:
        found.append(f"{picture.stable} serves")
    return [f for f in found if f]
