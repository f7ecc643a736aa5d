"""`canary undo`, from argv to exit, in the sandbox."""

from companyos_canary.argo.patches import record_of
from companyos_canary.errors import ExitCode
from tests.world import World


def test_mid_way_it_goes_back_to_stable_at_once(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(4)
    ran = world.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert "back to v1.0.0 (revision 1): at once" in ran.err
    assert world.rollout().image() == "companyos-api:v1.0.0"
    assert world.rollout().is_fully_promoted


def test_after_a_release_the_old_version_goes_through_the_steps_again(world: World) -> None:
    world.canary("deploy", "v1.1.0", "-q")
    began = world.now
    ran = world.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert "it goes through the steps again" in ran.err
    assert world.rollout().image() == "companyos-api:v1.0.0"
    assert (world.now - began).total_seconds() > 15


def test_fast_skips_the_steps_and_wants_a_reason(world: World) -> None:
    world.canary("deploy", "v1.1.0", "-q")
    assert world.canary("undo", "--fast").code == ExitCode.USAGE
    began = world.now
    ran = world.canary("undo", "--fast", "--reason", "checkout is down")
    assert ran.code == ExitCode.OK, ran
    assert world.rollout().image() == "companyos-api:v1.0.0"
    assert (world.now - began).total_seconds() < 10


def test_never_to_an_aborted_version(world: World) -> None:
    world.canary("deploy", "v1.1.0", "-q")
    world.canary("deploy", "v1.2.0", "-q")
    world.canary("deploy", "v1.3.0", "-q")
    ran = world.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert world.rollout().image() == "companyos-api:v1.1.0"


def test_after_an_abort_it_takes_the_bad_version_out_of_the_spec(world: World) -> None:
    world.canary("deploy", "v1.2.0", "-q")
    ran = world.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert world.rollout().image() == "companyos-api:v1.0.0"
    assert not world.rollout().aborted


def test_where_there_is_only_one_revision_it_says_so(world: World) -> None:
    ran = world.canary("undo")
    assert ran.code == ExitCode.REFUSED
    assert "has no earlier revision to go back to" in ran.err


def test_without_a_record_it_asks_which_one(world: World) -> None:
    image = [{"name": "companyos-api", "image": "companyos-api:v1.1.0"}]
    world.patch({"spec": {"template": {"spec": {"containers": image}}}})
    world.advance(60)
    ran = world.canary("undo")
    assert ran.code == ExitCode.REFUSED
    assert "canary undo --to VERSION, one of `v1.0.0` (revision 1)" in ran.err


def test_to_a_version_by_name_or_number(world: World) -> None:
    world.canary("deploy", "v1.1.0", "-q")
    assert world.canary("undo", "--to", "v9").code == ExitCode.NOT_FOUND
    assert world.canary("undo", "--to", "2").out.startswith("`companyos-api` is already on")
    assert world.canary("undo", "--to", "1", "--no-wait").code == ExitCode.OK
    assert world.rollout().image() == "companyos-api:v1.0.0"


def test_a_dry_run_shows_the_difference_and_sends_nothing(world: World) -> None:
    world.canary("deploy", "v1.1.0", "-q")
    world.requests.clear()
    ran = world.canary("undo", "--dry-run")
    assert "-      image: companyos-api:v1.1.0" in ran.out
    assert "+      image: companyos-api:v1.0.0" in ran.out
    assert {r.method for r in world.requests} == {"GET"}


def test_it_leaves_a_record_and_a_second_undo_still_knows_what_was_good(world: World) -> None:
    for version in ("v1.1.0", "v1.3.0"):
        world.canary("deploy", version, "-q")
    world.canary("undo", "--reason", "slow login", "-q")
    record = record_of(world.rollout().annotations)
    assert (record["by"], record["reason"], record["image"]) == (
        "ana", "slow login", "companyos-api:v1.1.0",
    )  # fmt: skip
    ran = world.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert world.rollout().image() == "companyos-api:v1.3.0"
    world.canary("undo", "--to", "v1.0.0", "-q")
    assert world.canary("undo", "--no-wait").code == ExitCode.OK


def test_within_the_rollback_window_no_step_is_run(world: World) -> None:
    world.patch({"spec": {"rollbackWindow": {"revisions": 2}}})
    world.advance(2)
    world.canary("deploy", "v1.1.0", "-q")
    ran = world.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert "at once, no step is run" in ran.err
    assert "step 1/3" not in ran.out
