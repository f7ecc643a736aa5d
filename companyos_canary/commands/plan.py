"""`canary plan`: what a release would be like, and how often its rule would be wrong."""

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from companyos_canary.cluster.kinds import ANALYSISTEMPLATE, ROLLOUT
from companyos_canary.commands import base
from companyos_canary.commands.options import a_duration
from companyos_canary.errors import CanaryError, ExitCode, NotFound, UsageError, exits, printable
from companyos_canary.model.outcome import Chance, PlannedStep, PlanRow, Warned
from companyos_canary.model.row import Output

if TYPE_CHECKING:
    from companyos_canary.render.plan import PlannedRule
    from companyos_canary.trials import Load, PlayedRelease, PlayedStep, ReleaseKind

EXAMPLES = (
    "canary plan                         today's traffic, from Prometheus",
    "canary plan --rps 20 --errors 1%    with these; asks no cluster",
    "canary plan --releases 1000         more exact, takes ten times as long",
    "canary plan -e prod -o markdown     for a pull request",
)
OUTPUT = Output((PlanRow,))
EXITS = exits(ExitCode.INTERRUPTED)
_TIMES = (1.0, 1.5, 2.0, 3.0, 5.0)
_FEWER = 4  # a worse version needs fewer releases than a good one: what is rare there does not matter
_QUIET = timedelta(seconds=2)


