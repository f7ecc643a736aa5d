"""`--abort-on`: facts about pods and progress that abort a release while it is followed."""

from collections.abc import Callable

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.api.access import Attributes
from companyos_canary.sandbox.kinds import EVENT
from tests.commands.conftest import changing
from tests.world import CONFIG, World

pytestmark = pytest.mark.replicas(4)


def events_of_ours(world: World) -> list[str]:
    found = (e for e in world.store.items(EVENT, "companyos") if e["source"].get("component") == "canary")
    return [e["message"] for e in found]


@pytest.mark.parametrize(
    ("version", "wanted", "condition", "status"),
    [
        ("crash-1", "crashloop", "crashloop", "CrashLoopBackOff"),
        ("bad-tag", "crashloop,image-pull", "image-pull", "ImagePullBackOff"),
    ],
)
def test_what_a_pod_shows_aborts_and_is_named(
    world: World, version: str, wanted: str, condition: str, status: str
) -> None:
    ran = world.canary("deploy", version, "--abort-on", wanted)
    assert ran.code == ExitCode.DEGRADED, ran
    assert f" is in {status}" in ran.err
    assert f"(--abort-on {condition})" in ran.err
    assert f" abort_on={condition} exit=3" in ran.last
    assert world.rollout().aborted
    told = f"canary abort by ana on laptop at revision 2: --abort-on {condition}: pod companyos-api-"
    assert any(message.startswith(told) for message in events_of_ours(world)), events_of_ours(world)


def test_scripts_get_the_condition_and_its_evidence(world: World) -> None:
    found = world.canary("deploy", "bad-tag", "--abort-on", "image-pull", "-o", "json").json["data"]
    assert found["verdict"] == "rolled-back"
    assert found["abort_on"]["condition"] == "image-pull"
    assert found["abort_on"]["evidence"].endswith("is in ImagePullBackOff")


@pytest.mark.prompt_only("asserts the seconds after which it aborts")
def test_nothing_that_moves_for_so_long_aborts(world: World) -> None:
    began = world.now
    ran = world.canary("deploy", "bad-tag", "--abort-on", "stuck=1m")
    assert ran.code == ExitCode.DEGRADED, ran
    assert "0 of 1 canary pods are ready, and nothing has moved for 1m" in ran.err
    assert 60 <= (world.now - began).total_seconds() <= 75


FILE = CONFIG + "abort_on: [image-pull, stuck=10m]\n"


def test_canary_yaml_may_name_the_conditions_of_every_deploy_and_watch(world_of: Callable[[str], World]) -> None:
    world = world_of(FILE)
    ran = world.canary("deploy", "bad-tag")
    assert (ran.code, world.rollout().aborted) == (ExitCode.DEGRADED, True), ran
    assert " abort_on=image-pull exit=3" in ran.last
    world.canary("deploy", "bad-image", "--no-wait")
    assert world.canary("watch").code == ExitCode.DEGRADED
    assert world.rollout().aborted


@pytest.mark.parametrize("wanted", ["crashloop", "none"])
def test_a_flag_goes_before_the_conditions_of_canary_yaml(world_of: Callable[[str], World], wanted: str) -> None:
    world = world_of(FILE)
    ran = world.canary("deploy", "bad-tag", "--abort-on", wanted, "--timeout", "30s")
    assert (ran.code, world.rollout().aborted) == (ExitCode.TIMEOUT, False), ran


def test_the_conditions_of_canary_yaml_do_not_count_where_no_one_may_abort(world_of: Callable[[str], World]) -> None:
    world = world_of(FILE)
    assert world.canary("deploy", "bad-tag", "--no-wait").code == ExitCode.OK
    assert world.canary("watch", "--read-only", "--timeout", "30s").code == ExitCode.TIMEOUT
    assert not world.rollout().aborted


def test_an_environment_may_have_conditions_of_its_own(world_of: Callable[[str], World]) -> None:
    world = world_of(CONFIG + "environments: {prod: {abort_on: [image-pull]}}\n")
    assert world.canary("deploy", "bad-tag", "-e", "prod").code == ExitCode.DEGRADED
    assert world.rollout().aborted


