"""`canary apply`: install or update what canary.yaml represents."""

from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from companyos_canary.actions import apply as action
from companyos_canary.actions import routes
from companyos_canary.actions.change import PATIENCE
from companyos_canary.argo.effects import Effect
from companyos_canary.argo.phase import shown_phase
from companyos_canary.commands import base, scope
from companyos_canary.config import image_reference
from companyos_canary.errors import ExitCode, exits
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import Output, PhaseWord

if TYPE_CHECKING:
    from companyos_canary.actions.wait import Waited


class AppliedObject(Struct, frozen=True):
    kind: str
    name: str
    change: str


class Applied(Struct, frozen=True):
    """`phase` and `message` are null where nothing was waited for; `starts_canary` has a sentence
    for each change that starts one, `from_next_version` for each that counts from the next one."""

    applied: bool
    namespace: str
    context: str
    first: bool
    objects: tuple[AppliedObject, ...]
    starts_canary: tuple[str, ...]
    from_next_version: tuple[str, ...]
    phase: PhaseWord | None
    message: str | None


EXAMPLES = (
    "canary apply v1.0.0                    a first install, until it is available",
    "canary apply                           an update; keeps the live image",
    "canary apply --dry-run                 what would change",
    "canary apply --roll                    apply, and start a canary",
)
OUTPUT = Output((Applied,))
EXITS = exits(
    ExitCode.DEGRADED,
    ExitCode.SUPERSEDED,
    ExitCode.REFUSED,
    ExitCode.UNOBSERVED,
    ExitCode.TIMEOUT,
    ExitCode.INTERRUPTED,
)
LATER = "counts from the next version"
NEW_TEMPLATES = "no canary starts; analyses that begin from now on use the new AnalysisTemplates"
FIRST = "no canary, no analysis: nothing to compare with"


def apply(
    session: base.Session,
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="image tag, digest or image")] = None,
    roll: Annotated[bool, typer.Option("--roll", help="apply even if it starts a canary of a live Rollout")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="take over fields of others; judge by other services; allow a held version")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would change, save nothing")] = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = None,
) -> base.Answer:
    """Install or update Rollout, AnalysisTemplates and Service (server-side apply).

    The live image is kept unless you give a VERSION. A change that would start a canary, or restart the one
    in progress, is refused without --roll. New steps do not start a canary if the rollout is stable; they
    apply from the next version on. Other replicas together with another pod template are refused.
    """
    if version is not None:
        image_reference("image", version)
    settings = session.settings
    time = session.time(timeout)
    planned = action.planned_changes(session.cluster, settings, version, force=force)
    _say_what_routes_need(session, planned)
    action.refuse_what_is_held(planned, force=force)
    if dry_run:
        return _tried(session, planned)
    if not force:
        action.refuse_what_git_has(planned, version)
    scope.refuse(session, settings, force=force)
    if not roll:
        action.refuse_to_roll(planned, settings.rollout)
    if not force:
        action.refuse_both_at_once(planned, version)
    objects = action.send_objects(session.cluster, planned)
    rollout = next(Rollout.from_object(o) for o in objects if o["kind"] == "Rollout")
    if set(planned.words) != {"unchanged"}:
        session.cluster.leave_event(rollout, "apply", "", time.now())
    if not planned.first and not planned.rolling and _judged_otherwise(planned):
        session.note(NEW_TEMPLATES)
    if no_wait:
        return _answer(session, planned, (), applied=True)
    if planned.first:
        session.note(f"the first version of {rollout.name}: {FIRST}")
    patience = None if timeout is not None else settings.progress_deadline
    patience = patience if planned.first else PATIENCE
    waited = action.settle(session.cluster, rollout, time=time, patience=patience, until_healthy=planned.first)
    return _ended(session, planned, waited)


def _say_what_routes_need(session: base.Session, planned: action.Planned) -> None:
    for sentence in (*planned.kept, *routes.what_the_controller_lacks(session.cluster, session.settings)):
        session.note(sentence)


