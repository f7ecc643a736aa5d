"""What makes a Rollout invalid, with the sentences that the controller and `lint` were recorded
to say."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.argo.validation import MANAGED_BY, first_fault, own_faults

FINE: dict[str, Any] = {
    "metadata": {"name": "shop"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "shop"}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "web", "image": "shop:1"}]},
        },
        "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}},
    },
}
STEP_KINDS = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause"
NONE_SET = (
    '"step.Experiment: true step.Pause: true step.SetWeight: true step.Analysis: true '
    "step.SetCanaryScale: true step.SetHeaderRoute: true step.SetMirrorRoute: true "
    'step.Plugin: true"'
)
TWO_SET = '"step.Experiment: false step.Pause: true step.SetWeight: true step.Analysis: false"'
SAME_SERVICES = (
    'spec.strategy.stableService: Invalid value: "one": This rollout uses the same service for '
    "the stable and canary services, but two different services are required."
)


def changed(path: str, value: Any) -> dict[str, Any]:
    """FINE with one field set; None removes it."""
    rollout = deepcopy(FINE)
    *keys, last = path.split(".")
    place = rollout
    for key in keys:
        place = place.setdefault(key, {})
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value
    return rollout


def no_template(name: str, cluster: bool) -> Mapping[str, Any] | None:
    return None


def no_service(name: str) -> Mapping[str, Any] | None:
    return None


def said(rollout: Mapping[str, Any]) -> str:
    fault = first_fault(rollout, no_template, no_service)
    return str(fault) if fault else ""


def test_a_plain_canary_is_valid() -> None:
    assert said(FINE) == ""


CANARY = "spec.strategy.canary"


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("spec.selector", None, "spec.selector: Required value: Rollout has missing field '.spec.selector'"),
        ("spec.selector", {}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
        (
            "spec.selector.matchLabels",
            {"app": "other"},
            'spec.template.metadata.labels: Invalid value: {"app":"shop"}: `selector` does not match template `labels`',
        ),
        ("spec.template.spec.containers", [], "spec.template.spec.containers: Required value"),
        (
            "spec.template.spec.restartPolicy",
            "Never",
            'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        ),
        ("spec.replicas", -1, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (
            "spec.minReadySeconds",
            600,
            "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
        ),
        (
            "spec.strategy",
            {},
            "spec.strategy.strategy: Required value: Rollout has missing field "
            "'.spec.strategy.canary or .spec.strategy.blueGreen'",
        ),
        (
            "spec.strategy.blueGreen",
            {},
            'spec.strategy.strategy: Invalid value: "blueGreen: true canary: true": '
            "Multiple Strategies can not be listed",
        ),
        (
            CANARY,
            {"maxSurge": 0, "maxUnavailable": 0},
            "spec.strategy.maxSurge: Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero",
        ),
        (CANARY, {"stableService": "one", "canaryService": "one"}, SAME_SERVICES),
        (
            f"{CANARY}.scaleDownDelaySeconds",
            30,
            "spec.strategy.scaleDownDelaySeconds: Invalid value: 30: "
            "Canary scaleDownDelaySeconds can only be used with traffic routing",
        ),
        (
            f"{CANARY}.dynamicStableScale",
            True,
            "spec.strategy.dynamicStableScale: Invalid value: true: "
            "Canary dynamicStableScale can only be used with traffic routing",
        ),
        (
            f"{CANARY}.steps",
            [{"setWeight": 120}],
            "spec.strategy.steps[0].setWeight: Invalid value: 120: SetWeight needs to be between 0 and 100",
        ),
        (
            f"{CANARY}.steps",
            [{"setWeight": 0}, {"setWeight": -1}],
            "spec.strategy.steps[1].setWeight: Invalid value: -1: SetWeight needs to be between 0 and 100",
        ),
        (
            f"{CANARY}.steps",
            [{"pause": {"duration": 0}}, {"pause": {"duration": -3}}],
            "spec.strategy.steps[1].pause.duration: Invalid value: -3: Duration needs to be greater than 0",
        ),
        (
            f"{CANARY}.steps",
            [{"pause": {"duration": "abc"}}],
            "spec.strategy.steps[0].pause.duration: Invalid value: -1: Duration needs to be greater than 0",
        ),
        (f"{CANARY}.steps", [{}], f"spec.strategy.steps[0]: Invalid value: {NONE_SET}: {STEP_KINDS}"),
        (
            f"{CANARY}.steps",
            [{"setWeight": 5, "pause": {}}],
            f"spec.strategy.steps[0]: Invalid value: {TWO_SET}: {STEP_KINDS}",
        ),
        (
            f"{CANARY}.steps",
            [{"setCanaryScale": {"weight": 5}}],
            "spec.strategy.trafficRouting: Required value: SetCanaryScale requires TrafficRouting to be set",
        ),
        (
            f"{CANARY}.steps",
            [{"experiment": {"templates": [{"weight": 5}]}}],
            "spec.strategy.steps[0].experiment.templates[0].weight: Invalid value: 5: "
            "Experiment template weight cannot be set unless TrafficRouting is enabled",
        ),
        (
            f"{CANARY}.stableService",
            "s",
            'spec.strategy.canary.stableService: Invalid value: "s": service "s" not found',
        ),
        (
            f"{CANARY}.steps",
            [{"pause": {}}, {"analysis": {"templates": [{"templateName": "t"}]}}],
            "spec.strategy.canary.steps[1].analysis.templates: Invalid value: \"t\": AnalysisTemplate 't' not found",
        ),
        (
            f"{CANARY}.analysis",
            {"templates": [{"templateName": "t", "clusterScope": True}]},
            "spec.strategy.canary.analysis.templates: Invalid value: \"t\": ClusterAnalysisTemplate 't' not found",
        ),
    ],
)
def test_a_fault_is_named_as_upstream_names_it(path: str, value: Any, text: str) -> None:
    assert said(changed(path, value)) == text


NGINX = {"nginx": {"stableIngress": "shop"}}
ISTIO = {"istio": {"virtualService": {"name": "shop"}}}
PAIR = {"canaryService": "can", "stableService": "sta"}
HEADER = {"setHeaderRoute": {"name": "h", "match": [{"headerName": "x", "headerValue": {"exact": "1"}}]}}


def own(strategy: Mapping[str, Any]) -> list[str]:
    return [str(fault) for fault in own_faults(changed("spec.strategy", strategy))]


@pytest.mark.parametrize(
    ("canary", "texts"),
    [
        (
            {"trafficRouting": NGINX},
            [
                f'spec.strategy.{name}: Invalid value: "": Canary service and Stable service must to be set to use '
                "Traffic Routing"
                for name in ("stableService", "canaryService")
            ],
        ),
        (
            {**PAIR, "trafficRouting": NGINX, "dynamicStableScale": True, "scaleDownDelaySeconds": 5},
            [
                "spec.strategy.dynamicStableScale: Invalid value: true: "
                "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds"
            ],
        ),
        (
            {**PAIR, "trafficRouting": NGINX, "steps": [HEADER]},
            [
                'spec.strategy.steps[0].setHeaderRoute: Invalid value: {"name":"h","match":[{"headerName":"x",'
                '"headerValue":{"exact":"1"}}]}: SetHeaderRoute requires TrafficRouting, supports Istio and ALB and '
                "Apisix",
                "spec.strategy.trafficRouting.managedRoutes: Required value: Rollout has missing field "
                "'spec.strategy.canary.trafficRouting.managedRoutes'",
            ],
        ),
        (
            {**PAIR, "trafficRouting": {**ISTIO, "managedRoutes": [{"name": "other"}]}, "steps": [HEADER]},
            [
                'spec.strategy.steps[0].setHeaderRoute: Invalid value: "h": Steps define a route that does not exist '
                "in spec.strategy.canary.trafficRouting.managedRoutes"
            ],
        ),
        ({**PAIR, "trafficRouting": {**ISTIO, "managedRoutes": [{"name": "h"}]}, "steps": [HEADER]}, []),
        ({"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop"}}}}, []),
        (
            {"antiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 0}}},
            ["spec.strategy.antiAffinity.weight: Invalid value: 0: AntiAffinity weight must be between 1-100"],
        ),
        (
            {"antiAffinity": {}},
            [
                'spec.strategy.antiAffinity: Invalid value: "antiAffinity.PreferredDuringSchedulingIgnoredDuring'
                'Execution: false antiAffinity.RequiredDuringSchedulingIgnoredDuringExecution: false": '
                "AntiAffinity must have exactly one strategy listed"
            ],
        ),
        (
            {"pingPong": {"pingService": "a", "pongService": "a"}},
            [
                'spec.strategy.pingPong.pingService: Invalid value: "a": This rollout uses the same service for the '
                "ping and pong services, but two different services are required."
            ],
        ),
    ],
)
def test_what_a_router_needs_is_named_as_upstream_names_it(canary: Mapping[str, Any], texts: list[str]) -> None:
    assert own({"canary": canary}) == texts


@pytest.mark.parametrize(("services", "value"), [({}, ""), ({"activeService": "a", "previewService": "a"}, "a")])
def test_blue_green_needs_two_services(services: Mapping[str, str], value: str) -> None:
    assert own({"blueGreen": services}) == [
        f'spec.strategy.activeService: Invalid value: "{value}": This rollout uses the same service for the active '
        "and preview services, but two different services are required."
    ]


def test_blue_green_keeps_as_many_revisions_as_it_scales_down_late() -> None:
    rollout = changed("spec.strategy", {"blueGreen": {"activeService": "a", "scaleDownDelayRevisionLimit": 3}})
    assert [*own_faults(rollout)] == []
    rollout["spec"]["revisionHistoryLimit"] = 2
    assert [f.field for f in own_faults(rollout)] == ["spec.strategy.scaleDownDelayRevisionLimit"]


def test_all_faults_of_its_own_are_found_in_order() -> None:
    rollout = changed("spec.strategy.canary.steps", [{"setWeight": 101}, {"pause": {"duration": "x"}}])
    assert [f.field for f in own_faults(rollout)] == [
        "spec.strategy.steps[0].setWeight",
        "spec.strategy.steps[1].pause.duration",
    ]


@pytest.mark.parametrize(
    ("service", "text"),
    [
        ({"spec": {"selector": {"app": "shop"}}}, ""),
        ({"spec": {"selector": {"app": "shop", "rollouts-pod-template-hash": "abc"}}}, ""),
        (
            {"spec": {"selector": {"tier": "web"}}},
            'spec.strategy.canary.canaryService: Invalid value: "can": '
            'Service "can" has unmatch label "tier" in rollout',
        ),
    ],
)
def test_a_service_must_select_the_pods(service: dict[str, Any], text: str) -> None:
    rollout = changed("spec.strategy.canary.canaryService", "can")
    found = first_fault(rollout, no_template, lambda name: {"metadata": {}, **service})
    assert (str(found) if found else "") == text


def test_a_service_of_another_rollout_is_not_taken() -> None:
    rollout = changed("spec.strategy.canary.canaryService", "can")
    service = {"metadata": {"annotations": {MANAGED_BY: "other"}}, "spec": {}}
    found = first_fault(rollout, no_template, lambda name: service)
    assert found is not None
    assert "managed by another Rollout" in str(found)


def first(path: str, value: Any) -> str:
    return next((str(fault) for fault in own_faults(changed(path, value))), "")


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("spec.progressDeadlineSeconds", -1, "Invalid value: -1: must be greater than or equal to 0"),
        ("spec.progressDeadlineSeconds", 0, "Invalid value: 0: must be greater than minReadySeconds"),
        ("spec.template.metadata.labels", None, "Invalid value: null: `selector` does not match template `labels`"),
        (
            "spec.template.spec.activeDeadlineSeconds",
            5,
            "Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported",
        ),
    ],
)
def test_the_fields_of_every_rollout_are_looked_at(path: str, value: Any, text: str) -> None:
    assert first(path, value) == f"{path}: {text}"


def test_a_container_needs_an_image() -> None:
    assert first("spec.template.spec.containers", [{"name": "web"}]) == (
        "spec.template.spec.containers[0].image: Required value"
    )


def test_a_weight_is_measured_by_what_means_all_traffic() -> None:
    routing = {"nginx": {"stableIngress": "web"}, "maxTrafficWeight": 0}
    canary = {"canaryService": "c", "stableService": "s", "trafficRouting": routing, "steps": [{"setWeight": 20}]}
    assert own({"canary": canary}) == [
        "spec.strategy.steps[0].setWeight: Invalid value: 20: SetWeight needs to be between 0 and 0"
    ]


def routed(router: str, step: dict[str, Any]) -> list[str]:
    routing = {router: {"a/b": {}} if router == "plugins" else {}, "managedRoutes": [{"name": "r"}]}
    found = own({"canary": {"canaryService": "c", "stableService": "s", "trafficRouting": routing, "steps": [step]}})
    return [text.removeprefix("spec.strategy.steps[0].") for text in found]


@pytest.mark.parametrize(
    ("router", "value", "text"),
    [
        ("istio", {"exact": "a"}, ""),
        (
            "istio",
            {"regex": "a", "exact": "b"},
            'Invalid value: {"exact":"b","regex":"a"}: StringMatch match value must ',
        ),
        (
            "istio",
            {},
            "Invalid value: {}: StringMatch value missed, match value must have one of the following: exact, ",
        ),
        ("plugins", None, "Invalid value: null: StringMatch value missed"),
        ("alb", None, "Invalid value: null: StringMatch value missed"),
        ("alb", {"prefix": "a"}, 'Invalid value: {"prefix":"a"}: SetHeaderRoute match value invalid. ALB supports '),
        ("alb", {"exact": "a"}, ""),
    ],
)
def test_a_header_is_compared_in_one_way(router: str, value: Any, text: str) -> None:
    step = {"setHeaderRoute": {"name": "r", "match": [{"headerName": "x", "headerValue": value}]}}
    found = routed(router, step)
    assert bool(found) == bool(text)
    assert "".join(found).startswith(text and f"setHeaderRoute.match[0]: {text}")


def test_a_mirror_is_compared_in_one_way() -> None:
    match = [{"method": {"exact": "GET", "prefix": "G"}}, {"path": {}}]
    found = routed("istio", {"setMirrorRoute": {"name": "r", "match": match}})
    assert [text.split(":")[0] for text in found] == ["setMirrorRoute.match[0]", "setMirrorRoute.match[1]"]


def test_arguments_of_the_analyses_of_an_experiment_read_what_there_is() -> None:
    arg = {"name": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nothing"}}}
    step = {"experiment": {"templates": [], "analyses": [{"name": "a", "templateName": "a", "args": [arg]}]}}
    (text,) = own({"canary": {"steps": [step]}})
    assert text.startswith("spec.strategy.steps[0].analyses: Invalid value: ")


INVALID = yaml.safe_load((Path(__file__).parent / "fixtures" / "invalid.yaml").read_text())
RULES = [{"http": {"paths": [{"backend": {"service": {"name": "svc-a"}}}]}}]
INGRESSES = {"ing": {"spec": {"rules": RULES}}, "ing-other": {"spec": {}}}


@pytest.mark.parametrize("row", INVALID, ids=lambda row: row["says"][:70])
def test_the_controller_says_the_same_of_a_wrong_spec(row: dict[str, Any]) -> None:
    plain = {"template": {**FINE["spec"]["template"], "spec": {"containers": [{"name": "app", "image": "app:v1"}]}}}
    rollout = {"metadata": FINE["metadata"], "spec": {**FINE["spec"], **plain, **row["spec"]}}
    found = first_fault(
        rollout, no_template, lambda _: {"metadata": {}, "spec": {}}, lambda _, name: INGRESSES.get(name), plugins=False
    )
    assert str(found) == row["says"]


def test_since_1_10_plugins_may_mirror_requests_and_play_ping_pong() -> None:
    routing = {"plugins": {"argoproj-labs/gatewayAPI": {}}, "managedRoutes": [{"name": "m"}]}
    canary = {"trafficRouting": routing, "pingPong": {"pingService": "a", "pongService": "b"}}
    rollout = changed("spec.strategy", {"canary": {**canary, "steps": [{"setMirrorRoute": {"name": "m"}}]}})
    assert [*own_faults(rollout)] == []
    assert [f.detail.rpartition(", ")[2] for f in own_faults(rollout, plugins=False)] == [
        "Ping-pong feature works with the ALB and Istio traffic routers only",
        "supports Istio only",
    ]
