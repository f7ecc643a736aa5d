"""What is wrong in a Rollout's own fields, with the controller's sentences (InvalidSpec).

Upstream pkg/apis/rollouts/validation; texts recorded: scenario invalid-spec, analysis rows
`rollout-*`, single lint files.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from companyos_canary.argo.steps import max_weight
from companyos_canary.model.rollout import Rollout, Step

Json = Mapping[str, Any]
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
_METADATA = re.compile(r"metadata\.(name|namespace|uid|(labels|annotations)(\['.+'\])?)")


@dataclass(frozen=True, slots=True)
class Fault:
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
        yield from _canary_faults(rollout, strategy["canary"])


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


def _canary_faults(rollout: Json, canary: Json) -> Iterator[Fault]:
    at = "spec.strategy"
    routed = canary.get("trafficRouting") is not None
    surge, unavailable = canary.get("maxSurge"), canary.get("maxUnavailable")
    if _is_zero(surge) and _is_zero(unavailable):
        text = "MaxSurge and MaxUnavailable both can not be zero"
        yield invalid(f"{at}.maxSurge", surge, text)
    stable = canary.get("stableService")
    if stable and stable == canary.get("canaryService"):
        yield invalid(f"{at}.stableService", stable, _TWO_SERVICES)
    if routed and not (stable and canary.get("canaryService")):
        text = "Canary service and Stable service must to be set to use Traffic Routing"
        yield invalid(f"{at}.stableService", stable or "", text)
    if not routed:
        yield from _routing_only(at, canary)
    view = Rollout.from_object(rollout)
    for index, step in enumerate(view.steps):
        yield from _step_faults(f"{at}.steps[{index}]", step, max_weight(view), routed)


def _routing_only(at: str, canary: Json) -> Iterator[Fault]:
    delay = canary.get("scaleDownDelaySeconds")
    if delay is not None:
        text = "Canary scaleDownDelaySeconds can only be used with traffic routing"
        yield invalid(f"{at}.scaleDownDelaySeconds", delay, text)
    if canary.get("dynamicStableScale"):
        text = "Canary dynamicStableScale can only be used with traffic routing"
        yield invalid(f"{at}.dynamicStableScale", True, text)


def _step_faults(at: str, step: Step, most: int, routed: bool) -> Iterator[Fault]:
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
    args = (raw.get("analysis") or {}).get("args") or []
    if not all(_is_readable(a) for a in args):
        yield invalid(f"{at}.analyses", args, _BAD_FIELD)
    if raw.get("setCanaryScale") is not None and not routed:
        text = "SetCanaryScale requires TrafficRouting to be set"
        yield required("spec.strategy.trafficRouting", text)
    for index, template in enumerate((raw.get("experiment") or {}).get("templates") or []):
        if template.get("weight") is not None and not routed:
            text = "Experiment template weight cannot be set unless TrafficRouting is enabled"
            field = f"{at}.experiment.templates[{index}].weight"
            yield invalid(field, template["weight"], text)


def _is_readable(arg: Json) -> bool:
    """Whether an argument's fieldRef, where it reads metadata, names some of it."""
    path = ((arg.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath") or ""
    return not path.startswith("metadata") or bool(_METADATA.fullmatch(path))


def _is_zero(value: Any) -> bool:
    return value == 0 or str(value).removesuffix("%") == "0"
