"""A thing that is wrong in a Rollout, as the API and the controller name it, and those of a canary strategy.

Upstream pkg/apis/rollouts/validation; texts recorded: analysis rows `rollout-*`, single lint files.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from companyos_canary.argo.steps import FULL_WEIGHT
from companyos_canary.model.http import Fields
from companyos_canary.model.rollout import Rollout, Step


class Fault(Struct, frozen=True):
    """One thing that is wrong; `str` is how the API names it."""

    field: str
    problem: str
    detail: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" + (f": {self.detail}" if self.detail else "")


def invalid(field: str, value: Any, detail: str) -> Fault:
    """`value` as Go's field errors print it: numbers bare, texts quoted, objects as JSON."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Fault(field, f"Invalid value: {text}", detail)


def required(field: str, detail: str = "") -> Fault:
    return Fault(field, "Required value", detail)


_STEP_KINDS = "Step must have one of the following set: " + ("experiment, setWeight, setCanaryScale, plugin or pause")
_EXCLUSIVE = {"Experiment": "experiment", "Pause": "pause", "SetWeight": "setWeight", "Analysis": "analysis"}
_ALL = {
    **_EXCLUSIVE,
    "SetCanaryScale": "setCanaryScale",
    "SetHeaderRoute": "setHeaderRoute",
    "SetMirrorRoute": "setMirrorRoute",
    "Plugin": "plugin",
}
_TWO_SERVICES = (
    "This rollout uses the same service for the stable and canary services, but two different services are required."
)
_BAD_FIELD = "Analyses arguments must refer to valid object metadata supported by downwardAPI"
_KEY = r"([A-Za-z0-9.-]+/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_METADATA = rf"metadata\.(name|namespace|uid|(labels|annotations)(\['{_KEY}'\])?)"


_NAMED = "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'"
_UNMANAGED = "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes"
_SERVICES = "Canary service and Stable service must to be set to use Traffic Routing"
_OF_SERVICES = ("alb", "istio", "smi", "apisix", "ambassador", "nginx", "appMesh", "traefik")
_HEADERS = ("istio", "alb", "apisix", "plugins")
_EXPERIMENTS = ("alb", "smi", "istio", "plugins")
_MATCHES = ("exact", "prefix", "regex")


def canary_faults(rollout: Fields, canary: Fields, *, plugins: bool = True) -> Iterator[Fault]:
    """`plugins` says whether those of traffic routers may mirror requests and play ping-pong, as since 1.10."""
    at = "spec.strategy"
    routing = canary.get("trafficRouting")
    surge, unavailable = canary.get("maxSurge"), canary.get("maxUnavailable")
    if _is_zero(surge) and _is_zero(unavailable):
        text = "MaxSurge and MaxUnavailable both can not be zero"
        yield invalid(f"{at}.maxSurge", surge, text)
    stable = canary.get("stableService")
    if stable and stable == canary.get("canaryService"):
        yield invalid(f"{at}.stableService", stable, _TWO_SERVICES)
    if canary.get("pingPong") is not None:
        yield from _ping_pong_faults(at, canary["pingPong"], routing, plugins)
    if routing is None:
        yield from _routing_only(at, canary)
    else:
        yield from _routing_faults(at, canary, routing)
    most = (routing or {}).get("maxTrafficWeight")
    for index, step in enumerate(Rollout.from_object(rollout).steps):
        yield from _step_faults(f"{at}.steps[{index}]", step, FULL_WEIGHT if most is None else most, routing, plugins)


def _ping_pong_faults(at: str, services: Fields, routing: Fields | None, plugins: bool) -> Iterator[Fault]:
    ping, pong = services.get("pingService") or "", services.get("pongService") or ""
    if routing is not None and not _has(routing, ("alb", "istio", "plugins") if plugins else ("alb", "istio")):
        known = "ALB, Istio, and plugin-based" if plugins else "ALB and Istio"
        text = f"Ping-pong feature works with the {known} traffic routers only"
        yield invalid(f"{at}.trafficRouting.alb", None, text)
    for name, service in (("pingService", ping), ("pongService", pong)):
        if not service:
            text = "Ping service and Pong service must to be set to use Ping-Pong feature"
            yield invalid(f"{at}.pingPong.{name}", service, text)
    if ping == pong:
        yield invalid(f"{at}.pingPong.pingService", ping, _TWO_SERVICES.replace("stable and canary", "ping and pong"))
    if routing is not None and routing.get("alb") is not None and not routing["alb"].get("rootService"):
        text = "Root service field is required for the configuration with ALB and ping-pong feature enabled"
        yield invalid(f"{at}.trafficRouting.alb.rootService", "", text)


