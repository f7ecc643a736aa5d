"""`canary logs`: what the canary's pods write, or the stable ones'."""

import inspect
import re
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Annotated

import typer

from companyos_canary.actions import logs as action
from companyos_canary.commands import base
from companyos_canary.commands.options import span
from companyos_canary.errors import ExitCode, UsageError
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import LogLine

_LEAST = timedelta(milliseconds=1)
EXAMPLES = (
    "canary logs                            the last 100 lines of each canary pod",
    "canary logs -f --grep 'status=5'       follow; ends when the pods are gone",
    "canary logs --stable --since 10m",
    "canary logs --pod x2k1z --previous     the end of a pod's name will do",
)
EXITS = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DENIED, ExitCode.NOT_FOUND, ExitCode.INTERRUPTED)
_TAIL = 100


def logs(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    stable: Annotated[bool, typer.Option("--stable", help="pods of the stable version")] = False,
    pod: Annotated[str | None, typer.Option("--pod", metavar="POD", help="only this pod, by name or suffix")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="keep printing, also from new pods")] = False,
    previous: Annotated[
        bool, typer.Option("--previous", help="lines of the container before its last restart")
    ] = False,
    since: Annotated[str | None, typer.Option("--since", help="only lines from the last, e.g. 10m")] = None,
    tail: Annotated[
        int | None, typer.Option("--tail", min=-1, help="lines of each pod; -1: all; 100 without --since")
    ] = None,
    container: Annotated[
        str | None, typer.Option("-c", "--container", help="another container than the one that VERSION is for")
    ] = None,
    grep: Annotated[
        str | None, typer.Option("--grep", metavar="REGEX", help="only lines that contain this text")
    ] = None,
) -> base.Answer:
    """Show the logs of the canary's pods in the order of time, with the pod before each line."""
    settings = session.resolved.settings
    usual = None if since else _TAIL
    wanted = action.Wanted(
        stable=stable,
        pod=pod,
        container=container,
        settled=settings.container if settings else None,
        previous=previous,
        since=None if since is None else span(since, "--since", least=_LEAST),
        tail=usual if tail is None else (None if tail < 0 else tail),
        grep=_pattern(grep),
    )
    action.check(wanted, follow=follow)
    if follow:
        session.ends("--follow")
        return _follow(session, wanted)
    from companyos_canary.view import logs as view

    snapshot = session.cluster.snapshot(session.rollout, events=False)
    found = action.read(session.cluster, snapshot, wanted)
    live, facts = snapshot.rollout, session.runtime.facts
    several = found.pods > 1
    return base.Answer(
        data={**session.place_of(live), "lines": [view.record(x) for x in found.lines], "notes": list(found.notes)},
        lines=tuple(view.line(x, facts, prefixed=several) for x in found.lines),
        notes=(*_role_note(snapshot, wanted), *found.notes),
    )


def _role_note(snapshot: Snapshot, wanted: action.Wanted) -> tuple[str, ...]:
    if wanted.stable or wanted.pod or not snapshot.rollout.is_fully_promoted:
        return ()
    return ("no update is in progress: these are the stable pods",)


def _follow(session: base.Session, wanted: action.Wanted) -> base.Answer:
    from companyos_canary.actions.logs_following import Follower
    from companyos_canary.view import logs as view

    runtime, as_json = session.runtime, session.output == "json"
    now = runtime.clock.now

    def show(found: LogLine) -> None:
        if as_json:
            runtime.say_event("log", view.record(found))
        else:
            runtime.say(view.line(found, runtime.facts, prefixed=True))

    name = session.cluster.rollout(session.rollout).name
    with closing(runtime.feed(session.cluster, name)) as feed:
        why = Follower(session.cluster, wanted, now=now, show=show).follow(feed)
    session.answered = as_json
    return base.Answer(notes=(why,))


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text is not None else None
    except re.error as error:
        raise UsageError(
            f"--grep `{text}` is not a regular expression: {error.msg}",
            hint="put a backslash before a character that means itself",
        ) from None


def _f_follows(callback: Callable[..., None]) -> Callable[..., None]:
    """Leaves -f to --follow, as kubectl has it; --file keeps its long name here."""
    only_long = Annotated[str | None, typer.Option("--file", help="canary.yaml to use")]
    signature = inspect.signature(callback)
    changed = [p.replace(annotation=only_long) if p.name == "file" else p for p in signature.parameters.values()]
    callback.__signature__ = signature.replace(parameters=changed)  # type: ignore[attr-defined]
    callback.__annotations__["file"] = only_long
    return callback


command = _f_follows(base.verb(logs, forms=("human", "json")))
