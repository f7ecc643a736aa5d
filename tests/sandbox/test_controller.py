"""What the real controller was seen to do outside of the recorded scenarios."""

from typing import Any

import pytest

from companyos_canary.model.rollout import REVISION_HISTORY, Rollout
from companyos_canary.sandbox.controller.passes import Pass
from companyos_canary.sandbox.controller.rollouts import refusal
from companyos_canary.sandbox.controller.status import patch_status
from companyos_canary.sandbox.kinds import ANALYSISRUN, POD, REPLICASET, ROLLOUT, SERVICE
from companyos_canary.sandbox.objects import ApiStatus, Object
from tests.sandbox.stage import LABELS, NAME, NS, Stage, template

PAUSED: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]
BACKGROUND = {"analysis": {"templates": [{"templateName": "ok"}]}}


def at_first_pause(**more: Any) -> Stage:
    """v1 is stable, v2 waits at the first pause with one pod."""
    stage = Stage(PAUSED, **more)
    stage.run()
    stage.set_image("v2")
    stage.run()
    assert stage.phase == "Paused - CanaryPauseStep"
    return stage


def break_image(stage: Stage, replicaset: Object) -> None:
    """New pods of this version will not start."""
    own = replicaset["spec"]["template"]
    spec = {**replicaset["spec"], "template": {**own, "spec": template("bad1")["spec"]}}
    stage.store.update(REPLICASET, {**replicaset, "spec": spec})


def test_an_abort_while_paused_by_hand_moves_no_pods_until_it_is_resumed() -> None:
    stage = at_first_pause()
    stage.set_paused(True)
    stage.run()
    stage.abort()
    stage.run()
    assert stage.phase.startswith("Degraded - RolloutAborted")
    assert stage.sizes() == [4, 1]
    stage.set_paused(False)
    stage.run()
    assert stage.sizes() == [5, 0]


def test_a_plain_promote_after_an_abort_is_undone() -> None:
    stage = at_first_pause()
    stage.abort()
    stage.run()
    stage.promote()
    assert stage.rollout.step_index == 1
    stage.run()
    assert stage.rollout.step_index == 0
    assert stage.phase == "Degraded - RolloutAborted: Rollout aborted update to revision 2"


def test_a_full_promotion_of_an_aborted_rollout_ships_it() -> None:
    stage = at_first_pause()
    stage.abort()
    stage.run()
    stage.status(promoteFull=True)
    stage.run()
    assert stage.phase == "Healthy"
    assert stage.sizes() == [0, 5]
    assert stage.events("RolloutCompleted")[-1].endswith(": Full promotion requested")


def test_a_second_promote_skips_the_weight_that_has_just_begun() -> None:
    stage = at_first_pause()
    stage.promote()
    stage.act()
    assert stage.rollout.step_index == 2
    stage.promote()
    stage.run()
    assert (stage.phase, stage.rollout.step_index) == ("Paused - CanaryPauseStep", 3)
    assert not [e for e in stage.events("RolloutStepCompleted") if "3/4" in e]


def test_a_new_image_after_an_abort_starts_again_and_clears_it() -> None:
    stage = at_first_pause()
    stage.abort()
    stage.run()
    stage.set_image("v3")
    stage.run()
    assert (stage.phase, stage.rollout.aborted) == ("Paused - CanaryPauseStep", False)
    assert stage.sizes() == [4, 0, 1]
    assert stage.revisions() == ["1", "2", "3"]


def test_a_retry_without_an_abort_is_forgotten_with_the_next_version() -> None:
    stage = Stage(PAUSED)
    stage.run()
    stage.retry()
    stage.run()
    assert stage.object["status"]["abort"] is False
    stage.set_image("v2")
    stage.run()
    assert "abort" not in stage.object["status"]


def test_enough_pods_for_the_threshold_are_enough_to_promote() -> None:
    threshold = {"replicaProgressThreshold": {"type": "Pod", "value": 3}}
    stage = Stage([{"setWeight": 60}, {"pause": {}}], canary=threshold)
    stage.run()
    stage.set_image("v2")
    stage.run()
    break_image(stage, stage.sets()[1])
    stage.promote()
    stage.run()
    assert stage.rollout.is_fully_promoted
    assert stage.object["status"]["availableReplicas"] < 5


