"""`canary verify`: run an AnalysisTemplate now, without a release, and say its verdict."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import typer
from msgspec import Struct

from companyos_canary.actions.analyses import arguments_given, endless_metrics, run_from, template_named
from companyos_canary.actions.change import PATIENCE
from companyos_canary.actions.verify import Verified, created_run, followed_run
from companyos_canary.argo.judged import JudgedRun, judged, judged_run
from companyos_canary.argo.limits import number_text
from companyos_canary.cluster.kinds import ANALYSISRUN
from companyos_canary.commands import base
from companyos_canary.commands.candidates import known_templates
from companyos_canary.commands.outcome import FOLLOWED_EXITS
from companyos_canary.commands.runs import ENDS_WITH
from companyos_canary.errors import CanaryError, ExitCode, Interrupted, Refused
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.http import Json
from companyos_canary.model.row import Object, Output, RunPhase

EXAMPLES = (
    "canary verify success-rate -a service=api    0 if it is Successful",
    "canary verify clusteranalysistemplate/smoke --timeout 10m --delete",
    "canary verify success-rate -a service=api -o json | jq .data.run.metrics",
)


class VerifiedRun(Struct, frozen=True):
    """`phase` is that of the run when the command ended, `kept` false once it was deleted."""

    name: str
    namespace: str
    context: str
    template: str
    phase: RunPhase
    message: str
    kept: bool
    run: JudgedRun


class VerifyDryRun(Struct, frozen=True):
    """Nothing was created: the AnalysisRun as it would be, without its name."""

    object: Object
    dry_run: Literal[True] = True


OUTPUT = Output((VerifiedRun, VerifyDryRun))
EXITS = tuple(code for code in FOLLOWED_EXITS if code is not ExitCode.SUPERSEDED)
COMPLETIONS = {"template": known_templates}


def verify(
    session: base.Session,
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="name of an AnalysisTemplate")],
    arguments: Annotated[
        list[str] | None, typer.Option("-a", "--argument", metavar="K=V", help="an argument of the template")
    ] = None,
    everywhere: Annotated[bool, typer.Option("--global", help="TEMPLATE is a ClusterAnalysisTemplate")] = False,
    delete: Annotated[
        bool, typer.Option("--delete/--keep", help="delete the AnalysisRun at the end, however it ends")
    ] = False,
    dry_run: base.DryRunOption = False,
    timeout: base.TimeoutOption = None,
) -> base.Answer:
    """Run an AnalysisTemplate now, without a release, and wait for its verdict. Exits with 0 if it is Successful, 3 if
    it has failed or could not measure, 8 if it is Inconclusive.

    The AnalysisRun is named after the template and the time, and stays unless you pass --delete. `--timeout` ends the
    wait with 124, and the run continues; `canary terminate analysisrun NAME` ends it.
    """
    wanted = template_named(template, everywhere=everywhere)
    session.subject = str(wanted)
    time = session.time(timeout)
    made = run_from(session.cluster, wanted, arguments_given(arguments or []))
    endless = endless_metrics(made)
    if endless and not timeout:
        names = ", ".join(f"`{n}`" for n in endless)
        raise Refused(
            f"{wanted} never ends: it measures {names} without a count", hint="bound it with --timeout, e.g. 10m"
        )
    if dry_run:
        return _dry(made)
    run = created_run(session.cluster, made, wanted.name, time.now())
    session.subject = f"AnalysisRun `{run.name}`"
    session.note(f"AnalysisRun `{run.name}` was created in {session.place}")
    seen = dict[str, int]()
    with _deleted(session, run, delete) as kept:
        try:
            end = followed_run(
                session.cluster, run, time=time, patience=PATIENCE, shown=lambda now: _progress(session, now, seen)
            )
        except KeyboardInterrupt:
            if delete:
                raise Interrupted("interrupted") from None
            hint = f"`canary terminate analysisrun {run.name}` ends it"
            raise Interrupted(f"interrupted: AnalysisRun `{run.name}` continues", hint=hint) from None
    return _answer(session, str(wanted), end, kept=not delete or bool(kept))


@contextmanager
def _deleted(session: base.Session, run: AnalysisRun, delete: bool) -> Iterator[list[str]]:
    """Deletes the run at the end; the list is not empty where that did not work."""
    failed: list[str] = []
    try:
        yield failed
    finally:
        if delete:
            try:
                session.cluster.left = None  # also where the time is over
                session.cluster.delete(ANALYSISRUN, run.name, run.uid)
            except CanaryError as error:
                failed.append(error.message)
                session.note(f"AnalysisRun `{run.name}` was not deleted: {error.message}")


def _progress(session: base.Session, run: AnalysisRun, seen: dict[str, int]) -> None:
    """A line for each metric that was measured since the last look."""
    for one in judged(run):
        before, seen[one.row.name] = seen.get(one.row.name, 0), one.row.measured
        if one.row.measured > before:
            of = f"/{one.row.planned}" if one.row.measured <= one.row.planned else ""
            value = f" {number_text(one.row.known)}" if one.row.known is not None else ""
            session.note(f"{one.row.name}{value} {one.row.verdict} ({one.row.measured}{of})")


def _dry(made: Json) -> base.Answer:
    from companyos_canary.render.templates import to_yaml

    return base.Answer(
        data=VerifyDryRun(made),
        lines=(to_yaml((made,)).rstrip("\n"),),
        notes=("dry run: nothing was created",),
        objects=(made,),
    )


def _answer(session: base.Session, template: str, end: Verified, *, kept: bool) -> base.Answer:
    from companyos_canary.view.analysis import plain, screen

    run, facts, now = end.run, session.runtime.facts, session.runtime.clock.now()
    lines = screen((run,), now, facts, full=False, step=lambda _: "")
    said, code = _verdict(session, end, kept=kept)
    pictured = [*lines, (), (said,)]
    return base.Answer(
        code=code,
        data=VerifiedRun(
            name=run.name,
            namespace=session.cluster.namespace,
            context=session.cluster.context,
            template=template,
            phase=run.phase,
            message=run.message,
            kept=kept,
            run=judged_run(run),
        ),
        picture=lambda: pictured,
        lines=(*plain(run, full=False), said),
        objects=(run.raw,),
        name=f"analysisrun.argoproj.io/{run.name}",
    )


def _verdict(session: base.Session, end: Verified, *, kept: bool) -> tuple[str, ExitCode]:
    run = end.run
    what = f"AnalysisRun `{run.name}` in {session.place}"
    if run.is_finished:
        message = f": {run.message}" if run.message else ""
        return f"{what} is {run.phase}{message}", ENDS_WITH[run.phase]
    if end.timed_out:
        after = f"it continues until `canary terminate analysisrun {run.name}`" if kept else "it was deleted"
        return f"timed out: {what} is {run.phase or 'Pending'}, and {after}", ExitCode.TIMEOUT
    if end.unseen:
        return f"{what} was created, but no controller has taken it up", ExitCode.UNOBSERVED
    why = f": {end.trouble.message}" if end.trouble else ""
    return f"{what} was created, but its end was not seen{why}", ExitCode.UNOBSERVED


command = base.verb(verify, of_rollout=False)
