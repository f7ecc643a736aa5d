"""`canary doctor`: whether a release could go through, a line for each check."""

import copy
import json
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from companyos_canary.argo.validation import MANAGED_BY
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import AUTOSCALER, DEPLOYMENT, Kind, assemble
from companyos_canary.cluster.requests import create_request, patch_request
from companyos_canary.diagnosis import installation, readiness
from companyos_canary.diagnosis.case import strategy_services
from companyos_canary.diagnosis.readiness import Check
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request, Response
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.quantity import amount
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.sandbox.faults.effects import Drop, Fault
from companyos_canary.sandbox.kinds import DEPLOYMENT as DEPLOYMENTS
from companyos_canary.sandbox.kinds import REPLICASET, ROLLOUT
from companyos_canary.sandbox.scenarios import find
from tests.commands.conftest import freeze, installed
from tests.commands.test_apply import an_autoscaler_is_attached
from tests.world import CONFIG, HandleTransport, World

SERVICE = Kind("v1", "Service", "services")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
READY = """\
✔ canary.yaml is valid
✔ the API server answers: Kubernetes v1.32.0+sandbox (context sandbox)
✔ the CRDs of Argo Rollouts are installed (v1alpha1, of 1.8 or newer)
? no Deployment of Argo Rollouts was found
    see `kubectl get deployments -A -l app.kubernetes.io/name=argo-rollouts`
✔ you may read the Rollout and everything that belongs to it, and use every verb
✔ the cluster has what canary.yaml renders
✔ 1 AnalysisTemplate exists
✔ a rollback returns to v1.0.0
✔ Prometheus answers (http://prometheus)
✔ 5 metrics have data for the stable pods
✔ 19.8 requests/s reach the canary at 10 %, enough for a verdict
nothing was found that would make a release fail
"""


def checks(world: World, *arguments: str) -> dict[str, dict[str, str]]:
    """What is not ok, by id."""
    found = world.canary("doctor", *arguments, "-o", "json").json["data"]["checks"]
    return {c["id"]: c for c in found if c["mark"] != "ok"}


def test_a_rollout_that_does_not_exist_can_be_made(world: World) -> None:
    found = checks(world, "nowhere")["rollout"]
    assert found["mark"] == "fault"
    assert "canary apply" in found["fix"]


def test_a_rollout_that_is_paused_by_hand_starts_no_release(world: World) -> None:
    assert world.canary("pause").code == ExitCode.OK
    found = checks(world)["paused"]
    assert found["fix"] == "canary resume"
    assert world.canary("doctor").code == ExitCode.DEGRADED
    assert world.canary("resume").code == ExitCode.OK
    assert "paused" not in checks(world)


@pytest.mark.prompt_only("the window of its metrics begins at the first request")
def test_a_healthy_service_is_ready(world: World) -> None:
    world.advance(180)
    ran = world.canary("doctor")
    assert (ran.code, ran.out) == (ExitCode.OK, READY)


def test_it_changes_nothing(world: World) -> None:
    before = world.rollout().raw
    world.requests.clear()
    world.canary("doctor", "--before", "v2")
    assert world.rollout().raw == before
    assert all(r.method in ("GET", "POST") or r.parameter("dryRun") for r in world.requests)


def test_a_template_that_is_missing_would_fail_a_release(world: World) -> None:
    path = "/apis/argoproj.io/v1alpha1/namespaces/companyos/analysistemplates/companyos-api-6s"
    assert world.answer(Request("DELETE", path)).status == 200
    ran = world.canary("doctor")
    assert ran.code == ExitCode.DEGRADED
    text = "✖ companyos-api refers to AnalysisTemplate companyos-api-6s, which does not exist\n    canary apply\n"
    assert text in ran.out
    assert ran.out.endswith("\n1 problem would make a release fail\n")


def test_what_may_not_be_done_is_named_with_the_right(world: World) -> None:
    world.allowed = lambda asked: (asked.verb, asked.subresource) != ("patch", "status")
    found = checks(world)["rights"]
    lacking = "not permitted to `patch` `rollouts.argoproj.io/status`"
    assert found["sentence"] == f"{lacking}: promote, abort and retry would be refused"
    assert (found["mark"], found["fix"]) == ("fault", "ask for the role that `canary rbac deployer` prints")


def test_a_right_that_no_release_needs_is_a_warning(world: World) -> None:
    world.allowed = lambda asked: asked.subresource != "log"
    assert checks(world)["rights"]["sentence"] == "not permitted to `get` `pods/log`: logs would be refused"
    assert world.canary("doctor").code == ExitCode.OK


