"""`canary rbac`: the rights for the route of a traffic router, and for templates of the whole cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from companyos_canary.argo.rights import Right
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.api.access import read_roles
from companyos_canary.sandbox.kinds import CLUSTERANALYSISTEMPLATE
from tests.commands.test_create import template_object
from tests.commands.test_rbac import Asked
from tests.routing import ROUTERS
from tests.world import WEB, World

CONFIG = WEB + "traffic: TRAFFIC\nsteps: [{weight: 10, pause: 5s}]\n"
GROUPS = {
    "gateway": ("gateway.networking.k8s.io", "httproutes"),
    "istio": ("networking.istio.io", "virtualservices"),
    "alb": ("networking.k8s.io", "ingresses"),
    "traefik": ("traefik.io", "traefikservices"),
    "nginx": ("networking.k8s.io", "ingresses"),
}


def routed(folder: Path, traffic: str) -> World:
    return World(folder, CONFIG.replace("TRAFFIC", traffic))


def printed_rights(text: str) -> Iterator[Right]:
    for document in yaml.safe_load_all(text):
        for rule in document.get("rules") or ():
            yield from (
                Right(verb, resource, group)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            )


def of_routes(text: str) -> set[Right]:
    return {r for r in printed_rights(text) if (r.group, r.resource) in GROUPS.values()}


@pytest.mark.parametrize("router", ROUTERS)
def test_an_operator_of_a_routed_rollout_applies_its_route_and_each_right_that_is_missing_is_named(
    tmp_path_factory: pytest.TempPathFactory, router: str
) -> None:
    world = routed(tmp_path_factory.mktemp("all"), router)
    rights = tuple(printed_rights(world.canary("rbac", "operator").out))
    asked = Asked(rights)
    world.allowed = asked
    ran = world.canary("apply", "v1.0.0")
    assert ran.code == ExitCode.OK, ran
    assert world.canary("doctor").code == ExitCode.OK
    group, plural = GROUPS[router]
    used = {r for r in asked.used if (r.group, r.resource) == (group, plural)}
    assert used == {r for r in rights if (r.group, r.resource) == (group, plural)}
    for lacking in used:
        poor = routed(tmp_path_factory.mktemp("one"), router)
        poor.allowed = Asked(r for r in rights if r != lacking)
        ran = poor.canary("apply", "v1.0.0")
        assert (ran.code, lacking.sentence in ran.err) == (ExitCode.DENIED, True), (lacking, ran)


def test_a_route_that_is_not_rendered_is_only_read(tmp_path: Path) -> None:
    world = routed(tmp_path, "{istio: {existing: true}}")
    assert of_routes(world.canary("rbac", "operator").out) == {Right("get", *reversed(GROUPS["istio"]))}


def test_without_a_router_in_the_file_there_is_no_right_to_any_route(tmp_path: Path) -> None:
    assert of_routes(routed(tmp_path, "null").canary("rbac", "operator").out) == set()


def test_without_a_file_the_role_is_enough_for_every_router(tmp_path: Path) -> None:
    ran = World(tmp_path, "").canary("rbac", "operator", "-n", "companyos")
    assert {(r.group, r.resource) for r in of_routes(ran.out)} == set(GROUPS.values())
    assert "no canary.yaml" in ran.err
    assert "the routes of all routers" in ran.err


@pytest.mark.parametrize("role", ["viewer", "deployer"])
def test_only_an_operator_writes_routes(tmp_path: Path, role: str) -> None:
    assert of_routes(routed(tmp_path, "istio").canary("rbac", role).out) == set()


VERIFY = ("verify", "clusteranalysistemplate/answer", "-a", "is=vector(1)", "--delete")


def test_a_template_of_the_whole_cluster_needs_a_cluster_role_and_each_right_that_is_missing_is_named(
    waiting: World,
) -> None:
    template = {**template_object(), "kind": "ClusterAnalysisTemplate", "metadata": {"name": "answer"}}
    waiting.store.create(CLUSTERANALYSISTEMPLATE, template)

    def allow(text: str) -> None:
        roles = [d for d in yaml.safe_load_all(text) if d["kind"].endswith("Role")]
        waiting.allowed = read_roles(yaml.safe_dump_all(roles), "companyos")

    allow(waiting.canary("rbac", "deployer").out)
    ran = waiting.canary(*VERIFY)
    assert ran.code == ExitCode.DENIED
    assert "not permitted to `get` `clusteranalysistemplates.argoproj.io`" in ran.err
    allow(waiting.canary("rbac", "deployer", "--global").out)
    assert waiting.canary(*VERIFY).code == ExitCode.OK
    assert "there is `answer`" in waiting.canary("verify", "clusteranalysistemplate/other").err


def test_the_cluster_role_is_bound_to_the_same_one(tmp_path: Path) -> None:
    ran = routed(tmp_path, "istio").canary("rbac", "deployer", "--global", "--group", "shippers")
    _, binding, cluster_role, cluster_binding = yaml.safe_load_all(ran.out)
    assert (cluster_role["kind"], cluster_binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert "namespace" not in cluster_role["metadata"] | cluster_binding["metadata"]
    assert cluster_binding["roleRef"]["name"] == cluster_role["metadata"]["name"]
    assert cluster_binding["subjects"] == binding["subjects"]
