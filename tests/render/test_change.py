"""What an apply would start, and what is no change although it differs."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from companyos_canary.config import StepSettings
from companyos_canary.render.difference import FieldChange, changes, keep_live_image
from companyos_canary.render.objects import objects
from tests.render.samples import SETTINGS, settings

PROBE = {"httpGet": {"path": "/healthz", "port": 8080}}
POD = {
    "containers": [
        {
            "name": "companyos-api",
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "readinessProbe": PROBE,
            "resources": {"limits": {"cpu": 1}},
        }
    ],
    "volumes": [{"name": "v", "configMap": {"name": "c"}}],
    "serviceAccountName": "sa",
}
WANTED = objects(settings(pod=POD), "v1")[-1]


def live() -> dict[str, Any]:
    return deepcopy(WANTED)


def test_an_equal_rollout_has_no_changes() -> None:
    assert changes(live(), WANTED) == ()


def test_what_servers_and_controllers_fill_in_is_no_change() -> None:
    found = live()
    template = found["spec"]["template"]
    template["metadata"]["creationTimestamp"] = None
    template["metadata"]["labels"] |= {"rollouts-pod-template-hash": "abc", "canary": "false"}
    spec = template["spec"]
    spec |= {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "securityContext": {}}
    spec |= {"schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30}
    spec |= {"serviceAccount": "sa"}
    spec["volumes"][0]["configMap"]["defaultMode"] = 420
    container = spec["containers"][0]
    container |= {"imagePullPolicy": "IfNotPresent", "terminationMessagePolicy": "File"}
    container["terminationMessagePath"] = "/dev/termination-log"
    container["resources"]["limits"]["cpu"] = "1"
    container["readinessProbe"] |= {"timeoutSeconds": 1, "periodSeconds": 10, "failureThreshold": 3}
    container["readinessProbe"]["httpGet"]["scheme"] = "HTTP"
    assert changes(found, WANTED) == ()
    assert changes(WANTED, found) == ()


def test_replicas_and_labels_of_the_rollout_start_nothing() -> None:
    found = live()
    found["spec"] |= {"replicas": 7, "revisionHistoryLimit": 3}
    found["metadata"]["labels"]["team"] = "a"
    found["status"] = {"phase": "Healthy"}
    assert changes(found, WANTED) == ()


CONTAINER = "spec.containers[companyos-api]"


@pytest.mark.parametrize(
    ("path", "value", "change"),
    [
        (("env", 1, "value"), "3", (f"{CONTAINER}.env[B].value", "3", "2")),
        (("image",), "companyos-api:v0", (f"{CONTAINER}.image", "companyos-api:v0", "companyos-api:v1")),
        (("imagePullPolicy",), "Always", (f"{CONTAINER}.imagePullPolicy", "Always", None)),
        (("readinessProbe", "periodSeconds"), 5, (f"{CONTAINER}.readinessProbe.periodSeconds", 5, None)),
        (("args",), ["--x"], (f"{CONTAINER}.args", ["--x"], None)),
    ],
)
def test_a_changed_field_is_named(path: tuple[Any, ...], value: Any, change: Any) -> None:
    found = live()
    at = found["spec"]["template"]["spec"]["containers"][0]
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    assert changes(found, WANTED) == (FieldChange("pod template", *change),)


def test_a_container_that_came_or_went_is_one_change() -> None:
    found = live()
    sidecar = {"name": "proxy", "image": "envoy"}
    found["spec"]["template"]["spec"]["containers"].append(sidecar)
    assert changes(found, WANTED) == (FieldChange("pod template", "spec.containers[proxy]", sidecar, None),)
    assert changes(WANTED, found)[0].wanted == sidecar


def test_changed_steps_are_named() -> None:
    longer = (*SETTINGS.steps, StepSettings(75, pause=timedelta(minutes=5)))
    wanted = objects(settings(pod=POD, steps=longer), "v1")[-1]
    assert changes(live(), wanted) == (
        FieldChange("steps", "steps[6]", None, {"setWeight": 75}),
        FieldChange("steps", "steps[7]", None, {"pause": {"seconds": 300.0}}),
    )
    other = objects(settings(pod=POD, steps=(StepSettings(11, timedelta(minutes=2)),)), "v1")[-1]
    assert [c.path for c in changes(live(), other)] == ["steps[0].setWeight", *(f"steps[{i}]" for i in (2, 3, 4, 5))]


@pytest.mark.parametrize("duration", ["5m", "300s", 300, "300"])
def test_a_pause_is_the_same_however_it_is_written(duration: Any) -> None:
    wanted = objects(settings(pod=POD, steps=(StepSettings(10, pause=timedelta(minutes=5)),)), "v1")[-1]
    found = deepcopy(wanted)
    found["spec"]["strategy"]["canary"]["steps"][1] = {"pause": {"duration": duration}}
    assert changes(found, wanted) == ()
    found["spec"]["strategy"]["canary"]["steps"][1] = {"pause": {}}
    assert len(changes(found, wanted)) == 1


def test_the_live_image_is_kept() -> None:
    newer = objects(settings(pod=POD), "v2")[-1]
    kept = keep_live_image(newer, live())
    assert changes(live(), kept) == ()
    assert changes(live(), newer) != ()
    renamed = objects(settings(container="web"), "v2")[-1]
    assert keep_live_image(renamed, live()) == renamed
    assert keep_live_image(newer, {"spec": {"workloadRef": {"name": "d"}}}) == newer


def test_another_order_is_another_template() -> None:
    live = objects(SETTINGS, "v1")[-1]
    containers = live["spec"]["template"]["spec"]["containers"]
    containers.append({"name": "agent", "image": "agent:v1"})
    wanted = deepcopy(live)
    wanted["spec"]["template"]["spec"]["containers"].reverse()
    (found,) = changes(live, wanted)
    assert (found.path, found.live, found.wanted) == (
        "spec.containers",
        ["companyos-api", "agent"],
        ["agent", "companyos-api"],
    )
