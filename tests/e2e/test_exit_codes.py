"""Every row of README's table of exit codes, by real processes: a row without one is red, and so is a changed code."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.model.http import Request
from companyos_canary.sandbox.faults.effects import parse_fault
from companyos_canary.sandbox.sandbox import Sandbox
from tests import docs
from tests.e2e.conftest import CANARY, PATIENCE, Shell
from tests.world import CONFIG

HEAD = CONFIG.partition("steps:")[0].replace("replicas: 10", "replicas: 2")
TAIL = "analysis: {window: 5s, min_requests: 10, by_hash: true}\n"
HEALTHY = "{weight: 50, pause: 1s}"
WAITS = "{weight: 50, pause: manual}"
RUNS = "{weight: 50, pause: 1h}"
BAD = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec: {strategy: {}}\n"
ROWS = re.compile(r"^\| (\d+) \| (.+) \|$", re.M)
TABLE = dict(ROWS.findall(docs.README.read_text().partition(docs.BEGIN)[2].partition(docs.END)[0]))


class Stage(Struct, frozen=True):
    """A sandbox, and a folder for the services of the stories."""

    sandbox: Sandbox
    folder: Path

    def service(self, name: str, steps: str) -> Shell:
        """A new one, whose v1.0.0 is Healthy, and a shell in its folder."""
        folder = self.folder / name
        folder.mkdir()
        config = f"{HEAD}steps: [{steps}]\n{TAIL}".replace("rollout: companyos-api", f"rollout: {name}")
        (folder / "canary.yaml").write_text(config)
        shell = Shell(folder, self.folder / "kubeconfig")
        shell.begin("apply", "v1.0.0", "-q")
        return shell

    def with_fault(self, rule: str, shell: Shell, *arguments: str) -> int:
        self.sandbox.control.switch(parse_fault(rule))
        try:
            return code_of(shell, *arguments)
        finally:
            self.sandbox.faults.clear()

    def set_image(self, name: str, version: str) -> None:
        """By someone else, in one write."""
        path = f"/apis/argoproj.io/v1alpha1/namespaces/companyos/rollouts/{name}"
        at = "/spec/template/spec/containers/0/image"
        body = json.dumps([{"op": "replace", "path": at, "value": f"companyos-api:{version}"}])
        headers = {"Content-Type": "application/json-patch+json", "Authorization": f"Bearer {self.sandbox.token}"}
        answer = self.sandbox.control(Request("PATCH", path, (), headers, body.encode()))
        assert answer.status == 200, answer


def code_of(shell: Shell, *arguments: str) -> int:
    return shell.run(*arguments).returncode


def elsewhere(shell: Shell, change: Callable[[dict[str, dict[str, str]]], object], *arguments: str) -> int:
    """A command with another kubeconfig: `change` gets its cluster and its user."""
    config = yaml.safe_load(shell.kubeconfig.read_text())
    change({"cluster": config["clusters"][0]["cluster"], "user": config["users"][0]["user"]})
    other = shell.folder / "other"
    other.write_text(yaml.safe_dump(config))
    return code_of(replace(shell, kubeconfig=other), *arguments)


def while_it_runs(shell: Shell, act: Callable[["subprocess.Popen[str]"], object], *arguments: str) -> int:
    """`act` is done once the command has printed its first line."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*CANARY, *arguments], cwd=shell.folder, env=shell.environment, stdout=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stdout
        first = process.stdout.readline()
        assert first
        act(process)
        rest, err = process.communicate(timeout=PATIENCE)
    shell.check(arguments, process.returncode, first + rest, err)
    return process.returncode


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    top = tmp_path_factory.mktemp("codes")
    sandbox = Sandbox(namespaces=("companyos",))
    try:
        sandbox.write_kubeconfig(top / "kubeconfig", "companyos")
        yield Stage(sandbox, top)
    finally:
        sandbox.close()


