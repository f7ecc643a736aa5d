"""A pod that is not ready is shown with the reason, in the words of who keeps it."""

import copy
from typing import Any

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.kinds import EVENT, POD
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


def happened(world: World, reason: str, message: str, *, name: str = "e1") -> str:
    """An event about the canary's pod; its name."""
    digest = world.rollout().current_hash
    (pod,) = [p for p in world.pods() if p["metadata"]["labels"]["rollouts-pod-template-hash"] == digest]
    about = {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": "companyos", "uid": pod["metadata"]["uid"]}
    event = {"metadata": {"name": name, "namespace": "companyos"}, "involvedObject": about}
    event["type"] = "Normal" if reason == "TriggeredScaleUp" else "Warning"
    world.store.create(EVENT, {**event, "reason": reason, "message": message, "lastTimestamp": format_time(world.now)})
    return str(pod["metadata"]["name"])


def starting(world: World) -> None:
    creating = {"name": "companyos-api", "ready": False, "restartCount": 0}
    held(
        world, phase="Pending", containerStatuses=[{**creating, "state": {"waiting": {"reason": "ContainerCreating"}}}]
    )


MOUNT = 'MountVolume.SetUp failed for volume "cfg" : configmap "web-cfg" not found'


def test_a_pod_whose_volume_cannot_be_mounted(running: World) -> None:
    starting(running)
    happened(running, "FailedMount", MOUNT)
    running.advance(300)
    ran = running.canary("get", size=(200, 60))
    assert ran.code == ExitCode.OK, ran
    assert " ".join(ran.out.split()).count(f"FailedMount: {MOUNT}") == 1
    data = running.canary("get", "-o", "json").json["data"]
    assert [p["message"] for p in data["pods"] if p["role"] == "canary"] == [MOUNT]
    assert [(p["reason"], p["message"]) for p in data["cause"]["pods"]] == [("FailedMount", MOUNT)]


def test_who_watches_is_told_once_why_a_volume_cannot_be_mounted(running: World, over_the_real_feed: None) -> None:
    starting(running)
    happened(running, "FailedMount", MOUNT)
    running.advance(300)
    ran = running.canary("watch", "--timeout", "30s")
    assert ran.out.count("FailedMount message=") == 1, ran


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_a_pod_that_has_just_been_made_costs_no_request(running: World) -> None:
    starting(running)
    running.requests.clear()
    running.canary("get")
    assert not [r for r in running.requests if "Pod" in r.parameter("fieldSelector")]


def test_events_of_pods_that_may_not_be_read_are_no_obstacle(running: World) -> None:
    starting(running)
    happened(running, "FailedMount", MOUNT)
    running.advance(300)
    running.allowed = lambda asked: asked.resource != "events"
    ran = running.canary("get")
    assert (ran.code, "FailedMount" in ran.out) == (ExitCode.OK, False)


@pytest.mark.parametrize(("minutes", "said"), [(0, False), (5, True)])
def test_a_readiness_gate_is_a_cause_once_it_has_been_unmet_for_long(running: World, minutes: int, said: bool) -> None:
    condition = {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "message": GATE}
    since = {**condition, "lastTransitionTime": format_time(running.now)}
    held(running, phase="Running", conditions=[since], containerStatuses=[{**RUNNING, "ready": True}])
    running.advance(60 * minutes)
    cause = running.canary("get", "-o", "json").json["data"]["cause"]
    assert bool(cause and [p for p in cause["pods"] if p["message"] == GATE]) == said


SCALES = "pod triggered scale-up: [{workers-a 3->4 (max: 9)}]"


def unscheduled(world: World, *reasons: str) -> None:
    """No node takes the canary's pod; its events have these reasons, the newest last."""
    told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": CPU}
    held(world, phase="Pending", conditions=[{**told, "lastTransitionTime": format_time(world.now)}])
    for n, reason in enumerate(reasons):
        world.advance(5)
        happened(world, reason, SCALES if reason == "TriggeredScaleUp" else "max node group size reached", name=f"e{n}")


@pytest.mark.parametrize("verb", ["get", "status", "watch"])
def test_a_pod_for_which_a_node_is_being_added_is_no_alarm(running: World, over_the_real_feed: None, verb: str) -> None:
    unscheduled(running, "NotTriggerScaleUp", "TriggeredScaleUp")
    running.advance(20)
    ran = running.canary(verb, *(("--timeout", "30s") if verb == "watch" else ()))
    assert "Unschedulable" not in ran.out + ran.err
    assert "no node" not in ran.out + ran.err
    terminal = running.canary("watch", "--timeout", "30s", terminal=True).out
    assert "Unschedulable" not in terminal
    assert "cannot be scheduled" not in terminal
    why = running.canary("why", "-o", "json").json["data"]
    assert why["cause"] == "in-progress"


@pytest.mark.parametrize(
    ("reasons", "minutes"), [(("TriggeredScaleUp",), 11), (("TriggeredScaleUp", "NotTriggerScaleUp"), 1), ((), 1)]
)
def test_a_pod_for_which_no_node_comes_is_one(
    running: World, over_the_real_feed: None, reasons: tuple[str, ...], minutes: int
) -> None:
    unscheduled(running, *reasons)
    running.advance(60 * minutes)
    assert f"Unschedulable: {CPU}" in running.canary("get").out
    assert running.canary("watch", "--timeout", "3s").out.count("Unschedulable message=") == 1
    assert running.canary("why", "-o", "json").json["data"]["cause"] == "unschedulable"


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_a_pod_that_no_node_takes(running: World) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": CPU}
    held(running, phase="Pending", conditions=[condition])
    assert running.canary("get", "-o", "json").json["data"]["cause"] is None, "an autoscaler may be about to add one"
    running.advance(20)
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