def test_a_role_for_this_one_rollout_is_enough(world: World) -> None:
    only = {"patch", "get", "list", "watch"}
    world.allowed = lambda asked: (
        asked.resource != "rollouts" or asked.verb not in only or asked.name == "companyos-api"
    )
    assert "rights" not in checks(world)


@pytest.mark.parametrize(
    ("ends", "mark", "sentence"),
    [
        (timedelta(minutes=-3), "fault", "your credentials ended 3m00s ago"),
        (timedelta(minutes=20), "warning", "your credentials end in 20m00s, which may be before the release does"),
    ],
)
def test_credentials_that_end_are_named_with_their_end(world: World, ends: timedelta, mark: str, sentence: str) -> None:
    world.expires = world.now + ends
    found = checks(world)["credentials"]
    assert (found["mark"], found["sentence"]) == (mark, sentence)


def test_credentials_that_last_are_no_warning(world: World) -> None:
    world.expires = world.now + timedelta(days=30)
    assert "✔ your credentials are valid until 2026-04-01 12:0" in world.canary("doctor").out


def test_a_limit_between_two_buckets_is_a_warning(tmp_path: Path) -> None:
    limit = "metrics:\n  latency-p95: {below: 280ms}\n"
    world = World(tmp_path)
    (world.folder / "canary.yaml").write_text(CONFIG.replace(", form: safe", "") + limit)
    world.canary("apply", "v1.0.0", "-q")
    world.advance(180)
    found = checks(world)["buckets"]
    assert found["mark"] == "warning"
    assert "280ms" in found["sentence"] or "0.28" in found["sentence"] or "280 ms" in found["sentence"]


def test_requests_of_other_services_are_a_warning_with_the_line_to_write(world: World) -> None:
    counted = world.prometheus

    def with_another(request: Request) -> Response:
        if request.parameter("query").startswith("group by (namespace, pod, app)"):
            series = [{"metric": {"namespace": "companyos", "pod": "billing-5d9c7b8f6-x2x4z"}, "value": [0, "1"]}]
            body = {"status": "success", "data": {"resultType": "vector", "result": series}}
            return Response(200, {}, json.dumps(body).encode())
        return counted(request)

    world.prometheus = with_another
    found = checks(world)["scope"]
    assert (found["mark"], found["sentence"]) == ("warning", "the metrics also count the requests of billing")
    assert "analysis: {scope: " in found["fix"]


def test_an_autoscaler_beside_replicas_of_canary_yaml_is_a_warning(world: World) -> None:
    an_autoscaler_is_attached(world)
    found = checks(world)["autoscaling"]
    assert (found["mark"], found["fix"]) == ("warning", "set `replicas: null` in canary.yaml")
    assert world.canary("doctor").code == ExitCode.OK


def test_a_version_that_was_aborted_before_would_fail_again(rolled_back: World) -> None:
    rolled_back.canary("undo")
    ran = rolled_back.canary("doctor", "--before", "v1.1.0")
    assert ran.code == ExitCode.DEGRADED
    assert "✖ v1.1.0 was shipped before and was aborted" in ran.out
    assert "version" not in checks(rolled_back, "--before", "v1.2.0")


def test_a_retry_is_the_fix_only_of_the_version_that_is_aborted_now(rolled_back: World) -> None:
    fix = checks(rolled_back, "--before", "v1.1.0")["version"]["fix"]
    assert fix == "deploy a fixed version, or `canary retry`"
    rolled_back.canary("undo")
    assert rolled_back.canary("retry").code == ExitCode.REFUSED
    assert checks(rolled_back, "--before", "v1.1.0")["version"]["fix"] == "deploy a fixed version"


def test_a_check_is_broken_between_words_on_a_narrow_terminal(world: World) -> None:
    shown = world.canary("doctor", terminal=True, size=(50, 24)).out.splitlines()
    assert all(len(line) <= 50 for line in shown if not line.startswith("    ")), shown
    assert " ".join(" ".join(shown).split()) == " ".join(world.canary("doctor").out.split())


def test_a_version_that_is_no_version_is_refused(world: World) -> None:
    assert world.canary("doctor", "--before", "v1 2").code == ExitCode.USAGE


