"""The stories of every verb that changes something, where controllers and kubelet act at once, and where each of them
takes a second or three to notice a change, as in a real cluster. Whatever the pace, a verb says what the cluster shows
when it ends, and never takes the state of before for an answer to it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.errors import ExitCode
from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.kinds import ANALYSISRUN, ANALYSISTEMPLATE, EXPERIMENT
from tests.commands.conftest import changing, interrupt
from tests.commands.test_create import template_object
from tests.commands.test_experiment import judging
from tests.commands.test_terminate import COMPARE
from tests.prototypes import begun
from tests.world import CONFIG, MANUAL, Ran, World

pytestmark = pytest.mark.every_pace
FULL = ("promote", "--full", "--yes", "--reason", "hotfix")
REPLICAS = 4
FEW = MANUAL.replace("replicas: 10", f"replicas: {REPLICAS}")
ALONE = CONFIG.replace("replicas: 10", f"replicas: {REPLICAS}")
Begin = Callable[..., World]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """v1.0.0 is Healthy, and each of `before` has ended well."""

    def play(before: tuple[tuple[str, ...], ...], folder: Path, config: str) -> World:
        world = World(folder, config)
        for command in (("apply", "v1.0.0"), *before):
            ran = world.canary(*command)
            assert ran.code == ExitCode.OK, ran
        world.requests.clear()
        return world

    return lambda *before, config=FEW: begun(f"late: {before}", config, tmp_path, partial(play, before))


PAUSED = ("deploy", "v1.1.0", "--until", "paused")


def stable_is(rollout: Rollout, tag: str) -> bool:
    return rollout.is_fully_promoted and rollout.image() == f"companyos-api:{tag}"


def images(world: World) -> set[str]:
    return {c["image"] for p in world.pods() for c in p["spec"]["containers"]}


def is_true(world: World, ran: Ran, tag: str) -> None:
    """Exit 0 of a deploy: at this moment the version is stable, and everywhere."""
    assert ran.code == ExitCode.OK, ran
    assert stable_is(world.rollout(), tag), ran
    assert "is Argo Rollouts running" not in ran.out + ran.err


def test_a_first_apply_ends_once_the_service_is_healthy(tmp_path: Path, begin: Begin) -> None:
    world = begin()
    assert stable_is(world.rollout(), "v1.0.0")
    assert images(world) == {"companyos-api:v1.0.0"}


def test_an_apply_that_scales_says_the_phase_that_there_is_then(begin: Begin) -> None:
    world = begin()
    (world.folder / "canary.yaml").write_text(FEW.replace(f"replicas: {REPLICAS}", f"replicas: {REPLICAS + 2}"))
    ran = world.canary("apply")
    assert ran.code == ExitCode.OK, ran
    assert "is Healthy" not in ran.out or world.rollout().available_replicas == REPLICAS + 2, ran
    world.until(lambda r: r.available_replicas == REPLICAS + 2)


def test_a_deploy_goes_through_its_steps_and_ends_when_it_is_stable(begin: Begin) -> None:
    world = begin(config=ALONE)
    is_true(world, world.canary("deploy", "v1.1.0"), "v1.1.0")


def test_the_first_line_names_the_revision_and_no_other_one_follows(begin: Begin) -> None:
    world = begin()
    lines = world.canary("deploy", "v1.1.0").out.splitlines()
    assert lines[0].endswith(" revision=2")
    assert not [line for line in lines[1:] if " revision " in line]


def test_a_bad_version_is_rolled_back_and_no_pod_of_it_is_left(begin: Begin) -> None:
    world = begin(config=ALONE)
    ran = world.canary("deploy", "v1.2.0")
    assert ran.code == ExitCode.DEGRADED, ran
    assert "verdict=rolled-back version=v1.2.0 stable=v1.0.0" in ran.last
    world.advance(60)
    assert images(world) == {"companyos-api:v1.0.0"}


def test_a_deploy_ends_at_a_pause_of_its_own(begin: Begin) -> None:
    world = begin()
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.UNFINISHED, ran
    assert world.rollout().pause_conditions
    assert "weight=10" in ran.last


def test_a_deploy_sent_before_the_last_one_is_seen_is_refused(begin: Begin) -> None:
    world = begin()
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK
    ran = world.canary("deploy", "v1.3.0")
    assert (ran.code, len(changing(world))) == (ExitCode.REFUSED, 1), ran


def test_a_deploy_takes_the_place_of_another_one_that_has_gone(begin: Begin) -> None:
    world = begin(PAUSED)
    ran = world.canary("deploy", "v1.3.0", "--supersede", "--until", "paused")
    assert ran.code == ExitCode.OK, ran
    live = world.rollout()
    assert (live.image(), bool(live.pause_conditions)) == ("companyos-api:v1.3.0", True)
    assert "companyos-api:v1.1.0" not in images(world)


def test_a_promote_moves_one_step(begin: Begin) -> None:
    world = begin(PAUSED)
    index = world.rollout().step_index or 0
    ran = world.canary("promote")
    assert ran.code == ExitCode.OK, ran
    assert world.rollout().step_index in (index + 1, index + 2), "the pods of 25 % may be there already"
    world.until(lambda r: stable_is(r, "v1.1.0"))


def test_a_promote_of_what_is_paused_by_hand_as_well_moves_one_step(begin: Begin) -> None:
    world = begin(PAUSED, ("pause",))
    index = world.rollout().step_index or 0
    ran = world.canary("promote")
    assert ran.code == ExitCode.OK, ran
    assert not world.rollout().paused
    assert world.rollout().step_index in (index + 1, index + 2)


def test_a_second_promote_of_the_same_pause_sends_nothing(begin: Begin) -> None:
    world = begin(PAUSED)
    assert world.canary("promote", "--no-wait").code == ExitCode.OK
    ran = world.canary("promote")
    assert (ran.code in (ExitCode.OK, ExitCode.REFUSED), len(changing(world))) == (True, 1), ran


def test_a_promote_to_a_weight_ends_where_it_was_wanted(begin: Begin) -> None:
    world = begin(PAUSED)
    ran = world.canary("promote", "--to-weight", "50")
    assert ran.code == ExitCode.OK, ran
    assert stable_is(world.rollout(), "v1.1.0") or (world.rollout().step_index or 0) >= 4, ran


def test_a_full_promote_at_a_pause_is_followed_to_its_end(begin: Begin) -> None:
    """The pause of before is no answer to it: a patch of the status does not raise the generation."""
    world = begin(PAUSED)
    ran = world.canary(*FULL)
    is_true(world, ran, "v1.1.0")
    assert "waits for a person" not in ran.out + ran.err


@pytest.mark.parametrize("command", [("status",), ("watch", "--timeout", "30s"), ("get",)], ids=lambda c: c[0])
def test_a_reader_does_not_say_that_a_full_promote_waits_for_a_person(begin: Begin, command: tuple[str, ...]) -> None:
    world = begin(PAUSED)
    assert world.canary(*FULL, "--no-wait").code == ExitCode.OK
    ran = world.canary(*command)
    assert "waits for a person" not in ran.out + ran.err, ran
    assert "canary promote" not in ran.out + ran.err, ran


def test_an_abort_is_followed_until_no_canary_pod_is_left(begin: Begin) -> None:
    world = begin(PAUSED)
    ran = world.canary("abort")
    assert ran.code == ExitCode.OK, ran
    assert (world.rollout().aborted, world.rollout().updated_replicas) == (True, 0)
    assert images(world) == {"companyos-api:v1.0.0"}


def test_an_abort_that_comes_before_the_version_was_seen_holds(begin: Begin) -> None:
    world = begin()
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK
    ran = world.canary("abort")
    assert ran.code == ExitCode.OK, ran
    world.advance(60)
    assert images(world) == {"companyos-api:v1.0.0"}


def test_an_abort_of_a_full_promote_that_waits_for_pods_holds(begin: Begin) -> None:
    world = begin(PAUSED, (*FULL, "--no-wait"))
    ran = world.canary("abort")
    if ran.code == ExitCode.REFUSED:
        assert stable_is(world.rollout(), "v1.1.0"), ran
        return
    assert ran.code == ExitCode.OK, ran
    world.advance(60)
    assert images(world) == {"companyos-api:v1.0.0"}


def test_a_retry_begins_again_and_may_be_followed(begin: Begin) -> None:
    world = begin(PAUSED, ("abort",))
    ran = world.canary("retry")
    assert ran.code == ExitCode.OK, ran
    assert not world.rollout().aborted
    ran = world.canary("watch")
    assert ran.code == ExitCode.UNFINISHED, ran
    assert world.rollout().pause_conditions


def test_a_pause_holds_and_a_resume_lets_it_continue(begin: Begin) -> None:
    world = begin(config=ALONE)
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK
    world.until(lambda r: r.observed and not r.is_fully_promoted and r.step_index is not None)
    assert world.canary("pause").code == ExitCode.OK
    assert world.rollout().paused
    world.advance(15)
    index = world.rollout().step_index
    world.advance(60)
    assert world.rollout().step_index == index
    assert world.canary("resume").code == ExitCode.OK
    assert not world.rollout().paused
    is_true(world, world.canary("watch"), "v1.1.0")


def test_an_undo_goes_back_to_what_was_stable(begin: Begin) -> None:
    world = begin(("deploy", "v1.1.0"), config=ALONE)
    is_true(world, world.canary("undo"), "v1.0.0")


def test_an_undo_in_the_middle_of_a_release_leaves_no_pod_of_it(begin: Begin) -> None:
    world = begin(PAUSED)
    ran = world.canary("undo")
    is_true(world, ran, "v1.0.0")
    world.until(lambda _: images(world) == {"companyos-api:v1.0.0"})


def test_an_undo_sent_twice_ends_at_the_same_version(begin: Begin) -> None:
    world = begin(("deploy", "v1.1.0"), config=ALONE)
    assert world.canary("undo", "--no-wait").code == ExitCode.OK
    is_true(world, world.canary("undo"), "v1.0.0")
    world.advance(60)
    assert images(world) == {"companyos-api:v1.0.0"}


def test_a_restart_ends_once_every_pod_is_another_one(begin: Begin) -> None:
    world = begin()
    before = {p["metadata"]["name"] for p in world.pods()}
    ran = world.canary("restart")
    assert ran.code == ExitCode.OK, ran
    assert not before & {p["metadata"]["name"] for p in world.pods()}
    assert len(world.pods()) == REPLICAS


def test_a_step_that_is_skipped_is_left_behind(begin: Begin) -> None:
    world = begin(("deploy", "v1.1.0", "--no-wait"), config=ALONE)
    world.until(lambda r: r.observed and r.current_step is not None and r.current_step.kind == "analysis")
    index = world.rollout().step_index or 0
    ran = world.canary("promote", "--skip-step")
    assert ran.code == ExitCode.OK, ran
    assert (world.rollout().step_index or 0) > index


def test_the_words_of_the_plugin_deploy_and_are_seen(begin: Begin) -> None:
    world = begin(config=ALONE)
    ran = world.canary("set", "image", "companyos-api", "companyos-api=companyos-api:v1.1.0")
    assert ran.code == ExitCode.OK, ran
    assert world.rollout().image() == "companyos-api:v1.1.0"
    is_true(world, world.canary("status", "companyos-api", "-w"), "v1.1.0")


def test_an_apply_with_a_version_starts_a_canary_that_can_be_followed(begin: Begin) -> None:
    world = begin(config=ALONE)
    ran = world.canary("apply", "v1.1.0", "--roll")
    assert ran.code == ExitCode.OK, ran
    assert not stable_is(world.rollout(), "v1.1.0")
    is_true(world, world.canary("watch"), "v1.1.0")


def test_an_undo_without_steps_ends_at_once(begin: Begin) -> None:
    world = begin(("deploy", "v1.1.0"), config=ALONE)
    is_true(world, world.canary("undo", "--fast", "--reason", "errors"), "v1.0.0")


def test_a_version_that_an_undo_holds_is_refused_until_it_is_released(begin: Begin) -> None:
    world = begin(PAUSED)
    is_true(world, world.canary("undo", "--hold", "--reason", "errors"), "v1.0.0")
    world.requests.clear()
    ran = world.canary("deploy", "v1.1.0")
    assert (ran.code, changing(world)) == (ExitCode.REFUSED, []), ran
    ran = world.canary("deploy", "v1.1.0", "--release-hold", "--until", "paused")
    assert ran.code == ExitCode.OK, ran
    assert world.rollout().image() == "companyos-api:v1.1.0"


def test_several_names_are_aborted_and_tried_again_together(begin: Begin) -> None:
    world = begin(PAUSED)
    other = FEW.replace("rollout: companyos-api", "rollout: billing")
    (world.folder / "billing.yaml").write_text(other)
    for command in (("apply", "v1.0.0"), PAUSED):
        ran = world.canary(*command, "-f", "billing.yaml")
        assert ran.code == ExitCode.OK, ran
    names = ("companyos-api", "billing")
    ran = world.canary("abort", *names, "-n", "companyos")
    assert ran.code == ExitCode.OK, ran
    assert all(world.rollout(name).aborted and not world.rollout(name).updated_replicas for name in names)
    ran = world.canary("retry", *names, "-n", "companyos")
    assert ran.code == ExitCode.OK, ran
    assert not any(world.rollout(name).aborted for name in names)


def test_an_experiment_is_terminated_once_it_has_ended(begin: Begin) -> None:
    world = begin()
    world.store.create(EXPERIMENT, COMPARE)
    world.until(lambda _: experiment(world).get("phase") == "Running")
    ran = world.canary("terminate", "experiment", "compare")
    assert ran.code == ExitCode.OK, ran
    assert experiment(world)["phase"] == "Successful"


def test_a_failed_experiment_runs_again(begin: Begin) -> None:
    world = begin()
    world.store.create(ANALYSISTEMPLATE, template_object())
    world.store.create(EXPERIMENT, judging("vector(-1)"))
    world.until(lambda _: experiment(world).get("phase") == "Failed")
    before = experiment(world)
    ran = world.canary("experiment", "retry", "compare")
    assert ran.code == ExitCode.OK, ran
    assert experiment(world) != before
    assert experiment(world)["phase"]


def test_a_run_is_terminated_once_it_has_ended(begin: Begin) -> None:
    world = begin(("deploy", "v1.1.0", "--no-wait"), config=ALONE)
    world.until(lambda r: r.step_run is not None and r.step_run.status == "Running")
    run = world.rollout().step_run
    assert run
    ran = world.canary("terminate", "analysisrun", run.name)
    assert ran.code == ExitCode.OK, ran
    assert world.store.read(ANALYSISRUN, "companyos", run.name)["status"]["phase"] == "Successful"


def test_a_template_is_verified_by_a_run_of_its_own(begin: Begin) -> None:
    world = begin()
    world.store.create(ANALYSISTEMPLATE, template_object())
    for answer, code, phase in (("vector(1)", ExitCode.OK, "Successful"), ("vector(-1)", ExitCode.DEGRADED, "Failed")):
        ran = world.canary("verify", "answer", "-a", f"is={answer}")
        assert ran.code == code, ran
        assert phase in ran.out + ran.err


def test_what_is_created_is_there(begin: Begin) -> None:
    world = begin()
    (world.folder / "answer.yaml").write_text(yaml.safe_dump(template_object()))
    ran = world.canary("create", "-f", "answer.yaml")
    assert ran.code == ExitCode.OK, ran
    assert world.store.get(ANALYSISTEMPLATE, "companyos", "answer")
    assert world.canary("create", "-f", "answer.yaml").code == ExitCode.REFUSED


def test_a_deploy_until_a_weight_ends_there(begin: Begin) -> None:
    world = begin(config=ALONE)
    ran = world.canary("deploy", "v1.1.0", "--until", "weight=25")
    assert ran.code == ExitCode.OK, ran
    assert (world.rollout().step_index or 0) >= 2
    is_true(world, world.canary("watch"), "v1.1.0")


def experiment(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.store.read(EXPERIMENT, "companyos", "compare").get("status") or {}
    return found


def test_a_watch_that_is_interrupted_has_changed_nothing(begin: Begin) -> None:
    world = begin(config=ALONE)
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK
    world.requests.clear()
    interrupt(world, after=2)
    ran = world.canary("watch")
    assert (ran.code, changing(world)) == (ExitCode.INTERRUPTED, []), ran
    is_true(world, world.canary("watch"), "v1.1.0")
