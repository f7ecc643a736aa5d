"""Someone else changes the Rollout between the read of a verb and its PATCH, or while it waits."""

import json
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import pytest
from msgspec.structs import replace

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.conftest import at_the_pause, changing, freeze
from tests.commands.test_abort import take
from tests.commands.test_stopping_laws import FULL, STEPS, before_the_patch, images, with_image
from tests.world import MANUAL, World

CHANGES: dict[str, Callable[[World], object]] = {
    "steps": lambda w: w.patch({"spec": {"strategy": {"canary": {"steps": STEPS[:1]}}}}),
    "abort": lambda w: w.patch({"status": {"abort": True}}, "status"),
    "full promote": lambda w: w.patch({"status": {"promoteFull": True}}, "status"),
    "image": lambda w: with_image(w, "v1.3.0"),
    "pause": lambda w: w.patch({"spec": {"paused": True}}),
}


@pytest.mark.parametrize(
    ("verb", "change"),
    [
        ("promote", "steps"),
        ("promote", "pause"),
        ("pause", "abort"),
        ("pause", "image"),
        ("pause", "full promote"),
        ("undo", "image"),
    ],
)
def test_a_decision_about_another_state_is_not_sent(waiting: World, verb: str, change: str) -> None:
    freeze(waiting)
    before_the_patch(waiting, lambda: CHANGES[change](waiting))
    ran = waiting.canary(verb)
    assert ran.code == ExitCode.REFUSED, ran
    assert "nothing was sent" in ran.err or "has not seen the newest change" in ran.err or "aborted" in ran.err


def test_a_restart_of_what_became_another_version_is_refused(world: World) -> None:
    before_the_patch(world, lambda: with_image(world, "v1.3.0"))
    ran = world.canary("restart")
    assert ran.code == ExitCode.REFUSED, ran
    assert world.rollout().restart_at is None


def test_an_unrelated_change_of_the_size_keeps_no_promote_from_being_sent(waiting: World) -> None:
    before_the_patch(waiting, lambda: (waiting.patch({"spec": {"replicas": 11}}), waiting.advance(2)))
    ran = waiting.canary("promote")
    assert ran.code == ExitCode.OK, ran


def test_an_abort_lifts_a_pause_by_hand_that_came_in_between(waiting: World) -> None:
    before_the_patch(waiting, lambda: CHANGES["pause"](waiting))
    ran = waiting.canary("abort")
    assert ran.code == ExitCode.OK, ran
    assert images(waiting) == {"companyos-api:v1.0.0"}
    assert not waiting.rollout().paused


def test_an_abort_that_somebody_takes_back_ends_at_once(waiting: World) -> None:
    freeze(waiting)
    served = {"status": {"abort": True, "updatedReplicas": 1}}
    acts: list[Callable[[], object]] = [
        lambda: (take(waiting), waiting.patch(served, "status")),
        lambda: waiting.patch({"status": {"abort": False}}, "status"),
    ]
    waiting.on_wait.append(lambda: acts.pop(0)() if acts else None)
    began = waiting.now
    ran = waiting.canary("abort")
    assert ran.code == ExitCode.SUPERSEDED, ran
    assert "was retried by someone: its canary serves again" in ran.out
    assert (waiting.now - began).total_seconds() < 5


INVALID = {"type": "InvalidSpec", "status": "True", "reason": "InvalidSpec", "message": "service is gone"}


def test_nothing_is_promoted_and_every_wait_ends_while_the_spec_is_invalid(waiting: World) -> None:
    freeze(waiting)
    live = waiting.store.read(ROLLOUT, "companyos", "companyos-api")
    waiting.patch({"status": {"conditions": [*live["status"]["conditions"], INVALID]}}, "status")
    ran = waiting.canary("promote")
    assert (ran.code, changing(waiting)) == (ExitCode.REFUSED, []), ran
    assert "service is gone" in ran.err
    began = waiting.now
    ran = waiting.canary("abort")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "the controller does nothing while the spec is invalid: service is gone" in ran.out
    assert (waiting.now - began).total_seconds() < 10


@pytest.mark.parametrize("command", [("promote",), ("promote", "--full", "--yes", "--reason", "r"), ("retry",)])
def test_a_rollout_that_no_controller_has_seen_is_not_promoted(empty: World, command: tuple[str, ...]) -> None:
    freeze(empty)
    assert empty.canary("apply", "v1.0.0", "--no-wait").code == ExitCode.OK
    empty.requests.clear()
    ran = empty.canary(*command)
    assert (ran.code, changing(empty)) == (ExitCode.REFUSED, []), ran
    assert "no controller has acted on `companyos-api` yet: is Argo Rollouts running" in ran.err


def test_a_policy_that_denies_is_no_change_in_between(waiting: World) -> None:
    """As a ValidatingAdmissionPolicy answers."""
    real, message = waiting.faults, "rollouts.argoproj.io is forbidden: ValidatingAdmissionPolicy 'frozen' denied it"
    status = {"kind": "Status", "code": 422, "reason": "Invalid", "message": message, "details": {"name": "x"}}

    def fault(request: Request) -> Response:
        return Response(422, {}, json.dumps(status).encode()) if request.method == "PATCH" else real(request)

    waiting.faults = fault  # type: ignore[assignment]
    ran = waiting.canary("promote")
    assert (ran.code, changing(waiting)) == (ExitCode.DENIED, ["PATCH"]), ran
    assert "'frozen' denied it" in ran.err


