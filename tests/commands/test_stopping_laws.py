"""An abort that was acknowledged holds, whatever was done to the Rollout just before it."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import DEPLOYMENT, ROLLOUT
from tests.commands.conftest import changing, freeze, installed
from tests.commands.test_workload_ref import REFERENCE, deployment
from tests.world import MANUAL, World

FULL = ("promote", "--full", "--yes", "--reason", "hotfix")
STEPS = [{"setWeight": 10}, {"pause": {}}, {"setWeight": 75}]


def with_image(world: World, tag: str) -> None:
    """Someone else sets another image, past every check of ours."""
    containers = [dict(c) for c in world.rollout().template["spec"]["containers"]]
    containers[0]["image"] = f"companyos-api:{tag}"
    world.patch({"spec": {"template": {"spec": {"containers": containers}}}})


def with_steps(world: World) -> None:
    world.patch({"spec": {"strategy": {"canary": {"steps": STEPS}}}})


MOVES: dict[str, Callable[[World], object]] = {
    "v1.1.0": lambda w: with_image(w, "v1.1.0"),
    "bad": lambda w: with_image(w, "bad1"),
    "stable image": lambda w: with_image(w, "v1.0.0"),
    "steps": with_steps,
    "scale": lambda w: w.patch({"spec": {"replicas": 4}}),
    "pause": lambda w: w.patch({"spec": {"paused": True}}),
    "resume": lambda w: w.patch({"spec": {"paused": False}}),
    "promote": lambda w: w.patch({"status": {"pauseConditions": None}}, "status"),
    "full": lambda w: w.patch({"status": {"promoteFull": True}}, "status"),
    "abort": lambda w: w.patch({"status": {"abort": True}}, "status"),
    "retry": lambda w: w.patch({"status": {"abort": False}}, "status"),
}
moves = st.lists(st.tuples(st.sampled_from(sorted(MOVES)), st.sampled_from([0.0, 0.2, 3.0])), max_size=6)


def check_holds(sequence: list[tuple[str, float]], *, away: int, options: tuple[str, ...]) -> None:
    """The last `away` moves, and the abort, come while the controller is away."""
    with TemporaryDirectory() as folder:
        world = installed(Path(folder), MANUAL)
        working = world.sandbox
        for number, (move, seconds) in enumerate(sequence):
            if number == len(sequence) - away:
                freeze(world)
            MOVES[move](world)
            world.advance(seconds)
        if away and not sequence:
            freeze(world)
        before = world.rollout()
        ran = world.canary("abort", *options)
        world.sandbox = working
        world.advance(90)
        after = world.rollout()
        if ran.code == ExitCode.REFUSED:
            assert before.observed, ran
            assert before.is_fully_promoted, ran
            return
        assert ran.code in (ExitCode.OK, ExitCode.UNOBSERVED), ran
        assert after.stable_hash == before.stable_hash, ran
        assert not after.promote_full, ran
        assert after.updated_replicas == 0 or after.current_hash == after.stable_hash, ran


@given(moves, st.integers(0, 3), st.sampled_from([(), ("--no-wait",)]))
@example([("v1.1.0", 3.0), ("steps", 0.0)], 1, ("--no-wait",))
@example([("v1.1.0", 3.0), ("bad", 0.0)], 1, ())
@example([("v1.1.0", 0.0), ("pause", 0.0)], 2, ())
@example([("bad", 3.0), ("full", 3.0)], 0, ())
@example([("bad", 3.0), ("abort", 0.0)], 1, ())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_traffic_reaches_the_canary_after_an_abort(
    sequence: list[tuple[str, float]], away: int, options: tuple[str, ...]
) -> None:
    check_holds(sequence, away=away, options=options)


def before_the_patch(world: World, act: Callable[[], object], *, to: str = "") -> None:
    """Someone else is faster than the next PATCH (whose path ends so)."""
    done: list[bool] = []

    def breaks(request: Request) -> bool:
        if request.method == "PATCH" and request.path.endswith(to) and not done:
            done.append(True)
            act()
        return False

    world.breaks = breaks


def images(world: World) -> set[str]:
    return {c["image"] for p in world.pods() for c in p["spec"]["containers"]}


def test_a_version_put_back_over_another_canary_is_followed_until_that_is_gone(waiting: World) -> None:
    """v1.1.0 serves 10 % while v1.3.0 is not seen yet."""
    working = waiting.sandbox
    freeze(waiting)
    with_image(waiting, "v1.3.0")
    waiting.on_wait.append(lambda: setattr(waiting, "sandbox", working))
    ran = waiting.canary("abort")
    assert ran.code == ExitCode.OK, ran
    assert "v1.0.0 was put back in place of v1.3.0" in ran.out
    assert images(waiting) == {"companyos-api:v1.0.0"}


def test_an_abort_is_done_once_even_while_nobody_acts_on_it(world: World) -> None:
    freeze(world)
    with_image(world, "v1.1.0")
    assert world.canary("abort").code == ExitCode.UNOBSERVED
    sent = len(changing(world))
    began = world.now
    ran = world.canary("abort")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "put back" in ran.out
    assert len(changing(world)) == sent
    assert (world.now - began).total_seconds() < 60


def test_what_was_put_back_is_said_in_the_result_and_in_json(world: World) -> None:
    working = world.sandbox
    freeze(world)
    with_image(world, "v1.1.0")
    ran = world.canary("abort", "--no-wait", "-o", "json")
    assert ran.json["data"]["put_back"] == "v1.0.0"
    with_image(world, "v1.1.0")
    ran = world.canary("abort")
    assert ran.code == ExitCode.UNOBSERVED
    assert "v1.0.0 was put back in place of v1.1.0" in ran.out
    with_image(world, "v1.1.0")
    world.on_wait.append(lambda: setattr(world, "sandbox", working))
    ran = world.canary("abort")
    assert ran.code == ExitCode.OK
    assert "v1.0.0 was put back in place of v1.1.0" in ran.out


def test_the_history_says_how_the_canary_ended_that_a_put_back_stopped(waiting: World) -> None:
    working = waiting.sandbox
    freeze(waiting)
    with_image(waiting, "v1.3.0")
    waiting.on_wait.append(lambda: setattr(waiting, "sandbox", working))
    assert waiting.canary("abort", "--reason", "wrong tag").code == ExitCode.OK
    told = waiting.canary("history", "-o", "json").json["data"]["revisions"]
    became = {r["version"]: r["outcome"] for r in told}
    assert became == {"v1.0.0": "stable", "v1.1.0": "aborted"}


def test_undo_still_knows_what_was_stable_after_a_version_was_put_back(shipped: World) -> None:
    working = shipped.sandbox
    freeze(shipped)
    shipped.canary("deploy", "v1.3.0", "--no-wait")
    shipped.canary("abort", "--reason", "wrong tag", "--no-wait")
    shipped.sandbox = working
    shipped.advance(5)
    ran = shipped.canary("undo", "--dry-run")
    assert ran.code == ExitCode.OK, ran
    assert "companyos-api:v1.0.0" in ran.out
    assert "not recorded" not in ran.err


@pytest.mark.parametrize("options", [(), ("--no-wait",)])
def test_an_abort_that_a_new_version_overtook_is_not_lost(waiting: World, options: tuple[str, ...]) -> None:
    working = waiting.sandbox
    before_the_patch(waiting, lambda: overtake(waiting))
    ran = waiting.canary("abort", *options)
    assert ran.code == ExitCode.OK, ran
    waiting.sandbox = working
    waiting.advance(60)
    assert images(waiting) == {"companyos-api:v1.0.0"}


def overtake(world: World) -> None:
    """An image that the controller has not looked at when our PATCH arrives."""
    working = world.sandbox
    freeze(world)
    with_image(world, "v1.3.0")
    world.on_wait.append(lambda: setattr(world, "sandbox", working))


@pytest.mark.every_pace
def test_a_version_that_a_pass_which_only_scales_has_not_looked_at_is_aborted(world: World) -> None:
    """Paused by hand the controller says that it has seen the spec, and still shows the hash of the version before."""
    world.patch({"spec": {"paused": True}})
    world.until(lambda r: r.observed)
    MOVES["scale"](world)
    with_image(world, "v1.1.0")
    world.advance(30)
    live = world.rollout()
    assert (live.observed, live.is_fully_promoted, live.image()) == (True, True, "companyos-api:v1.1.0")
    ran = world.canary("abort")
    assert ran.code == ExitCode.OK, ran
    world.advance(60)
    assert (world.rollout().image(), images(world)) == ("companyos-api:v1.0.0", {"companyos-api:v1.0.0"})
    assert world.canary("abort").code == ExitCode.REFUSED


@pytest.mark.parametrize("seen", [False, True], ids=["not seen", "seen"])
@pytest.mark.parametrize("move", ["scale", "v1.3.0"])
def test_no_other_change_keeps_an_abort_from_being_sent(world: World, move: str, seen: bool) -> None:
    working = world.sandbox
    freeze(world)
    with_image(world, "v1.1.0")

    def act() -> None:
        MOVES.get(move, lambda w: with_image(w, move))(world)
        if seen:
            world.sandbox = working
            world.advance(1)

    before_the_patch(world, act)
    ran = world.canary("abort", "--no-wait")
    assert ran.code == ExitCode.OK, ran
    world.sandbox = working
    world.advance(60)
    live = world.rollout()
    assert images(world) == {"companyos-api:v1.0.0"}
    assert live.stable_hash != live.current_hash or live.image() == "companyos-api:v1.0.0"


def test_the_key_stops_a_version_that_was_not_seen(world: World) -> None:
    working = world.sandbox
    freeze(world)
    with_image(world, "v1.1.0")
    ran = world.canary("watch", "--stay", terminal=True, keys=[(1, "a"), (1, "y"), (3, "q")])
    assert "v1.0.0?" in ran.out, ran
    world.sandbox = working
    world.advance(60)
    assert world.rollout().image() == "companyos-api:v1.0.0"


def referring(folder: Path) -> World:
    """companyos-api v1.0.0 is Healthy; its template is the Deployment's."""
    (folder / "reference.yaml").write_text(REFERENCE)
    made = World(folder, f"{MANUAL}merge: [reference.yaml]\n")
    made.store.create(DEPLOYMENT, deployment())
    assert made.canary("apply", "v1.0.0", "-q").code == ExitCode.OK
    made.advance(10)
    return made


