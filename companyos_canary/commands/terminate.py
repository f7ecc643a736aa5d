"""`canary terminate`: end an AnalysisRun or an Experiment now."""

from functools import partial
from typing import Annotated

import typer

from companyos_canary.actions.runs import KINDS, ChangedRun, change_runs
from companyos_canary.argo.patches.runs import has_ended, terminated
from companyos_canary.commands import base
from companyos_canary.commands.candidates import CommandLine, running
from companyos_canary.commands.runs import OF_RUNS, kind_and_names, runs_answer
from companyos_canary.errors import ExitCode, exits
from companyos_canary.model.row import Output

EXAMPLES = (
    "canary terminate analysisrun companyos-api-7f6c9d5b54-8-3",
    "canary terminate experiment/compare    as `-o name` prints it",
    "canary terminate analysisrun a b --dry-run",
)
OUTPUT = Output(OF_RUNS)
EXITS = exits(ExitCode.SUPERSEDED, ExitCode.UNOBSERVED, ExitCode.TIMEOUT)


def _offered(line: CommandLine) -> list[tuple[str, str]]:
    """Those that have not ended."""
    kind = KINDS.get(str(line.given.get("what")))
    return running(line, kind) if kind else []


COMPLETIONS = {
    "what": lambda _: [("analysisrun", "end an analysis"), ("experiment", "end an Experiment with its pods")],
    "names": _offered,
}


def terminate(
    session: base.Session,
    what: Annotated[str, typer.Argument(metavar="TYPE", help="analysisrun or experiment")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="what to end")] = None,
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = None,
) -> base.Answer:
    """End an AnalysisRun or an Experiment now, and wait until it has ended.

    What it has measured so far decides its phase. A run that has not failed yet ends as Successful, and the Rollout
    that waits for it continues: to stop the release, use `canary abort`.
    """
    kind, found = kind_and_names(what, names or ())
    session.subject = f"{kind.kind} " + ", ".join(f"`{n}`" for n in found)
    time = session.time(timeout)
    decide = partial(terminated, kind=kind.kind)
    changed = change_runs(session.cluster, kind, found, decide, has_ended, time=time, dry_run=dry_run, wait=not no_wait)

    def done(one: ChangedRun) -> str:
        told = f": {one.after.message}" if one.after.message else ""
        return f"{kind.kind} `{one.after.name}` in {session.place} has ended, {one.after.phase}{told}"

    return runs_answer(session, kind, changed, done, dry_run=dry_run)


command = base.verb(terminate, of_rollout=False)
