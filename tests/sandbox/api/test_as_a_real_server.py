"""What a kube-apiserver v1.34 was seen to do, beyond what the other tests say of a server."""

import copy
from typing import Any

import pytest

from companyos_canary.sandbox.kinds import EVENT, POD, REPLICASET, ROLLOUT, SERVICE
from tests.sandbox.api.client import JSON_PATCH, MERGE, ROLLOUTS, Client, deployment, pod, rollout

CORE = "/api/v1/namespaces/default"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
GENERIC = "the server rejected our request due to an error in our request"


def service(*ports: dict[str, Any], name: str = "demo", **spec: Any) -> dict[str, Any]:
    found = list(ports) or [{"port": 80}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": "demo"}, "ports": found, **spec},
    }


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/spec/paused", "value": True},
        {"op": "remove", "path": "/spec/nope"},
        {"op": "frob", "path": "/spec/paused", "value": True},
    ],
)
def test_a_json_patch_that_fails_is_not_explained(client: Client, operation: dict[str, Any]) -> None:
    client.post(ROLLOUTS, rollout())
    answer = client.patch(f"{ROLLOUTS}/demo", [operation], JSON_PATCH)
    said = answer.json()
    assert (answer.status, said["reason"], said["message"], said["details"]) == (422, "Invalid", GENERIC, {})


def test_replacing_an_absent_field_adds_it(client: Client) -> None:
    client.post(ROLLOUTS, rollout())
    answer = client.patch(f"{ROLLOUTS}/demo", [{"op": "replace", "path": "/spec/paused", "value": True}], JSON_PATCH)
    assert (answer.status, answer.json()["spec"]["paused"]) == (200, True)


@pytest.mark.parametrize("plural", ["pods", "services", "events"])
def test_the_items_of_a_list_of_a_built_in_kind_do_not_say_their_kind(client: Client, plural: str) -> None:
    client.post(f"{CORE}/pods", pod("a"))
    client.post(f"{CORE}/services", service())
    client.post(f"{CORE}/events", event("default"))
    found = client.get(f"{CORE}/{plural}")
    assert found["items"]
    assert all("kind" not in item and "apiVersion" not in item for item in found["items"])
    one = client.get(f"{CORE}/{plural}/{found['items'][0]['metadata']['name']}")
    assert one["kind"] + "List" == found["kind"]


def test_the_items_of_a_list_of_rollouts_do(client: Client) -> None:
    client.post(ROLLOUTS, rollout())
    assert [item["kind"] for item in client.get(ROLLOUTS)["items"]] == ["Rollout"]


def test_a_selector_has_one_owner(client: Client) -> None:
    client.post(ROLLOUTS, rollout(), fieldManager="a")
    fields = client.get(f"{ROLLOUTS}/demo")["metadata"]["managedFields"][0]["fieldsV1"]
    assert fields["f:spec"]["f:selector"] == {}
    client.apply(f"{CORE}/services/demo", service(), manager="a")
    other = service(selector={"app": "demo", "more": "x"})
    answer = client.apply(f"{CORE}/services/demo", other, manager="b")
    said = answer.json()["message"]
    assert (answer.status, said) == (409, 'Apply failed with 1 conflict: conflict with "a": .spec.selector')
    forced = client.apply(f"{CORE}/services/demo", service(selector={"x": "y"}), manager="b", force="true")
    assert forced.json()["spec"]["selector"] == {"x": "y"}


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (
            service({"port": 99999, "targetPort": 80}),
            "spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive",
        ),
        (
            service({"port": 80, "targetPort": 0}),
            "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (
            service({"port": 80, "protocol": "HTTP"}),
            'spec.ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
        ),
        (service({"port": 80}, {"port": 81, "name": "b"}), "spec.ports[0].name: Required value"),
        (service({"port": 80, "name": "a"}, {"port": 81, "name": "a"}), 'spec.ports[1].name: Duplicate value: "a"'),
        (
            service(type="Inside"),
            'spec.type: Unsupported value: "Inside": supported values: "ClusterIP", "ExternalName", "LoadBalancer", '
            '"NodePort"',
        ),
    ],
)
def test_a_service_is_validated(client: Client, body: dict[str, Any], cause: str) -> None:
    for answer in (client.post(f"{CORE}/services", body), client.apply(f"{CORE}/services/demo", body)):
        assert (answer.status, answer.json()["message"]) == (422, f'Service "demo" is invalid: {cause}')
    assert client.store.items(SERVICE, "default") == []


