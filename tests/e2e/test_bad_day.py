"""A whole release on a bad day: every fault that a client can get over, over real connections."""

from pathlib import Path

import pytest

from companyos_canary.sandbox.faults.effects import parse_fault
from companyos_canary.sandbox.sandbox import Sandbox
from tests.e2e.conftest import SHORT, Shell

ALONE = SHORT.replace("pause: manual", "pause: 3s")  # time enough to meet every fault
RULES = (
    "watch drop x2",
    "watch cut=300 x2",
    "watch expire x1",
    "watch html x1",
    "watch truncate=300 x1",
    "list 429=1 x1",
    "list 503 x1",
    "list html x1",
    "list truncate=50 x1",
    "GET slow=200ms x3",
    "PATCH storm x2",
)


@pytest.mark.slow
def test_a_release_gets_over_a_bad_day(tmp_path: Path) -> None:
    (tmp_path / "canary.yaml").write_text(ALONE)
    running = Sandbox(namespaces=("companyos",))
    try:
        kubeconfig = tmp_path / "kubeconfig"
        running.write_kubeconfig(kubeconfig, "companyos")
        shell = Shell(tmp_path, kubeconfig)
        shell.begin("apply", "v1.0.0", "-q")
        running.control.switch(*map(parse_fault, RULES))
        ran = shell.run("deploy", "v1.1.0")
        assert ran.returncode == 0, ran
        assert ran.stdout.splitlines()[-1].startswith("verdict=healthy version=v1.1.0")
        met = {fault["rule"]: fault["met"] for fault in running.control.state()["faults"]}
        assert met == {rule: int(rule.rpartition("x")[2]) for rule in RULES}
    finally:
        running.close()
