"""The command line itself: help, versions, misspellings, what is loaded, and the last resort."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from companyos_canary import __version__, cli
from companyos_canary.commands import base
from companyos_canary.commands.options import OF_CLUSTER, either, flags_of
from companyos_canary.errors import MEANING, ExitCode
from companyos_canary.runtime import Clock, Runtime
from tests import builders
from tests.cluster.wire import Server, answer
from tests.loaded import Loaded, forks
from tests.world import START, Pipe, Ran, World

HEAVY = ("kubernetes", "httpx", "rich", "yaml", "msgspec", "urllib3", "pydantic", "logging", "dataclasses")
# Modules of ours that are large, and that a line of `status` needs none of.
OF_OTHERS = (
    "companyos_canary.argo.rows",
    "companyos_canary.argo.events",
    "companyos_canary.argo.metric_rows",
    "companyos_canary.analysis.sequential",
    "companyos_canary.analysis.comparisons",
    "companyos_canary.analysis.expr.parser",
    "companyos_canary.analysis.evidence",
    "companyos_canary.argo.durations",
    "companyos_canary.argo.timeline",
    "companyos_canary.actions.explain",
    "companyos_canary.actions.change",
    "companyos_canary.diagnosis.table",
    "companyos_canary.commands.contract",
    "companyos_canary.view.screen",
    "companyos_canary.view.machine",
)
SIMULATION = {"companyos_canary.trials", "companyos_canary.promql", "promql_parser"}
# Modules of Python that only names, what is written, quotes, and signs that cannot be seen need.
OF_PYTHON = ("getpass", "json", "shlex", "unicodedata", "encodings.utf_8_sig")
# What a verb that changes something needs, and `status` does not.
OF_CHANGES = ("companyos_canary.argo.effects", "companyos_canary.argo.endings")
NO_NETWORK = "kind: Config\napiVersion: v1\ncurrent-context: c\nclusters:\n- {name: c, cluster: {server: 'http://127.0.0.1:1'}}\ncontexts:\n- {name: c, context: {cluster: c}}\n"  # noqa: E501
CLIENT = {"yaml"}  # of the kubeconfig; `kubernetes` and `urllib3` are for a few kinds of credentials and proxies
CONFIG = {"yaml"}
VALUES = {"msgspec"}  # of which every value of ours is made
# What each verb may load by the time that it meets the cluster (which is not there).
MAY_LOAD: dict[str, set[str]] = {
    "deploy": CLIENT | CONFIG,
    "promote": CLIENT | CONFIG,
    "abort": CLIENT | CONFIG,
    "watch": CLIENT | CONFIG,
    "status": CLIENT | CONFIG,
    "get": CLIENT | CONFIG,
    "undo": CLIENT | CONFIG,
    "retry": CLIENT | CONFIG,
    "pause": CLIENT | CONFIG,
    "resume": CLIENT | CONFIG,
    "restart": CLIENT | CONFIG,
    "terminate": CLIENT | CONFIG,
    "verify": CLIENT | CONFIG,
    "notifications": CLIENT | CONFIG,
    "experiment": CLIENT | CONFIG,
    "create": CLIENT | CONFIG,
    "list": CLIENT | CONFIG,
    "why": CLIENT | CONFIG,
    "doctor": CLIENT | CONFIG,
    "analysis": CLIENT | CONFIG,
    "metrics": CLIENT | CONFIG,
    "events": CLIENT | CONFIG,
    "history": CLIENT | CONFIG,
    "links": CONFIG,
    "logs": CLIENT | CONFIG,
    "init": CLIENT | CONFIG,
    "lint": CONFIG,
    "plan": CONFIG | {"logging"},
    "render": CONFIG,
    "diff": CLIENT | CONFIG,
    "apply": CLIENT | CONFIG,
    "rbac": CONFIG,
    "completion": set(),
    "schema": {"yaml"},
    "demo": set(),
    "sandbox": {"yaml", "logging", "dataclasses"},  # of its certificate
    "version": CLIENT | CONFIG,
}
GIVEN = {
    "render": ("v1",),
    "deploy": ("v1.1.0",),
    "apply": ("v1.0.0",),
    "init": ("--file", "other.yaml"),
    "plan": ("--rps", "20", "--errors", "1%", "--releases", "1"),
    "demo": ("--help",),
    "completion": ("bash",),
    "rbac": ("viewer",),
    "terminate": ("analysisrun", "x"),
    "verify": ("x",),
    "notifications": ("trigger",),
    "create": ("analysisrun", "--from", "x"),
}
ENDS = {
    "links": ExitCode.OK,
    "init": ExitCode.OK,
    "render": ExitCode.OK,
    "lint": ExitCode.OK,
    "plan": ExitCode.OK,
    "demo": ExitCode.OK,
    "completion": ExitCode.OK,
    "rbac": ExitCode.OK,
    "schema": ExitCode.OK,
    "sandbox": ExitCode.USAGE,
    "doctor": ExitCode.DEGRADED,
}


@pytest.fixture
def here(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def said(here: World, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a command whose text the command line library prints by itself."""

    def run(*arguments: str) -> Ran:
        ran = here.canary(*arguments)
        own = capsys.readouterr()
        return Ran(ran.code, own.out + ran.out, own.err + ran.err)

    return run


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    with forks((*HEAVY, *OF_OTHERS, *OF_CHANGES, *OF_PYTHON, *sorted(SIMULATION))) as asked:
        yield asked


