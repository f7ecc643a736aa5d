"""`canary abort`: works with the least rights and the least configuration, seen to its end."""

import json
from collections.abc import Callable

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Drop, Fault
from tests.commands.conftest import changing, freeze, interrupt
from tests.world import Ran, World

NAMED = ("abort", "companyos-api", "-n", "companyos")
ROLLOUT = "/apis/argoproj.io/v1alpha1/namespaces/companyos/rollouts/companyos-api"
EVENT = ("POST", "/api/v1/namespaces/companyos/events")
DONE = """\
companyos-api in companyos @ sandbox is aborted: all traffic is on the stable version
the Rollout's spec still has v1.1.0: `canary undo` or `canary deploy VERSION` replaces it
"""
WAITS = "companyos-api in companyos @ sandbox is aborted; waiting for the canary's pods to go\n"


def test_it_is_followed_until_no_canary_pod_is_left(waiting: World) -> None:
    assert waiting.canary("abort") == Ran(0, DONE, WAITS)
    live = waiting.rollout()
    assert (live.aborted, live.updated_replicas, live.available_replicas) == (True, 0, 10)


def test_a_running_step_is_aborted_too(running: World) -> None:
    assert running.canary("abort").code == ExitCode.OK
    assert running.rollout().aborted


def test_no_wait_is_exactly_two_requests_and_the_event_behind_them(waiting: World) -> None:
    ran = waiting.canary("abort", "--no-wait")
    said = "the abort of companyos-api in companyos @ sandbox was sent\n"
    assert ran == Ran(0, said, "")
    assert [(r.method, r.path) for r in waiting.requests] == [("GET", ROLLOUT), ("PATCH", f"{ROLLOUT}/status"), EVENT]
    assert json.loads(waiting.requests[1].body) == {"status": {"abort": True, "promoteFull": False}}


def test_the_right_to_get_and_patch_is_enough(waiting: World) -> None:
    denied = [Fault(Answer(403), verb=verb) for verb in ("list", "watch", "create", "update")]
    others = Fault(Answer(403), path="/(pods|replicasets|events|analysisruns|analysistemplates)")
    waiting.faults.add(*denied, others)
    assert waiting.canary("abort").code == ExitCode.OK


@pytest.mark.parametrize("content", [None, "steps: [", "schema: canary/v1\nfoo: 1\n"])
def test_it_needs_no_canary_yaml_that_could_be_read(waiting: World, content: str | None) -> None:
    path = waiting.folder / "canary.yaml"
    path.unlink() if content is None else path.write_text(content)
    named = DONE.replace("`canary undo`", "`canary undo companyos-api -n companyos`")
    named = named.replace("deploy VERSION`", "deploy VERSION --rollout companyos-api -n companyos`")
    assert waiting.canary(*NAMED) == Ran(0, named, WAITS)


def test_a_dry_run_shows_the_request_and_sends_nothing(waiting: World) -> None:
    ran = waiting.canary("abort", "--dry-run")
    assert ran.out == (
        f"PATCH {ROLLOUT}/status?fieldManager=canary\n"
        "content-type: application/merge-patch+json\n"
        '{\n  "status": {\n    "abort": true,\n    "promoteFull": false\n  }\n}\n'
    )
    assert ran.err == "dry run: nothing was sent\n"
    assert changing(waiting) == []


def test_a_finished_rollout_is_refused_and_names_undo(world: World) -> None:
    ran = world.canary("abort")
    assert (ran.code, changing(world)) == (ExitCode.REFUSED, [])
    assert ran.err == (
        "error: `companyos-api` is fully promoted: there is nothing to abort\n"
        "hint: to go back to an earlier version: `canary undo`\n"
    )


def test_once_more_is_a_success_that_sends_nothing(rolled_back: World) -> None:
    ran = rolled_back.canary("abort")
    already = WAITS.replace("is aborted", "is already aborted")
    assert ran == Ran(0, DONE, already)
    assert rolled_back.canary("abort", "--no-wait").out == ("companyos-api in companyos @ sandbox is already aborted\n")
    assert changing(rolled_back) == []


def test_a_pause_by_hand_is_lifted_so_that_the_pods_can_go(waiting: World) -> None:
    waiting.canary("pause")
    ran = waiting.canary("abort")
    assert ran.code == ExitCode.OK
    assert "paused by hand; resumed so that its pods can terminate" in ran.err
    assert (waiting.rollout().paused, waiting.rollout().updated_replicas) == (False, 0)


def test_an_abort_that_the_controller_dropped_is_sent_again(waiting: World) -> None:
    """Recorded for a write between the controller's read and its update: the flag is gone."""
    freeze(waiting)
    acts: list[Callable[[], None]] = [lambda: drop(waiting), lambda: take(waiting)]
    waiting.on_wait.append(lambda: acts.pop(0)() if acts else None)
    assert waiting.canary("abort").code == ExitCode.OK
    assert changing(waiting) == ["PATCH", "PATCH"]


def test_one_that_is_always_dropped_ends_as_not_observed(waiting: World) -> None:
    freeze(waiting)
    waiting.on_wait.append(lambda: drop(waiting))
    ran = waiting.canary("abort")
    assert ran.code == ExitCode.UNOBSERVED
    assert changing(waiting) == ["PATCH"] * 3


