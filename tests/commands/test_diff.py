"""`canary diff`: only values that differ; nothing is sent, and the exit code says whether there are any."""

from pathlib import Path

import pytest

from companyos_canary.commands.diff import references
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Drop, Fault
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