def plan(
    session: base.Session,
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="version to ship, for the heading")] = None,
    rps: Annotated[float | None, typer.Option("--rps", help="requests per second, canary and stable together")] = None,
    errors: Annotated[
        str | None, typer.Option("--errors", metavar="SHARE", help="requests that fail now, e.g. 1% or 0.01")
    ] = None,
    releases: Annotated[int, typer.Option("--releases", help="good releases to simulate; worse ones: a quarter")] = 100,
    scrape_interval: Annotated[
        timedelta | None,
        typer.Option("--scrape-interval", help="how often pods are scraped [default: as Prometheus shows; else 15s]"),
        a_duration("--scrape-interval", least=timedelta(milliseconds=10)),
    ] = None,
    rollout: base.RolloutOption = None,
    seed: Annotated[int, typer.Option("--seed", help="the same seed simulates the same releases")] = 1,
) -> base.Answer:
    """Show a release before it happens: its steps, and how often the analysis would be right.

    The whole rule of canary.yaml, or without one of the live Rollout, is simulated with random traffic: its
    AnalysisTemplates are asked and judged as in the cluster. The answer is how many good releases would be rolled back
    or held for a person, and after which time versions with more errors would be stopped. Requests and errors are
    today's, as Prometheus counts them; with --rps and --errors nothing is asked.
    """
    from companyos_canary.render.plan import planned, planned_rule
    from companyos_canary.trials import ReleaseKind, chance
    from companyos_canary.view import plan as view

    _check(rps, releases)
    share = None if errors is None else _share(errors)
    objects, replicas = _objects(session)
    asked = planned_rule(objects, replicas)
    if any(o["kind"] == "Rollout" and o["spec"]["strategy"].get("blueGreen") is not None for o in objects):
        raise UsageError(f"`{asked.rollout}` is blue-green: it has no share of the traffic that could be simulated")
    if not any(step.spec for step in asked.steps):
        raise UsageError(
            f"nothing judges `{asked.rollout}` that can be simulated: it has no analysis of the guide's metrics"
        )
    load, address = _load(session, asked, rps, share)
    if scrape_interval:
        load = replace(load, scrape=scrape_interval.total_seconds())
    kinds = [ReleaseKind(t, releases if t == 1 else max(1, releases // _FEWER)) for t in _TIMES]
    outcomes = _played(session, asked.played(), load, kinds, seed)
    chances = tuple(chance(k.times, outcomes[k]) for k in kinds)
    steps = planned(asked, load.rate)
    row = _row(session, asked, load, steps, chances, address=address, version=version or "", seed=seed)
    if session.output == "markdown":
        session.runtime.say(view.markdown(row))
        session.answered = True
    facts = session.runtime.facts
    return base.Answer(data=row, picture=lambda: view.screen(row, facts), lines=view.plain(row))


def _row(
    session: base.Session,
    asked: "PlannedRule",
    load: "Load",
    steps: tuple[PlannedStep, ...],
    chances: tuple[Chance, ...],
    *,
    address: str,
    version: str,
    seed: int,
) -> PlanRow:
    from companyos_canary.render.plan import plan_warnings

    return PlanRow(
        rollout=asked.rollout,
        namespace=asked.namespace,
        version=version,
        requests_per_second=load.rate,
        errors=load.stable.errors,
        burst=load.stable.clumps,
        given=not address,
        prometheus=address,
        steps=steps,
        chances=chances,
        warnings=(
            *_shared(session, asked, address),
            *plan_warnings(asked, load, steps, chances, latencies=bool(address)),
        ),
        left_out=asked.left_out,
        seed=seed,
        scrape_seconds=load.scrape,
    )


def _check(rps: float | None, releases: int) -> None:
    if rps is not None and not 0 < rps <= 1_000_000:
        raise UsageError(f"--rps `{rps:g}` must be more than 0 and at most 1000000")
    if not 1 <= releases <= 100_000:
        raise UsageError(f"--releases `{releases}` must be between 1 and 100000")


def _share(text: str) -> float:
    from companyos_canary.config.settings import limit

    try:
        share = limit(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1 or text.rstrip().endswith(("s", "m", "h")):
        raise UsageError(f"--errors `{printable(text)}` is not a share below 100 %", hint="write 1% or 0.01")
    return share


def _objects(session: base.Session) -> tuple[Sequence[Mapping[str, Any]], int | None]:
    """The Rollout with its AnalysisTemplates, and its replicas (None if no one says): those of canary.yaml, or
    without one those in the cluster."""
    resolved = session.resolved
    if resolved.problem:
        raise resolved.problem
    if resolved.settings is not None:
        from companyos_canary.render.objects import objects

        return objects(resolved.settings), resolved.settings.replicas
    cluster = session.cluster
    live = cluster.object(ROLLOUT, session.rollout)
    if live is None:
        raise NotFound(f"there is no Rollout `{session.rollout}` in `{cluster.namespace}`, and no canary.yaml here")
    steps = ((live["spec"].get("strategy") or {}).get("canary") or {}).get("steps") or []
    names = [t.get("templateName") for s in steps for t in (s.get("analysis") or {}).get("templates") or []]
    found = [cluster.object(ANALYSISTEMPLATE, name) for name in dict.fromkeys(filter(None, names))]
    return (live, *(o for o in found if o)), live["spec"].get("replicas", 1)


def _load(session: base.Session, asked: "PlannedRule", rps: float | None, errors: float | None) -> tuple["Load", str]:
    """The traffic, and who counted it (empty if it is given)."""
    from companyos_canary.trials import Behaviour, Load, load_of

    clumps = max(1, round(asked.burst))
    if rps is not None and errors is not None:
        return load_of(rps, errors, clumps), ""
    from companyos_canary.actions.traffic import traffic

    try:
        prometheus = session.prometheus(asked.address)
        today = traffic(prometheus, asked.rollout, asked.scope)
    except CanaryError as error:
        missing = [o for o, v in (("--rps 20", rps), ("--errors 1%", errors)) if v is None]
        error.hint = f"give them in place of what Prometheus counts: canary plan {' '.join(missing)}"
        raise
    faster = today.faster if today.bounds else Behaviour().faster
    if today.burst is not None and errors is None:
        clumps = max(1, round(today.burst))
    how = Behaviour(today.errors if errors is None else errors, today.undecided, faster, clumps)
    load = Load(today.rate if rps is None else rps, how, how)
    load = replace(load, scrape=today.scrape) if today.scrape else load
    return (replace(load, bounds=today.bounds) if today.bounds else load), prometheus.address


def _shared(session: base.Session, asked: "PlannedRule", address: str) -> tuple[Warned, ...]:
    """Where Prometheus was asked: other services that the metrics count, too, or that a canary that is there now has
    another share than is asked for."""
    from companyos_canary.actions.traffic import crowd, crowd_sentence
    from companyos_canary.analysis.evidence import REQUESTS
    from companyos_canary.commands.scope import of_share
    from companyos_canary.render.questions import questions

    if not address:
        return ()
    prometheus = session.prometheus(asked.address)
    found = crowd(prometheus, f"{REQUESTS}{{{asked.scope}}}", asked.rollout, asked.namespace)
    said = crowd_sentence(found, asked.rollout, asked.namespace)
    if said:
        return (Warned("scope", said),)
    try:
        snapshot = session.cluster.snapshot(asked.rollout, events=False)
    except CanaryError:
        return ()
    return of_share(session, prometheus, questions(snapshot, session.resolved.settings), snapshot)


def _played(
    session: base.Session, steps: "tuple[PlayedStep, ...]", load: "Load", kinds: "list[ReleaseKind]", seed: int
) -> "dict[ReleaseKind, list[PlayedRelease]]":
    """All releases; what takes longer than two seconds says how far it is."""
    from companyos_canary.trials import played

    clock = session.runtime.clock
    found: dict[ReleaseKind, list[PlayedRelease]] = {kind: [] for kind in kinds}
    total, said = sum(k.releases for k in kinds), clock.now()
    outcomes = played(steps, load, kinds, seed, processes=os.cpu_count() or 1)
    for done, (kind, outcome) in enumerate(outcomes, 1):
        found[kind].append(outcome)
        if clock.now() - said >= _QUIET:
            said = clock.now()
            session.note(f"simulated {done} of {total} releases")
    return found


command = base.verb(plan, forms=("human", "json", "markdown"))
