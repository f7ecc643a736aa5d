"""`canary experiment`: Experiments as `get` draws a Rollout, in a list, and again."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import ANALYSISRUN, ANALYSISTEMPLATE, EXPERIMENT
from tests.commands.conftest import changing, freeze, interrupt
from tests.commands.test_create import template_object
from tests.commands.test_terminate import COMPARE
from tests.world import CONFIG, World


def judging(answer: str, *, duration: str = "30s", image: str = "companyos-api:v1.1.0") -> dict[str, Any]:
    """COMPARE with an analysis whose answer is always this."""
    made = copy.deepcopy(COMPARE)
    arguments = [{"name": "is", "value": answer}, {"name": "times", "value": "9"}]
    made["spec"]["analyses"] = [{"name": "judge", "templateName": "answer", "args": arguments}]
    made["spec"]["duration"] = duration
    made["spec"]["templates"][1]["template"]["spec"]["containers"][0]["image"] = image
    return made


def measured(world: World) -> bool:
    """Whether its analysis has an answer, and both pods are ready."""
    status = world.store.read(EXPERIMENT, "companyos", "compare").get("status") or {}
    ready = [t.get("readyReplicas") for t in status.get("templateStatuses") or []]
    runs = world.store.items(ANALYSISRUN, "companyos")
    failed = any("ImagePull" in str(pod.get("status")) for pod in world.pods())
    return failed or (1 in ready and bool(runs and (runs[0].get("status") or {}).get("metricResults")))


@pytest.fixture
def comparing(world: World) -> Callable[[dict[str, Any]], World]:
    """An Experiment that was created five seconds ago."""

    def begun(experiment: dict[str, Any]) -> World:
        world.store.create(ANALYSISTEMPLATE, template_object())
        world.store.create(EXPERIMENT, experiment)
        world.advance(5)
        world.until(lambda _: measured(world))
        world.requests.clear()
        return world

    return begun


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_it_is_drawn_with_its_pods_and_metrics(comparing: Callable[[dict[str, Any]], World]) -> None:
    ran = comparing(judging("vector(1)")).canary("experiment", "get", "compare")
    assert ran.code == ExitCode.OK
    lines = ran.out.splitlines()
    assert lines[:2] == ["◌ compare · companyos · created 5s ago", "  Running, 25s left"]
    assert "  ● old  v1.0.0      1/1 ready  Running" in lines
    assert "  ● new  v1.1.0      1/1 ready  Running" in lines
    assert "◌ compare-judge" in lines
    assert any("judge · started" in line for line in lines)
    assert any(line.split()[:4] == ["·", "answer", "Running", "1"] for line in lines)


def test_a_pod_that_does_not_start_says_why(comparing: Callable[[dict[str, Any]], World]) -> None:
    ran = comparing(judging("vector(1)", image="companyos-api:bad")).canary("experiment", "get", "compare")
    assert "0/1 ready  Progressing" in ran.out
    assert "ImagePullBackOff" in ran.out or "ErrImagePull" in ran.out


def test_a_failed_metric_is_shown_with_its_query(comparing: Callable[[dict[str, Any]], World]) -> None:
    ran = comparing(judging("vector(-1)")).canary("experiment", "get", "compare", terminal=True)
    assert "✖" in ran.out
    assert "vector(-1)" in ran.out


def test_the_json_has_all_of_it(comparing: Callable[[dict[str, Any]], World]) -> None:
    data = comparing(judging("vector(1)")).canary("experiment", "get", "compare", "-o", "json").json["data"]
    assert (data["experiment"]["phase"], data["experiment"]["rollout"]) == ("Running", "")
    assert [(t["name"], t["images"], t["ready"], len(t["pods"])) for t in data["templates"]] == [
        ("old", {"c": "companyos-api:v1.0.0"}, 1, 1),
        ("new", {"c": "companyos-api:v1.1.0"}, 1, 1),
    ]
    (analysis,) = data["analyses"]
    assert (analysis["name"], analysis["run"]["step"]) == ("judge", "judge")
    assert analysis["run"]["metrics"][0]["value"] == 1


def test_what_may_not_be_read_is_a_note(comparing: Callable[[dict[str, Any]], World]) -> None:
    world = comparing(judging("vector(1)"))
    world.allowed = lambda asked: asked.resource not in ("pods", "analysisruns")
    ran = world.canary("experiment", "get", "compare")
    assert ran.code == ExitCode.OK
    assert "not permitted to `list` `pods`" in ran.err
    assert "not permitted to `list` `analysisruns.argoproj.io`" in ran.err
    assert "judge  Running" in ran.out


def test_the_list_has_a_line_each_those_that_run_first(comparing: Callable[[dict[str, Any]], World]) -> None:
    world = comparing(judging("vector(-1)"))
    other = {**COMPARE, "metadata": {"name": "young", "namespace": "companyos"}}
    world.store.create(EXPERIMENT, other)
    world.until(
        lambda _: world.store.read(EXPERIMENT, "companyos", "young").get("status", {}).get("phase") == "Running"
    )
    told = 'message="Metric \\"answer\\" assessed Failed due to failed (1) > failureLimit (0)"'
    assert world.canary("experiment").out.splitlines() == [
        "namespace=companyos experiment=young phase=Running",
        f"namespace=companyos experiment=compare phase=Failed {told}",
    ]
    drawn = world.canary("experiment", "list", "-A", terminal=True).out
    assert "NAMESPACE" in drawn
    assert world.canary("experiment", "list", "-o", "name").out.split() == [
        "experiment.argoproj.io/young",
        "experiment.argoproj.io/compare",
    ]


def test_none_is_a_note(world: World) -> None:
    ran = world.canary("experiment", "list")
    assert (ran.code, ran.out, ran.err) == (ExitCode.OK, "", "no Experiment in namespace `companyos`\n")


def test_a_failed_one_runs_again(comparing: Callable[[dict[str, Any]], World]) -> None:
    world = comparing(judging("vector(-1)"))
    ran = world.canary("experiment", "retry", "compare")
    assert ran.code == ExitCode.OK
    assert ran.out.startswith("Experiment `compare` in companyos @ sandbox ran again: ") or "runs again: " in ran.out
    assert changing(world) == ["PATCH"]
    world.advance(5)
    names = {r["name"] for r in world.store.read(EXPERIMENT, "companyos", "compare")["status"]["analysisRuns"]}
    assert names == {"judge"}


def test_one_that_was_terminated_runs_again_too(comparing: Callable[[dict[str, Any]], World]) -> None:
    world = comparing(judging("vector(-1)"))
    found = copy.deepcopy(world.store.read(EXPERIMENT, "companyos", "compare"))
    found["spec"]["terminate"] = True
    world.store.update(EXPERIMENT, found)
    assert world.canary("experiment", "retry", "experiment/compare", "--no-wait").code == ExitCode.OK
    assert "terminate" not in world.store.read(EXPERIMENT, "companyos", "compare")["spec"]


@pytest.mark.parametrize(
    ("answer", "seconds", "error"),
    [
        ("vector(1)", 0, "Experiment `compare` is Running: there is nothing to retry"),
        ("vector(1)", 60, "Experiment `compare` was Successful: there is nothing to retry"),
    ],
)
def test_one_that_has_not_failed_is_not_retried(
    comparing: Callable[[dict[str, Any]], World], answer: str, seconds: int, error: str
) -> None:
    world = comparing(judging(answer))
    world.advance(seconds)
    ran = world.canary("experiment", "retry", "compare")
    assert (ran.code, changing(world)) == (ExitCode.REFUSED, [])
    assert ran.err.startswith(f"error: {error}\n")


def test_the_experiment_of_an_aborted_rollout_is_not_retried(waiting: World) -> None:
    """Its controller would end it at once (recorded: retry-experiment)."""
    owner = waiting.rollout()
    reference = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": owner.name, "uid": owner.uid}
    failed = {**judging("vector(-1)"), "status": {"phase": "Failed"}}
    failed["metadata"] = {**failed["metadata"], "ownerReferences": [reference]}
    waiting.store.create(EXPERIMENT, failed)
    assert waiting.canary("abort").code == ExitCode.OK
    waiting.requests.clear()
    ran = waiting.canary("experiment", "retry", "compare")
    assert (ran.code, changing(waiting)) == (ExitCode.REFUSED, [])
    assert "hint: `canary retry companyos-api` runs the version again" in ran.err


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ("compare", "`compare` is not list, get or retry", "`canary experiment get compare` shows an Experiment"),
        ("gett x", "`gett` is not list, get or retry", "did you mean `get`?"),
        ("get", "the name of the Experiment is missing", "`canary experiment list` names them"),
        ("get a b", "`get` shows one Experiment", "give one name"),
        ("list a", "`list` takes no name", "`canary experiment get a` shows one"),
        ("get a -A", "-A is for `canary experiment list`", "choose one namespace with -n"),
        ("retry a --wait", "--wait is for `canary experiment get`", "`retry` does without"),
        ("retry ro/a", "`ro/a` cannot be the name of an object of the kind Experiment", "small letters"),
    ],
)
def test_a_wrong_command_line_asks_nothing(world: World, words: str, error: str, hint: str) -> None:
    world.requests.clear()
    ran = world.canary("experiment", *words.split())
    assert (ran.code, world.requests) == (ExitCode.USAGE, [])
    assert ran.err.startswith(f"error: {error}\nhint: {hint}")


def test_a_name_that_is_not_there_is_5(comparing: Callable[[dict[str, Any]], World]) -> None:
    ran = comparing(judging("vector(1)")).canary("experiment", "get", "compar")
    assert (ran.code, ran.err.splitlines()[1]) == (ExitCode.NOT_FOUND, "hint: did you mean `compare`?")


def test_without_argo_rollouts_it_says_so(world: World) -> None:
    world.faults.add(Fault(Answer(404), path="experiments"))
    assert world.canary("experiment", "list").code == ExitCode.NOT_FOUND


def test_tab_offers_actions_and_names(comparing: Callable[[dict[str, Any]], World], tmp_path: Path) -> None:
    world = comparing(judging("vector(1)"))
    offered = world.canary(environ={"_CANARY_COMPLETE": "canary experiment "}).out
    assert [line.partition("\t")[0] for line in offered.splitlines()] == ["list", "get", "retry"]
    assert world.canary(environ={"_CANARY_COMPLETE": "canary experiment get c"}).out == "compare\tRunning\n", tmp_path


def test_the_end_of_an_experiment_is_waited_for(world_of: Callable[[str], World]) -> None:
    ends = {"vector(1)": ExitCode.OK, "vector(-1)": ExitCode.DEGRADED, "vector(0.5)": ExitCode.UNFINISHED}
    for answer, code in ends.items():
        world = world_of(CONFIG)
        world.store.create(ANALYSISTEMPLATE, template_object())
        world.store.create(EXPERIMENT, judging(answer))
        ran = world.canary("experiment", "get", "compare", "--wait")
        assert ran.code == code, ran
        assert "compare" in ran.out


def test_a_wait_may_be_over_before_it_ends(comparing: Callable[[dict[str, Any]], World]) -> None:
    ran = comparing(judging("vector(1)")).canary("experiment", "get", "compare", "--wait", "--timeout", "3s")
    assert (ran.code, ran.err) == (ExitCode.TIMEOUT, "compare Running\n")
    assert "Running, " in ran.out


def test_ctrl_c_ends_the_wait_and_not_the_experiment(comparing: Callable[[dict[str, Any]], World]) -> None:
    world = comparing(judging("vector(1)"))
    interrupt(world)
    ran = world.canary("experiment", "get", "compare", "--wait")
    assert ran.code == ExitCode.INTERRUPTED
    assert "stopped watching; Experiment `compare` continues" in ran.err


def test_a_retry_that_no_controller_acts_on_is_9(comparing: Callable[[dict[str, Any]], World]) -> None:
    world = comparing(judging("vector(-1)"))
    freeze(world)
    ran = world.canary("experiment", "retry", "compare")
    assert (ran.code, changing(world)) == (ExitCode.UNOBSERVED, ["PATCH"]), ran


@pytest.mark.parametrize("action", [("list",), ("get", "compare"), ("retry", "compare")])
def test_an_error_of_the_server_has_its_own_code(
    comparing: Callable[[dict[str, Any]], World], action: tuple[str, ...]
) -> None:
    world = comparing(judging("vector(-1)"))
    for status, code in ((403, ExitCode.DENIED), (500, ExitCode.FAILED)):
        world.faults.add(Fault(Answer(status), path="/experiments"))
        ran = world.canary("experiment", *action)
        assert (ran.code, ran.out) == (code, ""), ran
        world.faults.clear()
