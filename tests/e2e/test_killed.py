"""kill -9 of a real process at a request, and the same command again: the cluster comes to what one whole run comes to.

The server in front of the sandbox ends the process while its request is held. `tests/commands/test_killed.py` has more
points of more verbs, in lockstep.
"""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import yaml
from msgspec import Struct, field

from companyos_canary.model.http import Request, Response
from companyos_canary.model.image import REVISION
from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.kinds import CONFIGMAP, REPLICASET, ROLLOUT, SERVICE
from companyos_canary.sandbox.sandbox import Sandbox
from companyos_canary.sandbox.server import Server
from tests.commands.test_held_back import state
from tests.e2e.conftest import CANARY, PATIENCE, Shell
from tests.world import CONFIG

SHORT = CONFIG.partition("steps:")[0].replace("replicas: 10", "replicas: 2") + (
    "steps: [{weight: 50, pause: 1s}]\nanalysis: {window: 5s, min_requests: 10, by_hash: true}\n"
)
WAITS = SHORT.replace("[{weight: 50, pause: 1s}]", "[{weight: 25, pause: manual}, {weight: 50, pause: manual}]")
FIRST = ("apply", "v1.0.0", "-q")


class Line(Struct):
    """The way to the API server: passes requests on, and may kill who asks them at one of them."""

    handle: Callable[[Request], Response]
    at: int | None = None
    handled: bool = False
    victim: "subprocess.Popen[str] | None" = None
    asked: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> Response:
        with self.lock:  # a dead one asks nothing: what its threads had sent already is dropped
            number = len(self.asked)
            self.asked.append(request)
            if self.at is None or number < self.at:
                return self.handle(request)
            if number == self.at and self.handled:
                self.handle(request)
            assert self.victim
            self.victim.kill()
            self.victim.wait(PATIENCE)
            raise ConnectionResetError


class Story(Struct, frozen=True):
    command: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = (FIRST,)
    config: str = SHORT
    then: str = ""


AT_A_PAUSE = (FIRST, ("deploy", "v1.1.0", "--until", "paused"))
STORIES = {
    "deploy": Story(("deploy", "v1.1.0")),
    "undo": Story(("undo",), (FIRST, ("deploy", "v1.1.0"))),
    "promote": Story(("promote", "--to-weight", "50"), AT_A_PAUSE, WAITS),
    "apply": Story(("apply",), then=SHORT.replace("replicas: 2", "replicas: 3")),
}


@contextmanager
def begun(story: Story, folder: Path) -> Iterator[tuple[Sandbox, Line, Shell]]:
    """The stage of a story: a sandbox of its own, a line to it, and a shell over that."""
    folder.mkdir()
    (folder / "canary.yaml").write_text(story.config)
    sandbox = Sandbox(namespaces=("companyos",))
    line = Line(sandbox.control)
    server = Server(line).start()
    try:
        shell = Shell(folder, folder / "kubeconfig")
        shell.kubeconfig.write_text(yaml.safe_dump(kubeconfig(server.url)))
        for command in story.before:
            shell.begin(*command)
        if story.then:
            (folder / "canary.yaml").write_text(story.then)
        line.asked.clear()
        yield sandbox, line, shell
    finally:
        server.close()
        sandbox.close()


def kubeconfig(url: str) -> dict[str, Any]:
    context = {"cluster": "it", "user": "it", "namespace": "companyos"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": {"server": url}}],
        "users": [{"name": "it", "user": {}}],
        "contexts": [{"name": "it", "context": context}],
        "current-context": "it",
    }


def outcome(sandbox: Sandbox) -> dict[str, Any]:
    """What is there once nothing changes any more; fails where that takes too long."""
    end, last, since = monotonic() + PATIENCE, sandbox.store.version, monotonic()
    while monotonic() - since < 1.5:
        assert monotonic() < end, "it does not come to rest"
        sleep(0.05)
        if sandbox.store.version != last:
            last, since = sandbox.store.version, monotonic()
    live = sandbox.store.read(ROLLOUT, "companyos", "companyos-api")
    replicasets = sandbox.store.items(REPLICASET, "companyos")
    return {
        "state": state(Rollout.from_object(live)),
        "revision": live["metadata"]["annotations"][REVISION],
        "replicas": live["spec"]["replicas"],
        "replicasets": sorted((rs["metadata"]["name"], rs["spec"]["replicas"]) for rs in replicasets),
        "others": sorted(o["metadata"]["name"] for kind in (SERVICE, CONFIGMAP) for o in sandbox.store.items(kind)),
    }


def whole(story: Story, folder: Path) -> tuple[list[Request], dict[str, Any]]:
    with begun(story, folder) as (sandbox, line, shell):
        ran = shell.run(*story.command)
        assert ran.returncode == 0, ran
        asked = list(line.asked)
        return asked, outcome(sandbox)


def twice(story: Story, folder: Path, at: int, *, handled: bool) -> dict[str, Any]:
    with begun(story, folder) as (sandbox, line, shell):
        line.at, line.handled = at, handled
        with line.lock:
            killed = subprocess.Popen(
                [*CANARY, *story.command],
                cwd=folder,
                env=shell.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            line.victim = killed
        killed.communicate(timeout=PATIENCE)
        assert killed.returncode in (-9, 0), "a run may make fewer requests than another one"
        line.at = None
        ran = shell.run(*story.command)
        assert ran.returncode in (0, 7), ran
        return outcome(sandbox)


def the_change(asked: list[Request]) -> int:
    """The number of the first request that changes something."""
    return next(n for n, r in enumerate(asked) if r.method == "PATCH" and not r.parameter("dryRun"))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "handled"), [("apply", False), ("deploy", True)])
def test_a_process_that_is_killed_at_its_change_and_run_again_comes_to_the_same(
    tmp_path: Path, name: str, handled: bool
) -> None:
    story = STORIES[name]
    asked, wanted = whole(story, tmp_path / "whole")
    assert twice(story, tmp_path / "killed", the_change(asked), handled=handled) == wanted


@pytest.mark.soak
@pytest.mark.parametrize("name", STORIES)
def test_soak_of_killed_processes(tmp_path: Path, name: str) -> None:
    story = STORIES[name]
    asked, wanted = whole(story, tmp_path / "whole")
    for at in range(len(asked)):
        for handled in (False, True):
            found = twice(story, tmp_path / f"{at}-{handled}", at, handled=handled)
            assert found == wanted, (at, handled, asked[at].target)
