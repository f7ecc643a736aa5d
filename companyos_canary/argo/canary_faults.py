"""What is wrong in a canary strategy, with the controller's sentences.

Upstream pkg/apis/rollouts/validation; texts recorded: analysis rows `rollout-*`, single lint files.
"""

import re
from collections.abc import Iterator
from typing import Any

from companyos_canary.argo.fault import Fault, Json, invalid, required
from companyos_canary.argo.steps import max_weight
from companyos_canary.model.rollout import Rollout, Step

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


def canary_faults(rollout: Json, canary: Json) -> Iterator[Fault]:
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
