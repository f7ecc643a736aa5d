"""`canary resume`: end a pause by hand, and only that."""

from companyos_canary.actions.change import Changed
from companyos_canary.argo.effects import resumed
from companyos_canary.argo.patches.act import resume as decide
from companyos_canary.argo.phase import shown_phase
from companyos_canary.commands import base
from companyos_canary.commands.outcome import CHANGE, changed, verb_with
from companyos_canary.commands.several import Several, several
from companyos_canary.errors import ExitCode, exits
from companyos_canary.model.row import Output

EXAMPLES = (
    "canary resume                          the Rollout of canary.yaml",
    "canary resume companyos-api -n companyos",
    "canary resume web shop                 several at once; or -l team=checkout",
)
OUTPUT = Output((*CHANGE, Several))
EXITS = exits(ExitCode.SUPERSEDED, ExitCode.REFUSED, ExitCode.UNOBSERVED, ExitCode.TIMEOUT)


def resume(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    reason: base.ReasonOption = "",
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = None,
) -> base.Answer:
    """End a pause that `canary pause` began. No step is skipped. To continue after a pause step, use `canary
    promote`."""

    def done(result: Changed) -> str:
        phase = shown_phase(result.after)
        tail = f": {phase.message}" if phase.message else ""
        return f"{result.after.name} in {session.place} is resumed, {phase.word}{tail}"

    verb = verb_with(session, "resume", decide, resumed, reason)
    return changed(session, verb, dry_run=dry_run, no_wait=no_wait, done=done, limit=timeout)


command = base.verb(several(resume))
