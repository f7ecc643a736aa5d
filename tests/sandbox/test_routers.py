"""Every router of the sandbox takes the weights into its own objects, and the routes of a step."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct

from companyos_canary.model.image import HASH_LABEL
from companyos_canary.sandbox.kinds import (
    APISIXROUTES,
    DESTINATIONRULES,
    HTTPROUTES,
    INGRESS,
    MAPPINGS,
    MESHNODES,
    MESHROUTERS,
    MESHSERVICES,
    SERVICE,
    TRAEFIKSERVICES,
    TRAFFICSPLITS,
    VIRTUALSERVICES,
    Kind,
)
from tests.sandbox.stage import LABELS, Json, Stage

NS = "default"
HEADERS = [{"headerName": "X-Canary", "headerValue": {"exact": "always"}}]
HEADER: Json = {"setHeaderRoute": {"name": "testers", "match": HEADERS}}
MIRROR: Json = {"setMirrorRoute": {"name": "copies", "percentage": 30, "match": [{"method": {"exact": "GET"}}]}}
MANAGED = [{"name": "testers"}, {"name": "copies"}]
BACKENDS = [{"name": "stable", "port": 80}, {"name": "canary", "port": 80}]
TO = [{"destination": {"host": "stable"}, "weight": 100}, {"destination": {"host": "canary"}, "weight": 0}]
PATH = {"path": "/", "backend": {"service": {"name": "root", "port": {"name": "use-annotation"}}}}
FORWARD = "alb.ingress.kubernetes.io/actions.root"


class Case(Struct, frozen=True):
    """`objects` are there before; `weight` reads the canary's weight out of the first one, `routes`
    the names of the header and mirror routes."""

    routing: Json
    objects: list[tuple[Kind, str, Json]]
    weight: Callable[[Stage], int]
    routes: Callable[[Stage], list[str]] | None = None
    mirrors: bool = False


def spec(stage: Stage, kind: Kind, name: str) -> Any:
    return stage.store.read(kind, NS, name)["spec"]


def http(stage: Stage) -> list[Json]:
    found: list[Json] = spec(stage, VIRTUALSERVICES[0], "web")["http"]
    return found


def of_istio(stage: Stage) -> int:
    return int(http(stage)[-1]["route"][1]["weight"])


def of_gateway(stage: Stage) -> int:
    rules = spec(stage, HTTPROUTES[0], "web")["rules"]
    return int(rules[0]["backendRefs"][1].get("weight", 0))


def of_alb(stage: Stage) -> int:
    annotations = stage.store.read(INGRESS, NS, "web")["metadata"].get("annotations") or {}
    groups = json.loads(annotations[FORWARD])["ForwardConfig"]["TargetGroups"]
    assert sum(group["Weight"] for group in groups) == 100
    return int(groups[0]["Weight"])


def of_smi(stage: Stage) -> int:
    return int(spec(stage, TRAFFICSPLITS[0], "companyos-api")["backends"][0]["weight"])


def of_ambassador(stage: Stage) -> int:
    found = stage.store.get(MAPPINGS[0], NS, "web-canary")
    return int(found["spec"]["weight"]) if found else 0


def of_mesh(stage: Stage) -> int:
    route = spec(stage, MESHROUTERS[0], "router")["routes"][0]
    return int(route["httpRoute"]["action"]["weightedTargets"][0]["weight"])


def headers_of_alb(stage: Stage) -> list[str]:
    paths = spec(stage, INGRESS, "web")["rules"][0]["http"]["paths"]
    return [p["backend"]["service"]["name"] for p in paths if p["backend"]["service"]["name"] != "root"]


MESH_TARGETS = [{"virtualNodeRef": {"name": f"{side}-node"}, "weight": 0} for side in ("canary", "stable")]
CASES = {
    "istio": Case(
        {"istio": {"virtualService": {"name": "web"}}},
        [(VIRTUALSERVICES[0], "web", {"hosts": ["web"], "http": [{"name": "primary", "route": TO}]})],
        of_istio,
        lambda stage: [r["name"] for r in http(stage) if r["name"] != "primary"],
        mirrors=True,
    ),
    "gateway": Case(
        {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoutes": [{"name": "web", "useHeaderRoutes": True}]}}},
        [(HTTPROUTES[0], "web", {"rules": [{"matches": [{"path": {"value": "/"}}], "backendRefs": BACKENDS}]})],
        of_gateway,
        lambda stage: [r["name"] for r in spec(stage, HTTPROUTES[0], "web")["rules"] if "name" in r],
    ),
    "alb": Case(
        {"alb": {"ingress": "web", "servicePort": 80, "rootService": "root"}},
        [(INGRESS, "web", {"rules": [{"http": {"paths": [PATH]}}]})],
        of_alb,
        headers_of_alb,
    ),
    "traefik": Case(
        {"traefik": {"weightedTraefikServiceName": "web"}},
        [(TRAEFIKSERVICES[0], "web", {"weighted": {"services": BACKENDS}})],
        lambda stage: int(spec(stage, TRAEFIKSERVICES[0], "web")["weighted"]["services"][1]["weight"]),
    ),
    "smi": Case({"smi": {}}, [], of_smi),
    "apisix": Case(
        {"apisix": {"route": {"name": "web", "rules": ["all"]}}},
        [
            (
                APISIXROUTES[0],
                "web",
                {"http": [{"name": "all", "backends": [{"serviceName": "stable"}, {"serviceName": "canary"}]}]},
            )
        ],
        lambda stage: int(spec(stage, APISIXROUTES[0], "web")["http"][0]["backends"][1]["weight"]),
        lambda stage: [
            r["metadata"]["name"] for r in stage.store.items(APISIXROUTES[0]) if r["metadata"]["name"] != "web"
        ],
    ),
    "ambassador": Case(
        {"ambassador": {"mappings": ["web"]}},
        [(MAPPINGS[0], "web", {"prefix": "/", "service": "stable:80"})],
        of_ambassador,
    ),
    "appMesh": Case(
        {
            "appMesh": {
                "virtualService": {"name": "web"},
                "virtualNodeGroup": {
                    "canaryVirtualNodeRef": {"name": "canary-node"},
                    "stableVirtualNodeRef": {"name": "stable-node"},
                },
            }
        },
        [
            (MESHSERVICES[0], "web", {"provider": {"virtualRouter": {"virtualRouterRef": {"name": "router"}}}}),
            (MESHROUTERS[0], "router", {"routes": [{"httpRoute": {"action": {"weightedTargets": MESH_TARGETS}}}]}),
            (MESHNODES[0], "canary-node", {}),
            (MESHNODES[0], "stable-node", {}),
        ],
        of_mesh,
    ),
}


def stage_of(case: Case, steps: list[Json]) -> Stage:
    routing = copy.deepcopy({**case.routing, "managedRoutes": MANAGED})
    services = {"stableService": "stable", "canaryService": "canary"}
    stage = Stage(steps, canary={**services, "trafficRouting": routing})
    for service in ("stable", "canary", "root"):
        stage.create(SERVICE, service, {"spec": {"selector": dict(LABELS), "ports": [{"port": 80}]}})
    for kind, name, content in case.objects:
        stage.create(kind, name, {"spec": copy.deepcopy(content)})
    stage.run(5)
    return stage


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_router_follows_the_steps_up_and_an_abort_down(case: Case) -> None:
    stage = stage_of(case, [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}])
    assert (stage.phase, case.weight(stage)) == ("Healthy", 0)
    stage.set_image("v2")
    stage.run(5)
    assert case.weight(stage) == 20
    stage.promote()
    stage.run(5)
    assert case.weight(stage) == 60
    stage.abort()
    stage.act()
    assert case.weight(stage) == 0
    stage.retry()
    stage.run(5)
    stage.promote()
    stage.run(5)
    stage.promote()
    stage.run(60)
    assert (stage.phase, case.weight(stage), stage.sizes()) == ("Healthy", 0, [0, 5])
    assert stage.object["status"]["canary"]["weights"]["stable"]["weight"] == 100


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.routes], ids=[n for n in CASES if CASES[n].routes])
def test_a_header_route_is_there_until_the_abort(case: Case) -> None:
    assert case.routes is not None
    stage = stage_of(case, [{"setCanaryScale": {"replicas": 1}}, HEADER, {"pause": {}}])
    assert case.routes(stage) == []
    stage.set_image("v2")
    stage.run(5)
    assert (case.routes(stage), case.weight(stage), stage.sizes()) == (["testers"], 0, [5, 1])
    stage.abort()
    stage.act()
    assert case.routes(stage) == []


def test_a_mirror_route_sends_copies_to_the_canary() -> None:
    case = CASES["istio"]
    stage = stage_of(
        case, [{"setWeight": 20}, MIRROR, HEADER, {"pause": {}}, {"setMirrorRoute": {"name": "copies"}}, {"pause": {}}]
    )
    stage.set_image("v2")
    stage.run(5)
    first, second, primary = http(stage)
    assert (first["name"], second["name"], primary["name"]) == ("testers", "copies", "primary")
    assert (second["mirror"], second["mirrorPercentage"]) == ({"host": "canary"}, {"value": 30.0})
    assert second["route"] == primary["route"]
    assert first["match"] == [{"headers": {"X-Canary": {"exact": "always"}}}]
    stage.promote()
    stage.run(5)
    assert [r["name"] for r in http(stage)] == ["testers", "primary"]


def test_a_service_with_tls_routes_only_needs_no_http_route_of_that_name() -> None:
    case = Case(
        {"istio": {"virtualService": {"name": "web", "routes": ["primary"], "tlsRoutes": [{"port": 443}]}}},
        [(VIRTUALSERVICES[0], "web", {"tls": [{"match": [{"port": 443}], "route": TO}]})],
        lambda stage: int(spec(stage, VIRTUALSERVICES[0], "web")["tls"][0]["route"][1]["weight"]),
    )
    stage = stage_of(case, [{"setWeight": 20}, {"pause": {}}])
    stage.set_image("v2")
    stage.run(5)
    assert (case.weight(stage), stage.phase) == (20, "Paused - CanaryPauseStep")


def test_subsets_of_a_destination_rule_carry_the_hashes() -> None:
    to = [{"destination": {"host": "web", "subset": s}, "weight": w} for s, w in (("old", 100), ("new", 0))]
    rule = {"name": "web", "canarySubsetName": "new", "stableSubsetName": "old"}
    case = Case(
        {"istio": {"virtualService": {"name": "web"}, "destinationRule": rule}},
        [
            (VIRTUALSERVICES[0], "web", {"http": [{"name": "primary", "route": to}]}),
            (DESTINATIONRULES[0], "web", {"host": "web", "subsets": [{"name": "new"}, {"name": "old"}]}),
        ],
        of_istio,
    )
    stage = stage_of(case, [{"setWeight": 20}, {"pause": {}}])
    stage.set_image("v2")
    stage.run(5)
    hashes = {s["name"]: s["labels"][HASH_LABEL] for s in spec(stage, DESTINATIONRULES[0], "web")["subsets"]}
    assert hashes == {"new": stage.rollout.current_hash, "old": stage.rollout.stable_hash}
    assert of_istio(stage) == 20


def test_ping_and_pong_take_turns() -> None:
    routing = {"alb": {"ingress": "web", "servicePort": 80, "rootService": "root"}}
    pair = {"pingService": "ping", "pongService": "pong"}
    stage = Stage([{"setWeight": 20}, {"pause": {}}], canary={"trafficRouting": routing, "pingPong": pair})
    for service in ("ping", "pong", "root"):
        stage.create(SERVICE, service, {"spec": {"selector": dict(LABELS), "ports": [{"port": 80}]}})
    stage.create(INGRESS, "web", {"spec": {"rules": [{"http": {"paths": [PATH]}}]}})
    stage.run(5)
    for version, stable in (("v2", "ping"), ("v3", "pong")):
        before = stage.rollout.stable_hash
        stage.set_image(version)
        stage.run(5)
        selected = {n: spec(stage, SERVICE, n)["selector"].get(HASH_LABEL) for n in ("ping", "pong")}
        assert selected[stable] == before
        stage.promote()
        stage.run(60)
        assert stage.phase == "Healthy"
        after = stage.object["status"]["canary"]["stablePingPong"]
        assert after != stable
        assert spec(stage, SERVICE, after)["selector"][HASH_LABEL] == stage.rollout.stable_hash


@pytest.mark.parametrize("alone", [{"spec": {"rules": [{"backendRefs": BACKENDS[:1]}]}}, {"spec": {}}, {}], ids=str)
def test_a_route_that_does_not_lead_to_both_services_is_an_error_of_the_router(alone: Json) -> None:
    case = CASES["gateway"]
    stage = stage_of(case, [{"setWeight": 20}, {"pause": {}}])
    route = stage.store.read(HTTPROUTES[0], NS, "web")
    bare = {k: v for k, v in route.items() if k != "spec"}
    stage.store.update(HTTPROUTES[0], copy.deepcopy({**bare, **alone}))
    stage.set_image("v2")
    stage.run(5)
    assert stage.events("TrafficRoutingError")
    assert stage.rollout.step_index == 0
    stage.store.update(HTTPROUTES[0], {**stage.store.read(HTTPROUTES[0], NS, "web"), "spec": route["spec"]})
    stage.run(15)
    assert (case.weight(stage), stage.phase) == (20, "Paused - CanaryPauseStep")
