"""`canary diff`: only values that differ; nothing is sent, and the exit code says whether there are any."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.commands.diff import references
from companyos_canary.errors import ExitCode
from companyos_canary.render.difference import template_leaves
from companyos_canary.sandbox.faults.effects import Drop, Fault
from companyos_canary.view.leaf import leaf_lines
from tests.commands.conftest import changing, freeze, installed, paused_world
from tests.commands.test_apply import somebody_applies
from tests.world import MANUAL, World


def rewrite(world: World, before: str, after: str) -> None:
    path = world.folder / "canary.yaml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def test_nothing_differs_after_an_apply(world: World) -> None:
    ran = world.canary("diff")
    assert (ran.code, ran.out) == (ExitCode.OK, "")
    assert ran.err == "companyos-api in companyos @ sandbox is what canary.yaml renders\n"
    assert world.canary("diff", "v1.0.0").code == ExitCode.OK
    assert changing(world) == []


def test_each_value_that_differs_is_a_line(world: World) -> None:
    rewrite(world, "replicas: 10", "replicas: 12")
    rewrite(world, "{weight: 25,", "{weight: 30,")
    ran = world.canary("diff", "v1.1.0")
    assert ran.code == ExitCode.UNFINISHED
    assert ran.out.splitlines() == [
        "Rollout companyos-api: spec.replicas: 10 → 12",
        "Rollout companyos-api: spec.strategy.canary.steps[2].setWeight: 25 → 30",
        'Rollout companyos-api: spec.template.spec.containers[companyos-api].image: "companyos-api:v1.0.0" → '
        '"companyos-api:v1.1.0"',
    ]
    assert changing(world) == []


def test_json_has_the_same_values(world: World) -> None:
    rewrite(world, "replicas: 10", "replicas: 12")
    data = world.canary("diff", "-o", "json").json["data"]
    assert (data["between"], data["differs"], data["references"]) == ("live and rendered", True, [])
    assert [(o["kind"], o["change"]) for o in data["objects"]] == [
        ("AnalysisTemplate", "unchanged"),
        ("Service", "unchanged"),
        ("Rollout", "configured"),
    ]
    assert data["objects"][-1]["fields"] == [{"path": "spec.replicas", "from": 10, "to": 12}]


def test_what_does_not_exist_would_be_created(empty: World) -> None:
    ran = empty.canary("diff", "v1.0.0")
    assert ran.code == ExitCode.UNFINISHED
    assert ran.out.splitlines()[1:] == [
        "Service companyos-api: would be created",
        "Rollout companyos-api: would be created",
    ]
    assert empty.canary("diff").code == ExitCode.USAGE, "which version?"


def test_stable_and_canary_differ_in_the_image(tmp_path: Path) -> None:
    world = paused_world(tmp_path, MANUAL)
    ran = world.canary("diff", "--stable")
    assert ran.code == ExitCode.UNFINISHED
    assert ran.out == (
        "pod template companyos-api: spec.containers[companyos-api].image: "
        '"companyos-api:v1.0.0" → "companyos-api:v1.1.0"\n'
    )
    assert world.canary("diff", "--stable", "--rollout", "companyos-api").out == ran.out


POD = """
pod:
  containers:
    - name: companyos-api
      envFrom: [{configMapRef: {name: settings-1}}, {secretRef: {name: token}}]
