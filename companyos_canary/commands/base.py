"""What every verb has in common: how it is called, and how its answer is printed.

A verb's module has `EXAMPLES`, `EXITS`, `OUTPUT` (the rows that it prints) and `command = verb(function)`; the
function takes a Session and its own flags and returns an Answer.
"""

import inspect
import os
import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict

import typer

from companyos_canary.argo.actions import Author
from companyos_canary.argo.patches.record import record_of
from companyos_canary.commands.ci import OPTIONS, Reporting, reporting
from companyos_canary.commands.options import (
    COMMON,
    FORMATS,
    DryRunOption,
    FollowTimeoutOption,
    NoWaitOption,
    ReasonOption,
    RolloutArgument,
    RolloutOption,
    TimeoutOption,
    as_text,
    check_options,
    names_of,
    parsers,
)
from companyos_canary.config import Flags, Resolved, owned_by_another, resolve
from companyos_canary.errors import (
    CanaryError,
    ConfigError,
    ExitCode,
    Forbidden,
    Gone,
    Interrupted,
    NotFound,
    TimedOut,
    Unobserved,
    UsageError,
    near,
)
from companyos_canary.model.rollout import Rollout, place_text
from companyos_canary.runtime import ReaderGone, Runtime

if TYPE_CHECKING:
    from companyos_canary.actions.wait import Time
    from companyos_canary.cluster.client import Cluster
    from companyos_canary.config import Settings
    from companyos_canary.model.place import Place
    from companyos_canary.model.snapshot import Snapshot


def explained(session: "Session", error: NotFound) -> NotFound:
    """The same error, or a better one, for a Rollout that is not there; what may not be read for
    that is left out. Any other NotFound stays as it is."""
    name = session.resolved.rollout
    if not name or f"Rollout `{name}` not found" not in error.message:
        return error
    cluster = session.cluster
    try:
        names = cluster.rollout_names()
        if not names and cluster.object("v1", "namespaces", cluster.namespace) is None:
            return NotFound(
                f"namespace `{cluster.namespace}` does not exist", hint="choose one with -n, or create it first"
            )
    except CanaryError:
        return error
    return NotFound(error.message, hint=near(name, names, error.hint or _others(names)))


def permitted(snapshot: "Snapshot", plural: str) -> None:
    """Raises Forbidden if nothing is there because it may not be listed."""
    if denied := snapshot.denied(plural):
        raise Forbidden(denied)