def test_a_third_image_removes_the_second_ones_unready_pods_first() -> None:
    stage = Stage(PAUSED)
    stage.run()
    stage.set_image("bad2")
    stage.run()
    assert (stage.phase, stage.sizes()) == ("Progressing - more replicas need to be updated", [4, 1])
    stage.set_image("v3")
    stage.run()
    assert (stage.phase, stage.sizes()) == ("Paused - CanaryPauseStep", [4, 0, 1])


def test_the_weights_of_a_canary_stay_where_its_strategy_becomes_blue_green() -> None:
    routed = {"stableService": "stable", "canaryService": "canary", "trafficRouting": {"smi": {}}}
    stage = Stage(PAUSED, canary=routed)
    for service in ("stable", "canary"):
        stage.create(SERVICE, service, {"spec": {"selector": dict(LABELS), "ports": [{"port": 80}]}})
    stage.run()
    weights = stage.object["status"]["canary"]["weights"]
    stage.edit(lambda r: r["spec"].update(strategy={"blueGreen": {"activeService": "stable"}}))
    stage.run()
    assert stage.object["status"]["canary"] == {"weights": weights}


def test_blue_green_has_no_step_index() -> None:
    stage = at_first_pause()
    stage.abort()
    stage.run()
    assert stage.rollout.step_index == 0
    stage.create(SERVICE, "active", {"spec": {"selector": dict(LABELS), "ports": [{"port": 80}]}})
    stage.edit(lambda r: r["spec"].update(strategy={"blueGreen": {"activeService": "active"}}))
    stage.run()
    assert "currentStepIndex" not in stage.object["status"]


def test_two_undos_go_back_and_forth() -> None:
    stage = at_first_pause()
    for tag, revisions in (("v1", ["3", "2"]), ("v2", ["3", "4"]), ("v1", ["5", "4"])):
        stage.set_image(tag)
        stage.run()
        assert stage.revisions() == revisions
    assert (stage.phase, stage.images()) == ("Healthy", [f"{NAME}:v1", f"{NAME}:v2"])


def test_with_no_replicas_weights_are_done_at_once_and_pauses_hold() -> None:
    stage = Stage(PAUSED, replicas=0)
    stage.run()
    assert stage.phase == "Healthy"
    stage.set_image("v2")
    stage.run()
    assert (stage.phase, stage.rollout.step_index) == ("Paused - CanaryPauseStep", 1)
    stage.promote()
    stage.act()
    assert stage.rollout.step_index == 3
    assert "Progressing - waiting for all steps to complete" in stage.history(
        lambda r: f"{r.status_phase} - {r.status_message}"
    )
    stage.promote()
    stage.run()
    assert (stage.phase, stage.sizes()) == ("Healthy", [0, 0])


def test_a_broken_stable_version_does_not_block_a_canary() -> None:
    stage = Stage(PAUSED)
    stage.run()
    break_image(stage, stage.sets()[0])
    for pod in stage.pods(stage.sets()[0])[:2]:
        stage.store.delete(POD, NS, pod["metadata"]["name"])
    stage.run()
    assert stage.rollout.available_replicas == 3
    stage.set_image("v2")
    stage.run(20)
    assert (stage.phase, stage.sizes()) == ("Paused - CanaryPauseStep", [4, 1])
    stage.promote()
    stage.run(20)
    stage.promote()
    stage.run(20)
    assert (stage.phase, stage.sizes()) == ("Healthy", [0, 5])


def test_an_abort_waits_for_the_stable_pods() -> None:
    stage = at_first_pause()
    stage.promote()
    stage.run()
    assert stage.sizes() == [2, 3]
    break_image(stage, stage.sets()[0])
    stage.abort()
    stage.run(60)
    assert stage.phase.startswith("Degraded - RolloutAborted")
    assert stage.sizes() == [5, 2]


def test_analysis_goes_on_while_paused_by_hand_but_the_step_does_not_end() -> None:
    stage = Stage([{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "ok"}]}}])
    stage.template("ok")
    stage.answers["ok"] = 1
    stage.run()
    stage.set_image("v2")
    stage.run(1)
    assert stage.runs() == {"2-1": "Running"}
    stage.set_paused(True)
    stage.run(10)
    assert stage.runs() == {"2-1": "Successful"}
    assert (stage.phase, stage.rollout.step_index) == ("Paused - manually paused", 1)
    stage.set_paused(False)
    stage.run()
    assert stage.phase == "Healthy"


