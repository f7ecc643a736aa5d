"""Server-side apply and field ownership."""

from typing import Any

import pytest

from companyos_canary.sandbox.api.apply import LAST_APPLIED
from tests.sandbox.api.client import ROLLOUTS, Client, deployment, rollout

DEMO = f"{ROLLOUTS}/demo"
WEB = "/apis/apps/v1/namespaces/default/deployments/web"


def managers(obj: Any) -> dict[tuple[str, str, str], Any]:
    return {
        (e["manager"], e["operation"], e.get("subresource", "")): e["fieldsV1"]
        for e in obj["metadata"].get("managedFields", [])
    }


def test_apply_creates_what_is_not_there(client: Client) -> None:
    answer = client.apply(DEMO, rollout())
    assert answer.status == 201
    fields = managers(answer.json())["canary", "Apply", ""]
    assert fields["f:spec"]["f:replicas"] == {}
    assert fields["f:metadata"] == {"f:labels": {"f:app": {}}}


def test_apply_of_the_same_writes_nothing(client: Client) -> None:
    client.apply(DEMO, rollout())
    before = client.store.version
    client.clock.tick(60)
    assert client.apply(DEMO, rollout()).status == 200
    assert client.store.version == before


def test_apply_takes_away_what_it_no_longer_names(client: Client) -> None:
    client.apply(
        DEMO, {**rollout(minReadySeconds=5), "metadata": {"name": "demo", "labels": {"app": "demo", "team": "a"}}}
    )
    written = client.apply(DEMO, rollout()).json()
    assert "minReadySeconds" not in written["spec"]
    assert written["metadata"]["labels"] == {"app": "demo"}


def test_apply_leaves_what_another_owns(client: Client) -> None:
    client.apply(DEMO, rollout())
    client.patch(DEMO, {"spec": {"paused": True}}, fieldManager="hand")
    written = client.apply(DEMO, rollout()).json()
    assert written["spec"]["paused"] is True
    assert managers(written)["hand", "Update", ""] == {"f:spec": {"f:paused": {}}}


def test_a_field_of_another_manager_is_a_conflict(client: Client) -> None:
    client.apply(DEMO, rollout())
    client.patch(DEMO, {"spec": {"replicas": 9}}, fieldManager="hand")
    answer = client.apply(DEMO, rollout())
    assert (answer.status, answer.json()["reason"]) == (409, "Conflict")
    assert answer.json()["message"] == (
        'Apply failed with 1 conflict: conflict with "hand" using argoproj.io/v1alpha1: .spec.replicas'
    )
    assert answer.json()["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "field": ".spec.replicas",
            "message": 'conflict with "hand" using argoproj.io/v1alpha1',
        }
    ]


def test_several_conflicts_are_told_by_manager(client: Client) -> None:
    client.apply(DEMO, rollout(), manager="other")
    client.patch(f"{DEMO}/scale", {"spec": {"replicas": 9}}, fieldManager="hand")
    changed = rollout(replicas=1)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "app:v2"
    answer = client.apply(DEMO, changed)
    assert answer.json()["message"] == (
        "Apply failed with 2 conflicts: "
        'conflicts with "hand" with subresource "scale" using argoproj.io/v1alpha1:\n'
        "- .spec.replicas\n"
        'conflicts with "other":\n'
        '- .spec.template.spec.containers[name="app"].image'
    )


def test_a_forced_apply_takes_the_field_over(client: Client) -> None:
    client.apply(DEMO, rollout(), manager="other")
    written = client.apply(DEMO, rollout(replicas=1), force="true").json()
    assert written["spec"]["replicas"] == 1
    assert "f:replicas" not in managers(written)["other", "Apply", ""]["f:spec"]


def test_the_same_value_is_owned_together(client: Client) -> None:
    client.apply(DEMO, rollout(), manager="other")
    client.apply(DEMO, rollout())
    smaller = rollout()
    del smaller["spec"]["replicas"]
    written = client.apply(DEMO, smaller).json()
    assert written["spec"]["replicas"] == 3
    gone = client.apply(DEMO, smaller, manager="other").json()
    assert "replicas" not in gone["spec"]


