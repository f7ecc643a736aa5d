"""What a release needs of the cluster: credentials, CRDs, and a controller that runs and has its plugins. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from companyos_canary.argo.replicas import abort_delay, is_dynamic, strategy
from companyos_canary.argo.rights import Right
from companyos_canary.diagnosis.case import at
from companyos_canary.diagnosis.control import (
    CONTROLLER,
    INSTANCE,
    LEASE_LASTS,
    controller_version,
    instance_id,
    lease_of,
    since_renewed,
    watched_namespace,
)
from companyos_canary.diagnosis.readiness import Check, Mark
from companyos_canary.model.http import Fields
from companyos_canary.model.rollout import GATEWAY, Rollout
from companyos_canary.units import duration as span

CONTROLLER_LABEL = "app.kubernetes.io/name=argo-rollouts"
NO_CONTROLLER = "no Deployment of Argo Rollouts was found"
_CONFIG = "argo-rollouts-config"
_NEEDED_KINDS = ("rollouts", "analysistemplates", "analysisruns")
_OLDEST = (1, 8)  # conditions of several numbers, by which the form `evidence` judges
_SINCE_1_8 = "consecutiveSuccessLimit"  # a field of a metric
_UPDATE = "apply the CRDs of the release of Argo Rollouts that runs"
_SKEW, _WRONG_CLOCK = timedelta(seconds=5), timedelta(minutes=1)
_RELEASE_TAKES = timedelta(hours=1)
_RELEASE = r"v?(\d+)\.(\d+)\.(\d+)"


def clock_skew(skew: timedelta) -> Check:
    """`skew`: this machine's clock less the server's."""
    far = abs(skew)
    said = f"{span(far)} {'ahead of' if skew > timedelta() else 'behind'} the API server"
    if far < _SKEW:
        return Check("clock", "ok", "the clock of this machine agrees with that of the API server")
    mark: Mark = "fault" if far > _WRONG_CLOCK else "warning"
    return Check("clock", mark, f"the clock of this machine is {said}", "synchronize it, e.g. with NTP")


def credentials(expires: datetime, now: datetime) -> Check:
    """`expires`: when the first of the credentials ends."""
    left = expires - now
    if left <= timedelta():
        return Check("credentials", "fault", f"your credentials ended {span(-left)} ago", "log in again")
    if left < _RELEASE_TAKES:
        text = f"your credentials end in {span(left)}, which may be before the release does"
        return Check("credentials", "warning", text, "log in again before you deploy")
    return Check("credentials", "ok", f"your credentials are valid until {expires:%Y-%m-%d %H:%M} UTC")


def installed(plurals: Iterable[str], schemas: Mapping[str, Fields]) -> Iterator[Check]:
    """`plurals`: the resources of argoproj.io/v1alpha1 that the API server knows; `schemas`: those of its kinds, none
    where they could not be read."""
    missing = [p for p in _NEEDED_KINDS if p not in set(plurals)]
    if missing:
        names = ", ".join(f"{p}.argoproj.io" for p in missing)
        yield Check("crds", "fault", f"the cluster does not know {names}", "install Argo Rollouts with its CRDs")
        return
    what = "the CRDs of Argo Rollouts are installed (v1alpha1"
    if not schemas:
        yield Check("crds", "ok", f"{what}; their fields are not known)")
    elif knows(schemas, "AnalysisTemplate", "spec", "metrics", _SINCE_1_8):
        yield Check("crds", "ok", f"{what}, of 1.8 or newer)")
    else:
        yield Check("crds", "warning", f"{what}, older than 1.8)", _UPDATE)


def knows(schemas: Mapping[str, Fields], kind: str, *path: str) -> bool:
    """Whether the schema of a kind has the field at a path; the items of lists are looked through."""
    found: Any = schemas.get(kind) or {}
    for key in path:
        found = (at(found, "properties") or {}).get(key) or {}
        found = found.get("items") or found
    return bool(found)


def renders_unknown(objects: Iterable[Fields], schemas: Mapping[str, Fields]) -> Iterator[Check]:
    """`objects`: what canary.yaml renders. A CRD drops the fields that it does not know, or the server refuses them."""
    for obj in objects:
        schema = at(schemas.get(str(obj.get("kind"))) or {}, "properties", "spec")
        fields = list(dict.fromkeys(unknown_fields(obj.get("spec"), schema, "spec"))) if schema else []
        if fields:
            named = ", ".join(fields[:3])
            text = f"the CRD of {obj['kind']} does not know {named}, which canary.yaml renders"
            yield Check("crd-fields", "fault", text, _UPDATE)


def unknown_fields(value: Any, schema: Any, path: str) -> Iterator[str]:
    """The paths in a value that its OpenAPI schema does not have."""
    if not isinstance(schema, Mapping) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list):
        for item in value:
            yield from unknown_fields(item, schema.get("items"), f"{path}[]")
    elif isinstance(value, Mapping) and isinstance(properties := schema.get("properties"), Mapping):
        for key, inner in value.items():
            if key in properties:
                yield from unknown_fields(inner, properties[key], f"{path}.{key}")
            elif not schema.get("additionalProperties"):
                yield f"{path}.{key}"


def controller(deployments: Sequence[Fields], lease: Fields | None, now: datetime) -> Check:
    """The controllers that were found; the one of the usual name and namespace counts first."""
    if not deployments:
        renewed = since_renewed(lease, now)
        if renewed is not None and renewed <= LEASE_LASTS:
            return Check("controller", "ok", "the Argo Rollouts controller renews its lease; its version is not known")
        return Check(
            "controller", "unknown", NO_CONTROLLER, "see `kubectl get deployments -A -l " + CONTROLLER_LABEL + "`"
        )
    found = deployments[0]
    place = controller_place(found)
    version = controller_version(found)
    named = f"Argo Rollouts {version}" if version else "Argo Rollouts"
    if not at(found, "status", "availableReplicas"):
        fix = f"kubectl -n {at(found, 'metadata', 'namespace')} describe deployment {at(found, 'metadata', 'name')}"
        return Check("controller", "fault", f"{named} ({place}) has no available pod", fix)
    renewed = since_renewed(lease_of(found, lease), now)
    if renewed is not None and renewed > LEASE_LASTS:
        fix = f"kubectl -n {at(found, 'metadata', 'namespace')} logs deployment/{at(found, 'metadata', 'name')}"
        return Check("controller", "fault", f"{named} ({place}) last renewed its lease {span(renewed)} ago", fix)
    if is_older(version, _OLDEST):
        fix = "update the controller, or set `form: safe` in canary.yaml"
        return Check("controller", "warning", f"{named} is older than 1.8, which `form: evidence` needs", fix)
    return Check("controller", "ok", f"{named} is running ({place})")


def is_older(version: str, release: tuple[int, int]) -> bool:
    """Whether a controller of this version comes before a release; False where the version does not say."""
    found = re.search(_RELEASE, version)
    return found is not None and (int(found[1]), int(found[2])) < release


def abort_may_hang(rollout: Rollout) -> bool:
    """Controllers before 1.10 do not bring back a stable version that has shrunk where the canary's pods are to stay
    for a while: the weight waits for the pods, and these for the weight (upstream #4900)."""
    explicit = strategy(rollout).get("abortScaleDownDelaySeconds") is not None
    return rollout.is_routed and is_dynamic(rollout) and explicit and abort_delay(rollout) is not None


def abort_hangs(version: str) -> Iterator[Check]:
    """For a Rollout of which that holds; `version` is the controller's."""
    if is_older(version, (1, 10)):
        why = "with `dynamicStableScale` and `abortScaleDownDelaySeconds` the weight waits for the canary's pods"
        text = (
            f"after an abort, Argo Rollouts {version} may never move all traffic back: {why}, and these for the weight"
        )
        yield Check("abort", "warning", text, "leave out `abortScaleDownDelaySeconds`, or update Argo Rollouts to 1.10")


def controller_place(deployment: Fields) -> str:
    """`argo-rollouts/argo-rollouts`: its namespace and name."""
    return f"{at(deployment, 'metadata', 'namespace')}/{at(deployment, 'metadata', 'name')}"


def looks_here(rollout: Rollout, deployment: Fields) -> Iterator[Check]:
    """Whether the controller that was found looks after this Rollout: its namespace, and its instance id."""
    namespace, theirs = watched_namespace(deployment), instance_id(deployment)
    mine = str((rollout.raw["metadata"].get("labels") or {}).get(INSTANCE) or "")
    if namespace and namespace != rollout.namespace:
        text = f"the controller looks at namespace {namespace} only (--namespaced), not at {rollout.namespace}"
        yield Check("instance", "fault", text, "install a controller for this namespace, or one for all of them")
    if theirs is not None and theirs != mine:
        who = f"the controller looks after instance id {theirs}" if theirs else "the controller has no instance id"
        has = f"{rollout.name} has {mine}" if mine else f"{rollout.name} has none"
        fix = f"set the label {INSTANCE} to {theirs}" if theirs else f"remove the label {INSTANCE}"
        yield Check("instance", "fault", f"{who}, and {has}, so no controller acts on it", fix)


def controller_user(deployment: Fields | None) -> str:
    """The user that the controller is to the API server; the usual one where its Deployment was not found."""
    namespace = at(deployment, "metadata", "namespace") or CONTROLLER
    account = at(deployment, "spec", "template", "spec", "serviceAccountName") or CONTROLLER
    return f"system:serviceaccount:{namespace}:{account}"


def router_rights(lacking: Sequence[Right] | None, who: str, unseen: str = "") -> Iterator[Check]:
    """`lacking`: what the controller may not do with the objects of the router; None where that could not be seen.
    `who`: whose rights were read."""
    if lacking is None:
        yield Check("route-rights", "unknown", f"whether the controller may change the route is not known: {unseen}")
        return
    what = ", ".join(f"{r.verb} {r.resource}.{r.group}" for r in lacking)
    if what:
        fix = "bind a ClusterRole with these rights to the ServiceAccount of the controller"
        yield Check("route-rights", "fault", f"{who} may not {what}, so the weights would not be set", fix)
    else:
        yield Check("route-rights", "ok", f"{who} may change the objects that split the traffic")


def router(rollout: Rollout, config: Fields | None, unseen: str = "") -> Iterator[Check]:
    """For a router that is a plugin: whether the controller has it. `config`: the controller's ConfigMap."""
    plugins = at(rollout.raw, "spec", "strategy", "canary", "trafficRouting", "plugins") or {}
    if at(rollout.raw, "spec", "strategy", "canary", "trafficRouting", "gatewayAPI") is not None:
        text = "`trafficRouting.gatewayAPI` is ignored by the controller: no weight is ever set"
        yield Check("router", "fault", text, f"use `plugins: {{{GATEWAY}: …}}`")
    for name in plugins:
        if unseen:
            yield Check("router", "unknown", f"whether the plugin {name} is configured is not known: {unseen}")
        elif f'"{name}"' in _plugin_names(config) or name in _plugin_names(config):
            yield Check("router", "ok", f"the plugin {name} is configured")
        else:
            fix = f"add it to `trafficRouterPlugins` of the ConfigMap {_CONFIG}, then restart the controller"
            yield Check("router", "fault", f"the controller has no plugin {name}", fix)


def _plugin_names(config: Fields | None) -> str:
    return str(at(config, "data", "trafficRouterPlugins") or "")
