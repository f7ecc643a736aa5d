"""Blue-green in the sandbox: two whole versions, and Services that select one of them."""

from companyos_canary.model.image import HASH_LABEL
from companyos_canary.promql import Matcher
from companyos_canary.sandbox.controller.template import EPHEMERAL
from companyos_canary.sandbox.kinds import SERVICE
from companyos_canary.sandbox.traffic import Traffic
from companyos_canary.sandbox.tsdb import Tsdb
from tests.sandbox.stage import LABELS, NS, Json, Stage


def blue_green(**settings: object) -> Stage:
    strategy: Json = {"blueGreen": {"activeService": "active", "previewService": "preview", **settings}}
    stage = Stage(strategy=strategy)
    stage.template("errors")
    for service in ("active", "preview"):
        stage.create(SERVICE, service, {"spec": {"selector": dict(LABELS), "ports": [{"port": 80}]}})
    stage.run(5)
    return stage


def selected(stage: Stage) -> list[int]:
    """The versions, by number of creation, that the active and the preview Service select."""
    hashes = [s["metadata"]["labels"][HASH_LABEL] for s in stage.sets()]
    found = [stage.store.read(SERVICE, NS, name)["spec"]["selector"][HASH_LABEL] for name in ("active", "preview")]
    return [hashes.index(digest) + 1 for digest in found]


def test_the_new_version_comes_up_whole_and_waits_behind_the_preview() -> None:
    stage = blue_green(autoPromotionEnabled=False)
    assert (stage.phase, selected(stage)) == ("Healthy", [1, 1])
    stage.set_image("v2")
    stage.run(5)
    assert (stage.phase, selected(stage), stage.sizes()) == ("Paused - BlueGreenPause", [1, 2], [5, 5])
    stage.promote()
    stage.run(5)
    assert (stage.phase, selected(stage), stage.sizes()) == ("Healthy", [2, 2], [5, 5])
    stage.run(30)
    assert stage.sizes() == [0, 5]


def test_pods_carry_the_metadata_of_the_active_and_the_preview_version() -> None:
    metadata = {f"{role}Metadata": {"labels": {"role": role}} for role in ("active", "preview")}
    stage = blue_green(autoPromotionEnabled=False, **metadata)
    stage.set_image("v2")
    stage.run(5)
    roles = [{p["metadata"]["labels"].get("role") for p in stage.pods(s)} for s in stage.sets()]
    assert roles == [{"active"}, {"preview"}]
    stage.promote()
    stage.run(5)
    roles = [{p["metadata"]["labels"].get("role") for p in stage.pods(s)} for s in stage.sets()]
    assert roles == [{None}, {"active"}]
    assert EPHEMERAL not in stage.sets()[0]["metadata"]["annotations"]


def test_an_abort_leaves_the_traffic_where_it_is_and_the_pods_for_a_while() -> None:
    stage = blue_green(autoPromotionEnabled=False, abortScaleDownDelaySeconds=10)
    stage.set_image("v2")
    stage.run(5)
    stage.abort()
    stage.run(5)
    assert (selected(stage), stage.sizes()) == ([1, 2], [5, 5])
    stage.run(10)
    assert (selected(stage), stage.sizes()) == ([1, 2], [5, 0])
    assert stage.phase.startswith("Degraded - RolloutAborted")


def test_going_back_while_the_version_before_still_runs_does_not_wait_for_anybody() -> None:
    stage = blue_green(autoPromotionEnabled=False)
    stage.set_image("v2")
    stage.run(5)
    stage.promote()
    stage.run(5)
    stage.set_image("v1")
    stage.run(5)
    assert (stage.phase, selected(stage)) == ("Healthy", [1, 1])


def test_an_analysis_after_the_switch_brings_the_version_before_back() -> None:
    stage = blue_green(postPromotionAnalysis={"templates": [{"templateName": "errors"}]})
    stage.answers["errors"] = 0.5
    stage.set_image("v2")
    stage.run(20)
    assert stage.phase.startswith("Degraded - RolloutAborted")
    assert selected(stage)[0] == 1
    assert stage.runs() == {"2-post": "Failed"}


def test_a_few_pods_wait_and_the_rest_come_before_the_switch() -> None:
    stage = blue_green(autoPromotionEnabled=False, previewReplicaCount=2)
    stage.set_image("v2")
    stage.run(5)
    assert (stage.phase, selected(stage), stage.sizes()) == ("Paused - BlueGreenPause", [1, 2], [5, 2])
    stage.promote()
    stage.run(5)
    assert (stage.phase, selected(stage), stage.sizes()) == ("Healthy", [2, 2], [5, 5])


def test_a_version_after_one_that_had_all_its_pods_waits_for_an_analysis_that_never_comes() -> None:
    analysis = {"templates": [{"templateName": "errors"}]}
    stage = blue_green(previewReplicaCount=1, prePromotionAnalysis=analysis, postPromotionAnalysis=analysis)
    stage.answers["errors"] = 1.0
    stage.set_image("v2")
    while "2-post" not in stage.runs():
        stage.run(1)
    stage.abort()
    stage.run(5)
    stage.set_image("v3")
    stage.run(30)
    assert (stage.phase, stage.sizes()[2]) == ("Progressing - active service cutover pending", 5)
    assert not [name for name in stage.runs() if name.startswith("3-")]


def test_all_requests_go_to_the_active_version() -> None:
    stage, tsdb = blue_green(autoPromotionEnabled=False), Tsdb()
    stage.set_image("v2")
    stage.run(5)
    traffic = Traffic(stage.store, tsdb, interval=1.0)
    for _ in range(5):
        traffic.step(stage.clock())
        stage.run(1)
    at = stage.clock().timestamp()
    found = tsdb.select((Matcher("__name__", "=", "companyos_http_request_duration_seconds_count"),), at - 3, at)
    served = {s.labels["rollouts_pod_template_hash"] for s in found if s.samples[-1][1] > 0}
    assert served == {stage.rollout.stable_hash}


def test_a_retry_judges_anew_where_the_aborted_version_had_lost_its_pods() -> None:
    before = {"templates": [{"templateName": "errors"}]}
    stage = blue_green(prePromotionAnalysis=before, abortScaleDownDelaySeconds=2)
    stage.answers["errors"] = 0.0
    stage.set_image("v2")
    stage.run(10)
    assert (stage.runs(), stage.sizes()) == ({"2-pre": "Failed"}, [5, 0])
    stage.answers["errors"] = 1.0
    stage.retry()
    stage.run(10)
    assert stage.runs() == {"2-pre": "Failed", "2-pre.1": "Successful"}
    assert (stage.phase, selected(stage)) == ("Healthy", [2, 2])