def test_series_without_the_label_canary_would_fail_a_release(tmp_path: Path) -> None:
    world = World(tmp_path, scenario=find("wrong-label", tmp_path))
    (world.folder / "canary.yaml").write_text(CONFIG)
    world.canary("apply", "v1.1.0")
    world.advance(180)
    ran = world.canary("doctor")
    assert ran.code == ExitCode.DEGRADED
    assert "have no label `canary`" in ran.out or "no data for the stable pods" in ran.out


def test_without_prometheus_the_rest_is_checked(world: World) -> None:
    world.prometheus = lambda _: Response(503)
    found = checks(world)
    assert found["prometheus"]["mark"] == "unknown"
    assert "503" in found["prometheus"]["sentence"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("metrics: {mine: {query: 'sum(', below: 1}}\n", "✖ canary.yaml: field `metrics.mine.query` is not PromQL: "),
        ("merge: [gone.yaml]\n", "✖ "),
    ],
)
def test_a_canary_yaml_that_cannot_be_rendered_is_not_valid(world: World, more: str, said: str) -> None:
    path = world.folder / "canary.yaml"
    path.write_text(path.read_text() + more)
    ran = world.canary("doctor", "companyos-api", "-n", "companyos")
    assert (ran.code, world.canary("render", "v1").code) == (ExitCode.DEGRADED, ExitCode.USAGE)
    assert ran.out.startswith(said), ran
    assert "is valid" not in ran.out


def test_a_broken_canary_yaml_is_a_line_with_its_place(world: World) -> None:
    (world.folder / "canary.yaml").write_text(CONFIG + "colour: red\n")
    ran = world.canary("doctor", "companyos-api", "-n", "companyos")
    assert ran.code == ExitCode.DEGRADED
    assert ran.out.startswith("✖ canary.yaml:13: field `colour`: unknown")
    assert "✔ a rollback returns to v1.0.0" in ran.out


def test_before_the_first_version_it_says_how_to_install_it(empty: World) -> None:
    found = checks(empty)
    assert found["rollout"]["mark"] == "fault"
    assert "not found" in found["rollout"]["sentence"]


def test_a_server_that_does_not_answer_is_the_only_other_line(world: World) -> None:
    world.faults.add(Fault(Drop(), method="GET"))
    found = checks(world)
    assert list(found) == ["api-server"]
    assert "connection" in found["api-server"]["sentence"]


def deployment(image: str, available: int) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "argo-rollouts", "namespace": "argo-rollouts"},
        "spec": {"template": {"spec": {"containers": [{"name": "argo-rollouts", "image": image}]}}},
        "status": {"availableReplicas": available},
    }


def lease(age: timedelta) -> dict[str, Any]:
    renewed = (NOW - age).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"metadata": {"name": "argo-rollouts-controller-lock"}, "spec": {"renewTime": renewed}}


IMAGE = "quay.example.com:5000/argoproj/argo-rollouts"


@pytest.mark.parametrize(
    ("image", "available", "age", "mark", "words"),
    [
        (f"{IMAGE}:v1.9.1", 1, 2, "ok", "Argo Rollouts v1.9.1 is running"),
        (f"{IMAGE}@sha256:{'a' * 64}", 1, 2, "ok", "Argo Rollouts is running"),
        (f"{IMAGE}:v1.9.1", 0, 2, "fault", "has no available pod"),
        (f"{IMAGE}:v1.9.1", 1, 125, "fault", "last renewed its lease 2m05s ago"),
        (f"{IMAGE}:v1.7.2", 1, 2, "warning", "is older than 1.8"),
    ],
)
def test_a_controller_is_known_by_its_deployment_and_its_lease(
    image: str, available: int, age: int, mark: str, words: str
) -> None:
    check = installation.controller([deployment(image, available)], lease(timedelta(seconds=age)), NOW)
    assert check.mark == mark
    assert words in check.sentence


def test_a_lease_of_another_name_says_nothing_about_a_controller_with_an_instance_id() -> None:
    found = deployment(f"{IMAGE}:v1.10.0", 1)
    found["spec"]["template"]["spec"]["containers"][0]["args"] = ["--instance-id", "team-a"]
    assert installation.controller([found], lease(timedelta(days=3)), NOW).mark == "ok"


@pytest.mark.parametrize(("seconds", "mark"), [(0, "ok"), (4, "ok"), (-20, "warning"), (3600, "fault")])
def test_a_clock_that_is_wrong_is_said(seconds: int, mark: str) -> None:
    assert installation.clock_skew(timedelta(seconds=seconds)).mark == mark


