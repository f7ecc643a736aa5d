import math

from msgspec.structs import replace

from companyos_canary.argo.cause import cause
from companyos_canary.model.outcome import FailedMetric, PodProblem
from tests.builders import NOW, pod, replicaset, result_object, run, snapshot
from tests.view.recorded import recorded
from tests.view.scenes import ALL


def test_a_failed_analysis_names_metric_value_and_limit() -> None:
    found = cause(recorded("analysis-failed"))
    assert found is not None
    assert found.metrics == (
        FailedMetric(
            run="companyos-api-6f79fffc94-2-1",
            metric="success-rate",
            phase="Failed",
            value=0.5,
            operator=">=",
            limit=0.95,
            failed=1,
            measured=2,
            message=found.metrics[0].message,
        ),
    )
    assert found.message.startswith("RolloutAborted: ")


def test_a_failed_background_analysis_counts() -> None:
    found = cause(recorded("background-failed"))
    assert found is not None
    assert [(m.metric, m.value, m.failed, m.measured) for m in found.metrics] == [("success-rate", 0.5, 1, 6)]


def test_an_error_has_the_providers_message_and_no_value() -> None:
    found = cause(recorded("analysis-error"))
    assert found is not None
    assert found.metrics[0].phase == "Error"
    assert found.metrics[0].value is None
    assert "server_error" in found.metrics[0].message


def test_a_pause_without_a_verdict_is_a_cause() -> None:
    found = cause(recorded("inconclusive"))
    assert found is not None
    assert (found.metrics[0].phase, found.metrics[0].value) == ("Inconclusive", 0.7)


def test_an_abort_on_request_has_no_metric_though_one_failed_before() -> None:
    found = cause(recorded("aborted-by-hand"))
    assert found is not None
    assert found.metrics == ()
    earlier = run([result_object("error-rate", ["[1]"], ["Failed"], phase="Failed")], phase="Failed")
    by_hand = replace(
        snapshot(
            phase="Degraded",
            aborted_at=NOW,
            step_index=0,
            message="RolloutAborted: Rollout aborted update to revision 8",
        ),
        runs=(earlier,),
    )
    found = cause(by_hand)
    assert found is not None
    assert found.metrics == ()


def test_a_retry_forgets_what_the_first_try_was_stopped_by() -> None:
    assert cause(recorded("retried")) is None
    bad = result_object("error-rate", ["[1]"], ["Failed"], phase="Failed")
    earlier = run([bad], step_index=3, phase="Failed")
    assert cause(snapshot(step_index=1, runs=[earlier])) is None


def test_pods_that_cannot_start_are_named_with_their_reason() -> None:
    found = cause(recorded("bad-image"))
    assert found is not None
    assert [p.reason for p in found.pods] == ["ImagePullBackOff"]
    assert "timed out progressing" in found.message


def test_restarts_count_and_pods_on_their_way_do_not() -> None:
    crashing = cause(ALL["crashing"]())
    assert crashing is not None
    assert crashing.pods == (PodProblem("companyos-api-7f6c9d5b54-a", "CrashLoopBackOff", "", 7),)
    assert cause(ALL["scaling"]()) is None
    again = snapshot(step_index=2, pods_now=[pod("a", ready=False, restarts=2)])
    found = cause(again)
    assert found is not None
    assert found.pods[0].restarts == 2


def test_a_quota_that_forbids_pods_is_a_cause() -> None:
    refused = replicaset(ready=0, failure="exceeded quota: pods=10")
    found = cause(snapshot(step_index=2, replicasets=[refused], pods_now=()))
    assert found is not None
    assert found.pods[0].reason == "ReplicaFailure"
    assert found.pods[0].message == "exceeded quota: pods=10"


def test_an_invalid_spec_is_told_in_the_controllers_words() -> None:
    found = cause(recorded("invalid-spec"))
    assert found is not None
    assert found.message.startswith("InvalidSpec: ")
    assert found.metrics == found.pods == ()


def test_where_nothing_is_wrong_there_is_no_cause() -> None:
    for scene in ("analysing", "failing", "waiting", "healthy"):
        assert cause(ALL[scene]()) is None
    for name in ("healthy", "analysing", "paused"):
        assert cause(recorded(name)) is None


def test_no_answer_is_an_empty_value_and_nan_is_nan() -> None:
    metrics = [
        result_object("error-rate", ["[]"], ["Failed"], phase="Failed"),
        result_object("latency-p95", ["[NaN]"], ["Failed"], phase="Failed"),
        result_object("opa-success", ["[+Inf]"], ["Failed"], phase="Failed"),
    ]
    found = cause(snapshot(phase="Degraded", runs=[run(metrics, phase="Failed")]))
    assert found is not None
    assert [m.value for m in found.metrics][::2] == [None, math.inf]
    assert math.isnan(found.metrics[1].value or 0)
