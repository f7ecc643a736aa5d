"""What applying a Rollout would start: changes of the pod template or of the steps."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from companyos_canary.config.merging import LIST_KEYS
from companyos_canary.model.rollout import HASH_LABEL, Step
from companyos_canary.render.defaults import without_defaults

ABSENT = None


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs; None where a side does not have it. `path` is for people, with list
    items by their name: `spec.containers[companyos-api].env[LOG_LEVEL].value`."""

    part: Literal["pod template", "steps"]
    path: str
    live: Any
    wanted: Any


def changes(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[Change, ...]:
    """What differs between a live Rollout and the wanted one and would start a rollout (pod
    template) or change the course of one (steps). Fields that only hold a default, the hash label
    and the metadata the controller injects are no difference."""
    found = [
        Change("pod template", path, old, new)
        for path, old, new in _differences(_template(live, live), _template(wanted, live), "", "")
    ]
    before, after = _steps(live), _steps(wanted)
    if before != after:
        found += [
            Change("steps", f"steps[{i}]", _at(before, i), _at(after, i))
            for i in range(max(len(before), len(after)))
            if _at(before, i) != _at(after, i)
        ]
    return tuple(found)


def keep_live_image(wanted: Mapping[str, Any], live: Mapping[str, Any], container: str | None = None) -> dict[str, Any]:
    """The wanted Rollout with the live image in the named container (default: the first), so that
    `apply` without a version ships none. Unchanged where the live one has no such container."""
    result = deepcopy(dict(wanted))
    ours = _containers(result)
    images = {c.get("name"): c.get("image") for c in _containers(live)}
    for index, item in enumerate(ours):
        name = item.get("name")
        if name == container or (container is None and index == 0):
            item["image"] = images.get(name) or item.get("image")
    return result


def _containers(rollout: Mapping[str, Any]) -> list[dict[str, Any]]:
    template = (rollout.get("spec") or {}).get("template") or {}
    return (template.get("spec") or {}).get("containers") or []


def _template(rollout: Mapping[str, Any], live: Mapping[str, Any]) -> Any:
    """The pod template without defaults and, against the live strategy, what is injected."""
    template = deepcopy((rollout.get("spec") or {}).get("template") or {})
    canary = ((live.get("spec") or {}).get("strategy") or {}).get("canary") or {}
    meta = template.get("metadata") or {}
    for kind in ("labels", "annotations"):
        injected = {HASH_LABEL} if kind == "labels" else set()
        for role in ("canaryMetadata", "stableMetadata"):
            injected |= set(((canary.get(role) or {}).get(kind)) or {})
        if meta.get(kind):
            meta[kind] = {k: v for k, v in meta[kind].items() if k not in injected}
    return without_defaults(template)


def _steps(rollout: Mapping[str, Any]) -> list[Any]:
    canary = ((rollout.get("spec") or {}).get("strategy") or {}).get("canary") or {}
    return [_step(raw) for raw in canary.get("steps") or []]


def _step(raw: Mapping[str, Any]) -> Any:
    """A step in one form, however its pause is written (`300`, `"300"`, `5m`)."""
    step = Step.from_object(raw)
    if step.kind == "pause":
        duration = step.duration
        return {"pause": {} if duration is None else {"seconds": duration.total_seconds()}}
    return without_defaults(raw)


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else ABSENT


def _differences(old: Any, new: Any, path: str, field: str) -> list[tuple[str, Any, Any]]:
    if old == new:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [
            entry
            for key in sorted({*old, *new})
            for entry in _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key), str(key))
        ]
    before, after = _keyed(old, field), _keyed(new, field)
    if before is not None and after is not None:
        found = [
            entry
            for name in dict.fromkeys((*before, *after))
            for entry in _differences(before.get(name), after.get(name), f"{path}[{name}]", "")
        ]
        # The same items in another order are another template to the controller.
        return found or [(path, list(before), list(after))]
    return [(path, old, new)]


def _keyed(value: Any, field: str) -> dict[Any, Any] | None:
    """The items of a list by the name Kubernetes merges them by; None where they have none."""
    key = LIST_KEYS.get(field)
    if key is None or not isinstance(value, list):
        return None
    if not all(isinstance(item, Mapping) and key in item for item in value):
        return None
    found = {item[key]: item for item in value}
    return found if len(found) == len(value) else None
