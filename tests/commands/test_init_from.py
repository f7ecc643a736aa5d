"""`canary init --from ROLLOUT`: adopting what is there, so that the first apply changes nothing."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.config import Settings, load
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request
from companyos_canary.render.objects import objects
from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.faults.injection import Faulty
from companyos_canary.sandbox.kinds import ANALYSISTEMPLATE, AUTOSCALER, DEPLOYMENT, ROLLOUT, SERVICE
from tests.world import World

API: dict[str, Any] = {"name": "api", "image": "registry.example.com:5000/shop/api:v7"}
WEB = {"ports": [{"containerPort": 8080}]}
STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}]

POD_SPECS: dict[str, dict[str, Any]] = {
    "plain": {"containers": [{**API, **WEB}]},
    "no ports": {"containers": [API]},
    "resources added by the controller": {"containers": [{**API, **WEB, "resources": {}}]},
    "named ports": {
        "containers": [
            {
                **API,
                "ports": [
                    {"name": "web", "containerPort": 9000, "protocol": "TCP"},
                    {"name": "metrics", "containerPort": 9090},
                ],
            }
        ]
    },
    "probes and resources": {
        "containers": [
            {
                **API,
                **WEB,
                "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5},
                "livenessProbe": {"exec": {"command": ["cat", "/tmp/ok"]}},
                "startupProbe": {"tcpSocket": {"port": 8080}, "failureThreshold": 30},
                "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "1Gi"}},
            }
        ]
    },
    "environment": {
        "containers": [
            {
                **API,
                **WEB,
                "command": ["/api"],
                "args": ["--verbose", "--level=1"],
                "env": [
                    {"name": "LOG_LEVEL", "value": "info"},
                    {"name": "EMPTY", "value": ""},
                    {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}},
                ],
                "envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}],
            }
        ]
    },
    "volumes": {
        "containers": [
            {
                **API,
                **WEB,
                "volumeMounts": [
                    {"name": "cache", "mountPath": "/cache"},
                    {"name": "settings", "mountPath": "/etc/api", "readOnly": True},
                ],
            }
        ],
        "volumes": [
            {"name": "cache", "emptyDir": {}},
            {"name": "settings", "configMap": {"name": "settings", "defaultMode": 420}},
        ],
    },
    "init containers and sidecars": {
        "initContainers": [
            {"name": "migrate", "image": "migrate:v1", "command": ["migrate", "up"]},
            {"name": "proxy", "image": "proxy:v3", "restartPolicy": "Always"},
        ],
        "containers": [{**API, **WEB}, {"name": "agent", "image": "agent:v2", "ports": [{"containerPort": 9102}]}],
    },
    "security and placement": {
        "serviceAccountName": "api",
        "securityContext": {"runAsNonRoot": True, "fsGroup": 2000},
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"disk": "ssd"},
        "terminationGracePeriodSeconds": 60,
        "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 1,
                        "podAffinityTerm": {
                            "labelSelector": {"matchLabels": {"app": "api"}},
                            "topologyKey": "kubernetes.io/hostname",
                        },
                    }
                ]
            }
        },
        "containers": [
            {
                **API,
                **WEB,
                "imagePullPolicy": "Always",
                "securityContext": {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
                "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
            }
        ],
    },
}

STRATEGIES: dict[str, dict[str, Any]] = {
    "pauses": {
        "steps": [
            {"setWeight": 20},
            {"pause": {}},
            {"setWeight": 40},
            {"pause": {"duration": 10}},
            {"setWeight": 60},
            {"pause": {"duration": "10m"}},
        ]
    },
    "as canary writes them": {"steps": [{"setWeight": 20}, {"pause": {"duration": "10m"}}]},
    "analysis": {
        "maxSurge": "50%",
        "maxUnavailable": 1,
        "analysis": {"templates": [{"templateName": "success-rate"}], "startingStep": 2},
        "steps": [
            {"setWeight": 20},
            {
                "analysis": {
                    "templates": [{"templateName": "success-rate"}],
                    "args": [{"name": "service", "value": "api"}],
                }
            },
            {"setWeight": 100},
            {"pause": {"duration": 5}},
        ],
    },
    "no steps": {"maxSurge": 1},
    "pause first": {"steps": [{"pause": {}}, {"setWeight": 50}, {"setWeight": 20}]},
    "anti-affinity": {"antiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}, "steps": STEPS},
    "traffic routing": {
        "canaryService": "api-canary",
        "stableService": "api-stable",
        "trafficRouting": {"nginx": {"stableIngress": "api"}, "maxTrafficWeight": 200},
        "steps": [{"setCanaryScale": {"weight": 50}}, {"setWeight": 5}, {"pause": {}}],
    },
    "weights of 1000": {
        "canaryService": "api-canary",
        "stableService": "api-stable",
        "trafficRouting": {"nginx": {"stableIngress": "api"}, "maxTrafficWeight": 1000},
        "steps": [{"setWeight": 5}, {"pause": {}}, {"setWeight": 500}, {"pause": {"duration": "10m"}}],
    },
}


def live(
    pod: dict[str, Any], *, labels: dict[str, str] | None = None, strategy: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    chosen = labels or {"app": "api"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "api", "namespace": "companyos"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": chosen},
            "strategy": strategy or {"canary": {"steps": STEPS}},
            "template": {
                "metadata": {"labels": {**chosen, "team": "shop"}, "annotations": {"note": "a b"}},
                "spec": pod,
            },
            **spec,
        },
    }


@pytest.fixture
def bare(tmp_path: Path) -> World:
    """A cluster that takes any Rollout and acts on none."""
    world = World(tmp_path, config="", controller=False)
    world.faults = Faulty(Api(world.store).handle, sleep=world.sleep)
    return world


def adopt(world: World, rollout: dict[str, Any]) -> dict[str, Any]:
    """Adopts it, and applies what was written: nothing of the Rollout may change."""
    world.store.create(ROLLOUT, copy.deepcopy(rollout))
    before = world.store.read(ROLLOUT, "companyos", "api")
    ran = world.canary("init", "--from", "api", "-n", "companyos")
    assert ran.code == ExitCode.OK, ran
    dry = world.canary("apply", "--dry-run")
    assert dry.code == ExitCode.OK, dry
    assert "Rollout api: unchanged" in dry.out
    applied = world.canary("apply", "--no-wait")
    assert applied.code == ExitCode.OK, applied
    after = world.store.read(ROLLOUT, "companyos", "api")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    found: dict[str, Any] = yaml.safe_load((world.folder / "canary.yaml").read_text())
    return found


@pytest.mark.parametrize("pod", POD_SPECS.values(), ids=POD_SPECS)
def test_whatever_pod_it_has_is_rendered_again(bare: World, pod: dict[str, Any]) -> None:
    written = adopt(bare, live(pod))
    assert (written["rollout"], written["image"]) == ("api", "registry.example.com:5000/shop/api")
    assert written["replicas"] == 3


@pytest.mark.parametrize("canary", STRATEGIES.values(), ids=STRATEGIES)
def test_whatever_canary_it_has_is_kept(bare: World, canary: dict[str, Any]) -> None:
    adopt(bare, live(POD_SPECS["plain"], strategy={"canary": canary}))


def test_what_canary_yaml_can_say_is_in_it_and_only_the_rest_in_the_merge_file(bare: World) -> None:
    canary = STRATEGIES["as canary writes them"]
    written = adopt(bare, live(POD_SPECS["probes and resources"], strategy={"canary": canary}))
    assert written["steps"] == [{"weight": 20, "pause": "10m"}]
    (container,) = written["pod"]["containers"]
    assert container["readinessProbe"]["periodSeconds"] == 5
    assert "image" not in container
    patch = yaml.safe_load((bare.folder / "canary.rollout.yaml").read_text())
    assert "steps" not in patch["spec"]["strategy"]["canary"]
    assert "template" not in patch["spec"]
    assert written["merge"] == ["canary.rollout.yaml"]


@pytest.mark.parametrize(
    "labels",
    [{"app.kubernetes.io/name": "api"}, {"app": "other"}, {"app": "api", "tier": "web"}],
    ids=["no label app", "another app", "two labels"],
)
def test_whatever_labels_choose_its_pods(bare: World, labels: dict[str, str]) -> None:
    adopt(bare, live(POD_SPECS["plain"], labels=labels))


JUDGED: dict[str, Any] = {"steps": [{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "theirs"}]}}]}


@pytest.mark.parametrize(
    "strategy",
    [
        *({"canary": canary} for canary in STRATEGIES.values()),
        {"canary": JUDGED},
        {"blueGreen": {"activeService": "api", "previewService": "api-preview", "autoPromotionEnabled": False}},
        {"blueGreen": {"activeService": "api", "postPromotionAnalysis": JUDGED["steps"][1]["analysis"]}},
    ],
    ids=str,
)
def test_adopting_adds_nothing_that_was_not_there(bare: World, strategy: dict[str, Any]) -> None:
    written = adopt(bare, live(POD_SPECS["plain"], strategy=strategy))
    assert written["manage"] == "rollout"
    assert bare.store.items(SERVICE, "companyos") == []
    assert bare.store.items(ANALYSISTEMPLATE, "companyos") == []
    assert "links" not in written
    assert "it has no metrics" in bare.canary("metrics").err


def test_the_number_of_pods_is_left_to_an_autoscaler_that_is_there(bare: World) -> None:
    target = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "api"}
    spec = {"scaleTargetRef": target, "maxReplicas": 9}
    bare.store.create(AUTOSCALER, {"metadata": {"name": "api", "namespace": "companyos"}, "spec": spec})
    assert adopt(bare, live(POD_SPECS["plain"]))["replicas"] is None


def test_for_an_ingress_of_nginx_the_route_that_takes_its_place_is_offered(bare: World) -> None:
    bare.store.create(ROLLOUT, live(POD_SPECS["plain"], strategy={"canary": STRATEGIES["traffic routing"]}))
    ran = bare.canary("init", "--from", "api", "-n", "companyos")
    assert "`traffic: gateway` in a canary.yaml of your own renders an HTTPRoute" in ran.err


def test_a_service_of_its_name_stays_as_it_is(bare: World) -> None:
    ports = [{"name": "web", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    service = {
        "metadata": {"name": "api", "namespace": "companyos"},
        "spec": {"selector": {"app": "api", "tier": "web"}, "ports": ports},
    }
    bare.store.create(SERVICE, {"apiVersion": "v1", "kind": "Service", **service})
    adopt(bare, live(POD_SPECS["plain"]))
    made = bare.store.read(SERVICE, "companyos", "api")
    assert (made["spec"]["selector"], made["spec"]["ports"]) == (service["spec"]["selector"], ports)


def test_deadlines_histories_and_what_is_set_for_the_moment(bare: World) -> None:
    written = adopt(
        bare,
        live(
            POD_SPECS["plain"],
            progressDeadlineSeconds=300,
            revisionHistoryLimit=2,
            minReadySeconds=5,
            rollbackWindow={"revisions": 3},
            paused=True,
            restartAt="2026-03-01T10:00:00Z",
        ),
    )
    assert written["progress_deadline"] == "5m"
    assert "paused" not in (bare.folder / "canary.rollout.yaml").read_text()


def test_a_rollout_with_a_workload_ref_keeps_it(bare: World) -> None:
    template = live(POD_SPECS["plain"])["spec"]["template"]
    bare.store.create(
        DEPLOYMENT,
        {
            "metadata": {"name": "api", "namespace": "companyos"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "api"}}, "template": template},
        },
    )
    referring = live({})
    del referring["spec"]["template"]
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
    referring["spec"]["workloadRef"] = reference
    written = adopt(bare, referring)
    assert "pod" not in written
    assert written["image"] == "registry.example.com:5000/shop/api"


@pytest.mark.parametrize(
    ("rollout", "words"),
    [
        (live({"containers": [{"name": "proxy", "image": "p:1"}, API]}), "is not its first"),
        (
            live(
                {
                    "containers": [
                        {
                            **API,
                            "ports": [
                                {"containerPort": 53, "protocol": "TCP"},
                                {"containerPort": 53, "protocol": "UDP"},
                            ],
                        }
                    ]
                }
            ),
            "cannot be written",
        ),
    ],
    ids=["the order of containers", "a port twice"],
)
def test_what_cannot_be_adopted_is_refused_and_nothing_is_written(
    bare: World, rollout: dict[str, Any], words: str
) -> None:
    bare.store.create(ROLLOUT, rollout)
    ran = bare.canary("init", "--from", "api", "-n", "companyos")
    assert ran.code == ExitCode.REFUSED, ran
    assert words in ran.err
    assert not list(bare.folder.iterdir())


def test_nothing_is_overwritten_and_nothing_left_half_done(bare: World) -> None:
    bare.store.create(ROLLOUT, live(POD_SPECS["plain"]))
    (bare.folder / "canary.rollout.yaml").write_text("mine")
    ran = bare.canary("init", "--from", "api", "-n", "companyos")
    assert ran.code == ExitCode.USAGE
    assert "`canary.rollout.yaml` already exists" in ran.err
    assert [p.name for p in bare.folder.iterdir()] == ["canary.rollout.yaml"]
    assert (bare.folder / "canary.rollout.yaml").read_text() == "mine"
    assert bare.canary("init", "--from", "api", "-n", "companyos", "-f", "b.yaml").code == 0


def test_what_is_not_there_is_not_found(bare: World) -> None:
    ran = bare.canary("init", "--from", "api", "-n", "companyos")
    assert ran.code == ExitCode.NOT_FOUND
    assert bare.canary("init", "api", "--from", "api").code == ExitCode.USAGE


def test_what_canary_installed_itself_comes_back(world: World) -> None:
    (world.folder / "canary.yaml").unlink()
    ran = world.canary("init", "--from", "companyos-api", "-n", "companyos")
    assert ran.code == ExitCode.OK, ran
    dry = world.canary("apply", "--dry-run")
    assert dry.out.splitlines() == [
        "AnalysisTemplate companyos-api-6s: unchanged",
        "Service companyos-api: unchanged",
        "Rollout companyos-api: unchanged",
    ]
    assert {p.name for p in world.folder.iterdir()} == {
        "canary.yaml",
        "canary.rollout.yaml",
        "canary.analysistemplate.companyos-api-6s.yaml",
    }


def test_what_canary_rendered_with_defaults_needs_no_merge_file(bare: World) -> None:
    rendered = objects(
        load_text(bare, "schema: canary/v1\nrollout: api\nnamespace: companyos\nimage: shop/api\n"), "v1"
    )
    (bare.folder / "canary.yaml").unlink()
    written = adopt(bare, rendered[-1])
    assert [s["analysis"] for s in written["steps"]] == ["2m", "2m", "3m"]
    assert "merge" not in written
    assert "pod" not in written


def load_text(world: World, text: str) -> Settings:
    path = world.folder / "canary.yaml"
    path.write_text(text)
    return load(path)


RECORDED = Path(__file__).parents[1] / "conformance" / "scenarios"


@pytest.mark.parametrize(
    "recorded",
    [
        "background-analysis-failed",
        "no-steps",
        "one-replica",
        "seed-happy-path",
        "services-canary-stable",
        "timed-pauses",
        "workload-ref",
    ],
)
def test_a_recorded_rollout_is_adopted_without_a_change(tmp_path: Path, recorded: str) -> None:
    world = World(tmp_path, config="")
    text = (RECORDED / recorded / "manifests.yaml").read_text()
    text = text.replace("$PROMETHEUS", "http://prometheus.monitoring:9090")
    for found in yaml.safe_load_all(text):
        group = f"/apis/{found['apiVersion']}" if "/" in found["apiVersion"] else "/api/v1"
        path = f"{group}/namespaces/companyos/{found['kind'].lower()}s"
        content = {"Content-Type": "application/json"}
        answer = world.answer(Request("POST", path, (), content, json.dumps(found).encode()))
        assert answer.status == 201
    world.advance(15)
    assert world.canary("init", "--from", "companyos-api", "-n", "companyos").code == ExitCode.OK
    ran = world.canary("apply", "--dry-run")
    assert "Rollout companyos-api: unchanged" in ran.out
    assert "starts a canary" not in ran.out


@pytest.mark.parametrize(
    ("selector", "metadata", "said"),
    [({}, {}, "its pod template has no labels"), ({}, {"metadata": {"labels": {"app": "b"}}}, "it has no selector")],
)
def test_a_rollout_that_no_pod_could_belong_to_is_refused(
    empty: World, selector: dict[str, Any], metadata: dict[str, Any], said: str
) -> None:
    template = {**metadata, "spec": {"containers": [{"name": "api", "image": "r/b:dev"}]}}
    spec = {**selector, "replicas": 1, "template": template, "strategy": {"canary": {"steps": [{"setWeight": 100}]}}}
    empty.store.create(ROLLOUT, {"metadata": {"name": "billing", "namespace": "companyos"}, "spec": spec})
    (empty.folder / "canary.yaml").unlink()
    ran = empty.canary("init", "--from", "billing", "-n", "companyos")
    assert ran.code == ExitCode.REFUSED, ran
    assert f"`billing` is invalid: {said}" in ran.err
