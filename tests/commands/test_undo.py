"""`canary undo`, from argv to exit, in the sandbox."""

import copy
import json
import re
from pathlib import Path

import pytest

from companyos_canary.argo.patches.record import record_of
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request
from companyos_canary.sandbox.kinds import ANALYSISRUN, EVENT, REPLICASET
from tests.commands.conftest import changing, freeze, installed, sized
from tests.prototypes import begun
from tests.world import CONFIG, World

pytestmark = pytest.mark.replicas(4)


def test_mid_way_it_goes_back_to_stable_at_once(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(4)
    ran = world.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert "back to v1.0.0 (revision 1): at once" in ran.err
    assert world.rollout().image() == "companyos-api:v1.0.0"
    assert world.rollout().is_fully_promoted


def test_after_a_release_the_old_version_goes_through_the_steps_again(shipped: World) -> None:
    began = shipped.now
    ran = shipped.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert "it goes through the steps again" in ran.err
    assert shipped.rollout().image() == "companyos-api:v1.0.0"
    assert (shipped.now - began).total_seconds() > 15


def runs(world: World) -> set[str]:
    return {run["metadata"]["name"] for run in world.store.items(ANALYSISRUN, "companyos")}


def test_fast_skips_the_steps_and_wants_a_reason(shipped: World, pace: str) -> None:
    before = runs(shipped)
    assert shipped.canary("undo", "--fast").code == ExitCode.USAGE
    began = shipped.now
    ran = shipped.canary("undo", "--fast", "--reason", "checkout is down")
    assert ran.code == ExitCode.OK, ran
    assert shipped.rollout().image() == "companyos-api:v1.0.0"
    assert pace != "prompt" or (shipped.now - began).total_seconds() < 10
    assert runs(shipped) == before, "no step was run"


def test_never_to_an_aborted_version(shipped: World) -> None:
    shipped.canary("deploy", "v1.2.0", "-q")
    shipped.canary("deploy", "v1.3.0", "-q")
    ran = shipped.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert shipped.rollout().image() == "companyos-api:v1.1.0"


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
    world.until(lambda r: r.observed and r.is_fully_promoted)
    ran = world.canary("undo")
    assert ran.code == ExitCode.REFUSED
    assert "canary undo --to VERSION, one of `v1.0.0` (revision 1)" in ran.err


def test_to_a_version_by_name_or_number(shipped: World) -> None:
    assert shipped.canary("undo", "--to", "v9").code == ExitCode.NOT_FOUND
    assert shipped.canary("undo", "--to", "2").out.startswith("`companyos-api` is already on")
    assert shipped.canary("undo", "--to", "1", "--no-wait").code == ExitCode.OK
    assert shipped.rollout().image() == "companyos-api:v1.0.0"


def test_a_dry_run_shows_the_difference_and_sends_nothing(shipped: World) -> None:
    shipped.requests.clear()
    ran = shipped.canary("undo", "--dry-run")
    assert "-      image: companyos-api:v1.1.0" in ran.out
    assert "+      image: companyos-api:v1.0.0" in ran.out
    assert {r.method for r in shipped.requests} == {"GET"}


def test_it_leaves_a_record_and_a_later_undo_still_knows_what_was_good(shipped: World) -> None:
    shipped.canary("deploy", "v1.3.0", "-q")
    shipped.canary("undo", "--reason", "slow login", "-q")
    record = record_of(shipped.rollout().annotations)
    assert (record["by"], record["reason"], record["image"]) == ("ana", "slow login", "companyos-api:v1.1.0")
    shipped.canary("undo", "--to", "v1.3.0", "-q")
    assert shipped.rollout().image() == "companyos-api:v1.3.0"
    shipped.canary("deploy", "v1.4.0", "-q")
    ran = shipped.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert shipped.rollout().image() == "companyos-api:v1.3.0"


@pytest.mark.replicas(10)
@pytest.mark.every_pace
def test_within_the_rollback_window_no_step_is_run_or_said_to_be(world: World) -> None:
    world.patch({"spec": {"rollbackWindow": {"revisions": 2}}})
    world.until(lambda r: r.observed)
    assert world.canary("deploy", "v1.1.0", "-q").code == ExitCode.OK
    ran = world.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert "at once, no step is run" in ran.err
    told = [line.split(" ", 2)[2] for line in ran.out.splitlines()[:-1]]
    assert not [line for line in told if line.startswith("step ")], "a late controller shows the first for a moment"
    assert "finishing pods=0/10" in told


def tried_again_and_aborted(folder: Path, *reason: str) -> World:
    """v1.1.0 was stable, then v1.3.0; v1.1.0 was tried again and aborted, then v1.4.0 shipped."""
    story = " ".join(("tried again and aborted", *reason))
    return begun(story, sized(CONFIG, 4), folder, lambda *given: _tried_again(installed(*given), *reason))


def _tried_again(world: World, *reason: str) -> World:
    for version in ("v1.1.0", "v1.3.0"):
        assert world.canary("deploy", version, "-q").code == ExitCode.OK
        world.advance(60)
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(4)
    assert world.canary("abort", "-q", *reason).code == ExitCode.OK
    world.advance(60)
    assert world.canary("deploy", "v1.4.0", "-q").code == ExitCode.OK
    return world


def one_was_bad(folder: Path) -> World:
    """v1.1.0 was stable, v1.2.0 was aborted by its metrics, and v1.3.0 is stable."""
    return begun("one was bad", sized(CONFIG, 4), folder, lambda *given: _deployed(installed(*given)))


def _deployed(world: World) -> World:
    for version in ("v1.1.0", "v1.2.0", "v1.3.0"):
        world.canary("deploy", version, "-q")
    world.requests.clear()
    return world


def forget_events(world: World) -> None:
    for event in world.store.items(EVENT, "companyos"):
        world.store.delete(EVENT, "companyos", event["metadata"]["name"])


def test_never_to_a_version_that_was_stable_once_and_aborted_when_it_was_tried_again(tmp_path: Path) -> None:
    world = tried_again_and_aborted(tmp_path)
    ran = world.canary("undo", "--dry-run")
    assert "+      image: companyos-api:v1.3.0" in ran.out, ran


def test_an_abort_is_still_known_once_its_event_is_gone(tmp_path: Path) -> None:
    world = tried_again_and_aborted(tmp_path)
    forget_events(world)
    assert "+      image: companyos-api:v1.3.0" in world.canary("undo", "--dry-run").out


def test_a_retry_that_was_promoted_makes_up_for_the_abort_before(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(4)
    world.canary("abort", "-q")
    assert world.canary("retry", "-q").code == ExitCode.OK
    assert world.canary("status", "--wait").code == ExitCode.OK
    world.canary("deploy", "v1.3.0", "-q")
    ran = world.canary("undo", "--dry-run")
    assert "+      image: companyos-api:v1.1.0" in ran.out, ran
    assert world.canary("undo", "--to", "v1.1.0", "--no-wait").code == ExitCode.OK


@pytest.mark.parametrize("how", [(), ("--fast", "--reason", "x"), ("--dry-run",), ("--no-wait",)])
def test_to_an_aborted_version_is_refused_with_what_was_measured(tmp_path: Path, how: tuple[str, ...]) -> None:
    world = one_was_bad(tmp_path)
    ran = world.canary("undo", "--to", "v1.2.0", *how)
    assert ran.code == ExitCode.REFUSED, ran
    assert re.search(
        r"v1\.2\.0 \(revision 3\) was aborted at 12:\d\d:\d\d: "
        r"error-rate 1\d\.\d % \(limit < 5 %\)",
        ran.err,
    ), ran
    assert "--force" in ran.err
    assert changing(world) == []
    assert world.rollout().image() == "companyos-api:v1.3.0"


def test_to_an_aborted_version_says_who_aborted_it_and_why(tmp_path: Path) -> None:
    world = tried_again_and_aborted(tmp_path, "--reason", "wrong tag")
    forget_events(world)
    ran = world.canary("undo", "--to", "v1.1.0")
    assert ran.code == ExitCode.REFUSED, ran
    assert "was aborted by ana: wrong tag" in ran.err


def test_force_goes_back_to_an_aborted_version_and_says_what_it_was(tmp_path: Path) -> None:
    world = one_was_bad(tmp_path)
    ran = world.canary("undo", "--to", "v1.2.0", "--force", "--fast", "--reason", "the data needs it")
    assert ran.code == ExitCode.OK, ran
    assert "v1.2.0 (revision 3) was aborted" in ran.err
    assert world.rollout().image() == "companyos-api:v1.2.0"


def test_to_the_aborted_version_that_the_rollout_names_points_to_retry(world: World) -> None:
    world.canary("deploy", "v1.2.0", "-q")
    for force in ((), ("--force",)):
        ran = world.canary("undo", "--to", "v1.2.0", *force)
        assert ran.code == ExitCode.REFUSED, ran
        assert "canary retry" in ran.err


@pytest.mark.parametrize("to", [(), ("--to", "v1.0.0")])
def test_the_same_undo_again_attaches_to_the_one_in_progress(shipped: World, to: tuple[str, ...]) -> None:
    shipped.canary("undo", *to, "--no-wait")
    shipped.advance(4)
    shipped.requests.clear()
    assert shipped.canary("undo", *to, "--no-wait").code == ExitCode.OK
    ran = shipped.canary("undo", *to)
    assert ran.code == ExitCode.OK, ran
    assert "the undo of `companyos-api` to revision 3 is already in progress" in ran.err
    assert changing(shipped) == []
    assert shipped.rollout().image() == "companyos-api:v1.0.0"
    assert shipped.rollout().is_fully_promoted


def test_fast_speeds_up_the_undo_in_progress(shipped: World, pace: str) -> None:
    shipped.canary("undo", "--no-wait")
    shipped.advance(2)
    began = shipped.now
    ran = shipped.canary("undo", "--fast", "--reason", "checkout is down")
    assert ran.code == ExitCode.OK, ran
    assert shipped.rollout().image() == "companyos-api:v1.0.0"
    assert pace != "prompt" or (shipped.now - began).total_seconds() < 10


def test_a_second_undo_does_not_return_to_the_version_that_the_first_left(shipped: World) -> None:
    shipped.canary("undo", "--reason", "slow login", "-q")
    shipped.requests.clear()
    ran = shipped.canary("undo")
    assert ran.code == ExitCode.REFUSED, ran
    assert "`companyos-api` is already back on v1.0.0: ana undid v1.1.0 (slow login)" in ran.err
    assert "canary undo --to VERSION, one of `v1.1.0` (revision 2)" in ran.err
    assert changing(shipped) == []
    ran = shipped.canary("undo", "--to", "v1.1.0")
    assert ran.code == ExitCode.OK, ran
    assert shipped.rollout().image() == "companyos-api:v1.1.0"


def test_a_second_undo_after_an_abort_names_the_version_that_was_taken_out(shipped: World) -> None:
    shipped.canary("undo", "--reason", "slow login", "-q")
    shipped.canary("deploy", "v1.2.0", "-q")
    assert shipped.canary("undo", "-q").code == ExitCode.OK
    ran = shipped.canary("undo")
    assert ran.code == ExitCode.REFUSED, ran
    assert "is already back on v1.0.0: ana undid v1.2.0\n" in ran.err
    assert "one of `v1.2.0` (revision 4, aborted), `v1.1.0` (revision 2)\n" in ran.err


def test_a_second_undo_of_a_release_in_progress_stays_on_the_stable_version(shipped: World) -> None:
    shipped.canary("deploy", "v1.3.0", "--no-wait")
    shipped.advance(4)
    assert shipped.canary("undo", "-q").code == ExitCode.OK
    ran = shipped.canary("undo")
    assert ran.code == ExitCode.REFUSED, ran
    assert "already back on v1.1.0: ana undid v1.3.0" in ran.err
    assert shipped.rollout().image() == "companyos-api:v1.1.0"


@pytest.mark.parametrize(
    "content",
    [
        "[",
        '{"ends": 7}',
        '{"ends": [[1, 2], {"hash": 7}, {"hash": "x", "revision": "\u00b2"}]}',
        '{"ends": [{"hash": "x", "revision": 2, "result": "aborted", "at": "never", "by": []}]}',
        "[" * 100_000,
    ],
)
def test_a_record_that_cannot_be_read_is_none(shipped: World, content: str) -> None:
    shipped.patch({"metadata": {"annotations": {"canary.companyos.io/deploy": content}}})
    shipped.advance(8)
    ran = shipped.canary("undo")
    assert ran.code == ExitCode.REFUSED, ran
    assert "one of `v1.0.0` (revision 1)" in ran.err
    assert shipped.canary("history").code == ExitCode.OK


def test_a_run_that_failed_tells_of_an_abort_that_no_record_and_no_event_tells_of(world: World, pace: str) -> None:
    """v1.2.0 was shipped with kubectl and rolled back, and v1.3.0 was shipped over it likewise."""
    for version in ("v1.2.0", "v1.3.0"):
        image = [{"name": "companyos-api", "image": f"companyos-api:{version}"}]
        world.patch({"spec": {"template": {"spec": {"containers": image}}}})
        world.advance(60)
        world.until(lambda r: r.observed and (r.aborted or r.is_fully_promoted))
    forget_events(world)
    ran = world.canary("undo", "--to", "v1.2.0", "--dry-run")
    assert ran.code == ExitCode.REFUSED, ran
    minutes = "0" if pace == "prompt" else "[01]"
    assert re.search(rf"v1\.2\.0 \(revision 2\) was aborted at 12:0{minutes}:\d\d: error-rate", ran.err), ran


def test_the_record_stays_small_however_often_something_is_undone(shipped: World) -> None:
    for number in range(12):
        to = ("v1.0.0", "v1.1.0")[number % 2]
        ran = shipped.canary("undo", "--to", to, "--fast", "--reason", "x" * 3000, "-q")
        assert ran.code == ExitCode.OK, ran
    ends = json.loads(shipped.rollout().annotations["canary.companyos.io/deploy"])["ends"]
    assert [end["revision"] for end in ends] == list(range(13, 3, -1))
    assert max(len(json.dumps(end)) for end in ends) < 400


@pytest.mark.parametrize("to", [(), ("--to", "v1.0.0")])
def test_where_earlier_versions_may_not_be_listed_it_says_so(shipped: World, to: tuple[str, ...]) -> None:
    shipped.allowed = lambda asked: asked.resource != "replicasets" or asked.verb != "list"
    ran = shipped.canary("undo", *to)
    assert (ran.code, ran.out) == (ExitCode.DENIED, ""), ran
    assert "not permitted to `list` `replicasets.apps`" in ran.err


def test_a_digest_is_accepted_as_short_as_it_is_printed(world: World) -> None:
    digest = "sha256:" + "a1b2c3d4" * 8
    world.canary("deploy", digest, "-q")
    world.canary("deploy", "v1.1.0", "-q")
    assert digest[:15] in world.canary("history").out
    for word in (digest[:15], digest[:30], digest):
        ran = world.canary("undo", "--to", word, "--dry-run")
        assert ran.code == ExitCode.OK, ran
        assert world.rollout().image() == "companyos-api:v1.1.0"
    assert world.canary("undo", "--to", digest[:10], "--dry-run").code == ExitCode.NOT_FOUND


def test_where_no_revision_is_kept_it_says_why_and_what_goes_back(world: World) -> None:
    world.patch({"spec": {"revisionHistoryLimit": 0}})
    world.canary("deploy", "v1.1.0", "-q")
    world.advance(60)
    ran = world.canary("undo")
    assert ran.code == ExitCode.REFUSED, ran
    assert "revisionHistoryLimit is 0" in ran.err
    assert "`canary deploy VERSION`" in ran.err


def test_defaults_of_the_api_server_are_no_difference_and_are_not_written(shipped: World) -> None:
    """A real one puts them into the template of a ReplicaSet, and not into that of a Rollout."""
    for kept in shipped.store.items(REPLICASET, "companyos"):
        spec = copy.deepcopy(kept["spec"])
        pod = spec["template"]["spec"]
        pod |= {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler"}
        pod |= {"securityContext": {}, "terminationGracePeriodSeconds": 30}
        (container,) = pod["containers"]
        container |= {"imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log"}
        container |= {"terminationMessagePolicy": "File"}
        pod["containers"] = [dict(reversed(container.items()))]
        shipped.store.update(REPLICASET, {**kept, "spec": spec})
    ran = shipped.canary("undo", "--dry-run", "-o", "json").json["data"]
    changed = [line for line in ran["diff"] if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert [line.split(":", 1)[0].strip("+- ") for line in changed] == ["image", "image"]
    assert shipped.canary("undo", "--fast", "--reason", "r").code == ExitCode.OK
    pod = shipped.rollout().template["spec"]
    assert "dnsPolicy" not in pod
    assert "terminationMessagePolicy" not in pod["containers"][0]
    assert shipped.rollout().revision == 3


@pytest.mark.parametrize("target", [(), ("--to", "v1.0.0")])
def test_an_undo_that_the_controller_has_not_seen_yet_is_not_sent_again(
    waiting: World, target: tuple[str, ...]
) -> None:
    controller = waiting.sandbox
    freeze(waiting)
    assert waiting.canary("undo", *target, "--no-wait").code == ExitCode.OK
    ran = waiting.canary("undo", *target, "--no-wait")
    assert (ran.code, changing(waiting)) == (ExitCode.OK, ["PATCH"]), ran
    assert "the undo of `companyos-api` to revision 1 was already sent" in ran.out
    waiting.on_wait.append(lambda: setattr(waiting, "sandbox", controller))
    ran = waiting.canary("undo", *target)
    assert (ran.code, changing(waiting)) == (ExitCode.OK, ["PATCH"]), ran
    assert "v1.0.0" in ran.out


def test_an_undo_of_a_stable_version_that_was_already_sent_is_followed_to_its_end(shipped: World) -> None:
    controller = shipped.sandbox
    freeze(shipped)
    shipped.requests.clear()
    assert shipped.canary("undo", "--no-wait").code == ExitCode.OK
    shipped.on_wait.append(lambda: setattr(shipped, "sandbox", controller))
    ran = shipped.canary("undo")
    assert (ran.code, changing(shipped)) == (ExitCode.OK, ["PATCH"]), ran
    assert shipped.rollout().stable_hash == shipped.rollout().current_hash
    assert shipped.rollout().image().endswith(":v1.0.0")


def test_an_undo_to_another_version_than_the_one_that_was_sent_is_sent(shipped: World) -> None:
    assert shipped.canary("deploy", "v1.3.0").code == ExitCode.OK
    freeze(shipped)
    assert shipped.canary("undo", "--no-wait").code == ExitCode.OK
    shipped.requests.clear()
    assert shipped.canary("undo", "--to", "v1.0.0", "--no-wait").code == ExitCode.OK
    assert changing(shipped) == ["PATCH"]


def test_an_undo_over_a_version_of_a_second_ago_says_whose_it_takes_back(shipped: World) -> None:
    freeze(shipped)
    assert shipped.canary("deploy", "v1.3.0", "--no-wait", environ={"CANARY_USER": "ben"}).code == ExitCode.OK
    ran = shipped.canary("undo", "--dry-run")
    assert "this would take back v1.3.0, deployed by ben; the controller has not seen it yet" in ran.err
    ran = shipped.canary("undo", "--no-wait", environ={"CANARY_USER": "ana"})
    assert ran.code == ExitCode.OK
    assert "this takes back v1.3.0, deployed by ben; the controller has not seen it yet" in ran.err


def test_an_undo_that_a_deploy_came_before_says_whose(shipped: World) -> None:
    shipped.requests.clear()

    def first(request: Request) -> bool:
        if request.method == "PATCH" and b"v1.3.0" not in request.body:
            shipped.breaks = lambda _: False
            ran = shipped.canary("deploy", "v1.3.0", "--no-wait", environ={"CANARY_USER": "ben"})
            assert ran.code == ExitCode.OK
        return False

    shipped.breaks = first
    ran = shipped.canary("undo", "--no-wait")
    assert ran.code == ExitCode.REFUSED
    assert "changed before `undo` could be sent (ben deployed v1.3.0); nothing was sent" in ran.err
