"""What makes a Rollout an InvalidSpec, in the controller's sentences: its own fields first, then the objects that it
refers to.

Upstream pkg/apis/rollouts/validation (validation_references.go for the objects); texts recorded: scenarios
invalid-spec and ingress-missing, analysis rows `rollout-*`, single lint files.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from companyos_canary.analysis.arguments import TemplateError
from companyos_canary.analysis.spec import Lookup, collect
from companyos_canary.analysis.spec import check as check_analysis
from companyos_canary.argo.canary_faults import Fault, canary_faults, invalid, required
from companyos_canary.argo.pod_faults import key_faults, label_faults, label_value_faults, template_faults
from companyos_canary.model.http import Fields
from companyos_canary.model.workload import labels_match


def own_faults(rollout: Fields, *, plugins: bool = True) -> Iterator[Fault]:
    """Everything wrong that can be seen in the Rollout alone; `plugins` as in canary_faults."""
    spec = rollout.get("spec") or {}
    yield from _negative(spec, "replicas")
    yield from _selector_faults(spec)
    yield from _template_faults(spec)
    yield from _number_faults(spec)
    strategy = spec.get("strategy") or {}
    named = [k for k in ("blueGreen", "canary") if strategy.get(k) is not None]
    if not named:
        missing = "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'"
        yield required("spec.strategy.strategy", missing)
    if len(named) == 2:
        value = "blueGreen: true canary: true"
        yield invalid("spec.strategy.strategy", value, "Multiple Strategies can not be listed")
        return
    if strategy.get("blueGreen") is not None:
        yield from _blue_green_faults(spec, strategy["blueGreen"])
    if strategy.get("canary") is not None:
        yield from canary_faults(rollout, strategy["canary"], plugins=plugins)
    for name in named:
        yield from _affinity_faults(strategy[name].get("antiAffinity"))


def _blue_green_faults(spec: Fields, strategy: Fields) -> Iterator[Fault]:
    active = strategy.get("activeService") or ""
    if active == (strategy.get("previewService") or ""):
        text = (
            "This rollout uses the same service for the active and preview services, but two different services are "
            "required."
        )
        yield invalid("spec.strategy.activeService", active, text)
    kept, limit = spec.get("revisionHistoryLimit"), strategy.get("scaleDownDelayRevisionLimit")
    if limit is not None and (10 if kept is None else kept) < limit:
        text = "This rollout's revision history limit can not be smaller than the rollout's scale down limit"
        yield invalid("spec.strategy.scaleDownDelayRevisionLimit", limit, text)


def _affinity_faults(affinity: Fields | None) -> Iterator[Fault]:
    if affinity is None:
        return
    names = ("preferredDuringSchedulingIgnoredDuringExecution", "requiredDuringSchedulingIgnoredDuringExecution")
    has = {name: affinity.get(name) is not None for name in names}
    if sum(has.values()) != 1:
        value = " ".join(f"antiAffinity.{n[0].upper()}{n[1:]}: {str(h).lower()}" for n, h in has.items())
        yield invalid("spec.strategy.antiAffinity", value, "AntiAffinity must have exactly one strategy listed")
    if has[names[0]] and not 1 <= (weight := affinity[names[0]].get("weight") or 0) <= 100:
        yield invalid("spec.strategy.antiAffinity.weight", weight, "AntiAffinity weight must be between 1-100")


_VALUED = ("In", "NotIn")


def _selector_faults(spec: Fields) -> Iterator[Fault]:
    selector, at = spec.get("selector"), "spec.selector"
    if selector is None:
        yield required(at, "Rollout has missing field '.spec.selector'")
        return
    yield from label_faults(selector.get("matchLabels") or {}, f"{at}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or []):
        yield from _expression_faults(expression, f"{at}.matchExpressions[{index}]")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid(at, {}, "empty selector is invalid for deployment")


def _expression_faults(expression: Fields, at: str) -> Iterator[Fault]:
    operator, values = expression.get("operator") or "", expression.get("values") or []
    if operator in _VALUED and not values:
        yield required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        yield Fault(f"{at}.values", "Forbidden", text)
    elif operator not in (*_VALUED, "Exists", "DoesNotExist"):
        yield invalid(f"{at}.operator", operator, "not a valid selector operator")
    yield from key_faults(expression.get("key") or "", f"{at}.key")
    for index, value in enumerate(values):
        yield from label_value_faults(value, f"{at}.values[{index}]")


def _template_faults(spec: Fields) -> Iterator[Fault]:
    template, selector, at = spec.get("template") or {}, spec.get("selector"), "spec.template"
    labels = (template.get("metadata") or {}).get("labels")
    if selector is None or not labels_match(selector, labels or {}):
        yield invalid(f"{at}.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from template_faults(template, at)
    pod = template.get("spec") or {}
    policy = pod.get("restartPolicy") or "Always"
    if policy != "Always":
        yield Fault(f"{at}.spec.restartPolicy", f'Unsupported value: "{policy}"', 'supported values: "Always"')
    if pod.get("activeDeadlineSeconds") is not None:
        text = "activeDeadlineSeconds in ReplicaSet is not Supported"
        yield Fault(f"{at}.spec.activeDeadlineSeconds", "Forbidden", text)


def _number_faults(spec: Fields) -> Iterator[Fault]:
    for field in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        yield from _negative(spec, field)
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is None:
        deadline = 600
    if deadline <= (spec.get("minReadySeconds") or 0):
        text = "must be greater than minReadySeconds"
        yield invalid("spec.progressDeadlineSeconds", deadline, text)


def _negative(spec: Fields, field: str) -> Iterator[Fault]:
    value = spec.get(field)
    if value is not None and value < 0:
        yield invalid(f"spec.{field}", value, "must be greater than or equal to 0")


Find = Callable[[str, str], Fields | None]
"""(resource, name) -> the object; the name of a VirtualService may be `name.namespace`."""

_AT = "spec.strategy.canary.trafficRouting"
_INGRESS = "ingresses.networking.k8s.io"
_VIRTUAL_SERVICE = "virtualservices.networking.istio.io"
_MAPPING = "mappings.getambassador.io"
_NO_ROUTES = "Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService"


def _missing_routes(canary: Fields, find: Find) -> Iterator[Fault]:
    """Of the Ingresses, VirtualServices and Mappings that trafficRouting names: those that do not exist."""
    routing = canary.get("trafficRouting") or {}
    yield from _setting_faults(routing)
    for _, field, name, shown in _ingresses(canary):
        if find(_INGRESS, name) is None:
            yield invalid(field, shown, f'ingress.networking.k8s.io "{name}" not found')
    for field, name in _virtual_services(routing):
        if find(_VIRTUAL_SERVICE, name) is None:
            bare = name.partition(".")[0]
            yield invalid(field, bare, f'{_VIRTUAL_SERVICE} "{bare}" not found')
    if (ambassador := routing.get("ambassador")) is None:
        return
    if not ambassador.get("mappings"):
        yield invalid(f"{_AT}.ambassador.mappings", None, "must provide at least one mapping")
    for name in ambassador.get("mappings") or []:
        if find(_MAPPING, name) is None:
            yield invalid(f"{_AT}.ambassador.mappings", name, f'{_MAPPING} "{name}" not found')


def _route_faults(canary: Fields, find: Find) -> Iterator[Fault]:
    """Of those that exist."""
    routing = canary.get("trafficRouting") or {}
    for service, field, name, _ in _ingresses(canary):
        if service not in _services(find(_INGRESS, name) or {}):
            text = f"ingress `{name}` has no rules using service {service} backend"
            yield invalid(field.replace(_SEVERAL, "stableIngresses"), name, text)
    for field, name in _virtual_services(routing):
        if not any(((find(_VIRTUAL_SERVICE, name) or {}).get("spec") or {}).get(k) for k in ("http", "tls", "tcp")):
            yield invalid(field, name.partition(".")[0], _NO_ROUTES)
    for name in (routing.get("ambassador") or {}).get("mappings") or []:
        if ((find(_MAPPING, name) or {}).get("spec") or {}).get("weight"):
            yield invalid("spec.weight", name, f'Ambassador mapping "{name}" can not define weight')


_SEVERAL = "StableIngresses"  # as the controller writes it where one is missing


def _setting_faults(routing: Fields) -> Iterator[Fault]:
    for router, one, several in (("nginx", "stableIngress", "stableIngresses"), ("alb", "ingress", "ingresses")):
        settings = routing.get(router)
        if settings is None:
            continue
        given = [bool(settings.get(field)) for field in (one, several)]
        if all(given) or not any(given):
            names = " or ".join(field[0].upper() + field[1:] for field in (one, several))
            told = f"Either {names} must be configured. {'Both' if all(given) else 'Neither'} are configured."
            yield Fault(f"{_AT}.{router}", "Internal error", told)
    istio = routing.get("istio")
    if istio is not None and bool(istio.get("virtualServices")) == (istio.get("virtualService") is not None):
        told = "either VirtualService or VirtualServices must be configured"
        yield Fault(f"{_AT}.istio", "Internal error", told)


def _ingresses(canary: Fields) -> list[tuple[str, str, str, Any]]:
    """The Service that each of them must lead to, the field that names it, its name, and what is shown of the field
    where it is missing."""
    routing, stable = canary.get("trafficRouting") or {}, canary.get("stableService") or ""
    nginx, alb = routing.get("nginx"), routing.get("alb")
    if alb is not None:
        service, several, one = alb.get("rootService") or stable, "ingresses", "ingress"
        at, settings = f"{_AT}.alb", alb
    elif nginx is not None:
        service, several, one = stable, "stableIngresses", "stableIngress"
        at, settings = f"{_AT}.nginx", nginx
    else:
        return []
    if settings.get(several):
        field = f"{at}.{_SEVERAL if nginx is settings else several}"
        return [(service, field, name, settings[several]) for name in settings[several]]
    return [(service, f"{at}.{one}", settings.get(one) or "", settings.get(one) or "")]


def _services(ingress: Fields) -> set[str]:
    rules = (ingress.get("spec") or {}).get("rules") or []
    paths = [path for rule in rules for path in (rule.get("http") or {}).get("paths") or []]
    return {((path.get("backend") or {}).get("service") or {}).get("name") or "" for path in paths}


def _virtual_services(routing: Fields) -> list[tuple[str, str]]:
    """The field that names each of them, and its name."""
    istio = routing.get("istio") or {}
    several, one = istio.get("virtualServices"), istio.get("virtualService")
    field = f"{_AT}.istio.{'virtualServices' if several else 'virtualService'}.name"
    return [(field, service.get("name") or "") for service in several or ([one] if one else [])]


MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"

FindService = Callable[[str], Fields | None]


def first_fault(
    rollout: Fields, template: Lookup, service: FindService, find: Find | None = None, *, plugins: bool = True
) -> Fault | None:
    """The first fault of a Rollout (with the pod template of its workload filled in), of its own
    fields and then of what it refers to; `template` and `service` look these up by name, `find` what
    its traffic router needs (None: that is not looked at)."""
    found = next(own_faults(rollout, plugins=plugins), None)
    return found or next(_reference_faults(rollout, template, service, find), None)


def _reference_faults(rollout: Fields, template: Lookup, service: FindService, find: Find | None) -> Iterator[Fault]:
    """First what does not exist, in the order in which the controller reads it, then what is wrong in the rest."""
    strategy = rollout["spec"]["strategy"]
    canary, blue_green = strategy.get("canary") or {}, strategy.get("blueGreen") or {}
    services = [(field, name, service(name)) for field, name in _named_services(canary, blue_green)]
    analyses = [(path, a, background) for path, a, background in _analyses(canary, blue_green) if a is not None]
    for field, name, found in services:
        if found is None:
            yield from service_faults(field, rollout, name, found)
    for path, analysis, _ in analyses:
        yield from _analysis_faults(path, partial(collect, analysis.get("templates") or [], template))
    if find is not None:
        yield from _missing_routes(canary, find)
    for field, name, found in services:
        if found is not None:
            yield from service_faults(field, rollout, name, found)
    for path, analysis, background in analyses:
        yield from _analysis_faults(path, partial(check_analysis, analysis, rollout, template, background=background))
    if find is not None:
        yield from _route_faults(canary, find)


def _named_services(canary: Fields, blue_green: Fields) -> Iterator[tuple[str, str]]:
    for at, fields, named in (
        ("spec.strategy.blueGreen", ("activeService", "previewService"), blue_green),
        ("spec.strategy.canary", ("stableService", "canaryService"), canary),
        ("spec.strategy.canary.pingPong", ("pingService", "pongService"), canary.get("pingPong") or {}),
    ):
        yield from ((f"{at}.{field}", named[field]) for field in fields if named.get(field))


def _analysis_faults(path: str, checked: Callable[[], object]) -> Iterator[Fault]:
    try:
        checked()
    except TemplateError as error:
        yield invalid("spec.templates" if error.nested else f"{path}.templates", error.value, error.message)


def _analyses(canary: Fields, blue_green: Fields) -> Iterator[tuple[str, Fields | None, bool]]:
    """Where an analysis is, the analysis, and whether it runs in the background of all steps."""
    for key in ("prePromotionAnalysis", "postPromotionAnalysis"):
        yield f"spec.strategy.blueGreen.{key}", blue_green.get(key), False
    at = "spec.strategy.canary"
    for index, step in enumerate(canary.get("steps") or []):
        yield f"{at}.steps[{index}].analysis", step.get("analysis"), False
    yield f"{at}.analysis", canary.get("analysis"), True


def service_faults(field: str, rollout: Fields, name: str, found: Fields | None) -> Iterator[Fault]:
    """What is wrong with the Service that a field names, which is None if there is no such Service."""
    if found is None:
        yield invalid(field, name, f'service "{name}" not found')
        return
    template = rollout["spec"].get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    for key, value in ((found.get("spec") or {}).get("selector") or {}).items():
        if key != "rollouts-pod-template-hash" and labels.get(key) != value:
            yield invalid(field, name, f'Service "{name}" has unmatch label "{key}" in rollout')
    manager = (found["metadata"].get("annotations") or {}).get(MANAGED_BY)
    if manager and manager != rollout["metadata"]["name"]:
        text = f'Service "{name}" is managed by another Rollout'
        yield invalid(field, name, text)
