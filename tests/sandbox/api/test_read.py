"""Reading: objects, lists, pages, tables, and the ways in which reading fails."""

from typing import Any

import pytest

from companyos_canary.model.http import Request
from companyos_canary.sandbox.kinds import EVENT, POD, ROLLOUT
from tests.sandbox.api.client import ARGO, ROLLOUTS, TABLE, Client, deployment, pod, rollout

PODS = "/api/v1/namespaces/default/pods"


def names(answer: Any) -> list[str]:
    return [item["metadata"]["name"] for item in answer["items"]]


def rows(answer: Any) -> list[list[Any]]:
    return [row["cells"] for row in answer["rows"]]


def test_a_list_has_the_version_that_a_watch_can_go_on_from(client: Client) -> None:
    client.post(ROLLOUTS, rollout())
    answer = client.get(ROLLOUTS)
    assert (answer["kind"], answer["apiVersion"]) == ("RolloutList", "argoproj.io/v1alpha1")
    assert answer["metadata"] == {"resourceVersion": str(client.store.version)}
    assert names(answer) == ["demo"]


def test_a_list_without_a_namespace_is_of_all(client: Client) -> None:
    client.store.create(POD, {**pod("a"), "metadata": {"name": "a", "namespace": "one"}})
    client.store.create(POD, {**pod("b"), "metadata": {"name": "b", "namespace": "two"}})
    assert names(client.get("/api/v1/pods")) == ["a", "b"]
    assert names(client.get("/api/v1/namespaces/two/pods")) == ["b"]
    assert names(client.get("/api/v1/pods", fieldSelector="metadata.namespace=one")) == ["a"]


def test_a_list_is_narrowed_by_labels_and_fields(client: Client) -> None:
    client.store.create(POD, pod("a", {"app": "x"}, status={"phase": "Running"}))
    client.store.create(POD, pod("b", {"app": "y"}, status={"phase": "Pending"}))
    assert names(client.get(PODS, labelSelector="app in (x,z)")) == ["a"]
    assert names(client.get(PODS, fieldSelector="status.phase=Pending")) == ["b"]


def test_pages_show_one_version_while_objects_come_and_go(client: Client) -> None:
    for name in "abcd":
        client.store.create(POD, pod(name))
    first = client.get(PODS, limit="2")
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["a", "b"], 2)
    client.store.delete(POD, "default", "c")
    client.store.create(POD, pod("cc"))
    second = client.get(PODS, limit="2", **{"continue": first["metadata"]["continue"]})
    assert names(second) == ["c", "d"]
    assert second["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}


def test_a_page_of_a_forgotten_version_is_gone(client: Client) -> None:
    for name in "ab":
        client.store.create(POD, pod(name))
    token = client.get(PODS, limit="1")["metadata"]["continue"]
    client.store.create(POD, pod("c"))
    client.forget()
    answer = client.send("GET", PODS, limit="1", **{"continue": token})
    assert (answer.status, answer.json()["reason"]) == (410, "Expired")
    assert client.send("GET", PODS, **{"continue": "nonsense"}).status == 400


def test_rollouts_have_the_columns_of_their_crd(client: Client) -> None:
    client.post(ROLLOUTS, rollout())
    client.clock.tick(200)
    status = {"status": {"replicas": 3, "updatedReplicas": 1, "availableReplicas": 2}}
    client.patch(f"{ROLLOUTS}/demo/status", status)
    answer = client.get(f"{ROLLOUTS}/demo", accept=f"{TABLE},application/json")
    shown = [(c["name"], c["type"]) for c in answer["columnDefinitions"]]
    assert shown == [
        ("Name", "string"),
        ("Desired", "integer"),
        ("Current", "integer"),
        ("Up-to-date", "integer"),
        ("Available", "integer"),
        ("Age", "date"),
    ]
    assert rows(answer) == [["demo", 3, 3, 1, 2, "3m20s"]]
    assert answer["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_a_table_may_hold_the_objects(client: Client) -> None:
    client.post(ROLLOUTS, rollout())
    whole = client.get(ROLLOUTS, accept=TABLE, includeObject="Object")
    assert whole["rows"][0]["object"]["spec"]["replicas"] == 3
    assert "object" not in client.get(ROLLOUTS, accept=TABLE, includeObject="None")["rows"][0]


WAITING = {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "restartCount": 0}
CRASHED = {
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "restartCount": 4,
    "lastState": {"terminated": {"finishedAt": "2026-05-04T03:00:01Z"}},
}
RUNNING = {"state": {"running": {}}, "ready": True, "restartCount": 0}


@pytest.mark.parametrize(
    ("status", "cells"),
    [
        ({"phase": "Pending"}, ["0/1", "Pending", "0"]),
        ({"phase": "Running", "containerStatuses": [RUNNING]}, ["1/1", "Running", "0"]),
        ({"phase": "Pending", "containerStatuses": [WAITING]}, ["0/1", "ImagePullBackOff", "0"]),
        ({"phase": "Running", "containerStatuses": [CRASHED]}, ["0/1", "CrashLoopBackOff", "4 (2m ago)"]),
        (
            {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}, "restartCount": 0}]},
            ["0/1", "ExitCode:3", "0"],
        ),
    ],
)
def test_pods_show_why_they_are_not_ready(client: Client, status: Any, cells: list[str]) -> None:
    client.store.create(POD, pod("a", status=status))
    assert rows(client.get(PODS, accept=TABLE))[0][1:4] == cells


