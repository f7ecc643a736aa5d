"""The verbs as processes, over TLS, on real time."""

import json
import re
import subprocess

import pytest
from msgspec.structs import replace

from companyos_canary.errors import ExitCode
from tests.e2e.conftest import CANARY, SHORT, Shell


@pytest.mark.slow
def test_a_release_from_deploy_to_promote(shell: Shell) -> None:
    """v1.1.0 passes its analysis, waits for a person, is promoted and becomes stable."""
    deployed = shell.run("deploy", "v1.1.0", "--reason", "fixes login")
    assert deployed.returncode == 8, deployed
    assert "\x1b" not in deployed.stdout
    assert deployed.stdout.splitlines()[-1] == ("verdict=paused version=v1.1.0 stable=v1.0.0 step=2/2 weight=50 exit=8")
    assert shell.run("promote").returncode == 0
    ran = shell.run("watch", "-o", "json")
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert (ran.returncode, events[-1]["data"]["verdict"]) == (0, "healthy")
    assert shell.run("status").stdout == "companyos-api v1.1.0 Healthy\n"
    assert shell.run("abort").returncode == 7


@pytest.mark.slow
def test_a_release_that_is_aborted_drains(shell: Shell) -> None:
    assert shell.run("deploy", "v1.3.0", "--until", "step=1").returncode == 0
    ran = shell.run("abort")
    assert ran.returncode == 0, ran
    assert "all traffic is on the stable version" in ran.stdout
    assert shell.run("status").returncode == 3
    assert shell.run("undo").returncode == 0
    assert shell.run("status").returncode == 0


@pytest.mark.slow
def test_a_reader_that_leaves_ends_the_watch_without_a_word(shell: Shell) -> None:
    shell.begin("deploy", "v1.4.0", "--no-wait")
    with subprocess.Popen(
        [*CANARY, "watch", "--stay", "--heartbeat", "1s"],  # it has more to say, however late the reader leaves
        cwd=shell.folder,
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        assert " watch companyos-api " in watching.stdout.readline()
        watching.stdout.close()
        _, err = watching.communicate(timeout=120)
    assert (watching.returncode, err) == (130, "")
    shell.begin("undo", "-q")


def test_head_gets_its_line_and_nothing_else_is_said(shell: Shell) -> None:
    ran = subprocess.run(
        f"{CANARY[0]} -m companyos_canary get | head -1",
        shell=True,
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert re.fullmatch(r"✔ HEALTHY  v1\.\d\.0 has all traffic\n", ran.stdout)
    assert (len(ran.stdout.splitlines()), ran.stderr) == (1, "")


def test_a_token_that_is_wrong_is_4(shell: Shell) -> None:
    other = shell.folder / "other"
    text = shell.kubeconfig.read_text()
    head, _, tail = text.partition("token: ")
    other.write_text(f'{head}token: "wrong"\n{tail.partition(chr(10))[2]}')
    ran = shell.run("status", "--kubeconfig", str(other))
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "does not accept the credentials" in ran.stderr


HOSTILE = "x\n::error::y\x1b[2J\rverdict=healthy version=v9 exit=0\n##[error]z\x07\u202e"


@pytest.fixture(scope="module")
def few(shell: Shell) -> Shell:
    """A Rollout of two pods next to the other one: they are soon restarted."""
    folder = shell.folder / "few"
    folder.mkdir()
    config = SHORT.replace("rollout: companyos-api", "rollout: few").replace("replicas: 10", "replicas: 2")
    (folder / "canary.yaml").write_text(config)
    made = replace(shell, folder=folder)
    made.begin("apply", "v1.0.0", "-q")
    return made


@pytest.mark.parametrize("system", ["none", "github", "gitlab"])
def test_no_text_of_others_leaves_a_process_as_it_is(few: Shell, system: str) -> None:
    """All that is printed is searched; the reason is kept in the cluster, and shown by the others. How a process writes
    lines, a screen and JSON is the same everywhere: one of each is a process."""
    ours = replace(few, environ={"CANARY_CI": system, "GITHUB_ACTIONS": "true" if system == "github" else ""})
    processes = ("restart", "get", "history -o json") if system == "none" else ()

    def said(verb: str, *more: str) -> subprocess.CompletedProcess[str]:
        return (ours.run if verb in processes else ours.inside)(*verb.split(), *more)

    assert said("restart", "--reason", HOSTILE).returncode == 0
    for verb in (
        "get",
        "status",
        "history",
        "events",
        "list",
        "why",
        "analysis",
        "metrics",
        "get -v",
        "history -o json",
    ):
        assert said(verb).returncode in set(ExitCode)
    assert "canary restart by ana on " in said("events").stdout
