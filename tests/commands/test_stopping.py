"""Stopping a version, in every state and whatever else happens to it at the same moment."""

import contextlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.conftest import changing, freeze, installed
from tests.world import CONFIG, MANUAL, World

FULL = ("promote", "--full", "--yes", "--reason", "hotfix")


def stuck_in_full_promote(world: World) -> None:
    """A full promote waits for pods that never come."""
    world.canary("deploy", "bad-v2", "--no-wait")
    world.advance(3)
    assert world.canary(*FULL, "--no-wait").code == ExitCode.OK
    world.advance(2)
    assert world.rollout().promote_full


def test_an_abort_ends_a_full_promote_that_waits_for_pods(world: World) -> None:
    stuck_in_full_promote(world)
    ran = world.canary("abort")
    live = world.rollout()
    assert ran.code == ExitCode.OK, ran
    assert (live.aborted, live.promote_full, live.updated_replicas) == (True, False, 0)


def test_an_abort_is_one_patch_that_takes_back_a_full_promote(waiting: World) -> None:
    waiting.canary("abort", "--no-wait")
    (patch,) = (r for r in waiting.requests if r.method == "PATCH")
    assert json.loads(patch.body) == {"status": {"abort": True, "promoteFull": False}}


def in_its_steps(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(2)
    world.until(lambda r: r.observed and not r.is_fully_promoted)


STATES: dict[str, Callable[[World], object]] = {
    "analysis": lambda w: w.canary("deploy", "v1.1.0", "--no-wait"),
    "bad image": lambda w: w.canary("deploy", "bad-v2", "--no-wait"),
    "crash": lambda w: w.canary("deploy", "crash-v2", "--no-wait"),
    "full promote": stuck_in_full_promote,
    "paused by hand": lambda w: (in_its_steps(w), w.canary("pause")),
    "not seen yet": lambda w: (
        in_its_steps(w),
        w.patch({"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}),
    ),
    "aborted": lambda w: (in_its_steps(w), w.canary("abort", "--no-wait")),
    "retried": lambda w: (in_its_steps(w), w.canary("abort"), w.canary("retry")),
}


@pytest.mark.parametrize("config", [CONFIG, MANUAL], ids=["analysis", "manual"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("later", [0.0, 1.5])
def test_after_an_abort_no_traffic_is_on_the_canary(tmp_path: Path, state: str, config: str, later: float) -> None:
    world = installed(tmp_path, config)
    STATES[state](world)
    world.advance(later)
    ran = world.canary("abort")
    assert ran.code == ExitCode.OK, ran
    world.advance(60)
    live = world.rollout()
    assert not live.promote_full
    assert live.updated_replicas == 0 or live.current_hash == live.stable_hash
    assert world.canary("status", "--field", "stable_version").out.strip() in ("", "v1.0.0")


def late(world: World, waits: int) -> None:
    """From now on no one looks at Rollouts, until a command has waited so many times."""
    working, left = world.sandbox, iter(range(waits))
    freeze(world)

    def wake() -> None:
        if next(left, None) is None:
            world.sandbox = working

    world.on_wait.append(wake)


@pytest.mark.parametrize("waits", [1, 3])
def test_an_abort_before_the_version_was_seen_puts_the_stable_template_back(world: World, waits: int) -> None:
    late(world, waits)
    world.canary("deploy", "v1.1.0", "--no-wait")
    ran = world.canary("abort")
    assert ran.code == ExitCode.OK, ran
    assert "v1.0.0 was put back" in ran.out + ran.err
    world.advance(120)
    live = world.rollout()
    assert (live.image(), live.is_fully_promoted) == ("companyos-api:v1.0.0", True)


def test_an_abort_without_a_controller_is_kept_once_it_is_back(world: World) -> None:
    working = world.sandbox
    freeze(world)
    world.canary("deploy", "v1.1.0", "--no-wait")
    ran = world.canary("abort")
    assert ran.code == ExitCode.UNOBSERVED, ran
    world.sandbox = working
    world.advance(120)
    live = world.rollout()
    assert (live.image(), live.current_hash) == ("companyos-api:v1.0.0", live.stable_hash)


def test_an_abort_that_may_be_lost_says_so(world: World) -> None:
    """Who may not list ReplicaSets cannot put the stable template back."""
    from companyos_canary.sandbox.faults.effects import Answer, Fault

    freeze(world)
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.faults.add(Fault(Answer(403), path="/replicasets"))
    ran = world.canary("abort", "--no-wait")
    assert ran.code == ExitCode.OK
    assert "may ignore this abort" in ran.err


def before_the_patch(world: World, act: Callable[[], None]) -> None:
    """Someone else is faster than the next PATCH."""
    done: list[bool] = []

    def breaks(request: Request) -> bool:
        if request.method == "PATCH" and not done:
            done.append(True)
            act()
        return False

    world.breaks = breaks


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "not seen"])
def test_a_full_promote_never_takes_an_abort_back(waiting: World, seen: bool) -> None:
    def abort() -> None:
        waiting.patch({"status": {"abort": True, "promoteFull": False}}, "status")
        if seen:
            waiting.advance(2)

    before_the_patch(waiting, abort)
    ran = waiting.canary(*FULL)
    assert ran.code == ExitCode.REFUSED, ran
    waiting.advance(60)
    assert waiting.rollout().aborted
    assert not waiting.rollout().is_fully_promoted
    assert waiting.rollout().updated_replicas == 0


@pytest.mark.parametrize("waits", [1, 2])
def test_a_full_promote_that_is_seen_late_is_followed_to_its_end(waiting: World, waits: int) -> None:
    late(waiting, waits)
    ran = waiting.canary(*FULL)
    assert ran.code == ExitCode.OK, ran
    assert "waits for a person" not in ran.out + ran.err
    assert waiting.rollout().is_fully_promoted


def test_a_full_promote_that_nobody_sees_is_9(waiting: World) -> None:
    freeze(waiting)
    ran = waiting.canary(*FULL)
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "waits for a person" not in ran.out + ran.err


@pytest.mark.parametrize("verb", ["status", "get"])
def test_nothing_waits_for_a_person_while_a_full_promote_is_not_seen(waiting: World, verb: str) -> None:
    freeze(waiting)
    waiting.canary(*FULL, "--no-wait")
    ran = waiting.canary(verb)
    assert "waits for a person" not in ran.out
    assert "until someone promotes" not in ran.out


def invalid(world: World) -> None:
    """The Services that it names are missing: the commonest first mistake."""
    shop: dict[str, Any] = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "shop", "namespace": "companyos"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "shop", "image": "shop:v1"}]},
            },
            "strategy": {
                "canary": {
                    "canaryService": "shop-canary",
                    "stableService": "shop-stable",
                    "steps": [{"setWeight": 50}, {"pause": {}}],
                }
            },
        },
    }
    world.store.create(ROLLOUT, shop)
    world.advance(1)


