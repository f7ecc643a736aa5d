"""Completion in real shells, each with the script that `canary completion` prints."""

import shutil
import subprocess
from pathlib import Path

import pexpect
import pytest

from tests.e2e.conftest import CANARY, PATIENCE, Shell

pytestmark = pytest.mark.slow
needs_zsh = pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not here")
needs_fish = pytest.mark.skipif(not shutil.which("fish"), reason="fish is not here")
BASH = """\
source <(canary completion bash)
COMP_LINE=$1 COMP_POINT=${#1} _canary canary
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = (
    "autoload -U compinit; compinit -u -D; zstyle ':completion:*' menu no; bindkey -e; "
    "source <(canary completion zsh); PS1='read''y> '"
)


@pytest.fixture
def here(shell: Shell, tmp_path: Path) -> Shell:
    """The shell with `canary` on its PATH, and the canary.yaml next to it."""
    program = tmp_path / "bin" / "canary"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {" ".join(CANARY)} "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{shell.environment['PATH']}"
    return Shell(shell.folder, shell.kubeconfig, {"PATH": path, "TERM": "xterm"})


def said(here: Shell, *command: str) -> list[str]:
    ran = subprocess.run(
        command, cwd=here.folder, env=here.environment, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert ran.stderr == ""
    return ran.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("canary stat", ["status"]),
        ("canary undo --to v", ["v1.0.0"]),
        ("canary watch --until=weight=", ["20", "50"]),  # readline keeps what is before the =
        ("KUBECONFIG=none canary links -o ", ["human", "json"]),
        ("canary get --file=can", [""]),
    ],
)
def test_bash_gets_what_fits(here: Shell, line: str, answers: list[str]) -> None:
    assert said(here, "bash", "-c", BASH, "bash", line) == answers


def test_bash_completes_in_a_terminal(here: Shell) -> None:
    with typing(here, "bash", "--norc", "-i") as child:
        child.sendline("source <(canary completion bash); PS1='read''y> '")
        child.expect("ready> ")
        completed(child, "canary stat", "us ")
        completed(child, "canary watch --until=hea", "lthy ")
        completed(child, "canary get --file=can", "ary.yaml ")


@needs_zsh
def test_zsh_completes_in_a_terminal(here: Shell) -> None:
    with typing(here, "zsh", "-f", "-i") as child:
        child.sendline(ZSH)
        child.expect("ready> ")
        completed(child, "canary stat", "us")
        completed(child, "canary watch --until=hea", "lthy")
        completed(child, "canary get --file=can", "ary.yaml")
        child.send("canary undo --to \t")
        child.expect("v1.0.0 *-- revision 1")


@needs_fish
def test_fish_completes_with_what_each_is(here: Shell) -> None:
    asked = 'canary completion fish | source; complete -C"{}"'
    (status,) = said(here, "fish", "-c", asked.format("canary stat"))
    assert status.startswith("status\tthe state in one line")
    (version,) = said(here, "fish", "-c", asked.format("canary undo --to v"))
    assert version.startswith("v1.0.0\trevision 1")
    assert said(here, "fish", "-c", asked.format("canary get -f can")) == ["canary.yaml"]


def typing(here: Shell, *command: str) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        command[0],
        list(command[1:]),
        cwd=str(here.folder),
        env=here.environment,
        dimensions=(40, 120),
        encoding="utf-8",
        timeout=PATIENCE,
    )


def completed(child: "pexpect.spawn[str]", start: str, rest: str) -> None:
    """Types the start and Tab, sees the rest, and clears the line."""
    child.send(f"{start}\t")
    child.expect_exact(f"{start}{rest}")
    child.send("\x15")
