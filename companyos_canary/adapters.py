"""The real world of a run: a cluster, what follows a Rollout, Prometheus, a keyboard, threads.

A test has others in their place (`Runtime`). What is heavy is imported when it is made.
"""

import gc
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from companyos_canary.cluster.client import Cluster
    from companyos_canary.cluster.feed import Feed
    from companyos_canary.config import Resolved, Settings
    from companyos_canary.delivery.message import Parcel
    from companyos_canary.keyboard import Keyboard
    from companyos_canary.model.http import Response
    from companyos_canary.prometheus.client import Prometheus


def connect(resolved: "Resolved", environ: Mapping[str, str], timeout: float) -> "Cluster":
    from companyos_canary.cluster import credentials
    from companyos_canary.cluster.client import Cluster

    found = credentials.open_transport(
        resolved.kubeconfig, resolved.context, environ=environ, timeout=timeout, identity=resolved.identity
    )
    namespace = resolved.namespace or found.namespace
    cluster = Cluster(found.transport, namespace, found.context, timeout=timeout)
    cluster.together = in_threads
    return cluster


def feed(cluster: "Cluster", rollout: str) -> "Feed":
    from companyos_canary.cluster.feed import WatchFeed

    _collect_again()
    return WatchFeed(cluster, rollout, now=lambda: datetime.now(UTC))


_USUAL = 700  # Python's own threshold


def _collect_again() -> None:
    """A short verb collects nothing (`__main__.py`). One that follows may run for days: it collects what it no longer
    needs, and does not look through what it has loaded each time."""
    if gc.get_threshold()[0] > _USUAL:
        gc.freeze()
        gc.set_threshold(_USUAL)


def prometheus(cluster: "Cluster", settings: "Settings | None", address: str) -> "Prometheus":
    """`address` is the one that the controller asks; canary.yaml's `cli_url` goes before it. It may take
    as long as any request."""
    from companyos_canary.prometheus.client import Prometheus, automatic

    if settings and settings.prometheus.cli_url != "auto":
        return Prometheus(settings.prometheus.cli_url, timeout=cluster.timeout)
    return automatic(address, cluster.transport, cluster.namespace, timeout=cluster.timeout)


def carry_out(parcel: "Parcel", timeout: float) -> "Response":
    """One parcel of a message: to a service's API, or to a mail server."""
    from companyos_canary.delivery import transport

    return transport.transmit(parcel, timeout)


def keyboard(stdin: TextIO, wake: Callable[[], None]) -> "Keyboard":
    from companyos_canary.keyboard import TerminalKeyboard

    return TerminalKeyboard(stdin, wake)


def in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def in_threads(works: Sequence[Callable[[], None]]) -> None:
    """Ctrl-C leaves them: they are no reason to stay."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def host() -> str:
    """The name of this machine, without its domain; in a container that of the pod or job."""
    return os.uname().nodename.partition(".")[0]


def terminal_size() -> tuple[int, int]:
    size = shutil.get_terminal_size()
    return size.columns, size.lines


def program(environ: Mapping[str, str], cwd: Path, started_as: str, python: str) -> str:
    """How a shell in `cwd` calls this program: by its name where PATH leads to it, else by the path
    of `started_as` (argv[0]), of the `canary` next to `python`, or as a module of it."""
    beside = Path(python).with_name("canary")
    own = cwd / started_as if Path(started_as).name == "canary" else beside
    if not own.is_file():
        return f"{_from(cwd, Path(python))} -m companyos_canary"
    found = shutil.which("canary", path=environ.get("PATH", os.defpath))
    return "canary" if found and own.samefile(found) else _from(cwd, own)


def _from(cwd: Path, path: Path) -> str:
    import shlex

    if not path.is_relative_to(cwd):
        return shlex.quote(str(path))
    near = str(path.relative_to(cwd))
    return shlex.quote(near if "/" in near else f"./{near}")