def test_promoted_meanwhile_is_refused_not_claimed(waiting: World) -> None:
    freeze(waiting)

    def promoted() -> None:
        waiting.patch({"status": {"abort": None, "stableRS": waiting.rollout().current_hash}}, "status")

    waiting.on_wait.append(promoted)
    ran = waiting.canary("abort")
    assert ran.code == ExitCode.REFUSED
    assert "was fully promoted before the abort arrived: nothing is aborted" in ran.err


def test_no_controller_is_accepted_not_observed(waiting: World) -> None:
    freeze(waiting)
    ran = waiting.canary("abort")
    assert (ran.code, ran.err) == (ExitCode.UNOBSERVED, "")
    assert "was accepted, but the controller has not acted on it" in ran.out


def test_pods_that_stay_end_it_with_the_time(waiting: World) -> None:
    interrupted = {"status": {"abort": True, "updatedReplicas": 1}}
    freeze(waiting)
    waiting.on_wait.append(lambda: (take(waiting), waiting.patch(interrupted, "status")))
    ran = waiting.canary("abort", "--timeout", "5s")
    assert ran.code == ExitCode.TIMEOUT
    assert "1 canary pod is still there" in ran.out


def shows_the_abort(world: World) -> bool:
    return any(c.reason == "RolloutAborted" for c in world.rollout().conditions)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (0, "interrupted: the abort of `companyos-api` was sent and stays"),
        (1, "interrupted: `companyos-api` is aborted; its canary pods are still terminating"),
    ],
)
def test_ctrl_c_says_how_far_it_came(waiting: World, after: int, said: str) -> None:
    interrupt(waiting, after=after, once=lambda: not after or shows_the_abort(waiting))
    ran = waiting.canary("abort")
    assert ran.code == ExitCode.INTERRUPTED
    assert ran.err.splitlines()[-2:] == [said, "hint: look with `canary status`"]
    assert waiting.rollout().aborted


@pytest.mark.parametrize(
    ("effect", "code"),
    [(Answer(403), ExitCode.DENIED), (Answer(500), ExitCode.UNOBSERVED), (Drop(), ExitCode.UNOBSERVED)],
)
def test_a_patch_that_fails_is_sent_once_and_told(waiting: World, effect: Answer | Drop, code: ExitCode) -> None:
    waiting.faults.add(Fault(effect, method="PATCH"))
    assert waiting.canary("abort").code == code
    assert changing(waiting) == ["PATCH"]


def test_a_bad_time_costs_nothing_and_a_missing_rollout_is_5(waiting: World) -> None:
    assert waiting.canary("abort", "--timeout", "soon").code == ExitCode.USAGE
    assert waiting.requests == []
    assert waiting.canary("abort", "other").code == ExitCode.NOT_FOUND


def drop(world: World) -> None:
    """The controller's own update of the status overwrites the flag."""
    world.patch({"status": {"abort": None}}, "status")


def take(world: World) -> None:
    """The controller acts on the flag, all at once."""
    if world.rollout().aborted:
        condition = {"type": "Progressing", "status": "False", "reason": "RolloutAborted"}
        status = {"conditions": [condition], "updatedReplicas": 0, "availableReplicas": 10}
        world.patch({"status": status}, "status")


def test_a_change_of_what_nobody_named_says_what_it_acts_on(running: World) -> None:
    (running.folder / "canary.yaml").unlink()
    ran = running.canary("abort", "-n", "companyos", "--no-wait")
    assert ran.code == ExitCode.OK
    assert ran.err.startswith("acting on companyos-api, the only Rollout in companyos @ sandbox\n")


def test_a_pause_that_may_not_be_lifted_is_not_said_to_be(waiting: World) -> None:
    waiting.canary("pause")
    waiting.advance(2)
    waiting.allowed = lambda asked: asked.verb != "patch" or asked.subresource == "status"
    ran = waiting.canary("abort")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert waiting.rollout().aborted
    assert "is aborted, but it is paused by hand, which keeps its pods" in ran.out
    assert ran.err.count("the pause by hand could not be lifted: not permitted to `patch`") == 1
    assert "resumed" not in ran.err


@pytest.mark.every_pace
def test_pods_of_a_version_between_the_two_take_traffic_too(waiting: World) -> None:
    """Someone sets another image while the abort is waited for: no pod is of that one, and some of the one before."""

    def another() -> None:
        waiting.on_wait.remove(another)
        image = ("set", "image", "companyos-api", "companyos-api=companyos-api:v1.4.0")
        assert waiting.canary(*image, environ={"CANARY_USER": "ben"}).code == ExitCode.OK

    waiting.on_wait.append(another)
    ran = waiting.canary("abort")
    left = {c["image"] for p in waiting.pods() for c in p["spec"]["containers"]}
    assert "all traffic is on the stable version" not in ran.out or left == {"companyos-api:v1.0.0"}, ran


@pytest.mark.every_pace
def test_a_second_abort_of_what_was_put_back_ends_once_the_controller_has_seen_it(world: World) -> None:
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK
    assert world.canary("abort", "--no-wait").code == ExitCode.OK
    ran = world.canary("abort")
    live = world.rollout()
    assert ran.code in (ExitCode.OK, ExitCode.REFUSED), ran
    assert live.observed
    assert live.is_fully_promoted or (live.aborted and not live.updated_replicas), ran
