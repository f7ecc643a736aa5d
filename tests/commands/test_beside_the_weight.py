"""What a weight does not tell: its scale, routes to the canary besides it, experiments and plugins of a step."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.kinds import ANALYSISRUN as RUNS
from companyos_canary.sandbox.kinds import EXPERIMENT as EXPERIMENTS
from companyos_canary.sandbox.kinds import ROLLOUT as ROLLOUTS
from tests.world import START, World

SPEC = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: companyos, annotations: {rollout.argoproj.io/revision: "2"}}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "reg.example.com/web:v2"}]}
  strategy:
    canary: {canaryService: web-canary, stableService: web-stable}
status:
  observedGeneration: "1"
  phase: Progressing
  message: more replicas need to be updated
  currentPodHash: bbb
  stableRS: aaa
  replicas: 5
  readyReplicas: 5
  availableReplicas: 5
  updatedReplicas: 1
"""
PAUSED = {
    "phase": "Paused",
    "message": "CanaryPauseStep",
    "controllerPause": True,
    "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": format_time(START)}],
}


@pytest.fixture
def standing(tmp_path: Path) -> Callable[..., World]:
    """A Rollout with these fields in its strategy and status, on which no controller acts, and an Experiment."""

    def begin(canary: dict[str, Any], status: dict[str, Any], experiment: dict[str, Any] | None = None) -> World:
        world = World(tmp_path, "", controller=False)
        rollout = yaml.safe_load(SPEC)
        rollout["spec"]["strategy"]["canary"].update(canary)
        rollout["status"].update(status)
        world.store.create(ROLLOUTS, rollout)
        if experiment:
            world.store.create(EXPERIMENTS, experiment)
        return world

    return begin


def of(world: World, *words: str) -> str:
    ran = world.canary(*words, "web", "-n", "companyos")
    return ran.out


