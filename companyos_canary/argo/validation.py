"""What makes a Rollout an InvalidSpec: its own fields first, then what it refers to.

Upstream pkg/apis/rollouts/validation; texts recorded: scenario invalid-spec, analysis rows
`rollout-*`.
"""

from collections.abc import Callable, Iterator

from companyos_canary.analysis.arguments import TemplateError
from companyos_canary.analysis.spec import Lookup
from companyos_canary.analysis.spec import check as check_analysis
from companyos_canary.argo.fault import Fault, Json, invalid
from companyos_canary.argo.spec_faults import own_faults

MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"

FindService = Callable[[str], Json | None]


def first_fault(rollout: Json, template: Lookup, service: FindService) -> Fault | None:
    """The first fault of a Rollout (with the pod template of its workload filled in), of its own
    fields and then of what it refers to; `template` and `service` look these up by name."""
    found = next(own_faults(rollout), None)
    return found or next(_reference_faults(rollout, template, service), None)


def _reference_faults(rollout: Json, template: Lookup, service: FindService) -> Iterator[Fault]:
    canary = rollout["spec"]["strategy"].get("canary") or {}
    at = "spec.strategy.canary"
    for key in ("stableService", "canaryService"):
        if canary.get(key):
            yield from service_faults(f"{at}.{key}", rollout, canary[key], service(canary[key]))
    found = [(f"{at}.steps[{i}].analysis", s.get("analysis"), False) for i, s in enumerate(canary.get("steps") or [])]
    found.append((f"{at}.analysis", canary.get("analysis"), True))
    for path, analysis, background in found:
        if analysis is None:
            continue
        try:
            check_analysis(analysis, rollout, template, background=background)
        except TemplateError as error:
            field = "spec.templates" if error.nested else f"{path}.templates"
            yield invalid(field, error.value, error.message)


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
