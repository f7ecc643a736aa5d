"""The objects of a traffic router: the two Services of a canary, the route that splits between them, and the part of
the Rollout that names them.

Shapes: the Gateway API plugin (argoproj-labs/gatewayAPI), and the specifications of the routers of Argo Rollouts.
"""

from companyos_canary.config.settings import Settings, TrafficSettings
from companyos_canary.model.http import Json
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.rollout import GATEWAY
from companyos_canary.render.steps import header_route, preview_service


def canary_service(settings: Settings) -> str:
    return f"{settings.rollout}-canary"


def stable_service(settings: Settings) -> str:
    return f"{settings.rollout}-stable"


def backend_names(settings: Settings) -> tuple[str, ...]:
    """What the object of the router has to name."""
    router = settings.traffic.router if settings.traffic else ""
    if router == "nginx":
        return (stable_service(settings),)
    return (settings.rollout,) if router == "alb" else (stable_service(settings), canary_service(settings))


def routing(settings: Settings, traffic: TrafficSettings) -> Json:
    """The fields of spec.strategy.canary that a router needs."""
    found: Json = {
        "canaryService": canary_service(settings),
        "stableService": stable_service(settings),
        "trafficRouting": {**_ROUTING[traffic.router](settings, traffic), **_managed(settings, traffic)},
    }
    if traffic.stable_scales_down:
        found["dynamicStableScale"] = True
    if traffic.abort_delay is not None:
        found["abortScaleDownDelaySeconds"] = int(traffic.abort_delay.total_seconds())
    return found


def _managed(settings: Settings, traffic: TrafficSettings) -> Json:
    return {"managedRoutes": [{"name": header_route(settings)}]} if traffic.header else {}


def _gateway(settings: Settings, traffic: TrafficSettings) -> Json:
    route: Json = {"name": traffic.route, **({"useHeaderRoutes": True} if traffic.header else {})}
    return {"plugins": {GATEWAY: {"httpRoutes": [route], "namespace": settings.namespace}}}


def _istio(_: Settings, traffic: TrafficSettings) -> Json:
    return {"istio": {"virtualService": {"name": traffic.route, "routes": [_PRIMARY]}}}


def _alb(settings: Settings, traffic: TrafficSettings) -> Json:
    return {"alb": {"ingress": traffic.route, "rootService": settings.rollout, "servicePort": settings.port}}


def _traefik(_: Settings, traffic: TrafficSettings) -> Json:
    return {"traefik": {"weightedTraefikServiceName": traffic.route}}


def _nginx(_: Settings, traffic: TrafficSettings) -> Json:
    return {"nginx": {"stableIngress": traffic.route}}


_PRIMARY = "primary"
_ROUTING = {"gateway": _gateway, "istio": _istio, "alb": _alb, "traefik": _traefik, "nginx": _nginx}


def routed_services(settings: Settings, traffic: TrafficSettings, one: Json) -> list[Json]:
    """The Services of the canary and of the stable version, and where the router needs it `one` of both. They start
    with one selector; the controller adds the hash of the version to each."""
    names = [canary_service(settings), stable_service(settings)]
    if traffic.router in ("istio", "alb"):
        names.append(settings.rollout)
    return [{**one, "metadata": {**one["metadata"], "name": name}} for name in names]


def route(settings: Settings, traffic: TrafficSettings) -> Json | None:
    """The object whose weights the controller sets; None where it is someone else's."""
    return None if traffic.existing else _ROUTES[traffic.router](settings, traffic)


def for_a_route_that_exists(settings: Settings, traffic: TrafficSettings) -> str:
    """What to add to an object of someone else's, or to one that is there already."""
    names = " and ".join(f"`{name}`" for name in backend_names(settings))
    kind = ROUTE_KINDS_OF[traffic.router][1]
    if traffic.existing:
        return f"{kind} {traffic.route} is not rendered (`existing: true`): its backends have to name {names}"
    return f"if {kind} {traffic.route} exists already, leave this one out and add {names} to its backends"


def _http_route(settings: Settings, traffic: TrafficSettings) -> Json:
    namespace, _, name = traffic.parent.rpartition("/")
    parent = {"name": name, **({"namespace": namespace} if namespace else {})}
    spec: Json = {"parentRefs": [parent]}
    if traffic.host:
        spec["hostnames"] = [traffic.host]
    spec["rules"] = [{"backendRefs": backends(settings)}]
    return _object(settings, traffic, spec)


def backends(settings: Settings) -> list[Json]:
    """The backendRefs of an HTTPRoute, as they stand when no version is in progress."""
    return [
        {"name": stable_service(settings), "port": settings.port, "weight": 100},
        {"name": canary_service(settings), "port": settings.port, "weight": 0},
    ]


