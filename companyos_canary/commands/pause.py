"""`canary pause`: hold a rollout by hand."""

from companyos_canary.argo.effects import paused
from companyos_canary.argo.patches.act import pause as decide
from companyos_canary.commands import base
from companyos_canary.commands.outcome import CHANGE, changed, verb_with
from companyos_canary.commands.several import Several, several
from companyos_canary.errors import ExitCode, exits
from companyos_canary.model.row import Output

EXAMPLES = (
    "canary pause                           the Rollout of canary.yaml",
    "canary pause companyos-api -n companyos",
    "canary pause -l team=checkout          all with this label",
)
OUTPUT = Output((*CHANGE, Several))
EXITS = exits(ExitCode.SUPERSEDED, ExitCode.REFUSED, ExitCode.UNOBSERVED, ExitCode.TIMEOUT)


def pause(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    reason: base.ReasonOption = "",
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = None,
) -> base.Answer:
    """Hold a rollout where it is: no pod moves and no step ends until `canary resume`.

    A running analysis continues, and can still abort.
    """
    return changed(
        session,
        verb_with(session, "pause", decide, paused, reason),
        dry_run=dry_run,
        no_wait=no_wait,
        limit=timeout,
        done=lambda result: f"{result.after.name} in {session.place} is paused by hand: `canary resume` continues it",
    )


command = base.verb(several(pause))
