"""Every row of README's table of exit codes, by real processes: a row without one is red, and so is a changed code."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest
import yaml
from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.sandbox.faults.effects import parse_fault
from companyos_canary.sandbox.sandbox import Sandbox
from tests import docs
from tests.e2e.conftest import CANARY, PATIENCE, Shell
from tests.world import CONFIG

HEAD = CONFIG.partition("steps:")[0].replace("replicas: 10", "replicas: 2")
TAIL = "analysis: {window: 5s, min_requests: 10, by_hash: true}\n"
STEPS = {
    "healthy": "{weight: 50, pause: 1s}",
    "waits": "{weight: 50, pause: manual}",
    "runs": "{weight: 50, pause: 1h}",
}
BAD = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec: {strategy: {}}\n"
ROWS = re.compile(r"^\| (\d+) \| (.+) \|$", re.M)
TABLE = dict(ROWS.findall(docs.README.read_text().partition(docs.BEGIN)[2].partition(docs.END)[0]))


class Stage(Struct, frozen=True):
    """A sandbox, and a shell in a folder of each service: one is Healthy, v1.1.0 of one waits for a person, and v1.1.0
    of one is in a pause of an hour."""

    sandbox: Sandbox
    shells: dict[str, Shell]

    def run(self, service: str, *arguments: str) -> int:
        return self.shells[service].run(*arguments).returncode

    def with_fault(self, rule: str, service: str, *arguments: str) -> int:
        self.sandbox.control.switch(parse_fault(rule))
        try:
            return self.run(service, *arguments)
        finally:
            self.sandbox.faults.clear()

    def elsewhere(self, change: Callable[[dict[str, dict[str, str]]], object], *arguments: str) -> int:
        """A command with another kubeconfig: `change` gets its cluster and its user."""
        shell = self.shells["healthy"]
        config = yaml.safe_load(shell.kubeconfig.read_text())
        change({"cluster": config["clusters"][0]["cluster"], "user": config["users"][0]["user"]})
        other = shell.folder / "other"
        other.write_text(yaml.safe_dump(config))
        return replace(shell, kubeconfig=other).run(*arguments).returncode

    def while_it_runs(self, service: str, act: Callable[["subprocess.Popen[str]"], object], *arguments: str) -> int:
        """`act` is done once the command has printed its first line."""
        shell = self.shells[service]
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
        shells = {}
        for name, steps in STEPS.items():
            (top / name).mkdir()
            config = f"{HEAD}steps: [{steps}]\n{TAIL}".replace("rollout: companyos-api", f"rollout: {name}")
            (top / name / "canary.yaml").write_text(config)
            shells[name] = Shell(top / name, top / "kubeconfig")
            assert shells[name].run("apply", "v1.0.0", "-q").returncode == 0
        yield Stage(sandbox, shells)
    finally:
        sandbox.close()


def degraded(stage: Stage) -> Iterator[int]:
    stage.run("waits", "deploy", "v1.1.0", "-q")
    assert stage.run("waits", "abort", "-q") == 0
    yield stage.run("waits", "status")
    (stage.shells["waits"].folder / "bad.yaml").write_text(BAD)
    yield stage.run("waits", "lint", "bad.yaml")


def superseded(stage: Stage) -> Iterator[int]:
    def another(_: object) -> None:
        assert stage.run("runs", "deploy", "v1.4.0", "--supersede", "--no-wait") == 0

    stage.run("runs", "deploy", "v1.3.0", "--no-wait")
    yield stage.while_it_runs("runs", another, "watch")


def unfinished(stage: Stage) -> Iterator[int]:
    yield stage.run("waits", "deploy", "v1.3.0")
    yield stage.run("healthy", "diff", "v1.2.0")


def timed_out(stage: Stage) -> Iterator[int]:
    stage.run("runs", "deploy", "v1.5.0", "--no-wait")
    yield stage.run("runs", "watch", "--timeout", "500ms")


def interrupted(stage: Stage) -> Iterator[int]:
    stage.run("runs", "deploy", "v1.6.0", "--no-wait")
    yield stage.while_it_runs("runs", lambda process: os.kill(process.pid, signal.SIGINT), "watch")


def done(stage: Stage) -> Iterator[int]:
    yield stage.run("healthy", "status")
    yield stage.run("healthy", "pause", "--no-wait")
    yield stage.run("healthy", "resume", "--no-wait")


def failed(stage: Stage) -> Iterator[int]:
    yield stage.elsewhere(lambda at: at["cluster"].update(server="https://127.0.0.1:1"), "status")
    yield stage.with_fault("GET 500", "healthy", "status")


def denied(stage: Stage) -> Iterator[int]:
    yield stage.elsewhere(lambda at: at["user"].update(token="another"), "status")
    yield stage.with_fault("PATCH 403", "healthy", "pause")


def usage(stage: Stage) -> Iterator[int]:
    yield stage.run("healthy", "status", "--nothing-of-ours")
    yield stage.run("healthy", "status", "-f", "missing.yaml")


def missing(stage: Stage) -> Iterator[int]:
    yield stage.run("healthy", "status", "nowhere")


def refused(stage: Stage) -> Iterator[int]:
    yield stage.run("healthy", "undo")
    yield stage.run("healthy", "abort")


def unobserved(stage: Stage) -> Iterator[int]:
    """No one can know whether it was made: its answer is lost."""
    yield stage.with_fault("PATCH 504", "healthy", "restart", "--no-wait")


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
    stage.sandbox.cluster.freeze()
    try:
        assert stage.run("runs", "pause") == 9
    finally:
        stage.sandbox.cluster.thaw()
