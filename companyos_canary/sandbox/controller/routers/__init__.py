"""The traffic routers that the sandbox acts out, one adapter each, and which one acts for which field of
trafficRouting."""

from collections.abc import Iterator, Mapping
from typing import Any

from companyos_canary.sandbox.controller.passes import Pass
from companyos_canary.sandbox.controller.routers.alb import Alb
from companyos_canary.sandbox.controller.routers.gateway import Gateway
from companyos_canary.sandbox.controller.routers.istio import Istio
from companyos_canary.sandbox.controller.routers.others import Ambassador, Apisix, AppMesh, Nginx, Smi, Traefik
from companyos_canary.sandbox.controller.routers.router import Router
from companyos_canary.sandbox.kinds import KINDS
from companyos_canary.sandbox.objects import Object

ROUTERS: dict[str, type[Router]] = {
    "istio": Istio,
    "nginx": Nginx,
    "alb": Alb,
    "smi": Smi,
    "ambassador": Ambassador,
    "appMesh": AppMesh,
    "traefik": Traefik,
    "apisix": Apisix,
}
PLUGINS: dict[str, type[Router]] = {"argoproj-labs/gatewayAPI": Gateway}


def routers_of(state: Pass) -> list[Router]:
    """The routers of a Rollout, in the order in which the controller asks them."""
    return [adapter(state, settings or {}) for adapter, settings in _named(state.strategy["trafficRouting"])]


def not_emulated(routing: Mapping[str, Any]) -> str | None:
    """The first field of a trafficRouting that no adapter represents."""
    for name, settings in routing.items():
        if name == "plugins":
            unknown = next((plugin for plugin in settings or {} if plugin not in PLUGINS), None)
            if unknown is not None:
                return f"plugins[{unknown}]"
        elif name not in ROUTERS and name not in ("managedRoutes", "maxTrafficWeight") and settings is not None:
            return name
    return None


def find_route(state: Pass, resource: str, name: str) -> Object | None:
    """An object that a router refers to, by its resource and name (or `name.namespace`)."""
    bare, _, namespace = name.partition(".") if resource.startswith("virtualservices.") else (name, "", "")
    kinds = [kind for kind in KINDS if kind.resource == resource]
    found = (state.store.get(kind, namespace or state.view.namespace, bare) for kind in kinds)
    return next((obj for obj in found if obj is not None), None)


def _named(routing: Mapping[str, Any]) -> Iterator[tuple[type[Router], Mapping[str, Any]]]:
    for name, adapter in ROUTERS.items():
        if routing.get(name) is not None:
            yield adapter, routing[name]
    for name, settings in (routing.get("plugins") or {}).items():
        yield PLUGINS[name], settings