@pytest.mark.parametrize("options", [(), ("--no-wait",)])
def test_a_version_of_a_deployment_that_was_not_seen_is_stopped_too(tmp_path: Path, options: tuple[str, ...]) -> None:
    world = referring(tmp_path)
    working = world.sandbox
    freeze(world)
    world.canary("deploy", "v1.1.0", "--no-wait")
    ran = world.canary("abort", *options)
    assert ran.code == (ExitCode.OK if options else ExitCode.UNOBSERVED), ran
    assert "v1.0.0 was put back in place of v1.1.0" in ran.out
    world.sandbox = working
    world.advance(60)
    assert images(world) == {"companyos-api:v1.0.0"}
    assert world.rollout().is_fully_promoted


def test_a_deployment_that_may_not_be_changed_is_told_and_the_abort_is_sent(tmp_path: Path) -> None:
    world = referring(tmp_path)
    working = world.sandbox
    freeze(world)
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.faults.add(Fault(Answer(403), path="/deployments", method="PATCH"))
    ran = world.canary("abort", "--no-wait")
    assert ran.code == ExitCode.OK, ran
    assert "was put back" not in ran.out
    assert "could not be put back, so the controller may ignore this abort" in ran.err
    world.on_wait.append(lambda: setattr(world, "sandbox", working))
    again = world.canary("abort")
    assert again.code == ExitCode.OK, again
    assert images(world) == {"companyos-api:v1.0.0"}


