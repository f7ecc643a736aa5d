"""`canary terminate`: AnalysisRuns and Experiments end now, and what that means for their Rollout is said."""

import json

import pytest
import yaml

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import ANALYSISRUN, EXPERIMENT
from tests.commands.conftest import changing, freeze
from tests.world import World

COMPARE = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Experiment",
    "metadata": {"name": "compare", "namespace": "companyos"},
    "spec": {
        "templates": [
            {
                "name": name,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "c", "image": f"companyos-api:{version}"}]},
                },
            }
            for name, version in (("old", "v1.0.0"), ("new", "v1.1.0"))
        ]
    },
}


def run_of(world: World) -> str:
    return world.canary("analysis", "-o", "name").out.strip().partition("/")[2]


@pytest.fixture
def comparing(world: World) -> World:
    """An Experiment made by hand runs, without an end."""
    world.store.create(EXPERIMENT, COMPARE)
    world.advance(5)
    return world


def test_a_run_ends_and_what_its_rollout_makes_of_it_is_said(running: World) -> None:
    name = run_of(running)
    ran = running.canary("terminate", "analysisrun", name)
    assert (ran.code, ran.out) == (
        ExitCode.OK,
        f"AnalysisRun `{name}` in companyos @ sandbox has ended, Successful: Run Terminated\n",
    )
    assert "`companyos-api` takes it as passed unless a metric had failed" in ran.err
    assert running.store.read(ANALYSISRUN, "companyos", name)["status"]["phase"] == "Successful"
    running.advance(1)
    assert running.rollout().step_index != 1, "the rollout continued"


@pytest.mark.parametrize("what", ["experiment compare", "exp/compare", "experiments.argoproj.io/compare"])
def test_an_experiment_ends_with_its_pods(comparing: World, what: str) -> None:
    ran = comparing.canary("terminate", *what.split())
    assert (ran.code, ran.out) == (ExitCode.OK, "Experiment `compare` in companyos @ sandbox has ended, Successful\n")
    assert ran.err == ""
    comparing.advance(60)
    assert [p for p in comparing.pods() if p["metadata"]["name"].startswith("compare")] == []


def test_what_has_ended_is_left_alone(running: World) -> None:
    name = run_of(running)
    running.canary("terminate", "ar", name)
    running.requests.clear()
    ran = running.canary("terminate", "ar", name)
    assert (ran.code, ran.out) == (ExitCode.OK, f"nothing to terminate: AnalysisRun `{name}` is already Successful\n")
    assert changing(running) == []


def test_several_end_with_one_command_and_none_if_one_is_missing(running: World) -> None:
    name = run_of(running)
    ran = running.canary("terminate", "analysisrun", name, "nope")
    assert (ran.code, changing(running)) == (ExitCode.NOT_FOUND, [])
    assert ran.err == f"error: AnalysisRun `nope` not found in namespace `companyos`\nhint: there is `{name}`\n"
    assert running.canary("terminate", "analysisrun", name, f"analysisrun/{name}").code == ExitCode.OK
    assert changing(running) == ["PATCH"]


def test_a_dry_run_prints_the_patch_and_sends_nothing(running: World) -> None:
    name = run_of(running)
    for form in (("-o", "json"), ("-o", "yaml")):
        ran = running.canary("terminate", "ar", name, "--dry-run", *form)
        found = json.loads(ran.out)["data"]["requests"][0] if form[1] == "json" else yaml.safe_load(ran.out)
        assert (found["method"], found["body"][1]) == ("PATCH", {"op": "add", "path": "/spec/terminate", "value": True})
        assert found["body"][0]["path"] == "/metadata/uid"
    assert running.canary("terminate", "ar", name, "--dry-run").out.startswith("PATCH /apis/argoproj.io/v1alpha1/")
    assert changing(running) == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("analysisrn x", "`analysisrn` is not a kind that can be terminated"),
        ("rollout x", "`rollout` is not a kind that can be terminated"),
        ("analysisrun", "the name of the AnalysisRun is missing"),
        ("experiment A/B", "`A/B` cannot be the name of an object of the kind Experiment"),
        ("experiment ar/x", "`ar/x` cannot be the name of an object of the kind Experiment"),
    ],
)
def test_a_wrong_command_line_asks_nothing(world: World, words: str, error: str) -> None:
    world.requests.clear()
    ran = world.canary("terminate", *words.split())
    assert (ran.code, world.requests) == (ExitCode.USAGE, [])
    assert ran.err.startswith(f"error: {error}\nhint: ")


def test_without_a_controller_it_is_9_and_without_a_wait_0(running: World) -> None:
    name = run_of(running)
    freeze(running)
    running.sandbox = type("Nobody", (), {"settle": lambda *_: None})()  # no one looks at AnalysisRuns either
    ran = running.canary("terminate", "ar", name)
    assert (ran.code, ran.out) == (
        ExitCode.UNOBSERVED,
        f"the terminate of AnalysisRun `{name}` in companyos @ sandbox was sent, "
        "but the controller has not acted on it\n",
    )
    ran = running.canary("terminate", "ar", name, "--timeout", "3s")
    assert (ran.code, ran.out.partition(":")[0]) == (ExitCode.TIMEOUT, "timed out")
    assert running.canary("terminate", "ar", name, "--no-wait").code == ExitCode.OK


def test_an_answer_that_is_lost_is_said(running: World) -> None:
    name = run_of(running)
    running.faults.add(Fault(Answer(504), method="PATCH"))
    ran = running.canary("terminate", "ar", name, "--no-wait")
    assert ran.code == ExitCode.UNOBSERVED
    assert "it may have taken effect" in ran.out


def test_tab_offers_what_runs(running: World) -> None:
    name = run_of(running)
    done = running.canary(environ={"_CANARY_COMPLETE": "canary terminate "})
    assert [line.partition("\t")[0] for line in done.out.splitlines()] == ["analysisrun", "experiment"]
    done = running.canary(environ={"_CANARY_COMPLETE": "canary terminate analysisrun "})
    assert done.out == f"{name}\tRunning\n"


def test_the_errors_of_the_server_have_their_codes(running: World) -> None:
    name = run_of(running)
    for status, code in ((403, ExitCode.DENIED), (500, ExitCode.FAILED)):
        running.faults.add(Fault(Answer(status), path="/analysisruns"))
        ran = running.canary("terminate", "ar", name)
        assert (ran.code, ran.out) == (code, ""), ran
        running.faults.clear()


def test_another_one_of_its_name_is_not_taken_for_it(comparing: World) -> None:
    freeze(comparing)

    def replaced() -> None:
        comparing.on_wait.clear()
        comparing.store.delete(EXPERIMENT, "companyos", "compare")
        comparing.store.create(EXPERIMENT, COMPARE)

    comparing.on_wait.append(replaced)
    ran = comparing.canary("terminate", "experiment", "compare")
    assert ran.code == ExitCode.SUPERSEDED
    assert "but another object has this name now" in ran.out
