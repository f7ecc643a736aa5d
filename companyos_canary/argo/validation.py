"""What makes a Rollout an InvalidSpec: its own fields first, then what it refers to.

Upstream pkg/apis/rollouts/validation; texts recorded: scenario invalid-spec, analysis rows
`rollout-*`.
"""

from collections.abc import Callable, Iterator

from companyos_canary.analysis.arguments import TemplateError
from companyos_canary.analysis.spec import Lookup
from companyos_canary.analysis.spec import check as check_analysis
from companyos_canary.argo.fault import Fault, Json, invalid
from companyos_canary.argo.route_faults import Find, route_faults
from companyos_canary.argo.spec_faults import own_faults

MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"

FindService = Callable[[str], Json | None]


def first_fault(rollout: Json, template: Lookup, service: FindService, find: Find | None = None) -> Fault | None:
    """The first fault of a Rollout (with the pod template of its workload filled in), of its own
    fields and then of what it refers to; `template` and `service` look these up by name, `find` what
    its traffic router needs (None: that is not looked at)."""
    found = next(own_faults(rollout), None)
    return found or next(_reference_faults(rollout, template, service, find), None)


def _reference_faults(rollout: Json, template: Lookup, service: FindService, find: Find | None) -> Iterator[Fault]:
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


def _analyses(canary: Json, blue_green: Json) -> Iterator[tuple[str, Json | None, bool]]:
    """Where an analysis is, the analysis, and whether it runs in the background of all steps."""
    for key in ("prePromotionAnalysis", "postPromotionAnalysis"):
        yield f"spec.strategy.blueGreen.{key}", blue_green.get(key), False
    at = "spec.strategy.canary"
    for index, step in enumerate(canary.get("steps") or []):
        yield f"{at}.steps[{index}].analysis", step.get("analysis"), False
    yield f"{at}.analysis", canary.get("analysis"), True


def service_faults(field: str, rollout: Json, name: str, found: Json | None) -> Iterator[Fault]:
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
