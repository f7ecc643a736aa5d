"""Where Argo CD or Flux takes the image from Git, a change in the cluster is refused, with what to change in Git."""

import copy
from typing import Any

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.conftest import changing
from tests.world import World

TRACKING = "shop:argoproj.io/Rollout:companyos/companyos-api"
FIELDS = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"companyos-api"}': {"f:image": {}}}}}}}


def entry(manager: str, fields: Any = FIELDS) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": "argoproj.io/v1alpha1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


SIGNS: dict[str, tuple[dict[str, Any], str]] = {
    "a tracking id": ({"annotations": {"argocd.argoproj.io/tracking-id": TRACKING}}, "Argo CD (application shop)"),
    "a manager of Argo CD": ({"managedFields": [entry("argocd-controller")]}, "Argo CD"),
    "Flux's Kustomization": (
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"}},
        "Flux (Kustomization flux/apps)",
    ),
    "Flux's HelmRelease": ({"labels": {"helm.toolkit.fluxcd.io/name": "web"}}, "Flux (HelmRelease web)"),
    "a manager of Flux": ({"managedFields": [entry("kubectl"), entry("kustomize-controller")]}, "Flux"),
}


def marked(world: World, meta: dict[str, Any]) -> World:
    live = copy.deepcopy(world.store.read(ROLLOUT, "companyos", "companyos-api"))
    for key, value in meta.items():
        old = live["metadata"].get(key)
        live["metadata"][key] = {**(old or {}), **value} if isinstance(value, dict) else value
    world.store.update(ROLLOUT, live)
    world.advance(1)
    world.requests.clear()
    return world


@pytest.fixture
def kept(world: World) -> tuple[World, str]:
    """Argo CD has it from Git."""
    meta, name = SIGNS["a tracking id"]
    return marked(world, meta), name


@pytest.mark.parametrize(("meta", "name"), SIGNS.values(), ids=list(SIGNS))
def test_what_is_kept_from_git_is_known_by_each_sign(world: World, meta: dict[str, Any], name: str) -> None:
    ran = marked(world, meta).canary("deploy", "v1.1.0", "--no-wait")
    assert (ran.code, f"error: {name} manages" in ran.err) == (ExitCode.REFUSED, True), ran


def test_a_deploy_is_refused_with_the_change_to_make_in_git(kept: tuple[World, str]) -> None:
    world, name = kept
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.REFUSED
    assert f"error: {name} manages the image of `companyos-api` and will put back the one in Git\n" in ran.err
    change = (
        "in Git, set `image: companyos-api:v1.1.0` for container `companyos-api` in Rollout companyos/companyos-api"
    )
    assert change in ran.err
    assert changing(world) == []


def test_force_deploys_and_says_that_it_will_be_put_back(kept: tuple[World, str]) -> None:
    world, name = kept
    ran = world.canary("deploy", "v1.1.0", "--force", "--no-wait")
    assert ran.code == ExitCode.OK
    assert f"{name} will put back the image in Git unless it is changed there too" in ran.err
    assert world.rollout().image().endswith(":v1.1.0")


def test_what_git_has_brought_is_followed_as_ever(kept: tuple[World, str]) -> None:
    world, _ = kept
    container = {"name": "companyos-api", "image": "companyos-api:v1.1.0"}
    live = copy.deepcopy(world.store.read(ROLLOUT, "companyos", "companyos-api"))
    live["spec"]["template"]["spec"]["containers"][0]["image"] = container["image"]
    world.store.update(ROLLOUT, live)
    assert world.canary("deploy", "v1.1.0").code == ExitCode.OK
    assert changing(world) == []


def test_an_undo_is_refused_too_and_an_abort_is_not(kept: tuple[World, str]) -> None:
    world, name = kept
    assert world.canary("deploy", "v1.1.0", "--force", "--until", "weight=10").code == ExitCode.OK
    world.requests.clear()
    ran = world.canary("undo")
    assert (ran.code, name in ran.err) == (ExitCode.REFUSED, True)
    assert "in Git, set `image: companyos-api:v1.0.0` for container `companyos-api`" in ran.err
    assert changing(world) == []
    assert world.canary("abort").code == ExitCode.OK
    ran = world.canary("undo", "--force")
    assert ran.code == ExitCode.OK, ran
    assert "will put back the image in Git" in ran.err


def test_an_apply_is_refused_with_what_to_commit(kept: tuple[World, str]) -> None:
    world, name = kept
    ran = world.canary("apply", "v1.1.0", "--roll")
    assert ran.code == ExitCode.REFUSED
    assert f"{name} manages" in ran.err
    assert "canary render v1.1.0" in ran.err
    assert changing(world) == []
    assert world.canary("apply", "v1.1.0", "--roll", "--force", "--no-wait").code == ExitCode.OK


NOT_SIGNS: dict[str, dict[str, Any]] = {
    "the id of another object": {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:x/other"}},
    "an id that is none": {"annotations": {"argocd.argoproj.io/tracking-id": ":::"}},
    "another field of Argo CD": {
        "managedFields": [entry("argocd-controller", {"f:metadata": {"f:labels": {}}, "f:spec": {"f:replicas": {}}})]
    },
    "other managers": {"managedFields": [entry("kubectl-client-side-apply"), entry("canary"), entry("helm")]},
    "Flux that is switched off": {
        "labels": {"kustomize.toolkit.fluxcd.io/name": "apps"},
        "annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
    },
    "Flux that does not apply it": {
        "labels": {"kustomize.toolkit.fluxcd.io/name": "apps"},
        "annotations": {"kustomize.toolkit.fluxcd.io/ssa": "Ignore"},
    },
    "the label that Helm sets, too": {"labels": {"app.kubernetes.io/instance": "shop"}},
}


@pytest.mark.parametrize("meta", NOT_SIGNS.values(), ids=list(NOT_SIGNS))
def test_what_is_not_kept_from_git_is_changed_as_ever(world: World, meta: dict[str, Any]) -> None:
    assert marked(world, meta).canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK


def test_force_without_a_version_stays_a_mistake_elsewhere(shipped: World) -> None:
    assert shipped.canary("undo", "--force").code == ExitCode.USAGE
