"""`traffic:` in canary.yaml, from the rendered objects to a release, on each router of the sandbox."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import CONFIGMAP, HTTPROUTES, INGRESS, SERVICE, VIRTUALSERVICES
from tests.world import WEB, World

ROUTERS = ("gateway", "istio", "alb", "traefik", "nginx")
STEPS = "  - {weight: 1, pause: 2s}\n  - {weight: 10, pods: 30%, pause: manual}\n  - {weight: 50, pause: 2s}\n"
CONFIG = WEB + "TRAFFIC\nsteps:\n"


@pytest.fixture
def routed(tmp_path: Path) -> Callable[..., World]:
    """A cluster with nothing in it, and a canary.yaml with this `traffic:`."""
    return lambda traffic, steps=STEPS: World(tmp_path, CONFIG.replace("TRAFFIC", f"traffic: {traffic}") + steps)


def rendered(world: World) -> list[dict[str, Any]]:
    ran = world.canary("render", "v1.0.0")
    assert ran.code == ExitCode.OK, ran
    found = list(yaml.safe_load_all(ran.out))
    return [obj for obj in found if obj["kind"] != "AnalysisTemplate"]


def canary_of(world: World) -> dict[str, Any]:
    found: dict[str, Any] = rendered(world)[-1]["spec"]["strategy"]["canary"]
    return found


def weight(world: World) -> int:
    found: int = world.rollout("web").raw["status"]["canary"]["weights"]["canary"]["weight"]
    return found


@pytest.mark.parametrize("router", ROUTERS)
def test_a_release_goes_through_and_an_abort_takes_the_traffic_back(routed: Callable[..., World], router: str) -> None:
    world = routed(router)
    assert world.canary("apply", "v1.0.0").code == ExitCode.OK
    assert world.canary("deploy", "v1.1.0", "--until", "paused").code == ExitCode.OK
    assert weight(world) == 10
    assert world.canary("promote").code == ExitCode.OK
    assert world.canary("watch").code == ExitCode.OK
    world.advance(60)
    assert world.rollout("web").is_fully_promoted
    assert world.canary("deploy", "v1.2.0", "--until", "weight=10").code == ExitCode.OK
    assert world.canary("abort").code == ExitCode.OK
    assert weight(world) == 0
    world.advance(60)
    assert world.canary("undo").code == ExitCode.OK
    assert world.rollout("web").image() == "web:v1.1.0"


@pytest.mark.parametrize("router", ROUTERS)
def test_applying_it_again_changes_nothing_whatever_the_controller_wrote(
    routed: Callable[..., World], router: str
) -> None:
    world = routed(router)
    assert world.canary("apply", "v1.0.0").code == ExitCode.OK
    assert world.canary("deploy", "v1.1.0", "--until", "paused").code == ExitCode.OK
    ran = world.canary("apply", "-o", "json")
    assert ran.code == ExitCode.OK, ran
    assert {o["change"] for o in ran.json["data"]["objects"]} == {"unchanged"}
    assert "exists and is left as it is" in ran.err
    assert weight(world) == 10


@pytest.mark.parametrize("router", ROUTERS)
def test_it_makes_both_services_and_one_route_with_no_weight_for_the_canary(
    routed: Callable[..., World], router: str
) -> None:
    found = rendered(routed(router))
    services = [o["metadata"]["name"] for o in found if o["kind"] == "Service"]
    assert services[:2] == ["web-canary", "web-stable"]
    assert services[2:] == (["web"] if router in ("istio", "alb") else [])
    assert [o["kind"] for o in found if o["kind"] not in ("Service", "Rollout")] == [
        {"gateway": "HTTPRoute", "istio": "VirtualService", "traefik": "TraefikService"}.get(router, "Ingress")
    ]
    canary = found[-1]["spec"]["strategy"]["canary"]
    assert (canary["canaryService"], canary["stableService"]) == ("web-canary", "web-stable")


def test_the_long_form_says_the_rest(routed: Callable[..., World]) -> None:
    traffic = (
        "\n  gateway: {route: front, parent: infra/public, host: api.example.com}"
        "\n  header: {X-Canary: always}\n  header_pause: manual\n  stable_scales_down: true\n  abort_delay: 45s"
    )
    steps = "  - {weight: 1, pods: 2, analysis: 6s}\n  - {weight: 20, analysis: 6s}\n"
    world = routed(traffic, steps)
    route = next(o for o in rendered(world) if o["kind"] == "HTTPRoute")
    assert route["metadata"]["name"] == "front"
    assert route["spec"]["parentRefs"] == [{"name": "public", "namespace": "infra"}]
    assert route["spec"]["hostnames"] == ["api.example.com"]
    backends = [(b["name"], b["port"], b["weight"]) for b in route["spec"]["rules"][0]["backendRefs"]]
    assert backends == [("web-stable", 8080, 100), ("web-canary", 8080, 0)]
    canary = canary_of(world)
    assert (canary["dynamicStableScale"], canary["abortScaleDownDelaySeconds"]) == (True, 45)
    assert canary["trafficRouting"] == {
        "plugins": {
            "argoproj-labs/gatewayAPI": {
                "httpRoutes": [{"name": "front", "useHeaderRoutes": True}],
                "namespace": "companyos",
            }
        },
        "managedRoutes": [{"name": "web-header"}],
    }
    assert [s for s in canary["steps"] if "analysis" not in s] == [
        {"setCanaryScale": {"replicas": 1}},
        {
            "setHeaderRoute": {
                "name": "web-header",
                "match": [{"headerName": "X-Canary", "headerValue": {"exact": "always"}}],
            }
        },
        {"pause": {}},
        {"setCanaryScale": {"replicas": 2}},
        {"setWeight": 1},
        {"setCanaryScale": {"weight": 20}},
        {"setWeight": 20},
    ]
    assert "analysis" not in canary, "nothing is judged in the background while only testers reach it"


def test_testers_reach_the_canary_before_anyone_else(routed: Callable[..., World]) -> None:
    traffic = "\n  gateway: {}\n  header: {X-Canary: always}\n  header_pause: manual"
    world = routed(traffic, "  - {weight: 50, pause: 2s}\n")
    assert world.canary("apply", "v1.0.0").code == ExitCode.OK
    assert world.canary("deploy", "v1.1.0", "--until", "paused").code == ExitCode.OK
    assert weight(world) == 0
    assert "all requests with X-Canary: always go to the canary" in world.canary("get").out
    rules = world.store.read(HTTPROUTES[0], "companyos", "web")["spec"]["rules"]
    assert [rule.get("name") for rule in rules if rule.get("name") == "web-header"]
    world.advance(5)
    assert world.canary("abort").code == ExitCode.OK
    assert "X-Canary" not in json.dumps(world.store.read(HTTPROUTES[0], "companyos", "web"))


def test_a_tester_never_finds_the_canary_without_a_pod(routed: Callable[..., World]) -> None:
    world = routed(
        "\n  istio: {}\n  header: {X-Canary: always}", "  - {weight: 10, pause: 5s}\n  - {weight: 50, pause: 5s}\n"
    )
    assert world.canary("apply", "v1.0.0").code == ExitCode.OK
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK
    met, end = False, world.now + timedelta(minutes=5)
    while world.now < end and not (met and world.rollout("web").is_fully_promoted):
        http = world.store.read(VIRTUALSERVICES[0], "companyos", "web")["spec"]["http"]
        routed_by_header = any(route.get("name") == "web-header" for route in http)
        met = met or routed_by_header
        assert not routed_by_header or world.rollout("web").updated_replicas >= 1
        world.advance(1, until_change=True)
    assert met


@pytest.mark.parametrize(
    ("traffic", "steps", "field", "said"),
    [
        ("gatway", STEPS, "traffic", "gateway"),
        ("{gateway: {}, istio: {}}", STEPS, "traffic", "one router"),
        ("{header: {a: b}}", STEPS, "traffic", "one router"),
        ("{gateway: {rout: x}}", STEPS, "traffic.gateway.rout", "route"),
        ("{nginx: {}, header: {a: b}}", STEPS, "traffic.header", "with `gateway`, `istio` or `alb`"),
        ("{traefik: {host: x.example.com}}", STEPS, "traffic.traefik.host", "of `traefik`"),
        ("{gateway: {existing: true, host: x.example.com}}", STEPS, "traffic.gateway.host", "nothing but `route`"),
        ("{gateway: {}, abort_delay: 0s}", STEPS, "traffic.abort_delay", "at least `1s`"),
        ("gateway", "  - {weight: 10, pods: 250%, pause: 2s}\n", "steps[0].pods", "a share of the replicas"),
        ("{gateway: {}, header: {X-Canary: true}}", STEPS, "traffic.header.X-Canary", "the text that the header"),
        ("{gateway: {}, header: {a b: x}}", STEPS, "traffic.header.a b", "a name of letters"),
        ("{gateway: {parent: a/b/c}}", STEPS, "traffic.gateway.parent", "such as `infra/public`"),
        ("{gateway: {host: 'http://x'}}", STEPS, "traffic.gateway.host", "a host name"),
        ("{nginx: {class: A B}}", STEPS, "traffic.nginx.class", "the class of the Ingress"),
        ("{gateway: {}, header_pause: 5m}", STEPS, "traffic.header_pause", "together with `header`"),
        ("null", "  - {weight: 10, pods: 2, pause: 2s}\n", "steps[0].pods", "together with `traffic`"),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_line(
    routed: Callable[..., World], traffic: str, steps: str, field: str, said: str
) -> None:
    ran = routed(traffic, steps).canary("render", "v1.0.0")
    assert ran.code == ExitCode.USAGE
    assert f"field `{field}`" in ran.err
    assert said in ran.err


def test_a_route_of_someone_else_is_left_alone_and_what_it_lacks_is_named(routed: Callable[..., World]) -> None:
    world = routed("gateway")
    backends = [{"name": "web-stable", "port": 8080}]
    spec = {"parentRefs": [{"name": "public"}], "rules": [{"backendRefs": backends}]}
    made = world.store.create(HTTPROUTES[0], {"metadata": {"name": "web", "namespace": "companyos"}, "spec": spec})
    ran = world.canary("apply", "v1.0.0", "--no-wait")
    assert ran.code == ExitCode.OK, ran
    assert "HTTPRoute web exists and is left as it is, but it does not name `web-canary`" in ran.err
    there = world.store.read(HTTPROUTES[0], "companyos", "web")
    assert there["spec"]["parentRefs"] == made["spec"]["parentRefs"]


def test_a_route_that_exists_is_not_rendered_and_its_backends_are_named(routed: Callable[..., World]) -> None:
    world = routed("{gateway: {existing: true}}")
    ran = world.canary("render", "v1.0.0")
    assert "HTTPRoute" not in ran.out
    assert "its backends have to name `web-stable` and `web-canary`" in ran.err


def test_apply_says_what_the_controller_lacks_or_that_it_cannot_see_it(routed: Callable[..., World]) -> None:
    world = routed("gateway")
    assert "cannot see whether the controller has the plugin" in world.canary("apply", "v1.0.0", "--dry-run").err
    config = {"metadata": {"name": "argo-rollouts-config", "namespace": "argo-rollouts"}, "data": {}}
    world.store.create(CONFIGMAP, config)
    assert "the controller has no plugin argoproj-labs/gatewayAPI" in world.canary("apply", "v1.0.0", "--dry-run").err


def test_what_an_autoscaler_makes_of_the_steps_is_said(tmp_path: Path) -> None:
    config = CONFIG.replace("replicas: 4", "replicas: null").replace("TRAFFIC", "traffic: istio") + STEPS
    ran = World(tmp_path, config).canary("render", "v1.0.0")
    assert "replicas" not in list(yaml.safe_load_all(ran.out))[-1]["spec"]
    assert "a stabilization window that is longer than a step" in ran.err


def test_argo_cd_is_told_to_ignore_what_the_controller_writes_and_nothing_else(routed: Callable[..., World]) -> None:
    ran = routed("{gateway: {}, header: {a: b}}").canary("render", "--argocd")
    assert ran.code == ExitCode.OK
    part = yaml.safe_load(ran.out)["spec"]
    assert part["syncPolicy"] == {"syncOptions": ["RespectIgnoreDifferences=true"]}
    by_kind = {(i["kind"], i["name"]): i for i in part["ignoreDifferences"]}
    hashes = ["/spec/selector/rollouts-pod-template-hash"]
    assert by_kind["Service", "web-canary"]["jsonPointers"] == hashes
    assert by_kind["HTTPRoute", "web"]["jqPathExpressions"] == [
        ".spec.rules[].backendRefs[].weight",
        '.spec.rules[] | select(.name == "web-header")',
    ]
    assert "gatewayapi-canary" not in ran.out, "an expression by that label is out of sync for ever"


def test_argo_cd_ignores_all_that_the_controller_writes_into_the_ingress_of_an_alb(
    routed: Callable[..., World],
) -> None:
    world = routed("{alb: {host: api.example.com}, header: {a: b}}")
    (before,) = [obj for obj in rendered(world) if obj["kind"] == "Ingress"]
    ran = world.canary("render", "--argocd")
    (told,) = [i for i in yaml.safe_load(ran.out)["spec"]["ignoreDifferences"] if i["kind"] == "Ingress"]
    assert world.canary("apply", "v1.0.0").code == ExitCode.OK
    assert world.canary("deploy", "v1.1.0", "--until", "paused").code == ExitCode.OK
    after = world.store.read(INGRESS, "companyos", "web")
    written = set(after["metadata"]["annotations"]) - set(before["metadata"].get("annotations") or {})
    keys = {e.removeprefix('.metadata.annotations["').removesuffix('"]') for e in told["jqPathExpressions"]}
    assert {"rollouts.argoproj.io/managed-alb-annotations", *written} <= keys
    paths = [p["backend"]["service"]["name"] for p in after["spec"]["rules"][0]["http"]["paths"]]
    assert paths == ["web-header", "web"]
    assert '.spec.rules[].http.paths[] | select(.backend.service.name == "web-header")' in told["jqPathExpressions"]


def test_without_a_router_there_is_nothing_for_argo_cd_to_ignore(routed: Callable[..., World]) -> None:
    ran = routed("null", "  - {weight: 10, pause: 2s}\n").canary("render", "--argocd")
    assert (ran.code, "writes nothing that Argo CD would put back" in ran.err) == (ExitCode.USAGE, True)


def test_an_ingress_of_nginx_keeps_to_the_stable_service(routed: Callable[..., World]) -> None:
    world = routed("{nginx: {host: api.example.com, class: internal}}")
    assert world.canary("apply", "v1.0.0").code == ExitCode.OK
    ingress = world.store.read(INGRESS, "companyos", "web")
    assert ingress["spec"]["ingressClassName"] == "internal"
    assert ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] == "web-stable"
    assert world.store.read(SERVICE, "companyos", "web-stable")


def test_doctor_looks_at_the_route_before_a_release(routed: Callable[..., World]) -> None:
    world = routed("istio")
    assert world.canary("apply", "v1.0.0").code == ExitCode.OK
    assert "VirtualService web names web-stable and web-canary" in world.canary("doctor").out
    there = world.store.read(VIRTUALSERVICES[0], "companyos", "web")
    spec = {**there["spec"], "http": [{"route": [{"destination": {"host": "web-stable"}}]}]}
    world.store.update(VIRTUALSERVICES[0], {**there, "spec": spec})
    assert "VirtualService web does not name web-canary" in world.canary("doctor").out
    world.store.delete(VIRTUALSERVICES[0], "companyos", "web")
    ran = world.canary("doctor")
    assert "VirtualService web does not exist: nothing splits the traffic" in ran.out
    assert ran.code == ExitCode.DEGRADED


def test_what_nginx_leaves_behind_is_named(routed: Callable[..., World]) -> None:
    world = routed("nginx")
    assert world.canary("apply", "v1.0.0").code == ExitCode.OK
    assert world.canary("deploy", "v1.1.0", "--until", "paused").code == ExitCode.OK
    assert world.canary("promote", "--full", "--reason", "moves", "--yes").code == ExitCode.OK
    world.advance(60)
    assert "stays behind" not in world.canary("apply").err
    without = (world.folder / "canary.yaml").read_text().replace("traffic: nginx\n", "").replace(", pods: 30%", "")
    (world.folder / "canary.yaml").write_text(without)
    ran = world.canary("apply")
    assert ran.code == ExitCode.OK, ran
    assert "Ingress web-web-canary stays behind, with its last weight" in ran.err
    assert world.store.read(INGRESS, "companyos", "web-web-canary")
