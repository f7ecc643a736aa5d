"""`canary status`: one line, one request unless something is wrong, an exit code by state."""

from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Drop, Fault
from tests.commands.conftest import interrupt
from tests.world import Ran, World

NAMED = ("status", "companyos-api", "-n", "companyos")


def test_healthy_is_0_and_one_line(world: World) -> None:
    assert world.canary("status") == Ran(0, "companyos-api v1.0.0 Healthy\n", "")


def test_waiting_for_a_person_is_8(waiting: World) -> None:
    said = "companyos-api v1.1.0 Paused: step 1/3, 10 %, waits for a person\n"
    assert waiting.canary("status") == Ran(8, said, "")


def test_a_running_step_is_8(running: World) -> None:
    ran = running.canary("status")
    assert (ran.code, ran.out) == (ExitCode.UNFINISHED, "companyos-api v1.1.0 Progressing: step 1/3, 10 %, analysing\n")


def test_aborted_is_3_and_says_that_no_analysis_failed(rolled_back: World) -> None:
    ran = rolled_back.canary("status")
    assert ran.code == ExitCode.DEGRADED
    assert ran.out.startswith("companyos-api v1.1.0 Degraded: aborted (no analysis failed)")


def test_a_named_rollout_needs_no_file_and_takes_a_broken_one(world: World) -> None:
    expected = world.canary("status")
    (world.folder / "canary.yaml").write_text("steps: [")
    assert world.canary(*NAMED) == expected
    (world.folder / "canary.yaml").unlink()
    assert world.canary(*NAMED) == expected
    assert world.canary("status", "-n", "companyos") == expected, "the only one there is meant"


def test_verbose_says_which_source_won(world: World) -> None:
    ran = world.canary("status", "-v", "-n", "companyos", environ={"CANARY_CONTEXT": "eu"})
    assert ran.out == "companyos-api v1.0.0 Healthy\n"
    assert ran.err.splitlines()[:3] == ["namespace: flag", "context: CANARY_CONTEXT", "rollout: canary.yaml"]
    assert ran.err.splitlines()[3:] == [
        "the version of Argo Rollouts is not known: no Deployment of Argo Rollouts was found"
    ]


def test_wait_is_over_when_it_is_healthy(running: World) -> None:
    ran = running.canary("status", "--wait")
    assert (ran.code, ran.last.split()[0]) == (ExitCode.OK, "verdict=healthy")


def test_wait_ends_with_the_time(running: World) -> None:
    ran = running.canary("status", "--wait", "--timeout", "2s")
    assert (ran.code, ran.last.split()[0]) == (ExitCode.TIMEOUT, "verdict=timeout")


def test_wait_ends_with_8_where_nobody_can_promote(waiting: World) -> None:
    assert waiting.canary("status", "--wait").code == ExitCode.UNFINISHED


def test_ctrl_c_while_waiting_is_130(running: World) -> None:
    interrupt(running)
    assert running.canary("status", "--wait").code == ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    ("effect", "code"),
    [
        (Answer(401), ExitCode.DENIED),
        (Answer(403), ExitCode.DENIED),
        (Answer(500), ExitCode.FAILED),
        (Drop(), ExitCode.FAILED),
    ],
)
def test_a_cluster_that_does_not_answer_has_its_own_code(world: World, effect: Answer | Drop, code: ExitCode) -> None:
    world.faults.add(Fault(effect))
    ran = world.canary("status")
    assert (ran.code, ran.out) == (code, "")


def test_a_missing_one_is_5_and_no_name_at_all_is_2(world: World, tmp_path: Path) -> None:
    assert world.canary("status", "other").code == ExitCode.NOT_FOUND
    (tmp_path / "canary.yaml").write_text("rollout: 7\n")
    assert world.canary("status").code == ExitCode.USAGE


def test_json_says_nothing_of_what_was_not_asked_for(waiting: World) -> None:
    data = waiting.canary("status", "-o", "json").json["data"]
    assert (data["version"], data["phase"]) == ("v1.1.0", "Paused")
    unread = ("stable_version", "replicasets", "pods", "metrics", "runs", "events")
    assert {k: data[k] for k in unread} == dict.fromkeys(unread)
    assert waiting.canary("get", "-o", "json").json["data"]["runs"]