"""


def test_the_names_of_configmaps_that_one_side_alone_uses_are_told(tmp_path: Path) -> None:
    world = installed(tmp_path, MANUAL + POD)
    rewrite(world, "settings-1", "settings-2")
    world.canary("apply", "v1.1.0", "--roll", "--no-wait")
    world.advance(3)
    ran = world.canary("diff", "--stable")
    assert ran.code == ExitCode.UNFINISHED
    assert ran.out.splitlines()[-2:] == [
        "ConfigMap settings-1: only stable uses it",
        "ConfigMap settings-2: only canary uses it",
    ]
    data = world.canary("diff", "--stable", "-o", "json").json["data"]
    assert data["references"] == [
        {"kind": "ConfigMap", "name": "settings-1", "side": "stable"},
        {"kind": "ConfigMap", "name": "settings-2", "side": "canary"},
    ]


def test_without_an_update_there_is_no_canary_to_compare_with(world: World) -> None:
    ran = world.canary("diff", "--stable")
    assert (ran.code, ran.out) == (ExitCode.OK, "")
    assert ran.err == "companyos-api has no canary to compare: no update is in progress\n"


def test_a_version_that_no_controller_has_seen_is_compared_too(world: World) -> None:
    freeze(world)
    world.canary("deploy", "v1.1.0", "--no-wait", "--timeout", "1s")
    ran = world.canary("diff", "--stable")
    assert ran.code == ExitCode.UNFINISHED
    assert '"companyos-api:v1.0.0" → "companyos-api:v1.1.0"' in ran.out


def test_a_version_does_not_go_with_stable(world: World) -> None:
    assert world.canary("diff", "v1.1.0", "--stable").code == ExitCode.USAGE
    assert world.canary("diff", "--rollout", "other").code == ExitCode.USAGE


def test_fields_of_another_manager_are_shown_and_told(world: World) -> None:
    somebody_applies(world, "gitops", {"spec": {"revisionHistoryLimit": 3}})
    ran = world.canary("diff")
    assert ran.code == ExitCode.UNFINISHED
    assert ran.out == "Rollout companyos-api: spec.revisionHistoryLimit: 3 → 10\n"
    assert "fields of Rollout companyos-api that `gitops` manages" in ran.err
    assert "pass --force to take over these fields" in ran.err
    assert changing(world) == []


def test_a_step_more_is_shown_and_the_others_are_not(world: World) -> None:
    rewrite(world, "  - {weight: 50, analysis: 6s}\n", "  - {weight: 50, analysis: 6s}\n  - {weight: 75, pause: 5m}\n")
    assert world.canary("diff").out == (
        "Rollout companyos-api: spec.strategy.canary.steps[6].setWeight: nothing → 75\n"
        'Rollout companyos-api: spec.strategy.canary.steps[7].pause.duration: nothing → "5m"\n'
    )


def test_what_may_not_be_read_or_does_not_exist_has_its_code(world: World) -> None:
    assert world.canary("diff", "--stable", "--rollout", "other").code == ExitCode.NOT_FOUND
    world.allowed = lambda asked: asked.resource != "replicasets"
    ran = world.canary("diff", "--stable")
    assert (ran.code, ran.out) == (ExitCode.DENIED, "")
    world.allowed = lambda asked: asked.verb == "get"
    assert world.canary("diff").code == ExitCode.DENIED, "the dry run needs the right to patch"


def test_a_server_that_does_not_answer_is_1(world: World) -> None:
    world.faults.add(Fault(Drop(), path="rollouts"))
    assert world.canary("diff").code == ExitCode.FAILED


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({}, set()),
        ({"imagePullSecrets": [{"name": "pull"}]}, {("Secret", "pull")}),
        (
            {"volumes": [{"configMap": {"name": "a"}}, {"secret": {"secretName": "b"}}]},
            {("ConfigMap", "a"), ("Secret", "b")},
        ),
        (
            {"volumes": [{"projected": {"sources": [{"configMap": {"name": "a"}}, {"secret": {"name": "b"}}]}}]},
            {("ConfigMap", "a"), ("Secret", "b")},
        ),
        (
            {
                "initContainers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "a"}}}]}],
                "containers": [{"env": [{"value": "x"}, {"valueFrom": {"secretKeyRef": {"name": "b"}}}]}],
            },
            {("ConfigMap", "a"), ("Secret", "b")},
        ),
    ],
)
def test_every_place_of_a_pod_that_names_a_configmap_or_secret_is_looked_at(spec, found) -> None:
    assert references({"spec": spec}) == found


QUERY = 'sum(rate(http_requests_total{namespace="shop",app="checkout",canary="true",code=~"5.."}[2m])) / '
SCRIPT = "set -e\n" + "".join(f"step {n}\n" for n in range(40)) + "exec server --port 8080\n"


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (10, 12, ["at: 10 → 12"]),
        ("a", None, ['at: "a" → nothing']),
        (
            QUERY + 'sum(rate(http_requests_total{canary="true"}[2m]))',
            QUERY.replace("5..", "[45]..") + 'sum(rate(http_requests_total{canary="true"}[2m]))',
            [
                'at: "…t",canary="true",code=~"5.."}[2m])) / sum(rate(ht…" → '
                '"…t",canary="true",code=~"[45].."}[2m])) / sum(rate(ht…"'
            ],
        ),
        (SCRIPT, SCRIPT.replace("step 7\n", "step seven\n"), ['at, line 9: "step 7" → "step seven"']),
        (SCRIPT, SCRIPT.replace("step 7\n", ""), ['at, line 9: "step 7" → nothing']),
        (SCRIPT, SCRIPT.replace("step 7\n", "step 7\nnap\n"), ['at, line 10: nothing → "nap"']),
        (
            [f"--flag-number-{n}" for n in range(9)],
            [f"--flag-number-{n}" for n in range(9) if n != 4],
            ['at[4]: "--flag-number-4" → nothing'],
        ),
        (
            "".join(f"line {n}\n" for n in range(40)),
            "".join(f"Line {n}\n" for n in range(40)),
            [*(f'at, line {n + 1}: "line {n}" → "Line {n}"' for n in range(6)), "at: 34 more differ"],
        ),
    ],
)
def test_of_a_long_value_only_what_differs_is_shown(old: object, new: object, lines: list[str]) -> None:
    told = leaf_lines("at", old, new)
    assert [line.replace('\\"', '"') for line in told] == lines


@given(st.text("ab\n", min_size=60), st.text("ab\n", min_size=60))
def test_texts_that_differ_always_show_a_difference(old: str, new: str) -> None:
    told = leaf_lines("at", old, new)
    assert told
    if old != new:
        assert all(line.partition(": ")[2].partition(" → ")[0] != line.rpartition(" → ")[2] for line in told[:6])


PODS = """metadata: {labels: {app: shop}}
spec:
  hostNetwork: true
  serviceAccountName: shop
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
  initContainers:
  - {name: migrate, image: "shop@sha256:4030"}
  containers:
  - name: shop
    image: registry:5000/shop
    ports: [{containerPort: 8080}]
    env:
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: CPUS, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
    livenessProbe: {grpc: {port: 9000}}
    readinessProbe: {httpGet: {port: 8080}}
    startupProbe: {tcpSocket: {port: 8080}, failureThreshold: 30}
    lifecycle: {preStop: {httpGet: {port: 8080}}}
  volumes:
  - {name: a, configMap: {name: a}}
  - {name: b, secret: {secretName: b}}
  - {name: c, projected: {sources: [{serviceAccountToken: {path: token}}, {configMap: {name: c}}]}}
  - {name: d, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  - {name: e, hostPath: {path: /e}}
  - {name: f, emptyDir: {}}
  - {name: g, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce]}}}}
