"""`canary promote`: continue at a pause, and only there."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import typer
from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.actions.change import Changed, Verb, change, resolved_if_possible
from companyos_canary.actions.wait import Time, Waited, wait
from companyos_canary.argo.actions import may_have_stepped, promoted_after, promoted_in_full_by, stepped_between
from companyos_canary.argo.effects import Effect, Seen, full_promote_taken_up, promoted
from companyos_canary.argo.endings import Followed, Until, ended, parse_weight
from companyos_canary.argo.patches.decision import Change, Decision, Nothing, Refusal
from companyos_canary.argo.patches.promote import (
    INCONCLUSIVE,
    another_version,
    began_later,
    created_again,
    may_be_meant_for,
    may_have_begun_since,
    may_have_moved_on,
    moved_on,
    only_if,
    promote_full,
)
from companyos_canary.argo.patches.promote import promote as decide
from companyos_canary.argo.phase import waits_for_a_person
from companyos_canary.argo.skipped import skipped
from companyos_canary.argo.steps import asked_share, place_of, set_weight
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import events_about
from companyos_canary.commands import base
from companyos_canary.commands.outcome import CHANGE, Sent, changed, sent_answer, unseen, verb_with, would_send
from companyos_canary.commands.session import Answer, Session
from companyos_canary.errors import CanaryError, ExitCode, Gone, Refused, UsageError, exits
from companyos_canary.model.image import version
from companyos_canary.model.outcome import EndKind
from companyos_canary.model.quantity import plural
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import OfAll, Output, Percent, Placed, pick
from companyos_canary.model.snapshot import Snapshot

_LOOK = 0.5  # seconds, where the pause is about to end by itself


class Climbed(Struct, frozen=True):
    """How far it came. `kind` None: the time was over, or the effect of `unseen`, a promote, was not
    seen; `promotes` counts those that were."""

    kind: EndKind | None
    rollout: Rollout
    promotes: int
    unseen: Changed | None = None


def promote_to_weight(cluster: Cluster, name: str, weight: float, *, time: Time) -> Climbed:
    """Promotes at each pause and waits for each analysis, until the weight is reached. Raises
    Refused at an analysis without a verdict: that is for a person to judge; and what the last look
    failed with, where it is refused again and again."""
    promotes, until = 0, Until("weight", weight)
    live = cluster.rollout(name)
    if live.blue_green:
        raise Refused(
            f"`{name}` is blue-green: it has no weights",
            hint="`canary promote` moves the active Service to the preview at its pause",
        )
    asked, followed = live, Followed(live.image(), live.current_hash if live.observed else "", "")

    def end(now: Rollout) -> EndKind | None:
        """The hash of a version that the controller has not seen yet is the one that it then gives that template."""
        nonlocal followed
        if not followed.hash and now.observed and now.template == asked.template:
            followed = replace(followed, hash=now.current_hash)
        return ended(now, followed, until, attended=True)

    def judge(now: Rollout) -> Effect:
        return Effect.SEEN if end(now) or (now.observed and waits_for_a_person(now)) else Effect.PENDING

    while True:
        waited = _waited(cluster, judge, live, time)
        live, kind = waited.seen, end(waited.seen)
        if kind is not None or time.over:
            return Climbed(kind, live, promotes)
        if waited.trouble:
            raise waited.trouble
        step = _promote(cluster, live, time, promotes)
        if step.effect not in (Effect.SEEN, Effect.OTHER, None):
            return Climbed(None, step.after, promotes, step)
        if not step.sent:
            time.sleep(_LOOK)
        promotes, live = promotes + bool(step.sent), step.after


def _waited(cluster: Cluster, judge: Callable[[Rollout], Effect], live: Rollout, time: Time) -> Waited[Rollout]:
    """Raises Gone where another Rollout has the name now: its steps are not those that were meant."""
    waited = wait(lambda: cluster.rollout(live.name), judge, live, time=time, patience=None)
    if waited.effect is Effect.REPLACED:
        raise Gone(f"`{live.name}` was deleted and created again while its steps were promoted")
    return waited


def _promote(cluster: Cluster, live: Rollout, time: Time, promotes: int) -> Changed:
    verb = Verb("promote", lambda rollout: decide(rollout, skip_step=False), promoted)
    try:
        if any(c.reason == INCONCLUSIVE for c in live.pause_conditions):
            raise Refused(
                f"an analysis of `{live.name}` was inconclusive: someone has to decide",
                hint="`canary get` shows why; `canary promote` continues without a verdict",
            )
        return change(cluster, live.name, verb, time=time)
    except Refused as error:
        now = cluster.rollout(live.name)
        if now.promote_full and now.current_hash == live.current_hash:  # someone else's: nothing is left to promote
            return Changed(Nothing(error.message), live, now)
        if promotes:
            error.message = f"{error.message} (after {plural(promotes, 'promote')})"
        raise


class _Wanted(Struct, frozen=True):
    """What the flags say about a promote of any form."""

    step: int | None
    revision: int | None
    reason: str
    dry_run: bool
    no_wait: bool

    def verb(self, session: Session, name: str, decide: Callable[[Rollout], Decision], effect: Seen) -> Verb:
        """The verb with its conditions (--if-step, --if-revision) and its reason."""

        def decision(live: Rollout) -> Decision:
            return self.refusal(live) or decide(live)

        return verb_with(session, name, decision, effect, self.reason)

    def refusal(self, live: Rollout) -> Refusal | None:
        return only_if(live, step=self.step, revision=self.revision)


def _here_only(session: Session, decide: Callable[[Rollout], Decision]) -> Callable[[Rollout], Decision]:
    """Decides only about the step that the first look found, and about a pause that was there when
    the command was given: who promotes once means one step."""
    first: list[Rollout] = []

    def decision(live: Rollout) -> Decision:
        first.append(live)
        if another := created_again(live, first[0]):
            return another
        asked = None if session.cluster.written else session.asked_at
        now = asked + (session.runtime.clock.now() - session.began) if asked else None
        refusal = began_later(live, asked, now, first[0])
        if asked and now and (refusal or may_have_begun_since(live, asked)):
            refusal = _by_events(session, live, asked, now) or refusal
        return refusal or decide(live)

    return decision


def _this_version_only(decide: Callable[[Rollout], Decision]) -> Callable[[Rollout], Decision]:
    """Decides only about the version that the first look found, which is the one that a person confirms: another may
    come while they think."""
    first: list[Rollout] = []

    def decision(live: Rollout) -> Decision:
        first.append(live)
        decided = another_version(live, first[0]) or decide(live)
        return (created_again(live, first[0]) or decided) if isinstance(decided, Change) else decided

    return decision


def _by_events(session: Session, live: Rollout, asked: datetime, now: datetime) -> Refusal | None:
    """What the time of the step does not say an Event may: who promoted, or that a step was completed in the same
    second, whoever did it. Without the right to list them it is not known. Where an Event only says that it may be so,
    nothing is sent: one promote means one step, and asking again costs a second."""
    try:
        events = session.cluster.items(events_about(live.namespace, "Rollout", live.name))
    except CanaryError:
        return None
    if found := promoted_after(events, asked):
        return moved_on(live, found.by)
    if stepped_between(events, asked, now):
        return moved_on(live)
    before = may_be_meant_for(live)
    maybe = before is not None and may_have_stepped(events, asked, before + 1)
    return may_have_moved_on(live) if maybe else None


def promote_everything(session: Session, wanted: _Wanted, *, yes: bool, timeout: timedelta | None) -> Answer:
    """Skips all that is left; done when the stable hash is this version's."""
    from companyos_canary.actions.deploy import container_of
    from companyos_canary.commands.follow import Aim, follow_to_the_end, verdict_lines

    if not wanted.reason:
        raise UsageError(
            "--full skips all remaining steps and analyses: give a reason with --reason",
            hint='canary promote --full --reason "…"',
        )
    verb = wanted.verb(session, "promote --full", _this_version_only(promote_full), full_promote_taken_up)
    name, time = session.rollout, session.time(timeout)
    if not wanted.dry_run:
        _ask(session, verb, yes=yes)
    result = change(session.cluster, name, verb, time=time, dry_run=wanted.dry_run, wait=not wanted.no_wait)
    if wanted.dry_run:
        return would_send(session, result)
    going_on = result.after.promote_full and not isinstance(result.decision, Change)
    if not isinstance(result.decision, Change):
        if wanted.no_wait or not going_on:
            return sent_answer(session, result, result.decision.message)
        session.note(result.decision.message)
    if wanted.no_wait:
        return sent_answer(session, result, f"the full promote of {name} was sent")
    live, promoted = (resolved_if_possible(session.cluster, one) for one in (result.after, result.before))
    container = container_of(promoted, session.container)
    image = promoted.image(container)
    if not going_on and result.effect not in (Effect.SEEN, Effect.OTHER):
        answer = unseen(session, result, "full promote")
        verdict = "timeout" if answer.code is ExitCode.TIMEOUT else "unobserved"
        return replace(answer, lines=verdict_lines(session, answer.lines[0], verdict, image, answer.code))
    if result.effect is Effect.OTHER and not live.aborted:
        said = f"the full promote of {name} was sent, but another version replaced it"
        lines = verdict_lines(session, said, "superseded", image, ExitCode.SUPERSEDED)
        return replace(sent_answer(session, result, said, code=ExitCode.SUPERSEDED), lines=lines)
    return follow_to_the_end(session, live, Aim(timeout=timeout, container=container, image=image, sent=True))


