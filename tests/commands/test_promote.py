"""`canary promote`: continues at a pause, and only there."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request, Response
from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox import kinds
from companyos_canary.sandbox.faults.effects import Answer, Fault
from tests.commands.conftest import at_the_pause, changing, freeze, interrupt
from tests.commands.test_stopping_laws import before_the_patch
from tests.world import CONFIG, MANUAL, Ran, World

ROLLOUT = "/apis/argoproj.io/v1alpha1/namespaces/companyos/rollouts/companyos-api"


def test_it_goes_on_at_a_pause_for_a_person(waiting: World) -> None:
    ran = waiting.canary("promote")
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert ran.out == "companyos-api in companyos @ sandbox continues: step 2/3 (setWeight: 25), 25 %\n"
    waiting.until(lambda r: r.is_fully_promoted)


def test_it_ends_a_timed_pause_early(world_of: Callable[[str], World]) -> None:
    world = at_the_pause(world_of(MANUAL.replace("manual", "10m")))
    index = world.rollout().step_index
    assert world.canary("promote").code == ExitCode.OK
    assert world.rollout().step_index == (index or 0) + 1


def test_a_running_step_is_refused_and_nothing_is_sent(running: World) -> None:
    ran = running.canary("promote")
    assert (ran.code, changing(running)) == (ExitCode.REFUSED, [])
    assert "is not waiting: step 1/3" in ran.err
    assert "hint: follow it with `canary watch`; --skip-step ends this step early\n" in ran.err


def test_skip_step_ends_the_running_step_and_says_which(running: World) -> None:
    ran = running.canary("promote", "--skip-step")
    assert ran.code == ExitCode.OK
    assert "is skipped" in ran.err
    assert running.rollout().step_index == 2


def test_skipping_a_pause_is_a_plain_promote(waiting: World) -> None:
    assert waiting.canary("promote", "--skip-step").code == ExitCode.OK
    assert waiting.rollout().step_index == 2


def test_both_pauses_at_once_are_lifted_in_order_and_the_step_goes_on(waiting: World) -> None:
    """Recorded: a promote under a pause by hand is lost (manual-pause-then-promote)."""
    waiting.canary("pause")
    waiting.requests.clear()
    ran = waiting.canary("promote")
    assert ran.code == ExitCode.OK, ran
    assert "paused by hand as well: resumed first" in ran.err
    patches = [r for r in waiting.requests if r.method == "PATCH"]
    assert [r.path for r in patches] == [ROLLOUT, f"{ROLLOUT}/status"]
    assert (waiting.rollout().paused, waiting.rollout().step_index) == (False, 2)
    waiting.until(lambda r: r.is_fully_promoted)


@pytest.mark.prompt_only("the analysis has ended by the time that a late pause is seen")
def test_a_pause_by_hand_alone_is_lifted_and_no_step_is_skipped(running: World) -> None:
    running.canary("pause")
    index = running.rollout().step_index
    ran = running.canary("promote")
    assert ran.code == ExitCode.OK
    assert "no step is skipped" in ran.err
    assert running.rollout().step_index == index


def test_no_verdict_is_taken_as_done(world_of: Callable[[str], World]) -> None:
    world = world_of(CONFIG)
    world.prometheus = no_data
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(60)
    assert "no verdict" in world.canary("status").out
    index = world.rollout().step_index
    ran = world.canary("promote")
    assert ran.code == ExitCode.OK, ran
    assert "was inconclusive: it counts as passed" in ran.err
    assert world.rollout().step_index == (index or 0) + 1


def test_a_promote_that_was_lost_is_sent_again(waiting: World) -> None:
    """Recorded: the controller's own update puts the pause back, with a new start."""
    freeze(waiting)
    acts: list[Callable[[], None]] = [lambda: pause_again(waiting), lambda: step_on(waiting)]
    waiting.on_wait.append(lambda: acts.pop(0)() if acts else None)
    assert waiting.canary("promote").code == ExitCode.OK
    assert changing(waiting) == ["PATCH", "PATCH"]


def test_one_that_is_lost_again_and_again_is_not_claimed(waiting: World) -> None:
    freeze(waiting)
    waiting.on_wait.append(lambda: pause_again(waiting))
    ran = waiting.canary("promote")
    assert ran.code == ExitCode.UNOBSERVED
    assert changing(waiting) == ["PATCH"] * 3


def test_a_new_version_meanwhile_is_superseded(waiting: World) -> None:
    freeze(waiting)
    waiting.on_wait.append(lambda: waiting.patch({"status": {"currentPodHash": "abc"}}, "status"))
    ran = waiting.canary("promote")
    assert ran.code == ExitCode.SUPERSEDED
    assert "something else changed it meanwhile" in ran.out


