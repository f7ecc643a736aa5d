"""`canary promote --full`, `--to-weight`, `--if-step`, `--if-revision`, in the sandbox."""

import json
import re
from collections.abc import Callable

import pytest

from companyos_canary.argo.patches.record import ACTION
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request
from tests.commands.conftest import changing, freeze
from tests.world import CONFIG, Ran, World

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


def overtaken(world: World, act: Callable[[World], object], *words: str, promotes: int = 0) -> Ran:
    """A climb to 50 % in which someone does this after so many promotes, and before the next one arrives."""
    sent: list[str] = []

    def first(request: Request) -> bool:
        if request.method == "PATCH" and request.path.endswith("/status"):
            sent.append(request.path)
            if len(sent) == 1 + promotes:
                act(world)
                world.advance(30)
        return False

    world.breaks = first
    ran = world.canary("promote", "--to-weight", "50", *words)
    assert ran.code == ExitCode.OK, ran
    return ran


def full_by_the_plugin(world: World) -> None:
    world.patch({"status": {"promoteFull": True}}, "status")


def full_by_ben(world: World) -> None:
    full = ("promote", "--full", "--yes", "--reason", "hotfix", "--no-wait")
    assert world.canary(*full, environ={"CANARY_USER": "ben"}).code == ExitCode.OK


def said(ran: Ran) -> str:
    return ran.out.removeprefix("companyos-api in companyos @ sandbox has ").rstrip("\n")


@pytest.mark.parametrize(
    ("promotes", "how"), [(0, ", and this command promoted nothing"), (1, " (1 promote)")], ids=["none", "one"]
)
def test_a_weight_that_a_full_promote_brings_about_is_said_to_be_that_of_its_author(
    waiting: World, promotes: int, how: str
) -> None:
    assert said(overtaken(waiting, full_by_ben, promotes=promotes)) == f"100 %: ben promoted it in full meanwhile{how}"


def test_a_full_promote_of_another_tool_is_known_by_the_controllers_event(world_of: Callable[[str], World]) -> None:
    world = world_of(WAITING.replace("replicas: 10", "replicas: 1"))
    assert world.canary("deploy", "v1.1.0", "--until", "paused", "-q").code == ExitCode.OK
    told = said(overtaken(world, full_by_the_plugin))
    assert told == "100 %: someone promoted it in full meanwhile, and this command promoted nothing"


@pytest.mark.prompt_only("a full promote that is not over yet is seen without an Event")
def test_someone_elses_promotes_are_told_where_no_event_is_kept(waiting: World) -> None:
    """A pause that waits for a person ends by a promote only."""
    waiting.allowed = lambda asked: asked.resource != "events"
    told = said(overtaken(waiting, full_by_the_plugin, promotes=1))
    assert told == "100 %: someone else promoted it as well (1 promote)"


def test_someone_elses_promote_of_one_pause_is_told(waiting: World) -> None:
    def act() -> None:
        if waiting.rollout().pause_conditions and waiting.rollout().step_index == 3:
            waiting.on_wait.remove(act)
            waiting.patch({"status": {"pauseConditions": None}}, "status")

    waiting.on_wait.append(act)
    ran = waiting.canary("promote", "--to-weight", "50")
    assert (ran.code, said(ran)) == (ExitCode.OK, "50 %: someone else promoted it as well (1 promote)"), ran


def test_who_promoted_in_full_is_a_fact_of_the_answer(waiting: World) -> None:
    reached = waiting.canary("promote", "--to-weight", "25", "-o", "json")
    assert reached.json["data"]["promoted_in_full_by"] is None
    assert overtaken(waiting, full_by_ben, "-o", "json").json["data"]["promoted_in_full_by"] == "ben"


@pytest.mark.parametrize(("timeout", "verdict"), [("2m", "unobserved"), ("3s", "timeout")])
def test_a_promote_on_the_way_that_is_not_seen_is_in_the_answer(waiting: World, timeout: str, verdict: str) -> None:
    freeze(waiting)
    ran = waiting.canary("promote", "--to-weight", "25", "--timeout", timeout, "-o", "json")
    told = ran.json["data"]
    assert (told["verdict"], told["promotes"], told["sent"], told["observed"]) == (verdict, 0, True, False)


def test_a_weight_that_the_steps_bring_about_is_no_full_promote(waiting: World) -> None:
    ran = waiting.canary("promote", "--to-weight", "100")
    assert ran.code == ExitCode.OK, ran
    assert ran.out == "companyos-api in companyos @ sandbox has 100 % (3 promotes)\n"


@pytest.mark.every_pace
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
    for option in ("--dry-run", "--no-wait"):
        ran = waiting.canary("promote", "--to-weight", "50", option)
        assert ran.code == ExitCode.USAGE
        assert ran.err.startswith(f"error: --to-weight cannot be used with {option}: it promotes at one pause")


@pytest.mark.every_pace
def test_full_promotes_the_version_that_was_confirmed_and_no_other(waiting: World) -> None:
    """Someone deploys another one while a person reads what is asked."""
    asked = waiting.canary

    def ben(request: Request) -> bool:
        if request.path.endswith("/replicasets") and waiting.breaks is ben:
            waiting.breaks = World.breaks
            other = ("deploy", "v1.3.0", "--supersede", "--until", "paused")
            assert asked(*other, environ={"CANARY_USER": "ben"}).code == ExitCode.OK
        return False

    waiting.breaks = ben
    ran = waiting.canary("promote", "--full", "--reason", "fixes the outage", "--yes")
    assert (ran.code, "became another version since this promote was asked for" in ran.err) == (7, True), ran
    assert waiting.rollout().pause_conditions
