"""What every verb has in common: -o, -q, -v, and that a dry run sends nothing."""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from companyos_canary import cli
from companyos_canary.errors import ExitCode
from tests.commands import test_bad_input
from tests.commands.conftest import changing
from tests.world import World

NAME = "rollout.argoproj.io/companyos-api\n"
# Each changing verb in the state in which it has something to do, v1.1.0 waiting at 10 %.
CHANGES: dict[str, tuple[str, ...]] = {
    "deploy": ("v1.3.0", "--supersede"),
    "promote": (),
    "abort": (),
    "undo": (),
    "pause": (),
}
# What is no object has no name and no YAML.
NO_OBJECT = {
    "yaml": ("diff", "events", "history", "init", "lint", "links", "logs", "schema", "demo", "sandbox"),
    "name": ("diff", "events", "history", "lint", "links", "logs", "schema", "demo", "sandbox"),
}
READS: dict[str, tuple[str, ...]] = {"status": (), "get": (), "watch": ("--until", "paused")}


@pytest.mark.parametrize("verb", CHANGES)
def test_a_dry_run_sends_nothing_in_any_form(waiting: World, verb: str) -> None:
    before = waiting.store.version
    for form in ("human", "json", "yaml", "name"):
        ran = waiting.canary(verb, *CHANGES[verb], "--dry-run", "-o", form)
        assert (ran.code, ran.err) == (ExitCode.OK, "dry run: nothing was sent\n"), ran
    assert changing(waiting) == []
    assert waiting.store.version == before


@pytest.mark.parametrize("verb", CHANGES)
def test_the_yaml_of_a_dry_run_is_the_request(waiting: World, verb: str) -> None:
    ran = waiting.canary(verb, *CHANGES[verb], "--dry-run", "-o", "yaml")
    (request, *_) = yaml.safe_load_all(ran.out)
    assert request["method"] == "PATCH"
    assert request["path"].startswith("/apis/argoproj.io/v1alpha1/namespaces/companyos/rollouts/")
    as_json = waiting.canary(verb, *CHANGES[verb], "--dry-run", "-o", "json").json
    assert as_json["data"]["requests"][0]["path"] == request["path"]


@pytest.mark.parametrize("verb", CHANGES)
def test_a_change_shows_the_rollout_as_yaml(waiting: World, verb: str) -> None:
    ran = waiting.canary(verb, *CHANGES[verb], "--no-wait", "-o", "yaml")
    (rollout,) = yaml.safe_load_all(ran.out)
    assert (rollout["kind"], rollout["metadata"]["name"]) == ("Rollout", "companyos-api")
    # What is superseded is aborted first, with a note of why.
    assert changing(waiting) == ["PATCH"] * (3 if verb == "deploy" else 1)


@pytest.mark.parametrize("verb", CHANGES)
def test_a_change_names_the_rollout(waiting: World, verb: str) -> None:
    assert waiting.canary(verb, *CHANGES[verb], "--no-wait", "-o", "name").out == NAME


@pytest.mark.parametrize("verb", READS)
def test_a_read_has_every_form(waiting: World, verb: str) -> None:
    arguments = (verb, *READS[verb])
    (rollout,) = yaml.safe_load_all(waiting.canary(*arguments, "-o", "yaml").out)
    assert rollout["spec"]["template"]["spec"]["containers"][0]["image"] == "companyos-api:v1.1.0"
    assert waiting.canary(*arguments, "-o", "name").out == NAME
    last = waiting.canary(*arguments, "-o", "json").out.splitlines()
    data = json.loads(last[-1] if verb == "watch" else "\n".join(last))
    assert data["schema"] == "canary/v1"


@pytest.mark.parametrize(("form", "verb"), [(f, v) for f in NO_OBJECT for v in NO_OBJECT[f]])
def test_a_form_that_cannot_be_is_refused_before_anything_is_done(waiting: World, form: str, verb: str) -> None:
    ran = waiting.canary(verb, "-o", form)
    assert (ran.code, ran.out, waiting.requests) == (ExitCode.USAGE, "", [])
    assert ran.err.startswith(f"error: --output `{form}` is not a format here\nhint: use human")


def test_analyses_are_objects_that_kubectl_could_read(world: World) -> None:
    assert world.canary("analysis", "-o", "yaml").out == "", "none was made"
    world.canary("deploy", "v1.3.0")
    found = [*yaml.safe_load_all(world.canary("analysis", "-o", "yaml").out)]
    names = world.canary("analysis", "-o", "name").out.split()
    assert [f"analysisrun.argoproj.io/{run['metadata']['name']}" for run in found] == names
    assert {(run["apiVersion"], run["kind"]) for run in found} == {("argoproj.io/v1alpha1", "AnalysisRun")}


def test_a_promote_up_to_a_weight_shows_the_rollout(waiting: World) -> None:
    ran = waiting.canary("promote", "--to-weight", "25", "-o", "yaml")
    (rollout,) = yaml.safe_load_all(ran.out)
    assert rollout["kind"] == "Rollout"


@pytest.mark.parametrize("verb", [*CHANGES, *READS, "apply", "links", "render"])
def test_quiet_is_silent_on_stderr_and_verbose_says_where_from(waiting: World, verb: str) -> None:
    arguments = (verb, *CHANGES.get(verb, READS.get(verb, ())))
    arguments += ("--dry-run",) if verb in CHANGES or verb == "apply" else ()
    quiet, loud = waiting.canary(*arguments, "-q"), waiting.canary(*arguments, "-v")
    assert quiet.err == ""
    assert loud.err.splitlines()[:2] == ["rollout: canary.yaml", "namespace: canary.yaml"]
    if verb != "watch":
        assert quiet.out == loud.out


def test_every_exit_code_that_a_verb_documents_has_a_test() -> None:
    """A test function that names both; bad input runs all its verbs into four of the codes."""
    tests = Path(__file__).parents[1]
    files = [*tests.glob("commands/test_*.py"), *tests.glob("e2e/test_*.py")]
    functions = [f for file in files for f in file.read_text().split("\ndef test_")[1:]]
    whole = {"demo", "sandbox"}  # processes: named by their modules
    common = {"FAILED", "USAGE", "DENIED", "NOT_FOUND"}
    for verb in cli.VERBS:
        module = import_module(f"companyos_canary.commands.{verb}")
        tested = set(common) if verb in test_bad_input.VERBS else set()
        for function in functions:
            if f'"{verb}"' in function:
                tested |= set(re.findall(r"ExitCode\.([A-Z_]+)", function))
        for file in files:
            if verb in whole and file.stem == f"test_{verb}":
                tested |= set(re.findall(r"ExitCode\.([A-Z_]+)", file.read_text()))
        assert {code.name for code in module.EXITS} - tested == set(), verb
