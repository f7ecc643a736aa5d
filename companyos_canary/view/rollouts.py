"""Many Rollouts, a line each: phase, step, weight, version, and how long they are like this."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from companyos_canary.argo.endings import since, waits_for_a_person
from companyos_canary.argo.picture import Picture, Place, look
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.format import duration, keyed, shorten
from companyos_canary.view.lines import PHASES, Column, Facts, Line, Part, Role, phase_symbol, table

if TYPE_CHECKING:
    from companyos_canary.view.contract import answers

_DOING = {
    "waiting": "waits",
    "held": "by hand",
    "inconclusive": "no verdict",
    "pausing": "timed",
    "healthy": "",
    "degraded": "",
}


@dataclass(frozen=True, slots=True)
class Row:
    """`lasts` is how long it is in its phase, None where the status does not say."""

    picture: Picture
    waits: bool
    since: datetime | None
    lasts: timedelta | None

    @property
    def step(self) -> str:
        """`2/3`; nothing once all are done."""
        progress = self.picture.progress
        return f"{progress.step.number}/{len(progress.steps)}" if progress.step else ""

    @property
    def state(self) -> str:
        """`Paused: waits`, `Progressing: analysing`, `Healthy`."""
        progress = self.picture.progress
        doing = _DOING.get(progress.activity, progress.activity)
        return f"{progress.phase.word}: {doing}" if doing else progress.phase.word


def row(rollout: Rollout, now: datetime, place: Place) -> Row:
    began = since(rollout)
    lasts = max(now - began, timedelta()) if began else None
    return Row(look(Snapshot(rollout, whole=False), now, place), waits_for_a_person(rollout), began, lasts)


def longest_waiting_first(rows: Iterable[Row]) -> list[Row]:
    """Those that wait for a person, the longest first; then the others by namespace and name."""

    def key(r: Row) -> tuple[bool, timedelta, str, str]:
        rollout = r.picture.snapshot.rollout
        waited = r.lasts if r.waits and r.lasts else timedelta()
        return (not r.waits, -waited, rollout.namespace, rollout.name)

    return sorted(rows, key=key)


def screen(rows: Sequence[Row], facts: Facts, *, namespaces: bool) -> list[Line]:
    """A table; `namespaces` where they are of several."""
    symbols = facts.symbols
    roles: list[Role] = [PHASES.get(r.picture.progress.phase.word, "") for r in rows]
    names = [shorten(r.picture.name, 32, symbols) for r in rows]
    marks: list[Part] = [
        (phase_symbol(symbols, r.picture.progress.phase.word), x) for r, x in zip(rows, roles, strict=True)
    ]
    states: list[Part] = [(r.state, x) for r, x in zip(rows, roles, strict=True)]
    places = [r.picture.snapshot.rollout.namespace for r in rows]
    steps = [f"{r.step} {r.picture.progress.weight:>3} %" if r.step else "" for r in rows]
    columns = [
        Column("", marks, keep=3),
        Column("NAMESPACE", places if namespaces else [""] * len(rows), keep=8),
        Column("NAME", names),
        Column("PHASE", states),
        Column("FOR", [duration(r.lasts) if r.lasts is not None else "" for r in rows], align="right", keep=7),
        Column("STEP", steps, align="right", keep=4),
        Column("VERSION", [shorten(r.picture.version, 20, symbols) for r in rows], keep=5),
    ]
    return table(columns, facts.width)


def plain(one: Row) -> str:
    """One line for a pipe: `namespace=companyos rollout=api phase=Paused step=1/3 weight=10`."""
    picture = one.picture
    return keyed(
        f"namespace={picture.snapshot.rollout.namespace} rollout={picture.name} phase={picture.progress.phase.word}",
        step=one.step,
        weight=str(picture.progress.weight) if one.step else "",
        version=picture.version,
        waits="true" if one.waits else "",
        **{"for": duration(one.lasts) if one.lasts is not None else ""},
        message=picture.progress.phase.message,
    )


def record(one: Row) -> "answers.Listed":
    """For machines; `waits_for_a_person` is true where nothing moves until somebody acts."""
    picture, rollout = one.picture, one.picture.snapshot.rollout
    progress = picture.progress
    return {
        "rollout": rollout.name,
        "namespace": rollout.namespace,
        "phase": progress.phase.word,
        "message": progress.phase.message,
        "activity": progress.activity,
        "waits_for_a_person": one.waits,
        "since": one.since,
        "for_seconds": one.lasts,
        "version": picture.version,
        "step": progress.step.number if progress.step else None,
        "steps": len(progress.steps),
        "weight": progress.weight,
        "revision": rollout.revision,
        "aborted": rollout.aborted,
    }