def test_an_inconclusive_background_run_halts_behind_a_pause_without_a_word() -> None:
    stage = Stage(PAUSED, canary=BACKGROUND)
    stage.template("ok", count=None, failureCondition="result[0] < 0.5")
    stage.answers["ok"] = 1
    stage.run()
    stage.set_image("v2")
    stage.run()
    stage.answers["ok"] = 0.7
    stage.run()
    reasons = [p.reason for p in stage.rollout.pause_conditions]
    assert reasons == ["CanaryPauseStep", "InconclusiveAnalysisRun"]
    assert stage.phase == "Paused - CanaryPauseStep"
    stage.answers["ok"] = 1
    stage.promote()
    stage.run()
    assert stage.runs() == {"2": "Inconclusive", "2.1": "Running"}
    assert (stage.phase, stage.rollout.step_index) == ("Paused - CanaryPauseStep", 3)


def test_a_retry_after_a_failed_analysis_starts_a_run_of_its_own() -> None:
    stage = Stage([{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "ok"}]}}])
    stage.template("ok")
    stage.answers["ok"] = 0
    stage.run()
    stage.set_image("v2")
    stage.run()
    assert stage.rollout.aborted
    stage.answers["ok"] = 1
    stage.retry()
    stage.run(10)
    assert stage.runs() == {"2-1": "Failed", "2-1.1": "Successful"}
    assert (stage.phase, stage.revisions()) == ("Healthy", ["1", "2"])


def test_a_background_run_begins_at_its_step_and_ends_with_the_release() -> None:
    stage = Stage(PAUSED, canary={"analysis": {**BACKGROUND["analysis"], "startingStep": 2}})
    stage.template("ok", count=None)
    stage.answers["ok"] = 1
    stage.run()
    stage.set_image("v2")
    stage.run()
    assert stage.runs() == {}
    stage.promote()
    stage.run()
    assert stage.runs() == {"2": "Running"}
    stage.status(promoteFull=True)
    stage.run()
    run = stage.store.items(ANALYSISRUN, NS)[0]
    assert (run["status"]["phase"], run["status"]["message"]) == ("Successful", "Run Terminated")
    assert stage.phase == "Healthy"


@pytest.mark.parametrize(("weight", "sizes"), [(15, [6, 1]), (80, [2, 6])])
def test_surge_of_one_and_nothing_unavailable(weight: int, sizes: list[int]) -> None:
    canary = {"maxSurge": 1, "maxUnavailable": 0}
    stage = Stage([{"setWeight": weight}, {"pause": {}}], replicas=7, canary=canary)
    stage.run()
    stage.set_image("v2")
    stage.run(30)
    assert stage.sizes() == sizes


def test_replicas_and_image_at_once() -> None:
    stage = Stage(PAUSED)
    stage.run()
    stage.edit(lambda r: r["spec"].update(replicas=10))
    stage.set_image("v2")
    stage.run(10)
    assert (stage.phase, stage.sizes()) == ("Paused - CanaryPauseStep", [8, 2])


def test_missing_replicas_are_written_back_as_one() -> None:
    stage = Stage(PAUSED, replicas=None)
    stage.run()
    assert stage.object["spec"]["replicas"] == 1
    assert (stage.phase, stage.sizes()) == ("Healthy", [1])


def test_old_versions_beyond_the_history_limit_are_removed() -> None:
    stage = Stage(None, revisionHistoryLimit=2)
    for tag in ("v1", "v2", "v3", "v4", "v5"):
        stage.set_image(tag)
        stage.run(10)
    assert stage.images() == [f"{NAME}:v3", f"{NAME}:v4", f"{NAME}:v5"]


def test_a_deleted_rollout_takes_everything_along() -> None:
    stage = at_first_pause()
    stage.store.delete(ROLLOUT, NS, NAME)
    stage.run()
    assert stage.sets() == []
    assert stage.store.items(POD, NS) == []
    assert stage.events("RolloutDeleted") == [f"Rollout {NAME}/{NS} is deleted."]


def test_annotations_of_the_rollout_go_to_its_newest_replicaset() -> None:
    stage = Stage(PAUSED)
    stage.run()

    def note(rollout: dict[str, Any]) -> None:
        rollout["metadata"]["annotations"]["who"] = "me"

    stage.set_image("v2")
    stage.edit(note)
    stage.run()
    assert [s["metadata"]["annotations"].get("who") for s in stage.sets()] == [None, "me"]