def test_a_service_without_ports_or_with_a_name_that_is_no_label_is_refused(client: Client) -> None:
    assert client.post(f"{CORE}/services", service(ports=[])).json()["message"].endswith("spec.ports: Required value")
    assert client.post(f"{CORE}/services", service(ports=[], clusterIP="None")).status == 201
    assert "a DNS-1035 label must" in client.post(f"{CORE}/services", service(name="1a")).json()["message"]


def test_a_field_that_a_service_does_not_have_is_named_by_an_apply(client: Client) -> None:
    answer = client.apply(f"{CORE}/services/demo", service(nope=1))
    said = "failed to create typed patch object (/demo; /v1, Kind=Service): .spec.nope: field not declared in schema"
    assert (answer.status, answer.json()["message"]) == (500, said)
    assert "reason" not in answer.json()
    strict = client.post(f"{CORE}/services", service(nope=1), fieldValidation="Strict")
    assert (strict.status, 'unknown field "spec.nope"' in strict.json()["message"]) == (400, True)


@pytest.mark.parametrize(
    ("containers", "cause"),
    [
        ([], "containers: Required value"),
        ([{"name": "a"}], "containers[0].image: Required value"),
        ([{"name": "A", "image": "x:1"}], 'containers[0].name: Invalid value: "A": a lowercase RFC 1123 label'),
        ([{"name": "a", "image": "x:1"}] * 2, 'containers[1].name: Duplicate value: "a"'),
    ],
)
def test_pods_and_templates_are_validated(client: Client, containers: list[Any], cause: str) -> None:
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": containers}}
    answer = client.post(f"{CORE}/pods", body)
    assert (answer.status, f'Pod "a" is invalid: spec.{cause}' in answer.json()["message"]) == (422, True)
    wrong = copy.deepcopy(deployment())
    wrong["spec"]["template"]["spec"]["containers"] = containers
    answer = client.post(DEPLOYMENTS, wrong)
    assert (answer.status, f"spec.template.spec.{cause}" in answer.json()["message"]) == (422, True)
    assert client.store.items(POD, "default") == []


def event(about: str) -> dict[str, Any]:
    meta = {"name": "e", "namespace": "default"}
    return {"metadata": meta, "involvedObject": {"kind": "Pod", "name": "a", "namespace": about}, "reason": "Seen"}


def test_an_event_is_about_its_own_namespace(client: Client) -> None:
    answer = client.post(f"{CORE}/events", event("elsewhere"))
    why = 'involvedObject.namespace: Invalid value: "elsewhere": does not match event.namespace'
    assert (answer.status, answer.json()["message"]) == (422, f'Event "e" is invalid: {why}')
    assert client.post(f"{CORE}/events", event("default")).status == 201
    assert len(client.store.items(EVENT, "default")) == 1


def test_an_item_without_its_key_cannot_be_applied(client: Client) -> None:
    body = rollout()
    body["spec"]["template"] = {"spec": {"containers": [{"image": "demo:v1"}]}}
    answer = client.apply(f"{ROLLOUTS}/demo", body)
    said = (
        "failed to create typed patch object (/demo; argoproj.io/v1alpha1, Kind=Rollout): "
        ".spec.template.spec.containers: element 0: associative list with keys has an element that omits all key "
        """fields ["name"] (and doesn't have default values for any key fields)"""
    )
    assert (answer.status, answer.json()["message"]) == (500, said)
    assert "reason" not in answer.json()


