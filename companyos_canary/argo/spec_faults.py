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
    if strategy.get("canary") is not None:
        yield from canary_faults(rollout, strategy["canary"])


def _selector_faults(spec: Json) -> Iterator[Fault]:
    selector = spec.get("selector")
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector is None:
        yield required("spec.selector", "Rollout has missing field '.spec.selector'")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid("spec.selector", {}, "empty selector is invalid for deployment")
    wanted = (selector or {}).get("matchLabels") or {}
    if any(labels.get(k) != v for k, v in wanted.items()):
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
