"""The objects that a router changes: whether they have what the Rollout needs."""

from collections.abc import Iterator, Mapping
from typing import Any

from companyos_canary.errors import near
from companyos_canary.lint.finding import Found, Path, below, mappings, rule
from companyos_canary.lint.objects import Manifest, RuleCase, named_services
from companyos_canary.model.http import Fields
from companyos_canary.model.rollout import GATEWAY

_ROUTING: Path = ("spec", "strategy", "canary", "trafficRouting")
_LABEL = "gatewayapi-canary"


@rule("missing-service", "warning", "Rollout")
def missing_service(case: RuleCase) -> Iterator[Found]:
    """A Service that is not in the files, although others are.

    A Service that does not exist in the cluster either makes the Rollout an InvalidSpec.
    """
    for path, name in named_services(case.object):
        if case.world.find("Service", name, case.object) is not None:
            continue
        known = case.world.names_beside("Service", case.object)
        if known and name not in known:
            yield Found(path, f"the Service `{name}` is not in these files", near(name, known))


@rule("ingress-without-service", "error", "Rollout")
def ingress_without_service(case: RuleCase) -> Iterator[Found]:
    """An Ingress has no rule for the Service that the router splits.

    The controller refuses the Rollout (InvalidSpec) as soon as it sees both. A rule counts, the default backend does
    not. `kubectl argo rollouts lint` does not notice: it looks only at an Ingress that has such a rule.
    """
    canary = case.object.canary
    for router, one, several in (("nginx", "stableIngress", "stableIngresses"), ("alb", "ingress", "ingresses")):
        settings = below(canary, "trafficRouting", router) or {}
        service = settings.get("rootService") or canary.get("stableService") or ""
        named = [((*_ROUTING, router, one), settings[one])] if settings.get(one) else []
        named += [((*_ROUTING, router, several, i), n) for i, n in enumerate(settings.get(several) or ())]
        for path, name in named:
            ingress = case.world.find("Ingress", name, case.object)
            if ingress and service and service not in _backends(ingress):
                text = f"no rule of the Ingress `{name}` has the Service `{service}` as its backend"
                yield Found(path, f"{text}: the controller refuses the Rollout")


def _backends(ingress: Manifest) -> set[str]:
    paths = [p for r in mappings(ingress.spec, "rules") for p in mappings(r, "http", "paths")]
    backends = [below(p, "backend") for p in paths]
    names = [below(b, "service", "name") or below(b, "serviceName") for b in backends]
    return {str(name) for name in names if name}


@rule("route-without-backends", "error", "Rollout")
def route_without_backends(case: RuleCase) -> Iterator[Found]:
    """An HTTPRoute has not both Services of the Rollout as backends.

    The plugin sets the weights of the two backendRefs. Without one of them it fails at the first setWeight, and the
    update stays there.
    """
    canary = case.object.canary
    wanted = [n for n in (canary.get("stableService"), canary.get("canaryService")) if n]
    for path, name in _routes(canary):
        route = case.world.find("HTTPRoute", name, case.object)
        if route is None:
            continue
        rules = [[str(ref.get("name")) for ref in mappings(r, "backendRefs")] for r in mappings(route.spec, "rules")]
        if len(wanted) == 2 and not any(set(wanted) <= set(names) for names in rules):
            missing = [n for n in wanted if not any(n in names for names in rules)] or wanted
            told = " and ".join(f"`{n}`" for n in missing)
            yield Found(path, f"no rule of the HTTPRoute `{name}` has both Services as backendRefs: {told} missing")


def _routes(canary: Fields) -> Iterator[tuple[Path, str]]:
    settings = below(canary, "trafficRouting", "plugins", GATEWAY)
    at: Path = (*_ROUTING, "plugins", GATEWAY)
    if isinstance(settings, Mapping) and isinstance(settings.get("httpRoute"), str):
        yield (*at, "httpRoute"), settings["httpRoute"]
    for index, route in enumerate(mappings(settings, "httpRoutes")):
        if isinstance(route.get("name"), str):
            yield (*at, "httpRoutes", index, "name"), route["name"]


@rule("virtual-service-without-route", "error", "Rollout")
def virtual_service_without_route(case: RuleCase) -> Iterator[Found]:
    """A VirtualService has not the route that the Rollout names, or not both destinations in it.

    The controller refuses the Rollout (InvalidSpec), or fails at the first setWeight.
    """
    canary = case.object.canary
    istio = below(canary, "trafficRouting", "istio") or {}
    if istio.get("destinationRule") or below(canary, "pingPong"):
        return
    wanted = {n for n in (canary.get("stableService"), canary.get("canaryService")) if n}
    for path, ref in _virtual_services(istio):
        found = case.world.find("VirtualService", str(ref.get("name") or "").partition(".")[0], case.object)
        routes = mappings(found.spec, "http") if found else []
        if found is None or ref.get("tlsRoutes") or ref.get("tcpRoutes") or not routes:
            continue
        names = [str(r["name"]) for r in routes if r.get("name")]
        for name in ref.get("routes") or ():
            if name not in names:
                yield Found((*path, "routes"), f"the VirtualService has no HTTP route `{name}`", near(name, names))
        chosen = [r for r in routes if not ref.get("routes") or r.get("name") in ref["routes"]]
        for route in chosen:
            hosts = {str(below(d, "destination", "host") or "").partition(".")[0] for d in mappings(route, "route")}
            if not wanted <= hosts:
                told = " and ".join(f"`{n}`" for n in sorted(wanted - hosts))
                which = f"route `{route['name']}`" if route.get("name") else "the route"
                yield Found(path, f"{which} of the VirtualService `{found.name}` has no destination {told}")


def _virtual_services(istio: Fields) -> Iterator[tuple[Path, Fields]]:
    at: Path = (*_ROUTING, "istio")
    if istio.get("virtualService"):
        yield (*at, "virtualService"), istio["virtualService"]
    for index, ref in enumerate(istio.get("virtualServices") or ()):
        yield (*at, "virtualServices", index), ref


@rule("ignore-differences", "warning", "Application")
def ignore_differences(case: RuleCase) -> Iterator[Found]:
    """Argo CD ignores a route only while a label is on it, and is OutOfSync for ever.

    The Gateway API plugin puts the label `rollouts.argoproj.io/gatewayapi-canary` on a route while a canary is in
    progress. An expression that selects by it also hides the rules from the comparison of what was applied, so that
    Argo CD 3 shows a difference that no sync removes (plugin #208). Ignore the weights alone, always.
    """
    for index, entry in enumerate(mappings(case.object.spec, "ignoreDifferences")):
        expressions: Any = entry.get("jqPathExpressions")
        for number, text in enumerate(expressions if isinstance(expressions, list) else ()):
            if isinstance(text, str) and _LABEL in text and "select" in text:
                yield Found(
                    ("spec", "ignoreDifferences", index, "jqPathExpressions", number),
                    f"the route is ignored only while the label `{_LABEL}` is on it",
                    "ignore `.spec.rules[].backendRefs[].weight` and the label itself, without a select",
                )


RULES = (
    missing_service,
    ingress_without_service,
    route_without_backends,
    virtual_service_without_route,
    ignore_differences,
)