def rollout(**strategy: Any) -> Rollout:
    labels = {"app": "shop"}
    spec = {"replicas": 3, "template": {"metadata": {"labels": labels}, "spec": {}}, "strategy": {"canary": strategy}}
    return Rollout.from_object({"metadata": {"name": "shop", "namespace": "prod"}, "spec": spec})


def only(found: Any) -> Check:
    (check,) = found
    assert isinstance(check, Check)
    return check


def state(routed: Rollout, *hashes: str) -> Snapshot:
    owner = [{"uid": "u", "controller": True}]
    made = [
        {"metadata": {"name": h, "labels": {HASH_LABEL: h}, "ownerReferences": owner}, "spec": {"replicas": 1}}
        for h in hashes
    ]
    return assemble(replace(routed, uid="u"), lambda kind: made if kind.kind == "ReplicaSet" else [])


def test_services_are_checked_by_their_selectors() -> None:
    routed = state(rollout(stableService="shop", canaryService="shop-canary"))
    assert strategy_services(routed.rollout) == ("shop", "shop-canary")
    good, bad = {"spec": {"selector": {"app": "shop"}}}, {"spec": {"selector": {"app": "other"}}}
    assert only(readiness.services(routed, {"shop": good, "shop-canary": good})).mark == "ok"
    assert "selects app=other" in only(readiness.services(routed, {"shop": good, "shop-canary": bad})).sentence
    assert "does not exist" in only(readiness.services(routed, {"shop": good, "shop-canary": None})).sentence


def test_a_router_that_is_a_plugin_must_be_configured() -> None:
    routed = rollout(trafficRouting={"plugins": {installation.GATEWAY: {"httpRoute": "shop"}}})
    config = {"data": {"trafficRouterPlugins": f'- name: "{installation.GATEWAY}"\n  location: file:///plugin\n'}}
    assert only(installation.router(routed, config)).mark == "ok"
    assert only(installation.router(routed, None)).mark == "fault"
    assert only(installation.router(routed, None, "not permitted")).mark == "unknown"
    ignored = only(installation.router(rollout(trafficRouting={"gatewayAPI": {"httpRoute": "shop"}}), None))
    assert "is ignored by the controller" in ignored.sentence


def test_a_weight_that_rounds_to_a_whole_pod_is_said() -> None:
    check = only(readiness.surge(rollout(steps=[{"setWeight": 10}])))
    assert check.sentence == "10 % of 3 pods is one pod of 4, which gets 25 % of the traffic"
    assert not [*readiness.surge(rollout(steps=[{"setWeight": 30}]))]
    (none,) = readiness.surge(rollout(steps=[{"setWeight": 10}], maxSurge=0, maxUnavailable=1))
    assert none.sentence.startswith("10 % of 3 pods is ")
    one = replace(rollout(steps=[{"setWeight": 10}], maxSurge=0), replicas=1)
    assert "is no pod" in only(readiness.surge(one)).sentence
    assert (
        "every step passes" in only(readiness.surge(replace(rollout(steps=[{"setWeight": 10}]), replicas=0))).sentence
    )


@pytest.mark.parametrize(
    ("rate", "mark", "words"),
    [
        (200.0, "ok", "enough for a verdict"),
        (5.0, "ok", "waits about 3m20s for the 100 requests"),
        (1.0, "warning", "a person would have to decide"),
        (0.0, "warning", "gets no requests"),
    ],
)
def test_thin_traffic_is_said_before_the_release(rate: float, mark: str, words: str) -> None:
    check = only(readiness.enough_traffic(rate, 10, timedelta(minutes=2), 100, timedelta(minutes=10)))
    assert check.mark == mark
    assert words in check.sentence


def a_controller_is_installed(world: World) -> None:
    """Its Deployment, without pods."""
    found = deployment(f"{IMAGE}:v1.9.1", 1)
    found["spec"]["template"]["metadata"] = {"labels": {"app": "x"}}
    found["spec"] |= {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}}
    namespace = {"metadata": {"name": "argo-rollouts"}}
    world.answer(create_request(namespace, Kind("v1", "Namespace", "namespaces", namespaced=False), ""))
    assert world.answer(create_request(found, DEPLOYMENT, "argo-rollouts")).status == 201


def test_a_controllers_deployment_in_the_cluster_is_found(world: World) -> None:
    a_controller_is_installed(world)
    found = checks(world)["controller"]["sentence"]
    assert found == "Argo Rollouts v1.9.1 (argo-rollouts/argo-rollouts) has no available pod"


