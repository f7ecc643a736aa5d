"""`canary sandbox`: a cluster for kubectl and canary, until Ctrl-C."""

import contextlib
import secrets
import shlex
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from companyos_canary.commands import base
from companyos_canary.errors import ExitCode, UsageError
from companyos_canary.files import bounded
from companyos_canary.model.row import Output, pick
from companyos_canary.view.machine import Code

if TYPE_CHECKING:
    from companyos_canary.sandbox.api.access import Roles
    from companyos_canary.sandbox.faults.effects import Fault, Freeze, RouterLag
    from companyos_canary.sandbox.sandbox import Sandbox


#: `rollouts` acts on Rollouts and AnalysisRuns, `replicasets` on ReplicaSets and Deployments.
CONTROLLERS = ("rollouts", "replicasets")


class Promise(Struct, frozen=True):
    exit: Code
    verdict: str
    metric: str
    deploy: str


class Scenario(Struct, frozen=True):
    name: str
    description: str
    promise: Promise


class Scenarios(Struct, frozen=True):
    scenarios: tuple[Scenario, ...]


class NothingRow(Struct, frozen=True):
    """Its end says nothing more than its exit code."""


def scenarios_listed() -> base.Answer:
    from companyos_canary.sandbox.scenarios import shipped

    found = shipped()
    width = max(len(scenario.name) for scenario in found)
    lines = tuple(
        line
        for scenario in found
        for line in (f"{scenario.name:<{width}}  {scenario.description}", f"{'':<{width}}  {scenario.promise}")
    )
    rows = tuple(pick(Scenario, s, promise=pick(Promise, s.promise)) for s in found if s.promise)
    return base.Answer(lines=lines, data=Scenarios(scenarios=rows))


