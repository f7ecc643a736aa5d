"""`canary rbac`: each verb does what it says with its role, and says what is missing without one of its rights."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from companyos_canary.argo.rights import ROLES, Right, role_manifest
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Response
from companyos_canary.sandbox.api.access import Attributes, Roles, read_roles
from companyos_canary.sandbox.kinds import ANALYSISTEMPLATE, CONFIGMAP, EXPERIMENT, ROLLOUT, SECRET
from tests.commands.conftest import bound, changing, paused_world, sized
from tests.commands.test_create import template_object
from tests.commands.test_notifications import config_map
from tests.commands.test_terminate import COMPARE
from tests.prototypes import begun
from tests.world import MANUAL, World

pytestmark = pytest.mark.replicas(4)

SUBJECT = {"kind": "ServiceAccount", "name": "ci", "namespace": "companyos"}
LOOKS = (
    ("status",),
    ("get",),
    ("list",),
    ("watch", "--until", "paused"),
    ("history",),
    ("events",),
    ("analysis",),
    ("logs", "--tail", "1"),
    ("why",),
    ("metrics",),
    ("links",),
    ("experiment", "list"),
    ("experiment", "get", "compare"),
    ("diff", "--stable"),
)
CHANGES = {
    ("deploy", "v1.3.0", "--supersede", "--until", "paused"): "deployer",
    ("promote",): "deployer",
    ("abort",): "deployer",
    ("undo",): "deployer",
    ("pause",): "deployer",
    ("retry",): "deployer",
    ("resume",): "deployer",
    ("restart",): "deployer",
    ("terminate", "experiment", "compare"): "deployer",
    ("verify", "answer", "-a", "is=vector(1)", "--delete"): "deployer",
    ("create", "-f", "compare.yaml"): "operator",
    ("notifications", "trigger", "get"): "operator",
    ("apply", "v1.1.0"): "operator",
    ("diff",): "operator",
}
BEFORE = {"retry": ("abort",), "resume": ("pause",), "restart": ("promote", "--full", "--yes", "--reason", "hotfix")}
# What these verbs need, too, and do not show here: watches, Prometheus behind a proxy, Deployments, new objects, the
# Experiments of a step, AnalysisRuns by name.
_WATCHED = ("rollouts", "analysisruns", "experiments", "replicasets", "deployments", "pods", "events")
NOT_SEEN_HERE = {("watch", r) for r in _WATCHED} | {
    ("list", "experiments"),
    ("get", "services/proxy"),
    ("get", "deployments"),
    ("list", "deployments"),
    ("patch", "deployments"),
    ("create", "rollouts"),
    ("create", "analysistemplates"),
    ("create", "services"),
    ("list", "analysistemplates"),
    ("patch", "analysisruns"),
}


# What no verb needs, and doctor looks at where it may.
BEYOND = {Right("list", "services"), Right("list", "resourcequotas")}


def permitted(rights: Iterable[Right]) -> Roles:
    found, _ = role_manifest("r", "companyos", SUBJECT, rights)
    return read_roles(json.dumps(found), "companyos")


class Asked:
    """A policy that allows what the rights do, and keeps what was asked."""

    def __init__(self, rights: Iterable[Right]) -> None:
        self.rights, self.used = tuple(rights), set[Right]()
        self.roles = permitted(self.rights)

    def __call__(self, asked: Attributes) -> bool:
        resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        self.used.add(Right(asked.verb, resource, asked.group))
        return self.roles(asked)


def paused(folder: Path, verb: str = "") -> World:
    """v1.1.0 waits for a person at 10 %, and an Experiment runs; or what a verb begins with."""
    before = BEFORE.get(verb, ())
    return begun(
        f"before {before}", sized(MANUAL, 4), folder, lambda *given: _with_objects(paused_world(*given), before)
    )


def _with_objects(world: World, before: tuple[str, ...]) -> World:
    world.store.create(EXPERIMENT, COMPARE)
    world.store.create(ANALYSISTEMPLATE, template_object())
    world.store.create(CONFIGMAP, config_map())
    other = {**COMPARE, "metadata": {"name": "other"}}
    (world.folder / "compare.yaml").write_text(yaml.safe_dump(other))
    world.advance(5)
    if before:
        assert world.canary(*before).code == ExitCode.OK
        world.advance(60)
    return world


def told(world: World) -> tuple[object, ...]:
    """What a verb of ours changes of the Rollout."""
    raw = json.loads(json.dumps(world.store.read(ROLLOUT, "companyos", "companyos-api")))
    status = raw["status"]
    return raw["spec"], raw["metadata"]["annotations"], status.get("abort"), status.get("currentStepIndex")


def without(world: World, rights: Iterable[Right], lacking: Right, command: tuple[str, ...], usual: int) -> None:
    """Runs it without one right: as with it, or 4 with the verb and the resource."""
    before = told(world)
    world.allowed = permitted(r for r in rights if r != lacking)
    ran = world.canary(*command)
    if ran.code != usual:
        assert ran.code == ExitCode.DENIED, (lacking, ran)
        assert lacking.sentence in ran.err, (lacking, ran)
        assert told(world) == before, (lacking, "nothing was changed")


@pytest.mark.parametrize("command", LOOKS, ids="-".join)
def test_a_viewer_looks_and_each_right_that_is_missing_is_named(waiting: World, command: tuple[str, ...]) -> None:
    usual = waiting.canary(*command).code
    asked = Asked(ROLES["viewer"])
    waiting.allowed = asked
    assert waiting.canary(*command).code == usual
    assert asked.used <= set(ROLES["viewer"])
    for right in asked.used:
        without(waiting, ROLES["viewer"], right, command, usual)


@pytest.mark.parametrize(("command", "role_of_it"), CHANGES.items(), ids=lambda c: c[0] if isinstance(c, tuple) else c)
def test_a_change_works_with_its_role_and_each_right_that_is_missing_is_named(
    tmp_path_factory: pytest.TempPathFactory, command: tuple[str, ...], role_of_it: str
) -> None:
    rights = ROLES[role_of_it]
    world = paused(tmp_path_factory.mktemp("all"), command[0])
    asked = Asked(rights)
    world.allowed = asked
    usual = world.canary(*command).code
    assert usual == ExitCode.OK
    assert asked.used <= set(rights)
    for right in asked.used:
        without(paused(tmp_path_factory.mktemp("one"), command[0]), rights, right, command, usual)


def test_a_check_before_a_release_names_each_right_that_is_missing(waiting: World) -> None:
    asked = Asked(ROLES["operator"])
    waiting.allowed = asked
    assert waiting.canary("doctor").code == ExitCode.OK
    assert asked.used - set(ROLES["operator"]) <= BEYOND
    for right in asked.used:
        waiting.allowed = permitted(r for r in ROLES["operator"] if r != right)
        ran = waiting.canary("doctor")
        assert ran.code in (ExitCode.OK, ExitCode.DEGRADED, ExitCode.DENIED), (right, ran)
        assert right.sentence in ran.out + ran.err, (right, ran)


def test_no_role_has_a_right_that_none_of_its_verbs_uses(tmp_path_factory: pytest.TempPathFactory) -> None:
    used: set[tuple[str, str]] = set(NOT_SEEN_HERE)
    for command in (*LOOKS, *CHANGES):
        world = paused(tmp_path_factory.mktemp("used"), command[0])
        asked = Asked(ROLES["operator"])
        world.allowed = asked
        world.canary(*command)
        used |= {(r.verb, r.resource) for r in asked.used}
    assert [r for r in ROLES["operator"] if (r.verb, r.resource) not in used] == []


def test_a_viewer_changes_nothing(waiting: World) -> None:
    waiting.allowed = permitted(ROLES["viewer"])
    for command in (("abort",), ("promote",), ("pause",), ("undo",), ("apply", "v1.1.0")):
        lacking = "`get` `services`" if command[0] == "apply" else "`patch` "  # apply reads its Services first
        ran = waiting.canary(*command)
        assert (ran.code, f"not permitted to {lacking}" in ran.err) == (ExitCode.DENIED, True), ran


def test_a_deploy_that_could_not_be_followed_sends_nothing(world: World) -> None:
    world.allowed = permitted(r for r in ROLES["deployer"] if (r.verb, r.resource) != ("watch", "rollouts"))
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.DENIED
    assert "not permitted to `watch` `rollouts.argoproj.io` in namespace `companyos`" in ran.err
    assert "canary rbac deployer" in ran.err
    assert changing(world) == []
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK


def test_a_deploy_asks_about_its_rights_once_and_only_where_it_matters(world: World) -> None:
    def questions() -> int:
        return sum("selfsubject" in r.path for r in world.requests)

    world.canary("deploy", "v1.1.0", "--no-wait")
    assert questions() == 0
    world.until(lambda r: r.observed and r.is_fully_promoted)
    world.canary("deploy", "v1.3.0")
    assert questions() == 1
    world.canary("deploy", "v1.3.0")
    assert questions() == 1


@pytest.mark.parametrize("kind", ["denied", "incomplete", "nonsense"])
def test_where_the_rights_cannot_be_asked_it_goes_on(world: World, kind: str) -> None:
    from companyos_canary.model.http import Request, Response

    real = world.faults
    answers = {
        "denied": b"{}",
        "incomplete": b'{"status": {"incomplete": true, "resourceRules": []}}',
        "nonsense": b"[3",
    }

    def fault(request: Request) -> Response:
        if "selfsubjectrulesreviews" in request.path:
            return Response(403 if kind == "denied" else 201, {}, answers[kind])
        return real(request)

    world.faults = fault  # type: ignore[assignment]
    assert world.canary("deploy", "v1.1.0").code == ExitCode.OK


def test_it_prints_a_role_and_a_binding_that_kubectl_takes(world: World) -> None:
    ran = world.canary("rbac", "deployer", "--service-account", "ci", "-n", "shop")
    assert ran.code == ExitCode.OK
    made, binding = yaml.safe_load_all(ran.out)
    assert (made["kind"], made["metadata"]) == ("Role", {"name": "canary-deployer", "namespace": "shop"})
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "canary-deployer"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "ci", "namespace": "shop"}]
    assert world.requests == []
    read_roles(yaml.safe_dump(made), "shop")


@pytest.mark.parametrize(("flag", "kind"), [("--user", "User"), ("--group", "Group")])
def test_it_may_be_given_to_a_user_or_a_group(world: World, flag: str, kind: str) -> None:
    _, binding = world.canary("rbac", "viewer", flag, "ana", "-o", "json").json["data"]["objects"]
    assert binding["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "ana"}]


@pytest.mark.parametrize(
    "arguments", [("admin",), ("viewer", "--user", "a", "--group", "b"), ("viewer", "--user", "")], ids=" ".join
)
def test_what_is_no_role_or_nobody_is_2(world: World, arguments: tuple[str, ...]) -> None:
    assert world.canary("rbac", *arguments).code == ExitCode.USAGE


def test_one_option_adds_the_one_secret_that_sending_a_message_needs(waiting: World) -> None:
    waiting.carry_out = lambda *_: Response(200, {}, b'{"ok": true}')
    secret = {"metadata": {"name": "argo-rollouts-notification-secret", "namespace": "companyos"}, "data": {}}
    waiting.store.create(SECRET, secret)
    waiting.store.create(CONFIGMAP, config_map())
    for name in ROLES:
        command = ("notifications", "template", "notify", "paused", "companyos-api", "--recipient", "slack:ops")
        codes, named = [], []
        for more in ((), ("--notifications",)):
            role = waiting.canary("rbac", name, *more, "-n", "companyos", "-o", "json").json["data"]["objects"][0]
            waiting.allowed = read_roles(json.dumps(role), "companyos")
            codes.append(waiting.canary(*command).code)
            named = [rule.get("resourceNames") for rule in role["rules"] if "secrets" in rule["resources"]]
        assert codes == [ExitCode.DENIED, ExitCode.OK]
        assert named == [["argo-rollouts-notification-secret"]]


def test_each_role_has_the_rights_of_the_one_before_it() -> None:
    assert set(ROLES["viewer"]) < set(ROLES["deployer"]) < set(ROLES["operator"])


@pytest.mark.parametrize(
    "words", [("--as", "ana"), ("--as", "eve", "--as-group", "dev", "--as-group", "ops")], ids=["user", "group"]
)
def test_the_server_says_what_the_one_acted_as_may_do(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = paused(tmp_path)
    refused = world.canary("get", *words)
    assert refused.code == ExitCode.DENIED, refused
    assert refused.err.startswith("error: not permitted to `get` `rollouts.argoproj.io` in namespace `companyos`\n")
    bound(world, "viewer", *(("--user", "ana") if "ana" in words else ("--group", "ops")))
    assert world.canary("get", *words).code == ExitCode.OK
    assert world.canary("watch", "--until", "paused", *words).code == ExitCode.OK
    before = told(world)
    for command in (("abort",), ("promote",), ("undo",), ("pause",), ("deploy", "v9", "--supersede")):
        ran = world.canary(*command, *words)
        assert ran.code == ExitCode.DENIED, ran
        assert "not permitted to `patch` `rollouts" in ran.err.replace("/status", ""), ran
        assert told(world) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--as", "ana"), "`ana`: it needs the right to `impersonate` `users`"),
        (("--as", "ben", "--as-group", "ops"), "`ops`: it needs the right to `impersonate` `groups`"),
        (("--as", "system:serviceaccount:companyos:ci"), "`ci`: it needs the right to `impersonate` `serviceaccounts`"),
    ],
)
@pytest.mark.parametrize("verb", ["get", "list", "abort", "promote", "deploy v9 --supersede", "apply", "history"])
def test_acting_as_someone_else_needs_the_right_to(
    tmp_path: Path, words: tuple[str, ...], said: str, verb: str
) -> None:
    world = paused(tmp_path)
    world.allowed = lambda asked: asked.verb != "impersonate" or asked.name == "ben"
    before = told(world)
    ran = world.canary(*verb.split(), *words)
    assert (ran.code, told(world)) == (ExitCode.DENIED, before), ran
    assert f"error: not permitted to act as {said}\nhint: the server says: " in ran.err, ran
