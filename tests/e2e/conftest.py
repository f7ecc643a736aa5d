"""A sandbox as a process, and the program as a process next to it: real sockets, real time."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from msgspec import Struct, field

from companyos_canary import cli
from companyos_canary.runtime import Runtime
from tests import printed, schema
from tests.world import CONFIG, Pipe

CANARY = (sys.executable, "-m", "companyos_canary")
PATIENCE = 120.0  # until what hangs is given up; nothing that works waits for it
# Seconds are spent for real here: nothing is waited for but a person.
SHORT = CONFIG.partition("steps:")[0] + (
    "steps: [{weight: 20, pause: 1s}, {weight: 50, pause: manual}]\n"
    "analysis: {window: 5s, min_requests: 10, by_hash: true}\n"
)


class Sandbox(Struct, frozen=True):
    """A running one. `lines`: what it had said when it was ready."""

    process: subprocess.Popen[str]
    kubeconfig: Path
    lines: tuple[str, ...]


class Shell(Struct, frozen=True):
    """A terminal next to the sandbox: a folder with a canary.yaml and KUBECONFIG."""

    folder: Path
    kubeconfig: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "COVERAGE_PROCESS_START")}
        own = {
            "KUBECONFIG": str(self.kubeconfig),
            "HOME": str(self.folder),
            "CANARY_USER": "ana",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHONUTF8": "1",
        }
        return {**kept, **own, **self.environ}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        ran = subprocess.run(
            [*CANARY, *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        schema.check(arguments, ran.stdout)
        self.check(arguments, ran.returncode, ran.stdout, ran.stderr)
        return ran

    def inside(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command to its end in this process, which is a tenth of the work."""
        real, out, err = Runtime.real(), Pipe(), Pipe()
        runtime = Runtime(
            stdout=out, stderr=err, stdin=Pipe(), environ=self.environment, cwd=self.folder, clock=real.clock
        )
        code = cli.run(arguments, runtime)
        ran = subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
        schema.check(arguments, ran.stdout)
        self.check(arguments, ran.returncode, ran.stdout, ran.stderr)
        return ran

    def begin(self, *arguments: str) -> None:
        """What a story only begins or ends with."""
        ran = self.inside(*arguments)
        assert ran.returncode == 0, ran

    def check(self, arguments: Sequence[str], code: int, out: str, err: str, *, terminal: bool = False) -> None:
        """Fails where what a process printed breaks a law of `tests.printed`, or shows a token of the kubeconfig."""
        try:
            config = yaml.safe_load(self.kubeconfig.read_text(errors="replace"))
            users = [entry["user"] for entry in config["users"]]
        except (OSError, yaml.YAMLError, KeyError, TypeError):
            users = []  # what a test put in its place
        given = (str(user.get("token") or "") for user in users)
        tokens = [token for token in given if len(token) > 12]  # shorter ones of tests are words
        printed.check(arguments, code, out, err, terminal=terminal, environ=self.environment, secrets=tokens)


def start(folder: Path, *arguments: str) -> Sandbox:
    """A sandbox process that is ready: its first line is there. Without chance, unless a seed is
    given: what ends otherwise by chance once in a hundred times is no test."""
    exact = () if "--seed" in arguments else ("--exact", "--prompt")
    process = subprocess.Popen(
        [*CANARY, "sandbox", *exact, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    first = process.stdout.readline().rstrip("\n")
    if not first:
        process.wait(PATIENCE)
        return Sandbox(process, Path(), ())
    return Sandbox(process, Path(first.partition("=")[2]), (first,))


def stop(sandbox: Sandbox) -> None:
    sandbox.process.terminate()
    sandbox.process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """companyos-api v1.0.0 is Healthy in a sandbox of its own."""
    folder = tmp_path_factory.mktemp("e2e")
    (folder / "canary.yaml").write_text(SHORT)
    sandbox = start(folder)
    try:
        shell = Shell(folder, sandbox.kubeconfig)
        shell.begin("apply", "v1.0.0")
        yield shell
    finally:
        stop(sandbox)