def test_a_service_that_has_just_started_is_not_called_broken() -> None:
    assert readiness.just_started([NOW - timedelta(seconds=9), None], NOW)
    assert not readiness.just_started([NOW - timedelta(minutes=5), NOW], NOW)
    young, old = (only(readiness.metric("error-rate", "", False, young=y)) for y in (True, False))
    assert (young.mark, young.sentence) == ("warning", "error-rate has no data yet: the stable pods have just started")
    assert old.mark == "fault"


ROUTED = {
    "stableService": "s",
    "canaryService": "c",
    "trafficRouting": {"nginx": {"stableIngress": "web"}},
    "dynamicStableScale": True,
}


@pytest.mark.parametrize(
    ("strategy", "hangs"),
    [
        ({**ROUTED, "abortScaleDownDelaySeconds": 30}, True),
        (ROUTED, False),
        ({**ROUTED, "abortScaleDownDelaySeconds": 0}, False),
        ({**ROUTED, "abortScaleDownDelaySeconds": 30, "dynamicStableScale": False}, False),
        ({"abortScaleDownDelaySeconds": 30}, False),
    ],
)
def test_an_abort_that_an_older_controller_never_ends_is_a_warning(strategy: dict[str, Any], hangs: bool) -> None:
    live = Rollout.from_object({"metadata": {"name": "web"}, "spec": {"strategy": {"canary": strategy}}})
    assert installation.abort_may_hang(live) is hangs
    check = only(installation.abort_hangs("v1.9.1"))
    assert (check.mark, "may never move all traffic back" in check.sentence) == ("warning", True)
    for version in ("v1.10.0-rc1", "v1.10.0", "v2.0.0", "", "latest"):
        assert not [*installation.abort_hangs(version)]


def test_the_warning_needs_the_version_of_the_controller(world: World) -> None:
    a_controller_is_installed(world)
    assert "abort" not in checks(world)
    live = copy.deepcopy(world.store.read(ROLLOUT, "companyos", "companyos-api"))
    live["spec"]["strategy"]["canary"] |= {**ROUTED, "abortScaleDownDelaySeconds": 30}
    world.store.update(ROLLOUT, live)
    assert "Argo Rollouts v1.9.1 may never move all traffic back" in checks(world)["abort"]["sentence"]


def the_controller_has(world: World, *args: str, **labels: str) -> None:
    a_controller_is_installed(world)
    live = world.store.read(DEPLOYMENTS, "argo-rollouts", "argo-rollouts")
    found = copy.deepcopy(live)
    found["spec"]["template"]["spec"]["containers"][0]["args"] = list(args)
    world.store.update(DEPLOYMENTS, found)
    rollout_of = copy.deepcopy(world.store.read(ROLLOUT, "companyos", "companyos-api"))
    rollout_of["metadata"].setdefault("labels", {}).update(labels)
    world.store.update(ROLLOUT, rollout_of)


@pytest.mark.parametrize(
    ("args", "id_", "sentence"),
    [
        (("--instance-id", "blue"), None, "the controller looks after instance id blue, and companyos-api has none"),
        (("--instance-id=blue",), "green", "the controller looks after instance id blue, and companyos-api has green"),
        ((), "green", "the controller has no instance id, and companyos-api has green"),
        (("--namespaced",), None, "the controller looks at namespace argo-rollouts only (--namespaced), not at"),
        (("--namespaced", "--namespace=shop"), None, "the controller looks at namespace shop only (--namespaced)"),
    ],
)
def test_a_controller_that_does_not_look_here_would_never_act(
    world: World, args: tuple[str, ...], id_: str | None, sentence: str
) -> None:
    the_controller_has(world, *args, **({installation.INSTANCE: id_} if id_ else {}))
    found = checks(world)["instance"]
    assert (found["mark"], sentence in found["sentence"]) == ("fault", True), found


@pytest.mark.parametrize(
    ("args", "id_"),
    [((), None), (("--instance-id", "blue"), "blue"), (("--namespaced", "--namespace=companyos"), None)],
)
def test_a_controller_that_looks_here_is_no_line(world: World, args: tuple[str, ...], id_: str | None) -> None:
    the_controller_has(world, *args, **({installation.INSTANCE: id_} if id_ else {}))
    assert "instance" not in checks(world)


