"""One run of one verb: what it was given, what it may use, and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from companyos_canary.argo.patches import record_of
from companyos_canary.commands.reporting import Reporting
from companyos_canary.config import Flags, Resolved
from companyos_canary.errors import CanaryError, ConfigError, ExitCode, NotFound, UsageError
from companyos_canary.model.rollout import Rollout
from companyos_canary.runtime import Runtime

if TYPE_CHECKING:
    from companyos_canary.cluster.client import Cluster
    from companyos_canary.config import Settings
    from companyos_canary.view.contract import answers
    from companyos_canary.view.picture import Place


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb found or did. `lines` are the result for people, on stdout; `picture` makes a
    rich renderable in their place on a terminal; `notes` go to stderr. `objects` serve -o yaml,
    `name` serves -o name. `error`: why a part of it is missing; it is told too, and gives the exit
    code."""

    code: ExitCode = ExitCode.OK
    data: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    picture: Callable[[], Any] | None = None
    notes: tuple[str, ...] = ()
    objects: tuple[Mapping[str, Any], ...] = ()
    name: str = ""
    error: CanaryError | None = None


@dataclass
class Session:
    """One run of one verb: where it acts and what it may use. `answered`: its result is already on
    stdout (JSON Lines), only the exit code is left to say."""

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

    @cached_property
    def cluster(self) -> "Cluster":
        return self.runtime.connect(self.resolved, self.runtime.environ, self.request_timeout)

    @property
    def settings(self) -> "Settings":
        """canary.yaml as this environment sees it. Raises where there is none or it is wrong."""
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
        """UsageError where one value is asked for and `flag` goes on without an end."""
        if self.fields:
            raise UsageError(f"--field wants an answer, and {flag} has no end", hint="use -o json")

    @property
    def place(self) -> str:
        """`companyos @ prod-eu`: where this run acts."""
        context = self.cluster.context
        return f"{self.cluster.namespace} @ {context}" if context else self.cluster.namespace

    def place_of(self, rollout: Rollout) -> "answers.Place":
        """The same for machines."""
        return {"rollout": rollout.name, "namespace": rollout.namespace, "context": self.cluster.context}

    def view_place(self, rollout: Rollout) -> "Place":
        """Where this run acts and who deployed, for the view: the Rollout is put into the commands
        that it shows unless canary.yaml names it."""
        from companyos_canary.view.picture import Place

        settings, record = self.resolved.settings, record_of(rollout.annotations)
        images = [c.image for c in rollout.containers]
        here = settings and (settings.rollout, settings.namespace)
        known = here == (rollout.name, rollout.namespace)
        return Place(
            context=self.cluster.context,
            who=record.get("by", "") if record.get("image") in images else "",
            target=None if known else (rollout.name, rollout.namespace),
            container=settings.container if settings else None,
        )

    def note(self, line: str) -> None:
        """Something for people beside the result, on stderr; not with -q."""
        if not self.quiet:
            self.runtime.say_error(line)
