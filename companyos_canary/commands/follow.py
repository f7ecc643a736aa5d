"""How `deploy` and `watch` follow a rollout to its end."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.actions import abort
from companyos_canary.actions.change import change
from companyos_canary.actions.deploy import container_of, timeout_of
from companyos_canary.actions.explain import explain_ending
from companyos_canary.actions.follow import Following, follow, identify
from companyos_canary.actions.wait import Time
from companyos_canary.argo import rows
from companyos_canary.argo.effects import aborted
from companyos_canary.argo.endings import UNTIL_HEALTHY, Until, impossible
from companyos_canary.argo.patches.decision import Decision, Nothing
from companyos_canary.argo.phase import shown_phase
from companyos_canary.argo.steps import steps_of
from companyos_canary.commands import scope
from companyos_canary.commands.ci import annotate, publish
from companyos_canary.commands.outcome import verb_with
from companyos_canary.commands.session import Answer, Session
from companyos_canary.commands.shows.lines import JsonLines, Lines, Manner, Show
from companyos_canary.diagnosis.table import seen
from companyos_canary.errors import (
    CanaryError,
    CrdMissing,
    ExitCode,
    Gone,
    Interrupted,
    NotFound,
    Refused,
    TimedOut,
    Unobserved,
)
from companyos_canary.model.abort_on import NEVER, AbortOn
from companyos_canary.model.image import version
from companyos_canary.model.outcome import AbortReason, Diagnosis, Ending
from companyos_canary.model.place import Place
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.ci.summary import ending_report, unobserved_report, warning_report
from companyos_canary.view.format import keyed

_USUAL = Manner()


class Aim(Struct, frozen=True):
    """What is followed, and how far. `timeout` is what the user gave, zero for no end; None for what its steps need.
    The hash is believed once the controller has seen `generation`, and only with the `image` that we set (empty
    where we set none). `sent`: something was changed before."""

    until: Until = UNTIL_HEALTHY
    timeout: timedelta | None = None
    generation: int = 0
    container: str | None = None
    image: str = ""
    sent: bool = False
    manner: Manner = _USUAL
    abort_on: AbortOn = NEVER


def follow_to_the_end(session: Session, live: Rollout, aim: Aim) -> Answer:
    """Follows the Rollout's newest template."""
    if problem := impossible(live, aim.until):
        raise Refused(problem, hint="--until healthy or --until paused")
    place = session.view_place(live)
    show, ending, trouble = _followed(session, live, aim, place)
    if ending is None and (trouble or session.is_over):
        raise trouble or TimedOut(f"timed out: nothing of `{live.name}` was read in time")
    if ending is None:
        return _not_observed(session, live, aim.image, sent=aim.sent)
    publish(session.runtime, session.reporting, ending_report(ending, place))
    for warning in ending.warnings:  # with the verdict again, which rests on it and is the last line
        if session.reporting.ci:
            annotate(session.runtime, session.reporting, warning_report(ending, warning))
        else:
            session.note(warning.message)
    show.end(ending)
    return Answer(
        code=ending.exit_code,
        data=rows.verdict_row(ending, seen(ending.snapshot, ending.at, place)),
        objects=(ending.snapshot.rollout.raw,),
        name=ending.snapshot.rollout.resource,
    )


def _followed(
    session: Session, live: Rollout, aim: Aim, place: Place
) -> tuple[Show, Ending | None, CanaryError | None]:
    """What it was shown by, its ending (None: no controller has taken it up), and why reads failed at last."""
    now = session.runtime.clock.now
    deadline = session.time(aim.timeout).until if aim.timeout is not None else None
    counting = scope.ScopeWatch(session, live.name)
    with (
        _ended_otherwise(live, place),
        closing(session.runtime.feed(session.cluster, live.name)) as feed,
        counting,
        _told_first(session, counting, show_for(session, place, aim.manner, feed.poke)) as show,
    ):
        show.first(live)
        following = Following(
            container=aim.container or container_of(live, place.container),
            until=aim.until,
            timeout=timeout_of(session.cluster, live) if aim.timeout is None else None,
            deadline=deadline,
            attended=session.runtime.attended and session.human,
            generation=aim.generation,
            workload_generation=live.workload_generation or 0,
            uid=live.uid,
            image=aim.image,
            stay=aim.manner.stay,
            abort_on=aim.abort_on,
            abort=lambda reason: _abort(session, live.name, feed.snapshot(), reason),
        )

        def shown(snapshot: Snapshot) -> float | None:
            return show.snapshot(counting.noted(snapshot))

        followed = identify(feed, following, now, shown, show.idle)
        ending = follow(feed, followed, following, now, shown) if followed else None
        if ending is not None:
            if ending.kind == "timeout" and deadline:  # the user's time began with the command
                ending = replace(ending, started_at=session.began)
            ending = counting.ended(replace(ending, why=_why(session, ending, place)))
            show.last(ending)
        return show, ending, feed.trouble