def _others(names: tuple[str, ...]) -> str:
    if not names:
        return "choose the namespace with -n; `canary apply VERSION` installs a Rollout"
    more = "" if len(names) <= 5 else f" and {len(names) - 5} more"
    return "there is " + ", ".join(f"`{n}`" for n in names[:5]) + more


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb found or did. `data` is what -o json prints, or a function that makes it. `lines`
    are the result for people, on stdout; `picture` makes a rich renderable in their place on a
    terminal; `notes` go to stderr. `objects` serve -o yaml, `name` serves -o name. `error`: why a
    part of it is missing; it is told too, and gives the exit code."""

    code: ExitCode = ExitCode.OK
    data: Any = None
    lines: tuple[str, ...] = ()
    picture: Callable[[], Any] | None = None
    notes: tuple[str, ...] = ()
    objects: tuple[Mapping[str, Any], ...] = ()
    name: str = ""
    error: CanaryError | None = None

    @property
    def content(self) -> Any:
        return self.data() if callable(self.data) else self.data


class Where(TypedDict):
    """Where a verb acted, as its answer says it."""

    rollout: str
    namespace: str
    context: str


_COMMAND = re.compile(
    r"`canary (abort|analysis|deploy|events|get|history|links|logs|metrics|pause|promote|restart|resume|retry|status"
    r"|undo|watch|why)((?: (?!NAME|-n |--rollout|--help|-h|-l |ro/)[^` ]+)*)`"
)
"""A command about one Rollout that does not say which."""


@dataclass
class Session:
    """One run of one verb: where it acts and what it may use. `answered`: its result is already on
    stdout (JSON Lines), only the exit code is left to say. `names` are those of the command line;
    `one_of_several`: the command runs for others next to this one. `of_rollout` is false for a verb that acts on
    something else, its `subject`."""

    runtime: Runtime
    command: str
    flags: Flags
    resolved: Resolved
    output: str
    verbose: bool
    quiet: bool
    request_timeout: float
    reporting: Reporting
    fields: tuple[str, ...] = ()
    answered: bool = False
    names: tuple[str, ...] = ()
    one_of_several: bool = False
    of_rollout: bool = True
    subject: str = ""

    def __post_init__(self) -> None:
        self.began = self.runtime.clock.now()
        self.until: datetime | None = None

    @property
    def asked_at(self) -> datetime:
        """When the command was given, by the server's clock as far as ours differs from it. That one
        is reported in whole seconds."""
        now, server = self.runtime.clock.now(), self.cluster.server_time
        differs = server is not None and abs(server - now) > timedelta(seconds=2)
        return self.began + (server - now) if server and differs else self.began

    @property
    def is_over(self) -> bool:
        """The time that the user gave is over."""
        return self.until is not None and self.runtime.clock.now() >= self.until

    @cached_property
    def cluster(self) -> "Cluster":
        runtime = self.runtime
        cluster = runtime.connect(self.resolved, runtime.environ, self.request_timeout)
        cluster.author = Author(runtime.user, runtime.host())
        return cluster

    def time(self, limit: timedelta | None) -> "Time":
        """The clock of this run. `limit` bounds all of it from its first moment, each request too;
        None or zero for no end."""
        from companyos_canary.actions.wait import Time

        clock = self.runtime.clock
        self.until = self.began + limit if limit else None
        time = Time(clock.now, clock.sleep, self.until)
        self.cluster.left = time.left
        return time

    @property
    def settings(self) -> "Settings":
        """canary.yaml as this environment sees it. Raises if there is none or it is wrong."""
        if self.resolved.problem:
            raise self.resolved.problem
        if self.resolved.file is None:
            raise ConfigError("no canary.yaml here or in a folder above", hint="write one with `canary init`")
        return self.resolved.file

    @cached_property
    def rollout(self) -> str:
        """The Rollout's name: flag, file, or the only one in the namespace (one request)."""
        if self.resolved.rollout:
            return self.resolved.rollout
        if self.resolved.problem:
            raise self.resolved.problem
        names = self.cluster.rollout_names()
        if len(names) == 1:
            return names[0]
        if not names:
            how = "--rollout NAME" if self.command == "deploy" else "NAME"
            raise NotFound(
                f"no Rollout in namespace `{self.cluster.namespace}`, and no canary.yaml names one",
                hint=f"name it (`canary {self.command} {how} -n NAMESPACE`) or start with `canary init`",
            )
        raise UsageError(
            f"which Rollout of namespace `{self.cluster.namespace}`?",
            hint="one of " + ", ".join(f"`{n}`" for n in names[:8]),
        )

    @property
    def writes_lines(self) -> bool:
        """JSON Lines in the place of one envelope."""
        return self.output == "json" and self.command == "watch"

    @property
    def human(self) -> bool:
        return self.output == "human"

    def ends(self, flag: str) -> None:
        """UsageError if one value is asked for and `flag` continues without an end."""
        if self.fields:
            raise UsageError(f"--field cannot be used with {flag}, which never ends", hint="use -o json")

    @property
    def place(self) -> str:
        """`companyos @ prod-eu`: where this run acts."""
        return place_text(self.cluster.namespace, self.cluster.context)

    def place_of(self, rollout: Rollout) -> Where:
        """The same for machines."""
        return {"rollout": rollout.name, "namespace": rollout.namespace, "context": self.cluster.context}

    def view_place(self, rollout: Rollout) -> "Place":
        """Where this run acts and who deployed, for the view: the Rollout is put into the commands
        that it shows unless canary.yaml names it."""
        from companyos_canary.model.place import Place

        settings, record = self.resolved.settings, record_of(rollout.annotations)
        images = [c.image for c in rollout.containers]
        here = settings and (settings.rollout, settings.namespace)
        known = here == (rollout.name, rollout.namespace)
        return Place(
            context=self.cluster.context,
            who=record.get("by", "") if record.get("image") in images else "",
            target=None if known else (rollout.name, rollout.namespace),
            container=settings.container if settings else None,
            options=self.options,
        )

    @property
    def options(self) -> str:
        """The options that a command needs to reach the same cluster and environment."""
        flags = self.flags
        given = (
            ("-e", flags.env),
            ("--file", flags.file),
            ("--context", flags.context),
            ("--kubeconfig", flags.kubeconfig),
        )
        return " ".join(f"{option} {shlex.quote(value)}" for option, value in given if value)

    def addressed(self, text: str) -> str:
        """The text with commands that run as they stand: with the Rollout unless canary.yaml names it,
        and with the options that lead to it."""
        if "`canary " not in text or (not self.resolved.rollout and "rollout" not in vars(self)):
            return text
        from companyos_canary.model.place import Place

        namespace = self.resolved.namespace or ("cluster" in vars(self) and self.cluster.namespace)
        target = None if self.resolved.settings or not namespace else (self.rollout, str(namespace))
        place = Place(target=target, options=self.options)
        return _COMMAND.sub(lambda m: f"`{place.command(m[1], (m[2] or '').strip())}`", text)

    def note(self, line: str) -> None:
        """Something for people in addition to the result, on stderr; not with -q."""
        if not self.quiet:
            self.runtime.say_error(self.named(self.addressed(line)))

    def named(self, line: str) -> str:
        """The line with the Rollout's name, where it is among those of others."""
        silent = self.one_of_several and self.rollout not in line
        return f"{self.rollout}: {line}" if silent else line


