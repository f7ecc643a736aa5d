"""The programs of Argo Rollouts on the sandbox, where a machine has them: the plugin of kubectl,
and the controller in place of ours."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import PATIENCE, SHORT, Shell, start, stop

PLUGIN, CONTROLLER = "kubectl-argo-rollouts", "rollouts-controller"
needs_plugin = pytest.mark.skipif(not shutil.which(PLUGIN), reason=f"{PLUGIN} is not here: the plugin on the sandbox")
needs_controller = pytest.mark.skipif(
    not shutil.which(CONTROLLER), reason=f"{CONTROLLER} is not here: the real controller on the sandbox"
)
NAME = "companyos-api"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Shell]:
    """A sandbox of its own, with our controllers, and companyos-api v1.0.0 in it."""
    (tmp_path / "canary.yaml").write_text(SHORT)
    sandbox = start(tmp_path)
    shell = Shell(tmp_path, sandbox.kubeconfig)
    try:
        shell.begin("apply", "v1.0.0")
        yield shell
    finally:
        stop(sandbox)


@pytest.fixture
def controlled(tmp_path: Path) -> Iterator[Shell]:
    """A sandbox where ReplicaSets are ours and Rollouts are for the real controller, which elects
    itself with a Lease and speaks protobuf. It does not know the cluster's DNS, so the
    AnalysisTemplates name the address that the sandbox prints."""
    sandbox = start(tmp_path, "--controllers", "replicasets")
    assert sandbox.process.stderr is not None
    prometheus = sandbox.process.stderr.readline().rsplit(" ", 1)[1].strip()
    (tmp_path / "canary.yaml").write_text(f"{SHORT}prometheus: {{url: '{prometheus}', cli_url: '{prometheus}'}}\n")
    shell = Shell(tmp_path, sandbox.kubeconfig)
    with (tmp_path / "controller.log").open("w") as log:
        controller = subprocess.Popen(
            [
                CONTROLLER,
                "--kubeconfig",
                str(sandbox.kubeconfig),
                "--healthzPort",
                str(free_port()),
                "--metricsPort",
                str(free_port()),
            ],
            stdout=log,
            stderr=log,
            env=shell.environment,
        )
        try:
            yield shell
        finally:
            controller.terminate()
            controller.wait(PATIENCE)
            stop(sandbox)


@pytest.mark.slow
@needs_plugin
def test_the_plugin_sees_and_does_what_it_does_on_a_cluster(fresh: Shell) -> None:
    assert plugin(fresh, "status", NAME, "--watch=false") == "Healthy\n"
    said = plugin(fresh, "set", "image", NAME, f"{NAME}={NAME}:v1.1.0")
    assert said == f'rollout "{NAME}" image updated\n'
    waited = fresh.run("watch", "--until", "paused")
    assert waited.returncode == 0, waited
    shown = plugin(fresh, "get", "rollout", NAME, "--no-color")
    assert "Status:          ॥ Paused\nMessage:         CanaryPauseStep\n" in shown
    assert f"Images:          {NAME}:v1.0.0 (stable)\n" in shown
    assert plugin(fresh, "abort", NAME) == f"rollout '{NAME}' aborted\n"
    assert fresh.run("status").returncode == 3
    assert plugin(fresh, "retry", "rollout", NAME) == f"rollout '{NAME}' retried\n"
    assert plugin(fresh, "promote", NAME, "--full") == f"rollout '{NAME}' fully promoted\n"
    assert plugin(fresh, "status", NAME).endswith("Healthy\n")
    assert plugin(fresh, "undo", NAME) == f"rollout '{NAME}' undo\n"
    listed = plugin(fresh, "list", "rollouts").splitlines()
    assert listed[1].split()[:2] == [NAME, "Canary"]


@pytest.mark.slow
@needs_controller
def test_a_whole_canary_under_the_real_controller(controlled: Shell) -> None:
    first = controlled.run("apply", "v1.0.0")
    assert first.returncode == 0, first
    assert "is Healthy, 10/10 available" in first.stdout + first.stderr
    deployed = controlled.run("deploy", "v1.1.0", "--until", "paused", "--timeout", "15s")
    assert deployed.returncode == 0, deployed
    promoted = controlled.run("promote")
    assert promoted.returncode == 0, promoted
    waited = controlled.run("watch", "--until", "healthy", "--timeout", "15s")
    assert waited.returncode == 0, waited
    runs = controlled.run("analysis", "-o", "json")
    assert '"phase": "Successful"' in runs.stdout, runs


def plugin(shell: Shell, *arguments: str) -> str:
    ran = subprocess.run(
        [PLUGIN, *arguments], env=shell.environment, text=True, capture_output=True, timeout=PATIENCE, check=True
    )
    return ran.stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
