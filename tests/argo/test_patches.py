"""Each verb's decision, as a table: what it sends, what it pins, when it refuses."""

import json
from typing import Any

import pytest

from companyos_canary.argo.patches import decision, record
from companyos_canary.argo.patches.act import abort
from companyos_canary.argo.patches.decision import Change, Nothing, Refusal
from companyos_canary.argo.patches.promote import promote
from companyos_canary.argo.patches.record import Record, record_of
from companyos_canary.argo.patches.template import set_image
from companyos_canary.errors import ExitCode
from companyos_canary.model.rollout import Rollout
from tests.builders import CANARY, GUIDE_STEPS, NAME, NOW, PAUSE, STABLE, pause, rollout

RECORD = Record("ana", NOW, "", f"{NAME}:v1.2.0", STABLE)
HEALTHY: dict[str, Any] = {
    "current": STABLE,
    "stable": STABLE,
    "step_index": 6,
    "phase": "Healthy",
    "message": "",
    "updated": 10,
    "total": 10,
    "image": f"{NAME}:v1.0.0",
}
ABORTED: dict[str, Any] = {
    "aborted_at": NOW,
    "phase": "Degraded",
    "step_index": 0,
    "updated": 0,
    "total": 10,
    "message": "RolloutAborted: Rollout aborted update to revision 8",
}
AT_PAUSE: dict[str, Any] = {
    "steps": ({"setWeight": 20}, PAUSE, {"setWeight": 60}),
    "step_index": 1,
    "phase": "Paused",
    "message": "CanaryPauseStep",
    "pause_reason": "CanaryPauseStep",
}


def deploy(live: Rollout, image: str = f"{NAME}:v1.2.0", **options: Any) -> decision.Decision:
    record = Record("ana", NOW, "", image, live.stable_hash)
    return set_image(live, NAME, image, record=record, **{"supersede": False, **options})


def body(decision: decision.Decision, number: int = 0) -> Any:
    assert isinstance(decision, Change), decision
    return decision.patches[number].body


def refusal(decision: decision.Decision) -> Refusal:
    assert isinstance(decision, Refusal), decision
    return decision


def test_deploy_pins_the_container_its_image_and_the_hash_and_leaves_a_record() -> None:
    operations = body(deploy(rollout(**HEALTHY)))
    tests = {o["path"]: o["value"] for o in operations if o["op"] == "test"}
    assert tests == {
        "/spec/template/spec/containers/0/name": NAME,
        "/spec/template/spec/containers/0/image": f"{NAME}:v1.0.0",
        "/status/currentPodHash": STABLE,
    }
    assert operations[3] == {
        "op": "replace",
        "path": "/spec/template/spec/containers/0/image",
        "value": f"{NAME}:v1.2.0",
    }
    assert operations[4]["path"] == "/metadata/annotations/canary.companyos.io~1deploy"
    assert json.loads(operations[4]["value"]) == {
        "by": "ana",
        "at": "2026-03-02T12:04:33Z",
        "image": f"{NAME}:v1.2.0",
        "stable": STABLE,
    }


def test_a_deploy_record_is_read_back_and_nonsense_is_no_record() -> None:
    assert record_of({record.RECORD: RECORD.text()})["stable"] == STABLE
    assert record_of({record.RECORD: "{"}) == {}
    assert record_of({record.RECORD: "[1]"}) == {}
    assert record_of({}) == {}


def test_deploy_of_the_version_that_is_there_sends_nothing() -> None:
    assert isinstance(deploy(rollout(**HEALTHY), f"{NAME}:v1.0.0"), Nothing)


def test_deploy_of_the_version_on_its_way_attaches() -> None:
    assert isinstance(deploy(rollout(), f"{NAME}:v1.1.0"), Nothing)


def test_deploy_is_refused_while_another_version_is_on_its_way() -> None:
    refused = refusal(deploy(rollout()))
    assert refused.exit_code is ExitCode.REFUSED
    assert "v1.1.0 is still in progress" in refused.message
    assert "--supersede" in refused.hint
    assert isinstance(deploy(rollout(), supersede=True), Change)


def test_deploy_is_refused_while_another_change_is_not_observed() -> None:
    unseen = rollout(**{**HEALTHY, "image": f"{NAME}:v1.1.0", "generation": 9, "observed": 8})
    assert "v1.1.0 is still in progress" in refusal(deploy(unseen)).message


@pytest.mark.parametrize(
    "state",
    [
        ABORTED,
        {"phase": "Degraded", "message": "ProgressDeadlineExceeded: timed out"},
        {"stable": "", "phase": "Progressing"},
    ],
    ids=["aborted", "degraded", "first version not up"],
)
def test_deploy_takes_the_place_of_what_does_not_go_on(state: dict[str, Any]) -> None:
    assert isinstance(deploy(rollout(**state)), Change)


def test_deploy_of_an_aborted_version_is_refused_and_names_retry() -> None:
    refused = refusal(deploy(rollout(**ABORTED), f"{NAME}:v1.1.0"))
    assert refused.exit_code is ExitCode.REFUSED
    assert "retry" in refused.hint


