"""A pod that is not ready is shown with the reason, in the words of who keeps it."""

import copy
from typing import Any

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import POD
from tests.commands.conftest import freeze
from tests.world import World

RUNNING = {"name": "companyos-api", "ready": False, "restartCount": 0, "state": {"running": {}}}
CPU = "0/9 nodes are available: 9 Insufficient cpu."
GATE = 'corresponding condition of pod readiness gate "example.com/lb" does not exist.'


def held(world: World, **status: Any) -> None:
    """The canary's pod is so, and nothing moves."""
    freeze(world)
    digest = world.rollout().current_hash
    (pod,) = [p for p in world.pods() if p["metadata"]["labels"]["rollouts-pod-template-hash"] == digest]
    world.store.update(POD, {**copy.deepcopy(pod), "status": status}, status_only=True)


def test_a_pod_that_no_node_takes(running: World) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": CPU}
    held(running, phase="Pending", conditions=[condition])
    ran = running.canary("get")
    assert ran.code == ExitCode.OK, ran
    assert f"Unschedulable: {CPU}" in ran.out
    data = running.canary("get", "-o", "json").json["data"]
    assert [p["message"] for p in data["pods"] if p["role"] == "canary"] == [CPU]
    assert [(p["reason"], p["message"]) for p in data["cause"]["pods"]] == [("Unschedulable", CPU)]
    told = running.canary("watch", "--timeout", "3s").out
    assert told.count("Unschedulable message=") == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (
            {
                "conditions": [
                    {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "message": GATE}
                ],
                "containerStatuses": [{**RUNNING, "ready": True}],
            },
            GATE,
        ),
        (
            {
                "containerStatuses": [
                    {**RUNNING, "restartCount": 2, "lastState": {"terminated": {"reason": "OOMKilled"}}}
                ]
            },
            "OOMKilled before its last start",
        ),
    ],
    ids=["readiness gate", "out of memory"],
)
def test_a_pod_that_runs_and_is_not_ready(running: World, status: dict[str, Any], message: str) -> None:
    held(running, phase="Running", **status)
    assert message.split(" is ")[0][:40] in running.canary("get").out
    data = running.canary("get", "-o", "json").json["data"]
    assert [p["message"] for p in data["pods"] if p["role"] == "canary"] == [message]