def test_a_time_out_bounds_every_verb(waiting: World) -> None:
    freeze(waiting)
    for command in (("deploy", "v1.3.0", "--supersede"), ("abort",), ("promote",), ("status", "--wait"), ("watch",)):
        began = waiting.now
        ran = waiting.canary(*command, "--timeout", "4s")
        took = (waiting.now - began).total_seconds()
        assert ran.code in (ExitCode.TIMEOUT, ExitCode.REFUSED, ExitCode.UNFINISHED), (command, ran)
        assert took <= 5, (command, took)


TWO_GATES = MANUAL.replace("{weight: 25, analysis: 6s}", "{weight: 25, pause: manual}")


def ana_promotes(world: World) -> None:
    """A colleague approves the pause, and the rollout comes to the next one."""
    world.patch({"status": {"pauseConditions": None}}, "status")
    world.advance(3)


@pytest.mark.parametrize("when", ["before the first look", "before the patch", "while it resumes"])
def test_of_two_people_who_approve_a_pause_one_moves_it_by_one_step(
    world_of: Callable[[str], World], when: str
) -> None:
    world = at_the_pause(world_of(TWO_GATES))
    method = "GET" if when == "before the first look" else "PATCH"
    acts = [lambda: ana_promotes(world)]
    if when == "while it resumes":
        world.canary("pause")
        world.on_wait.append(lambda: acts.pop()() if acts and not world.rollout().paused else None)
    else:
        world.breaks = lambda request: bool(request.method == method and acts and acts.pop()())
    ran = world.canary("promote")
    assert ran.code == ExitCode.REFUSED, ran
    assert "has moved on to step 2/3" in ran.err
    world.until(lambda r: r.step_index == 3)
    world.advance(20)
    assert world.rollout().step_index == 3
    assert world.rollout().pause_conditions


def test_a_pause_that_began_before_the_command_is_promoted_by_a_clock_that_is_wrong(waiting: World) -> None:
    real = waiting.faults

    def dated(request: Request) -> Response:
        answer = real(request)
        return replace(answer, headers={**answer.headers, "Date": format_datetime(waiting.now, usegmt=True)})

    waiting.faults = dated  # type: ignore[assignment]
    for wrong in (timedelta(hours=-1), timedelta(hours=1)):
        waiting.clock = lambda off=wrong: waiting.now + off  # type: ignore[misc]
        ran = waiting.canary("promote", "--dry-run")
        assert ran.code == ExitCode.OK, ran


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Mon, 02 Mar 2026 12:00:00 -0000",
        "Mon, 02 Mar 2026 12:00:00",
        "Mon, 02 Mar 99999999999999999999 12:00:00 GMT",
        "Mon, 02 Mar 2026 12:00:00 +99999999999999999999",
    ],
)
def test_a_date_that_something_in_between_has_spoiled_ends_no_command(waiting: World, date: str) -> None:
    real = waiting.faults

    def dated(request: Request) -> Response:
        answer = real(request)
        return replace(answer, headers={**answer.headers, "Date": date})

    waiting.faults = dated  # type: ignore[assignment]
    for command in (("status",), ("get",), ("why",), ("promote", "--dry-run")):
        ran = waiting.canary(*command)
        assert "Traceback" not in ran.err
        assert ran.code in (ExitCode.OK, ExitCode.UNFINISHED), ran


def test_what_no_controller_has_seen_is_not_said_to_be_done(empty: World) -> None:
    freeze(empty)
    empty.canary("apply", "v1.0.0", "--no-wait")
    assert "no controller has acted on it yet: is Argo Rollouts running" in empty.canary("get").out
    assert empty.canary("pause").code == ExitCode.UNOBSERVED


def test_a_resume_that_someone_takes_back_is_not_called_unseen(waiting: World) -> None:
    assert waiting.canary("pause").code == ExitCode.OK
    acts = [lambda: CHANGES["pause"](waiting)]
    waiting.on_wait.append(lambda: acts.pop()() if acts else None)
    ran = waiting.canary("resume")
    assert ran.code == ExitCode.SUPERSEDED, ran
    assert "the resume of companyos-api in companyos @ sandbox was sent, but something else changed it" in ran.out
    assert "still waits" not in ran.err


def test_a_full_promote_that_someone_undoes_is_not_done_when_the_other_version_is(waiting: World) -> None:
    """The controller has taken the promote up, and not looked at the version that was put back."""
    working = waiting.sandbox
    freeze(waiting)

    def undone() -> None:
        waiting.sandbox = working
        waiting.advance(0.1)
        freeze(waiting)
        with_image(waiting, "v1.0.0")

    acts = [lambda: setattr(waiting, "sandbox", working), undone]
    waiting.on_wait.append(lambda: acts.pop()() if acts else None)
    ran = waiting.canary(*FULL)
    assert ran.code == ExitCode.SUPERSEDED, ran
    assert "version=v1.1.0" in ran.last


def test_an_apply_that_another_version_overtakes_has_started_no_canary(world: World) -> None:
    freeze(world)
    acts = [lambda: with_image(world, "v1.3.0")]
    world.on_wait.append(lambda: acts.pop()() if acts else None)
    ran = world.canary("apply", "v1.1.0", "--roll")
    assert ran.code == ExitCode.SUPERSEDED, ran
    assert "was applied, but something else changed it meanwhile" in ran.out