def test_events_show_what_they_are_about(client: Client) -> None:
    client.store.create(
        EVENT,
        {
            "metadata": {"name": "e", "namespace": "default"},
            "involvedObject": {"kind": "Rollout", "name": "demo"},
            "type": "Normal",
            "reason": "RolloutPaused",
            "message": "Rollout is paused",
            "lastTimestamp": "2026-05-04T03:01:00Z",
            "count": 2,
            "source": {"component": "controller"},
        },
    )
    answer = client.get("/api/v1/namespaces/default/events", accept=TABLE)
    assert rows(answer) == [
        ["61s", "Normal", "RolloutPaused", "rollout/demo", "", "controller", "Rollout is paused", "0s", 2, "e"]
    ]


def test_deployments_show_their_containers_when_wide(client: Client) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments"
    client.post(path, deployment())
    answer = client.get(path, accept=TABLE)
    assert rows(answer) == [["web", "0/1", 0, 0, "0s", "app,side", "app:v1,side:v1", "app=web"]]
    assert [c["priority"] for c in answer["columnDefinitions"]] == [0, 0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("seconds", "age"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (130, "2m10s"),
        (601, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 300, "3h5m"),
        (9 * 3600, "9h"),
        (49 * 3600, "2d1h"),
        (9 * 86400, "9d"),
        (3 * 365 * 86400, "3y"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages_are_short(client: Client, seconds: int, age: str) -> None:
    client.store.create(POD, pod("a"))
    client.clock.tick(seconds)
    assert rows(client.get(PODS, accept=TABLE))[0][4] == age


def test_only_metadata_can_be_asked_for(client: Client) -> None:
    client.post(ROLLOUTS, rollout())
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    answer = client.get(ROLLOUTS, accept=accept)
    assert answer["kind"] == "PartialObjectMetadataList"
    assert answer["items"][0].keys() == {"kind", "apiVersion", "metadata"}


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (f"{ROLLOUTS}/nope", 404, 'rollouts.argoproj.io "nope" not found'),
        ("/api/v1/foos", 404, "the server could not find the requested resource"),
        (f"{ROLLOUTS}?limit=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        (f"{ROLLOUTS}?watch=1&resourceVersion=x", 500, "invalid syntax"),
    ],
)
def test_failures_are_a_status(client: Client, path: str, code: int, message: str) -> None:
    target, _, query = path.partition("?")
    pairs = dict(pair.split("=") for pair in query.split("&") if pair)
    answer = client.send("GET", target, **pairs)
    body = answer.json()
    assert (answer.status, body["kind"], body["code"]) == (code, "Status", code)
    assert message in body["message"]


def test_a_missing_object_is_named_in_the_details(client: Client) -> None:
    details = client.get(f"{ROLLOUTS}/nope")["details"]
    assert details == {"name": "nope", "group": "argoproj.io", "kind": "rollouts"}


@pytest.mark.parametrize(
    "path", ["/apis/foo/v1", "/nothing", f"{ARGO}/foos", f"{ROLLOUTS}/demo/foo", "/apis/apps/v1/foos/x/y"]
)
def test_what_is_not_served_is_a_page_not_found(client: Client, path: str) -> None:
    answer = client.send("GET", path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")


def test_an_answer_that_nobody_can_give_is_not_acceptable(client: Client) -> None:
    answer = client.send("GET", ROLLOUTS, accept="text/plain")
    assert (answer.status, answer.json()["reason"]) == (406, "NotAcceptable")


def test_health_and_version_are_there(client: Client) -> None:
    assert client.send("GET", "/healthz").body == b"ok"
    assert client.get("/version/")["minor"] == "32"


def test_a_scale_stands_for_the_replicas(client: Client) -> None:
    client.post(ROLLOUTS, rollout())
    status = {"status": {"HPAReplicas": 4, "selector": "app=demo"}}
    client.patch(f"{ROLLOUTS}/demo/status", status)
    scale = client.get(f"{ROLLOUTS}/demo/scale")
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 3})
    assert scale["status"] == {"replicas": 4, "selector": "app=demo"}


def test_a_store_is_read_as_it_was(client: Client) -> None:
    made = client.store.create(ROLLOUT, {**rollout(), "metadata": {"name": "demo", "namespace": "default"}})
    then = client.store.version
    client.store.update(ROLLOUT, {**made, "spec": {}})
    client.store.delete(ROLLOUT, "default", "demo")
    assert client.store.items(ROLLOUT, at=then) == [made]
    assert client.store.items(ROLLOUT) == []
    assert client.handle(Request("GET", f"{ROLLOUTS}/demo")).status == 404
