"""From a live Rollout back to what canary.yaml would have to say for it: pure.

`canary.yaml` says the names, the replicas and the steps where it can; `pod:` the rest of the pod
template; a merge file whatever else the Rollout has and canary would render otherwise. So the first
apply changes nothing, and each line that is deleted from the merge file takes over one habit.
"""

from collections.abc import Mapping
from typing import Any

from companyos_canary.config.merge import LIST_KEYS
from companyos_canary.model.rollout import HASH_LABEL

_STATE = ("template", "paused", "restartAt")


def pod_of(base: Mapping[str, Any], live: Mapping[str, Any], container: str) -> dict[str, Any]:
    """The `pod:` with which a rendered pod template becomes the live one. The image of `container`
    is not part of it, nor the label `app`."""
    found = difference(base, live)
    spec, meta = found.pop("spec", {}), found.pop("metadata", {})
    for item in spec.get("containers") or []:
        if item["name"] == container:
            item.pop("image", None)
    if all(set(item) <= {"name"} for item in spec.get("containers") or []):
        spec.pop("containers", None)
    labels = meta.get("labels") or {}
    labels.pop("app", None)
    if not labels:
        meta.pop("labels", None)
    return {**({"metadata": meta} if meta else {}), **spec}


def rollout_patch(base: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch of the rendered Rollout's spec, without what a person or the controller has
    set for the moment; empty where there is nothing to change."""
    wanted = {k: v for k, v in live["spec"].items() if k not in _STATE}
    rendered = {k: v for k, v in base["spec"].items() if k not in _STATE}
    spec = merge_difference(rendered, wanted)
    if live["spec"].get("workloadRef"):
        spec["template"] = None
    elif "app" not in ((live["spec"]["template"].get("metadata") or {}).get("labels") or {}):
        spec["template"] = {"metadata": {"labels": {"app": None}}}
    return _patch(base, live, spec)


def service_patch(
    base: Mapping[str, Any], live: Mapping[str, Any] | None, rollout: Mapping[str, Any]
) -> dict[str, Any]:
    """The merge patch of the rendered Service: with the ports and the selector of the one that has
    its name, else with the selector of the Rollout. The hash in a selector is the controller's."""
    chosen = (rollout["spec"].get("selector") or {}).get("matchLabels")
    wanted = dict(base["spec"])
    if live is not None:
        wanted["ports"] = [
            {k: v for k, v in port.items() if k != "nodePort"} for port in live["spec"].get("ports") or []
        ]
        chosen = live["spec"].get("selector") or chosen
    if chosen:
        wanted["selector"] = {k: v for k, v in chosen.items() if k != HASH_LABEL}
    return _patch(base, live or base, merge_difference(base["spec"], wanted))


def template_patch(base: Mapping[str, Any], live: Mapping[str, Any] | None) -> dict[str, Any]:
    """The merge patch of a rendered AnalysisTemplate whose name is taken; empty where it is not."""
    return _patch(base, live, merge_difference(base["spec"], live["spec"])) if live else {}


def difference(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be laid over `base` (as `config.merging.merged` does) to make `over` of it."""
    found: dict[str, Any] = {key: None for key in base if over.get(key) is None}
    for key, value in over.items():
        if value is not None and base.get(key) != value:
            found[key] = _laid_over(base.get(key), value, key)
    return found


def _laid_over(base: Any, over: Any, field: str) -> Any:
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return difference(base, over)
    key = LIST_KEYS.get(field)
    if key is None or not isinstance(base, list) or not isinstance(over, list):
        return over
    items = {item.get(key): item for item in base}
    return [{key: item.get(key), **difference(items.get(item.get(key), {}), item)} for item in over]


def merge_difference(base: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7396) that makes `wanted` of `base`."""
    found: dict[str, Any] = {key: None for key in base if wanted.get(key) is None}
    for key, value in wanted.items():
        old = base.get(key)
        if value is None or old == value:
            continue
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        found[key] = merge_difference(old, value) if both and old and value else value
        if both and not value and old:
            found[key] = dict.fromkeys(old)
    return found


def without_nulls(value: Any) -> Any:
    """The same without entries that are null, which an API server does not keep."""
    if isinstance(value, Mapping):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


def _patch(base: Mapping[str, Any], live: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """With the labels that are rendered as the live object has them; those of others stay."""
    there = live["metadata"].get("labels") or {}
    labels = {k: there.get(k) for k, v in base["metadata"]["labels"].items() if there.get(k) != v}
    if not spec and not labels:
        return {}
    meta = {"name": base["metadata"]["name"], **({"labels": labels} if labels else {})}
    return {"kind": base["kind"], "metadata": meta, **({"spec": spec} if spec else {})}