def _routing_faults(at: str, canary: Fields, routing: Fields) -> Iterator[Fault]:
    for name in ("stableService", "canaryService") if _needs_services(canary, routing) else ():
        if not canary.get(name):
            yield invalid(f"{at}.{name}", "", _SERVICES)
    if canary.get("scaleDownDelaySeconds") is not None and canary.get("dynamicStableScale"):
        text = "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds"
        yield invalid(f"{at}.dynamicStableScale", True, text)
    if routing.get("maxTrafficWeight") is not None and not _has(routing, ("nginx", "plugins")):
        text = "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins"
        yield invalid(f"{at}.trafficRouting.maxTrafficWeight", routing["maxTrafficWeight"], text)


def _needs_services(canary: Fields, routing: Fields) -> bool:
    """Whether the router needs both Services; a plugin, a DestinationRule and ping-pong do without."""
    paired = canary.get("pingPong") is not None
    subsets = (routing.get("istio") or {}).get("destinationRule") is not None
    free = {"alb": paired, "istio": paired or subsets}
    return any(routing.get(name) is not None and not free.get(name, False) for name in _OF_SERVICES)


def _has(routing: Fields | None, routers: tuple[str, ...]) -> bool:
    """Whether one of these routers is used; an empty `plugins` is none."""
    found = routing or {}
    return any(bool(found.get(r)) if r == "plugins" else found.get(r) is not None for r in routers)


def _routing_only(at: str, canary: Fields) -> Iterator[Fault]:
    delay = canary.get("scaleDownDelaySeconds")
    if delay is not None:
        text = "Canary scaleDownDelaySeconds can only be used with traffic routing"
        yield invalid(f"{at}.scaleDownDelaySeconds", delay, text)
    if canary.get("dynamicStableScale"):
        text = "Canary dynamicStableScale can only be used with traffic routing"
        yield invalid(f"{at}.dynamicStableScale", True, text)


def _step_faults(at: str, step: Step, most: int, routing: Fields | None, plugins: bool) -> Iterator[Fault]:
    raw = step.raw
    if not any(raw.get(k) is not None for k in _ALL.values()):
        yield invalid(at, " ".join(f"step.{name}: true" for name in _ALL), _STEP_KINDS)
    named = {name: raw.get(key) is not None for name, key in _EXCLUSIVE.items()}
    if sum(named.values()) > 1:
        text = " ".join(f"step.{name}: {str(has).lower()}" for name, has in named.items())
        yield invalid(at, text, _STEP_KINDS)
    weight = raw.get("setWeight")
    if weight is not None and not 0 <= weight <= most:
        yield invalid(f"{at}.setWeight", weight, f"SetWeight needs to be between 0 and {most}")
    if step.duration is not None and step.duration.total_seconds() < 0:
        seconds = int(step.duration.total_seconds())
        yield invalid(f"{at}.pause.duration", seconds, "Duration needs to be greater than 0")
    if raw.get("setCanaryScale") is not None and routing is None:
        text = "SetCanaryScale requires TrafficRouting to be set"
        yield required("spec.strategy.trafficRouting", text)
    yield from _route_faults(at, raw, routing, plugins)
    for index, template in enumerate((raw.get("experiment") or {}).get("templates") or []):
        if template.get("weight") is not None and not _has(routing, _EXPERIMENTS):
            text = "Experiment template weight cannot be set unless TrafficRouting is enabled"
            if routing is not None:
                text = (
                    "Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins "
                    "at this time"
                )
            field = f"{at}.experiment.templates[{index}].weight"
            yield invalid(field, template["weight"], text)
    asking = [*((raw.get("experiment") or {}).get("analyses") or []), raw.get("analysis") or {}]
    args = [arg for analysis in asking for arg in analysis.get("args") or []]
    if not all(_is_readable(a) for a in args):
        yield invalid(f"{at}.analyses", args, _BAD_FIELD)


