"""What 1.10 does differently, each as its pull request says: with 1.9 the same story is played to its other end."""

from typing import Any

import pytest

from companyos_canary.errors import UsageError
from companyos_canary.sandbox.behaviour import V1_9, V1_10, Release, release_named
from companyos_canary.sandbox.kinds import INGRESS, SERVICE
from tests.sandbox.stage import LABELS, Stage
from tests.sandbox.test_routing import RULES, STEPS, weight

RELEASES = pytest.mark.parametrize("release", [V1_9, V1_10], ids=lambda r: r.name)
PAIR: dict[str, Any] = {"stableService": "stable", "canaryService": "canary"}
NGINX = {"nginx": {"stableIngress": "web"}}


def routed(release: Release, **canary: Any) -> Stage:
    stage = Stage(STEPS, release=release, canary={**PAIR, "trafficRouting": NGINX, **canary})
    for service in ("stable", "canary"):
        stage.create(SERVICE, service, {"spec": {"selector": dict(LABELS), "ports": [{"port": 80}]}})
    stage.create(INGRESS, "web", {"spec": {"rules": RULES}})
    stage.run(5)
    return stage


def test_each_release_has_a_name() -> None:
    assert [release_named(n).name for n in ("1.9", "1.10", "head")] == ["1.9", "1.10", "head"]
    with pytest.raises(UsageError, match="cannot behave as a controller"):
        release_named("1.11")


@RELEASES
def test_an_abort_frees_the_traffic_of_a_stable_version_that_has_shrunk(release: Release) -> None:
    """#4900: with a delay of one's own the weight waits for the canary's pods, and these for the weight."""
    stage = routed(release, dynamicStableScale=True, abortScaleDownDelaySeconds=10)
    stage.set_image("v2")
    stage.run(5)
    stage.promote()
    stage.run(5)
    assert (weight(stage), stage.sizes()) == (60, [2, 3])
    stage.abort()
    stage.run(600)
    if release is V1_9:
        assert weight(stage)
        assert stage.sizes()[1]
    else:
        assert (weight(stage), stage.sizes()) == (0, [5, 0])


@RELEASES
def test_a_job_whose_image_cannot_be_pulled_is_no_verdict(release: Release) -> None:
    """#4692: the rollout is paused for a person, and not rolled back."""
    stage = Stage([{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "smoke"}]}}], release=release)
    pod = {"spec": {"containers": [{"name": "test", "image": "smoke:bad"}], "restartPolicy": "Never"}}
    stage.template("smoke", count=1, provider={"job": {"spec": {"template": pod}}})
    stage.run()
    stage.set_image("v2")
    stage.run(5)
    assert stage.rollout.aborted is (release is V1_9)
    assert bool(stage.rollout.pause_conditions) is (release is V1_10)


@RELEASES
def test_an_aborted_version_that_waits_for_its_end_notes_other_replicas(release: Release) -> None:
    """Where it does not, every pass until then is taken for one that only scales."""
    stage = routed(release, abortScaleDownDelaySeconds=60)
    stage.set_image("v2")
    stage.run(5)
    stage.abort()
    stage.run(5)
    stage.edit(lambda rollout: rollout["spec"].update(replicas=8))
    stage.run(10)
    noted = stage.sets()[1]["metadata"]["annotations"]["rollout.argoproj.io/desired-replicas"]
    assert noted == ("5" if release is V1_9 else "8")
    stage.run(60)
    assert stage.sizes() == [8, 0]


@RELEASES
def test_a_retry_in_a_pass_that_only_scales_is_judged_by_the_run_before(release: Release) -> None:
    settings = {"activeService": "stable", "abortScaleDownDelaySeconds": 60}
    stage = Stage(
        release=release,
        strategy={"blueGreen": {**settings, "prePromotionAnalysis": {"templates": [{"templateName": "errors"}]}}},
    )
    stage.template("errors")
    stage.create(SERVICE, "stable", {"spec": {"selector": dict(LABELS), "ports": [{"port": 80}]}})
    stage.answers["errors"] = 0.0
    stage.run(5)
    stage.set_image("v2")
    stage.run(10)
    stage.edit(lambda rollout: rollout["spec"].update(replicas=8))
    stage.run(10)
    stage.answers["errors"] = 1.0
    stage.retry()
    stage.run(20)
    begun = {"2-pre": "Failed"} if release is V1_9 else {"2-pre": "Failed", "2-pre.1": "Successful"}
    assert (stage.runs(), stage.rollout.aborted) == (begun, release is V1_9)
