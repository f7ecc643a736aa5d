"""What is wrong in a Rollout's own fields, with the controller's sentences (InvalidSpec).

Upstream pkg/apis/rollouts/validation; texts recorded: scenario invalid-spec, analysis rows
`rollout-*`, single lint files.
"""

from collections.abc import Iterator

from companyos_canary.argo.canary_faults import canary_faults
from companyos_canary.argo.fault import Fault, Json, invalid, required


def own_faults(rollout: Json) -> Iterator[Fault]:
    """Everything wrong that can be seen in the Rollout alone."""
    spec = rollout.get("spec") or {}
    yield from _selector_faults(spec)
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


def _blue_green_faults(spec: Json, strategy: Json) -> Iterator[Fault]:
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


def _affinity_faults(affinity: Json | None) -> Iterator[Fault]:
    if affinity is None:
        return
    names = ("preferredDuringSchedulingIgnoredDuringExecution", "requiredDuringSchedulingIgnoredDuringExecution")
    has = {name: affinity.get(name) is not None for name in names}
    if sum(has.values()) != 1:
        value = " ".join(f"antiAffinity.{n[0].upper()}{n[1:]}: {str(h).lower()}" for n, h in has.items())
        yield invalid("spec.strategy.antiAffinity", value, "AntiAffinity must have exactly one strategy listed")
    if has[names[0]] and not 1 <= (weight := affinity[names[0]].get("weight") or 0) <= 100:
        yield invalid("spec.strategy.antiAffinity.weight", weight, "AntiAffinity weight must be between 1-100")


def _selector_faults(spec: Json) -> Iterator[Fault]:
    selector = spec.get("selector")
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector is None:
        yield required("spec.selector", "Rollout has missing field '.spec.selector'")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid("spec.selector", {}, "empty selector is invalid for deployment")
    wanted = (selector or {}).get("matchLabels") or {}
    if selector is None or any(labels.get(k) != v for k, v in wanted.items()):
        text = "`selector` does not match template `labels`"
        yield invalid("spec.template.metadata.labels", labels, text)
    if not (template.get("spec") or {}).get("containers"):
        yield required("spec.template.spec.containers")
    policy = (template.get("spec") or {}).get("restartPolicy") or "Always"
    if policy != "Always":
        problem = f'Unsupported value: "{policy}"'
        yield Fault("spec.template.spec.restartPolicy", problem, 'supported values: "Always"')


def _number_faults(spec: Json) -> Iterator[Fault]:
    for field in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        value = spec.get(field)
        if value is not None and value < 0:
            yield invalid(f"spec.{field}", value, "must be greater than or equal to 0")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is None:
        deadline = 600
    if deadline <= (spec.get("minReadySeconds") or 0):
        text = "must be greater than minReadySeconds"
        yield invalid("spec.progressDeadlineSeconds", deadline, text)