@pytest.mark.parametrize("arguments", [("--help",), ("statsu",), ("--version",), ()])
def test_help_and_a_wrong_verb_load_nothing_heavy(loaded: Loaded, tmp_path: Path, arguments: tuple[str]) -> None:
    _, names = loaded(tmp_path, *arguments)
    assert names - {"shlex"} == set()  # a wrong verb may be the plugin's


@pytest.mark.parametrize("verb", cli.VERBS)
def test_a_verb_loads_only_what_it_needs(loaded: Loaded, tmp_path: Path, verb: str) -> None:
    (tmp_path / "kubeconfig").write_text(NO_NETWORK)
    World(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = ("--port", str(taken.getsockname()[1]))
        given = port if verb == "sandbox" else GIVEN.get(verb, ())
        code, names = loaded(tmp_path, verb, *given)
    patterns = {name for name in names if name.startswith("compiles:")}
    assert names - {*OF_OTHERS, *OF_CHANGES, *OF_PYTHON, *SIMULATION, *patterns} <= MAY_LOAD[verb] | VALUES
    assert code == ENDS.get(verb, ExitCode.FAILED)


@pytest.mark.parametrize("verb", ["promote", "deploy", "watch", "undo"])
def test_a_verb_that_follows_loads_no_simulation_and_no_promql(loaded: Loaded, tmp_path: Path, verb: str) -> None:
    (tmp_path / "kubeconfig").write_text(NO_NETWORK)
    World(tmp_path)
    _, names = loaded(tmp_path, verb, *GIVEN.get(verb, ()))
    assert not names & SIMULATION


def test_a_promote_that_is_sent_loads_nothing_that_follows_and_explains(loaded: Loaded, tmp_path: Path) -> None:
    steps = ({"setWeight": 10}, {"pause": {}})
    paused = builders.rollout_object(
        steps=steps, step_index=1, phase="Paused", paused=True, pause_reason="CanaryPauseStep"
    )
    with contextlib.closing(Server([answer(200, paused)] * 2)) as server:
        (tmp_path / "kubeconfig").write_text(NO_NETWORK.replace("http://127.0.0.1:1", server.url))
        World(tmp_path)
        code, names = loaded(tmp_path, "promote", "--dry-run")
    assert code == ExitCode.OK
    assert names & {*OF_OTHERS} == {"companyos_canary.actions.change"}


def test_a_status_where_nothing_failed_loads_no_rows_views_and_causes_of_others(loaded: Loaded, tmp_path: Path) -> None:
    paused = builders.rollout_object(phase="Paused")
    with contextlib.closing(Server([answer(200, paused)] * 2)) as server:
        (tmp_path / "kubeconfig").write_text(NO_NETWORK.replace("http://127.0.0.1:1", server.url))
        World(tmp_path)
        code, names = loaded(tmp_path, "status")
        assert code in (ExitCode.OK, ExitCode.UNFINISHED)
        assert names == CLIENT | CONFIG | VALUES
        _, names = loaded(tmp_path, "status", "-o", "json")
    assert "companyos_canary.argo.rows" in names


def test_a_screen_and_its_causes_load_no_rows_and_no_checks_of_a_doctor() -> None:
    listing = (
        "import sys, companyos_canary.commands.get, companyos_canary.diagnosis.table, companyos_canary.view.screen\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, timeout=120, check=True)
    others = ("argo.rows", "argo.validation", "diagnosis.installation", "diagnosis.readiness")
    assert not {*done.stdout.split()} & {"fractions", *(f"companyos_canary.{name}" for name in others)}


def test_the_table_of_modules_has_every_verb() -> None:
    assert set(MAY_LOAD) == set(cli.VERBS)


def test_nothing_of_python_is_loaded_before_ctrl_c_is_awaited() -> None:
    """What is loaded before is interrupted with a traceback."""
    package = str(Path(cli.__file__).parent.parent)
    listing = f"import os, sys; sys.path.insert(0, {package!r}); before = {{*sys.modules}}\n"
    listing += "import companyos_canary.__main__; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-Sc", listing], capture_output=True, text=True, timeout=120, check=True)
    assert {*done.stdout.split()} == {"companyos_canary", "companyos_canary.__main__", "atexit", "gc"}


