"""What a changing verb comes to: its decision, its requests, and the sentence about what was seen."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.actions.change import Changed, Verb, change
from companyos_canary.argo.effects import Effect, Seen
from companyos_canary.argo.patches.decision import Change, Decision, Patch
from companyos_canary.argo.patches.record import with_reason
from companyos_canary.argo.phase import invalid_spec, shown_phase
from companyos_canary.cluster.kinds import DEPLOYMENT, ROLLOUT
from companyos_canary.cluster.requests import patch_request
from companyos_canary.commands.session import Answer, Session
from companyos_canary.errors import ExitCode, exits
from companyos_canary.model.http import Request
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import PhaseWord, Placed, entries


class Sent(Placed, frozen=True, kw_only=True):
    """What was done, and what the Rollout shows now. `sent` is false where there was nothing to
    do, `observed` is true once the effect was seen. `put_back` is the stable version that `abort`
    put back in place of one that the controller had not seen, else null."""

    sent: bool
    observed: bool
    phase: PhaseWord
    message: str
    step_index: int | None
    notes: tuple[str, ...]
    put_back: str | None = None


class RequestRow(Struct, frozen=True):
    """A request of a dry run. `body` is a patch: a list of operations, or an object."""

    method: str
    path: str
    content_type: str
    body: Any

    @classmethod
    def of(cls, request: Request, patch: Patch) -> "RequestRow":
        return cls(request.method, request.target, patch.content_type, patch.body)

    @property
    def lines(self) -> list[str]:
        """As people read it."""
        body = json.dumps(self.body, indent=2, ensure_ascii=False).splitlines()
        return [f"{self.method} {self.path}", f"content-type: {self.content_type}", *body]


class DryRun(Placed, frozen=True, kw_only=True):
    """Nothing was sent."""

    dry_run: Literal[True] = True
    requests: tuple[RequestRow, ...]


CHANGE = (Sent, DryRun)
WAITED = (ExitCode.REFUSED, ExitCode.UNFINISHED, ExitCode.UNOBSERVED, ExitCode.TIMEOUT, ExitCode.INTERRUPTED)
"""Of a verb that may refuse, and waits for what it has begun."""
FOLLOWED_EXITS = exits(ExitCode.DEGRADED, ExitCode.SUPERSEDED, *WAITED)
"""Of a verb that changes a Rollout and follows it to its end."""


def would_send(session: Session, changed: Changed) -> Answer:
    """The answer of a dry run: each request, nothing sent."""
    patches = changed.decision.patches if isinstance(changed.decision, Change) else ()
    requests = tuple(_request(changed.before, patch) for patch in patches)
    lines = [line for request in requests for line in request.lines]
    if not isinstance(changed.decision, Change):
        lines.append(changed.decision.message)
    return Answer(
        data=DryRun(**session.place_of(changed.before), requests=requests),
        lines=tuple(lines),
        notes=("dry run: nothing was sent",),
        objects=tuple(map(entries, requests)),
        name=changed.before.resource,
    )


def sent_answer(session: Session, changed: Changed, sentence: str, *, code: ExitCode | None = None) -> Answer:
    """The answer of a change: what was done, to what, and what the Rollout shows now."""
    if code is None:
        code = ExitCode.UNOBSERVED if changed.effect is Effect.PENDING else ExitCode.OK
    phase = shown_phase(changed.after)
    notes = changed.notes
    if changed.unsure and changed.effect is Effect.SEEN:
        notes = (*notes, f"no answer to it came ({changed.unsure.cause}), but it was made")
    return Answer(
        code=code,
        data=Sent(
            **session.place_of(changed.after),
            sent=bool(changed.sent),
            observed=changed.effect is Effect.SEEN,
            phase=phase.word,
            message=phase.message,
            step_index=changed.after.step_index,
            notes=notes,
        ),
        lines=(sentence,),
        notes=notes,
        objects=(changed.after.raw,),
        name=changed.after.resource,
    )


def _request(rollout: Rollout, patch: Patch) -> RequestRow:
    kind, name = ROLLOUT, rollout.name
    if patch.target == "Deployment":
        kind, name = DEPLOYMENT, str((rollout.workload_ref or {}).get("name"))
    request = patch_request(
        kind, rollout.namespace, name, patch.body, content_type=patch.content_type, subresource=patch.subresource
    )
    return RequestRow.of(request, patch)


def verb_with(session: Session, name: str, decide: Callable[[Rollout], Decision], effect: Seen, reason: str) -> Verb:
    """A verb that keeps a reason, where one is given, with who gave it."""
    runtime, at = session.runtime, session.runtime.clock.now()
    return Verb(name, lambda live: with_reason(decide(live), name, runtime.user, at, reason), effect, reason=reason)


def changed(
    session: Session,
    verb: Verb,
    *,
    dry_run: bool,
    no_wait: bool,
    done: Callable[[Changed], str],
    limit: timedelta | None = None,
) -> Answer:
    """Runs the verb on the session's Rollout. `done` makes the sentence once the effect is seen."""
    name, place = session.rollout, session.place
    result = change(session.cluster, name, verb, time=session.time(limit), dry_run=dry_run, wait=not no_wait)
    if dry_run:
        return would_send(session, result)
    if not isinstance(result.decision, Change):
        return sent_answer(session, result, result.decision.message)
    if result.effect is None:
        return sent_answer(session, result, f"the {verb.name} of {name} in {place} was sent")
    if result.effect is Effect.SEEN:
        return sent_answer(session, result, done(result))
    return unseen(session, result, verb.name)