def _told_first(session: Session, counting: scope.ScopeWatch, show: Show) -> Show:
    """What is known at the start is the first thing that is said; in a pipe it is a line of its own. A screen waits for
    no Prometheus: it is asked behind the first frame."""
    if show.draws:
        return show
    counting.begin()
    if not isinstance(show, Lines):
        for warning in counting.warnings:
            session.note(warning.message)
    return show


def _why(session: Session, ending: Ending, place: Place) -> Diagnosis | None:
    """What `canary why` would say; nothing where Ctrl-C comes first."""
    try:
        return explain_ending(session.cluster, ending, place, session.prometheus)
    except (CanaryError, KeyboardInterrupt):
        return None


def _abort(session: Session, name: str, seen: Snapshot | None, reason: AbortReason) -> bool:
    """Aborts the version that was seen, and no other one; what fails is said."""
    runtime, at = session.runtime, session.runtime.clock.now()
    told = f"--abort-on {reason.condition}: {reason.evidence}"

    def decide(live: Rollout) -> Decision:
        if seen is None or live.current_hash != seen.rollout.current_hash:
            return Nothing("another version has taken its place")
        return abort.decide(session.cluster, live, by=runtime.user, now=at, reason=told)

    verb = replace(verb_with(session, "abort", decide, aborted, told), insists=True)
    try:
        change(session.cluster, name, verb, time=Time(runtime.clock.now, runtime.clock.sleep), wait=False)
    except CanaryError as error:
        session.note(f"{told}, but it could not be aborted: {error.message}")
        return False
    session.note(f"aborting: {reason.evidence} (--abort-on {reason.condition})")
    return True


@contextmanager
def _ended_otherwise(live: Rollout, place: Place) -> Iterator[None]:
    """Ctrl-C before there is anything to follow (later it is an ending of its own), and the end of
    the Rollout itself."""
    try:
        yield
    except (CrdMissing, Gone):
        raise
    except NotFound as error:
        raise Gone(f"`{live.name}` was deleted while it was watched") from error
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: the rollout of `{live.name}` continues",
            hint=f"follow it with `{place.command('watch')}`, stop it with `{place.command('abort')}`",
        ) from None


def verdict_lines(
    session: Session, said: str, verdict: str, image: str, code: ExitCode, *, promoted: Rollout | None = None
) -> tuple[str, ...]:
    """The result where nothing was followed: the sentence; in a pipe it goes to stderr, and the
    last line is a verdict there too. `promoted`: the Rollout, where the image has all traffic."""
    if not session.human or session.runtime.facts.terminal:
        return (said,)
    session.note(said)
    shown = version(image) if image else ""
    keys = {}
    if promoted:
        steps = len(steps_of(promoted))
        keys = {"stable": shown, "step": f"{steps}/{steps}" if steps else "", "weight": "100"}
    return (keyed(f"verdict={verdict}", version=shown, **keys, exit=str(int(code))),)


def _not_observed(session: Session, live: Rollout, image: str, *, sent: bool) -> Answer:
    what = f"{live.name} in {session.place} was changed, but"
    if not sent:
        what = f"the newest change of {live.name} in {session.place} is not seen:"
    said = f"{what} no controller has acted on it in 30 s: is Argo Rollouts running?"
    if session.writes_lines:
        raise Unobserved(said)
    publish(session.runtime, session.reporting, unobserved_report(live, shown_phase(live).word, image, said))
    return Answer(
        code=ExitCode.UNOBSERVED,
        data=rows.UnobservedRow(live.name, live.namespace),
        lines=verdict_lines(session, said, "unobserved", image, ExitCode.UNOBSERVED),
        objects=(live.raw,),
        name=live.resource,
    )


def show_for(session: Session, place: Place, manner: Manner, wake: Callable[[], None]) -> Show:
    """The way that fits this run: JSON Lines, a screen on a terminal, lines elsewhere. `wake` ends
    a wait for the next snapshot, from any thread."""
    if session.writes_lines:
        return JsonLines(session, place)
    if not session.human:
        return Show()
    if session.runtime.facts.terminal and not session.reporting.ci:
        from companyos_canary.commands.shows.screen import Screen

        return Screen(session, place, manner, wake)
    return Lines(session, place)
