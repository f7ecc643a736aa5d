"""Writing: create, replace, patch, delete, the subresources, dry runs, and every refusal."""

from typing import Any

import pytest

from companyos_canary.sandbox.kinds import POD, REPLICASET, ROLLOUT
from tests.sandbox.api.client import (
    ARGO,
    JSON_PATCH,
    ROLLOUTS,
    STRATEGIC,
    TABLE,
    Client,
    connect,
    deployment,
    pod,
    rollout,
)

DEMO = f"{ROLLOUTS}/demo"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@pytest.fixture
def demo(client: Client) -> Client:
    assert client.post(ROLLOUTS, rollout()).status == 201
    return client


def test_create_answers_with_the_object(client: Client) -> None:
    answer = client.post(ROLLOUTS, {**rollout(), "status": {"phase": "Healthy"}})
    made = answer.json()
    assert (answer.status, made["metadata"]["generation"]) == (201, 1)
    assert made["metadata"]["namespace"] == "default"
    assert "status" not in made


def test_a_generated_name_has_five_letters_more(client: Client) -> None:
    template = {"metrics": []}
    run = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "spec": template}
    path = f"{ARGO}/namespaces/default/analysisruns"
    names = {
        client.post(path, {**run, "metadata": {"generateName": "run-"}}).json()["metadata"]["name"] for _ in range(3)
    }
    assert len(names) == 3
    assert all(name.startswith("run-") and len(name) == 9 for name in names)


def without(key: str) -> Any:
    return {k: v for k, v in rollout().items() if k != key}


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (
            {**rollout(), "metadata": {}},
            422,
            'Rollout.argoproj.io "" is invalid: metadata.name: Required value: name or generateName is required',
        ),
        (rollout("A_b"), 422, "a lowercase RFC 1123 subdomain must consist of"),
        (without("kind"), 400, "Object 'Kind' is missing"),
        ({**rollout(), "kind": "Pod"}, 400, "do not match the expected"),
        (
            {**rollout(), "metadata": {"name": "a", "namespace": "b"}},
            400,
            "the namespace of the provided object does not match",
        ),
        (
            {**rollout(), "metadata": {"name": "a", "resourceVersion": "3"}},
            500,
            "resourceVersion should not be set on objects to be created",
        ),
        (without("spec"), 422, 'Rollout.argoproj.io "demo" is invalid: spec: Required value'),
        (
            rollout(replicas="three"),
            422,
            'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
        ),
        (
            rollout(strategy={"canary": {"steps": [{"setWeight": True}]}}),
            422,
            "spec.strategy.canary.steps[0].setWeight in body must be of type integer",
        ),
        (rollout(strategy={"blueGreen": {}}), 422, "spec.strategy.blueGreen.activeService: Required value"),
        (b"{", 400, "the object provided is unrecognized"),
        ([], 400, "it is no JSON object"),
    ],
)
def test_an_object_that_is_wrong_is_refused(client: Client, body: Any, code: int, message: str) -> None:
    answer = client.post(ROLLOUTS, body)
    assert (answer.status, answer.json()["kind"]) == (code, "Status")
    assert message in answer.json()["message"]


def test_what_is_wrong_is_told_field_by_field(client: Client) -> None:
    details = client.post(ROLLOUTS, rollout(replicas="x", paused="no")).json()["details"]
    assert (details["kind"], details["name"]) == ("Rollout", "demo")
    causes = [(c["reason"], c["field"]) for c in details["causes"]]
    assert causes == [("FieldValueTypeInvalid", "spec.replicas"), ("FieldValueTypeInvalid", "spec.paused")]


def test_a_second_object_of_the_name_already_exists(demo: Client) -> None:
    answer = demo.post(ROLLOUTS, rollout())
    assert (answer.status, answer.json()["reason"]) == (409, "AlreadyExists")
    assert answer.json()["message"] == 'rollouts.argoproj.io "demo" already exists'


def test_a_namespace_must_exist(client: Client) -> None:
    answer = client.post(f"{ARGO}/namespaces/nowhere/rollouts", rollout())
    assert (answer.status, answer.json()["message"]) == (404, 'namespaces "nowhere" not found')


def test_a_new_namespace_is_active(client: Client) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    made = client.post("/api/v1/namespaces", body).json()
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}
    assert client.get("/api/v1/namespaces/shop/status")["status"] == {"phase": "Active"}
    assert client.post(f"{ARGO}/namespaces/shop/rollouts", rollout()).status == 201