def test_an_abort_without_the_right_to_read_more_is_sent_and_observed(world: World) -> None:
    """The stable template cannot be read: the abort may be lost, and is sent again where it is."""
    working = world.sandbox
    freeze(world)
    with_image(world, "v1.1.0")
    world.faults.add(Fault(Answer(403), path="/(replicasets|pods|analysisruns|deployments)"))
    world.on_wait.append(lambda: setattr(world, "sandbox", working))
    ran = world.canary("abort")
    assert ran.code == ExitCode.OK, ran
    assert "may ignore this abort" in ran.err
    assert images(world) == {"companyos-api:v1.0.0"}


def test_an_api_server_that_fails_beside_does_not_keep_an_abort_from_being_sent(world: World) -> None:
    freeze(world)
    with_image(world, "v1.1.0")
    world.faults.add(Fault(Answer(500), path="/(replicasets|pods|analysisruns)"))
    ran = world.canary("abort", "--no-wait")
    assert ran.code == ExitCode.OK, ran
    assert world.rollout().aborted


def test_a_full_promote_that_a_put_back_overtook_is_refused(waiting: World) -> None:
    before_the_patch(waiting, lambda: (with_image(waiting, "v1.0.0"), waiting.advance(2)))
    ran = waiting.canary(*FULL)
    assert ran.code == ExitCode.REFUSED, ran
    waiting.advance(30)
    assert images(waiting) == {"companyos-api:v1.0.0"}


