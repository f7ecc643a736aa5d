"""What is wrong with the objects that a Rollout's traffic router refers to, with the controller's
sentences.

Upstream pkg/apis/rollouts/validation/validation_references.go; recorded: scenario ingress-missing.
"""

from collections.abc import Callable, Iterator

from companyos_canary.argo.fault import Fault, Json, invalid

Find = Callable[[str, str], Json | None]
"""(resource, name) -> the object; the name of a VirtualService may be `name.namespace`."""

_AT = "spec.strategy.canary.trafficRouting"
_VIRTUAL_SERVICE = "virtualservices.networking.istio.io"
_MAPPING = "mappings.getambassador.io"
_NO_ROUTES = "Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService"


def route_faults(canary: Json, find: Find) -> Iterator[Fault]:
    """Of the Ingresses, VirtualServices and Mappings that trafficRouting names."""
    routing = canary.get("trafficRouting") or {}
    nginx, alb, istio = (routing.get(name) for name in ("nginx", "alb", "istio"))
    stable = canary.get("stableService") or ""
    if nginx is not None:
        yield from _ingress_faults(f"{_AT}.nginx", nginx, ("stableIngress", "stableIngresses"), stable, find)
    if alb is not None:
        yield from _ingress_faults(f"{_AT}.alb", alb, ("ingress", "ingresses"), alb.get("rootService") or stable, find)
    if istio is not None:
        yield from _virtual_service_faults(istio, find)
    if routing.get("ambassador") is not None:
        yield from _mapping_faults(routing["ambassador"], find)


def _ingress_faults(at: str, settings: Json, fields: tuple[str, str], service: str, find: Find) -> Iterator[Fault]:
    one, several = fields
    if settings.get(several) is not None:
        named = [(f"{at}.{several}", name) for name in settings[several]]
    else:
        named = [(f"{at}.{one}", settings.get(one) or "")]
    for field, name in named:
        ingress = find("ingresses.networking.k8s.io", name)
        if ingress is None:
            yield invalid(field, name, f'ingress.networking.k8s.io "{name}" not found')
        elif service not in _services(ingress):
            yield invalid(field, name, f"ingress `{name}` has no rules using service {service} backend")


def _services(ingress: Json) -> set[str]:
    rules = (ingress.get("spec") or {}).get("rules") or []
    paths = [path for rule in rules for path in (rule.get("http") or {}).get("paths") or []]
    return {((path.get("backend") or {}).get("service") or {}).get("name") or "" for path in paths}


def _virtual_service_faults(istio: Json, find: Find) -> Iterator[Fault]:
    several = istio.get("virtualServices")
    one = istio.get("virtualService")
    if several and one:
        text = "Istio `virtualService` and `virtualServices` can't be configured at the same time"
        yield invalid(f"{_AT}.istio", "istio", f"spec.strategy.canary.trafficRouting.istio: {text}")
    field = f"{_AT}.istio.{'virtualServices' if several else 'virtualService'}.name"
    for named in several or ([one] if one else []):
        name = named.get("name") or ""
        found = find(_VIRTUAL_SERVICE, name)
        if found is None:
            yield invalid(field, name, f'{_VIRTUAL_SERVICE} "{name.partition(".")[0]}" not found')
        elif not any((found.get("spec") or {}).get(kind) for kind in ("http", "tls", "tcp")):
            yield invalid(field, name, _NO_ROUTES)


def _mapping_faults(ambassador: Json, find: Find) -> Iterator[Fault]:
    for name in ambassador.get("mappings") or []:
        found = find(_MAPPING, name)
        if found is None:
            yield invalid(f"{_AT}.ambassador.mappings", name, f'{_MAPPING} "{name}" not found')
        elif (found.get("spec") or {}).get("weight"):
            yield invalid("spec.weight", name, f'Ambassador mapping "{name}" can not define weight')