__all__ = [
    "COMMON",
    "Answer",
    "DryRunOption",
    "FollowTimeoutOption",
    "NoWaitOption",
    "ReasonOption",
    "RolloutArgument",
    "RolloutOption",
    "Session",
    "TimeoutOption",
    "show",
    "verb",
]


def verb(
    function: Callable[..., Answer],
    *,
    reads_config: bool = True,
    forms: tuple[str, ...] = FORMATS,
    follows: bool = False,
    of_rollout: bool = True,
) -> Callable[..., None]:
    """A Typer callback from a verb's function: its own flags plus the common ones. Without
    `reads_config` canary.yaml is not looked for, so a broken one is no obstacle. `forms`: what -o
    may be, checked before anything is done. `follows`: it may follow a rollout, and reports to a
    CI system. `of_rollout`: it acts on a Rollout."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    parsed = parsers(own)
    keyword = inspect.Parameter.KEYWORD_ONLY
    context = inspect.Parameter("ctx", keyword, annotation=typer.Context)
    shared = (*OPTIONS, *COMMON) if follows else COMMON
    common = [inspect.Parameter(n, keyword, annotation=a, default=d) for n, a, d in shared]

    def callback(ctx: typer.Context, **given: Any) -> None:
        options = {name: given.pop(name) for name, _, _ in shared}
        command = ctx.info_name or ""
        telling = reporting(ctx.obj, command, options) if follows else nullcontext(Reporting())
        with telling as reports:
            names = names_of(given.pop("rollout", None))
            check_options(command, options, names, forms)
            given |= {n: p.parse(given[n]) for n, p in parsed.items() if given[n] is not None}
            _finish(ctx.obj, command, options, reports, names, given, function, reads_config, of_rollout)

    parameters = [context, *(as_text(p, parsed.get(p.name)).replace(kind=keyword) for p in own), *common]
    callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    callback.__annotations__ = {p.name: p.annotation for p in parameters}
    callback.__doc__ = function.__doc__
    callback.__name__ = function.__name__
    callback.forms = forms  # type: ignore[attr-defined]
    return callback


def _finish(
    runtime: Runtime,
    command: str,
    options: Mapping[str, Any],
    reports: Reporting,
    names: tuple[str, ...],
    given: Mapping[str, Any],
    function: Callable[..., Answer],
    reads_config: bool,
    of_rollout: bool,
) -> NoReturn:
    runtime.no_color = options["no_color"]
    flags = Flags(
        rollout=names[0] if len(names) == 1 else None,
        namespace=options["namespace"],
        context=options["context"],
        kubeconfig=options["kubeconfig"],
        env=options["env"],
        file=options["file"],
    )
    session = Session(
        runtime=runtime,
        command=command,
        flags=flags,
        resolved=resolve(flags, runtime.environ, runtime.cwd) if reads_config else Resolved(),
        output=options["output"] if not options["field"] else "field",
        verbose=options["verbose"],
        quiet=options["quiet"],
        request_timeout=options["request_timeout"],
        reporting=reports,
        fields=tuple(options["field"] or ()),
        names=names,
        of_rollout=of_rollout,
    )
    if session.verbose:
        for setting, origin in session.resolved.origins.items():
            runtime.say_error(f"{setting}: {origin}")
        if (file := session.resolved.file) and not session.resolved.settings:
            shown = file.path.name if file.path else "canary.yaml"
            runtime.say_error(f"`{shown}` is about `{file.rollout}` and was not used for this Rollout")
    path = session.resolved.file.path if session.resolved.file and session.flags.file is None else None
    if path and (owner := owned_by_another(path, runtime.cwd, os.geteuid())):
        session.note(f"`{path}` belongs to {owner}, and decides what this command does")
    several = len(names) > 1 or given.get("selector") is not None
    changes = given.get("dry_run") is False  # a verb that changes something, and not for show
    try:
        if changes and not several:
            _say_where(session)
        show(session, function(session, **given))
    except CanaryError as error:
        told = final(session, error, changes=changes)
        told.message, told.hint = session.addressed(told.message), session.addressed(told.hint)
        raise told from error
    except BrokenPipeError as error:  # click would end these two with codes of its own, silently
        raise ReaderGone from error
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted{sent_of(session, ': ') if changes else ''}") from None


def final(session: Session, error: CanaryError, *, changes: bool) -> CanaryError:
    """What an error means at the end of a run. Once a change was accepted it is not an error of that
    change: it says what was sent, and that its end was not seen."""
    if type(error) is Interrupted or error.exit_code not in _OF_THE_WAY or isinstance(error, Gone):
        return error
    sent = sent_of(session) if changes else ""
    if session.is_over:
        return TimedOut(f"timed out: {sent + '; ' if sent else ''}{error.message}", hint=error.hint)
    if sent:
        look = "look with `canary status`" if session.of_rollout else ""
        return Unobserved(f"{sent}, but its end was not seen: {error.message}", hint=look)
    return explained(session, error) if isinstance(error, NotFound) else error


def sent_of(session: Session, before: str = "") -> str:
    """What was sent and continues; empty if nothing was."""
    if "cluster" not in vars(session) or not session.cluster.written:
        return ""
    what = f"`{session.rollout}`" if session.of_rollout else session.subject
    return f"{before}the {session.command} of {what} was sent and continues"


_OF_THE_WAY = (ExitCode.FAILED, ExitCode.DENIED, ExitCode.NOT_FOUND)


def _say_where(session: Session) -> None:
    """Where a change goes, if the user did not name it: a short flag may mean production, and what
    is there alone may be another team's."""
    settings, environ = session.resolved.settings, session.runtime.environ
    named = settings.environment if settings else session.flags.env or environ.get("CANARY_ENV")
    if named:
        what = f"on {session.resolved.rollout} " if session.of_rollout else ""
        session.note(f"acting {what}in {session.place} (environment {named})")
    elif session.of_rollout and not session.resolved.rollout:
        session.note(f"acting on {session.rollout}, the only Rollout in {session.place}")


