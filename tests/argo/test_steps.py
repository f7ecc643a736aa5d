"""Weights and step texts, against what the plugin and the controller print."""

from typing import Any

import pytest

from companyos_canary.argo import steps
from companyos_canary.model.rollout import Rollout, Step

STEPS = [{"pause": {}}, {"setWeight": 20}, {"pause": {"duration": 3}}, {"setWeight": 60}]


def rollout(index: int | None, **status: Any) -> Rollout:
    status = {"currentStepIndex": index, "currentPodHash": "b", "stableRS": "a", **status}
    return Rollout.from_object({"metadata": {}, "spec": {"strategy": {"canary": {"steps": STEPS}}}, "status": status})


@pytest.mark.parametrize(("index", "weight"), [(0, 0), (1, 20), (2, 20), (3, 60), (4, 100), (5, 100), (None, 0)])
def test_the_set_weight_is_the_nearest_before_the_step(index: int | None, weight: int) -> None:
    assert steps.set_weight(rollout(index)) == weight


def test_an_aborted_rollout_asks_for_no_canary() -> None:
    assert steps.set_weight(rollout(0, abort=True)) == 0
    assert steps.weight_in_force(rollout(0, abort=True)) == 0


@pytest.mark.parametrize("status", [{"promoteFull": True}, {"stableRS": ""}, {"stableRS": "b"}])
def test_all_weight_is_in_force_where_nothing_is_left_to_compare(status: dict[str, Any]) -> None:
    assert steps.weight_in_force(rollout(1, **status)) == 100
    assert steps.weight_in_force(rollout(1)) == 20


@pytest.mark.parametrize(("canary", "available", "weight"), [(1, 6, 16), (2, 9, 22), (1, 5, 20), (0, 0, 0), (0, 5, 0)])
def test_the_actual_weight_is_the_share_of_available_pods(canary: int, available: int, weight: int) -> None:
    assert steps.actual_weight(rollout(1), canary, available) == weight


def test_the_actual_weight_is_all_when_no_step_is_left() -> None:
    assert steps.actual_weight(rollout(4), 1, 5) == 100


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ({"setWeight": 20}, "setWeight: 20"),
        ({"setWeight": 0}, "setWeight: 0"),
        ({"pause": {}}, "pause"),
        ({"pause": {"duration": 3}}, "pause: 3"),
        ({"pause": {"duration": "3"}}, "pause: 3"),
        ({"pause": {"duration": "2s"}}, "pause: 2s"),
        ({"analysis": {"templates": []}}, "analysis"),
        ({"experiment": {"templates": []}}, "experiment"),
        ({"setCanaryScale": {"weight": 5}}, "setCanaryScale{weight: 5}"),
        ({"setCanaryScale": {"replicas": 2}}, "setCanaryScale{replicas: 2}"),
        ({"setCanaryScale": {"matchTrafficWeight": True}}, "setCanaryScale{matchTrafficWeight: true}"),
        ({"setHeaderRoute": {"name": "h"}}, "setHeaderRoute: h"),
        ({"plugin": {"name": "p"}}, "plugin: p"),
        ({}, "unknown"),
    ],
)
def test_steps_are_named_as_in_the_controllers_events(step: dict[str, Any], text: str) -> None:
    assert steps.step_text(Step.from_object(step)) == text
