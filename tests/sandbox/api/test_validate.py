"""What is refused beyond the shape of an object, in the words of the real server."""

from typing import Any

import pytest

from tests.sandbox.api.client import ROLLOUTS, Client, deployment, rollout

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@pytest.mark.parametrize(
    ("metadata", "cause"),
    [
        ({"labels": {"team": "no/good"}}, 'metadata.labels: Invalid value: "no/good"'),
        ({"labels": {"team": "x" * 64}}, "must be no more than 63 characters"),
        ({"labels": {"a b": "c"}}, "name part must consist of alphanumeric characters"),
        ({"labels": {"Not_A.Domain!/x": "c"}}, "prefix part must be a lowercase RFC 1123"),
        ({"annotations": {"": "c"}}, "metadata.annotations: Invalid value"),
    ],
)
def test_wrong_labels_and_annotations_are_refused(client: Client, metadata: dict[str, Any], cause: str) -> None:
    made = rollout()
    answer = client.post(ROLLOUTS, {**made, "metadata": {**made["metadata"], **metadata}})
    assert (answer.status, cause in answer.json()["message"]) == (422, True)
    assert client.get(ROLLOUTS)["items"] == []


def test_right_labels_and_annotations_are_taken(client: Client) -> None:
    metadata = {"labels": {"example.com/a_B.c": "", "x": "1.2-3_4"}, "annotations": {"e.f/g": "ü"}}
    answer = client.post(ROLLOUTS, {**rollout(), "metadata": {"name": "demo", **metadata}})
    assert answer.status == 201


def test_a_deployment_must_select_its_own_pods_for_ever(client: Client) -> None:
    other = {"matchLabels": {"app": "other"}}
    wrong = client.post(DEPLOYMENTS, deployment(selector=other))
    assert "`selector` does not match template `labels`" in wrong.json()["message"]
    client.post(DEPLOYMENTS, deployment())
    template = {"metadata": {"labels": {"app": "other"}}}
    changed = client.patch(f"{DEPLOYMENTS}/web", {"spec": {"selector": other, "template": template}})
    assert changed.status == 422
    assert [cause["field"] for cause in changed.json()["details"]["causes"]] == ["spec.selector"]
    assert changed.json()["message"].endswith("field is immutable")


def test_what_is_being_deleted_gets_no_new_finalizer(client: Client) -> None:
    made = rollout()
    made["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
    client.post(ROLLOUTS, made)
    client.delete(f"{ROLLOUTS}/demo")
    more = {"metadata": {"finalizers": ["example.com/a", "example.com/c"]}}
    answer = client.patch(f"{ROLLOUTS}/demo", more)
    assert answer.status == 422
    assert answer.json()["message"].endswith('found new finalizers []string{"example.com/c"}')
    fewer = {"metadata": {"finalizers": ["example.com/a"]}}
    assert client.patch(f"{ROLLOUTS}/demo", fewer).status == 200


@pytest.mark.parametrize(
    "metadata",
    [
        {"annotations": []},
        {"labels": []},
        {"labels": {"a": 1}},
        {"annotations": {"a": {}}},
        {"finalizers": {}},
        {"finalizers": [1]},
        {"ownerReferences": {}},
        {"ownerReferences": ["x"]},
        {"name": 1},
        {"managedFields": "x"},
    ],
)
def test_metadata_of_a_wrong_type_never_get_in(client: Client, metadata: dict[str, Any]) -> None:
    made = rollout()
    wrong = {**made, "metadata": {**made["metadata"], **metadata}}
    assert client.post(ROLLOUTS, wrong).status in (400, 422)
    client.post(ROLLOUTS, made)
    before = client.get(f"{ROLLOUTS}/demo")
    for answer in (
        client.patch(f"{ROLLOUTS}/demo", {"metadata": metadata}),
        client.put(f"{ROLLOUTS}/demo", wrong),
        client.apply(f"{ROLLOUTS}/demo", wrong),
    ):
        assert answer.status in (400, 422)
    assert client.get(f"{ROLLOUTS}/demo") == before
