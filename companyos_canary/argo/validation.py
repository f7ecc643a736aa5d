"""What makes a Rollout an InvalidSpec, in the controller's sentences: its own fields first, then the objects that it
refers to.

Upstream pkg/apis/rollouts/validation (validation_references.go for the objects); texts recorded: scenarios
invalid-spec and ingress-missing, analysis rows `rollout-*`, single lint files.
"""

from collections.abc import Callable, Iterator

from companyos_canary.analysis.arguments import TemplateError
from companyos_canary.analysis.spec import Lookup
from companyos_canary.analysis.spec import check as check_analysis
from companyos_canary.argo.canary_faults import Fault, canary_faults, invalid, required
from companyos_canary.model.http import Fields


def own_faults(rollout: Fields) -> Iterator[Fault]:
    """Everything wrong that can be seen in the Rollout alone."""
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
        yield from canary_faults(rollout, strategy["canary"])
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


def _selector_faults(spec: Fields) -> Iterator[Fault]:
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector", "Rollout has missing field '.spec.selector'")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid("spec.selector", {}, "empty selector is invalid for deployment")


def _template_faults(spec: Fields) -> Iterator[Fault]:
    template = spec.get("template") or {}
    labels, wanted = (template.get("metadata") or {}).get("labels"), (spec.get("selector") or {}).get("matchLabels")
    if spec.get("selector") is None or any((labels or {}).get(k) != v for k, v in (wanted or {}).items()):
        text = "`selector` does not match template `labels`"
        yield invalid("spec.template.metadata.labels", labels, text)
    at, pod = "spec.template.spec", template.get("spec") or {}
    if not pod.get("containers"):
        yield required(f"{at}.containers")
    for index, container in enumerate(pod.get("containers") or []):
        if not container.get("image"):
            yield required(f"{at}.containers[{index}].image")
    policy = pod.get("restartPolicy") or "Always"
    if policy != "Always":
        problem = f'Unsupported value: "{policy}"'
        yield Fault(f"{at}.restartPolicy", problem, 'supported values: "Always"')
    if pod.get("activeDeadlineSeconds") is not None:
        text = "activeDeadlineSeconds in ReplicaSet is not Supported"
        yield Fault(f"{at}.activeDeadlineSeconds", "Forbidden", text)


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
_VIRTUAL_SERVICE = "virtualservices.networking.istio.io"
_MAPPING = "mappings.getambassador.io"
_NO_ROUTES = "Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService"


def route_faults(canary: Fields, find: Find) -> Iterator[Fault]:
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


def _ingress_faults(at: str, settings: Fields, fields: tuple[str, str], service: str, find: Find) -> Iterator[Fault]:
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


def _services(ingress: Fields) -> set[str]:
    rules = (ingress.get("spec") or {}).get("rules") or []
    paths = [path for rule in rules for path in (rule.get("http") or {}).get("paths") or []]
    return {((path.get("backend") or {}).get("service") or {}).get("name") or "" for path in paths}


def _virtual_service_faults(istio: Fields, find: Find) -> Iterator[Fault]:
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


def _mapping_faults(ambassador: Fields, find: Find) -> Iterator[Fault]:
    for name in ambassador.get("mappings") or []:
        found = find(_MAPPING, name)
        if found is None:
            yield invalid(f"{_AT}.ambassador.mappings", name, f'{_MAPPING} "{name}" not found')
        elif (found.get("spec") or {}).get("weight"):
            yield invalid("spec.weight", name, f'Ambassador mapping "{name}" can not define weight')


MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"

FindService = Callable[[str], Fields | None]


def first_fault(rollout: Fields, template: Lookup, service: FindService, find: Find | None = None) -> Fault | None:
    """The first fault of a Rollout (with the pod template of its workload filled in), of its own
    fields and then of what it refers to; `template` and `service` look these up by name, `find` what
    its traffic router needs (None: that is not looked at)."""
    found = next(own_faults(rollout), None)
    return found or next(_reference_faults(rollout, template, service, find), None)


def _reference_faults(rollout: Fields, template: Lookup, service: FindService, find: Find | None) -> Iterator[Fault]:
    strategy = rollout["spec"]["strategy"]
    canary, blue_green = strategy.get("canary") or {}, strategy.get("blueGreen") or {}
    for at, fields, named in (
        ("spec.strategy.canary", ("stableService", "canaryService"), canary),
        ("spec.strategy.canary.pingPong", ("pingService", "pongService"), canary.get("pingPong") or {}),
        ("spec.strategy.blueGreen", ("activeService", "previewService"), blue_green),
    ):
        for key in fields:
            if named.get(key):
                yield from service_faults(f"{at}.{key}", rollout, named[key], service(named[key]))
    for path, analysis, background in _analyses(canary, blue_green):
        if analysis is None:
            continue
        try:
            check_analysis(analysis, rollout, template, background=background)
        except TemplateError as error:
            field = "spec.templates" if error.nested else f"{path}.templates"
            yield invalid(field, error.value, error.message)
    if find is not None:
        yield from route_faults(canary, find)


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