def test_version(said: Callable[..., Ran]) -> None:
    assert said("--version") == Ran(0, f"canary {__version__}\n", "")


def test_no_arguments_are_a_question_for_help(said: Callable[..., Ran]) -> None:
    assert said() == said("--help")
    assert said().code == ExitCode.OK


def test_help_names_every_verb_and_every_exit_code(said: Callable[..., Ran]) -> None:
    text = said("--help").out
    for verb, line in cli.VERBS.items():
        assert f"{verb} " in text
        assert line in text
    for code, meaning in MEANING.items():
        assert f"{int(code):<5}{meaning}" in text


@pytest.mark.parametrize("verb", cli.VERBS)
def test_the_help_of_a_verb_has_its_examples_and_its_exit_codes(said: Callable[..., Ran], verb: str) -> None:
    module = import_module(f"companyos_canary.commands.{verb}")
    ran = said(verb, "--help")
    assert ran.code == ExitCode.OK
    for example in module.EXAMPLES:
        assert f"  {example}" in ran.out
    told = [int(line.split()[0]) for line in ran.out.partition("Exit codes:")[2].splitlines() if line]
    assert told == sorted(int(code) for code in module.EXITS)


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_the_common_options_and_a_word_for_each(said: Callable[..., Ran], verb: str) -> None:
    text = " ".join(said(verb, "-h").out.split())
    for name, annotation, _ in base.COMMON:
        command = import_module(f"companyos_canary.commands.{verb}").command
        option = next(flag for flag in flags_of(annotation) if flag.startswith("--"))
        if (verb, option) == ("rbac", "--user"):  # its own: who gets the role
            continue
        if name in OF_CLUSTER and not command.of_cluster:
            assert f"{option} " not in text
            continue
        assert f"{option} " in text
        forms = command.forms
        word = either(forms) if name == "output" else annotation.__metadata__[0].help
        assert word in text


@pytest.mark.parametrize("verb", ["demo", "sandbox", "schema", "completion"])
def test_a_verb_without_a_cluster_shows_no_option_that_chooses_one(said: Callable[..., Ran], verb: str) -> None:
    text = said(verb, "-h").out
    assert not [o for o in ("--namespace", "--context", "--env", "--request-timeout") if o in text]


