"""What v1.9.1 and the head of the branch do differently, each as recorded; the recorded scenarios of
both are played in tests/conformance."""

from typing import Any

import pytest

from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.behaviour import HEAD, V1_9, Release
from companyos_canary.sandbox.cluster import Cluster
from tests.sandbox.stage import Stage

ANALYSIS: list[dict[str, Any]] = [{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "ok"}]}}]
STEP_RUN = "currentStepAnalysisRunStatus"


def analysed(release: Release, answer: float | None, **metric: Any) -> Stage:
    """v1 is stable, v2 is being analysed, with this answer to each question."""
    stage = Stage(ANALYSIS, release=release)
    stage.template("ok", **metric)
    stage.answers["ok"] = answer
    stage.run()
    stage.set_image("v2")
    stage.run(1)
    return stage


@pytest.mark.parametrize("release", [V1_9, HEAD], ids=lambda r: r.name)
def test_only_v1_9_goes_on_naming_the_run_that_aborted_it(release: Release) -> None:
    stage = analysed(release, 0.5)
    stage.run()
    verdict = 'Metric "ok" assessed Failed due to failed (1) > failureLimit (0)'
    assert stage.phase.endswith(f"Step-based analysis phase error/failed: {verdict}")
    named = stage.object["status"]["canary"].get(STEP_RUN)
    if release is V1_9:
        assert (named["status"], named["message"]) == ("Failed", verdict)
        stage.set_image("v3")
        stage.act()
        assert stage.object["status"]["canary"] == {}
    else:
        assert named is None


@pytest.mark.parametrize("release", [V1_9, HEAD], ids=lambda r: r.name)
def test_a_run_that_was_cut_short_by_an_abort_ends_without_an_event_about_the_rollout(release: Release) -> None:
    stage = analysed(release, 0.95, count=30)
    assert stage.runs() == {"2-1": "Running"}
    stage.abort()
    stage.run()
    assert stage.runs() == {"2-1": "Successful"}
    assert not [e for e in stage.events("AnalysisRunSuccessful") if "Analysis Run '" in e]
    named = stage.object["status"]["canary"].get(STEP_RUN) or {}
    assert named.get("status") == ("Successful" if release is V1_9 else None)


@pytest.mark.parametrize(
    ("condition", "answer", "bare"),
    [
        ("result[0] >= 0.95", None, "reflect: slice index out of range"),
        ("result[1] >= 0.95", 0.5, "reflect: slice index out of range"),
        ("result >= 0.95", None, "invalid operation: >= (mismatched types []float64 and float64)"),
        ("result[0]", 0.5, "expected bool, but got float64"),
    ],
)
def test_v1_9_does_not_say_in_which_condition_an_error_is(condition: str, answer: float | None, bare: str) -> None:
    said = {}
    for release in (V1_9, HEAD):
        stage = analysed(release, answer, successCondition=condition, consecutiveErrorLimit=0)
        stage.run()
        said[release.name] = stage.phase
    assert said["1.9"].endswith(f'"Error Message: {bare}"')
    assert f'"Error Message: could not evaluate successCondition "{condition}": ' in said["head"]


@pytest.mark.parametrize("release", [V1_9, HEAD], ids=lambda r: r.name)
def test_v1_9_knows_no_basic_auth(release: Release) -> None:
    both = {"basicAuth": {"username": "ana", "password": "secret"}}
    asks = {"address": "http://prometheus:9090", "query": "ok", "authentication": both}
    stage = analysed(release, 1.0, provider={"prometheus": asks})
    assert [("Authorization" in r.headers) for r in stage.asked[:1]] == [release is HEAD]


@pytest.mark.parametrize("release", [V1_9, HEAD], ids=lambda r: r.name)
def test_only_head_measures_how_long_an_update_takes(release: Release) -> None:
    stage = analysed(release, 1.0)
    stage.run(10)
    assert stage.phase == "Healthy"
    assert ("duration" in stage.object["status"]) == (release is HEAD)


@pytest.mark.parametrize("release", [V1_9, HEAD], ids=lambda r: r.name)
def test_why_the_deadline_aborted_is_soon_gone_from_the_status_of_v1_9(release: Release) -> None:
    stage = Stage(
        [{"setWeight": 20}, {"pause": {}}], release=release, progressDeadlineSeconds=5, progressDeadlineAbort=True
    )
    stage.run()
    stage.set_image("bad")
    stage.run(20)
    late = f'ReplicaSet "{stage.sets()[1]["metadata"]["name"]}" has timed out progressing.'
    told = "Rollout aborted update to revision 2"
    seen = [message for message in stage.history(_degraded) if message]
    if release is V1_9:
        assert seen == [f"ProgressDeadlineExceeded: {late}", f"RolloutAborted: {told}"]
        assert stage.events("RolloutAborted") == [late, told]
    else:
        assert seen == [f"RolloutAborted: {told}: {late}"]


@pytest.mark.parametrize("release", [V1_9, HEAD], ids=lambda r: r.name)
def test_the_deadline_aborts_a_promotion_in_full_too(release: Release) -> None:
    stage = Stage(
        [{"setWeight": 20}, {"pause": {}}], release=release, progressDeadlineSeconds=5, progressDeadlineAbort=True
    )
    stage.run()
    stage.set_image("bad")
    stage.run(20)
    stage.status(promoteFull=True)
    stage.run(20)
    assert stage.object["status"]["abort"] is True
    assert stage.phase.startswith("Degraded")


@pytest.mark.parametrize("release", [V1_9, HEAD], ids=lambda r: r.name)
def test_v1_9_writes_that_it_is_paused_before_it_looks_at_a_new_template(release: Release) -> None:
    stage = Stage([{"setWeight": 20}, {"pause": {}}], release=release)
    stage.run()
    stage.set_image("v2")
    stage.run()
    second = stage.rollout.current_hash
    stage.set_image("v3")
    stage.run()
    seen = stage.history(lambda r: (r.revision, r.status_phase, r.spec_is_observed, r.current_hash))
    assert ((3, "Paused", True, second) in seen) == (release is V1_9)


def test_the_sandbox_behaves_as_the_release_that_people_run() -> None:
    stage = analysed(HEAD, 1.0)
    stage.cluster = Cluster(stage.store)
    stage.set_image("v3")
    stage.run()
    assert "duration" not in stage.object["status"]


def _degraded(rollout: Rollout) -> str:
    return rollout.status_message if rollout.status_phase == "Degraded" else ""
