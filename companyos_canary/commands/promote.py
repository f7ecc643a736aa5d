"""`canary promote`: go on at a pause, and only there."""

from typing import Annotated

import typer

from companyos_canary.actions.change import Verb, change
from companyos_canary.argo.effects import Effect, promoted
from companyos_canary.argo.patches import Change
from companyos_canary.argo.patches import promote as decide
from companyos_canary.argo.steps import set_weight
from companyos_canary.argo.weight_steps import place_of
from companyos_canary.commands import base
from companyos_canary.commands.requests import sent_answer, would_send
from companyos_canary.errors import ExitCode
from companyos_canary.model.rollout import Rollout

EXAMPLES = (
    "canary promote                     the Rollout of canary.yaml goes on",
    "canary promote companyos-api -n companyos",
    "canary promote --skip-step         end the running step early, its analysis too",
)
EXITS = (
    ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DENIED, ExitCode.NOT_FOUND,
    ExitCode.SUPERSEDED, ExitCode.REFUSED, ExitCode.UNOBSERVED,
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
    changed = change(
        session.cluster, session.rollout, verb, sleep=session.runtime.clock.sleep,
        dry_run=dry_run, wait=not no_wait,
    )  # fmt: skip
    if dry_run:
        return would_send(session, changed)
    name, place = changed.after.name, session.place
    if not isinstance(changed.decision, Change):
        return sent_answer(session, changed, changed.decision.message)
    match changed.effect:
        case Effect.SEEN:
            return sent_answer(
                session, changed, f"{name} in {place} goes on: {_now(changed.after)}"
            )
        case Effect.PENDING:
            return sent_answer(
                session, changed,
                f"the promote of {name} in {place} was accepted, but the controller has not acted "
                "on it; look with `canary status`",
            )  # fmt: skip
        case None:
            return sent_answer(session, changed, f"the promote of {name} in {place} was sent")
    return sent_answer(
        session, changed,
        f"the promote of {name} in {place} was sent, but something else changed it meanwhile; "
        "look with `canary status`",
        code=ExitCode.SUPERSEDED,
    )  # fmt: skip


def _now(rollout: Rollout) -> str:
    if rollout.current_step is None:
        return "all steps are done, the last pods follow"
    return f"{place_of(rollout)}, {set_weight(rollout)} %"


command = base.verb(promote)
