"""Ctrl-C in the middle of `canary demo`. Its whole story: tests/test_package.py."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from tests.e2e.conftest import CANARY, PATIENCE


@pytest.mark.slow
def test_ctrl_c_ends_it_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [*CANARY, "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    assert demo.stdout is not None
    assert demo.stdout.readline() == "# the first version: nothing to compare it with\n"
    assert demo.stdout.readline() == "$ canary apply v1.0.0\n"
    while "step 1/3" not in demo.stdout.readline():
        assert demo.poll() is None
    os.killpg(demo.pid, signal.SIGINT)
    _, err = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "interrupted"
    assert list(tmp_path.iterdir()) == []