def _ask(session: Session, verb: Verb, *, yes: bool) -> None:
    """Says what will be skipped, and asks where someone is there."""
    snapshot = session.cluster.snapshot(session.rollout, events=False)
    if not isinstance(verb.decide(snapshot.rollout), Change):
        return
    seen = _requests_seen(session, snapshot)
    session.note(f"this skips {skipped(snapshot).sentence} of {session.rollout} in {session.place}{seen}")
    if yes:
        return
    if not session.runtime.attended:
        raise UsageError(
            "a full promote needs confirmation, and there is no terminal to ask on", hint="--yes confirms it"
        )
    if not session.runtime.ask("promote it in full?"):
        raise Refused("not confirmed: nothing was sent")


def _requests_seen(session: Session, snapshot: Snapshot) -> str:
    """How much traffic has tested it, where canary.yaml names a Prometheus that answers."""
    from companyos_canary.render.queries import requests_seen

    settings, current = session.resolved.settings, snapshot.current
    if settings is None or current is None or current.created_at is None:
        return ""
    seconds = int((session.runtime.clock.now() - current.created_at).total_seconds()) + 1
    query = requests_seen(settings.scope, current.hash if settings.analysis.by_hash else "", seconds)
    value = session.prometheus(settings.prometheus.url).ask(query).value
    return "" if value is None else f"; about {value:,.0f} requests have tested it so far"


