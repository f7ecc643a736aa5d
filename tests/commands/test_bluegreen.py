"""Blue-green Rollouts, from argv to exit: recorded objects in the store, and what the controller
then did played by the test, since the sandbox's controller only acts on canaries."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.faults.injection import Faulty
from companyos_canary.sandbox.kinds import REPLICASET, ROLLOUT
from tests.view.recorded import FIXTURES
from tests.world import CONFIG, World

NAME = "companyos-api"
KINDS = {"Rollout": ROLLOUT, "ReplicaSet": REPLICASET}


@pytest.fixture
def at(tmp_path: Path) -> Callable[[str], World]:
    """A world in a recorded moment (tests/view/fixtures/bluegreen-*.json)."""
    return lambda moment: played(World(tmp_path, CONFIG, controller=False), moment)


def played(world: World, moment: str) -> World:
    # This API takes what the sandbox's controller would not act on.
    world.faults = Faulty(Api(world.store).handle, sleep=world.sleep)
    objects = json.loads((FIXTURES / f"bluegreen-{moment}.json").read_text())
    owner = ""
    for recorded in sorted(objects, key=lambda o: o["kind"] != "Rollout"):
        if recorded["kind"] not in KINDS:
            continue
        kind = KINDS[recorded["kind"]]
        obj = copy.deepcopy(recorded)
        for key in ("uid", "generation", "resourceVersion"):
            obj["metadata"].pop(key, None)
        if recorded["kind"] == "ReplicaSet":
            obj["spec"]["selector"] = {"matchLabels": obj["metadata"]["labels"]}
            obj["spec"]["template"]["metadata"] = {"labels": obj["metadata"]["labels"]}
            obj["metadata"]["ownerReferences"][0]["uid"] = owner
        made = world.store.create(kind, obj)
        owner = owner or made["metadata"]["uid"]
        status = {**recorded["status"], "observedGeneration": "1"}
        world.store.update(kind, {**made, "status": status}, status_only=True)
    world.sandbox.settle = lambda now: None  # type: ignore[method-assign]
    return world


def status(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.store.read(ROLLOUT, "companyos", NAME)["status"]
    return found


def controller(world: World, **fields: Any) -> None:
    """Writes the status as the controller does, once; None takes a field away."""

    def act() -> None:
        world.on_wait.clear()
        live = world.store.read(ROLLOUT, "companyos", NAME)
        changed = {**live["status"], "observedGeneration": str(live["metadata"]["generation"])}
        changed |= fields
        kept = {k: v for k, v in changed.items() if v is not None}
        world.store.update(ROLLOUT, {**live, "status": kept}, status_only=True)

    world.on_wait.append(act)


PROMOTED: dict[str, Any] = {
    "phase": "Healthy",
    "message": None,
    "stableRS": "6f79fffc94",
    "controllerPause": None,
    "blueGreen": {"activeSelector": "6f79fffc94", "previewSelector": "6f79fffc94"},
}


def test_promote_at_the_pause_is_done_when_the_active_service_has_moved(at: Callable[[str], World]) -> None:
    world = at("paused")
    controller(world, **PROMOTED)
    ran = world.canary("promote")
    assert ran.code == ExitCode.OK, ran
    assert "companyos-api-active serves v2" in ran.out


def test_promote_that_nobody_acts_on_is_not_called_done(at: Callable[[str], World]) -> None:
    world = at("paused")
    ran = world.canary("promote")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "pauseConditions" not in status(world)


def test_promote_behind_no_verdict_says_what_it_is_good_for(at: Callable[[str], World]) -> None:
    world = at("inconclusive")
    run = {"name": f"{NAME}-6f79fffc94-2-pre.1", "status": "Running"}
    before = status(world)["blueGreen"]
    controller(
        world,
        phase="Progressing",
        message="active service cutover pending",
        controllerPause=None,
        blueGreen={**before, "prePromotionAnalysisRunStatus": run},
    )
    ran = world.canary("promote")
    assert ran.code == ExitCode.OK, ran
    assert "a promote does not get past it" in ran.err
    assert "-2-pre.1 runs" in ran.out


@pytest.mark.parametrize(
    ("moment", "arguments", "words"),
    [
        ("analysing", ("promote",), "the pre-promotion analysis"),
        ("paused", ("promote", "--skip-step"), "no steps and no weights"),
        ("paused", ("promote", "--to-weight", "50"), "no weights"),
        ("promoted", ("deploy", "v3", "--until", "weight=50"), "no steps and no weights"),
        ("paused", ("watch", "--until", "step=1"), "no steps and no weights"),
        ("promoted", ("abort",), "canary undo"),
        ("paused", ("retry",), "not aborted"),
        ("paused", ("restart",), "in the middle of a release"),
        ("paused", ("resume",), "canary promote"),
        ("rolled-back", ("promote",), "canary retry"),
    ],
)
def test_what_would_do_something_else_is_refused(
    at: Callable[[str], World], moment: str, arguments: tuple[str, ...], words: str
) -> None:
    world = at(moment)
    ran = world.canary(*arguments)
    assert ran.code == ExitCode.REFUSED, ran
    assert words in ran.err
    assert "PATCH" not in {r.method for r in world.requests}


def test_abort_before_the_promotion_is_over_when_active_is_on_stable(at: Callable[[str], World]) -> None:
    world = at("paused")
    aborted = {
        "type": "Progressing",
        "status": "False",
        "reason": "RolloutAborted",
        "message": "Rollout aborted update to revision 2",
    }
    controller(
        world,
        phase="Degraded",
        message=f"RolloutAborted: {aborted['message']}",
        conditions=[aborted],
        pauseConditions=None,
        controllerPause=None,
        abortedAt="2026-03-02T12:00:00Z",
    )
    ran = world.canary("abort")
    assert ran.code == ExitCode.OK, ran
    assert "waiting for companyos-api-active to be back on stable" in ran.err
    assert status(world)["updatedReplicas"] == 3


def test_undo_at_the_pause_goes_back_at_once(at: Callable[[str], World]) -> None:
    world = at("paused")
    back = "6cbcc655c7"
    services = {"activeSelector": back, "previewSelector": back}
    shown = {"currentPodHash": back, "stableRS": back, "blueGreen": services}
    controller(world, **{**PROMOTED, **shown, "pauseConditions": None})
    ran = world.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert "at once" in ran.err
    assert "step" not in ran.err
    assert world.rollout().image() == f"{NAME}:v1"


def test_pause_by_hand_is_as_ever(at: Callable[[str], World]) -> None:
    world = at("paused")
    controller(world)
    assert world.canary("pause").code == ExitCode.OK
    assert world.rollout().paused


def test_retry_of_an_aborted_one(at: Callable[[str], World]) -> None:
    world = at("rolled-back")
    controller(world, phase="Progressing", message="more replicas need to be updated", conditions=[], abortedAt=None)
    ran = world.canary("retry")
    assert ran.code == ExitCode.OK, ran
    assert "from the start" in ran.out


@pytest.mark.parametrize(
    ("moment", "code", "words"),
    [
        ("paused", ExitCode.UNFINISHED, "v2 Paused: waits for a person"),
        ("by-itself", ExitCode.UNFINISHED, "v2 Paused: pause"),
        ("analysing", ExitCode.UNFINISHED, "Progressing: analysing"),
        ("inconclusive", ExitCode.UNFINISHED, "no verdict"),
        ("rolled-back", ExitCode.DEGRADED, "Degraded"),
        ("promoted", ExitCode.OK, "Healthy"),
    ],
)
def test_status_says_what_it_is_doing(at: Callable[[str], World], moment: str, code: ExitCode, words: str) -> None:
    ran = at(moment).canary("status")
    assert ran.code == code, ran
    assert words in ran.out
    assert "step" not in ran.out


def test_get_shows_both_services_and_json_has_all_or_nothing_as_weight(at: Callable[[str], World]) -> None:
    world = at("paused")
    out = world.canary("get").out
    assert "active   companyos-api-active   v1" in out
    assert "preview  companyos-api-preview  v2" in out
    data = world.canary("get", "-o", "json").json["data"]
    assert data["weights"] == {"set": 0, "actual": 0}
    assert data["services"] == {
        "active": {"name": "companyos-api-active", "hash": "6cbcc655c7", "version": "v1"},
        "preview": {"name": "companyos-api-preview", "hash": "6f79fffc94", "version": "v2"},
    }


def test_watch_without_a_terminal_ends_where_a_person_is_waited_for(at: Callable[[str], World]) -> None:
    ran = at("paused").canary("watch")
    assert ran.code == ExitCode.UNFINISHED, ran
    assert ran.last == "verdict=paused version=v2 stable=v1 exit=8"
    assert at("promoted").canary("watch").code == ExitCode.OK
