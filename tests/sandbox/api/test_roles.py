"""Rules of Roles: what they allow, how it is refused, and what is no Role."""

import pytest

from companyos_canary.errors import ConfigError
from companyos_canary.sandbox.api.access import Attributes, read_roles
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.sandbox.api.client import ROLLOUTS, Client, connect, rollout

ON_CALL = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: on-call}
rules:
- apiGroups: [argoproj.io]
  resources: [rollouts, rollouts/status]
  resourceNames: [demo]
  verbs: [get, patch, list, create]
- apiGroups: ['']
  resources: ['*/log']
  verbs: ['*']
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: sees-events}
rules:
- {apiGroups: ['*'], resources: [events], verbs: [list]}
"""


def asked(verb: str, what: str, name: str = "", namespace: str = "default", group: str = "argoproj.io") -> Attributes:
    resource, _, subresource = what.partition("/")
    return Attributes(verb, group, resource, subresource, namespace, name)


@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        (asked("get", "rollouts", "demo"), True),
        (asked("patch", "rollouts/status", "demo"), True),
        (asked("patch", "rollouts/scale", "demo"), False),
        (asked("get", "rollouts", "other"), False),
        (asked("delete", "rollouts", "demo"), False),
        (asked("get", "rollouts", "demo", "shop"), False),
        (asked("get", "rollouts", "demo", ""), False),
        (asked("get", "rollouts", "demo", group="apps"), False),
        (asked("list", "rollouts"), False),
        (asked("list", "rollouts", "demo"), True),
        (asked("create", "rollouts"), False),
        (asked("get", "pods/log", "any", group=""), True),
        (asked("get", "pods", "any", group=""), False),
        (asked("list", "events", namespace="", group=""), True),
        (asked("list", "events", namespace="shop", group="events.k8s.io"), True),
        (asked("get", "events", "e", group=""), False),
    ],
)
def test_a_rule_allows_what_it_names(wanted: Attributes, allowed: bool) -> None:
    assert read_roles(ON_CALL, "default")(wanted) is allowed


def test_the_rules_of_a_namespace_can_be_listed() -> None:
    roles = read_roles(ON_CALL, "default")
    assert len(roles.listed("default")) == 3
    assert roles.listed("shop") == [{"verbs": ["list"], "apiGroups": ["*"], "resources": ["events"]}]
    assert roles.listed("default")[0]["resourceNames"] == ["demo"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no Role"),
        ("{", "is not YAML"),
        ("kind: RoleBinding", "something else than a Role: `RoleBinding`"),
        ("[1]", "something else than a Role: `None`"),
        (ON_CALL.replace("[events]", "events"), r"rules\[0\].resources is no list of texts"),
        (ON_CALL.replace("verbs: [list]", "verbs: []"), r"rules\[0\].verbs is no list of texts"),
        (ON_CALL.replace("resources: [events]", "nonResourceURLs: [/x]"), "nonResourceURLs"),
    ],
)
def test_what_is_no_role_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_roles(text, "default")


def on_call() -> Client:
    roles = read_roles(ON_CALL, "default")
    return connect(allowed=roles, rules=roles.listed)


def test_what_no_rule_allows_is_forbidden() -> None:
    client = on_call()
    client.store.create(ROLLOUT, {**rollout(), "metadata": {"name": "demo", "namespace": "default"}})
    assert client.patch(f"{ROLLOUTS}/demo/status", {"status": {"abort": True}}).status == 200
    answer = client.delete(f"{ROLLOUTS}/demo")
    assert (answer.status, answer.json()["message"]) == (
        403,
        'rollouts.argoproj.io "demo" is forbidden: User "sandbox" cannot delete resource '
        '"rollouts" in API group "argoproj.io" in the namespace "default"',
    )


def test_an_apply_that_creates_needs_the_right_to_create_as_well() -> None:
    client = connect(allowed=read_roles(ON_CALL.replace(", list, create]", "]"), "default"))
    wanted = {**rollout(), "metadata": {"name": "demo", "namespace": "default"}}
    answer = client.apply(f"{ROLLOUTS}/demo", wanted)
    assert (answer.status, answer.json()["message"]) == (403, 'rollouts.argoproj.io "demo" is forbidden: ')
    client.store.create(ROLLOUT, wanted)
    assert client.apply(f"{ROLLOUTS}/demo", wanted, force="true").status == 200


def test_a_list_of_one_name_is_allowed_by_a_rule_with_that_name() -> None:
    client = on_call()
    assert client.send("GET", ROLLOUTS, fieldSelector="metadata.name=demo").status == 200
    assert client.send("GET", ROLLOUTS, fieldSelector="metadata.name=other").status == 403
    assert client.send("GET", ROLLOUTS).status == 403


def test_one_may_ask_for_the_rules() -> None:
    asked = {"spec": {"namespace": "shop"}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    status = on_call().post(path, asked).json()["status"]
    assert status["resourceRules"] == [{"verbs": ["list"], "apiGroups": ["*"], "resources": ["events"]}]
