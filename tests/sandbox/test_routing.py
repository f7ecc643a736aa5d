"""A routed canary in the sandbox: weights in the objects of its router, pods next to them."""

import pytest

from companyos_canary.promql import Matcher
from companyos_canary.sandbox.behaviour import HEAD, V1_9, Release
from companyos_canary.sandbox.kinds import INGRESS, SERVICE
from companyos_canary.sandbox.traffic import Traffic
from companyos_canary.sandbox.tsdb import Tsdb
from tests.sandbox.stage import LABELS, NAME, Json, Stage

STEPS: list[Json] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]
BACKEND = {"service": {"name": "stable", "port": {"number": 80}}}
RULES = [{"host": "a.test", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}]


def routed(
    routing: Json | None = None, steps: list[Json] | None = None, release: Release = V1_9, **canary: object
) -> Stage:
    settings = {"trafficRouting": routing or {"nginx": {"stableIngress": "web"}}, **canary}
    services = {"stableService": "stable", "canaryService": "canary"}
    stage = Stage(steps or STEPS, release=release, canary={**services, **settings})
    for service in ("stable", "canary"):
        stage.create(SERVICE, service, {"spec": {"selector": dict(LABELS), "ports": [{"port": 80}]}})
    stage.create(INGRESS, "web", {"spec": {"rules": RULES}})
    stage.run(5)
    return stage


def weight(stage: Stage) -> int | None:
    weights = ((stage.object.get("status") or {}).get("canary") or {}).get("weights")
    return weights["canary"]["weight"] if weights else None


def annotated(stage: Stage) -> str:
    ingress = stage.store.read(INGRESS, "default", f"{NAME}-web-canary")
    return str(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"])


def at_20() -> Stage:
    stage = routed()
    stage.set_image("v2")
    stage.run(5)
    return stage


def test_the_share_of_pods_is_not_the_share_of_traffic() -> None:
    stage = at_20()
    assert (weight(stage), annotated(stage), stage.sizes()) == (20, "20", [5, 1])


def test_an_abort_moves_the_traffic_at_once_and_the_pods_later() -> None:
    stage = at_20()
    stage.abort()
    stage.act()
    assert (weight(stage), annotated(stage), stage.sizes()) == (0, "0", [5, 1])
    stage.run(29)
    assert stage.sizes() == [5, 1]
    stage.run(3)
    assert stage.sizes() == [5, 0]


@pytest.mark.parametrize(("delay", "seconds", "size"), [(0, 600, 0), (60, 58, 1), (60, 62, 0)])
def test_the_delay_of_an_abort_can_be_said(delay: int, seconds: int, size: int) -> None:
    stage = routed(abortScaleDownDelaySeconds=delay)
    stage.set_image("v2")
    stage.run(5)
    stage.abort()
    stage.run(seconds)
    assert stage.sizes() == [5, size]


def test_set_canary_scale_without_an_end_of_the_delay_keeps_its_pods() -> None:
    stage = routed(steps=[{"setCanaryScale": {"replicas": 3}}, {"pause": {}}], abortScaleDownDelaySeconds=0)
    stage.set_image("v2")
    stage.run(5)
    assert (weight(stage), stage.sizes()) == (0, [5, 3])
    stage.abort()
    stage.run(600)
    assert stage.sizes() == [5, 3]


def test_the_version_before_keeps_its_pods_for_a_while() -> None:
    stage = routed(steps=[{"setWeight": 50}], scaleDownDelaySeconds=10)
    stage.set_image("v2")
    stage.run(5)
    assert (stage.phase, weight(stage), stage.sizes()) == ("Healthy", 0, [5, 5])
    stage.run(10)
    assert stage.sizes() == [0, 5]


def test_a_stable_version_may_shrink_with_its_traffic() -> None:
    stage = routed(dynamicStableScale=True)
    stage.set_image("v2")
    stage.run(5)
    assert stage.sizes() == [4, 1]
    stage.promote()
    stage.run(5)
    assert (weight(stage), stage.sizes()) == (60, [2, 3])
    stage.abort()
    stage.run(30)
    assert (weight(stage), stage.sizes()) == (0, [5, 0])


@pytest.mark.parametrize(("release", "size", "pods"), [(V1_9, 2, 2), (V1_9, 3, 3), (HEAD, 2, 2), (HEAD, 3, 2)])
def test_a_version_with_pods_has_at_least_so_many(release: Release, size: int, pods: int) -> None:
    """Since 1.10 not more than the replicas."""
    stage = routed(steps=[{"setWeight": 1}, {"pause": {}}], release=release, minPodsPerReplicaSet=size)
    stage.edit(lambda r: r["spec"].update(replicas=2))
    stage.set_image("v2")
    stage.run(5)
    assert stage.sizes()[1] == pods


@pytest.mark.parametrize(("release", "runs"), [(V1_9, ["2"]), (HEAD, ["2", "2.1"])])
def test_a_retry_while_the_pods_wait_for_their_end(release: Release, runs: list[str]) -> None:
    """In 1.9 the run that has failed counts again, and aborts again."""
    analysis = {"templates": [{"templateName": "errors"}]}
    stage = routed(steps=[{"setWeight": 20}, {"pause": {}}], release=release, analysis=analysis)
    stage.template("errors", count=None)
    stage.answers["errors"] = 0.1
    stage.run(5)
    stage.set_image("v2")
    stage.run(5)
    assert stage.phase.startswith("Degraded - RolloutAborted")
    assert stage.sizes() == [5, 1]
    stage.answers["errors"] = 1.0
    stage.retry()
    stage.run(5)
    assert sorted(stage.runs()) == runs
    assert stage.rollout.aborted is (release is V1_9)


def test_an_enough_of_pods_is_enough_for_a_weight() -> None:
    threshold = {"type": "Percentage", "value": 50}
    stage = routed(steps=[{"setWeight": 100}, {"pause": {}}], replicaProgressThreshold=threshold)
    stage.edit(lambda r: r["spec"]["template"]["metadata"].setdefault("annotations", {}).update(a="b"))
    stage.run(5)
    assert weight(stage) == 100


def test_requests_go_by_the_weights_and_not_by_the_pods() -> None:
    stage, tsdb = at_20(), Tsdb()
    traffic = Traffic(stage.store, tsdb, interval=1.0)
    for _ in range(41):
        traffic.step(stage.clock())
        stage.run(1)
    at = stage.clock().timestamp()
    found = tsdb.select((Matcher("__name__", "=", "companyos_http_request_duration_seconds_count"),), at - 5, at)
    served: dict[str, float] = {}
    for series in found:
        version = series.labels["rollouts_pod_template_hash"]
        served[version] = served.get(version, 0) + series.samples[-1][1]
    share = served[stage.rollout.current_hash] / sum(served.values())
    assert share == pytest.approx(0.2, abs=0.02)
    assert len(served) == 2