@pytest.mark.parametrize(
    ("validation", "status", "warning"),
    [
        ("Strict", 400, ""),
        ("Warn", 201, '299 - "unknown field \\"spec.replica\\""'),
        ("", 201, '299 - "unknown field \\"spec.replica\\""'),
        ("Ignore", 201, ""),
    ],
)
def test_an_unknown_field_is_judged_as_asked(client: Client, validation: str, status: int, warning: str) -> None:
    answer = client.post(ROLLOUTS, rollout(replica=3), fieldValidation=validation)
    assert (answer.status, answer.header("Warning")) == (status, warning)
    if status == 400:
        assert answer.json()["message"] == (
            'Rollout in version "v1alpha1" cannot be handled as a Rollout: strict decoding error: '
            'unknown field "spec.replica"'
        )
    else:
        assert "replica" not in answer.json()["spec"]


def test_what_the_sandbox_does_not_emulate_is_refused() -> None:
    client = connect(refuse=lambda obj: "no blue-green here" if obj["kind"] == "Rollout" else None)
    answer = client.post(ROLLOUTS, rollout())
    assert answer.status == 422
    assert answer.json()["message"].endswith("is invalid: spec: Forbidden: no blue-green here")
    assert client.post(DEPLOYMENTS, deployment()).status == 201


def test_replace_needs_the_version_that_was_read(demo: Client) -> None:
    read = demo.get(DEMO)
    demo.patch(DEMO, {"spec": {"replicas": 4}})
    stale = demo.put(DEMO, {**read, "spec": {**read["spec"], "replicas": 5}})
    assert (stale.status, stale.json()["reason"]) == (409, "Conflict")
    read = demo.get(DEMO)
    fresh = demo.put(DEMO, {**read, "spec": {**read["spec"], "replicas": 5}}).json()
    assert (fresh["spec"]["replicas"], fresh["metadata"]["generation"]) == (5, 3)
    del read["metadata"]["resourceVersion"]
    unversioned = demo.put(DEMO, read)
    assert (unversioned.status, "must be specified" in unversioned.json()["message"]) == (422, True)
    assert demo.put(f"{ROLLOUTS}/other", rollout("other")).status == 404


def test_a_write_cannot_rename(demo: Client) -> None:
    assert demo.put(DEMO, rollout("other")).status == 400
    assert demo.patch(DEMO, {"metadata": {"name": "other"}}).status == 400
    assert demo.patch(DEMO, {"metadata": {"namespace": "other"}}).status == 400


def test_a_status_patch_reaches_only_the_status(demo: Client) -> None:
    body = {"spec": {"replicas": 9}, "status": {"abort": True, "phase": "Degraded"}}
    written = demo.patch(f"{DEMO}/status", body).json()
    assert (written["spec"]["replicas"], written["status"]["abort"]) == (3, True)
    assert written["metadata"]["generation"] == 1
    again = demo.patch(DEMO, {"spec": {"replicas": 4}, "status": {"abort": False}}).json()
    assert (again["spec"]["replicas"], again["status"]["abort"]) == (4, True)
    assert again["metadata"]["generation"] == 2


def test_kinds_without_a_status_subresource_take_it_with_the_object(client: Client) -> None:
    path = f"{ARGO}/namespaces/default/analysisruns"
    run = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "run"},
        "spec": {"metrics": []},
    }
    client.post(path, run)
    assert client.patch(f"{path}/run", {"status": {"phase": "Running"}}).status == 200
    assert client.get(f"{path}/run")["status"] == {"phase": "Running"}
    assert client.send("PATCH", f"{path}/run/status", {}, "application/json").status == 404


def test_a_failed_test_is_unprocessable_and_writes_nothing(demo: Client) -> None:
    demo.patch(f"{DEMO}/status", {"status": {"currentStepIndex": 1}})
    before = demo.store.version
    operations = [
        {"op": "test", "path": "/status/currentStepIndex", "value": 0},
        {"op": "add", "path": "/status/promoteFull", "value": True},
    ]
    answer = demo.patch(f"{DEMO}/status", operations, JSON_PATCH)
    assert (answer.status, answer.json()["reason"]) == (422, "Invalid")
    assert answer.json()["message"] == "the server rejected our request due to an error in our request"
    assert answer.json()["details"] == {}
    assert demo.store.version == before
    operations[0]["value"] = 1
    assert demo.patch(f"{DEMO}/status", operations, JSON_PATCH).status == 200


