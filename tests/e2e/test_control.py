"""A sandbox process with a scenario of one's own and faults, switched from outside."""

from pathlib import Path

from companyos_canary.cluster.credentials import open_transport
from companyos_canary.model.http import Request
from tests.e2e.conftest import start, stop

MINE = "description: mine\nversions: {v1.1.*: {fails: CrashLoopBackOff}}\n"


def test_its_faults_and_its_scenario_are_told_and_switched(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    faults = ("--fault", "list 503 x1", "--fault", "freeze")
    sandbox = start(tmp_path, "-q", "--write", "config", "--scenario", "mine.yaml", *faults)
    try:
        transport = open_transport(str(sandbox.kubeconfig), None, environ={}, timeout=10).transport
        assert transport.send(Request("GET", "/sandbox")).json() == {
            "scenario": "mine",
            "faults": [{"rule": "list 503 x1", "met": 0}],
            "frozen": True,
            "frozenUntil": None,
        }
        pods = Request("GET", "/api/v1/namespaces/companyos/pods")
        assert [transport.send(pods).status for _ in range(2)] == [503, 200]
        played = Request("POST", "/sandbox/scenario", body=b"healthy")
        assert transport.send(played).json()["scenario"] == "healthy"
        good_day = transport.send(Request("DELETE", "/sandbox/faults")).json()
        assert (good_day["faults"], good_day["frozen"]) == ([], False)
        transport.close()
    finally:
        stop(sandbox)