def test_no_controller_is_accepted_not_observed(waiting: World) -> None:
    freeze(waiting)
    ran = waiting.canary("promote")
    assert ran.code == ExitCode.UNOBSERVED
    assert "was accepted, but the controller has not acted on it" in ran.out


def test_a_change_that_the_controller_has_not_seen_is_refused(waiting: World) -> None:
    freeze(waiting)
    waiting.patch({"spec": {"replicas": 12}})
    ran = waiting.canary("promote")
    assert (ran.code, changing(waiting)) == (ExitCode.REFUSED, [])


def test_what_is_fully_promoted_is_a_success_with_a_note(world: World) -> None:
    assert world.canary("promote") == Ran(0, "`companyos-api` is already fully promoted\n", "")
    assert changing(world) == []


def test_an_aborted_one_is_refused_and_names_retry(rolled_back: World) -> None:
    ran = rolled_back.canary("promote")
    assert (ran.code, changing(rolled_back)) == (ExitCode.REFUSED, [])
    assert "canary retry" in ran.err


def test_a_dry_run_shows_what_it_pins_and_sends_nothing(waiting: World) -> None:
    ran = waiting.canary("promote", "--dry-run")
    head, content, *body = ran.out.splitlines()
    assert head == f"PATCH {ROLLOUT}/status?fieldManager=canary"
    assert content == "content-type: application/json-patch+json"
    operations = json.loads("\n".join(body))
    assert [o["op"] for o in operations] == ["test", "test", "test", "test", "remove"]
    assert [r.method for r in waiting.requests] == ["GET"]


def test_what_it_pins_is_kept(waiting: World) -> None:
    """Someone else promotes between our read and our write: the 422 is read and decided again."""
    waiting.faults.add(Fault(Answer(422), method="PATCH", times=1))
    assert waiting.canary("promote").code == ExitCode.OK
    assert changing(waiting) == ["PATCH", "PATCH"]


def test_another_decision_after_a_conflict_stops_it(waiting: World) -> None:
    answer = waiting.answer

    def somebody_first(request: Request) -> Response:
        if request.method == "PATCH":
            waiting.answer = answer  # type: ignore[method-assign]
            waiting.canary("promote")
        return answer(request)

    waiting.answer = somebody_first  # type: ignore[method-assign]
    ran = waiting.canary("promote")
    assert ran.code == ExitCode.REFUSED
    assert waiting.rollout().step_index == 2, "one promote, not two"


def test_ctrl_c_says_that_it_was_sent(waiting: World) -> None:
    freeze(waiting)
    interrupt(waiting)
    ran = waiting.canary("promote")
    assert ran.code == ExitCode.INTERRUPTED
    assert ran.err == (
        "interrupted: the promote of `companyos-api` was sent and stays\nhint: look with `canary status`\n"
    )


def test_no_wait_is_two_requests_and_an_event(waiting: World) -> None:
    ran = waiting.canary("promote", "--no-wait")
    assert ran.out == "the promote of companyos-api in companyos @ sandbox was sent\n"
    assert [r.method for r in waiting.requests] == ["GET", "PATCH", "POST"]
    assert waiting.requests[-1].path.endswith("/events")


@pytest.mark.parametrize(
    ("status", "code"), [(403, ExitCode.DENIED), (500, ExitCode.UNOBSERVED), (409, ExitCode.FAILED)]
)
def test_a_patch_that_fails_is_told(waiting: World, status: int, code: ExitCode) -> None:
    waiting.faults.add(Fault(Answer(status), method="PATCH"))
    assert waiting.canary("promote").code == code


def test_missing_is_5_and_a_wrong_flag_2(world: World) -> None:
    assert world.canary("promote", "other").code == ExitCode.NOT_FOUND
    assert world.canary("promote", "--skip").code == ExitCode.USAGE


