"""Options of `canary sandbox` as processes meet them: roles, faults, whose controllers act."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import CANARY, PATIENCE, Shell, start, stop

ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: on-call}
rules:
- {apiGroups: [argoproj.io], resources: [rollouts, rollouts/status],
   resourceNames: [companyos-api], verbs: [get, patch]}
"""


@pytest.fixture(scope="module")
def on_call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Someone who may read and patch one Rollout; the second GET of it fails once."""
    folder = tmp_path_factory.mktemp("options")
    (folder / "role.yaml").write_text(ROLE)
    sandbox = start(folder, "--role", "role.yaml", "--fault", "GET /rollouts/ 503 after=1 x1")
    try:
        yield Shell(folder, sandbox.kubeconfig)
    finally:
        stop(sandbox)


def test_the_role_and_the_fault_meet_who_asks(on_call: Shell) -> None:
    codes = [on_call.run("abort", "companyos-api").returncode for _ in range(3)]
    assert codes == [5, 1, 5]  # not found, 503, not found
    refused = on_call.run("abort", "another")
    assert (refused.returncode, "another" in refused.stderr) == (4, True)
    assert on_call.run("list").returncode == 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--controllers", "rollout"), "error: the sandbox has no controller `rollout`\n"),
        (("--role", "missing.yaml"), "error: `missing.yaml` cannot be read: "),
        (("--fault", "PATCH x2"), "error: `PATCH x2` names no fault\n"),
    ],
)
def test_an_option_that_says_nothing_is_refused(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    ran = subprocess.run(
        [*CANARY, "sandbox", *arguments], cwd=tmp_path, text=True, capture_output=True, timeout=PATIENCE, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(told)
