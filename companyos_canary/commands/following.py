"""How `deploy` and `watch` show what they follow: a live screen, lines in a pipe, or JSON."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from typing import Any

from companyos_canary.actions.deploy import container_of, parse_timeout, timeout_of
from companyos_canary.actions.follow import Following, follow, identify
from companyos_canary.argo.endings import Until, impossible
from companyos_canary.commands.base import Answer, Session
from companyos_canary.errors import ExitCode, Interrupted, Refused
from companyos_canary.model.outcome import Ending
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view import closing as last_words
from companyos_canary.view import machine, plain
from companyos_canary.view.picture import Place
from companyos_canary.view.plain_pods import unsaid

HEARTBEAT = timedelta(seconds=30)
_REMEMBERED = 50  # lines

Show = Callable[[Snapshot], float | None]
Over = Callable[[Snapshot], None]


def follow_to_the_end(
    session: Session,
    live: Rollout,
    *,
    until: Until,
    timeout: str | None,
    generation: int = 0,
    container: str | None = None,
    image: str = "",
) -> Answer:
    """Follows the Rollout's newest template; `timeout` is the flag as it was written. The hash is
    believed once the controller has seen `generation`, and only with the `image` that we set (empty
    where we set none). Interrupted where Ctrl-C comes before there
    is anything to follow; later it is an ending of its own."""
    if problem := impossible(live, until):
        raise Refused(problem, hint="--until healthy or --until paused")
    place = session.view_place(live)
    try:
        return _follow(session, live, place, until, timeout, generation, container, image)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: the rollout of `{live.name}` goes on",
            hint=f"follow it with `{place.command('watch')}`, stop it with "
            f"`{place.command('abort')}`",
        ) from None


def _follow(
    session: Session,
    live: Rollout,
    place: Place,
    until: Until,
    timeout: str | None,
    generation: int,
    container: str | None,
    image: str,
) -> Answer:
    runtime = session.runtime
    now = runtime.clock.now
    container = container or container_of(live, place.container)
    following = Following(
        container=container,
        until=until,
        timeout=_timeout(session, live, timeout),
        somebody_is_there=runtime.somebody_is_there and session.human,
        generation=generation,
        workload_generation=live.workload_generation or 0,
        image=image,
    )
    with ExitStack() as stack:
        feed = stack.enter_context(closing(runtime.feed(session.cluster, live.name)))
        show, over = _shower(session, stack, place, now)
        followed = identify(feed, following, now, show)
        ending = follow(feed, followed, following, now, show) if followed else None
        if ending is not None:
            over(ending.snapshot)
    if ending is None:
        return _not_observed(session, live)
    _end(session, ending, place)
    return Answer(
        code=ending.exit_code,
        data=machine.ending_data(ending, place=place),
        objects=(ending.snapshot.rollout.raw,),
        name=machine.name(ending.snapshot.rollout),
    )


def _timeout(session: Session, live: Rollout, text: str | None) -> timedelta | None:
    return parse_timeout(text) if text is not None else timeout_of(session.cluster, live)


def _not_observed(session: Session, live: Rollout) -> Answer:
    return Answer(
        code=ExitCode.UNOBSERVED,
        data={"rollout": live.name, "namespace": live.namespace, "observed": False},
        lines=(
            f"{live.name} in {session.place} was changed, but no controller has acted on it in "
            "30 s: is Argo Rollouts running?",
        ),
        objects=(live.raw,),
        name=machine.name(live),
    )


def _shower(
    session: Session, stack: ExitStack, place: Place, now: Callable[[], datetime]
) -> tuple[Show, Over]:
    """What shows a snapshot, and what shows the last one."""
    if session.output == "json" and session.command == "watch":
        return _json_lines(session, place, now), _nothing
    if not session.human or session.quiet:
        return lambda _: None, _nothing
    if session.runtime.facts.terminal:
        return _screen(session, stack, place, now)
    return _plain_lines(session, place, now), _nothing


def _nothing(_: Snapshot) -> None:
    """The last snapshot was shown as all the others."""


def _screen(
    session: Session, stack: ExitStack, place: Place, now: Callable[[], datetime]
) -> tuple[Show, Over]:
    from companyos_canary.view.live import Live
    from companyos_canary.view.screen import screen

    runtime = session.runtime
    live = stack.enter_context(Live(runtime.out, lambda: now().timestamp()))

    def show(snapshot: Snapshot) -> float | None:
        runtime.fit()
        live.update(screen(snapshot, now(), runtime.facts, place=place, leave="Ctrl-C"))
        return live.tick()

    def over(snapshot: Snapshot) -> None:
        live.update(screen(snapshot, now(), runtime.facts, place=place, last=True))

    return show, over


def _plain_lines(session: Session, place: Place, now: Callable[[], datetime]) -> Show:
    last: list[Snapshot] = []
    said, told = [now()], [""]

    def show(snapshot: Snapshot) -> None:
        moment, say = now(), session.runtime.say
        if not last:
            say(plain.opening(session.command, snapshot, moment, place=place))
        changes = plain.lines(last[-1] if last else None, snapshot, moment, place=place)
        lines = unsaid(changes, told)
        if not lines and moment - said[0] >= HEARTBEAT:
            lines = [plain.heartbeat(snapshot, moment, place=place)]
        for line in lines:
            say(line)
            said[0] = moment
        told[:] = [*told, *changes][-_REMEMBERED:]
        last[:] = [snapshot]

    return show


def _json_lines(session: Session, place: Place, now: Callable[[], datetime]) -> Show:
    last: list[Any] = []
    runtime = session.runtime

    def show(snapshot: Snapshot) -> None:
        if last and last[-1] == snapshot:
            return
        data = machine.snapshot_data(snapshot, now(), place=place)
        runtime.say(machine.event_line("snapshot", data, at=now(), seq=runtime.next_seq()))
        last[:] = [snapshot]

    return show


def _end(session: Session, ending: Ending, place: Place) -> None:
    """The last words: sentences for people, a verdict line in a pipe, an event in JSON Lines."""
    runtime = session.runtime
    if session.output == "json" and session.command == "watch":
        data = machine.ending_data(ending, place=place)
        line = machine.event_line("ending", data, at=ending.at, seq=runtime.next_seq())
        runtime.say(line)
        session.answered = True
    elif session.human and runtime.facts.terminal:
        from companyos_canary.view.screen import closing_screen

        runtime.out.print()
        runtime.out.print(closing_screen(ending, runtime.facts, place=place))
    elif session.human:
        for line in last_words.closing_text(ending, runtime.facts, place=place):
            runtime.say(line)
        runtime.say(last_words.verdict_line(ending))
