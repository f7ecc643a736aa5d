"""Which modules a command loads, in a process that is a fork of one which has loaded what every command loads."""

import gc
import http.client  # noqa: F401 - of Python itself: no test asks about it
import os
import re
import ssl  # noqa: F401
import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from companyos_canary import cli
from companyos_canary.runtime import Runtime

# Modules that compile a pattern when they are loaded: every verb reads a duration. The others leave it to `re`, which
# does so when the pattern is needed, and keeps it.
COMPILED = {"companyos_canary.model.quantity"}
Loaded = Callable[..., tuple[int, set[str]]]


@contextmanager
def forks(names: Sequence[str]) -> Iterator[Loaded]:
    """A command in a folder, and variables: its exit code, and which of these modules it had loaded at its end; also
    `compiles:` and the name of each module of ours that has compiled a pattern."""
    pipe = subprocess.PIPE
    environ = {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    command = [sys.executable, "-P", __file__, *names]
    with subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, text=True) as parent:

        def loaded(folder: Path, *arguments: str, **more: str) -> tuple[int, set[str]]:
            env = {"KUBECONFIG": str(folder / "kubeconfig"), "HOME": str(folder), "PATH": "/usr/bin:/bin", **more}
            assert parent.stdin
            assert parent.stdout
            parent.stdin.write(repr([str(folder), arguments, env]) + "\n")
            parent.stdin.flush()
            code, found = literal_eval(parent.stdout.readline())
            return code, set(found)

        yield loaded


def main(names: Sequence[str]) -> None:
    assert not [name for name in names if name in sys.modules]
    gc.disable()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            run(names, *literal_eval(line))
        _, status = os.waitpid(child, 0)
        if status:  # it has said nothing
            print(repr([-status, []]), flush=True)


def run(names: Sequence[str], folder: str, arguments: Sequence[str], environ: dict[str, str]) -> None:
    answer, nothing = os.dup(1), os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    code = cli.run(arguments, Runtime.real())
    found = [name for name in names if name in sys.modules] + [f"compiles:{name}" for name in compiling()]
    os.write(answer, f"{[int(code), found]!r}\n".encode())
    os._exit(0)


def compiling() -> set[str]:
    ours = {name: vars(module) for name, module in sys.modules.items() if name.startswith("companyos_canary.")}
    return {n for n, its in ours.items() if any(isinstance(value, re.Pattern) for value in its.values())} - COMPILED


if __name__ == "__main__":
    main(sys.argv[1:])