def degraded(stage: Stage) -> Iterator[int]:
    service = stage.service("degraded", WAITS)
    service.begin("deploy", "v1.1.0", "--until", "paused", "-q")
    service.begin("abort", "-q")
    yield code_of(service, "status")
    (service.folder / "bad.yaml").write_text(BAD)
    yield code_of(service, "lint", "bad.yaml")


def superseded(stage: Stage) -> Iterator[int]:
    service = stage.service("superseded", RUNS)
    service.begin("deploy", "v1.1.0", "--no-wait", "-q")
    yield while_it_runs(service, lambda _: stage.set_image("superseded", "v1.2.0"), "watch")


def unfinished(stage: Stage) -> Iterator[int]:
    service = stage.service("unfinished", WAITS)
    yield code_of(service, "diff", "v1.1.0")
    yield code_of(service, "deploy", "v1.1.0")


def timed_out(stage: Stage) -> Iterator[int]:
    service = stage.service("timed-out", RUNS)
    service.begin("deploy", "v1.1.0", "--no-wait", "-q")
    yield code_of(service, "watch", "--timeout", "500ms")


def interrupted(stage: Stage) -> Iterator[int]:
    service = stage.service("interrupted", RUNS)
    service.begin("deploy", "v1.1.0", "--no-wait", "-q")
    yield while_it_runs(service, lambda process: os.kill(process.pid, signal.SIGINT), "watch")


def done(stage: Stage) -> Iterator[int]:
    service = stage.service("done", HEALTHY)
    yield code_of(service, "status")
    yield code_of(service, "pause", "--no-wait")
    yield code_of(service, "resume", "--no-wait")


def failed(stage: Stage) -> Iterator[int]:
    service = stage.service("failed", HEALTHY)
    yield elsewhere(service, lambda at: at["cluster"].update(server="https://127.0.0.1:1"), "status")
    yield stage.with_fault("GET 500", service, "status")


def denied(stage: Stage) -> Iterator[int]:
    service = stage.service("denied", HEALTHY)
    yield elsewhere(service, lambda at: at["user"].update(token="another"), "status")
    yield stage.with_fault("PATCH 403", service, "pause")


def usage(stage: Stage) -> Iterator[int]:
    service = stage.service("usage", HEALTHY)
    yield code_of(service, "status", "--nothing-of-ours")
    yield code_of(service, "status", "-f", "missing.yaml")


def missing(stage: Stage) -> Iterator[int]:
    yield code_of(stage.service("missing", HEALTHY), "status", "nowhere")


def refused(stage: Stage) -> Iterator[int]:
    service = stage.service("refused", HEALTHY)
    yield code_of(service, "undo")
    yield code_of(service, "abort")


def unobserved(stage: Stage) -> Iterator[int]:
    """No one can know whether it was made: its answer is lost."""
    yield stage.with_fault("PATCH 504", stage.service("unobserved", HEALTHY), "restart", "--no-wait")


STORIES: dict[str, Callable[[Stage], Iterator[int]]] = {
    "0": done,
    "1": failed,
    "2": usage,
    "3": degraded,
    "4": denied,
    "5": missing,
    "6": superseded,
    "7": refused,
    "8": unfinished,
    "9": unobserved,
    "124": timed_out,
    "130": interrupted,
}


@pytest.mark.slow
@pytest.mark.parametrize("code", TABLE)
def test_a_process_ends_with_each_code_of_the_table(stage: Stage, code: str) -> None:
    assert code in STORIES, f"no process shows {code}: {TABLE[code]}"
    found = list(STORIES[code](stage))
    assert found == [int(code)] * len(found)
    assert found


def test_every_code_that_a_process_shows_is_in_the_table() -> None:
    assert set(STORIES) == set(TABLE)


@pytest.mark.soak
def test_soak_of_a_change_that_no_controller_acts_on(stage: Stage) -> None:
    """Half a minute, for real."""
    service = stage.service("frozen", RUNS)
    stage.sandbox.cluster.freeze()
    try:
        assert code_of(service, "pause") == 9
    finally:
        stage.sandbox.cluster.thaw()
