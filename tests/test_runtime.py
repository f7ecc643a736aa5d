"""What a terminal gets, and what a pipe gets."""

import io
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from companyos_canary.errors import UsageError
from companyos_canary.runtime import Clock, Runtime
from tests.world import Pipe, Terminal

MAGENTA, YELLOW = "35", "33"
SENTENCE = "there is nothing to compare with: the Rollout of this namespace has one revision"


def runtime(out: io.StringIO, err: io.StringIO, **environ: str) -> Runtime:
    clock = Clock(now=lambda: datetime(2026, 3, 2, tzinfo=UTC), sleep=lambda _: None)
    return Runtime(
        stdout=out, stderr=err, stdin=Pipe(), environ=environ, cwd=Path(), clock=clock, size=lambda: (40, 24)
    )


def test_a_sentence_on_a_terminal_is_broken_between_words() -> None:
    out, err = Terminal(), Terminal()
    here = runtime(out, err)
    here.tell(SENTENCE)
    here.fail(UsageError(SENTENCE, hint="look at it"), as_json=False, command="history")
    for stream in (out, err):
        lines = stream.getvalue().splitlines()
        assert all(len(line) <= 40 for line in lines)
        assert SENTENCE in " ".join(line.strip() for line in lines)


def test_an_error_is_one_line_whatever_it_quotes() -> None:
    """An address out of the cluster, or a kubeconfig, may hold a line that looks like one of ours."""
    err = Pipe()
    quoted = "`http://x\nverdict=healthy exit=0\r\n::error::boo\u2028##[error]boo` is not an address"
    runtime(Pipe(), err).fail(UsageError(quoted, hint=f"see {quoted}"), as_json=False, command="metrics")
    said = "`http://x verdict=healthy exit=0 ::error::boo ##[error]boo` is not an address"
    assert err.getvalue() == f"error: {said}\nhint: see {said}\n"


def test_a_pipe_gets_a_sentence_as_one_line() -> None:
    out, err = Pipe(), Pipe()
    runtime(out, err).tell(SENTENCE)
    runtime(out, err).say_error(SENTENCE)
    assert out.getvalue() == err.getvalue() == SENTENCE + "\n"


@pytest.mark.parametrize(
    "line",
    [
        "    query: sum(rate(http_requests_total[5m])) by (le)",
        "PATCH /apis/argoproj.io/v1alpha1/namespaces/companyos/rollouts/companyos-api",
        "-  image: companyos-api:v1.0.0 # which was there before",
        "# a comment in canary.yaml that is longer than it",
    ],
)
def test_what_is_to_be_copied_is_left_as_it_is(line: str) -> None:
    out = Terminal()
    runtime(out, Pipe()).tell(line)
    assert out.getvalue() == line + "\n"


@pytest.mark.parametrize(
    ("environ", "light"),
    [
        ({}, False),
        ({"COLORFGBG": "15;0"}, False),
        ({"COLORFGBG": "0;15"}, True),
        ({"COLORFGBG": "0;default;7"}, True),
        ({"COLORFGBG": "0;15", "CANARY_THEME": "dark"}, False),
        ({"CANARY_THEME": "light"}, True),
    ],
)
def test_a_light_background_has_colours_that_can_be_read_on_it(environ: dict[str, str], light: bool) -> None:
    facts = runtime(Terminal(), Pipe(), **environ).facts
    assert facts.light is light
    assert facts.style("warning") == (MAGENTA if light else YELLOW)


@pytest.mark.parametrize(
    ("environ", "signs"),
    [
        ({}, True),
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "C", "LC_ALL": "de_DE.UTF-8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, False),
        ({"LANG": "en_US.UTF-8", "TERM": "linux"}, False),
    ],
)
def test_a_terminal_gets_signs_that_it_can_show_and_a_pipe_what_its_encoding_has(
    environ: dict[str, str], signs: bool
) -> None:
    assert runtime(Terminal(), Pipe(), **environ).facts.unicode is signs
    assert runtime(Pipe(), Pipe(), **environ).facts.unicode


@pytest.mark.parametrize("command", ["get", "get -o json", "status", "--help", "watch"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">/dev/full"])
def test_streams_that_are_closed_or_full_are_no_mistake_of_ours(command: str, closed: str) -> None:
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m companyos_canary {command} {closed}"],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    said = ran.stdout + ran.stderr
    assert "Traceback" not in said
    assert not re.search(r"unexpected \w+Error", said)
    assert ran.returncode in (0, 1, 2)


@pytest.mark.parametrize("command", ["schema", "--help", "deploy --help"])
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", ">/dev/full", ">/dev/full 2>/dev/full"])
def test_an_answer_that_cannot_be_written_is_1(command: str, closed: str) -> None:
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m companyos_canary {command} {closed}"],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 1, ran
    assert "2>" in closed or ran.stderr.startswith("error: stdout cannot be written: "), ran


def test_ctrl_c_while_the_program_is_loaded_is_130() -> None:
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=ROOT, text=True, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (130, "")


def test_the_end_runs_what_waits_for_it_writes_everything_and_takes_nothing_apart() -> None:
    ran = subprocess.run([sys.executable, "-c", ENDING], cwd=ROOT, text=True, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (2, "error: there is no verb `x`\nhint: see `canary --help`\n")
    assert ran.stdout == "before\nat exit\n"


ENDING = """
import atexit, sys
class Kept:
    def __del__(self):
        print("taken apart")
kept = Kept()
kept.itself = kept
print("before")
atexit.register(print, "at exit")
sys.argv = ["canary", "x"]
from companyos_canary.__main__ import main
main()
"""
INTERRUPTED = """
import builtins, sys
real = builtins.__import__
def interrupted(name, *rest, **more):
    if name == "companyos_canary.cli":
        raise KeyboardInterrupt
    return real(name, *rest, **more)
builtins.__import__ = interrupted
from companyos_canary.__main__ import main
main()
"""
ROOT = Path(__file__).parents[1]
