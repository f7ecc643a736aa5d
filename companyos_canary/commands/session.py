"""One run of one verb: where it acts, what it may use, what it answers, and what an error means at its end."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict

from msgspec import Struct

from companyos_canary.argo.actions import Author
from companyos_canary.argo.patches.record import set_by
from companyos_canary.commands.ci import Reporting
from companyos_canary.config import Flags, Resolved
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
from companyos_canary.runtime import Runtime

if TYPE_CHECKING:
    from companyos_canary.actions.wait import Time
    from companyos_canary.cluster.client import Cluster
    from companyos_canary.config import Settings
    from companyos_canary.model.place import Place
    from companyos_canary.model.snapshot import Snapshot
    from companyos_canary.prometheus.client import Prometheus
    from companyos_canary.view.lines import Line


class Answer(Struct, frozen=True):
    """What a verb found or did. `data` is what -o json prints, or a function that makes it. `lines`
    are the result for people, on stdout; `picture` makes the lines that a terminal gets in their
    place; `notes` go to stderr. `objects` serve -o yaml, `name` serves -o name. `error`: why a
    part of it is missing; it is told too, and gives the exit code."""

    code: ExitCode = ExitCode.OK
    data: Any = None
    lines: tuple[str, ...] = ()
    picture: "Callable[[], Sequence[Line]] | None" = None
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


_VERSION = r"v?\d+(\.\d+)*(-[-.a-z0-9]+)?"
_COMMAND = (
    r"`canary (abort|analysis|deploy|events|get|history|links|logs|metrics|pause|promote|restart|resume|retry|status"
    r"|undo|watch|why)((?: (?!NAME|-n |--rollout|--help|-h|-l |ro/)[^` ]+)*)`"
)
"""A command about one Rollout that does not say which."""


class Session(Struct, dict=True):
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
        cluster.author = lambda: Author(runtime.user, runtime.host())
        return cluster

    def prometheus(self, address: str, settings: "Settings | None" = None) -> "Prometheus":
        """The one at this address, asked as the `settings` say; by default those of the Rollout that is meant."""
        return self.runtime.prometheus(self.cluster, settings or self.resolved.settings, address)

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

    @property
    def container(self) -> str | None:
        """The container whose image is the version, where canary.yaml is about this Rollout."""
        settings = self.resolved.settings
        return settings.container if settings else None

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

        settings = self.resolved.settings
        known = settings and (settings.rollout, settings.namespace) == (rollout.name, rollout.namespace)
        return Place(
            context=self.cluster.context,
            who=set_by(rollout),
            target=None if known else (rollout.name, rollout.namespace),
            container=self.container,
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
            *flags.identity.options,
        )
        words = [word for option, value in given if value for word in (option, value)]
        if not words:
            return ""
        import shlex

        return shlex.join(words)

    def addressed(self, text: str) -> str:
        """The text with commands that run as they stand: with the Rollout unless canary.yaml names it,
        and with the options that lead to it."""
        if "`canary " not in text or (not self.resolved.rollout and "rollout" not in vars(self)):
            return text
        from companyos_canary.model.place import Place

        namespace = self.resolved.namespace or ("cluster" in vars(self) and self.cluster.namespace)
        target = None if self.resolved.settings or not namespace else (self.rollout, str(namespace))
        place = Place(target=target, options=self.options)
        return re.sub(_COMMAND, lambda m: f"`{place.command(m[1], (m[2] or '').strip())}`", text)

    def note(self, line: str) -> None:
        """Something for people in addition to the result, on stderr; not with -q."""
        if not self.quiet:
            self.runtime.say_error(self.named(self.addressed(line)))

    def named(self, line: str) -> str:
        """The line with the Rollout's name, where it is among those of others."""
        silent = self.one_of_several and self.rollout not in line
        return f"{self.rollout}: {line}" if silent else line


def explained(session: "Session", error: NotFound) -> NotFound:
    """The same error, or a better one, for a Rollout that is not there; what may not be read for
    that is left out. Any other NotFound stays as it is."""
    name = session.resolved.rollout
    if not name or f"Rollout `{name}` not found" not in error.message:
        return error
    from companyos_canary.cluster.kinds import NAMESPACE

    cluster = session.cluster
    try:
        names = cluster.rollout_names()
        if not names and cluster.object(NAMESPACE, cluster.namespace) is None:
            return NotFound(
                f"namespace `{cluster.namespace}` does not exist", hint="choose one with -n, or create it first"
            )
    except CanaryError:
        return error
    hint = error.hint or _others(names)
    if re.fullmatch(_VERSION, name):
        version = f"and the version with `--to {name}`" if session.command == "undo" else "not a version"
        hint = f"give the name of a Rollout, {version}; {_others(names)}"
    return NotFound(error.message, hint=near(name, names, hint))


def permitted(snapshot: "Snapshot", plural: str) -> None:
    """Raises Forbidden if nothing is there because it may not be listed."""
    if denied := snapshot.denied(plural):
        raise Forbidden(denied)


def _others(names: tuple[str, ...]) -> str:
    if not names:
        return "choose the namespace with -n; `canary apply VERSION` installs a Rollout"
    more = "" if len(names) <= 5 else f" and {len(names) - 5} more"
    return "there is " + ", ".join(f"`{n}`" for n in names[:5]) + more


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