@pytest.mark.parametrize("command", [("watch", "shop"), ("deploy", "v2", "--rollout", "shop")], ids=["watch", "deploy"])
def test_a_first_revision_that_is_invalid_ends_at_once(empty: World, command: tuple[str, ...]) -> None:
    invalid(empty)
    began = empty.now
    ran = empty.canary(*command, "-n", "companyos")
    assert ran.code == ExitCode.DEGRADED, ran
    assert 'service "shop-stable" not found' in " ".join(ran.err.split())
    assert "is Argo Rollouts running" not in ran.out + ran.err
    assert (empty.now - began).total_seconds() < 10


def test_an_apply_that_the_controller_calls_invalid_ends_at_once(empty: World) -> None:
    path = empty.folder / "canary.yaml"
    path.write_text(CONFIG + "merge: [broken.yaml]\n")
    (empty.folder / "broken.yaml").write_text(
        "kind: Rollout\nmetadata: {name: companyos-api}\n"
        "spec: {strategy: {canary: {canaryService: gone, stableService: gone-too}}}\n"
    )
    began = empty.now
    ran = empty.canary("apply", "v1.0.0")
    assert ran.code == ExitCode.DEGRADED, ran
    assert (empty.now - began).total_seconds() < 10


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_a_deadline_is_not_called_a_request(world: World) -> None:
    """Controller 1.9.1 writes RolloutAborted over ProgressDeadlineExceeded (recorded)."""
    world.canary("deploy", "bad-v2", "--no-wait")
    world.advance(5)
    live = world.store.read(ROLLOUT, "companyos", "companyos-api")
    message = "RolloutAborted: Rollout aborted update to revision 2"
    conditions = [
        {**c, "reason": "RolloutAborted", "message": message.removeprefix("RolloutAborted: ")}
        if c["type"] == "Progressing"
        else c
        for c in live["status"]["conditions"]
    ]
    freeze(world)
    status = {"abort": True, "phase": "Degraded", "message": message, "conditions": conditions}
    world.patch({"status": status}, "status")
    for verb in ("status", "get"):
        ran = world.canary(verb)
        said = ran.out + ran.err
        assert "request" not in said
        assert "by hand" not in said
        assert ("ImagePull" in said) or verb == "status"


