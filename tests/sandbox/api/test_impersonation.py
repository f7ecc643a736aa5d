"""Requests in the name of someone else: the right to impersonate, then that user's own Roles and bindings."""

import json
from typing import Any

import pytest

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.api.access import read_roles
from tests.sandbox.api.client import ROLLOUTS, Client, connect, rollout

RBAC = "/apis/rbac.authorization.k8s.io/v1"
READS = [{"apiGroups": ["argoproj.io"], "resources": ["rollouts"], "verbs": ["get", "list"]}]
ANA = {"kind": "User", "name": "ana"}
MAY_ACT = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: acts}
rules:
- {apiGroups: [''], resources: [users], resourceNames: [ana], verbs: [impersonate]}
"""


def asked(client: Client, path: str, method: str = "GET", body: bytes = b"{}", **names: str) -> Response:
    headers = {f"Impersonate-{kind.replace('_', '-').title()}": value for kind, value in names.items()}
    media = "application/json" if method == "POST" else "application/merge-patch+json"
    return client.handle(
        Request(method, path, (), {**headers, "Content-Type": media}, body if method != "GET" else b"")
    )


@pytest.fixture
def demo(client: Client) -> Client:
    assert client.post(ROLLOUTS, rollout()).status == 201
    return client


def granted(client: Client, subject: dict[str, str], rules: Any = READS, kind: str = "Role") -> None:
    place = RBAC if kind == "ClusterRole" else f"{RBAC}/namespaces/default"
    meta = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "reads"}}
    made = client.post(f"{place}/{kind.lower()}s", {**meta, "kind": kind, "rules": rules})
    assert made.status == 201, made
    binding = {**meta, "kind": f"{kind}Binding", "roleRef": {"kind": kind, "name": "reads"}, "subjects": [subject]}
    assert client.post(f"{place}/{kind.lower()}bindings", binding).status == 201


def test_who_is_bound_to_nothing_may_do_nothing(demo: Client) -> None:
    answer = asked(demo, f"{ROLLOUTS}/demo", user="ana")
    assert (answer.status, answer.json()["message"]) == (
        403,
        'rollouts.argoproj.io "demo" is forbidden: User "ana" cannot get resource "rollouts" in API group '
        '"argoproj.io" in the namespace "default"',
    )
    assert asked(demo, "/version", user="ana").status == 200
    assert demo.send("GET", f"{ROLLOUTS}/demo").status == 200


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        (ANA, {"user": "ana"}),
        ({"kind": "Group", "name": "ops"}, {"user": "ana", "group": "dev\nops"}),
        ({"kind": "Group", "name": "system:authenticated"}, {"user": "ana"}),
        (
            {"kind": "ServiceAccount", "name": "ci", "namespace": "default"},
            {"user": "system:serviceaccount:default:ci"},
        ),
        ({"kind": "Group", "name": "system:serviceaccounts:default"}, {"user": "system:serviceaccount:default:ci"}),
    ],
    ids=["user", "group", "anyone", "account", "accounts"],
)
@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
def test_bindings_say_what_one_may_do(demo: Client, kind: str, subject: dict[str, str], names: dict[str, str]) -> None:
    assert asked(demo, f"{ROLLOUTS}/demo", **names).status == 403
    granted(demo, subject, kind=kind)
    assert asked(demo, f"{ROLLOUTS}/demo", **names).status == 200
    assert asked(demo, f"{ROLLOUTS}/demo", "PATCH", **names).status == 403
    everywhere = asked(demo, "/apis/argoproj.io/v1alpha1/rollouts", **names).status
    assert everywhere == (200 if kind == "ClusterRole" else 403)


def test_a_binding_to_a_role_that_does_not_exist_grants_nothing(demo: Client) -> None:
    granted(demo, ANA)
    assert demo.delete(f"{RBAC}/namespaces/default/roles/reads").status == 200
    assert asked(demo, f"{ROLLOUTS}/demo", user="ana").status == 403


@pytest.mark.parametrize("names", [{"user": "eve"}, {"user": "eve", "group": "ops"}])
def test_others_are_not_bound(demo: Client, names: dict[str, str]) -> None:
    granted(demo, ANA)
    assert asked(demo, f"{ROLLOUTS}/demo", **names).status == 403


def test_the_group_of_masters_may_do_everything(demo: Client) -> None:
    assert asked(demo, f"{ROLLOUTS}/demo", "PATCH", user="root", group="system:masters").status == 200


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"user": "ana"}, ""),
        (
            {"user": "eve"},
            'users "eve" is forbidden: User "sandbox" cannot impersonate resource "users" in API group "" at the '
            "cluster scope",
        ),
        (
            {"user": "ana", "group": "ops"},
            'groups "ops" is forbidden: User "sandbox" cannot impersonate resource "groups" in API group "" at the '
            "cluster scope",
        ),
        (
            {"user": "system:serviceaccount:default:ci"},
            'serviceaccounts "ci" is forbidden: User "sandbox" cannot impersonate resource "serviceaccounts" in API '
            'group "" in the namespace "default"',
        ),
        (
            {"user": "ana", "extra_reason": "test"},
            'userextras.authentication.k8s.io "test" is forbidden: User "sandbox" cannot impersonate resource '
            '"userextras/reason" in API group "authentication.k8s.io" at the cluster scope',
        ),
        (
            {"user": "ana", "uid": "1"},
            'uids.authentication.k8s.io "1" is forbidden: User "sandbox" cannot impersonate resource "uids" in API '
            'group "authentication.k8s.io" at the cluster scope',
        ),
    ],
)
def test_acting_as_someone_needs_the_right_to(names: dict[str, str], told: str) -> None:
    client = connect(allowed=read_roles(MAY_ACT, "default"))
    answer = asked(client, "/version", **names)
    assert answer.status == (403 if told else 200)
    assert not told or answer.json()["message"] == told


def test_groups_without_a_user_are_a_mistake(demo: Client) -> None:
    answer = asked(demo, f"{ROLLOUTS}/demo", group="ops")
    assert (answer.status, "without impersonating a user" in answer.json()["message"]) == (500, True)


def test_reviews_are_about_the_one_acted_as(demo: Client) -> None:
    granted(demo, ANA)
    who = asked(demo, "/apis/authentication.k8s.io/v1/selfsubjectreviews", "POST", user="ana", group="ops").json()
    assert who["status"]["userInfo"] == {"username": "ana", "groups": ["ops", "system:authenticated"]}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    for verb, allowed in (("get", b"true"), ("patch", b"false")):
        wanted = f'{{"verb":"{verb}","group":"argoproj.io","resource":"rollouts","namespace":"default"}}'
        body = f'{{"spec":{{"resourceAttributes":{wanted}}}}}'.encode()
        told = asked(demo, path, "POST", body, user="ana")
        assert (told.status, allowed in told.body) == (201, True)
    rules = asked(
        demo,
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        "POST",
        b'{"spec":{"namespace":"default"}}',
        user="ana",
    )
    assert rules.json()["status"]["resourceRules"] == [
        {"verbs": ["get", "list"], "apiGroups": ["argoproj.io"], "resources": ["rollouts"]}
    ]


def test_an_apply_that_creates_needs_the_right_of_the_one_acted_as(demo: Client) -> None:
    granted(demo, ANA, [{"apiGroups": ["argoproj.io"], "resources": ["rollouts"], "verbs": ["patch"]}])
    headers = {"Impersonate-User": "ana", "Content-Type": "application/apply-patch+yaml"}
    query = (("fieldManager", "ana"),)
    body = json.dumps(rollout("other")).encode()
    answer = demo.handle(Request("PATCH", f"{ROLLOUTS}/other", query, headers, body))
    assert (answer.status, answer.json()["message"]) == (403, 'rollouts.argoproj.io "other" is forbidden: ')