def controllers_named(text: str) -> tuple[str, ...]:
    """The controllers that a list names; empty for none."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in CONTROLLERS:
            raise UsageError(
                f"the sandbox has no controller `{name}`",
                hint="`--controllers` takes " + ", ".join(f"`{c}`" for c in CONTROLLERS) + ", with commas between them",
            )
    return names


def faults_written(texts: list[str], acting: tuple[str, ...]) -> "list[Fault | Freeze | RouterLag]":
    from companyos_canary.sandbox.faults.effects import Freeze, parse_fault

    found = [parse_fault(text) for text in texts]
    if "rollouts" not in acting and any(isinstance(fault, Freeze) for fault in found):
        from companyos_canary.sandbox.cluster import nothing_to_freeze

        raise nothing_to_freeze()
    return found


def roles_read(file: str, namespace: str) -> "Roles":
    from companyos_canary.sandbox.api.access import read_roles

    try:
        text = bounded(file).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"`{file}` cannot be read: it is not UTF-8 text") from error
    except OSError as error:
        raise UsageError(f"`{file}` cannot be read: {error.strerror}") from error
    return read_roles(text, namespace, file)


EXAMPLES = (
    "canary sandbox                       copy its first line into another terminal",
    "canary sandbox --write ./kubeconfig  name the file",
    "canary sandbox --scenario slow-burn  what versions do; --list names them",
    "canary sandbox --fault 'PATCH 409 x2' --fault 'watch drop'        a bad day",
    "canary sandbox --controllers replicasets   bring your own for Rollouts",
)
OUTPUT = Output((Scenarios, NothingRow))
EXITS = (ExitCode.OK, ExitCode.USAGE)
_OURS = "current-context: sandbox"
_SEEDS = 1_000_000


_Write = Annotated[str | None, typer.Option("--write", metavar="PATH", help="where to write the kubeconfig")]
_Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 = any free port")]
_Controllers = Annotated[
    str, typer.Option("--controllers", metavar="LIST", help="built-in controllers to run; run your own for the others")
]
_Controller = Annotated[
    str,
    typer.Option(
        "--controller",
        metavar="RELEASE",
        help="behave like this Argo Rollouts: 1.9 (v1.9.1), 1.10, or head (the master branch between them)",
    ),
]
_NoController = Annotated[
    bool, typer.Option("--no-controller", help="run no built-in controller; pods still become ready")
]
_Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="RULE",
        help="[METHOD|verb] [/PATH] EFFECT [xTIMES] [after=N]; an effect is a status code, "
        "429=3 (Retry-After), html, drop, cut, truncate, silence, slow=2s, expire, lose, race "
        "or storm; or freeze[=30s]; can be repeated",
    ),
]
_RoleFile = Annotated[
    str | None,
    typer.Option("--role", metavar="FILE", help="limit the token to the Roles and ClusterRoles in this file"),
]
_ScenarioName = Annotated[
    str, typer.Option("--scenario", metavar="NAME|FILE", help="what versions do: a name from --list, or your own .yaml")
]
_Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="NUMBER", help="seed of the random requests [default: a new one, which is printed]"),
]
_Exact = Annotated[
    bool, typer.Option("--exact", help="no randomness: error rates and latencies are exact; excludes --seed")
]
_Prompt = Annotated[
    bool,
    typer.Option(
        "--prompt", help="controllers and pods act at once [default: each takes up to a second, as in a real cluster]"
    ),
]
_List = Annotated[bool, typer.Option("--list", help="list the scenarios and their outcomes, then exit")]


def sandbox(
    session: base.Session,
    write: _Write = None,
    port: _Port = 0,
    controllers: _Controllers = ",".join(CONTROLLERS),
    controller: _Controller = "1.9",
    no_controller: _NoController = False,
    fault: _Faults = None,
    role: _RoleFile = None,
    scenario: _ScenarioName = "default",
    seed: _Seed = None,
    exact: _Exact = False,
    prompt: _Prompt = False,
    list_: _List = False,
) -> base.Answer:
    """Serve a cluster with Argo Rollouts on this machine until Ctrl-C.

    Nothing leaves this machine, and nothing is kept.
    """
    from companyos_canary.sandbox.behaviour import PROMPT, natural, release_named
    from companyos_canary.sandbox.scenarios import find

    if list_:
        return scenarios_listed()
    acting = () if no_controller else controllers_named(controllers)
    if exact and seed is not None:
        raise UsageError("--seed has no effect with --exact", hint="choose one of them")
    release = release_named(controller)
    played = find(scenario, session.runtime.cwd)
    drawn = None if exact else secrets.randbelow(_SEEDS) if seed is None else seed
    faults = faults_written(fault or [], acting)
    from companyos_canary.sandbox.sandbox import Sandbox

    namespace = session.flags.namespace or "companyos"
    roles = roles_read(role, namespace) if role else None
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        stop = stack.enter_context(_until_told())
        path = stack.enter_context(_kubeconfig(session.runtime.cwd, write))
        with _usable(port):
            running = Sandbox(
                port=port,
                namespaces=(namespace,),
                controller="rollouts" in acting,
                replicasets="replicasets" in acting,
                faults=faults,
                roles=roles,
                scenario=played,
                seed=drawn,
                release=release,
                pace=PROMPT if prompt else natural(drawn or 0),
            )
        stack.callback(running.close)
        _write(running, path, namespace)
        session.runtime.say(f"export KUBECONFIG={shlex.quote(str(path))}")
        _tell(session, running.url, namespace, running.prometheus_url, drawn)
        stop.wait()
    return base.Answer(notes=("sandbox stopped",))


@contextlib.contextmanager
def _usable(port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be used: {error.strerror}", hint="omit --port to use a free one"
        ) from error


def _scenarios(_: object) -> list[tuple[str, str]]:
    from companyos_canary.sandbox.scenarios import shipped

    return [(s.name, s.description) for s in shipped()]


def _tell(session: base.Session, url: str, namespace: str, prometheus: str, seed: int | None) -> None:
    session.note(f"serving {url}, namespace {namespace}; Prometheus is {prometheus}")
    if seed is not None:
        session.note(f"the requests are random with seed {seed}; `--seed {seed}` repeats them")
    steps = ("init", "apply v1.0.0", "deploy v1.1.0")
    told = ", ".join(f"{session.runtime.program} {step}" for step in steps)
    session.note(f"in another terminal: {told}")
    session.note("Ctrl-C ends it")


@contextlib.contextmanager
def _until_told() -> Iterator[threading.Event]:
    """Set by SIGTERM, from the first moment on: whatever was made is also taken away then."""
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _kubeconfig(cwd: Path, write: str | None) -> Iterator[Path]:
    """Where the kubeconfig goes; it is gone afterwards. A file that is no sandbox's is refused:
    it would be lost."""
    if write is None:
        with tempfile.TemporaryDirectory(prefix="canary-") as folder:
            yield Path(folder) / "config"
        return
    path = (cwd / write).resolve()
    if path.exists() and _OURS not in path.read_text(errors="replace"):
        raise UsageError(f"`{write}` already exists and was not written by a sandbox", hint="choose another file")
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _write(running: "Sandbox", path: Path, namespace: str) -> None:
    try:
        running.write_kubeconfig(path, namespace)
    except OSError as error:
        raise UsageError(
            f"`{path}` cannot be written: {error.strerror}", hint="name another file with --write"
        ) from error


COMPLETIONS = {"scenario": _scenarios}
command = base.verb(sandbox, reads_config=False, forms=("human", "json"), of_cluster=False)