class ClimbedRow(Placed, frozen=True, kw_only=True):
    """`promote --to-weight`: `promotes` counts the pauses that were ended, `promoted_in_full_by` is who else
    promoted it in full meanwhile: `someone` where their name is not known, null where no one did as far as is known."""

    verdict: EndKind
    weight: Percent
    percent: OfAll
    promotes: int
    promoted_in_full_by: str | None


class UnseenClimbRow(Sent, frozen=True, kw_only=True):
    """`promote --to-weight` where the effect of a promote was not seen: what was sent, and how far it had come."""

    verdict: Literal["unobserved", "timeout"]
    weight: Percent
    percent: OfAll
    promotes: int
    promoted_in_full_by: None = None


def promote_to(session: Session, wanted: _Wanted, weight: float, limit: timedelta | None) -> Answer:
    """Pause by pause, until the canary has that weight."""
    from companyos_canary.actions.follow import EXIT

    if wanted.dry_run or wanted.no_wait:
        other = "--dry-run" if wanted.dry_run else "--no-wait"
        raise UsageError(
            f"--to-weight cannot be used with {other}: it promotes at one pause after another, and waits in between",
            hint=f"leave out {other}, or promote at this pause alone, without --to-weight",
        )
    time = session.time(limit)
    live = session.cluster.rollout(session.rollout)
    if refusal := wanted.refusal(live):
        raise Refused(refusal.message, hint=refusal.hint)
    climbed = promote_to_weight(session.cluster, live.name, weight, time=time)
    rollout = climbed.rollout
    how = f" ({plural(climbed.promotes, 'promote')})" if climbed.promotes else ""
    if climbed.unseen:
        said = unseen(session, climbed.unseen, "promote")
        data = pick(
            UnseenClimbRow,
            said.data,
            verdict="timeout" if said.code is ExitCode.TIMEOUT else "unobserved",
            weight=set_weight(rollout),
            percent=asked_share(rollout),
            promotes=climbed.promotes,
            promoted_in_full_by=None,
        )
        return replace(said, data=data, lines=(f"{said.lines[0]}{how}",))
    code = ExitCode.TIMEOUT if climbed.kind is None else EXIT[climbed.kind]
    there = f"{rollout.name} in {session.place}"
    by = _in_full_by(session, live, rollout) if code is ExitCode.OK else ""
    line = _reached(there, live, climbed, by) if code is ExitCode.OK else _missed(there, weight, climbed)
    return Answer(
        code=code,
        data=ClimbedRow(
            **session.place_of(rollout),
            verdict=climbed.kind or "timeout",
            weight=set_weight(rollout),
            percent=asked_share(rollout),
            promotes=climbed.promotes,
            promoted_in_full_by=by or None,
        ),
        lines=(f"{line}{how}",),
        objects=(rollout.raw,),
        name=rollout.resource,
    )