def unseen(session: Session, changed: Changed, verb: str) -> Answer:
    """The answer where a change was sent, and its effect was not seen. What it was to come to is no fact where another
    change came behind it, or nothing more could be read."""
    lost = changed.trouble is not None or changed.effect in (Effect.OTHER, Effect.REPLACED)
    if lost and isinstance(changed.decision, Change):
        changed = replace(changed, notes=tuple(n for n in changed.notes if n != changed.decision.note))
    said, code = _what_came(changed, f"the {verb} of {session.rollout} in {session.place}")
    return sent_answer(session, changed, said, code=code)


def _what_came(changed: Changed, what: str) -> tuple[str, ExitCode]:
    """One sentence for each way in which the effect of a change is not seen, and its exit code."""
    look, rollout = "look with `canary status`", changed.after
    sent = f"{what} was accepted"
    if changed.unsure:
        sent = f"{what} was sent, but {changed.unsure.cause}: it may have taken effect"
        look += " before you repeat it"
    match changed.effect:
        case Effect.OTHER:
            return f"{what} was sent, but something else changed it meanwhile; {look}", ExitCode.SUPERSEDED
        case Effect.REPLACED:
            return f"{what} was sent, but `{rollout.name}` was deleted and created again; {look}", ExitCode.UNOBSERVED
        case Effect.RETRIED:
            return f"{rollout.name} was retried by someone: its canary serves again; {look}", ExitCode.SUPERSEDED
        case Effect.HELD:
            return f"{sent}, but a pause by hand holds it: `canary resume` ends that", ExitCode.UNOBSERVED
        case Effect.INVALID:
            why = f"the controller does nothing while the spec is invalid: {invalid_spec(rollout)}"
            return f"{sent}, but {why}", ExitCode.UNOBSERVED
    end = f"and no effect has been seen; {look}" if changed.unsure else f"but its effect was not seen; {look}"
    if changed.timed_out:
        return f"timed out: {sent}, {end}", ExitCode.TIMEOUT
    if changed.trouble:
        return f"{sent}, {end}: {changed.trouble.message}", ExitCode.UNOBSERVED
    acted = "and" if changed.unsure else "but"
    return f"{sent}, {acted} the controller has not acted on it; {look}", ExitCode.UNOBSERVED
