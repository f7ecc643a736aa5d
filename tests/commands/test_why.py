"""`canary why`: one sentence, the fields that show it, and the next command."""

import json
from collections.abc import Callable

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import POD
from tests.commands.conftest import freeze
from tests.world import CONFIG, World

PULL = 'Back-off pulling image "companyos-api:bad1"'


def test_a_healthy_rollout_is_told_in_one_sentence_with_its_fields(world: World) -> None:
    ran = world.canary("why")
    assert ran.code == ExitCode.OK
    first, *fields, following = ran.out.splitlines()
    assert first == "Nothing is wrong: v1.0.0 is stable and Healthy"
    assert fields[0] == "  Rollout/companyos-api  status.phase: Healthy"
    assert following == "next: canary status"


def test_the_json_has_a_stable_cause_and_the_values_as_they_are(world: World) -> None:
    world.canary("deploy", "bad1", "--no-wait")
    world.advance(20)
    ran = world.canary("why", "-o", "json")
    (pod,) = [p for p in world.pods() if p["spec"]["containers"][0]["image"] == "companyos-api:bad1"]
    data = ran.json["data"]
    assert (ran.code, data["cause"], data["fine"]) == (ExitCode.OK, "image-pull", False)
    assert {
        "object": f"Pod/{pod['metadata']['name']}",
        "field": "status.containerStatuses[0].state.waiting.message",
        "value": PULL,
    } in data["evidence"]


def test_another_version_is_asked_about_by_name(waiting: World) -> None:
    ran = waiting.canary("why", "--version", "v1.0.9", "-o", "json")
    assert ran.json["data"]["cause"] == "superseded"
    assert ran.json["data"]["sentence"] == "v1.0.9 was never started: the Rollout's spec has v1.1.0"


def test_a_version_that_was_rolled_back_before_another_one_came_was_not_superseded(world: World) -> None:
    assert world.canary("deploy", "errors-1", "-q").code == ExitCode.DEGRADED
    assert world.canary("deploy", "v1.1.0", "-q").code == ExitCode.OK
    data = world.canary("why", "--version", "errors-1", "-o", "json").json["data"]
    assert data["sentence"].startswith("errors-1 was rolled back: error-rate "), data
    assert data["sentence"].endswith("; v1.1.0 (revision 3) came after it")
    assert any(e["object"].startswith("AnalysisRun/") for e in data["evidence"])
    assert world.canary("undo", "--to", "v1.0.0", "-q").code == ExitCode.OK
    sentence = world.canary("why", "--version", "errors-1", "--field", "sentence").out
    assert sentence.startswith("errors-1 was rolled back: error-rate "), sentence
    sentence = world.canary("why", "--version", "v1.1.0", "--field", "sentence").out
    assert sentence == "v1.1.0 is not live: the Rollout is back on v1.0.0\n"


def test_what_may_not_be_listed_is_said_and_the_rest_is_answered(waiting: World) -> None:
    waiting.allowed = lambda asked: asked.resource != POD.plural
    ran = waiting.canary("why", "-o", "json")
    assert ran.code == ExitCode.OK
    assert ran.json["data"]["cause"] == "waiting-for-a-person"
    assert any("pods" in note for note in ran.json["data"]["notes"])
    assert "pods" in ran.err


def test_without_the_right_to_read_the_rollout_there_is_no_answer(waiting: World) -> None:
    waiting.allowed = lambda asked: False
    assert waiting.canary("why").code == ExitCode.DENIED


def test_it_asks_no_more_than_eight_times_whatever_is_wrong(world_of: Callable[[str], World]) -> None:
    for version in ("bad1", "errors1"):
        world = world_of(CONFIG)
        world.canary("deploy", version, "--no-wait")
        for seconds in (1, 20, 40):
            world.advance(seconds)
            world.requests.clear()
            assert world.canary("why").code == ExitCode.OK
            assert len(world.requests) <= 8, [r.target for r in world.requests]


def test_commands_name_the_rollout_where_no_file_does(waiting: World) -> None:
    (waiting.folder / "canary.yaml").unlink()
    ran = waiting.canary("why", "companyos-api", "-n", "companyos")
    assert ran.last == "next: canary promote companyos-api -n companyos"


def test_nobody_has_acted_on_a_deploy_for_a_while(world: World) -> None:
    freeze(world)
    world.canary("deploy", "v1.1.0", "--no-wait")
    at_once = world.canary("why", "-o", "json").json["data"]
    world.advance(90)
    later = world.canary("why", "-o", "json").json["data"]
    assert (at_once["cause"], later["cause"]) == ("in-progress", "controller-not-running")
    assert "1m30s" in later["sentence"]


def test_the_answer_is_json_also_where_nothing_is_wrong(world: World) -> None:
    assert json.loads(world.canary("why", "-o", "json").out)["errors"] == []
