"""What `apply` does about a traffic router: the Services keep the hash that the controller has put into their
selectors, a route that exists stays as it is, and what the controller itself needs is looked at."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import CONFIGMAP, known
from companyos_canary.config import Settings, TrafficSettings
from companyos_canary.diagnosis.control import CONTROLLER
from companyos_canary.errors import CanaryError
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.rollout import GATEWAY
from companyos_canary.render.traffic import ROUTE_KINDS, ROUTE_KINDS_OF, backend_names

_CONFIG = "argo-rollouts-config"


def with_live_hash(wanted: Mapping[str, Any], live: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """A Service with the version that the controller has chosen for it: a selector is written as a whole."""
    chosen = (((live or {}).get("spec") or {}).get("selector") or {}).get(HASH_LABEL)
    if wanted["kind"] != "Service" or chosen is None:
        return wanted
    return {**wanted, "spec": {**wanted["spec"], "selector": {**wanted["spec"]["selector"], HASH_LABEL: chosen}}}


def kept(settings: Settings, wanted: Sequence[Mapping[str, Any]], live: Sequence[Mapping[str, Any] | None]) -> set[int]:
    """The numbers of the routes that exist: the controller writes its weights into them, and an apply would write
    others."""
    routes = ROUTE_KINDS if settings.traffic else ()
    pairs = enumerate(zip(wanted, live, strict=True))
    return {n for n, (obj, there) in pairs if there is not None and obj["kind"] in routes}


def what_it_lacks(settings: Settings, route: Mapping[str, Any]) -> str:
    """That a route stays as it is, and what it lacks."""
    lacking = not_named(settings, route)
    name = f"{route['kind']} {route['metadata']['name']}"
    if not lacking:
        return f"{name} exists and is left as it is"
    added = " and ".join(f"`{n}`" for n in lacking)
    fix = "add it" if len(lacking) == 1 else "add both"
    return f"{name} exists and is left as it is, but it does not name {added}: {fix} to its backends"


def left_ingresses(live: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """What the controller made for nginx and does not remove when the Rollout has no such router any more (upstream
    issue 4751)."""
    if _nginx(wanted) or not (before := _nginx(live or {})):
        return ()
    ingresses = [before.get("stableIngress"), *(before.get("stableIngresses") or ())]
    names = [f"Ingress {wanted['metadata']['name']}-{name}-canary" for name in ingresses if name]
    return tuple(f"{name} stays behind, with its last weight: delete it once this is applied" for name in names)


def _nginx(rollout: Mapping[str, Any]) -> Mapping[str, Any]:
    canary = ((rollout.get("spec") or {}).get("strategy") or {}).get("canary") or {}
    found: Mapping[str, Any] = (canary.get("trafficRouting") or {}).get("nginx") or {}
    return found


def not_named(settings: Settings, route: Mapping[str, Any]) -> list[str]:
    """The Services that the route has to name as its backends, and does not."""
    return [name for name in backend_names(settings) if not _names(route.get("spec") or {}, name)]


def _names(value: Any, name: str) -> bool:
    if isinstance(value, Mapping):
        return any(_names(held, name) for held in value.values())
    if isinstance(value, list):
        return any(_names(held, name) for held in value)
    return bool(value == name)


def what_the_controller_lacks(cluster: Cluster, settings: Settings) -> Iterator[str]:
    """Sentences about the plugin of the Gateway API and the controller's right to change the route, also that one
    cannot be seen. Changes nothing."""
    traffic = settings.traffic
    if traffic is None:
        return
    if traffic.router == "gateway":
        yield from _plugin(cluster)
    if traffic.router != "nginx":
        yield from _right(cluster, traffic)


def _plugin(cluster: Cluster) -> Iterator[str]:
    what = f"cannot see whether the controller has the plugin {GATEWAY}"
    try:
        config = cluster.elsewhere(CONTROLLER).object(CONFIGMAP, _CONFIG)
    except CanaryError as error:
        yield f"{what}: {error.message}"
        return
    if config is None:
        yield f"{what}: there is no ConfigMap {_CONFIG} in namespace {CONTROLLER}"
    elif GATEWAY not in str((config.get("data") or {}).get("trafficRouterPlugins") or ""):
        fix = f"add it to `trafficRouterPlugins` of the ConfigMap {_CONFIG}, then restart the controller"
        yield f"the controller has no plugin {GATEWAY}: {fix}"


def _right(cluster: Cluster, traffic: TrafficSettings) -> Iterator[str]:
    api, kind = ROUTE_KINDS_OF[traffic.router]
    found = known(api, kind)
    plural, group = (found.plural if found else kind), api.partition("/")[0]
    try:
        allowed = cluster.may("patch", plural, group=group, user=f"system:serviceaccount:{CONTROLLER}:{CONTROLLER}")
    except CanaryError as error:
        yield f"cannot see whether the controller may patch {plural}.{group}: {error.message}"
        return
    if not allowed:
        fix = "bind a ClusterRole with get, list, update and patch to its ServiceAccount"
        yield f"the controller may not patch {plural}.{group}: {fix}"