def test_containers_are_applied_by_name(client: Client) -> None:
    client.apply(WEB, deployment())
    one = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "proxy", "image": "proxy:1"}]}}
    written = client.apply(WEB, deployment(template=one), manager="mesh").json()
    names = [c["name"] for c in written["spec"]["template"]["spec"]["containers"]]
    assert names == ["app", "side", "proxy"]
    none = {**one, "spec": {}}
    written = client.apply(WEB, deployment(template=none), manager="mesh").json()
    names = [c["name"] for c in written["spec"]["template"]["spec"]["containers"]]
    assert names == ["app", "side"]


def test_the_steps_of_a_rollout_are_applied_as_a_whole(client: Client) -> None:
    client.apply(DEMO, rollout())
    strategy = {"canary": {"steps": [{"setWeight": 50}]}}
    written = client.apply(DEMO, rollout(strategy=strategy)).json()
    assert written["spec"]["strategy"] == strategy


def test_kubectl_takes_over_what_it_applied_from_the_client_side(client: Client) -> None:
    first = rollout()
    first["metadata"]["annotations"] = {
        LAST_APPLIED: '{"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout","spec":{"replicas":3}}'
    }
    client.post(ROLLOUTS, first, fieldManager="kubectl-client-side-apply")
    refused = client.apply(DEMO, rollout(replicas=4), manager="canary")
    assert refused.status == 409
    assert client.apply(DEMO, rollout(replicas=4), manager="kubectl").status == 200


def test_an_update_owns_only_what_it_changed(client: Client) -> None:
    client.post(ROLLOUTS, rollout(), fieldManager="maker")
    client.patch(f"{DEMO}/status", {"status": {"abort": True}}, fieldManager="stopper")
    written = client.patch(DEMO, {"spec": {"replicas": 3, "paused": True}}, fieldManager="me")
    found = managers(written.json())
    assert found["me", "Update", ""] == {"f:spec": {"f:paused": {}}}
    assert found["stopper", "Update", "status"] == {"f:status": {"f:abort": {}}}
    assert found["maker", "Update", ""]["f:spec"]["f:replicas"] == {}
    entries = written.json()["metadata"]["managedFields"]
    assert {e["time"] for e in entries} == {"2026-05-04T03:02:01Z"}


def test_the_manager_is_the_user_agent_unless_given(client: Client) -> None:
    made = client.post(ROLLOUTS, rollout()).json()
    assert list(managers(made)) == [("canary", "Update", "")]


@pytest.mark.parametrize(
    ("body", "query", "code", "message"),
    [
        (rollout(), {"fieldManager": ""}, 422, "fieldManager: Required value"),
        ({**rollout(), "kind": "Pod"}, {}, 400, "Object must be argoproj.io/v1alpha1"),
        (rollout("other"), {}, 400, "is not that of the URL"),
        (
            {**rollout(), "metadata": {"name": "demo", "managedFields": [{}]}},
            {},
            400,
            "metadata.managedFields must be nil",
        ),
        (rollout(replica=1), {}, 500, ": .spec.replica: field not declared in schema"),
        (rollout(replicas="x"), {}, 500, ".spec.replicas: expected numeric (int or float), got st"),
        (
            rollout(template={"spec": {"containers": [{"name": "app", "image": 1}]}, "x": 1}),
            {},
            500,
            '.spec.template.spec.containers[name="app"].image: expected string, got integer',
        ),
        (b"a: [", {}, 400, "error decoding YAML"),
    ],
)
def test_an_apply_that_is_wrong_is_refused(
    client: Client, body: Any, query: dict[str, str], code: int, message: str
) -> None:
    media = "application/apply-patch+yaml"
    answer = client.send("PATCH", DEMO, body, media, **{"fieldManager": "canary", **query})
    assert answer.status == code
    assert message in answer.json()["message"]


def test_apply_reads_yaml(client: Client) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: 'y'}\n"
    path = "/api/v1/namespaces/default/configmaps/a"
    assert client.apply(path, text).json()["data"] == {"x": "y"}
