"""A changing verb from its decision to its sentence, for verbs with nothing more to them."""

from collections.abc import Callable

from companyos_canary.actions.change import Changed, Verb, change
from companyos_canary.argo.effects import Effect, Seen
from companyos_canary.argo.patches import Change, Decision, with_reason
from companyos_canary.commands.base import Answer, Session
from companyos_canary.commands.requests import sent_answer, would_send
from companyos_canary.errors import ExitCode
from companyos_canary.model.rollout import Rollout


def verb_with(session: Session, name: str, decide: Callable[[Rollout], Decision], effect: Seen, reason: str) -> Verb:
    """A verb that keeps a reason, where one is given, with who gave it."""
    runtime, at = session.runtime, session.runtime.clock.now()
    return Verb(name, lambda live: with_reason(decide(live), name, runtime.user, at, reason), effect)


def changed(session: Session, verb: Verb, *, dry_run: bool, no_wait: bool, done: Callable[[Changed], str]) -> Answer:
    """Runs the verb on the session's Rollout. `done` makes the sentence once the effect is seen."""
    name, place = session.rollout, session.place
    result = change(session.cluster, name, verb, sleep=session.runtime.clock.sleep, dry_run=dry_run, wait=not no_wait)
    if dry_run:
        return would_send(session, result)
    if not isinstance(result.decision, Change):
        return sent_answer(session, result, result.decision.message)
    match result.effect:
        case Effect.SEEN:
            return sent_answer(session, result, done(result))
        case None:
            return sent_answer(session, result, f"the {verb.name} of {name} in {place} was sent")
        case Effect.PENDING | Effect.LOST:
            said = unobserved(session, verb.name)
            return sent_answer(session, result, said, code=ExitCode.UNOBSERVED)
    return sent_answer(
        session,
        result,
        f"the {verb.name} of {name} in {place} was sent, but something else changed it meanwhile; "
        "look with `canary status`",
        code=ExitCode.SUPERSEDED,
    )


def unobserved(session: Session, verb: str) -> str:
    return (
        f"the {verb} of {session.rollout} in {session.place} was accepted, but the controller has "
        "not acted on it; look with `canary status`"
    )