def test_a_patch_with_an_unknown_field_is_refused_with_the_whole_object(client: Client) -> None:
    client.post(ROLLOUTS, rollout())
    answer = client.patch(f"{ROLLOUTS}/demo", {"spec": {"nope": 1}}, MERGE, fieldValidation="Strict")
    said = answer.json()["message"]
    assert answer.status == 422
    assert said.startswith(' "" is invalid: patch: Invalid value: "{\\"')
    assert said.endswith('}": strict decoding error: unknown field "spec.nope"')
    assert '\\"nope\\":1' in said


def test_a_field_that_is_written_twice_is_an_error_only_under_strict(client: Client) -> None:
    twice = b'{"metadata":{"name":"a"},"spec":{"ports":[{"port":80}],"type":"NodePort","type":"ClusterIP"}}'
    strict = client.send("POST", f"{CORE}/services", twice, "application/json", fieldValidation="Strict")
    assert strict.status == 400
    assert strict.json()["message"].endswith('strict decoding error: duplicate field "spec.type"')
    warned = client.send("POST", f"{CORE}/services", twice, "application/json")
    assert (warned.status, 'duplicate field \\"spec.type\\"' in warned.headers["Warning"]) == (201, True)
    assert warned.json()["spec"]["type"] == "ClusterIP"


def test_a_field_validation_that_does_not_exist_is_refused(client: Client) -> None:
    answers = {
        "Create": client.post(ROLLOUTS, rollout(), fieldValidation="Nope"),
        "Patch": client.patch(_made(client), {}, MERGE, fieldValidation="Nope"),
    }
    for what, answer in answers.items():
        why = 'fieldValidation: Unsupported value: "Nope": supported values: "", "Ignore", "Strict", "Warn"'
        said = f'{what}Options.meta.k8s.io "" is invalid: {why}'
        assert (answer.status, answer.json()["message"]) == (422, said)


def _made(client: Client) -> str:
    client.post(ROLLOUTS, rollout())
    return f"{ROLLOUTS}/demo"


def test_a_patch_for_another_uid_is_refused_as_immutable(client: Client) -> None:
    answer = client.patch(_made(client), {"metadata": {"uid": "x"}}, MERGE)
    why = 'metadata.uid: Invalid value: "x": field is immutable'
    assert (answer.status, answer.json()["message"]) == (422, f'Rollout.argoproj.io "demo" is invalid: {why}')


def test_a_pod_without_a_node_has_no_log(client: Client) -> None:
    client.post(f"{CORE}/pods", pod("a"))
    for more in ({}, {"previous": "true"}):
        answer = client.send("GET", f"{CORE}/pods/a/log", **more)
        assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ("demo:80", 503, 'no endpoints available for service "demo"'),
        ("demo:web", 503, 'no endpoints available for service "demo"'),
        ("demo:81", 503, 'no service port 81 found for service "demo"'),
        ("none:80", 404, 'services "none" not found'),
        ("none", 404, 'endpoints "none" not found'),
    ],
)
def test_a_service_that_cannot_be_reached_says_why(client: Client, target: str, code: int, message: str) -> None:
    client.post(f"{CORE}/services", service({"port": 80, "name": "web"}))
    answer = client.send("GET", f"{CORE}/services/{target}/proxy/api")
    assert (answer.status, answer.json()["message"]) == (code, message)
    assert answer.json()["reason"] == ("NotFound" if code == 404 else "ServiceUnavailable")


def test_a_list_of_the_future_is_a_time_out(client: Client) -> None:
    future = str(client.store.version + 1)
    answer = client.send("GET", ROLLOUTS, resourceVersion=future)
    said = answer.json()
    assert (answer.status, said["reason"], answer.headers["Retry-After"]) == (504, "Timeout", "1")
    assert said["message"] == f"Timeout: Too large resource version: {future}, current: {client.store.version}"
    assert [c["reason"] for c in said["details"]["causes"]] == ["ResourceVersionTooLarge"]