def test_deploy_to_an_unknown_container_names_those_that_are_there() -> None:
    refused = refusal(set_image(rollout(**HEALTHY), "web", "web:v1", record=RECORD, supersede=False))
    assert refused.exit_code is ExitCode.NOT_FOUND
    assert f"`{NAME}`" in refused.hint


def test_deploy_leaves_a_workload_of_another_kind_alone() -> None:
    live = rollout(spec={"workloadRef": {"kind": "PodTemplate", "name": "api"}})
    assert "PodTemplate `api`" in refusal(deploy(live)).message


def test_abort_is_sent_without_a_precondition() -> None:
    decision = abort(rollout())
    assert isinstance(decision, Change)
    assert [(p.subresource, p.body) for p in decision.patches] == [
        ("status", {"status": {"abort": True, "promoteFull": False}})
    ]


def test_abort_of_a_rollout_paused_by_hand_resumes_it_too() -> None:
    decision = abort(rollout(paused=True))
    assert body(decision, 1) == {"spec": {"paused": False}}
    assert isinstance(decision, Change)
    assert "paused by hand" in decision.note


def test_abort_of_a_finished_rollout_is_refused_because_it_would_be_dropped() -> None:
    refused = refusal(abort(rollout(**HEALTHY)))
    assert refused.message == f"`{NAME}` is fully promoted: there is nothing to abort"
    assert "undo" in refused.hint


def test_abort_is_sent_while_the_newest_change_is_not_observed() -> None:
    assert isinstance(abort(rollout(**{**HEALTHY, "generation": 9, "observed": 8})), Change)


def test_abort_twice_has_nothing_to_do_once_the_controller_has_acted() -> None:
    acted = {"conditions": [{"type": "Progressing", "status": "False", "reason": "RolloutAborted"}]}
    assert isinstance(abort(rollout(**ABORTED, status=acted)), Nothing)
    assert isinstance(abort(rollout(**ABORTED)), Change)


def test_promote_at_a_pause_pins_spec_hash_step_and_reason() -> None:
    assert body(promote(rollout(**AT_PAUSE), skip_step=False)) == [
        {"op": "test", "path": "/metadata/generation", "value": 8},
        {"op": "test", "path": "/status/currentPodHash", "value": CANARY},
        {"op": "test", "path": "/status/currentStepIndex", "value": 1},
        {"op": "test", "path": "/status/pauseConditions/0/reason", "value": "CanaryPauseStep"},
        {"op": "remove", "path": "/status/pauseConditions"},
    ]


def test_promote_ends_a_timed_pause_early() -> None:
    steps = ({"setWeight": 20}, pause("10m"))
    assert isinstance(promote(rollout(**{**AT_PAUSE, "steps": steps}), skip_step=False), Change)


def test_promote_while_a_step_runs_is_refused_unless_it_may_be_skipped() -> None:
    running = rollout(steps=GUIDE_STEPS, step_index=3)
    refused = refusal(promote(running, skip_step=False))
    assert refused.exit_code is ExitCode.REFUSED
    assert "step 2/3 (analysis) is running" in refused.message
    assert body(promote(running, skip_step=True)) == [
        {"op": "test", "path": "/metadata/generation", "value": 8},
        {"op": "test", "path": "/status/currentPodHash", "value": CANARY},
        {"op": "test", "path": "/status/currentStepIndex", "value": 3},
        {"op": "replace", "path": "/status/currentStepIndex", "value": 4},
    ]


def test_promote_out_of_an_inconclusive_analysis_takes_its_step_as_done_and_says_so() -> None:
    run = {"name": "r-8-3", "status": "Inconclusive"}
    live = rollout(
        phase="Paused",
        message="InconclusiveAnalysisRun",
        pause_reason="InconclusiveAnalysisRun",
        status={"canary": {"currentStepAnalysisRunStatus": run}},
    )
    decision = promote(live, skip_step=False)
    assert {"op": "replace", "path": "/status/currentStepIndex", "value": 4} in body(decision)
    assert isinstance(decision, Change)
    assert "r-8-3 was inconclusive" in decision.note


def test_promote_lifts_a_pause_by_hand_without_skipping_a_step() -> None:
    decision = promote(rollout(paused=True, phase="Paused"), skip_step=False)
    assert body(decision) == [
        {"op": "test", "path": "/spec/paused", "value": True},
        {"op": "replace", "path": "/spec/paused", "value": False},
    ]
    assert isinstance(decision, Change)
    assert not decision.again


def test_promote_under_both_pauses_resumes_first_and_then_decides_again() -> None:
    decision = promote(rollout(**AT_PAUSE, paused=True), skip_step=False)
    assert isinstance(decision, Change)
    assert decision.again
    assert len(decision.patches) == 1


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (ABORTED, Refusal),
        (HEALTHY, Nothing),
        ({"generation": 9, "observed": 8}, Refusal),
        ({"step_index": 6}, Refusal),
        ({"status": {"controllerPause": True}}, Nothing),
    ],
    ids=["aborted", "finished", "not observed", "no step left", "promoted just now"],
)
def test_promote_never_does_something_else(state: dict[str, Any], kind: type) -> None:
    assert isinstance(promote(rollout(**state), skip_step=False), kind)
