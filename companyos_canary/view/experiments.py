"""An Experiment as `get` draws a Rollout: its ReplicaSets with their pods, and its AnalysisRuns with their metrics."""

import textwrap
from collections.abc import Sequence
from datetime import datetime, timedelta

from companyos_canary.argo.experiments import ExperimentListed, ExperimentPicture, TemplatePart
from companyos_canary.model.image import version
from companyos_canary.view import analysis
from companyos_canary.view.format import duration, keyed, shorten
from companyos_canary.view.lines import (
    RUN_PHASES,
    Column,
    Facts,
    Line,
    Part,
    Tone,
    columns_of,
    cut,
    filled,
    role_symbol,
    table,
)
from companyos_canary.view.pods import pod_lines


def _role(phase: str) -> Tone:
    return RUN_PHASES.get(phase, "hint")


def experiment_screen(picture: ExperimentPicture, facts: Facts) -> list[Line]:
    lines = [*_head(picture, facts), ()]
    room = max((columns_of(p.template.name) for p in picture.templates), default=0)
    for part in picture.templates:
        lines.append(_template(part, room, facts))
        lines += pod_lines(part.pods, facts, picture.now, "all")
    names = {part.run.name: part.analysis.name for part in picture.analyses if part.run}
    runs = [part.run for part in picture.analyses if part.run]
    if runs:
        step = lambda run: names[run.name]  # noqa: E731
        lines += [(), *analysis.screen(runs, picture.now, facts, full=False, step=step)]
    waiting = [p.analysis for p in picture.analyses if p.run is None]
    for one in waiting:
        phase = one.phase or "Pending"
        lines += [(), (f"{role_symbol(facts.symbols, _role(phase), facts.symbols.waiting)} {one.name}  {phase}",)]
        lines += [(f"  {text}",) for text in textwrap.wrap(one.message, facts.width - 2)]
    return lines


def _head(picture: ExperimentPicture, facts: Facts) -> list[Line]:
    one, symbols = picture.experiment, facts.symbols
    phase, role = one.phase or "Pending", _role(one.phase)
    if picture.left is not None:
        phase += f", {duration(picture.left)} left"
    age = f"{symbols.dot} created {duration(picture.now - one.created_at)} ago" if one.created_at else ""
    owner = f"{symbols.dot} of {one.owner} " if one.owner else ""
    head = f" {one.name} {symbols.dot} {one.namespace} {owner}{age}"
    return [
        ((role_symbol(symbols, role, symbols.running), role), cut(head, facts.width - 1, symbols.more)),
        ("  ", (phase, role), "  terminating" if one.terminating and not one.is_finished else ""),
        *(("  ", (text, role)) for text in textwrap.wrap(one.message, facts.width - 2)),
    ]


def _template(part: TemplatePart, room: int, facts: Facts) -> Line:
    template, symbols = part.template, facts.symbols
    images = part.replicaset.containers if part.replicaset else ()
    shown = shorten(version(images[0].image) if images else "", 24, symbols)
    state: Tone = "warning" if template.ready < template.desired else ""
    ready = f"{template.ready}/{template.desired} ready"
    if part.replicaset and not part.replicaset.desired and not part.replicaset.replicas:
        ready, state = "scaled down", ""
    head = f"  {symbols.replicaset} {filled(template.name, room)}  {filled(shown, 10)}  "
    told = "  ".join(filter(None, (ready, template.status, template.message)))
    return (head, (cut(told, facts.width - columns_of(head), symbols.more), state))


def experiments_screen(
    rows: Sequence[ExperimentListed], now: datetime, facts: Facts, *, namespaces: bool
) -> list[Line]:
    symbols = facts.symbols
    marks: list[Part] = [(role_symbol(symbols, _role(r.phase), symbols.running), _role(r.phase)) for r in rows]
    phases: list[Part] = [(r.phase or "Pending", _role(r.phase)) for r in rows]
    columns = [
        Column("", marks, keep=3),
        Column("NAMESPACE", [r.namespace for r in rows] if namespaces else [""] * len(rows), keep=8),
        Column("NAME", [r.name for r in rows]),
        Column("PHASE", phases),
        Column("LEFT", [_left(r, now) for r in rows], align="right", keep=5),
        Column("ROLLOUT", [r.rollout for r in rows], keep=6),
        Column("AGE", [duration(now - r.created_at) if r.created_at else "" for r in rows], align="right", keep=4),
    ]
    return table(columns, facts.width)


def _left(row: ExperimentListed, now: datetime) -> str:
    return duration(max(timedelta(), row.ends_at - now)) if row.ends_at and row.phase in ("Pending", "Running") else ""


def listed_plain(row: ExperimentListed, now: datetime) -> str:
    return keyed(
        f"namespace={row.namespace} experiment={row.name} phase={row.phase or 'Pending'}",
        rollout=row.rollout,
        left=_left(row, now),
        message=row.message,
    )
