"""`canary analysis`: what was measured, against which limit, with which query."""

from functools import partial
from typing import Annotated

import typer

from companyos_canary.argo.judged import JudgedRun, judged_run, worst_first
from companyos_canary.argo.steps import step_of
from companyos_canary.commands import base
from companyos_canary.commands.session import permitted
from companyos_canary.errors import NotFound, UsageError, exits, nearest
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.row import Output, Placed
from companyos_canary.model.snapshot import Snapshot


class Analyses(Placed, frozen=True, kw_only=True):
    revision: int
    runs: tuple[JudgedRun, ...]
    notes: tuple[str, ...]


EXAMPLES = (
    "canary analysis                the runs of the newest revision, failures first",
    "canary analysis companyos-api-7f6c9d5b54-8-3",
    "canary analysis 8-3            a suffix of the run's name is enough",
    "canary analysis --all -o json",
    "canary analysis 8-3 -o yaml",
)
OUTPUT = Output((Analyses,))
EXITS = exits()


def analysis(
    session: base.Session,
    run: Annotated[str | None, typer.Argument(help="name or suffix of an AnalysisRun", metavar="RUN")] = None,
    every: Annotated[bool, typer.Option("--all", help="runs of all revisions")] = False,
    rollout: base.RolloutOption = None,
) -> base.Answer:
    """Show the metrics of the newest revision's analyses: values, limits and counts. Metrics that did not
    pass are shown with their conditions and query.

    With RUN, all metrics of that run are shown in full.
    """
    from companyos_canary.view import analysis as view

    if run and every:
        raise UsageError("RUN and --all exclude each other", hint="leave out one of them")
    snapshot = session.cluster.snapshot(session.rollout, events=False)
    runs = worst_first(_wanted(snapshot, run, every))
    if not runs:
        permitted(snapshot, "analysisruns")
    facts, now = session.runtime.facts, session.runtime.clock.now()
    full = run is not None
    live = snapshot.rollout
    step = partial(step_of, live)
    return base.Answer(
        data=Analyses(
            **session.place_of(live),
            revision=live.revision,
            runs=tuple(judged_run(r, step(r)) for r in runs),
            notes=snapshot.notes,
        ),
        picture=lambda: view.screen(runs, now, facts, full=full, step=step),
        lines=tuple(line for r in runs for line in view.plain(r, step(r), full=full)),
        notes=(*snapshot.notes, *_nothing(snapshot, runs)),
        objects=tuple(r.raw for r in runs),
        name="\n".join(f"analysisrun.argoproj.io/{r.name}" for r in runs),
    )


def _wanted(snapshot: Snapshot, name: str | None, every: bool) -> tuple[AnalysisRun, ...]:
    if name is None:
        return snapshot.runs if every else snapshot.current_runs
    names = [r.name for r in snapshot.runs]
    fitting = [n for n in names if n == name] or [n for n in names if n.endswith(f"-{name}")]
    if not fitting:
        near = nearest(name, names) or next(iter(names[-1:]), "")
        raise NotFound(
            f"`{snapshot.rollout.name}` has no AnalysisRun `{name}`",
            hint=f"did you mean `{near}`?" if near else "it has no runs any more",
        )
    return tuple(r for r in snapshot.runs if r.name in fitting)


def _nothing(snapshot: Snapshot, runs: tuple[AnalysisRun, ...]) -> tuple[str, ...]:
    if runs:
        return ()
    earlier = f" ({len(snapshot.runs)} of earlier revisions: --all)" if snapshot.runs else ""
    return (f"revision {snapshot.rollout.revision} has no analysis runs{earlier}",)


command = base.verb(analysis)