def reviewed(world: World, refused: tuple[str, str], *, readable: bool = True, rules: Any = None) -> None:
    """The controller may do everything but one thing; `readable`: whether one may ask about others."""
    answer = world.faults

    def other(request: Request) -> Response:
        if request.path.endswith("/subjectaccessreviews"):
            if not readable:
                return forbidden()
            asked = json.loads(request.body or b"{}")["spec"]
            assert asked["user"] == "system:serviceaccount:argo-rollouts:argo-rollouts"
            wanted = asked["resourceAttributes"]
            allowed = (wanted["verb"], wanted["resource"]) != refused
            return Response(
                201, {}, json.dumps({"kind": "SubjectAccessReview", "status": {"allowed": allowed}}).encode()
            )
        if request.path.endswith("/clusterroles/argo-rollouts"):
            body = {"kind": "ClusterRole", "metadata": {"name": "argo-rollouts"}, "rules": rules}
            return Response(200, {}, json.dumps(body).encode())
        return answer(request)

    world.faults = other  # type: ignore[assignment]


def failed(code: int, reason: str, message: str) -> Response:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "code": code, "message": message}
    return Response(code, {}, json.dumps(body).encode())


def forbidden() -> Response:
    return failed(403, "Forbidden", "forbidden: no")


def routed_by(world: World, **routing: Any) -> None:
    live = copy.deepcopy(world.store.read(ROLLOUT, "companyos", "companyos-api"))
    services = {"stableService": "companyos-api", "canaryService": "companyos-api-canary"}
    live["spec"]["strategy"]["canary"] |= {**services, "trafficRouting": routing}
    world.store.update(ROLLOUT, live)


GATEWAY_API = {"plugins": {installation.GATEWAY: {"httpRoute": "web", "namespace": "companyos"}}}
ROUTERS = [
    (GATEWAY_API, ("update", "httproutes"), "update httproutes.gateway.networking.k8s.io"),
    (
        {"istio": {"virtualService": {"name": "web"}}},
        ("update", "virtualservices"),
        "update virtualservices.networking",
    ),
    ({"nginx": {"stableIngress": "web"}}, ("create", "ingresses"), "create ingresses.networking.k8s.io"),
    (
        {"traefik": {"weightedTraefikServiceName": "web"}},
        ("update", "traefikservices"),
        "update traefikservices.traefik",
    ),
]


@pytest.mark.parametrize(("routing", "refused", "words"), ROUTERS, ids=[r[2] for r in ROUTERS])
def test_what_the_controller_may_not_do_with_its_router_would_fail_a_release(
    world: World, routing: dict[str, Any], refused: tuple[str, str], words: str
) -> None:
    a_controller_is_installed(world)
    routed_by(world, **routing)
    reviewed(world, refused)
    found = checks(world)["route-rights"]
    assert (found["mark"], words in found["sentence"]) == ("fault", True), found


def test_rights_that_cannot_be_asked_about_are_read_from_the_cluster_role(world: World) -> None:
    a_controller_is_installed(world)
    routed_by(world, **GATEWAY_API)
    rule = {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["*"], "verbs": ["get", "update"]}
    reviewed(world, ("", ""), readable=False, rules=[rule])
    assert "route-rights" not in checks(world)
    reviewed(world, ("", ""), readable=False, rules=[])
    found = checks(world)["route-rights"]
    assert (found["mark"], "`create` `subjectaccessreviews." in found["sentence"]) == ("unknown", True), found


def older_crds(world: World, *, told: bool = True) -> None:
    """The API server has the CRDs of a release that does not know `consecutiveSuccessLimit`: it refuses the field."""
    answer = world.faults

    def older(request: Request) -> Response:
        if request.path == "/openapi/v3/apis/argoproj.io/v1alpha1":
            if not told:
                return forbidden()
            found = answer(request)
            return Response(200, found.headers, found.body.replace(b"consecutiveSuccessLimit", b"successes"))
        if request.method == "PATCH" and b"consecutiveSuccessLimit" in (request.body or b""):
            text = "failed to create typed patch object: .spec.metrics[0].consecutiveSuccessLimit: field not declared"
            return failed(422, "Invalid", text)
        return answer(request)

    world.faults = older  # type: ignore[assignment]


@pytest.fixture
def judged_by_evidence(tmp_path: Path) -> World:
    return installed(tmp_path, CONFIG.replace(", form: safe", ", form: evidence"))


def test_crds_that_do_not_know_a_field_of_canary_yaml_would_fail_a_release(judged_by_evidence: World) -> None:
    assert not {"crds", "crd-fields"} & checks(judged_by_evidence).keys()
    older_crds(judged_by_evidence)
    found = checks(judged_by_evidence)
    what = "the CRD of AnalysisTemplate does not know spec.metrics[].consecutiveSuccessLimit, which canary.yaml renders"
    assert (found["crd-fields"]["mark"], found["crd-fields"]["sentence"]) == ("fault", what)
    assert found["crds"]["sentence"] == "the CRDs of Argo Rollouts are installed (v1alpha1, older than 1.8)"
    assert found["live"]["sentence"].startswith("`canary apply` would be refused: ")