def test_a_version_that_is_none_is_an_error_of_the_client_in_a_list_and_of_the_server_in_a_watch(
    client: Client,
) -> None:
    why = 'resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax'
    listed = client.send("GET", ROLLOUTS, resourceVersion="x")
    assert (listed.status, listed.json()["message"]) == (400, f"invalid resource version: {why}")
    watched = client.send("GET", ROLLOUTS, resourceVersion="x", watch="true")
    assert (watched.status, watched.json()["message"]) == (500, why)


def test_a_list_shows_exactly_an_old_version_when_asked(client: Client) -> None:
    client.post(ROLLOUTS, rollout())
    old = client.get(ROLLOUTS)["metadata"]["resourceVersion"]
    client.patch(f"{ROLLOUTS}/demo", {"spec": {"paused": True}}, MERGE)
    exact = client.get(ROLLOUTS, resourceVersion=old, resourceVersionMatch="Exact")
    assert exact["metadata"]["resourceVersion"] == old
    assert "paused" not in exact["items"][0]["spec"]
    newer = client.get(ROLLOUTS, resourceVersion=old, resourceVersionMatch="NotOlderThan")
    assert newer["items"][0]["spec"]["paused"] is True
    assert client.send("GET", ROLLOUTS, resourceVersionMatch="Exact").status == 422


def test_templates_pods_and_services_are_completed(client: Client) -> None:
    made = client.post(DEPLOYMENTS, deployment()).json()["spec"]["template"]["spec"]
    assert (made["dnsPolicy"], made["schedulerName"], made["securityContext"]) == (
        "ClusterFirst",
        "default-scheduler",
        {},
    )
    container = made["containers"][0]
    assert (container["resources"], container["terminationMessagePolicy"]) == ({}, "File")
    assert "serviceAccountName" not in made
    client.post(f"{CORE}/pods", pod("a"))
    found = client.get(f"{CORE}/pods/a")["spec"]
    assert (found["serviceAccountName"], found["enableServiceLinks"], found["priority"]) == ("default", True, 0)
    assert found["volumes"][0]["name"] == found["containers"][0]["volumeMounts"][0]["name"]
    spec = client.post(f"{CORE}/services", service(type="NodePort")).json()
    assert (spec["spec"]["clusterIPs"], spec["spec"]["ipFamilies"]) == ([spec["spec"]["clusterIP"]], ["IPv4"])
    assert spec["spec"]["internalTrafficPolicy"] == "Cluster"
    assert 30000 <= spec["spec"]["ports"][0]["nodePort"] <= 32767
    assert spec["status"] == {"loadBalancer": {}}
    again = client.put(f"{CORE}/services/demo", spec)
    assert again.json()["metadata"]["resourceVersion"] == spec["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("image", "policy"),
    [("a:v1", "IfNotPresent"), ("a", "Always"), ("r:5000/a:latest", "Always"), ("a@sha256:0f", "IfNotPresent")],
)
def test_an_image_without_a_version_is_always_pulled(client: Client, image: str, policy: str) -> None:
    body = pod("a")
    body["spec"] = {"containers": [{"name": "a", "image": image}]}
    assert client.post(f"{CORE}/pods", body).json()["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_what_the_sandbox_makes_itself_is_completed_too(client: Client) -> None:
    body = deployment()
    spec = {k: body["spec"][k] for k in ("selector", "template")}
    client.store.create(REPLICASET, {"metadata": {"name": "a", "namespace": "default"}, "spec": spec})
    found = client.get("/apis/apps/v1/namespaces/default/replicasets/a")["spec"]["template"]["spec"]
    assert found["restartPolicy"] == "Always"


def test_a_rollouts_template_stays_as_it_was_written(client: Client) -> None:
    client.post(ROLLOUTS, rollout())
    assert client.store.items(ROLLOUT, "default")[0]["spec"] == {**rollout()["spec"]}
