"""The Rollout is deleted and created again while a verb waits: what the new one shows says nothing of it."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.conftest import freeze
from tests.commands.test_stopping_laws import FULL, before_the_patch, images
from tests.world import World

AGAIN = "was deleted and created again"


def created_again(world: World) -> None:
    """As by `kubectl replace --force` with what is live."""
    spec = deepcopy(world.store.read(ROLLOUT, "companyos", "companyos-api")["spec"])
    world.store.delete(ROLLOUT, "companyos", "companyos-api")
    metadata = {"name": "companyos-api", "namespace": "companyos"}
    world.store.create(ROLLOUT, {"metadata": metadata, "spec": {**spec, "paused": False}})


def once(world: World, *, after: int = 0) -> None:
    """It happens while a command waits, after it has waited so many times."""
    acts: list[Callable[[], None]] = [lambda: None] * after + [lambda: created_again(world)]
    world.on_wait.append(lambda: acts.pop(0)() if acts else None)


@pytest.mark.parametrize(
    "command", [("promote",), FULL, ("pause",), ("abort",), ("undo",)], ids=lambda c: " ".join(c[:2])
)
def test_no_verb_takes_the_new_one_for_the_one_it_has_changed(waiting: World, command: tuple[str, ...]) -> None:
    working = waiting.sandbox
    freeze(waiting)
    once(waiting)
    waiting.on_wait.append(lambda: setattr(waiting, "sandbox", working))
    ran = waiting.canary(*command)
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert f"`companyos-api` {AGAIN}" in ran.out + ran.err
    assert "another version" not in ran.out + ran.err


@pytest.mark.parametrize("command", [("promote",), FULL, ("abort",)], ids=lambda c: " ".join(c[:2]))
def test_a_record_that_meets_the_new_one_is_no_proof_that_it_was_changed(
    waiting: World, command: tuple[str, ...]
) -> None:
    """The record of who did it and why is a second patch."""
    before_the_patch(waiting, lambda: created_again(waiting), to=f"/{ROLLOUT.plural}/companyos-api")
    ran = waiting.canary(*command, "--reason", "the fix")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert f"`companyos-api` {AGAIN}" in ran.out + ran.err


@pytest.mark.parametrize(("before", "command"), [("pause", "resume"), ("abort", "retry")])
def test_what_was_sent_to_the_old_one_is_not_seen_in_the_new_one(waiting: World, before: str, command: str) -> None:
    assert waiting.canary(before).code == ExitCode.OK
    freeze(waiting)
    once(waiting)
    ran = waiting.canary(command)
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert f"the {command} of companyos-api in companyos @ sandbox was sent, but `companyos-api` {AGAIN}" in ran.out


def test_the_steps_of_the_new_one_are_not_promoted(waiting: World) -> None:
    once(waiting, after=8)
    ran = waiting.canary("promote", "--to-weight", "50")
    assert ran.code == ExitCode.NOT_FOUND, ran
    assert f"`companyos-api` {AGAIN} while its steps were promoted" in ran.err
    assert not waiting.rollout().promote_full


def test_nothing_is_said_of_the_state_of_one_that_is_gone(waiting: World) -> None:
    assert waiting.canary("pause").code == ExitCode.OK
    freeze(waiting)
    acts = [lambda: waiting.store.delete(ROLLOUT, "companyos", "companyos-api")]
    waiting.on_wait.append(lambda: acts.pop()() if acts else None)
    ran = waiting.canary("resume")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "not found in namespace `companyos`" in ran.out
    assert "still waits" not in ran.err


def test_a_canary_that_went_with_its_rollout_was_not_stopped_by_the_abort(waiting: World) -> None:
    waiting.on_wait.append(lambda: created_again(waiting) if images(waiting) and waiting.rollout().aborted else None)
    ran = waiting.canary("abort")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert AGAIN in ran.out


def test_the_pods_of_the_new_one_are_not_those_that_a_restart_replaced(world: World) -> None:
    freeze(world)
    once(world)
    ran = world.canary("restart")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert f"the restart of companyos-api in companyos @ sandbox was sent, but `companyos-api` {AGAIN}" in ran.out


def test_an_apply_says_that_what_it_has_applied_is_gone(world: World) -> None:
    (world.folder / "canary.yaml").write_text(world.config.replace("weight: 50", "weight: 60"))
    freeze(world)
    once(world)
    ran = world.canary("apply")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert f"was applied, but then it {AGAIN}" in ran.out


@pytest.mark.parametrize("command", [("deploy", "v1.1.0"), ("undo", "--to", "v1.0.0"), ("watch",)])
def test_what_is_followed_ends_with_its_rollout(shipped: World, command: tuple[str, ...]) -> None:
    before = ("undo", "-q") if command[0] == "deploy" else ("deploy", "v1.3.0", "--no-wait")
    assert shipped.canary(*before).code == ExitCode.OK
    shipped.advance(2)
    once(shipped, after=4)
    ran = shipped.canary(*command)
    assert ran.code in (ExitCode.NOT_FOUND, ExitCode.UNOBSERVED), ran
    assert f"`companyos-api` {AGAIN}" in ran.out + ran.err