def _route_faults(at: str, raw: Fields, routing: Fields | None, plugins: bool) -> Iterator[Fault]:
    header, mirror = raw.get("setHeaderRoute"), raw.get("setMirrorRoute")
    if header is not None:
        yield from _header_faults(f"{at}.setHeaderRoute", header, routing)
    if mirror is not None:
        yield from _mirror_faults(f"{at}.setMirrorRoute", mirror, routing, plugins)
    if routing is None:
        return
    managed = routing.get("managedRoutes")
    if not managed and (header is not None or mirror is not None):
        yield required("spec.strategy.trafficRouting.managedRoutes", _NAMED)
    known = {route.get("name") for route in managed or ()}
    for name, route in (("setHeaderRoute", header), ("setMirrorRoute", mirror)):
        if route is not None and managed and route.get("name", "") not in known:
            yield invalid(f"{at}.{name}", route.get("name", ""), _UNMANAGED)


def _header_faults(at: str, route: Fields, routing: Fields | None) -> Iterator[Fault]:
    if not _has(routing, _HEADERS):
        text = "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix"
        yield invalid(at, _in_order(route), text)
        return
    faults = _exact_faults if _has(routing, ("alb",)) else _match_faults
    for index, match in enumerate(route.get("match") or []):
        yield from faults(f"{at}.match[{index}]", match.get("headerValue"))


def _mirror_faults(at: str, route: Fields, routing: Fields | None, plugins: bool) -> Iterator[Fault]:
    if not _has(routing, ("istio", "plugins") if plugins else ("istio",)):
        text = f"SetMirrorRoute requires TrafficRouting, supports Istio {'and Plugins' if plugins else 'only'}"
        yield invalid(at, _in_order(route), text)
    for index, match in enumerate(route.get("match") or []):
        for part in ("method", "path"):
            if match.get(part) is not None:
                yield from _match_faults(f"{at}.match[{index}]", match[part])


def _in_order(route: Fields) -> Fields:
    """A route step as Go prints it: its fields in order, without empty ones."""
    shown = {k: route[k] for k in ("name", "match", "percentage") if route.get(k) not in (None, "", [])}
    headers = [
        m if "headerName" not in m else {**m, "headerValue": m.get("headerValue")} for m in shown.get("match", [])
    ]
    return {**shown, "match": headers} if headers else shown


def _match_faults(at: str, match: Fields | None) -> Iterator[Fault]:
    said = [k for k in _MATCHES if (match or {}).get(k)]
    text = f"match value must have {'exactly ' if len(said) > 1 else ''}one of the following: exact, regex, prefix"
    if len(said) > 1:
        yield invalid(at, _matched(match), f"StringMatch {text}")
    elif not said:
        yield invalid(at, _matched(match), f"StringMatch value missed, {text}")


def _exact_faults(at: str, match: Fields | None) -> Iterator[Fault]:
    if match is None:
        yield from _match_faults(at, match)
    elif [k for k in _MATCHES if match.get(k)] != ["exact"]:
        text = "SetHeaderRoute match value invalid. ALB supports 'exact' value only"
        yield invalid(at, _matched(match), text)


def _matched(match: Fields | None) -> Fields | None:
    return match if match is None else {k: match[k] for k in _MATCHES if match.get(k)}


def _is_readable(arg: Fields) -> bool:
    """Whether an argument's fieldRef, where it reads metadata, names some of it."""
    path = ((arg.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath") or ""
    return not path.startswith("metadata") or bool(re.fullmatch(_METADATA, path))


def _is_zero(value: Any) -> bool:
    """A text that is no number counts as 0."""
    number = re.fullmatch(r"([+-]?\d+)%?", str(value))
    return value is not None and (number is None or int(number[1]) == 0)
