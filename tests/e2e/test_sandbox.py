"""`canary sandbox` as a process: its file, its first line, its end; kubectl next to it."""

import os
import shutil
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from tests.e2e.conftest import CANARY, PATIENCE, Shell, start

needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not here")


@pytest.mark.parametrize("ends_it", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_end_and_leaves_nothing_behind(tmp_path: Path, ends_it: signal.Signals) -> None:
    sandbox = start(tmp_path)
    assert sandbox.lines[0] == f"export KUBECONFIG={sandbox.kubeconfig}"
    assert stat.S_IMODE(sandbox.kubeconfig.stat().st_mode) == 0o600
    sandbox.process.send_signal(ends_it)
    out, err = sandbox.process.communicate(timeout=PATIENCE)
    assert (sandbox.process.returncode, out) == (ExitCode.OK, "")
    assert err.splitlines()[-1] == "sandbox stopped"
    assert not sandbox.kubeconfig.exists()
    assert not sandbox.kubeconfig.parent.exists()


def test_the_kubeconfig_can_be_named_and_only_it_is_removed(tmp_path: Path) -> None:
    sandbox = start(tmp_path, "-q", "--write", "deep/here")
    assert sandbox.kubeconfig == tmp_path / "deep" / "here"
    sandbox.process.terminate()
    _, err = sandbox.process.communicate(timeout=PATIENCE)
    assert err == ""
    assert not (tmp_path / "deep" / "here").exists()


def test_a_kubeconfig_of_a_real_cluster_is_not_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "config"
    mine.write_text("current-context: prod\n")
    ran = once("--write", str(mine))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"`{mine}` already exists and was not written by a sandbox" in ran.stderr
    assert mine.read_text() == "current-context: prod\n"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = once("--write", str(tmp_path / "file" / "config"))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "cannot be written: " in ran.stderr


@needs_kubectl
def test_kubectl_sees_what_canary_does(shell: Shell) -> None:
    listed = kubectl(shell, "get", "ro", "-n", "companyos")
    header, row = listed.splitlines()
    assert header.split()[:3] == ["NAME", "DESIRED", "CURRENT"]
    assert row.split()[:3] == ["companyos-api", "10", "10"]
    by_canary = shell.run("status", "-o", "name").stdout
    assert by_canary == kubectl(shell, "get", "ro", "companyos-api", "-o", "name")


@needs_kubectl
def test_kubectl_follows_along(shell: Shell) -> None:
    watching = subprocess.Popen(
        ["kubectl", "get", "ro", "companyos-api", "-w", "-o", 'jsonpath={.metadata.labels.seen}{"\\n"}'],
        env=shell.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    try:
        assert watching.stdout.readline() == "\n"
        kubectl(shell, "label", "ro", "companyos-api", "seen=yes")
        assert watching.stdout.readline() == "yes\n"
    finally:
        watching.terminate()
        watching.communicate(timeout=PATIENCE)


def kubectl(shell: Shell, *arguments: str) -> str:
    ran = subprocess.run(
        ["kubectl", *arguments], env=shell.environment, text=True, capture_output=True, timeout=PATIENCE, check=True
    )
    return ran.stdout


def test_a_port_that_is_taken_is_said_and_nothing_stays(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = once("--port", str(port), TMPDIR=str(tmp_path))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"error: port {port} cannot be used: ")
    assert list(tmp_path.iterdir()) == []


def once(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A sandbox that is expected to end by itself."""
    return subprocess.run(
        [*CANARY, "sandbox", *arguments],
        text=True,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, **environ},
    )


@needs_kubectl
def test_a_kind_that_does_not_exist_does_not_keep_the_rest_of_a_file_away(shell: Shell) -> None:
    (shell.folder / "objects.yaml").write_text(
        """\
apiVersion: example.com/v1
kind: Nonsense
metadata: {name: x, namespace: companyos}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: beside-it, namespace: companyos}
"""
    )
    for more in ((), ("--server-side",)):
        ran = subprocess.run(
            ["kubectl", "apply", *more, "-f", "objects.yaml"],
            cwd=shell.folder,
            env=shell.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 1
        assert 'no matches for kind "Nonsense" in version "example.com/v1"' in ran.stderr
        assert ran.stdout.startswith("configmap/beside-it ")