def test_conditions_of_a_file_about_another_rollout_do_not_count(world_of: Callable[[str], World]) -> None:
    world = world_of(CONFIG)
    (world.folder / "canary.yaml").write_text(FILE.replace("rollout: companyos-api", "rollout: other"))
    ran = world.canary("deploy", "bad-tag", "--rollout", "companyos-api", "--timeout", "30s")
    assert (ran.code, world.rollout().aborted) == (ExitCode.TIMEOUT, False), ran


def test_without_it_nothing_is_aborted(world: World) -> None:
    assert world.canary("deploy", "bad-tag", "--timeout", "1m").code == ExitCode.TIMEOUT
    assert changing(world) == ["PATCH"]
    assert world.canary("watch", "-o", "json", "--timeout", "5s").code == ExitCode.TIMEOUT


def test_watch_aborts_what_is_in_progress(world: World) -> None:
    world.canary("deploy", "bad-tag", "--no-wait")
    ran = world.canary("watch", "--abort-on", "image-pull")
    assert ran.code == ExitCode.DEGRADED
    assert world.rollout().aborted


@pytest.mark.parametrize("wanted", ["crashloop,image-pull,stuck=5s", "stuck=1s"])
@pytest.mark.prompt_only("a late pod is stuck for the second that is asked for")
def test_a_good_release_is_left_alone(world: World, wanted: str) -> None:
    world.patch({"spec": {"minReadySeconds": 0}})
    world.until(lambda r: r.observed)
    assert world.canary("deploy", "v1.1.0", "--abort-on", wanted).code == ExitCode.OK


def test_a_release_that_waits_for_a_person_is_not_stuck(waiting: World) -> None:
    ran = waiting.canary("watch", "--abort-on", "crashloop,stuck=1s", "--timeout", "1m", terminal=True)
    assert ran.code == ExitCode.TIMEOUT
    assert not waiting.rollout().aborted


def test_a_release_that_is_paused_by_hand_is_not_stuck(world: World) -> None:
    world.canary("deploy", "bad-tag", "--no-wait")
    world.advance(1)
    world.canary("pause")
    ran = world.canary("watch", "--abort-on", "stuck=1s", "--timeout", "1m", terminal=True)
    assert ran.code == ExitCode.TIMEOUT
    assert not world.rollout().aborted


def test_an_abort_that_is_not_permitted_is_said_and_tried_again(world: World) -> None:
    world.canary("deploy", "bad-tag", "--no-wait")

    def others(asked: Attributes) -> bool:
        return asked.verb != "patch"

    world.allowed = others
    ran = world.canary("watch", "--abort-on", "image-pull", "--timeout", "1m")
    assert ran.code == ExitCode.TIMEOUT
    assert "but it could not be aborted: not permitted to `patch`" in ran.err
    assert 2 <= len([r for r in world.requests if r.method == "PATCH"]) <= 14


def test_a_deploy_that_may_not_abort_sends_nothing(world: World) -> None:
    from companyos_canary.argo.rights import ROLES
    from tests.commands.test_rbac import permitted

    world.allowed = permitted(r for r in ROLES["deployer"] if r.resource != "rollouts/status")
    ran = world.canary("deploy", "v1.1.0", "--abort-on", "crashloop")
    assert ran.code == ExitCode.DENIED
    assert "not permitted to `patch` `rollouts.argoproj.io/status`" in ran.err
    assert changing(world) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("deploy", "v2", "--abort-on", ""),
        ("deploy", "v2", "--abort-on", "errors"),
        ("deploy", "v2", "--abort-on", "stuck"),
        ("deploy", "v2", "--abort-on", "stuck=0s"),
        ("deploy", "v2", "--abort-on", "crashloop", "--no-wait"),
        ("watch", "--abort-on", "crashloop,stuck=soon"),
        ("watch", "--abort-on", "crashloop", "--read-only"),
    ],
    ids=" ".join,
)
def test_what_is_no_condition_is_2_and_asks_nothing(world: World, arguments: tuple[str, ...]) -> None:
    assert world.canary(*arguments).code == ExitCode.USAGE
    assert world.requests == []
