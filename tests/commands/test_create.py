"""`canary create`: new objects of Argo Rollouts, all of them or none; and AnalysisRuns from templates."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import ANALYSISRUN, ANALYSISTEMPLATE, CLUSTERANALYSISTEMPLATE, EXPERIMENT
from tests.commands.conftest import changing
from tests.commands.test_terminate import COMPARE
from tests.world import World


def template_object(kind: str = "AnalysisTemplate", name: str = "answer", **spec: Any) -> dict[str, Any]:
    """Asks Prometheus for its argument `is`, `times` times."""
    metric = {
        "name": "answer",
        "count": "{{args.times}}",
        "interval": "1s",
        "successCondition": "result[0] >= 1",
        "failureCondition": "result[0] < 0",
        "provider": {"prometheus": {"address": "http://prometheus", "query": "{{args.is}}"}},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, **({"namespace": "companyos"} if kind == "AnalysisTemplate" else {})},
        "spec": {"args": [{"name": "is"}, {"name": "times", "value": "2"}], "metrics": [metric], **spec},
    }


def written(world: World, *objects: dict[str, Any], name: str = "new.yaml") -> str:
    (world.folder / name).write_text(yaml.safe_dump_all(objects))
    return name


def runs(world: World) -> list[dict[str, Any]]:
    return list(world.store.items(ANALYSISRUN, "companyos"))


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_all_objects_of_a_file_are_created(world: World) -> None:
    ran = world.canary("create", "-f", written(world, COMPARE, template_object()))
    assert (ran.code, ran.out, ran.err) == (
        ExitCode.OK,
        "experiment.argoproj.io/compare created\nanalysistemplate.argoproj.io/answer created\n",
        "",
    )
    world.advance(5)
    assert world.store.read(EXPERIMENT, "companyos", "compare")["status"]["phase"] == "Running"


def test_several_files_a_list_and_standard_input(world: World) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [template_object(name="a"), template_object(name="b")]}
    files = [written(world, listed), written(world, template_object(name="c"), name="c.json")]
    ran = world.canary("create", *files, "-", "-o", "name", answer=json.dumps(template_object(name="d")))
    assert ran.out.split() == [f"analysistemplate.argoproj.io/{n}" for n in "abcd"]
    assert {f"{n}" for n in "abcd"} <= {o["metadata"]["name"] for o in world.store.items(ANALYSISTEMPLATE)}


def test_what_exists_is_refused_and_then_nothing_is_created(world: World) -> None:
    world.store.create(ANALYSISTEMPLATE, template_object())
    world.requests.clear()
    ran = world.canary("create", "-f", written(world, COMPARE, template_object()))
    assert (ran.code, changing(world)) == (ExitCode.REFUSED, [])
    assert ran.err.startswith("error: AnalysisTemplate `answer` already exists\nhint: ")
    assert world.store.get(EXPERIMENT, "companyos", "compare") is None


def test_a_rollout_that_exists_is_changed_with_apply(world: World) -> None:
    live = world.canary("get", "-o", "yaml").out
    meta = yaml.safe_load(live)
    fresh = {**meta, "metadata": {"name": meta["metadata"]["name"]}}
    ran = world.canary("create", "-f", written(world, {k: v for k, v in fresh.items() if k != "status"}))
    assert ran.code == ExitCode.REFUSED
    assert "hint: `canary apply` updates what canary.yaml represents" in ran.err


def test_a_field_that_no_one_knows_is_refused_by_the_server_before_anything_is_created(world: World) -> None:
    wrong = {**COMPARE, "spec": {**COMPARE["spec"], "durration": "5s"}}
    world.requests.clear()
    ran = world.canary("create", "-f", written(world, template_object(), wrong))
    assert (ran.code, changing(world)) == (ExitCode.FAILED, [])
    assert "durration" in ran.err


def test_a_dry_run_creates_nothing(world: World) -> None:
    world.requests.clear()
    ran = world.canary("create", "--dry-run", "-f", written(world, COMPARE), "-o", "json")
    assert (ran.code, changing(world)) == (ExitCode.OK, [])
    assert ran.json["data"] == {
        "created": False,
        "context": "sandbox",
        "objects": [{"kind": "Experiment", "namespace": "companyos", "name": "compare"}],
    }


SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
OTHER_PLACE = {**COMPARE, "metadata": {"name": "compare", "namespace": "shop"}}


@pytest.mark.parametrize(
    ("text", "given", "error"),
    [
        (yaml.safe_dump(SERVICE), (), "new.yaml:1: Service of v1 is not a kind of Argo Rollouts"),
        ("a: [", (), "new.yaml:2: the file is not valid YAML"),
        ("", (), "new.yaml: there is no object in it"),
        ("- 1", (), "new.yaml:1: this is not an object of Kubernetes: it is not a mapping"),
        ("kind: Experiment\nkind: Rollout", (), "new.yaml:2: `kind` is already in line 1"),
        ("kind: Experiment\napiVersion: argoproj.io/v1alpha1", (), "new.yaml:1: this Experiment has no name"),
        (yaml.safe_dump(OTHER_PLACE), ("-n", "companyos"), "new.yaml:1: its namespace is shop, and -n is companyos"),
        (yaml.safe_dump(COMPARE), ("--from", "t"), "these options are for an AnalysisRun"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line_before_a_request(
    world: World, text: str, given: tuple[str, ...], error: str
) -> None:
    (world.folder / "new.yaml").write_text(text)
    world.requests.clear()
    ran = world.canary("create", "-f", "new.yaml", *given)
    assert (ran.code, world.requests) == (ExitCode.USAGE, [])
    assert ran.err.startswith(f"error: {error}")
    assert "\nhint: " in ran.err


@pytest.mark.parametrize("words", ["", "-f missing.yaml", "analysisrun", "analysisrun --from a --from-file b"])
def test_a_wrong_command_line_is_2(world: World, words: str) -> None:
    world.requests.clear()
    ran = world.canary("create", *words.split())
    assert (ran.code, world.requests) == (ExitCode.USAGE, [])
    assert "\nhint: " in ran.err


def test_a_run_is_made_of_a_template_with_its_arguments(world: World) -> None:
    world.store.create(ANALYSISTEMPLATE, template_object())
    ran = world.canary("create", "analysisrun", "--from", "analysistemplate/answer", "-a", "is=vector(1)")
    assert ran.code == ExitCode.OK, ran
    (run,) = runs(world)
    assert ran.out == f"analysisrun.argoproj.io/{run['metadata']['name']} created\n"
    assert run["metadata"]["name"].startswith("answer-")
    assert run["spec"]["args"] == [{"name": "is", "value": "vector(1)"}, {"name": "times", "value": "2"}]
    world.advance(5)
    assert runs(world)[0]["status"]["phase"] == "Successful"


def test_templates_of_templates_and_of_the_cluster_count_too(world: World) -> None:
    world.store.create(CLUSTERANALYSISTEMPLATE, template_object("ClusterAnalysisTemplate"))
    outer = template_object(name="all", metrics=[], templates=[{"templateName": "answer", "clusterScope": True}])
    world.store.create(ANALYSISTEMPLATE, outer)
    assert world.canary("create", "ar", "--from", "all", "-a", "is=vector(1)", "--name", "one").code == ExitCode.OK
    ran = world.canary("create", "ar", "--from", "answer", "--global", "-a", "is=1", "--generate-name", "two-")
    assert ran.code == ExitCode.OK
    one, two = sorted(runs(world), key=lambda r: str(r["metadata"]["name"]))
    assert (one["metadata"]["name"], [m["name"] for m in one["spec"]["metrics"]]) == ("one", ["answer"])
    assert two["metadata"]["name"].startswith("two-")


def test_a_template_in_a_file_needs_not_be_in_the_cluster(world: World) -> None:
    file = written(world, template_object())
    given = ("--from-file", file, "-a", "is=vector(1)", "--instance-id", "team")
    assert world.canary("create", "analysisrun", *given).code == ExitCode.OK
    (run,) = runs(world)
    assert run["metadata"]["labels"] == {"argo-rollouts.argoproj.io/controller-instance-id": "team"}


@pytest.mark.parametrize(
    ("words", "code", "error", "hint"),
    [
        ("--from anser", 5, "AnalysisTemplate `anser` not found in namespace `companyos`", "did you mean `answer`?"),
        ("--from answer", 2, "AnalysisTemplate `answer` needs a value for `is`", "give it: -a is=VALUE"),
        (
            "--from answer -a is=1 -a tims=3",
            2,
            "AnalysisTemplate `answer` has no argument `tims`",
            "did you mean `times`?",
        ),
        ("--from answer -a is", 2, "`is` is not an argument", "write -a NAME=VALUE"),
        ("--from service/answer", 2, "`service/answer` does not name a template", "write analysistemplate/NAME"),
    ],
)
def test_a_run_that_cannot_be_made_says_what_to_give(
    world: World, words: str, code: int, error: str, hint: str
) -> None:
    world.store.create(ANALYSISTEMPLATE, template_object())
    ran = world.canary("create", "analysisrun", *words.split())
    assert (ran.code, runs(world)) == (code, [])
    assert ran.err.startswith(f"error: {error}\nhint: {hint}")


def test_an_argument_that_only_a_rollout_could_give_is_asked_for(world: World) -> None:
    args = [{"name": "is", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "times", "value": "1"}]
    world.store.create(ANALYSISTEMPLATE, template_object(args=args))
    ran = world.canary("create", "analysisrun", "--from", "answer")
    assert (ran.code, "needs a value for `is`" in ran.err) == (ExitCode.USAGE, True)


def test_an_answer_that_is_lost_is_9(world: World) -> None:
    world.faults.add(Fault(Answer(504), method="POST", path="experiments", after=1))
    ran = world.canary("create", "-f", written(world, COMPARE))
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "it may have taken effect" in ran.err
    assert "hint: `kubectl get experiments` shows whether it was created" in ran.err


def test_tab_offers_templates(world: World, tmp_path: Path) -> None:
    world.store.create(ANALYSISTEMPLATE, template_object())
    for line in ("canary create analysisrun --from ans", "canary verify ans"):
        assert world.canary(environ={"_CANARY_COMPLETE": line}).out == "answer\n", tmp_path


def test_who_may_not_create_is_denied_and_a_template_that_is_not_there_is_5(world: World) -> None:
    ran = world.canary("create", "analysisrun", "--from", "analysistemplate/nope")
    assert (ran.code, changing(world)) == (ExitCode.NOT_FOUND, []), ran
    world.faults.add(Fault(Answer(403), method="POST", path="/experiments"))
    ran = world.canary("create", "-f", written(world, COMPARE))
    assert (ran.code, ran.out) == (ExitCode.DENIED, ""), ran
