"""Exit codes of the verbs that a frozen controller, a person or a clock brings about."""

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Fault
from tests.commands.conftest import freeze, interrupt
from tests.world import World

pytestmark = pytest.mark.replicas(4)


def other_hash(world: World) -> None:
    world.patch({"status": {"currentPodHash": "abc"}}, "status")


def test_pause_and_undo_without_a_controller_are_9(waiting: World) -> None:
    freeze(waiting)
    for verb in ("undo", "pause"):
        ran = waiting.canary(verb)
        assert ran.code == ExitCode.UNOBSERVED
        assert "the controller has not acted on it" in ran.out


def test_resume_without_a_controller_is_9(waiting: World) -> None:
    waiting.canary("pause")
    freeze(waiting)
    assert waiting.canary("resume").code == ExitCode.UNOBSERVED


def test_retry_without_a_controller_is_9(rolled_back: World) -> None:
    freeze(rolled_back)
    assert rolled_back.canary("retry").code == ExitCode.UNOBSERVED


def test_retry_of_what_became_another_version_is_6(rolled_back: World) -> None:
    freeze(rolled_back)
    rolled_back.on_wait.append(lambda: other_hash(rolled_back))
    assert rolled_back.canary("retry").code == ExitCode.SUPERSEDED


def test_a_pause_that_somebody_lifted_at_once_is_6(waiting: World) -> None:
    freeze(waiting)
    waiting.on_wait.append(lambda: waiting.patch({"spec": {"paused": False, "replicas": 11}}))
    assert waiting.canary("pause").code == ExitCode.SUPERSEDED


def test_a_restart_that_takes_too_long_is_124(world: World) -> None:
    freeze(world)
    ran = world.canary("restart", "--timeout", "20s")
    assert ran.code == ExitCode.TIMEOUT
    assert "is still restarting" in ran.out


def test_ctrl_c_in_a_restart_is_130(world: World) -> None:
    interrupt(world)
    ran = world.canary("restart")
    assert ran.code == ExitCode.INTERRUPTED
    assert ran.err.startswith("interrupted: the restart of `companyos-api` was sent and stays\n")


@pytest.fixture
def shipped(waiting: World) -> World:
    """v1.1.0 is stable, after v1.0.0; the first step waits for a person."""
    assert waiting.canary("promote").code == ExitCode.OK
    waiting.until(lambda r: r.is_fully_promoted)
    return waiting


def test_an_undo_that_waits_for_a_person_is_8(shipped: World) -> None:
    assert shipped.canary("undo").code == ExitCode.UNFINISHED


def test_an_undo_ends_with_the_time(shipped: World) -> None:
    assert shipped.canary("undo", "--timeout", "100ms").code == ExitCode.TIMEOUT


def test_an_undo_that_another_version_overtakes_is_6(shipped: World) -> None:
    def somebody_else() -> None:
        shipped.on_wait.clear()
        shipped.canary("deploy", "v1.3.0", "--supersede", "--no-wait")

    shipped.on_wait.append(somebody_else)
    assert shipped.canary("undo").code == ExitCode.SUPERSEDED


def test_ctrl_c_in_an_undo_is_130(shipped: World) -> None:
    interrupt(shipped, after=1)
    assert shipped.canary("undo").code == ExitCode.INTERRUPTED


def test_a_promote_up_to_a_weight_ends_with_the_time(waiting: World) -> None:
    ran = waiting.canary("promote", "--to-weight", "50", "--timeout", "2s")
    assert ran.code == ExitCode.TIMEOUT


def test_events_have_their_codes(waiting: World) -> None:
    assert waiting.canary("events").code == ExitCode.OK
    assert waiting.canary("events", "--when").code == ExitCode.USAGE
    assert waiting.canary("events", "other").code == ExitCode.NOT_FOUND
    interrupt(waiting)
    assert waiting.canary("events", "--watch").code == ExitCode.INTERRUPTED
    waiting.faults.add(Fault(Answer(401), times=1), Fault(Answer(500)))
    assert waiting.canary("events").code == ExitCode.DENIED
    assert waiting.canary("events").code == ExitCode.FAILED


def test_list_has_its_codes(waiting: World) -> None:
    assert waiting.canary("list").code == ExitCode.OK
    assert waiting.canary("list", "--older", "soon").code == ExitCode.USAGE
    waiting.faults.add(Fault(Answer(403), times=1), Fault(Answer(404), times=1), Fault(Answer(500)))
    assert waiting.canary("list").code == ExitCode.DENIED
    assert waiting.canary("list").code == ExitCode.NOT_FOUND
    assert waiting.canary("list").code == ExitCode.FAILED


@pytest.mark.replicas(10)
def test_pause_resume_and_restart_are_refused_where_they_would_do_something_else(waiting: World) -> None:
    assert waiting.canary("resume").code == ExitCode.REFUSED
    assert waiting.canary("restart").code == ExitCode.REFUSED
    waiting.canary("abort", "--no-wait")
    assert waiting.rollout().updated_replicas, "its pods are still there"
    assert waiting.canary("pause").code == ExitCode.REFUSED


def test_init_from_a_cluster_that_refuses_or_fails(world: World) -> None:
    world.faults.add(Fault(Answer(401), times=1), Fault(Answer(500)))
    arguments = ("init", "--from", "companyos-api", "-n", "companyos", "-f", "new.yaml")
    assert world.canary(*arguments).code == ExitCode.DENIED
    assert world.canary(*arguments).code == ExitCode.FAILED
    assert not (world.folder / "new.yaml").exists()


def test_an_undo_to_a_version_that_fails_again_is_3(world: World) -> None:
    """`slow` was promoted while no one measured; in progress back it is measured."""
    world.canary("deploy", "slow-1", "--no-wait")
    world.until(lambda r: r.observed and not r.is_fully_promoted)
    world.canary("promote", "--full", "--reason", "test", "--yes")
    world.until(lambda r: r.is_fully_promoted)
    assert world.canary("deploy", "v1.1.0").code == ExitCode.OK
    ran = world.canary("undo")
    assert ran.code == ExitCode.DEGRADED, ran


def test_logs_of_a_cluster_that_fails_are_1(waiting: World) -> None:
    waiting.faults.add(Fault(Answer(500)))
    assert waiting.canary("logs").code == ExitCode.FAILED
