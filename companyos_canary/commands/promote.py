"""`canary promote`: go on at a pause, and only there."""

from typing import Annotated

import typer

from companyos_canary.actions.change import Verb
from companyos_canary.argo.effects import promoted
from companyos_canary.argo.patches import promote as decide
from companyos_canary.argo.steps import set_weight
from companyos_canary.argo.weight_steps import place_of
from companyos_canary.commands import base
from companyos_canary.commands.changing import changed
from companyos_canary.errors import ExitCode
from companyos_canary.model.rollout import Rollout

EXAMPLES = (
    "canary promote                     the Rollout of canary.yaml goes on",
    "canary promote companyos-api -n companyos",
    "canary promote --skip-step         end the running step early, its analysis too",
)
EXITS = (
    ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DENIED, ExitCode.NOT_FOUND,
    ExitCode.SUPERSEDED, ExitCode.REFUSED, ExitCode.UNOBSERVED, ExitCode.INTERRUPTED,
)  # fmt: skip


def promote(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    skip_step: Annotated[
        bool, typer.Option("--skip-step", help="end the step that is running")
    ] = False,
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
) -> base.Answer:
    """Go on at a pause. While a step runs this is refused: a promote would skip it."""
    verb = Verb("promote", lambda live: decide(live, skip_step=skip_step), promoted)
    return changed(
        session, verb, dry_run=dry_run, no_wait=no_wait,
        done=lambda r: f"{r.after.name} in {session.place} goes on: {_now(r.after)}",
    )  # fmt: skip


def _now(rollout: Rollout) -> str:
    if rollout.current_step is None:
        return "all steps are done, the last pods follow"
    return f"{place_of(rollout)}, {set_weight(rollout)} %"


command = base.verb(promote)
