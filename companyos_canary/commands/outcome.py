"""What a changing verb comes to: its decision, its requests, and the sentence about what was seen."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from companyos_canary.actions.change import Changed, Verb, change
from companyos_canary.argo.effects import Effect, Seen
from companyos_canary.argo.patches import Change, Decision, Patch, with_reason
from companyos_canary.argo.phase import shown_phase
from companyos_canary.cluster.client import patch_request
from companyos_canary.cluster.kinds import DEPLOYMENT, ROLLOUT
from companyos_canary.commands.base import Answer, Session
from companyos_canary.errors import ExitCode
from companyos_canary.model.rollout import Rollout

if TYPE_CHECKING:
    from companyos_canary.view.contract import answers


def would_send(session: Session, changed: Changed) -> Answer:
    """The answer of a dry run: each request, nothing sent."""
    patches = changed.decision.patches if isinstance(changed.decision, Change) else ()
    requests = [_request(changed.before, patch) for patch in patches]
    lines = []
    for request in requests:
        lines.append(f"{request['method']} {request['path']}")
        lines.append(f"content-type: {request['content_type']}")
        lines += json.dumps(request["body"], indent=2, ensure_ascii=False).splitlines()
    if not isinstance(changed.decision, Change):
        lines.append(changed.decision.message)
    data: answers.DryRun = {**session.place_of(changed.before), "dry_run": True, "requests": requests}
    return Answer(
        data=data,
        lines=tuple(lines),
        notes=("dry run: nothing was sent",),
        objects=tuple(requests),
        name=f"rollout.argoproj.io/{changed.before.name}",
    )


def sent_answer(session: Session, changed: Changed, sentence: str, *, code: ExitCode | None = None) -> Answer:
    """The answer of a change: what was done, to what, and what the Rollout shows now."""
    if code is None:
        code = ExitCode.UNOBSERVED if changed.effect is Effect.PENDING else ExitCode.OK
    phase = shown_phase(changed.after)
    data: answers.Sent = {
        **session.place_of(changed.after),
        "sent": bool(changed.sent),
        "observed": changed.effect is Effect.SEEN,
        "phase": phase.word,
        "message": phase.message,
        "step_index": changed.after.step_index,
        "notes": list(changed.notes),
        "put_back": None,
    }
    return Answer(
        code=code,
        data=data,
        lines=(sentence,),
        notes=changed.notes,
        objects=(changed.after.raw,),
        name=f"rollout.argoproj.io/{changed.after.name}",
    )


def _request(rollout: Rollout, patch: Patch) -> "answers.Request":
    kind, name = ROLLOUT, rollout.name
    if patch.target == "Deployment":
        kind, name = DEPLOYMENT, str((rollout.workload_ref or {}).get("name"))
    request = patch_request(
        kind, rollout.namespace, name, patch.body, content_type=patch.content_type, subresource=patch.subresource
    )
    return {"method": request.method, "path": request.target, "content_type": patch.content_type, "body": patch.body}


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
