"""`canary sandbox`: a cluster for kubectl and canary, until Ctrl-C."""

import os
import signal
import tempfile
import threading
from pathlib import Path
from typing import Annotated

import typer

from companyos_canary.commands import base
from companyos_canary.errors import ExitCode, UsageError

EXAMPLES = (
    "canary sandbox                         in one terminal; its first line is for the other",
    "canary sandbox --write ./kubeconfig    name the file yourself",
    "canary sandbox --fault 'PATCH 409 x2' --fault 'watch drop'        a bad day",
    "canary sandbox --controllers replicasets    Rollouts are for a controller of yours",
)
#: `rollouts` acts on Rollouts and AnalysisRuns, `replicasets` on ReplicaSets and Deployments.
CONTROLLERS = ("rollouts", "replicasets")
EXITS = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE)


def sandbox(
    session: base.Session,
    write: Annotated[
        str | None, typer.Option("--write", metavar="PATH", help="where the kubeconfig goes")
    ] = None,
    port: Annotated[int, typer.Option("--port", help="0: a free one")] = 0,
    controllers: Annotated[
        str,
        typer.Option(
            "--controllers",
            metavar="LIST",
            help="which of ours act; for what is not listed, run one of yours",
        ),
    ] = ",".join(CONTROLLERS),
    no_controller: Annotated[
        bool, typer.Option("--no-controller", help="none of ours acts; pods get ready all the same")
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="RULE",
            help="[METHOD|verb] [/PATH] EFFECT [xTIMES] [after=N]; an effect is a status code, "
            "429=3 (Retry-After), drop, cut, silence, slow=2s or expire; can be given again",
        ),
    ] = None,
) -> base.Answer:
    """Serve a cluster with Argo Rollouts on this machine until Ctrl-C.

    Nothing in it leaves the machine, nothing of it is kept.
    """
    acting = () if no_controller else _listed(controllers)
    from companyos_canary.sandbox.faults import parse_fault
    from companyos_canary.sandbox.running import Running

    faults = [parse_fault(text) for text in fault or ()]
    namespace = session.flags.namespace or "companyos"
    path = Path(write).resolve() if write else Path(tempfile.mkdtemp(prefix="canary-")) / "config"
    runtime, stop = session.runtime, threading.Event()
    try:
        running = Running(
            port=port, namespaces=(namespace,), controller="rollouts" in acting,
            replicasets="replicasets" in acting, faults=faults,
        )  # fmt: skip
    except OSError as error:
        raise UsageError(f"port {port} cannot be used: {error.strerror}") from error
    try:
        _write(path, running.kubeconfig(namespace))
        runtime.say(f"export KUBECONFIG={path}")
        session.note(f"serving {running.url}, namespace {namespace}; Prometheus is "
                     f"{running.prometheus_url}")  # fmt: skip
        session.note("in another terminal: canary init, canary apply v1.0.0, canary deploy v1.1.0")
        session.note("Ctrl-C ends it")
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        stop.wait()
    except KeyboardInterrupt:
        pass
    finally:
        running.close()
        path.unlink(missing_ok=True)
        if not write:
            path.parent.rmdir()
    return base.Answer(notes=("the sandbox is gone",))


def _listed(text: str) -> tuple[str, ...]:
    """The controllers that a list names; empty for none."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in CONTROLLERS:
            raise UsageError(
                f"the sandbox has no controller `{name}`",
                hint="`--controllers` takes " + ", ".join(f"`{c}`" for c in CONTROLLERS)
                + ", with commas between them",
            )  # fmt: skip
    return names


def _write(path: Path, text: str) -> None:
    """Only its owner may read it: it holds the token."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    path.chmod(0o600)


command = base.verb(sandbox, reads_config=False, forms=("human", "json"))