def _tried(session: base.Session, planned: action.Planned) -> base.Answer:
    """What a dry run shows."""
    starts = [f"starts a canary: {action.applied_sentence(c)}" for c in planned.rolling]
    later = [f"{LATER}: {action.applied_sentence(c)}" for c in planned.later]
    if not planned.first and not planned.rolling and _judged_otherwise(planned):
        session.note(NEW_TEMPLATES)
    return _answer(session, planned, (*action.other_changes(planned), *starts, *later), applied=False)


def _judged_otherwise(planned: action.Planned) -> bool:
    """AnalysisTemplates are new or other ones."""
    kinds = (o["kind"] for o in planned.wanted)
    return any(k == "AnalysisTemplate" and w != "unchanged" for k, w in zip(kinds, planned.words, strict=True))


def _ended(session: base.Session, planned: action.Planned, waited: "Waited[Rollout]") -> base.Answer:
    seen = waited.seen
    phase = shown_phase(seen)
    ready = f"{seen.available_replicas}/{seen.replicas} available"
    if waited.effect in (Effect.REPLACED, Effect.OTHER):
        gone = waited.effect is Effect.REPLACED
        then = "then it was deleted and created again" if gone else "something else changed it meanwhile"
        code = ExitCode.UNOBSERVED if gone else ExitCode.SUPERSEDED
        line = f"{seen.name} in {session.place} was applied, but {then}; look with `canary status`"
        return _answer(session, planned, (line,), applied=True, code=code, rollout=seen)
    if waited.effect is Effect.PENDING:
        begun = seen.observed and seen.current_hash and not waited.trouble
        code = ExitCode.TIMEOUT if begun or waited.timed_out else ExitCode.UNOBSERVED
        line = f"{seen.name} in {session.place} is not available yet: {phase.message}, {ready}"
        if waited.trouble:
            line = f"{seen.name} in {session.place} was applied, but its end was not seen: {waited.trouble.message}"
        return _answer(session, planned, (line,), applied=True, code=code, rollout=seen)
    if phase.word == "Degraded":
        line = f"{seen.name} in {session.place} is Degraded: {phase.message}"
        code = ExitCode.DEGRADED
        return _answer(session, planned, (line,), applied=True, code=code, rollout=seen)
    if planned.first:
        line = f"{seen.name} in {session.place} is Healthy, {ready}"
    elif planned.later:
        line = f"{seen.name} in {session.place} is {phase.word}: what changed {LATER}"
    elif planned.rolling and not seen.is_fully_promoted:
        line = "a canary has started: follow it with `canary watch`"
    else:
        line = f"{seen.name} in {session.place} is {phase.word}"
    return _answer(session, planned, (line,), applied=True, rollout=seen)


def _answer(
    session: base.Session,
    planned: action.Planned,
    lines: tuple[str, ...],
    *,
    applied: bool,
    code: ExitCode = ExitCode.OK,
    rollout: Rollout | None = None,
) -> base.Answer:
    named = list(zip(planned.wanted, planned.words, strict=True))
    phase = shown_phase(rollout) if rollout else None
    data = Applied(
        applied=applied,
        namespace=session.cluster.namespace,
        context=session.cluster.context,
        first=planned.first,
        objects=tuple(AppliedObject(o["kind"], o["metadata"]["name"], word) for o, word in named),
        starts_canary=tuple(action.applied_sentence(change) for change in planned.rolling),
        from_next_version=tuple(action.applied_sentence(change) for change in planned.later),
        phase=phase.word if phase else None,
        message=phase.message if phase else None,
    )
    rows = tuple(f"{action.name_of(o)}: {word}" for o, word in named)
    return base.Answer(
        code=code,
        data=data,
        lines=(*rows, *lines),
        objects=planned.dry,
        notes=() if applied else ("dry run: nothing was sent",),
        name="\n".join(f"{o['kind'].lower()}/{o['metadata']['name']}" for o in planned.wanted),
    )


command = base.verb(apply)
