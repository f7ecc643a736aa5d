"""A Rollout whose pod template is that of a Deployment (workloadRef), read and changed."""

import dataclasses

from companyos_canary.argo.patches import Patch
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import DEPLOYMENT, ROLLOUT
from companyos_canary.cluster.reads import with_workload, workload_of
from companyos_canary.errors import CanaryError, NotFound
from companyos_canary.model.rollout import Rollout


def read(cluster: Cluster, name: str) -> Rollout:
    """The Rollout with the pod template that is in force. Unlike `Cluster.resolved`, which serves
    views, this raises where the Deployment is missing (NotFound) or may not be read."""
    rollout = cluster.rollout(name)
    if not rollout.workload_ref or workload_of(rollout) is None:
        return rollout
    workload = str(rollout.workload_ref.get("name"))
    found = cluster.object(DEPLOYMENT.api_version, DEPLOYMENT.plural, workload)
    if found is None:
        raise NotFound(
            f"Rollout `{name}` takes its pods from the Deployment `{workload}`, which is not there",
            hint=f"look with `kubectl get deployments -n {cluster.namespace}`",
        )
    return with_workload(rollout, found)


def read_if_possible(cluster: Cluster, name: str) -> Rollout:
    """As `read`, but the Rollout as it is where its Deployment cannot be read: for a verb that
    must not wait for anything."""
    rollout = cluster.rollout(name)
    try:
        return cluster.resolved(rollout)
    except CanaryError:
        return rollout


def send(cluster: Cluster, rollout: Rollout, patch: Patch) -> Rollout:
    """Sends one patch of a decision on this Rollout; the Rollout after it."""
    if patch.target == "Deployment":
        workload = str((rollout.workload_ref or {}).get("name"))
        answer = cluster.patch(DEPLOYMENT, workload, patch.body, content_type=patch.content_type)
        return with_workload(rollout, answer)
    answer = cluster.patch(
        ROLLOUT, rollout.name, patch.body, content_type=patch.content_type, subresource=patch.subresource
    )
    after = Rollout.from_object(answer)
    if rollout.workload_generation is None:
        return after
    return dataclasses.replace(
        after,
        selector=rollout.selector,
        containers=rollout.containers,
        template=rollout.template,
        workload_generation=rollout.workload_generation,
    )