def data(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(of(world, "get", "-o", "json"))["data"]
    return found


def weights(canary: int, of_all: int) -> dict[str, Any]:
    return {
        "canary": {"podTemplateHash": "bbb", "serviceName": "web-canary", "weight": canary},
        "stable": {"podTemplateHash": "aaa", "serviceName": "web-stable", "weight": of_all - canary},
    }


STEPS = [{"setWeight": 5}, {"pause": {}}, {"setWeight": 500}, {"pause": {}}]
OF_1000 = {"steps": STEPS, "trafficRouting": {"nginx": {"stableIngress": "web"}, "maxTrafficWeight": 1000}}


@pytest.fixture
def of_1000(standing: Callable[..., World]) -> Callable[..., World]:
    return lambda index, weight: standing(
        OF_1000, {**PAUSED, "currentStepIndex": index, "canary": {"weights": weights(weight, 1000)}}
    )


def test_a_weight_of_1000_is_shown_in_percent(of_1000: Callable[..., World]) -> None:
    half = of_1000(1, 5)
    assert "asked 0.5 %" in of(half, "get")
    assert "routed 0.5 %" in of(half, "get")
    assert "step 1/2, 0.5 %" in of(half, "status")
    assert "weight=0.5" in half.canary("list", "-n", "companyos").out
    found = data(half)
    assert (found["traffic"]["asked"], found["traffic"]["actual"]) == (0.5, 0.5)
    assert (found["weights"], found["traffic"]["max_weight"]) == ({"set": 5, "actual": 5}, 1000), "as it is written"
    assert "500 %" not in of(half, "get")
    there = of_1000(3, 500)
    assert "asked 50 %" in of(there, "get")


@pytest.mark.parametrize(("wanted", "code"), [("0.5", 0), ("50", 124)])
def test_a_weight_that_is_waited_for_is_in_percent(of_1000: Callable[..., World], wanted: str, code: int) -> None:
    world = of_1000(1, 5)
    ran = world.canary("promote", "web", "-n", "companyos", "--to-weight", wanted, "--timeout", "1s")
    assert (ran.code == 0) == (code == 0), ran


def test_requests_that_a_header_route_sends_to_the_canary_are_told(standing: Callable[..., World]) -> None:
    match = [{"headerName": "role", "headerValue": {"exact": "qa"}}]
    canary = {
        "trafficRouting": {
            "managedRoutes": [{"name": "qa"}, {"name": "copy"}],
            "istio": {"virtualService": {"name": "w"}},
        },
        "steps": [
            {"setCanaryScale": {"replicas": 1}},
            {"setHeaderRoute": {"name": "qa", "match": match}},
            {"setMirrorRoute": {"name": "copy", "percentage": 35, "match": [{"method": {"exact": "GET"}}]}},
            {"pause": {}},
            {"setHeaderRoute": {"name": "qa"}},
            {"pause": {}},
            {"setWeight": 10},
        ],
    }
    world = standing(canary, {**PAUSED, "currentStepIndex": 3, "canary": {"weights": weights(0, 100)}})
    header, mirror = "all requests with role: qa go to the canary", "35 % of the requests with method: GET are mirrored"
    for verb in ("get", "status"):
        assert header in of(world, verb), verb
        assert mirror in of(world, verb), verb
    assert 'routes="qa (role: qa), copy (method: GET)"' in of(world, "watch")
    assert [(r["kind"], r["name"], r["match"], r["percentage"]) for r in data(world)["traffic"]["routes"]] == [
        ("header", "qa", ["role: qa"], None),
        ("mirror", "copy", ["method: GET"], 35),
    ]
    later = standing(canary, {**PAUSED, "currentStepIndex": 5, "canary": {"weights": weights(0, 100)}})
    assert [r["name"] for r in data(later)["traffic"]["routes"]] == ["copy"], "a route without a match is removed"
    gone = standing(canary, {"abort": True, "currentStepIndex": 0, "phase": "Degraded"})
    assert data(gone)["traffic"]["routes"] == []


EXPERIMENT: dict[str, Any] = {
    "metadata": {"name": "web-bbb-2-1", "namespace": "companyos"},
    "spec": {"duration": "5m", "templates": []},
    "status": {
        "phase": "Running",
        "availableAt": format_time(START - timedelta(minutes=2)),
        "templateStatuses": [
            {"name": "base", "replicas": 1, "availableReplicas": 1, "status": "Running"},
            {"name": "cand", "replicas": 1, "availableReplicas": 0, "status": "Progressing"},
        ],
        "analysisRuns": [{"name": "cmp", "analysisRun": "web-bbb-2-1-cmp", "phase": "Running"}],
    },
}
COMPARED = {
    "metadata": {"name": "web-bbb-2-1-cmp", "namespace": "companyos"},
    "spec": {"metrics": [{"name": "errors", "interval": "1m", "provider": {"prometheus": {"query": "q"}}}]},
    "status": {
        "phase": "Running",
        "metricResults": [
            {"name": "errors", "phase": "Running", "measurements": [{"phase": "Successful", "value": "[0.031]"}]}
        ],
    },
}


def test_an_experiment_is_shown_with_its_versions_its_time_and_its_analyses(standing: Callable[..., World]) -> None:
    templates = [{"name": "base", "specRef": "stable"}, {"name": "cand", "specRef": "canary"}]
    experiment = {"duration": "5m", "templates": templates, "analyses": [{"name": "cmp", "templateName": "cmp"}]}
    canary = {"steps": [{"setWeight": 20}, {"experiment": experiment}, {"pause": {}}]}
    world = standing(canary, {"currentStepIndex": 1, "canary": {"currentExperiment": "web-bbb-2-1"}}, EXPERIMENT)
    world.store.create(RUNS, COMPARED)
    said = of(world, "get")
    assert "experiment web-bbb-2-1  Running, 3m00s left" in said
    assert "base  1 of 1 pod available" in said
    assert "cand  0 of 1 pod available, Progressing" in said
    assert "cmp   analysis Running: errors 0.031" in said
    assert "experiment" in of(world, "status")
    found = data(world)
    assert (found["step"]["kind"], found["step"]["remaining_seconds"]) == ("experiment", 180)
    assert [(t["name"], t["available"]) for t in found["experiment"]["templates"]] == [("base", 1), ("cand", 0)]


@pytest.mark.parametrize(
    ("phase", "value", "message", "shown"),
    [
        ("Running", "[]", "", "analysis Running: errors no data"),
        ("Running", "true", "", "analysis Running: errors true"),
        ("Running", None, "", "analysis Running"),
        ("Failed", "[0.4]", "too many", "analysis Failed: errors 0.4; too many"),
        ("Error", None, "no template", "analysis Error: no template"),
    ],
)
def test_an_analysis_of_an_experiment_is_shown_in_words(
    standing: Callable[..., World], phase: str, value: str | None, message: str, shown: str
) -> None:
    run = {"name": "cmp", "analysisRun": "web-bbb-2-1-cmp", "phase": phase, "message": message}
    measured = [{"name": "errors", "phase": phase, "measurements": [{"phase": "Successful", "value": value}]}]
    experiment = {**EXPERIMENT, "status": {**EXPERIMENT["status"], "analysisRuns": [run]}}
    own = {"templates": [], "analyses": [{"name": "cmp", "templateName": "cmp"}]}
    canary = {"steps": [{"setWeight": 20}, {"experiment": own}, {"pause": {}}]}
    world = standing(canary, {"currentStepIndex": 1, "canary": {"currentExperiment": "web-bbb-2-1"}}, experiment)
    world.store.create(RUNS, {**COMPARED, "status": {"phase": phase, "metricResults": measured if value else []}})
    assert f"cmp   {shown}\n" in of(world, "get")


def test_a_step_plugin_is_shown_with_what_it_says(standing: Callable[..., World]) -> None:
    plugin = {"index": 1, "name": "example/load-test", "phase": "Running", "message": "42 of 100 done"}
    canary = {"steps": [{"setWeight": 20}, {"plugin": {"name": "example/load-test"}}, {"pause": {}}]}
    world = standing(canary, {"currentStepIndex": 1, "canary": {"stepPluginStatuses": [plugin]}})
    assert "plugin example/load-test: Running, 42 of 100 done" in of(world, "get")
    assert "plugin example/load-test" in of(world, "status")
    assert data(world)["plugin"] == {"name": "example/load-test", "phase": "Running", "message": "42 of 100 done"}


def test_a_weight_that_the_router_has_not_confirmed_is_told(standing: Callable[..., World]) -> None:
    canary = {"steps": STEPS[:2], "trafficRouting": {"alb": {"ingress": "web", "servicePort": 80}}}
    state = {"currentStepIndex": 1, "canary": {"weights": {**weights(5, 100), "verified": False}}}
    world = standing(canary, state)
    assert "routed 5 %, not verified" in of(world, "get")
    assert "not verified by the router" in of(world, "status")
    found = data(world)["traffic"]
    assert (found["verified"], found["pods"]) == (False, 20)