def test_a_server_that_does_not_tell_its_schemas_is_no_fault(judged_by_evidence: World) -> None:
    older_crds(judged_by_evidence, told=False)
    found = checks(judged_by_evidence)
    assert not {"crds", "crd-fields"} & found.keys()
    assert (found["live"]["mark"], "before 1.8" in found["live"]["fix"]) == ("fault", True)


def a_service(world: World, name: str, hash_: str, managed_by: str = "", **selector: str) -> None:
    meta = {"name": name, "annotations": {MANAGED_BY: managed_by} if managed_by else {}}
    spec = {"ports": [{"port": 80}], "selector": {"app": "companyos-api", **({HASH_LABEL: hash_} if hash_ else {})}}
    spec["selector"] = {**spec["selector"], **selector}  # type: ignore[dict-item]
    assert world.answer(create_request({"metadata": meta, "spec": spec}, SERVICE, "companyos")).status == 201


def lines(world: World, id_: str) -> list[str]:
    found = world.canary("doctor", "-o", "json").json["data"]["checks"]
    return [c["sentence"] for c in found if c["id"] == id_ and c["mark"] != "ok"]


def test_a_service_with_a_hash_that_the_rollout_does_not_name_loses_its_pods(shipped: World) -> None:
    """The controller itself frees one that the Rollout has managed."""
    stable = shipped.rollout().stable_hash
    older = next(
        r["metadata"]["labels"][HASH_LABEL] for r in shipped.store.items(REPLICASET) if not r["spec"]["replicas"]
    )
    a_service(shipped, "old-stable", stable)
    a_service(shipped, "older", older)
    a_service(shipped, "managed", stable, "companyos-api")
    a_service(shipped, "not-ours", "6f9d", "another")
    a_service(shipped, "plain", "")
    assert [line.partition(":")[0] for line in lines(shipped, "services")] == [
        f"Service old-stable selects the pods of {stable} alone, and would have none after the next release",
        f"Service older selects the pods of {older} alone, of which there are none",
    ]
    assert shipped.canary("doctor").code == ExitCode.DEGRADED


def test_the_command_that_frees_a_service_frees_it(world: World) -> None:
    a_service(world, "old-stable", world.rollout().stable_hash)
    (fix,) = (c["fix"] for c in checks(world).values() if c["id"] == "services")
    *_, body = shlex.split(fix)
    world.answer(patch_request(SERVICE, "companyos", "old-stable", json.loads(body)))
    assert lines(world, "services") == []


def test_a_service_of_the_strategy_on_another_version_would_fail_a_release(shipped: World) -> None:
    found = Cluster(HandleTransport(shipped), "companyos").snapshot("companyos-api").replicasets
    (old,) = (r for r in found if not r.desired)
    stable = shipped.rollout().stable_hash
    freeze(shipped)
    for name, hash_ in (("stable", old.hash), ("canary", "6f9d")):
        a_service(shipped, name, hash_, "companyos-api")
    services = {"stableService": "stable", "canaryService": "canary"}
    shipped.patch({"spec": {"strategy": {"canary": services}}})
    shipped.patch({"status": {"observedGeneration": str(shipped.rollout().raw["metadata"]["generation"])}}, "status")
    assert lines(shipped, "services") == [
        f"Service stable selects the pods of {old.hash}, and the stable ReplicaSet is {stable}",
        "Service canary selects pods of 6f9d, and no ReplicaSet has this hash",
    ]


def test_services_that_may_not_be_listed_are_not_taken_for_fine(world: World) -> None:
    world.allowed = lambda asked: (asked.verb, asked.resource) != ("list", "services")
    found = checks(world)["services"]
    assert (found["mark"], "not permitted to `list` `services`" in found["sentence"]) == ("unknown", True)


def scaler(world: World, kind: str = "Rollout", **more: Any) -> None:
    spec = {"scaleTargetRef": {"kind": kind, "name": "companyos-api"}, "minReplicas": 2, "maxReplicas": 20}
    found = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": spec, **more}
    found["metadata"] = {"name": "keda-hpa-api", **more.get("metadata", {})}
    assert world.answer(create_request(found, AUTOSCALER, "companyos")).status == 201


