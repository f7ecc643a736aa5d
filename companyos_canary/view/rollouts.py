"""Many Rollouts, a line each: phase, step, weight, version, and how long they are like this."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from companyos_canary.argo.rows import Listed
from companyos_canary.view.format import duration, keyed, shorten
from companyos_canary.view.lines import PHASES, Column, Facts, Line, Part, Tone, phase_symbol, table

_DOING = {
    "waiting": "waits",
    "held": "by hand",
    "inconclusive": "no verdict",
    "pausing": "timed",
    "healthy": "",
    "degraded": "",
}


def _step(one: Listed) -> str:
    """`2/3`; nothing once all are done."""
    return f"{one.step}/{one.steps}" if one.step else ""


def _lasts(one: Listed) -> str:
    return "" if one.for_seconds is None else duration(one.for_seconds)


def _state(one: Listed) -> str:
    """`Paused: waits`, `Progressing: analysing`, `Healthy`."""
    doing = _DOING.get(one.activity, one.activity)
    return f"{one.phase}: {doing}" if doing else one.phase


def longest_waiting_first(rows: Iterable[Listed]) -> list[Listed]:
    """Those that wait for a person, the longest first; then the others by namespace and name."""

    def key(r: Listed) -> tuple[bool, timedelta, str, str]:
        waited = r.for_seconds if r.waits_for_a_person and r.for_seconds else timedelta()
        return (not r.waits_for_a_person, -waited, r.namespace, r.rollout)

    return sorted(rows, key=key)


def screen(rows: Sequence[Listed], facts: Facts, *, namespaces: bool) -> list[Line]:
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


def plain(one: Listed) -> str:
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