def no_data(request: Request) -> Response:
    """A Prometheus that has nothing."""
    body = {"status": "success", "data": {"resultType": "vector", "result": []}}
    return Response(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


def pause_again(world: World) -> None:
    moment = format_time(world.now + timedelta(seconds=1))
    pause = {"reason": "CanaryPauseStep", "startTime": moment}
    world.patch({"status": {"pauseConditions": [pause]}}, "status")


def step_on(world: World) -> None:
    step = (world.rollout().step_index or 0) + 1
    world.patch({"status": {"currentStepIndex": step, "pauseConditions": None}}, "status")


TWO_GATES = CONFIG.replace("10, analysis: 6s", "10, pause: manual").replace("25, analysis: 6s", "25, pause: manual")


TO_THE_PAUSE = ("deploy", "v1.1.0", "--until", "paused")


def promoted_second(world: World, method: str, first: Callable[[], None], begin: tuple[str, ...] = TO_THE_PAUSE) -> str:
    """What a promote is told that was asked for just before `first` ended the same pause; the next one has begun by
    the time that the promote's GET or PATCH arrives."""
    assert world.canary(*begin).code == ExitCode.OK
    world.advance(20)
    world.now = world.now.replace(microsecond=100_000)

    def comes_first() -> None:
        world.advance(0.05)
        first()
        world.advance(0.1)
        world.until(lambda r: bool(r.pause_conditions))

    acts = [comes_first]
    world.breaks = lambda request: bool(request.method == method and acts and acts.pop()())  # type: ignore[func-returns-value]
    ran = world.canary("promote", "--no-wait")
    assert ran.code == ExitCode.REFUSED, ran
    assert world.rollout().pause_conditions
    return ran.err.partition("\n")[0].removeprefix("error: `companyos-api` has moved on to step 2/3 (pause) ")


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_of_two_who_approve_one_pause_in_the_same_second_the_later_one_is_refused(
    world_of: Callable[[str], World], method: str
) -> None:
    """The next pause has begun within that second: its time does not say that it began after the promote was given."""
    world = world_of(TWO_GATES.replace("replicas: 10", "replicas: 4"))

    def ben() -> None:
        assert world.canary("promote", "--no-wait", environ={"CANARY_USER": "ben"}).code == ExitCode.OK

    told = promoted_second(world, method, ben)
    assert told == "since this promote was asked for: that of ben was faster"


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_promote_of_another_tool_in_the_same_second_is_noticed_too(
    world_of: Callable[[str], World], method: str
) -> None:
    """It leaves no Event of ours; the controller leaves one of the step that it completed."""
    world = world_of(TWO_GATES.replace("replicas: 10", "replicas: 4"))
    told = promoted_second(world, method, lambda: plugins_promote(world))
    assert told == "since this promote was asked for: another one was faster"


def plugins_promote(world: World) -> None:
    world.patch({"status": {"pauseConditions": None}}, "status")


@pytest.fixture
def tried_before(world_of: Callable[[str], World]) -> World:
    """v1.1.0 came to the second gate and was aborted: what the controller says of it at the next try, it has said
    before."""
    world = world_of(TWO_GATES.replace("replicas: 10", "replicas: 4"))
    assert world.canary(*TO_THE_PAUSE).code == ExitCode.OK
    plugins_promote(world)
    world.until(lambda r: bool(r.pause_conditions) and (r.step_index or 0) > 1)
    assert world.canary("abort").code == ExitCode.OK
    return world


@pytest.mark.prompt_only("a late controller does not act in the second in which it is asked")
def test_a_promote_of_another_tool_is_noticed_by_a_count_that_was_raised(tried_before: World) -> None:
    """The controller says of this step what it said at the first try: the Event counts that up, keeps its name
    and has a time of whole seconds, so it may also have been a moment before."""
    told = promoted_second(tried_before, "GET", lambda: plugins_promote(tried_before), ("retry",))
    assert told == "in the second in which this promote was asked for: it may have been meant for the step before"
    counts = {e["message"]: e["count"] for e in tried_before.store.items(kinds.EVENT, "companyos")}
    assert counts["Rollout step 2/6 completed (pause)"] == 2


def test_a_step_that_was_completed_in_a_later_second_is_noticed_by_a_raised_count(
    world_of: Callable[[str], World],
) -> None:
    """A step that runs has no time of its own: that it is another one says the Event."""
    world = world_of(MANUAL.replace("replicas: 10", "replicas: 4"))
    assert world.canary(*TO_THE_PAUSE).code == ExitCode.OK
    plugins_promote(world)
    world.until(lambda r: r.current_step is not None and r.current_step.kind == "analysis")
    for command in ("abort", "retry"):
        assert world.canary(command).code == ExitCode.OK
    world.until(lambda r: bool(r.pause_conditions))

    def first() -> None:
        world.advance(1)
        plugins_promote(world)
        world.until(lambda r: r.current_step is not None and r.current_step.kind == "analysis")

    acts = [first]
    world.breaks = lambda _: bool(acts and acts.pop()())  # type: ignore[func-returns-value]
    ran = world.canary("promote", "--skip-step", "--no-wait")
    assert ran.code == ExitCode.REFUSED, ran
    assert " since this promote was asked for" in ran.err
    step = world.rollout().current_step
    assert step
    assert step.kind == "analysis"


@pytest.mark.prompt_only("a late controller does not act in the second in which it is asked")
def test_who_promoted_twice_with_this_program_is_taken_at_their_word(tried_before: World) -> None:
    """What the raised count says was done by the first of the two, before the second was asked for."""
    world = tried_before
    assert world.canary("retry").code == ExitCode.OK
    world.advance(20)
    world.now = world.now.replace(microsecond=100_000)
    index = world.rollout().step_index
    assert world.canary("promote", "--no-wait").code == ExitCode.OK
    world.advance(0.1)
    assert world.rollout().pause_conditions
    assert world.rollout().step_index != index
    ran = world.canary("promote", "--no-wait")
    assert ran.code == ExitCode.OK, ran


def test_no_one_is_said_to_have_been_faster_where_a_step_ended_by_itself(world_of: Callable[[str], World]) -> None:
    world = world_of(CONFIG.replace("25, analysis: 6s", "25, pause: manual").replace("replicas: 10", "replicas: 4"))
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK
    acts = [lambda: world.until(lambda r: bool(r.pause_conditions))]
    world.breaks = lambda _: bool(acts and acts.pop()())  # type: ignore[func-returns-value]
    ran = world.canary("promote", "--no-wait")
    assert ran.code == ExitCode.REFUSED, ran
    assert ran.err.startswith(
        "error: `companyos-api` has moved on to step 2/3 (pause) since this promote was asked for\n"
    )


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_of_two_who_skip_one_step_the_later_one_is_refused(running: World, method: str) -> None:
    """A step that is no pause has no time at all."""

    def first() -> None:
        skip = ("promote", "--skip-step", "--no-wait")
        running.advance(0.05)
        assert running.canary(*skip, environ={"CANARY_USER": "ben"}).code == ExitCode.OK
        running.advance(0.3)

    acts = [first]
    running.breaks = lambda request: bool(request.method == method and acts and acts.pop()())  # type: ignore[func-returns-value]
    ran = running.canary("promote", "--skip-step", "--no-wait")
    assert (ran.code, running.rollout().step_index) == (ExitCode.REFUSED, 2), ran
    assert "has moved on to step 2/3 (setWeight: 25) since this promote was asked for: " in ran.err


def test_a_promote_in_the_second_in_which_its_pause_began_is_sent(world_of: Callable[[str], World]) -> None:
    """As in a script: a deploy up to the pause, then a promote; and two promotes, one after the other."""
    world = world_of(TWO_GATES.replace("replicas: 10", "replicas: 4"))
    assert world.canary("deploy", "v1.1.0", "--until", "paused").code == ExitCode.OK
    assert world.canary("promote").code == ExitCode.OK
    world.until(lambda r: bool(r.pause_conditions))
    pause = world.rollout().pause_conditions[0].started_at
    assert pause
    assert pause == world.now.replace(microsecond=0)
    assert world.canary("promote").code == ExitCode.OK


def test_a_rollout_that_was_created_again_is_another_one(waiting: World) -> None:
    """Its template, so its hash, is the same, and it has no step left: no one promoted it."""
    key = (kinds.ROLLOUT, "companyos", "companyos-api")

    def again() -> None:
        old = waiting.store.read(*key)
        waiting.store.delete(*key)
        meta = {k: v for k, v in old["metadata"].items() if k in ("name", "namespace", "labels")}
        waiting.store.create(kinds.ROLLOUT, {"metadata": meta, "spec": old["spec"]})
        waiting.advance(20)

    before_the_patch(waiting, again)
    ran = waiting.canary("promote")
    assert ran.code == ExitCode.REFUSED, ran
    assert ran.err.startswith("error: `companyos-api` was deleted and created again since this promote was asked for\n")


@pytest.mark.every_pace
def test_a_promote_of_what_is_paused_by_hand_lets_the_controller_look_at_its_newest_version(world: World) -> None:
    """A pass that only scales still shows the hash of the version before: another one is no change by someone else."""
    assert world.canary("pause", "-q").code == ExitCode.OK
    container = {**world.store.items(kinds.ROLLOUT)[0]["spec"]["template"]["spec"]["containers"][0]}
    container["image"] = "companyos-api:v1.1.0"
    world.patch({"spec": {"replicas": 14, "template": {"spec": {"containers": [container]}}}})
    world.advance(30)
    assert world.rollout().is_fully_promoted
    ran = world.canary("promote")
    assert (ran.code, ran.err) == (ExitCode.OK, "it was paused by hand: resumed, no step is skipped\n"), ran
