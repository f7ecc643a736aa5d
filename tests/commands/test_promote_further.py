"""`canary promote --full`, `--to-weight`, `--if-step`, `--if-revision`, in the sandbox."""

import json
import re
from collections.abc import Callable

import pytest

from companyos_canary.argo.patches.record import ACTION
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request
from tests.commands.conftest import changing
from tests.world import CONFIG, World

PAUSES = """\
steps:
  - {weight: 10, pause: manual}
  - {weight: 25, pause: manual}
  - {weight: 50, pause: manual}
analysis:"""
WAITING = CONFIG[: CONFIG.index("steps:")] + PAUSES + CONFIG.split("analysis:", 4)[-1]


@pytest.fixture
def waiting(world_of: Callable[[str], World]) -> World:
    """v1.1.0 waits at 10 %."""
    world = world_of(WAITING)
    ran = world.canary("deploy", "v1.1.0", "--until", "paused", "-q")
    assert ran.code == ExitCode.OK, ran
    return world


def test_full_skips_the_rest_and_is_verified_by_the_stable_hash(waiting: World) -> None:
    waiting.advance(3)
    ran = waiting.canary("promote", "--full", "--reason", "fixes the outage", "--yes")
    assert ran.code == ExitCode.OK, ran
    assert "this skips the steps at 10 %, 25 % and 50 %" in ran.err
    assert re.search(r"about \d+ requests have tested it so far", ran.err)
    live = waiting.rollout()
    assert live.is_fully_promoted
    record = json.loads(live.annotations[ACTION])
    assert (record["verb"], record["by"], record["reason"]) == ("promote --full", "ana", "fixes the outage")


def test_full_wants_a_reason_and_a_confirmation(waiting: World) -> None:
    assert waiting.canary("promote", "--full").code == ExitCode.USAGE
    unconfirmed = waiting.canary("promote", "--full", "--reason", "x")
    assert (unconfirmed.code, "--yes confirms it" in unconfirmed.err) == (ExitCode.USAGE, True)
    no = waiting.canary("promote", "--full", "--reason", "x", terminal=True, answer="n\n")
    assert no.code == ExitCode.REFUSED
    assert not waiting.rollout().is_fully_promoted
    yes = waiting.canary("promote", "--full", "--reason", "x", terminal=True, answer="y\n")
    assert yes.code == ExitCode.OK, yes


def test_full_never_ships_what_was_aborted(world: World) -> None:
    world.canary("deploy", "v1.2.0", "-q")
    ran = world.canary("promote", "--full", "--reason", "x", "--yes")
    assert ran.code == ExitCode.REFUSED
    assert not world.rollout().is_fully_promoted


def test_full_of_a_finished_rollout_says_so(world: World) -> None:
    ran = world.canary("promote", "--full", "--reason", "x", "--yes")
    assert (ran.code, ran.out) == (ExitCode.OK, "`companyos-api` is already fully promoted\n")
    assert "PATCH" not in {r.method for r in world.requests}


def test_to_weight_promotes_pause_by_pause_and_stops_there(waiting: World) -> None:
    ran = waiting.canary("promote", "--to-weight", "50")
    assert ran.code == ExitCode.OK, ran
    assert ran.out == "companyos-api in companyos @ sandbox has 50 % (2 promotes)\n"
    assert not waiting.rollout().is_fully_promoted


def test_a_weight_that_is_there_already_needs_no_promote(waiting: World) -> None:
    waiting.requests.clear()
    ran = waiting.canary("promote", "--to-weight", "10")
    assert (ran.code, changing(waiting)) == (ExitCode.OK, []), ran
    assert ran.out == "companyos-api in companyos @ sandbox already has 10 %: nothing to promote\n"


def test_a_weight_that_someone_else_brings_about_is_not_said_to_be_promoted(waiting: World) -> None:
    acts = [lambda: waiting.patch({"status": {"promoteFull": True}}, "status")]

    def first(request: Request) -> bool:
        if request.method == "PATCH" and acts:
            acts.pop()()
            waiting.advance(30)
        return False

    waiting.breaks = first
    ran = waiting.canary("promote", "--to-weight", "50")
    assert ran.code == ExitCode.OK, ran
    assert ran.out == "companyos-api in companyos @ sandbox has 100 %: this command promoted nothing\n"


def test_to_weight_never_goes_past_an_analysis_that_fails(world: World) -> None:
    world.canary("deploy", "v1.2.0", "--no-wait")
    ran = world.canary("promote", "--to-weight", "50")
    assert ran.code == ExitCode.DEGRADED
    assert "did not reach 50 %: rolled-back" in ran.out


def test_a_promote_for_another_step_or_revision_is_refused(waiting: World) -> None:
    moved = waiting.canary("promote", "--if-step", "2")
    assert (moved.code, "is at step 1/3 (pause), not at step 2" in moved.err) == (ExitCode.REFUSED, True)
    assert waiting.canary("promote", "--if-revision", "7").code == ExitCode.REFUSED
    assert waiting.canary("promote", "--if-step", "1", "--if-revision", "2").code == ExitCode.OK


def test_one_form_at_a_time(waiting: World) -> None:
    assert waiting.canary("promote", "--full", "--skip-step").code == ExitCode.USAGE
    assert waiting.canary("promote", "--to-weight", "0").code == ExitCode.USAGE
