"""What `canary doctor` reads of the installation: CRDs, controller, router, and the rights of the user and of both."""

from collections.abc import Iterator
from contextlib import suppress

from companyos_canary.argo.rights import Right, missing, of_router, of_verbs
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import ARGO, CLUSTERROLE, CONFIGMAP, LEASE
from companyos_canary.commands import base
from companyos_canary.commands.version import controllers
from companyos_canary.config import Settings
from companyos_canary.diagnosis import installation, readiness
from companyos_canary.diagnosis.case import at
from companyos_canary.diagnosis.control import CONTROLLER, LEASE_NAME, controller_version
from companyos_canary.diagnosis.readiness import Check
from companyos_canary.errors import CanaryError
from companyos_canary.model.http import Json
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.render.objects import objects


def crd_checks(cluster: Cluster, settings: Settings | None) -> Iterator[Check]:
    """Whether the CRDs are there, and whether they have the fields that canary.yaml renders."""
    schemas = cluster.schemas(ARGO)
    yield from installation.installed(cluster.resources(ARGO), schemas)
    if settings:
        yield from installation.renders_unknown(objects(settings, None), schemas)


def controller_check(session: base.Session, deployments: list[Json]) -> Check:
    """`deployments` is filled with what is found."""
    deployments += controllers(session.cluster)
    home = str(at(next(iter(deployments), None), "metadata", "namespace") or CONTROLLER)
    try:
        lease = session.cluster.elsewhere(home).object(LEASE, LEASE_NAME)
    except CanaryError:  # its version is worth saying without it
        lease = None
    return installation.controller(deployments, lease, session.runtime.clock.now())


def running_version(cluster: Cluster) -> str:
    """Empty where no controller is seen."""
    return next((controller_version(d) for d in controllers(cluster)), "")


def rights_checks(cluster: Cluster, snapshot: Snapshot) -> Iterator[Check]:
    """What may not be read of the Rollout's parts, and what each verb would be refused."""
    for text in snapshot.notes:
        yield Check("rights", "fault", text, "ask for a role that allows it")
    refused: dict[Right, list[str]] = {}
    allowed: dict[Right, bool] = {}
    try:
        for verb, needed in of_verbs(snapshot.rollout).items():
            for right in needed:
                if right not in allowed:
                    allowed[right] = _may(cluster, right, snapshot.rollout)
                if not allowed[right]:
                    refused.setdefault(right, []).append(verb)
    except CanaryError as error:
        yield Check("rights", "unknown", f"your rights could not be checked: {error.message}", error.hint)
        return
    yield from readiness.rights(refused)
    if not refused and not snapshot.notes:
        text = "you may read the Rollout and everything that belongs to it, and use every verb"
        yield Check("rights", "ok", text)


def _may(cluster: Cluster, right: Right, rollout: Rollout) -> bool:
    """A role may name the one Rollout, or its Deployment, that it is about."""
    plural, _, part = right.resource.partition("/")
    name = rollout.name if plural == "rollouts" and right.verb != "create" else ""
    if plural == "deployments":
        name = str((rollout.workload_ref or {}).get("name") or "")
    return cluster.may(right.verb, plural, group=right.group, subresource=part, name=name)


def plugin_checks(cluster: Cluster, snapshot: Snapshot) -> Iterator[Check]:
    live, config, unseen = snapshot.rollout, None, ""
    if at(live.raw, "spec", "strategy", "canary", "trafficRouting", "plugins"):
        try:
            config = cluster.elsewhere(CONTROLLER).object(CONFIGMAP, "argo-rollouts-config")
        except CanaryError as error:
            unseen = error.message
    yield from installation.router(live, config, unseen)


def route_rights_checks(cluster: Cluster, live: Rollout, deployment: Json | None) -> Iterator[Check]:
    """Asked of the API server; where that is not permitted, read from the ClusterRole of the usual name, which need
    not be all that the controller has."""
    needed = of_router(live)
    if not needed:
        return
    user = installation.controller_user(deployment)
    try:
        lacking = [r for r in needed if not cluster.may(r.verb, r.resource, group=r.group, user=user)]
    except CanaryError as error:
        rules, unseen = None, error.message
        with suppress(CanaryError):
            role = cluster.object(CLUSTERROLE, CONTROLLER)
            rules = (role or {}).get("rules")
        if isinstance(rules, list) and not missing(needed, rules, ""):
            yield from installation.router_rights([], f"the ClusterRole {CONTROLLER}")
        else:
            yield from installation.router_rights(None, "", unseen)
        return
    who = f"ServiceAccount {user.partition('serviceaccount:')[2].replace(':', '/')}"
    if lacking and deployment is None:  # another account may be the controller's
        yield from installation.router_rights(None, "", f"{who} may not, and no controller was found")
    else:
        yield from installation.router_rights(lacking, who)