KEDA = {"ownerReferences": [{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "api", "uid": "u"}]}


@pytest.mark.parametrize(
    ("metadata", "name"), [({}, "HorizontalPodAutoscaler keda-hpa-api"), (KEDA, "ScaledObject api of KEDA")]
)
def test_whoever_scales_it_is_named_by_what_a_person_wrote(world: World, metadata: dict[str, Any], name: str) -> None:
    scaler(world, metadata=metadata)
    assert checks(world)["autoscaling"]["sentence"].startswith(f"{name} scales companyos-api, and canary.yaml sets")
    (world.folder / "canary.yaml").write_text(CONFIG.replace("replicas: 10", "replicas: null"))
    assert f"✔ {name} scales companyos-api between 2 and 20 pods" in world.canary("doctor").out


def test_an_autoscaler_that_cannot_measure_is_a_warning(world: World) -> None:
    (world.folder / "canary.yaml").write_text(CONFIG.replace("replicas: 10", "replicas: null"))
    stopped = {"type": "ScalingActive", "status": "False", "message": "the HPA was unable to compute the replica count"}
    scaler(world)
    status = {"status": {"conditions": [stopped]}}
    how = patch_request(AUTOSCALER, "companyos", "keda-hpa-api", status, subresource="status")
    assert world.answer(how).status == 200
    found = checks(world)["autoscaling"]
    assert found["sentence"].endswith("cannot scale companyos-api: the HPA was unable to compute the replica count")


def test_a_stable_version_without_its_replicaset_cannot_be_rolled_back_to(world: World) -> None:
    freeze(world)
    world.patch({"status": {"stableRS": "6f9d"}}, "status")
    found = checks(world)["rollback"]
    assert (found["mark"], "(6f9d) does not exist" in found["sentence"]) == ("fault", True)


@pytest.mark.parametrize(
    ("text", "number"),
    [("250m", 0.25), ("1Gi", 1024**3), ("2", 2), ("1.5k", 1500), ("1e3", 1000), ("x", None), (None, None)],
)
def test_amounts_of_kubernetes_are_numbers(text: object, number: float | None) -> None:
    assert amount(text) == number


def quota(hard: dict[str, str], used: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": "compute"}, "status": {"hard": hard, "used": used}}


@pytest.mark.parametrize(
    ("strategy", "hard", "used", "mark", "words"),
    [
        (
            {},
            {"pods": "10"},
            {"pods": "10"},
            "fault",
            "adds up to 1 pod, and ResourceQuota compute (pods) leaves room for 0",
        ),
        ({"maxUnavailable": 1}, {"pods": "10"}, {"pods": "10"}, "warning", "leaves room for 0"),
        ({}, {"pods": "10"}, {"pods": "9"}, "", ""),
        (ROUTED | {"dynamicStableScale": False}, {"pods": "10"}, {"pods": "8"}, "warning", "up to 3 pods, and"),
        ({}, {"requests.cpu": "4"}, {"requests.cpu": "3900m"}, "fault", "(requests.cpu) leaves room for 0"),
        ({}, {"cpu": "4"}, {"cpu": "3700m"}, "", ""),
        ({}, {"limits.memory": "4Gi"}, {"limits.memory": "4Gi"}, "", ""),
        ({}, {"services": "1"}, {"services": "1"}, "", ""),
    ],
)
def test_a_quota_without_room_for_the_pods_of_a_release_is_said(
    strategy: dict[str, Any], hard: dict[str, str], used: dict[str, str], mark: str, words: str
) -> None:
    live = rollout(**strategy)
    live.raw["spec"]["template"]["spec"]["containers"] = [{"name": "a", "resources": {"requests": {"cpu": "250m"}}}]  # type: ignore[index]
    found = [*readiness.room(Rollout.from_object(dict(live.raw)), [quota(hard, used)])]
    assert [c.mark for c in found] == ([mark] if mark else [])
    assert not found or words in found[0].sentence


def test_the_quotas_of_the_namespace_are_looked_at(world: World) -> None:
    answer = world.faults

    def with_a_quota(request: Request) -> Response:
        if request.path.endswith("/resourcequotas"):
            body = {"kind": "ResourceQuotaList", "items": [quota({"pods": "10"}, {"pods": "10"})]}
            return Response(200, {}, json.dumps(body).encode())
        return answer(request)

    world.faults = with_a_quota  # type: ignore[assignment]
    found = checks(world)["room"]
    assert (found["mark"], found["fix"]) == ("fault", "kubectl -n companyos describe resourcequota compute")