def test_a_json_patch_may_pin_the_version(demo: Client) -> None:
    version = demo.get(DEMO)["metadata"]["resourceVersion"]
    patch = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        {"op": "replace", "path": "/spec/replicas", "value": 5},
    ]
    assert demo.patch(DEMO, patch, JSON_PATCH).status == 200
    assert demo.patch(DEMO, patch, JSON_PATCH).status == 409


@pytest.mark.parametrize(
    ("path", "media", "body", "code"),
    [
        (DEMO, STRATEGIC, {}, 415),
        (DEMO, "application/json", {}, 415),
        (DEMO, JSON_PATCH, {}, 400),
        (DEMO, "application/merge-patch+json", [], 400),
        (DEMO, "application/merge-patch+json", b"{", 400),
        (DEMO, "application/merge-patch+json", {"spec": None}, 422),
        (f"{ROLLOUTS}/nope", "application/merge-patch+json", {}, 404),
        (ROLLOUTS, "application/merge-patch+json", {}, 405),
    ],
)
def test_a_patch_that_cannot_be_done_says_so(demo: Client, path: str, media: str, body: Any, code: int) -> None:
    answer = demo.patch(path, body, media)
    assert (answer.status, answer.json()["code"]) == (code, code)


@pytest.mark.parametrize(("method", "path"), [("POST", DEMO), ("PUT", ROLLOUTS), ("OPTIONS", DEMO)])
def test_a_method_that_makes_no_sense_is_not_allowed(demo: Client, method: str, path: str) -> None:
    answer = demo.send(method, path, {})
    assert (answer.status, answer.json()["reason"]) == (405, "MethodNotAllowed")


def test_built_in_kinds_take_strategic_patches(client: Client) -> None:
    client.post(DEPLOYMENTS, deployment())
    containers = [{"name": "app", "image": "app:v2"}]
    body = {"spec": {"template": {"spec": {"containers": containers}}}}
    written = client.patch(f"{DEPLOYMENTS}/web", body, STRATEGIC).json()
    shown = written["spec"]["template"]["spec"]["containers"]
    assert [(c["name"], c["image"]) for c in shown] == [("app", "app:v2"), ("side", "side:v1")]


def test_a_scale_changes_the_replicas_only(demo: Client) -> None:
    answer = demo.patch(f"{DEMO}/scale", {"spec": {"replicas": 7}})
    assert (answer.json()["kind"], answer.json()["spec"]) == ("Scale", {"replicas": 7})
    assert demo.get(DEMO)["metadata"]["generation"] == 2
    scale = demo.get(f"{DEMO}/scale")
    demo.patch(DEMO, {"metadata": {"labels": {"x": "y"}}})
    stale = demo.put(f"{DEMO}/scale", {**scale, "spec": {"replicas": 8}})
    assert stale.status == 409
    below = demo.patch(f"{DEMO}/scale", {"spec": {"replicas": -1}})
    assert (below.status, demo.get(DEMO)["spec"]["replicas"]) == (422, 7)


def test_a_dry_run_shows_and_writes_nothing(demo: Client) -> None:
    before = demo.store.version
    assert demo.post(ROLLOUTS, rollout("other"), dryRun="All").status == 201
    patched = demo.patch(DEMO, {"spec": {"replicas": 9}}, dryRun="All").json()
    assert (patched["spec"]["replicas"], patched["metadata"]["generation"]) == (9, 2)
    assert demo.apply(DEMO, rollout(replicas=3), dryRun="All").status == 200
    assert demo.patch(f"{DEMO}/status", {"status": {"abort": True}}, dryRun="All").status == 200
    assert demo.patch(f"{DEMO}/scale", {"spec": {"replicas": 1}}, dryRun="All").status == 200
    assert demo.delete(DEMO, dryRun="All").status == 200
    assert demo.delete(ROLLOUTS, dryRun="All").status == 200
    assert demo.store.version == before
    assert demo.patch(DEMO, {}, dryRun="Some").status == 422


def test_delete_says_what_went(demo: Client) -> None:
    uid = demo.get(DEMO)["metadata"]["uid"]
    answer = demo.delete(DEMO).json()
    assert (answer["status"], answer["details"]["uid"]) == ("Success", uid)
    assert demo.delete(DEMO).status == 404


