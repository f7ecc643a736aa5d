"""`canary deploy`, from argv to exit, in the sandbox."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from companyos_canary.actions.follow import Following
from companyos_canary.argo.endings import Until
from companyos_canary.argo.patches.record import RECORD
from companyos_canary.config import Resolved
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox import cluster as sandbox
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.conftest import freeze
from tests.world import CONFIG, MANUAL, World

pytestmark = pytest.mark.usefixtures("over_the_real_feed")


def test_a_good_version_goes_through_all_steps_and_becomes_stable(world: World) -> None:
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.OK
    assert ran.last == "verdict=healthy version=v1.1.0 stable=v1.1.0 step=3/3 weight=100 exit=0"
    live = world.rollout()
    assert live.image() == "companyos-api:v1.1.0"
    assert live.is_fully_promoted


def test_a_bad_version_is_rolled_back_and_the_end_names_metric_value_and_limit(world: World) -> None:
    ran = world.canary("deploy", "v1.2.0")
    assert ran.code == ExitCode.DEGRADED
    verdict = dict(pair.split("=", 1) for pair in ran.last.split())
    assert verdict["verdict"] == "rolled-back"
    assert (verdict["version"], verdict["stable"]) == ("v1.2.0", "v1.0.0")
    assert (verdict["metric"], verdict["limit"], verdict["weight"]) == ("error-rate", "0.05", "25")
    assert 0.05 < float(verdict["value"]) < 0.2
    assert "canary deploy VERSION" in ran.err
    live = world.rollout()
    assert live.aborted
    assert live.updated_replicas == 0


def test_a_pipe_gets_no_escapes(world: World) -> None:
    assert "\x1b" not in world.canary("deploy", "v1.1.0").out


def test_the_record_says_who_what_and_which_hash_was_stable_then(world: World) -> None:
    stable = world.rollout().stable_hash
    world.canary("deploy", "v1.1.0", "--reason", "fixes login")
    record = json.loads(world.rollout().annotations[RECORD])
    assert (record["by"], record["reason"], record["image"], record["stable"]) == (
        "ana",
        "fixes login",
        "companyos-api:v1.1.0",
        stable,
    )


def test_a_dry_run_shows_the_patch_and_sends_nothing(world: World) -> None:
    ran = world.canary("deploy", "v1.1.0", "--dry-run")
    assert ran.code == ExitCode.OK
    assert ran.out.startswith("PATCH /apis/argoproj.io/v1alpha1/namespaces/companyos/rollouts/companyos-api")
    assert {r.method for r in world.requests} == {"GET"}
    assert world.rollout().image() == "companyos-api:v1.0.0"


def test_no_wait_ends_once_it_is_sent(world: World) -> None:
    ran = world.canary("deploy", "v1.1.0", "--no-wait")
    *sent, event = world.requests
    assert (ran.code, [r.method for r in sent]) == (ExitCode.OK, ["GET", "PATCH"])
    assert (event.method, event.path.rsplit("/", 1)[-1]) == ("POST", "events")


def test_the_version_that_is_there_is_nothing_to_do(world: World) -> None:
    ran = world.canary("deploy", "v1.0.0")
    assert ran.code == ExitCode.OK
    assert "nothing to do" in ran.err
    assert "PATCH" not in {r.method for r in world.requests}


def test_running_it_again_attaches_to_the_version_on_its_way(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(3)
    ran = world.canary("deploy", "v1.1.0")
    assert (ran.code, ran.last.split()[0]) == (ExitCode.OK, "verdict=healthy")


def test_another_version_on_its_way_is_not_run_over(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(3)
    ran = world.canary("deploy", "v1.3.0")
    assert ran.code == ExitCode.REFUSED
    assert "v1.1.0 is still in progress" in ran.err
    assert world.canary("deploy", "v1.3.0", "--supersede").code == ExitCode.OK


def test_being_superseded_while_following_is_said_with_its_own_exit_code(world: World) -> None:
    def somebody_else() -> None:
        world.on_wait.clear()
        world.advance(4)
        world.canary("deploy", "v1.3.0", "--supersede", "--no-wait")

    world.on_wait.append(somebody_else)
    ran = world.canary("deploy", "v1.1.0")
    assert (ran.code, ran.last.split()[0]) == (ExitCode.SUPERSEDED, "verdict=superseded")


def test_the_old_image_put_back_is_not_a_success(world: World) -> None:
    def somebody_else() -> None:
        world.on_wait.clear()
        world.advance(4)
        world.canary("deploy", "v1.0.0", "--supersede", "--no-wait")

    world.on_wait.append(somebody_else)
    ran = world.canary("deploy", "v1.1.0")
    assert (ran.code, ran.last.split()[0]) == (ExitCode.SUPERSEDED, "verdict=reverted")


def test_a_version_that_was_aborted_is_refused_and_names_retry(world: World) -> None:
    world.canary("deploy", "v1.2.0")
    ran = world.canary("deploy", "v1.2.0")
    assert ran.code == ExitCode.REFUSED
    assert "retry" in ran.err


def test_after_a_roll_back_the_next_version_goes_out(world: World) -> None:
    world.canary("deploy", "v1.2.0")
    assert world.canary("deploy", "v1.2.1").code == ExitCode.OK


def test_without_a_terminal_a_pause_for_a_person_ends_it(world_of: Callable[[str], World]) -> None:
    world = world_of(MANUAL)
    ran = world.canary("deploy", "v1.1.0")
    assert (ran.code, ran.last.split()[0]) == (ExitCode.UNFINISHED, "verdict=paused")
    assert world.canary("deploy", "v1.1.0", "--until", "paused").code == ExitCode.OK


def test_an_image_that_cannot_be_pulled_ends_with_the_reason_of_the_pod(world: World) -> None:
    ran = world.canary("deploy", "bad-tag", "--timeout", "30s")
    assert ran.code == ExitCode.TIMEOUT
    assert "ImagePullBackOff" in ran.out


def test_where_no_controller_acts_that_is_said(tmp_path: Path, world: World) -> None:
    world.sandbox = sandbox.Cluster(world.store, controller=False)
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.UNOBSERVED
    assert "no controller has acted" in ran.err


def test_a_missing_rollout_names_the_command_that_installs_it(empty: World) -> None:
    ran = empty.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.NOT_FOUND
    assert "canary apply v1.1.0" in ran.err


@pytest.mark.parametrize("code", [409, 422])
def test_five_conflicts_end_it_with_the_servers_words(world: World, code: int) -> None:
    world.faults.add(Fault(Answer(code), method="PATCH"))
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.FAILED
    assert "(5 times)" in ran.err
    assert [r.method for r in world.requests].count("PATCH") == 5


@pytest.mark.parametrize("code", [409, 422])
def test_four_conflicts_are_read_and_decided_again(world: World, code: int) -> None:
    world.faults.add(Fault(Answer(code), method="PATCH", times=4))
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK


def test_json_has_the_verdict_and_nothing_else_is_on_stdout(world: World) -> None:
    ran = world.canary("deploy", "v1.2.0", "-o", "json")
    assert ran.json["exit_code"] == ran.code == ExitCode.DEGRADED
    assert ran.json["data"]["verdict"] == "rolled-back"
    assert ran.json["data"]["cause"]["metrics"][0]["metric"] == "error-rate"


def test_a_version_that_came_before_the_controller_saw_ours_is_not_taken_for_ours(world: World) -> None:
    acting = world.sandbox
    freeze(world)

    def somebody_else() -> None:
        world.on_wait.clear()
        live = copy.deepcopy(world.store.read(ROLLOUT, "companyos", "companyos-api"))
        live["spec"]["template"]["spec"]["containers"][0]["image"] = "companyos-api:v1.3.0"
        world.store.update(ROLLOUT, live)
        world.sandbox = acting

    world.on_wait.append(somebody_else)
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.SUPERSEDED, ran
    assert ran.last.startswith("verdict=superseded version=v1.1.0 ")


@pytest.mark.parametrize(("tag", "reason"), [("bad1", "ImagePullBackOff"), ("crash1", "CrashLoopBackOff")])
def test_a_deadline_names_what_kept_the_pods_from_starting_though_they_are_gone(
    world_of: Callable[[str], World], tag: str, reason: str
) -> None:
    world = world_of(CONFIG + "progress_deadline: 20s\n")
    ran = world.canary("deploy", tag)
    assert ran.code == ExitCode.DEGRADED
    assert ran.last.startswith("verdict=rolled-back ")
    assert f" reason={reason} " in ran.last
    sentence = next(line for line in ran.err.splitlines() if line.startswith("✖"))
    assert reason in sentence
    assert not world.rollout().updated_replicas


def test_json_names_the_pods_that_are_gone(world_of: Callable[[str], World]) -> None:
    ran = world_of(CONFIG + "progress_deadline: 20s\n").canary("deploy", "bad1", "-o", "json")
    assert {p["reason"] for p in ran.json["data"]["cause"]["pods"]} == {"ImagePullBackOff"}


def test_an_abort_by_hand_is_not_blamed_on_the_pods(world: World) -> None:
    def somebody() -> None:
        if any("ImagePullBackOff" in str(p.get("status")) for p in world.pods()):
            world.on_wait.clear()
            world.canary("abort", "--reason", "not this one")

    world.on_wait.append(somebody)
    ran = world.canary("deploy", "bad1")
    assert "aborted by hand" in ran.err
    assert " reason=" not in ran.last


def test_a_status_that_is_older_than_the_generation_it_names_is_not_taken_for_ours(waiting: World) -> None:
    snapshot = waiting.connect(Resolved(namespace="companyos"), {}, 5).snapshot("companyos-api")
    live = snapshot.rollout
    ahead = replace(live, containers=(replace(live.containers[0], image="companyos-api:v1.2.0"),))
    following = Following("companyos-api", Until(), None, attended=False, generation=live.generation)
    assert following.shown_by(ahead)
    assert following.is_about_another(replace(snapshot, rollout=ahead))
    assert not following.is_about_another(snapshot)