"""
DEFAULTED = """metadata: {creationTimestamp: null, labels: {app: shop}}
spec:
  hostNetwork: true
  restartPolicy: Always
  dnsPolicy: ClusterFirst
  schedulerName: default-scheduler
  terminationGracePeriodSeconds: 30
  securityContext: {}
  serviceAccountName: shop
  serviceAccount: shop
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
  initContainers:
  - &more
    name: migrate
    image: "shop@sha256:4030"
    imagePullPolicy: IfNotPresent
    resources: {}
    terminationMessagePath: /dev/termination-log
    terminationMessagePolicy: File
  containers:
  - <<: *more
    name: shop
    image: registry:5000/shop
    imagePullPolicy: Always
    ports: [{containerPort: 8080, hostPort: 8080, protocol: TCP}]
    env:
    - {name: IP, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: status.podIP}}}
    - {name: CPUS, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: "0"}}}
    livenessProbe: {grpc: {port: 9000, service: ""}, PROBE, failureThreshold: 3}
    readinessProbe: {httpGet: {port: 8080, path: /, scheme: HTTP}, PROBE, failureThreshold: 3}
    startupProbe: {tcpSocket: {port: 8080}, PROBE, failureThreshold: 30}
    lifecycle: {preStop: {httpGet: {port: 8080, path: /, scheme: HTTP}}}
  volumes:
  - {name: a, configMap: {name: a, defaultMode: 420}}
  - {name: b, secret: {secretName: b, defaultMode: 420}}
  - name: c
    projected:
      defaultMode: 420
      sources: [{serviceAccountToken: {path: token, expirationSeconds: 3600}}, {configMap: {name: c}}]
  - name: d
    downwardAPI: {defaultMode: 420, items: [{path: labels, fieldRef: {apiVersion: v1, fieldPath: metadata.labels}}]}
  - {name: e, hostPath: {path: /e, type: ""}}
  - {name: f, emptyDir: {}}
  - name: g
    ephemeral:
      volumeClaimTemplate:
        metadata: {creationTimestamp: null}
        spec: {accessModes: [ReadWriteOnce], resources: {}, volumeMode: Filesystem}
""".replace("PROBE", "timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1")


def test_what_an_api_server_fills_into_a_pod_template_is_no_difference() -> None:
    bare, whole = yaml.safe_load(PODS), yaml.safe_load(DEFAULTED)
    assert [(leaf.path, leaf.old, leaf.new) for leaf in template_leaves(bare, whole)] == []
    whole["spec"]["containers"][0]["readinessProbe"]["timeoutSeconds"] = 2
    assert [leaf.path for leaf in template_leaves(bare, whole)] == [
        "spec.containers[shop].readinessProbe.timeoutSeconds"
    ]


def test_what_the_server_chooses_for_a_new_service_is_not_what_canary_yaml_says(empty: World) -> None:
    found = empty.canary("diff", "v1.0.0", "-o", "json").json["data"]["objects"]
    (service,) = (o for o in found if o["kind"] == "Service")
    paths = [f["path"] for f in service["fields"]]
    assert [p for p in paths if not p.startswith(("spec.ports", "spec.selector", "metadata.labels"))] == []