def test_a_full_promote_followed_by_another_version_ends_as_superseded(waiting: World) -> None:
    working = waiting.sandbox
    freeze(waiting)
    acts = [lambda: with_image(waiting, "v1.3.0"), lambda: setattr(waiting, "sandbox", working)]
    waiting.on_wait.append(lambda: acts.pop(0)() if acts else None)
    ran = waiting.canary(*FULL)
    assert ran.code == ExitCode.SUPERSEDED, ran


def test_a_full_promote_during_a_running_step_is_not_followed_before_it_is_seen(running: World) -> None:
    freeze(running)
    ran = running.canary(*FULL)
    assert ran.code == ExitCode.UNOBSERVED, ran


def as_1_9_1(world: World) -> None:
    """The status as the released controller writes it: no `duration`, and the abort over the
    deadline (recorded: bad-image-deadline-abort)."""
    live = world.store.read(ROLLOUT, "companyos", "companyos-api")
    message = "Rollout aborted update to revision 2"
    conditions = [
        {**c, "reason": "RolloutAborted", "message": message} if c["type"] == "Progressing" else c
        for c in live["status"]["conditions"]
    ]
    status = {"message": f"RolloutAborted: {message}", "conditions": conditions, "duration": None}
    world.patch({"status": status}, "status")


def late(world_of: Callable[[str], World], version: str) -> World:
    """Aborted by its progress deadline of ten seconds, as 1.9.1 writes it."""
    world = world_of(MANUAL.replace("replicas: 10", "replicas: 10\nprogress_deadline: 10s"))
    world.canary("deploy", version, "--no-wait")
    return world


@pytest.mark.prompt_only("its progress deadline is over before a pod of a late cluster is there")
def test_a_deadline_is_named_from_its_event_where_the_status_forgot_it(world_of: Callable[[str], World]) -> None:
    world = late(world_of, "bad1")
    world.advance(12)
    freeze(world)
    as_1_9_1(world)
    ran = world.canary("get")
    assert "timed out progressing" in " ".join(ran.out.split()), ran


@pytest.mark.prompt_only("its progress deadline is over before a pod of a late cluster is there")
def test_an_old_record_of_an_abort_is_no_proof_for_a_deadline(world_of: Callable[[str], World]) -> None:
    world = late(world_of, "v1.1.0")
    world.advance(3)
    assert world.canary("abort", "--reason", "wrong tag").code == ExitCode.OK
    world.advance(60)
    assert world.canary("deploy", "bad1", "--no-wait").code == ExitCode.OK
    world.advance(12)
    freeze(world)
    as_1_9_1(world)
    for verb in ("status", "get"):
        assert "by hand" not in world.canary(verb).out


def test_nothing_false_is_said_of_an_invalid_first_revision(empty: World) -> None:
    spec: dict[str, Any] = {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "shop"}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "shop", "image": "shop:v1"}]},
        },
        "strategy": {"canary": {"stableService": "shop-stable", "canaryService": "shop-canary"}},
    }
    empty.store.create(ROLLOUT, {"metadata": {"name": "shop", "namespace": "companyos"}, "spec": spec})
    empty.advance(1)
    for terminal in (False, True):
        ran = empty.canary("watch", "shop", "-n", "companyos", terminal=terminal)
        said = " ".join((ran.out + ran.err).split())
        assert ran.code == ExitCode.DEGRADED, ran
        assert "the traffic:" not in said
        assert "canary abort" not in said
        assert "nothing was rolled back" not in said


@pytest.mark.soak
@given(moves, st.integers(0, 3), st.sampled_from([(), ("--no-wait",)]))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_soak_of_aborts(sequence: list[tuple[str, float]], away: int, options: tuple[str, ...]) -> None:
    check_holds(sequence, away=away, options=options)