def _in_full_by(session: Session, before: Rollout, live: Rollout) -> str:
    """Who else promoted it in full meanwhile; empty where no one did as far as is known. Without the right to list
    Events only a full promote that is not over yet is seen."""
    if before.is_fully_promoted or not (live.is_fully_promoted or live.promote_full):
        return ""
    by = "someone" if live.promote_full else ""
    try:
        events = session.cluster.items(events_about(live.namespace, "Rollout", live.name))
    except CanaryError:
        return by
    return promoted_in_full_by(live, events, session.asked_at) or by


def _reached(there: str, before: Rollout, climbed: Climbed, by: str) -> str:
    share = asked_share(climbed.rollout)
    if by:
        nothing = "" if climbed.promotes else ", and this command promoted nothing"
        return f"{there} has {share} %: {by} promoted it in full meanwhile{nothing}"
    if climbed.promotes and _passed(before, climbed.rollout) > climbed.promotes:
        return f"{there} has {share} %: someone else promoted it as well"
    if climbed.promotes:
        return f"{there} has {share} %"
    if climbed.rollout.resource_version == before.resource_version:
        return f"{there} already has {share} %: nothing to promote"
    return f"{there} has {share} %: this command promoted nothing"


def _passed(before: Rollout, live: Rollout) -> int:
    """How many pauses that only a promote ends were passed since `before`."""
    end = len(live.steps) if live.is_fully_promoted else live.step_index or 0
    return sum(step.waits_for_a_person for step in live.steps[before.step_index or 0 : end])


def _missed(there: str, weight: float, climbed: Climbed) -> str:
    return f"{there} did not reach {weight} %" + (" in time" if climbed.kind is None else f": {climbed.kind}")


EXAMPLES = (
    "canary promote                  continue the Rollout of canary.yaml",
    "canary promote companyos-api -n companyos --if-revision 8",
    "canary promote --skip-step      end the running step early, its analysis too",
    "canary promote --to-weight 50   pause by pause, never past a running analysis",
    'canary promote --full --reason "fixes the outage"',
)


def _rows() -> tuple[type[Any], ...]:
    from companyos_canary.argo.rows import FOLLOWED

    return (*CHANGE, *FOLLOWED, ClimbedRow, UnseenClimbRow)


OUTPUT = Output(_rows)
EXITS = exits(
    ExitCode.DEGRADED,
    ExitCode.SUPERSEDED,
    ExitCode.REFUSED,
    ExitCode.UNOBSERVED,
    ExitCode.TIMEOUT,
    ExitCode.INTERRUPTED,
)


def promote(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    skip_step: Annotated[bool, typer.Option("--skip-step", help="skip the running step")] = False,
    full: Annotated[bool, typer.Option("--full", help="skip all remaining steps; requires --reason")] = False,
    to_weight: Annotated[
        str | None, typer.Option("--to-weight", metavar="PERCENT", help="promote until the canary has this weight")
    ] = None,
    if_step: Annotated[int | None, typer.Option("--if-step", help="only at this step")] = None,
    if_revision: Annotated[int | None, typer.Option("--if-revision", help="only on this revision")] = None,
    reason: base.ReasonOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")] = False,
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = None,
) -> base.Answer:
    """Continue after a pause. While a step is running this is refused, because it would skip the step.

    --full skips all remaining steps and analyses. It asks for confirmation on a terminal and needs --yes
    elsewhere.
    """
    if sum((full, skip_step, to_weight is not None)) > 1:
        raise UsageError("--full, --skip-step and --to-weight exclude each other")
    wanted = _Wanted(if_step, if_revision, reason, dry_run=dry_run, no_wait=no_wait)
    if full:
        return promote_everything(session, wanted, yes=yes, timeout=timeout)
    if to_weight is not None:
        return promote_to(session, wanted, parse_weight(to_weight, f"--to-weight `{to_weight}`"), timeout)
    here = _here_only(session, lambda live: decide(live, skip_step=skip_step))
    verb = wanted.verb(session, "promote", here, promoted)
    return changed(
        session,
        verb,
        dry_run=dry_run,
        no_wait=no_wait,
        limit=timeout,
        done=lambda r: f"{r.after.name} in {session.place} continues: {_now(r.after)}",
    )


def _now(rollout: Rollout) -> str:
    if rollout.blue_green:
        return _blue_green_now(rollout)
    if rollout.current_step is None:
        return "all steps are done; the last pods are being replaced"
    return f"{place_of(rollout)}, {asked_share(rollout)} %"


def _blue_green_now(rollout: Rollout) -> str:
    state = rollout.blue_green
    service = (state and state.active_service) or "the active Service"
    if rollout.is_fully_promoted:
        return f"{service} serves {version(rollout.image())}"
    run = state.run if state else None
    return f"the analysis {run.name} runs" if run else f"{service} switches to the preview"


command = base.verb(promote, follows=True)