def test_an_abort_with_a_reason_is_known_to_be_by_hand(waiting: World) -> None:
    assert waiting.canary("abort", "--reason", "wrong tag").code == ExitCode.OK
    assert "aborted by hand (no analysis failed)" in waiting.canary("get").out
    assert "aborted by hand (no analysis failed)" in waiting.canary("status").out


@pytest.mark.parametrize("text", ["weight=200", "weight=0", "weight=101", "step=0"])
def test_until_names_a_state_that_there_can_be(world: World, text: str) -> None:
    ran = world.canary("deploy", "v1.1.0", "--until", text)
    assert (ran.code, changing(world)) == (ExitCode.USAGE, []), ran
    assert "more than 0 and at most 100" in ran.err or "1 or more" in ran.err


def test_a_weight_that_is_jumped_over_is_said_as_it_is(world: World) -> None:
    ran = world.canary("deploy", "v1.1.0", "--until", "weight=20")
    assert ran.code == ExitCode.OK
    assert "v1.1.0 has reached 25 % (at least 20 %, step 2/3)" in ran.err + ran.out


LONG = ("99999999999h", "9999999999999999999999s", "1e9h", "²h")


@pytest.mark.parametrize("text", LONG)
@pytest.mark.parametrize(
    "command",
    [
        ("deploy", "v2", "--timeout"),
        ("watch", "--timeout"),
        ("status", "--wait", "--timeout"),
        ("abort", "--timeout"),
        ("restart", "--timeout"),
        ("undo", "--timeout"),
        ("list", "--older"),
        ("logs", "--since"),
        ("metrics", "--since"),
        ("watch", "--heartbeat"),
        ("apply", "v2", "--timeout"),
    ],
)
def test_no_duration_is_too_long_for_a_sentence(world: World, command: tuple[str, ...], text: str) -> None:
    ran = world.canary(*command, text)
    assert (ran.code, changing(world)) == (ExitCode.USAGE, []), ran
    assert "is not a duration" in ran.err


@pytest.mark.parametrize("text", ["99999999999999h", "nonsense", "99999999999999999999999"])
def test_one_unreadable_duration_disables_nothing(waiting: World, text: str) -> None:
    live = waiting.store.read(ROLLOUT, "companyos", "companyos-api")
    steps = [{"setWeight": 10}, {"pause": {"duration": text}}, {"setWeight": 50}]
    other = json.loads(json.dumps(live))
    other["spec"]["strategy"]["canary"]["steps"] = steps
    other["metadata"] = {"name": "other", "namespace": "companyos"}
    waiting.store.create(ROLLOUT, other)
    waiting.patch({"spec": {"strategy": {"canary": {"steps": steps}}}})
    ran = waiting.canary("list", "-n", "companyos")
    assert ran.code == ExitCode.OK, ran
    assert "companyos-api" in ran.out
    assert "other" in ran.out
    for verb in ("status", "get", "history", "events"):
        told = waiting.canary(verb)
        assert told.code in (ExitCode.OK, ExitCode.DEGRADED, ExitCode.UNFINISHED), told
        assert "unexpected" not in told.out + told.err
    aborted = waiting.canary("abort", "--no-wait")
    assert aborted.code == ExitCode.OK, aborted


@settings(deadline=None)
@given(st.from_regex(r"-?[0-9]{0,30}(\.[0-9]{0,30})?(h|ms|m|s|us|µs|ns)?", fullmatch=True))
def test_a_duration_is_read_or_refused(text: str) -> None:
    from companyos_canary.model.quantity import parse_duration

    with contextlib.suppress(ValueError):
        assert abs(parse_duration(text)) <= timedelta(days=365 * 293)