def show(session: Session, answer: Answer) -> NoReturn:
    """Prints an answer in the form that was asked for, and ends with its exit code."""
    if session.verbose and "cluster" in vars(session):
        for field in session.cluster.unread:
            session.runtime.say_error(f"not read, as it holds something else than it can: {field}")
    error = answer.error
    if error:
        answer = replace(answer, code=error.exit_code)
    for note in answer.notes:
        session.note(note)
    code = answer.code
    if session.fields and not session.answered:
        from companyos_canary.commands.fields import show_fields

        code = show_fields(session, answer)
    elif not session.answered:
        _print(session, answer)
    if error:
        session.runtime.fail(error, as_json=False, command=session.command)
    raise typer.Exit(int(code))


def _print(session: Session, answer: Answer) -> None:
    runtime = session.runtime
    if session.output == "json":
        from companyos_canary.view.machine import envelope, error_entry

        told = [error_entry(answer.error)] if answer.error else []
        runtime.say(envelope(session.command, answer.code, answer.content, told))
    elif session.output == "yaml":
        from companyos_canary.render.templates import to_yaml

        runtime.write(to_yaml(answer.objects))
    elif session.output == "name":
        if answer.name:
            runtime.say(answer.name)
    elif answer.picture is not None and runtime.facts.terminal:
        runtime.out.print(answer.picture())
    else:
        for line in answer.lines:
            runtime.tell(session.addressed(line))
