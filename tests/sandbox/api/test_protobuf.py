"""Protobuf bodies: as a Rollouts controller and kubectl sent them, and any other bytes."""

import base64
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.sandbox.api.protobuf import read_protobuf
from companyos_canary.sandbox.kinds import POD
from companyos_canary.sandbox.objects import ApiStatus, Object
from tests.sandbox.api.client import Client, pod
from tests.sandbox.api.test_access import field, protobuf, varint

PROTOBUF = "application/vnd.kubernetes.protobuf"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/argo-rollouts/leases"
PODS = "/api/v1/namespaces/default/pods"
#: Recorded: what a Rollouts controller (git 9f8d111d8) sent to the sandbox, as base64.
RECORDED = {
    name: base64.b64decode(text)
    for name, text in json.loads((Path(__file__).parent / "protobuf.json").read_text()).items()
}


def test_a_lease_keeps_its_microseconds(client: Client) -> None:
    client.post("/api/v1/namespaces", {"metadata": {"name": "argo-rollouts"}})
    made = client.send("POST", LEASES, RECORDED["POST Lease"], PROTOBUF)
    assert made.status == 201
    spec = made.json()["spec"]
    assert spec["acquireTime"] == spec["renewTime"] == "2026-11-23T08:43:41.696369Z"
    assert (spec["leaseDurationSeconds"], spec["leaseTransitions"]) == (15, 0)


def without_defaults(template: Object) -> Object:
    """The template as it was sent."""
    sent = {"name", "image", "resources", "ports"}
    containers = [{k: v for k, v in c.items() if k in sent} for c in template["spec"]["containers"]]
    return {**template, "spec": {"containers": containers}}


def test_a_replicaset_comes_with_its_whole_pod_template(client: Client) -> None:
    client.post("/api/v1/namespaces", {"metadata": {"name": "companyos"}})
    path = "/apis/apps/v1/namespaces/companyos/replicasets"
    made = client.send("POST", path, RECORDED["POST ReplicaSet"], PROTOBUF)
    assert made.status == 201
    obj = made.json()
    assert obj["metadata"]["ownerReferences"][0]["controller"] is True
    assert obj["spec"]["replicas"] == 0
    assert obj["spec"]["selector"] == {
        "matchLabels": {"app": "companyos-api", "rollouts-pod-template-hash": "84c9ddff9"}
    }
    assert without_defaults(obj["spec"]["template"]) == {
        "metadata": {"labels": {"app": "companyos-api", "canary": "false", "rollouts-pod-template-hash": "84c9ddff9"}},
        "spec": {
            "containers": [
                {
                    "name": "companyos-api",
                    "image": "companyos-api:v1.0.0",
                    "resources": {},
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                }
            ]
        },
    }


def test_a_pod_comes_with_conditions_times_and_field_owners() -> None:
    body = read_protobuf(RECORDED["PUT Pod"])
    assert body["metadata"]["labels"]["canary"] == "false"
    assert body["metadata"]["creationTimestamp"] == "2026-11-23T08:44:07Z"
    ready = body["status"]["conditions"][3]
    assert ready == {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-23T08:44:07Z"}
    assert body["status"]["containerStatuses"][0]["started"] is True


def test_an_eviction_deletes_the_pod(client: Client) -> None:
    for name in ("a", "b"):
        client.post(PODS, pod(name))
    sent = {"kind": "Eviction", "apiVersion": "policy/v1beta1", "metadata": {"name": "a"}}
    assert client.post(f"{PODS}/a/eviction", sent).status == 201
    assert [p["metadata"]["name"] for p in client.store.items(POD)] == ["b"]
    other = {"deleteOptions": {"preconditions": {"uid": "of-another-pod"}}}
    assert client.post(f"{PODS}/b/eviction", other).status == 409
    assert client.send("GET", f"{PODS}/b/eviction").status == 405
    assert client.post(f"{PODS}/b/eviction", {}, dryRun="All").status == 201
    assert [p["metadata"]["name"] for p in client.store.items(POD)] == ["b"]


def number(field_number: int, value: int) -> bytes:
    return bytes([field_number << 3]) + varint(value % (1 << 64))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (number(1, 0) + number(2, 8080) + field(3), 8080),
        (number(1, 0) + number(2, -1) + field(3), -1),
        (number(1, 1) + number(2, 0) + field(3, b"http"), "http"),
    ],
)
def test_a_number_or_a_text_is_read_as_what_it_is(written: bytes, read: int | str) -> None:
    port = field(1, number(3, 80), field(4, written))
    service = read_protobuf(protobuf("v1", "Service", field(2, port)))
    assert service["spec"]["ports"] == [{"port": 80, "targetPort": read}]


def test_resources_are_texts_and_fields_of_an_inner_message_belong_to_the_outer_one() -> None:
    limits = field(1, field(1, b"cpu"), field(2, field(1, b"500m")))
    container = field(2, field(1, b"app"), field(8, limits))
    empty_dir = field(1, field(1, b"tmp"), field(2, field(2)))
    body = protobuf("v1", "Pod", field(2, container, empty_dir))
    assert read_protobuf(body)["spec"] == {
        "containers": [{"name": "app", "resources": {"limits": {"cpu": "500m"}}}],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }


def test_times_that_are_not_set_and_empty_texts_are_left_out() -> None:
    meta = field(1, field(1, b"demo"), field(3), field(8, number(1, 0), number(2, 0)))
    assert read_protobuf(protobuf("v1", "ConfigMap", meta))["metadata"] == {"name": "demo"}


def test_a_body_that_never_ends_to_nest_is_refused() -> None:
    schema = b""
    for _ in range(3000):
        size = varint(len(schema))
        schema = b"\x0a" + size + schema
    with pytest.raises(ApiStatus) as raised:
        read_protobuf(b"k8s\x00" + field(1, field(2, b"Pod")) + b"\x12" + varint(len(schema)) + schema)
    assert raised.value.code == 400


@given(st.sampled_from(sorted(RECORDED)), st.data())
def test_broken_bodies_are_read_or_refused(name: str, data: st.DataObject) -> None:
    body = bytearray(RECORDED[name])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(4, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(4, len(body)))
    with contextlib.suppress(ApiStatus):
        json.dumps(read_protobuf(bytes(body[:cut])))
