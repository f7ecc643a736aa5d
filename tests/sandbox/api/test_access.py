"""Reviews of oneself, what is forbidden, and protobuf bodies."""

import pytest

from companyos_canary.sandbox.api.protobuf import read_protobuf
from companyos_canary.sandbox.objects import ApiStatus
from tests.sandbox.api.client import NOW, ROLLOUTS, Client, connect, rollout

REVIEWS = "/apis/authorization.k8s.io/v1"


def field(number: int, *parts: bytes) -> bytes:
    data = b"".join(parts)
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def protobuf(api_version: str, kind: str, *fields: bytes) -> bytes:
    meta = field(1, field(1, api_version.encode()), field(2, kind.encode()))
    return b"k8s\x00" + meta + field(2, *fields)


def test_one_may_ask_what_one_may_do(client: Client) -> None:
    asked = {"spec": {"resourceAttributes": {"verb": "patch", "resource": "rollouts"}}}
    answer = client.post(f"{REVIEWS}/selfsubjectaccessreviews", asked)
    assert (answer.status, answer.json()["status"]) == (201, {"allowed": True})
    rules = client.post(f"{REVIEWS}/selfsubjectrulesreviews", {}).json()["status"]
    assert rules["resourceRules"][0]["verbs"] == ["*"]
    who = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}).json()
    assert who["status"]["userInfo"]["username"] == "sandbox"


def test_what_is_not_allowed_is_forbidden_and_known_before() -> None:
    client = connect(allowed=lambda a: a.verb != "patch" or a.subresource != "status")
    client.post(ROLLOUTS, rollout())
    assert client.patch(f"{ROLLOUTS}/demo", {"spec": {"replicas": 1}}).status == 200
    answer = client.patch(f"{ROLLOUTS}/demo/status", {})
    assert answer.status == 403
    assert answer.json()["message"] == (
        'rollouts.argoproj.io "demo" is forbidden: User "sandbox" cannot patch resource '
        '"rollouts/status" in API group "argoproj.io" in the namespace "default"'
    )
    attributes = {"verb": "patch", "resource": "rollouts", "subresource": "status"}
    review = client.post(f"{REVIEWS}/selfsubjectaccessreviews", {"spec": {"resourceAttributes": attributes}})
    assert review.json()["status"] == {"allowed": False}


def test_a_forbidden_list_names_no_object() -> None:
    client = connect(allowed=lambda a: a.verb != "list")
    message = client.get("/api/v1/pods")["message"]
    assert message == (
        'pods is forbidden: User "sandbox" cannot list resource "pods" in API group "" at the cluster scope'
    )


def test_a_namespace_is_read_from_protobuf(client: Client) -> None:
    labels = field(11, field(1, b"team"), field(2, b"a"))
    body = protobuf("v1", "Namespace", field(1, field(1, b"shop"), field(3), labels))
    media = "application/vnd.kubernetes.protobuf"
    made = client.send("POST", "/api/v1/namespaces", body, media).json()
    assert made["metadata"]["name"] == "shop"
    assert made["metadata"]["labels"]["team"] == "a"


def test_an_access_review_is_read_from_protobuf() -> None:
    attributes = field(1, field(2, b"get"), field(5, b"pods"))
    body = protobuf("authorization.k8s.io/v1", "SelfSubjectAccessReview", field(2, attributes))
    spec = read_protobuf(body)["spec"]
    assert spec == {"resourceAttributes": {"verb": "get", "resource": "pods"}}


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (protobuf("apps/v1", "StatefulSet"), 415, "reads `StatefulSet` as JSON only"),
        (b"nonsense", 400, "does not begin with its magic bytes"),
        (b"k8s\x00\x0a\x7f", 400, "ends in the middle of a field"),
        (b"k8s\x00\xff", 400, "cannot be read"),
    ],
)
def test_protobuf_that_cannot_be_read_says_so(body: bytes, code: int, message: str) -> None:
    with pytest.raises(ApiStatus, match=message) as raised:
        read_protobuf(body)
    assert raised.value.code == code


def test_a_secret_and_an_event_are_read_from_protobuf() -> None:
    entry = field(2, field(1, b"key"), field(2, b"\x00secret"))
    secret = read_protobuf(protobuf("v1", "Secret", field(1, field(1, b"s")), entry))
    assert secret["data"] == {"key": "AHNlY3JldA=="}
    seen = field(7, bytes([1 << 3]) + varint(int(NOW.timestamp())))
    about = field(2, field(1, b"Rollout"), field(3, b"demo"))
    event = read_protobuf(protobuf("v1", "Event", about, seen, bytes([8 << 3, 3])))
    assert event["involvedObject"] == {"kind": "Rollout", "name": "demo"}
    assert (event["lastTimestamp"], event["count"]) == ("2026-05-04T03:02:01Z", 3)