def test_delete_keeps_to_its_preconditions(demo: Client) -> None:
    for wrong in ({"uid": "other"}, {"resourceVersion": "1"}):
        answer = demo.delete(DEMO, {"kind": "DeleteOptions", "preconditions": wrong})
        assert (answer.status, answer.json()["reason"]) == (409, "Conflict")
    assert demo.store.get(ROLLOUT, "default", "demo")


def test_an_object_with_finalizers_is_only_marked(demo: Client) -> None:
    demo.patch(DEMO, {"metadata": {"finalizers": ["canary/hold"]}})
    assert demo.delete(DEMO).json()["metadata"]["deletionTimestamp"] == "2026-05-04T03:02:01Z"
    demo.patch(DEMO, {"metadata": {"finalizers": None}})
    assert demo.send("GET", DEMO).status == 404


@pytest.mark.parametrize(
    ("options", "left"), [({}, 0), ({"propagationPolicy": "Foreground"}, 0), ({"propagationPolicy": "Orphan"}, 1)]
)
def test_delete_takes_or_leaves_what_was_owned(demo: Client, options: dict[str, str], left: int) -> None:
    owner = {"uid": demo.get(DEMO)["metadata"]["uid"], "kind": "Rollout", "name": "demo"}
    meta = {"name": "rs", "namespace": "default", "ownerReferences": [owner]}
    demo.store.create(REPLICASET, {"metadata": meta, "spec": {}})
    demo.delete(DEMO, **options)
    assert len(demo.store.items(REPLICASET)) == left


def test_a_collection_is_deleted_by_selector(client: Client) -> None:
    for name, app in (("a", "x"), ("b", "y"), ("c", "x")):
        client.store.create(POD, pod(name, {"app": app}))
    gone = client.delete("/api/v1/namespaces/default/pods", labelSelector="app=x").json()
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a", "c"]
    assert [item["metadata"]["name"] for item in client.store.items(POD)] == ["b"]


def test_a_patch_meets_a_write_in_between_and_tries_again(demo: Client) -> None:
    update = demo.store.update
    met: list[int] = []

    def racing(kind: Any, obj: Any, **more: Any) -> Any:
        if not met:
            met.append(1)
            raw = demo.store.read(kind, "default", "demo")
            update(kind, {**raw, "spec": {**raw["spec"], "paused": True}})
        return update(kind, obj, **more)

    demo.store.update = racing  # type: ignore[method-assign]
    written = demo.patch(DEMO, {"spec": {"replicas": 8}}).json()
    assert (written["spec"]["replicas"], written["spec"]["paused"]) == (8, True)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ([], "the value of metadata into v1.ObjectMeta"),
        ({"name": "a", "labels": {"x": 1}}, "the value of metadata.labels into map[string]string"),
        ({"name": "a", "annotations": []}, "the value of metadata.annotations into map[string]str"),
        ({"name": "a", "annotations": None}, ""),
        ({"name": "a", "annotations": "x"}, "the value of metadata.annotations"),
        ({"name": 1}, "the value of metadata.name into string"),
        ({"name": "a", "finalizers": [1]}, "the value of metadata.finalizers into []str"),
        ({"name": "a", "ownerReferences": ["x"]}, "the value of metadata.ownerReferences"),
    ],
)
def test_metadata_are_what_every_object_has(client: Client, metadata: Any, message: str) -> None:
    answer = client.post(ROLLOUTS, {**rollout(), "metadata": metadata})
    assert answer.status == (400 if message else 201)
    assert message in answer.json().get("message", "")


def test_a_service_gets_an_address_and_what_its_ports_leave_out(client: Client) -> None:
    path = "/api/v1/namespaces/default/services"
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}},
    }
    made = client.post(path, body).json()["spec"]
    assert made["clusterIP"].startswith("10.96.")
    assert made["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    row = client.get(path, accept=TABLE)["rows"][0]["cells"]
    assert row == ["web", "ClusterIP", made["clusterIP"], "<none>", "80/TCP", "0s", "app=web"]


def test_a_patch_that_leaves_no_object_is_refused(demo: Client) -> None:
    answer = demo.patch(DEMO, [{"op": "replace", "path": "", "value": 1}], JSON_PATCH)
    assert (answer.status, "leaves no object" in answer.json()["message"]) == (400, True)
    malformed = demo.patch(DEMO, [{"op": "add", "path": "/a"}], JSON_PATCH)
    assert malformed.status == 400