@pytest.mark.parametrize(
    ("arguments", "sentence", "hint"),
    [
        (("statsu",), "there is no verb `statsu`", "did you mean `status`? see `canary --help`"),
        (("frobnicate",), "there is no verb `frobnicate`", "see `canary --help`"),
        (
            ("status", "--outptu", "json"),
            "no such option: `--outptu`",
            "did you mean `--output`? see `canary status --help`",
        ),
        (("status", "--zzz"), "no such option: `--zzz`", "see `canary status --help`"),
        (("deploy",), "missing argument `VERSION`", "see `canary deploy --help`"),
        (("get", "a", "b"), "there is one argument too many: `b`", "see `canary get --help`"),
        (("status", "-n"), "option `-n` requires an argument", "see `canary status --help`"),
        (("status", "-o", "xml"), "--output `xml` is not a format here", "use human, json, yaml or name"),
        (("init", "-o", "yaml"), "--output `yaml` is not a format here", "use human, json or name"),
        (
            ("status", "--request-timeout", "soon"),
            "invalid value for `--request-timeout`: `soon` is not a number",
            "see `canary status --help`",
        ),
        (
            ("status", "--request-timeout", "0"),
            "--request-timeout `0` must be greater than 0",
            "give the seconds per request, e.g. 10",
        ),
        (
            ("watch", "--until", "soon"),
            "--until `soon` is not a state to wait for",
            "use healthy, paused, step=N or weight=N",
        ),
        (
            ("status", "a/b"),
            "`a/b` cannot be the name of a Rollout",
            "small letters, digits, `-` and `.`, as `kubectl get rollouts` shows it",
        ),
        (
            ("status", "-n", "x/../y"),
            "`x/../y` cannot be the name of a namespace",
            "small letters, digits and `-`, as `kubectl get namespaces` shows it",
        ),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_a_hint(
    said: Callable[..., Ran], here: World, arguments: tuple[str, ...], sentence: str, hint: str
) -> None:
    assert said(*arguments) == Ran(2, "", f"error: {sentence}\nhint: {hint}\n")
    assert here.requests == []


@pytest.mark.parametrize(
    "flags", [("-o", "json"), ("-ojson",), ("--output", "json"), ("--output=json",), ("-qo", "json")]
)
def test_with_json_a_wrong_command_line_is_an_envelope_too(said: Callable[..., Ran], flags: tuple[str, ...]) -> None:
    ran = said("deploy", *flags)
    assert json.loads(ran.out) == {
        "schema": "canary/v1",
        "command": "deploy",
        "exit_code": 2,
        "data": {},
        "errors": [{"code": "usage", "message": "missing argument `VERSION`", "hint": "see `canary deploy --help`"}],
    }
    assert ran.err.startswith("error: missing argument `VERSION`\n")


def test_an_exception_nobody_expected_is_one_sentence(here: World) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the\nmoon")

    here.connect = broken  # type: ignore[assignment,method-assign]
    ran = here.canary("status", "-o", "json")
    assert ran.code == ExitCode.FAILED
    assert ran.err == (
        "error: unexpected RuntimeError: the moon\nhint: run it again with CANARY_DEBUG=1 and report what it prints\n"
    )
    assert ran.json["errors"][0]["code"] == "failed"
    with pytest.raises(RuntimeError):
        here.canary("status", environ={"CANARY_DEBUG": "1"})


def test_ctrl_c_anywhere_is_130_and_one_word(here: World) -> None:
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    here.connect = pressed  # type: ignore[assignment,method-assign]
    ran = here.canary("status", "-o", "json")
    assert (ran.code, ran.err) == (ExitCode.INTERRUPTED, "interrupted\n")
    assert ran.json["errors"][0]["code"] == "interrupted"


class Pressed(dict[str, str]):
    """An environment in which Ctrl-C is pressed when settings are looked up."""

    pressed = False

    def get(self, *_: object) -> None:  # type: ignore[override]
        if not self.pressed:
            self.pressed = True
            raise KeyboardInterrupt


def test_ctrl_c_while_settings_are_read_says_so_too() -> None:
    out, err = Pipe(), Pipe()
    clock = Clock(now=lambda: START, sleep=lambda _: None)
    runtime = Runtime(stdout=out, stderr=err, stdin=Pipe(), environ=Pressed(), cwd=Path(), clock=clock)
    assert cli.run(["status"], runtime) == ExitCode.INTERRUPTED
    assert (out.getvalue(), err.getvalue()) == ("", "interrupted\n")


def test_the_module_is_the_program_too() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "companyos_canary", "--version"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, f"canary {__version__}\n")


PROGRAM = (sys.executable, "-m", "companyos_canary")


def test_a_folder_that_is_gone_is_no_obstacle(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    script = f'mkdir {gone} && cd {gone} && rmdir {gone} && exec "$@"'
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = ["/bin/sh", "-c", script, "sh", *PROGRAM, "render", "v1"]
    done = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert done.returncode == ExitCode.USAGE, done
    assert b"no canary.yaml here" in done.stderr


def test_a_stderr_that_is_full_changes_no_exit_code(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROGRAM, "render", "v1"], env=environ, cwd=tmp_path, stderr=full, check=False)
    assert done.returncode == ExitCode.USAGE
