"""What client-go 0.34 asks in the name of a Rollouts, a ReplicaSet and a Deployment controller, as
it was seen on the wire."""

import itertools

import pytest

from companyos_canary.sandbox.kinds import POD
from tests.sandbox.api.client import ARGO, Client, deployment, pod, rollout

ACCEPT = "application/vnd.kubernetes.protobuf,application/json"
NOT_OF_OTHERS = "!argo-rollouts.argoproj.io/controller-instance-id"
INFORMERS = [
    ("/api/v1/services", ""),
    ("/api/v1/pods", "analysisrun.argoproj.io/uid"),
    ("/api/v1/secrets", "istio.argoproj.io/primary-cluster=true"),
    ("/apis/networking.k8s.io/v1/ingresses", ""),
    ("/apis/batch/v1/jobs", "analysisrun.argoproj.io/uid"),
    ("/apis/apps/v1/replicasets", "rollouts-pod-template-hash"),
    ("/apis/apps/v1/deployments", ""),
    (f"{ARGO}/rollouts", NOT_OF_OTHERS),
    (f"{ARGO}/analysisruns", NOT_OF_OTHERS),
    (f"{ARGO}/analysistemplates", NOT_OF_OTHERS),
    (f"{ARGO}/clusteranalysistemplates", NOT_OF_OTHERS),
    (f"{ARGO}/experiments", NOT_OF_OTHERS),
]
ALSO_SERVED = [
    "/api/v1/nodes",
    "/api/v1/endpoints",
    "/api/v1/podtemplates",
    "/api/v1/serviceaccounts",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/controllerrevisions",
    "/apis/networking.k8s.io/v1/ingressclasses",
    "/apis/autoscaling/v2/horizontalpodautoscalers",
]


@pytest.mark.parametrize(("path", "selector"), INFORMERS)
def test_an_informer_lists_and_then_watches(client: Client, path: str, selector: str) -> None:
    listed = client.get(path, ACCEPT, labelSelector=selector, limit="500", resourceVersion="0")
    assert listed["kind"].endswith("List")
    watched = client.send(
        "GET",
        path,
        accept=ACCEPT,
        labelSelector=selector,
        allowWatchBookmarks="true",
        resourceVersion=listed["metadata"]["resourceVersion"],
        timeout="5m5s",
        timeoutSeconds="305",
        watch="true",
    )
    assert (watched.status, watched.headers["Content-Type"]) == (200, "application/json")
    assert watched.stream is not None
    watched.stream.close()


@pytest.mark.parametrize("path", ALSO_SERVED)
def test_kinds_that_nobody_acts_on_are_served_all_the_same(client: Client, path: str) -> None:
    assert client.get(path)["items"] == []


def test_an_informer_may_stream_its_list(client: Client) -> None:
    for name in ("a", "b"):
        client.post("/api/v1/namespaces/default/pods", pod(name))
    events = client.watch(
        "/api/v1/pods",
        ACCEPT,
        allowWatchBookmarks="true",
        resourceVersionMatch="NotOlderThan",
        sendInitialEvents="true",
        timeout="9m33s",
        timeoutSeconds="573",
    )
    first = list(itertools.islice(events, 3))
    assert [e["type"] for e in first] == ["ADDED", "ADDED", "BOOKMARK"]
    meta = first[2]["object"]["metadata"]
    assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert meta["resourceVersion"] == str(client.store.version)
    assert first[2]["object"]["kind"] == POD.kind


def test_without_istio_its_kinds_are_not_found(client: Client) -> None:
    path = "/apis/networking.istio.io/v1alpha3/virtualservices"
    assert client.send("GET", path, limit="1").status == 200
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    client.delete(f"{definitions}/virtualservices.networking.istio.io")
    answer = client.send("GET", path, limit="1")
    assert (answer.status, answer.body) == (404, b"404 page not found\n")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("apps/v1/namespaces/default/statefulsets", "StatefulSet"),
        ("apps/v1/namespaces/default/daemonsets", "DaemonSet"),
        ("batch/v1/namespaces/default/jobs", "Job"),
    ],
)
def test_workloads_that_nobody_runs_are_refused(client: Client, path: str, kind: str) -> None:
    body = {**deployment(), "apiVersion": "/".join(path.split("/")[:2]), "kind": kind}
    answer = client.post(f"/apis/{path}", body)
    assert answer.status == 422
    assert f"Forbidden: the sandbox runs no {kind}s" in answer.json()["message"]


def test_two_writers_of_a_status_meet_a_conflict(client: Client) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments"
    made = client.post(path, deployment()).json()
    client.patch(f"{path}/web/status", {"status": {"replicas": 1}})
    answer = client.put(f"{path}/web/status", {**made, "status": {"replicas": 2}})
    assert (answer.status, answer.json()["reason"]) == (409, "Conflict")
    assert answer.json()["message"].startswith(
        'Operation cannot be fulfilled on deployments.apps "web": the object has been modified'
    )


def test_a_status_patch_of_the_plugin_falls_on_the_subresource(client: Client) -> None:
    client.post(f"{ARGO}/namespaces/default/rollouts", rollout())
    path = f"{ARGO}/namespaces/default/rollouts/demo"
    assert client.patch(f"{path}/status", {"status": {"abort": True}}).status == 200
    found = client.get(path)
    assert (found["status"]["abort"], found["metadata"]["generation"]) == (True, 1)
