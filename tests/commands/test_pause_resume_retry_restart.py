"""`canary pause`, `resume`, `retry`, `restart`, from argv to exit, in the sandbox."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.conftest import changing, freeze
from tests.world import CONFIG, World


def test_a_pause_holds_the_step_and_a_resume_skips_nothing(running: World) -> None:
    world = running
    index = world.rollout().step_index
    paused = world.canary("pause")
    assert (paused.code, "analysis keeps running" in paused.err) == (ExitCode.OK, True)
    world.advance(60)
    assert world.rollout().step_index == index
    assert world.canary("resume").code == ExitCode.OK
    world.until(lambda r: r.is_fully_promoted)


@pytest.mark.prompt_only("the failure has left the window by the time that a late abort is over")
def test_retry_starts_from_step_one_and_says_how_long_the_failure_is_in_the_window(world: World) -> None:
    world.canary("deploy", "v1.2.0", "-q")
    ran = world.canary("retry")
    assert ran.code == ExitCode.OK, ran
    assert "runs again from step 1/3" in ran.out
    assert "the window of error-rate" in ran.err


def test_retry_can_wait_for_the_window(world: World) -> None:
    world.canary("deploy", "v1.2.0", "-q")
    began = world.now
    ran = world.canary("retry", "--wait-window")
    assert ran.code == ExitCode.OK, ran
    assert 0 < (world.now - began).total_seconds() < 10


def test_retry_of_what_is_not_aborted_is_refused(world: World) -> None:
    assert world.canary("retry").code == ExitCode.REFUSED


def test_restart_replaces_every_pod(world: World) -> None:
    before = {r["metadata"]["name"] for r in world.pods()}
    ran = world.canary("restart")
    assert ran.code == ExitCode.OK, ran
    assert ran.out == "all pods of companyos-api in companyos @ sandbox are new\n"
    after = {r["metadata"]["name"] for r in world.pods()}
    assert (len(after), before & after) == (10, set())


def test_restart_later_sends_the_moment(world: World) -> None:
    ran = world.canary("restart", "--in", "10m", "--no-wait")
    assert ran.out == "companyos-api in companyos @ sandbox restarts in 10m\n"
    assert world.rollout().restart_at == world.now.replace(microsecond=0) + timedelta(minutes=10)
    assert world.canary("restart", "--in", "soon").code == ExitCode.USAGE


def test_an_aborted_version_is_not_restarted_and_waiting_is_no_advice(rolled_back: World) -> None:
    ran = rolled_back.canary("restart")
    assert ran.code == ExitCode.REFUSED
    assert "`companyos-api` is aborted" in ran.err
    assert "canary undo" in ran.err


def test_a_pause_after_the_analysis_promises_no_analysis(world_of: Callable[[str], World]) -> None:
    world = world_of(CONFIG.replace("min_requests: 10", "min_requests: 100000"))
    world.canary("deploy", "v1.1.0")
    assert world.rollout().pause_conditions[0].reason == "InconclusiveAnalysisRun"
    assert "the analysis keeps running" not in world.canary("pause").err


def test_a_resume_of_what_is_aborted_points_to_retry(rolled_back: World) -> None:
    ran = rolled_back.canary("resume")
    assert (ran.code, changing(rolled_back)) == (ExitCode.OK, []), ran
    assert "is not paused but aborted: `canary retry`" in ran.out


@pytest.mark.parametrize("verb", ["pause", "resume", "retry"])
def test_the_time_of_every_verb_can_be_bounded(waiting: World, verb: str) -> None:
    if verb != "pause":
        waiting.canary(*(("pause",) if verb == "resume" else ("abort",)))
    freeze(waiting)
    began = waiting.now
    ran = waiting.canary(verb, "--timeout", "4s")
    assert ran.code == ExitCode.TIMEOUT, ran
    assert "timed out" in ran.out
    assert (waiting.now - began).total_seconds() < 5


@pytest.mark.prompt_only("the failure has left the window by the time that a late abort is over")
def test_a_wait_for_the_window_ends_with_the_time_that_was_given(world: World) -> None:
    world.canary("deploy", "v1.2.0", "-q")
    world.requests.clear()
    ran = world.canary("retry", "--wait-window", "--timeout", "1s")
    assert (ran.code, changing(world)) == (ExitCode.TIMEOUT, []), ran


def test_a_restart_replaces_every_pod_though_our_clock_is_behind(world: World) -> None:
    before = {r["metadata"]["name"] for r in world.pods()}
    world.clock = lambda: world.now - timedelta(hours=1)
    ran = world.canary("restart")
    assert (ran.code, ran.out) == (ExitCode.OK, "all pods of companyos-api in companyos @ sandbox are new\n"), ran
    assert not before & {r["metadata"]["name"] for r in world.pods()}


@pytest.mark.prompt_only("a second restart is refused until the first was seen")
def test_a_second_restart_in_the_same_second_is_one_too(world: World) -> None:
    world.canary("restart", "--no-wait")
    first = world.rollout().restart_at
    ran = world.canary("restart", "--no-wait")
    second = world.rollout().restart_at
    assert ran.code == ExitCode.OK, ran
    assert first is not None
    assert second is not None
    assert first < second
    assert world.canary("restart").code == ExitCode.OK


def test_a_restart_without_the_right_to_list_pods_says_who_says_so(world: World) -> None:
    world.allowed = lambda asked: asked.verb != "list"
    ran = world.canary("restart")
    assert ran.code == ExitCode.OK, ran
    assert ran.out == "the controller says that all pods of companyos-api in companyos @ sandbox are new\n"


def test_a_controller_that_calls_a_restart_done_too_early_is_not_believed(world: World) -> None:
    freeze(world)

    def claim() -> None:
        live = world.store.read(ROLLOUT, "companyos", "companyos-api")
        done = {"restartedAt": live["spec"].get("restartAt"), "observedGeneration": str(live["metadata"]["generation"])}
        world.patch({"status": done}, "status")

    world.on_wait.append(claim)
    ran = world.canary("restart")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "but 10 pods are the same as before" in ran.out