def _virtual_service(settings: Settings, traffic: TrafficSettings) -> Json:
    spec: Json = {"hosts": [traffic.host or settings.rollout]}
    if traffic.parent:
        spec["gateways"] = [traffic.parent]
    weights = ((stable_service(settings), 100), (canary_service(settings), 0))
    to = [{"destination": {"host": name}, "weight": weight} for name, weight in weights]
    spec["http"] = [{"name": _PRIMARY, "route": to}]
    return _object(settings, traffic, spec)


def _alb_ingress(settings: Settings, traffic: TrafficSettings) -> Json:
    backend = {"service": {"name": settings.rollout, "port": {"name": "use-annotation"}}}
    found = _ingress(settings, traffic, backend, "alb")
    found["metadata"]["annotations"] = {f"{_ALB}/target-type": "ip"}  # the Services have no node port
    return found


def _nginx_ingress(settings: Settings, traffic: TrafficSettings) -> Json:
    backend = {"service": {"name": stable_service(settings), "port": {"number": settings.port}}}
    return _ingress(settings, traffic, backend, "nginx")


def _ingress(settings: Settings, traffic: TrafficSettings, backend: Json, name: str) -> Json:
    rule: Json = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    if traffic.host:
        rule = {"host": traffic.host, **rule}
    spec = {"ingressClassName": traffic.ingress_class or name, "rules": [rule]}
    return _object(settings, traffic, spec)


def _traefik_service(settings: Settings, traffic: TrafficSettings) -> Json:
    to = [{"name": name, "port": settings.port} for name in (stable_service(settings), canary_service(settings))]
    return _object(settings, traffic, {"weighted": {"services": to}})


_ROUTES = {
    "gateway": _http_route,
    "istio": _virtual_service,
    "alb": _alb_ingress,
    "traefik": _traefik_service,
    "nginx": _nginx_ingress,
}


ROUTE_KINDS_OF = {
    "gateway": ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    "istio": ("networking.istio.io/v1", "VirtualService"),
    "alb": ("networking.k8s.io/v1", "Ingress"),
    "traefik": ("traefik.io/v1alpha1", "TraefikService"),
    "nginx": ("networking.k8s.io/v1", "Ingress"),
}
ROUTE_KINDS = tuple(dict.fromkeys(kind for _, kind in ROUTE_KINDS_OF.values()))


def _object(settings: Settings, traffic: TrafficSettings, spec: Json) -> Json:
    api, kind = ROUTE_KINDS_OF[traffic.router]
    meta = {"name": traffic.route, "namespace": settings.namespace, "labels": {"app": settings.app}}
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec}


def ignored_by_argocd(settings: Settings) -> list[Json]:
    """`ignoreDifferences` for an Application of Argo CD: the fields that the controller writes, and no more, so that
    both never write the same one. None of them depends on a label that comes and goes (plugin #208)."""
    traffic, names = settings.traffic, (canary_service(settings), stable_service(settings))
    if settings.blue_green:
        names = (settings.rollout, preview_service(settings))
    elif traffic is None:
        return []
    pointers = [f"/spec/selector/{HASH_LABEL}"]
    found: list[Json] = [{"kind": "Service", "name": name, "jsonPointers": pointers} for name in names]
    if traffic is None:
        return found
    if expressions := _written_expressions(settings, traffic):
        api, kind = ROUTE_KINDS_OF[traffic.router]
        group = api.partition("/")[0]
        found.append({"group": group, "kind": kind, "name": traffic.route, "jqPathExpressions": expressions})
    return found


def _written_expressions(settings: Settings, traffic: TrafficSettings) -> list[str]:
    """What the controller writes in the object of the router."""
    name = header_route(settings)
    match traffic.router:
        case "gateway":
            header = [f'.spec.rules[] | select(.name == "{name}")']
            return [".spec.rules[].backendRefs[].weight", *(header if traffic.header else [])]
        case "istio":
            header = [f'.spec.http[] | select(.name == "{name}")']
            return [".spec.http[].route[].weight", *(header if traffic.header else [])]
        case "alb":
            keys = [f"{_ALB}/actions.{settings.rollout}", "rollouts.argoproj.io/managed-alb-annotations"]
            keys += [f"{_ALB}/{kind}.{name}" for kind in ("actions", "conditions") if traffic.header]
            header = [f'.spec.rules[].http.paths[] | select(.backend.service.name == "{name}")']
            return [*(f'.metadata.annotations["{key}"]' for key in keys), *(header if traffic.header else [])]
        case "traefik":
            return [".spec.weighted.services[].weight"]
    return []  # nginx: the controller writes an Ingress of its own


_ALB = "alb.ingress.kubernetes.io"