def test_a_new_annotation_puts_the_revision_into_its_own_history() -> None:
    stage = Stage(PAUSED)
    stage.run()
    for _ in range(3):
        stage.edit(lambda rollout: rollout["metadata"]["annotations"].setdefault("who", "me"))
        stage.run()
    assert [s["metadata"]["annotations"][REVISION_HISTORY] for s in stage.sets()] == ["1"]
    stage.set_image("v2")
    stage.run()
    assert [s["metadata"]["annotations"].get(REVISION_HISTORY) for s in stage.sets()] == ["1", None]


def test_the_same_template_has_the_same_hash_in_every_cluster() -> None:
    names = [{s["metadata"]["name"] for s in at_first_pause().sets()} for _ in range(2)]
    assert names[0] == names[1]
    digest = names[0].pop().removeprefix(f"{NAME}-")
    assert len(digest) == 10
    assert set(digest) <= set("456789bcdf")


def test_what_an_api_server_fills_in_does_not_make_a_new_version() -> None:
    stage = at_first_pause()

    def fill(rollout: dict[str, Any]) -> None:
        spec = rollout["spec"]["template"]["spec"]
        spec.update(restartPolicy="Always", dnsPolicy="ClusterFirst", securityContext={})
        spec["containers"][0].update(imagePullPolicy="IfNotPresent", resources={})

    stage.edit(fill)
    stage.run()
    assert len(stage.sets()) == 2


def test_min_ready_seconds_delay_availability() -> None:
    stage = Stage(PAUSED, replicas=1, minReadySeconds=3)
    stage.run(2)
    assert (stage.rollout.ready_replicas, stage.rollout.available_replicas) == (1, 0)
    stage.run(3)
    assert (stage.phase, stage.rollout.available_replicas) == ("Healthy", 1)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (
            {"strategy": {"canary": {"trafficRouting": {"plugins": {"acme/router": {}}}}}},
            "spec.strategy.canary.trafficRouting.plugins[acme/router]",
        ),
        ({"workloadRef": {"kind": "StatefulSet"}}, "spec.workloadRef to another kind than Deployment"),
    ],
)
def test_what_is_not_emulated_is_refused_with_a_sentence(spec: dict[str, Any], field: str) -> None:
    assert refusal({"kind": "Rollout", "spec": spec}) == f"the sandbox does not emulate `{field}`"


def test_what_is_emulated_or_merely_invalid_is_not_refused() -> None:
    steps = [{"setWeight": 500}, {"pause": {}}, {"analysis": {}}]
    assert refusal({"kind": "Rollout", "spec": {"strategy": {"canary": {"steps": steps}}}}) is None
    assert refusal({"kind": "Deployment", "spec": {"strategy": {"blueGreen": {}}}}) is None


def test_what_a_client_writes_during_a_pass_is_not_lost() -> None:
    stage = at_first_pause()
    read = stage.object
    state = Pass(stage.store, lambda *_: None, stage.clock(), read, Rollout.from_object(read), [], [])
    stage.status(abort=True, pauseConditions=None)
    patch_status(state, {**read["status"], "readyReplicas": 4, "message": "other"})
    status = stage.object["status"]
    assert (status["readyReplicas"], status["message"]) == (4, "other")
    assert status["abort"]
    assert "pauseConditions" not in status


def test_an_object_that_a_client_has_changed_is_not_overwritten() -> None:
    stage = at_first_pause()
    read = stage.object
    state = Pass(stage.store, lambda *_: None, stage.clock(), read, Rollout.from_object(read), [], [])
    stage.set_image("v3")
    with pytest.raises(ApiStatus) as refused:
        state.write(ROLLOUT, read)
    assert refused.value.code == 409


def test_without_a_usable_selector_nothing_is_done_or_said() -> None:
    stage = Stage(PAUSED, selector={"matchExpressions": [{"key": "app", "operator": "In"}]})
    stage.run()
    assert (stage.sets(), stage.object.get("status")) == ([], None)


def test_what_is_missing_is_named_before_what_is_wrong() -> None:
    stage = Stage(PAUSED, canary={"stableService": "stable", "analysis": {"templates": [{"templateName": "none"}]}})
    stage.create(SERVICE, "stable", {"spec": {"selector": {"app": "other"}, "ports": [{"port": 80}]}})
    stage.run()
    assert stage.phase.endswith("AnalysisTemplate 'none' not found")
