"""`canary promote`: go on at a pause, and only there."""

from typing import Annotated

import typer

from companyos_canary.argo.effects import promoted
from companyos_canary.argo.patches import promote as decide
from companyos_canary.argo.patches import tag
from companyos_canary.argo.steps import set_weight
from companyos_canary.argo.weight_steps import place_of
from companyos_canary.commands import base
from companyos_canary.commands.changing import changed
from companyos_canary.commands.given import time_limit
from companyos_canary.commands.promoting import Wanted, promote_everything, promote_to
from companyos_canary.errors import ExitCode, UsageError
from companyos_canary.model.rollout import Rollout

EXAMPLES = (
    "canary promote                  the Rollout of canary.yaml goes on",
    "canary promote companyos-api -n companyos --if-revision 8",
    "canary promote --skip-step      end the running step early, its analysis too",
    "canary promote --to-weight 50   pause by pause, never past a running analysis",
    'canary promote --full --reason "fixes the outage"',
)
EXITS = (
    ExitCode.OK,
    ExitCode.FAILED,
    ExitCode.USAGE,
    ExitCode.DEGRADED,
    ExitCode.DENIED,
    ExitCode.NOT_FOUND,
    ExitCode.SUPERSEDED,
    ExitCode.REFUSED,
    ExitCode.UNOBSERVED,
    ExitCode.TIMEOUT,
    ExitCode.INTERRUPTED,
)


def promote(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    skip_step: Annotated[bool, typer.Option("--skip-step", help="end the step that is running")] = False,
    full: Annotated[bool, typer.Option("--full", help="skip everything that is left; wants --reason")] = False,
    to_weight: Annotated[
        int | None, typer.Option("--to-weight", min=1, max=100, help="until the canary has N %")
    ] = None,
    if_step: Annotated[int | None, typer.Option("--if-step", help="only at this step")] = None,
    if_revision: Annotated[int | None, typer.Option("--if-revision", help="only on this revision")] = None,
    reason: base.ReasonOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = None,
) -> base.Answer:
    """Go on at a pause. While a step runs this is refused: a promote would skip it.

    --full skips every step and analysis that is left; it asks at a terminal and needs --yes
    elsewhere.
    """
    limit = time_limit(timeout) if timeout is not None else None
    if sum((full, skip_step, to_weight is not None)) > 1:
        raise UsageError("--full, --skip-step and --to-weight are different things: give one of them")
    wanted = Wanted(if_step, if_revision, reason, dry_run=dry_run, no_wait=no_wait)
    if full:
        return promote_everything(session, wanted, yes=yes, timeout=timeout)
    if to_weight is not None:
        return promote_to(session, wanted, to_weight, limit)
    verb = wanted.verb(session, "promote", lambda live: decide(live, skip_step=skip_step), promoted)
    return changed(
        session,
        verb,
        dry_run=dry_run,
        no_wait=no_wait,
        done=lambda r: f"{r.after.name} in {session.place} goes on: {_now(r.after)}",
    )


def _now(rollout: Rollout) -> str:
    if rollout.blue_green:
        return _blue_green_now(rollout)
    if rollout.current_step is None:
        return "all steps are done, the last pods follow"
    return f"{place_of(rollout)}, {set_weight(rollout)} %"


def _blue_green_now(rollout: Rollout) -> str:
    state = rollout.blue_green
    service = (state and state.active_service) or "the active Service"
    if rollout.is_fully_promoted:
        return f"{service} serves {tag(rollout.image())}"
    run = state.run if state else None
    return f"the analysis {run.name} runs" if run else f"{service} goes over to the preview"


command = base.verb(promote, follows=True)
