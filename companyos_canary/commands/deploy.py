"""`canary deploy VERSION`: set the image, follow this version to its end."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from companyos_canary.actions import deploy as action
from companyos_canary.actions.abort import is_in_the_way, make_way, not_gone, still_there
from companyos_canary.actions.change import Changed
from companyos_canary.argo.effects import Effect
from companyos_canary.argo.endings import UNTIL_HEALTHY
from companyos_canary.argo.patches.decision import Change
from companyos_canary.argo.phase import shown_phase
from companyos_canary.argo.replicas import rounding
from companyos_canary.argo.rows import FOLLOWED
from companyos_canary.commands import base
from companyos_canary.commands.ci import publish
from companyos_canary.commands.options import AbortOnOption, UntilOption, guarded_by
from companyos_canary.commands.outcome import CHANGE, FOLLOWED_EXITS, sent_answer, unseen, would_send
from companyos_canary.config.settings import image_reference
from companyos_canary.errors import ExitCode, NotFound, Refused, UsageError
from companyos_canary.model import image as images
from companyos_canary.model.abort_on import NEVER, AbortOn
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import Output
from companyos_canary.view.ci.summary import standing_report

if TYPE_CHECKING:
    from companyos_canary.actions.wait import Time

EXAMPLES = (
    "canary deploy v1.2.3                    ship it and follow it",
    'canary deploy v1.2.3 --reason "fixes login" -e prod',
    "canary deploy v1.2.3 --no-wait          do not wait",
    "canary deploy v1.2.3 --until weight=25  exit 0 at 25 %",
)
OUTPUT = Output((*FOLLOWED, *CHANGE))
EXITS = FOLLOWED_EXITS


def deploy(
    session: base.Session,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="image tag, digest or image")],
    rollout: base.RolloutOption = None,
    container: Annotated[str | None, typer.Option("--container", help="container whose image VERSION sets")] = None,
    supersede: Annotated[
        bool, typer.Option("--supersede", help="abort a version in progress, wait for its traffic to go, then ship")
    ] = False,
    release_hold: Annotated[
        bool, typer.Option("--release-hold", help="allow a version that `undo --hold` left, and end the hold")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="set the image even if Argo CD or Flux will put it back")
    ] = False,
    abort_on: AbortOnOption = None,
    until: UntilOption = UNTIL_HEALTHY,
    reason: base.ReasonOption = "",
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.FollowTimeoutOption = None,
) -> base.Answer:
    """Ship a version and follow it until it is stable or rolled back.

    Run the same command again to attach to a version in progress. Without a terminal it exits with 8 if the
    rollout waits for a person.

    A version that `canary undo --hold` left is refused until you pass --release-hold. If Argo CD or Flux
    manages the image, the command prints the change to make in Git, and sends nothing without --force.

    --supersede aborts a version in progress and waits until its traffic is gone before it ships this one, also
    with --no-wait.

    --abort-on aborts it if its pods crash or cannot get their image, or if nothing moves for so long, for as
    long as this command follows it. It goes before `abort_on` of canary.yaml; `none` turns that off.
    """
    image_reference("image", version)
    if no_wait and abort_on:
        raise UsageError("--abort-on and --no-wait exclude each other: no one would look", hint="leave out one of them")
    time, settings = session.time(timeout), session.resolved.settings
    guarded = NEVER if no_wait else guarded_by(settings, abort_on)
    wanted = action.Deploy(
        version=version,
        repository=settings.image if settings else None,
        container=container or session.container,
        supersede=supersede,
        by=session.runtime.user,
        reason=reason,
        release_hold=release_hold,
        force=force,
        until=until,
    )
    changed = _sent(session, wanted, time, dry_run=dry_run, no_wait=no_wait, aborts=guarded != NEVER)
    if dry_run:
        return would_send(session, changed)
    if answer := _without_following(session, changed, wanted, no_wait=no_wait):
        return answer
    return _followed(session, changed, wanted, guarded, timeout)


def _followed(
    session: base.Session, changed: Changed, wanted: action.Deploy, guarded: AbortOn, timeout: timedelta | None
) -> base.Answer:
    from companyos_canary.commands.follow import Aim, follow_to_the_end

    live = changed.after
    for note in filter(None, (*changed.notes, rounding(live) if changed.sent else "")):
        session.note(note)
    aim = Aim(
        until=wanted.until,
        generation=live.generation,
        container=action.running_container(live, wanted.container),
        image=_image(changed, wanted),
        timeout=timeout,
        sent=bool(changed.sent),
        abort_on=guarded,
    )
    return follow_to_the_end(session, live, aim)


def _image(changed: Changed, wanted: action.Deploy) -> str:
    """The image that the Rollout has now in the container that is meant."""
    return changed.after.image(action.container_of(changed.after, wanted.container))


def _without_following(
    session: base.Session, changed: Changed, wanted: action.Deploy, *, no_wait: bool
) -> base.Answer | None:
    """The answer where there is nothing to follow; None where there is."""
    live, image = changed.after, _image(changed, wanted)
    if no_wait:
        return sent_answer(session, changed, f"{images.version(image)} is set on `{live.name}` in {session.place}")
    if isinstance(changed.decision, Change) and changed.effect is not Effect.SEEN:
        return unseen(session, changed, "deploy")
    if isinstance(changed.decision, Change) or not live.is_fully_promoted or not live.observed:
        return None
    from companyos_canary.commands.follow import verdict_lines

    publish(session.runtime, session.reporting, standing_report(live, shown_phase(live).word, image))
    said = f"{changed.decision.message}: nothing to do"
    lines = verdict_lines(session, said, "healthy", image, ExitCode.OK, promoted=live)
    return replace(sent_answer(session, changed, said), lines=lines)


def _sent(
    session: base.Session, wanted: action.Deploy, time: "Time", *, dry_run: bool, no_wait: bool, aborts: bool
) -> Changed:
    """The outcome; of a Rollout that does not exist the hint says which verb installs it."""
    name, settings = session.rollout, session.resolved.settings
    try:
        return _sent_to(session, name, wanted, time, dry_run=dry_run, no_wait=no_wait, aborts=aborts)
    except NotFound as error:
        ours = settings is not None and settings.rollout == name
        if error.exit_code is ExitCode.NOT_FOUND and not error.hint and ours:
            error.hint = f"install it first: `canary apply {wanted.version}`"
        raise


def _sent_to(
    session: base.Session, name: str, wanted: action.Deploy, time: "Time", *, dry_run: bool, no_wait: bool, aborts: bool
) -> Changed:
    """The outcome; with --supersede once the version in progress is gone."""
    first: Changed | None = None
    if wanted.supersede:
        first = _make_way(session, name, wanted, time, follows=not no_wait, dry_run=dry_run)
        wanted = replace(wanted, supersede=dry_run)  # what came meanwhile is not superseded

    def check(live: Rollout) -> None:
        if first is None:
            action.check_rights(session.cluster, live, follows=not no_wait, aborts=aborts)

    cluster = session.cluster
    try:
        changed = action.send_deploy(cluster, name, wanted, time=time, dry_run=dry_run, wait=not no_wait, check=check)
    except Refused:
        if first is not None and first.sent and still_there(cluster.rollout(name), first):
            raise not_gone(first, images.version(wanted.version)) from None
        raise
    return _both(first, changed) if dry_run else changed


def _make_way(
    session: base.Session, name: str, wanted: action.Deploy, time: "Time", *, follows: bool, dry_run: bool
) -> Changed | None:
    """Aborts the version in progress, once nothing speaks against the one that takes its place."""
    planned = action.send_deploy(session.cluster, name, wanted, time=time, dry_run=True, wait=False)
    if not isinstance(planned.decision, Change):
        return None
    runtime, version = session.runtime, images.version(wanted.version)
    if is_in_the_way(planned.before) and not dry_run:
        action.check_rights(session.cluster, planned.before, follows=follows, aborts=True)

    def accepted() -> None:
        session.note(f"the version in progress of {name} in {session.place} is aborted to make way for {version}")

    return make_way(session.cluster, planned, version, by=runtime.user, time=time, dry_run=dry_run, accepted=accepted)


def _both(first: Changed | None, then: Changed) -> Changed:
    """A dry run that shows the requests of both."""
    if first is None or not isinstance(first.decision, Change) or not isinstance(then.decision, Change):
        return then
    return replace(then, decision=replace(then.decision, patches=(*first.decision.patches, *then.decision.patches)))


command = base.verb(deploy, follows=True)
