"""Completion as a shell asks for it: the line up to the cursor in, what may be there out."""

import copy
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from companyos_canary import cli
from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Drop, Effect, Fault, Html, Slow
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.loaded import forks
from tests.test_cli import HEAVY
from tests.world import MANUAL, Ran, World

ENVIRONMENTS = "environments:\n  prod: {namespace: companyos-prod}\n  test: {}\n"
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: here, user: me}}
- {name: two, context: {cluster: here, user: me, namespace: elsewhere}}
clusters:
- {name: here, cluster: {server: "http://127.0.0.1:9"}}
users:
- {name: me, user: {token: secret}}
"""
PLUGIN = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [called]}}"


def asked(world: World, line: str, **environ: str) -> Ran:
    """What comes for `canary LINE` with the cursor at its end."""
    kubeconfig = str(world.folder / "kubeconfig")
    return world.canary(environ={"KUBECONFIG": kubeconfig, "_CANARY_COMPLETE": f"canary {line}", **environ})


def values(world: World, line: str) -> list[str]:
    ran = asked(world, line)
    assert (ran.code, ran.err) == (0, "")
    return [row.partition("\t")[0] for row in ran.out.splitlines()]


@pytest.fixture
def counted(waiting: World) -> World:
    """v1.1.0 waits at 10 %; canary.yaml has environments and everything that was asked is known."""
    (waiting.folder / "canary.yaml").write_text(MANUAL + ENVIRONMENTS)
    return waiting


@pytest.mark.parametrize(
    ("line", "answer", "requests"),
    [
        ("stat", f"status\t{cli.VERBS['status']}\n", 0),
        ("help stat", f"status\t{cli.VERBS['status']}\n", 0),
        ("--ver", "--version\tprint the version\n", 0),
        (
            "deploy v1.2.3 --super",
            "--supersede\tabort a version in progress, wait for its traffic to go, then ship\n",
            0,
        ),
        ("init -o ", "human\njson\nname\n", 0),
        ("get -o j", "json\n", 0),
        ("status ", "companyos-api\tPaused\n", 1),
        ("deploy v1.2.3 --rollout ", "companyos-api\tPaused\n", 1),
        ("status -n default ", "", 1),
        ("status -e prod ", "", 1),
        ("status -n comp", "companyos\n", 1),
        ("status -e ", "prod\tenvironment of canary.yaml\ntest\tenvironment of canary.yaml\n", 0),
        (
            "watch --until ",
            "healthy\tthe version is stable\npaused\tit waits for a person\n"
            "step=1\t10 %\nstep=2\t25 %\nstep=3\t50 %\n"
            "weight=10\tstep 1\nweight=25\tstep 2\nweight=50\tstep 3\n",
            1,
        ),
        ("watch --until=weight=5", "--until=weight=50\tstep 3\n", 1),
        ("promote --to-weight 2", "25\tstep 2\n", 1),
        ("promote --if-step ", "1\tstep 1/3 (pause)\n", 1),
        ("promote --if-revision ", "2\tPaused\n", 1),
        (
            "undo --to ",
            "v1.1.0\trevision 2, 02 Mar 12:00, by ana\n"
            "v1.0.0\trevision 1, was stable, 02 Mar 12:00\n"
            "2\tv1.1.0, 02 Mar 12:00, by ana\n1\tv1.0.0, was stable, 02 Mar 12:00\n",
            2,
        ),
        ("undo companyos-api -n companyos --to 1", "1\tv1.0.0, was stable, 02 Mar 12:00\n", 2),
        ("history --diff v1.0.0 v1.1", "v1.1.0\trevision 2, 02 Mar 12:00, by ana\n", 1),
        ("deploy v1.0", "v1.0.0\trevision 1, was stable, 02 Mar 12:00\n", 1),
        ("logs -c ", "companyos-api\tcompanyos-api:v1.1.0\n", 1),
        ("links ", "dashboard\thttps://argo.example.com/companyos/companyos-api\n", 0),
        ("metrics --query latency-p", "latency-p95\n", 0),
        ("schema wat", "watch\n", 0),
        ("deploy v1.2.3 --ci g", "github\ngitlab\n", 0),
        ("apply -f ", ":files\n", 0),
        ("apply --file=can", ":files\n", 0),
        ("completion ", "bash\nzsh\nfish\n", 0),
        (
            "sandbox --scenario slow-s",
            "slow-start\tpods get ready after twenty minutes, long after the progress deadline\n",
            0,
        ),
        ("deploy v1.2.3 --reason ", "", 0),
        ("frobnicate ", "", 0),
        ("status 'not closed", "", 0),
        ("--version ", "".join(f"{v}\t{text}\n" for v, text in cli.VERBS.items()), 0),
    ],
)
def test_what_may_stand_there_is_offered_for_a_request_or_two(
    counted: World, line: str, answer: str, requests: int
) -> None:
    assert asked(counted, line) == Ran(0, answer, "")
    assert [r.method for r in counted.requests] == ["GET"] * requests


def test_where_undo_may_go_back_to_says_what_was_aborted_and_what_was_undone(world: World) -> None:
    for version in ("v1.1.0", "v1.2.0"):
        world.canary("deploy", version, "-q")
    first, *_ = asked(world, "undo --to ").out.splitlines()
    assert first.startswith("v1.2.0\trevision 3, aborted, ")
    world.canary("deploy", "v1.3.0", "-q")
    world.canary("undo", "-q")
    told = dict(row.split("\t") for row in asked(world, "undo --to v").out.splitlines())
    assert told["v1.1.0"].startswith("revision 5, was stable, ")
    assert told["v1.2.0"].startswith("revision 3, aborted, ")
    assert told["v1.3.0"].startswith("revision 4, undone, ")


def test_pods_and_runs_are_those_of_the_rollout(counted: World) -> None:
    (run,) = (r for r in values(counted, "analysis "))
    assert run.startswith("companyos-api-")
    pods = values(counted, "logs --pod ")
    assert pods == sorted(p["metadata"]["name"] for p in counted.pods())
    assert values(counted, "logs someone-else --pod ") == []
    for request in counted.requests:
        assert request.parameter("labelSelector") == "rollouts-pod-template-hash"


def test_without_a_name_the_only_rollout_of_the_namespace_is_meant(counted: World) -> None:
    (counted.folder / "canary.yaml").unlink()
    assert values(counted, "undo -n companyos --to v") == ["v1.1.0", "v1.0.0"]
    assert values(counted, "watch -n companyos --until st") == ["step=1", "step=2", "step=3"]
    second = copy.deepcopy(counted.store.get(ROLLOUT, "companyos", "companyos-api"))
    second["metadata"] = {"name": "billing", "namespace": "companyos"}
    counted.store.create(ROLLOUT, second)
    assert values(counted, "watch -n companyos --until st") == []


@pytest.mark.parametrize("line", ["get --context ", "get --kubeconfig kubeconfig --context t"])
def test_contexts_are_those_of_the_kubeconfig(empty: World, line: str) -> None:
    (empty.folder / "kubeconfig").write_text(KUBECONFIG)
    line = line.replace("kubeconfig kubeconfig", f"kubeconfig {empty.folder}/kubeconfig")
    assert values(empty, line) == (["two"] if line.endswith("t") else ["one", "two"])
    assert empty.requests == []


@pytest.mark.parametrize("effect", [Answer(403), Answer(401), Answer(500), Drop(), Html()])
def test_a_cluster_that_does_not_answer_well_is_silence(counted: World, effect: Effect) -> None:
    counted.faults.add(Fault(effect))
    for line in ("status ", "undo --to ", "get -n ", "logs --pod ", "analysis "):
        assert asked(counted, line) == Ran(0, "", "")
    assert values(counted, "watch --until ") == ["healthy", "paused"]


@pytest.mark.parametrize("line", ["status ", "status -e ", "undo --to ", "links "])
def test_a_broken_config_is_silence(counted: World, line: str) -> None:
    (counted.folder / "canary.yaml").write_text("schema: [")
    assert asked(counted, line) == Ran(0, "", "")
    (counted.folder / "kubeconfig").write_text("contexts: [")
    assert asked(counted, "get --context ") == Ran(0, "", "")


ALWAYS = "healthy\tthe version is stable\npaused\tit waits for a person\n"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("status -f PIPE ", ""),
        ("status -n companyos -f PIPE ", "companyos-api\tPaused\n"),
        ("status -n companyos -e prod -f PIPE ", ""),
        ("status -e prod --context two -n companyos -f PIPE ", "companyos-api\tPaused\n"),
        ("watch -f PIPE --until ", ALWAYS),
        ("watch --kubeconfig PIPE --until ", ALWAYS),
        ("links -f PIPE ", ""),
        ("status -f PIPE -e ", ""),
        ("get --kubeconfig PIPE ", ""),
        ("get --kubeconfig PIPE --context ", ""),
    ],
)
def test_a_pipe_is_neither_waited_for_nor_emptied(counted: World, line: str, answer: str) -> None:
    """Its writer is for the command itself; where only the file knows the cluster or the namespace, none is asked."""
    pipe = counted.folder / "pipe"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(held, b"{}\n")
        assert asked(counted, line.replace("PIPE", str(pipe))) == Ran(0, answer, "")
        assert os.read(held, 100) == b"{}\n"
    finally:
        os.close(held)


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_what_names_tell_has_no_control_characters(counted: World) -> None:
    counted.canary("deploy", "v1.2.0", "--supersede", "--no-wait", "--reason", "a\tb\n\x1b[31mc")
    counted.advance(1)
    (first, *_) = asked(counted, "undo --to v1.2").out.splitlines()
    assert first.endswith("by ana, a b \\x1b[31mc")


def test_a_request_that_never_ends_is_left_behind(counted: World) -> None:
    end = threading.Event()
    counted.faults.add(Fault(Slow(60)))
    counted.on_wait.append(lambda: bool(end.wait(120)))
    assert asked(counted, "status ") == Ran(0, "", "")
    assert not end.is_set()
    end.set()


def test_ctrl_c_is_silence(counted: World) -> None:
    def pressed(*_: object) -> Cluster:
        raise KeyboardInterrupt

    counted.connect = pressed  # type: ignore[method-assign]
    assert asked(counted, "status ") == Ran(0, "", "")


def run(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """The real program, with the real transport."""
    environ = {
        "KUBECONFIG": str(folder / "kubeconfig"),
        "HOME": str(folder),
        "PATH": "/usr/bin",
        "PYTHONPATH": str(Path(cli.__file__).parents[1]),
        "_CANARY_COMPLETE": f"canary {line}",
    }
    return subprocess.run(
        [sys.executable, "-m", "companyos_canary"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_server_that_accepts_and_says_nothing_is_silence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        (tmp_path / "kubeconfig").write_text(KUBECONFIG.replace("127.0.0.1:9", f"127.0.0.1:{port}"))
        ran = run(tmp_path, "status ")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_a_credential_plugin_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG.replace("{token: secret}", PLUGIN))
    ran = run(tmp_path, "status ")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("st", set()),
        ("status --", {"msgspec"}),
        ("get --context ", {"yaml", "msgspec"}),
        ("undo --to ", {"yaml", "msgspec"}),
    ],
)
def test_completion_loads_only_what_it_needs(tmp_path: Path, line: str, names: set[str]) -> None:
    World(tmp_path)
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    with forks(HEAVY) as loaded:
        code, found = loaded(tmp_path, _CANARY_COMPLETE=f"canary {line}")
    assert (code, found & set(HEAVY)) == (0, names)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(empty: World, shell: str) -> None:
    ran = empty.canary("completion", shell)
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert "_CANARY_COMPLETE=" in ran.out
    assert empty.canary("completion", shell, terminal=True).out == ran.out


def test_an_unknown_shell_is_2(empty: World) -> None:
    ran = empty.canary("completion", "tcsh")
    assert ran.code == ExitCode.USAGE
    assert ran.err == "error: there is no completion for `tcsh`\nhint: use bash, zsh or fish\n"
