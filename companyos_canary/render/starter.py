"""The commented canary.yaml that `init` writes, and what it would have to say for a Rollout that is there: pure.

`canary.yaml` says the names, the replicas and the steps where it can; `pod:` the rest of the pod
template; a merge file whatever else the Rollout has and canary would render otherwise. So the first
apply changes nothing, and each line that is deleted from the merge file takes over one habit.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from companyos_canary.argo.steps import FULL_WEIGHT, max_weight
from companyos_canary.config.settings import NAME, NAMESPACE_NAME, REPOSITORY
from companyos_canary.config.source import LIST_KEYS
from companyos_canary.errors import UsageError
from companyos_canary.model.image import HASH_LABEL, repository
from companyos_canary.model.quantity import format_duration, parse_duration
from companyos_canary.model.rollout import Rollout
from companyos_canary.render.templates import template_text, to_yaml

STARTER = "canary.yaml"
_EXAMPLE = "companyos-api"
_GUIDES = "2m"
_ALLOWED = {
    "rollout": "up to 63 small letters, digits and `-`, a letter first",
    "namespace": "up to 63 small letters, digits and `-`",
    "image": "an image without a tag, such as `registry.example.com/companyos-api`",
}
_COMMENT = re.compile(r"^#.*$", re.M)
_STEPS = re.compile(r"^steps:\n(?:  - .*\n)+", re.M)


def starter(values: Mapping[str, Any]) -> str:
    """The starter file with values for fields of the first level (`rollout`, `namespace`, `image`,
    `container`, `replicas`, `port`, …, `steps` as a list of mappings, `pod`, and `merge` as a
    list of files); a field that is a comment there becomes one that counts. UsageError for a field
    the file has no line for."""
    for name, pattern in (("rollout", NAME), ("namespace", NAMESPACE_NAME), ("image", REPOSITORY)):
        if not re.fullmatch(pattern, str(values.get(name, "x"))):
            raise UsageError(
                f"`{values[name]}` cannot be the `{name}` of canary.yaml", hint=f"allowed: {_ALLOWED[name]}"
            )
    result = template_text(STARTER)
    for name, value in values.items():
        result = _WRITTEN.get(name, _with)(result, name, value)
    if values.get("strategy") == "blue-green":
        result = _as_comment(result, "steps", None)
    example = str(values.get("rollout", _EXAMPLE))
    return _COMMENT.sub(lambda line: line[0].replace(_EXAMPLE, example), result)


def _with_fields(text: str, block: str, fields: Mapping[str, str]) -> str:
    """A block that is a comment, with the fields that count; the others stay comments."""
    text = text.replace(f"\n#{block}:\n", f"\n{block}:\n", 1)
    for name, value in fields.items():
        text = re.sub(rf"^#  {name}:.*$", lambda _, n=name, v=value: f"  {n}: {v}", text, count=1, flags=re.M)  # type: ignore[misc]
    return text


def _with_boundary(text: str, _: str, boundary: str) -> str:
    text = text.replace("\n#metrics:\n", "\nmetrics:\n", 1)
    return text.replace("#  latency-p95: {below: 300ms}", f"  latency-p95: {{below: 300ms, boundary: {boundary}}}", 1)


def adopted(live: Mapping[str, Any]) -> dict[str, Any]:
    """The values for `starter` that a live Rollout object tells: names, image, replicas, port and
    the steps that are weights and pauses, as far as the weights rise. An analysis step of ours has
    its duration in its template's name; another one gets the guide's 2m, since its duration is in a
    template that ours takes the place of."""
    rollout = Rollout.from_object(live)
    first = rollout.containers[0] if rollout.containers else None
    app = (rollout.selector.get("matchLabels") or {}).get("app", rollout.name)
    values: dict[str, Any] = {
        "rollout": rollout.name,
        "namespace": rollout.namespace,
        "image": repository(first.image) if first else rollout.name,
        "replicas": rollout.replicas,
    }
    if first and first.name != rollout.name:
        values["container"] = first.name
    if app != rollout.name:
        values["app"] = app
    if (port := _port(live)) is not None:
        values["port"] = port
    if rollout.blue_green:
        values["strategy"] = "blue-green"
    elif steps := _adopted_steps(rollout):
        values["steps"] = steps
    return values


def _adopted_steps(rollout: Rollout) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if max_weight(rollout) != FULL_WEIGHT:  # canary.yaml counts in percent
        return found
    for step in rollout.steps:
        if step.kind == "setWeight" and step.weight:
            found.append({"weight": step.weight})
        elif found and step.kind == "analysis" and len(found[-1]) == 1:
            found[-1]["analysis"] = _analysis_duration(rollout.name, step.raw["analysis"])
        elif found and step.kind == "pause" and "pause" not in found[-1]:
            found[-1]["pause"] = "manual" if step.duration is None else format_duration(step.duration)
    rising: list[dict[str, Any]] = []
    for entry in found:
        least = rising[-1]["weight"] if rising else 0
        if len(entry) > 1 and entry["weight"] >= least:
            rising.append(entry)
    return rising


def _analysis_duration(rollout: str, analysis: Mapping[str, Any]) -> str:
    from companyos_canary.config.checks import SHORTEST_ANALYSIS  # noqa: PLC0415 - loads msgspec

    name = str(((analysis.get("templates") or [{}])[0] or {}).get("templateName", ""))
    text = name.removeprefix(f"{rollout}-").removesuffix("-full")
    try:
        duration = parse_duration(text)
    except ValueError:
        return _GUIDES
    return text if name != text and duration >= SHORTEST_ANALYSIS else _GUIDES


def _port(live: Mapping[str, Any]) -> int | None:
    spec = ((live.get("spec") or {}).get("template") or {}).get("spec") or {}
    for container in (spec.get("containers") or [])[:1]:
        for port in container.get("ports") or []:
            number: int | None = port.get("containerPort")
            return number
    return None


def _with(source: str, name: str, value: Any) -> str:
    line = re.compile(rf"^#?{re.escape(name)}: \S+(?P<rest> +#.*)?$", re.M)
    if not line.search(source):
        raise UsageError(f"the starter file has no field `{name}`")
    return line.sub(lambda found: _line(found, name, value), source, count=1)


def _line(found: re.Match[str], name: str, value: Any) -> str:
    """The field with its comment, in the column it had where there is room."""
    written, comment = f"{name}: {_flow(value)}", (found["rest"] or "").strip()
    column = found.start("rest") - found.start() + len(found["rest"] or "") - len(comment)
    return f"{written} ".ljust(column) + comment if comment else written


def _with_steps(source: str, _: str, steps: list[dict[str, Any]]) -> str:
    lines = "".join(f"  - {_flow(step)}\n" for step in steps)
    return _STEPS.sub(lambda _: f"steps:\n{lines}", source, count=1)


def _with_block(source: str, name: str, value: Any) -> str:
    """In the place of the example that is a comment."""
    example = re.compile(rf"^#{name}:\n(?:#  .*\n)+", re.M)
    return example.sub(lambda _: to_yaml([{name: value}]), source, count=1)


def _as_comment(source: str, name: str, _: object) -> str:
    """A block that is an example here, and would count."""
    block = re.compile(rf"^{name}:\n(?:  .*\n)+", re.M)
    return block.sub(lambda found: re.sub(r"^", "#", found[0].rstrip("\n"), flags=re.M) + "\n", source, count=1)


_WRITTEN: Mapping[str, Callable[[str, str, Any], str]] = {
    "steps": _with_steps,
    "analysis": _with_fields,
    "boundary": _with_boundary,
    "pod": _with_block,
    "merge": _with_block,
    "links": _as_comment,
}
"""How a field is written that is more than a line."""


def _flow(value: Any) -> str:
    """A value on one line, quoted where it must be."""
    dumped = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=4096)
    return str(dumped).removesuffix("...\n").strip()


_STATE = ("template", "paused", "restartAt")


def pod_of(base: Mapping[str, Any], live: Mapping[str, Any], container: str) -> dict[str, Any]:
    """The `pod:` with which a rendered pod template becomes the live one. The image of `container`
    is not part of it, nor the label `app`."""
    found = difference(base, live)
    spec, meta = found.pop("spec", None) or {}, found.pop("metadata", None) or {}
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
    set for the moment; empty if there is nothing to change."""
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
    """The merge patch of a rendered AnalysisTemplate whose name is taken; empty if it is not."""
    return _patch(base, live, merge_difference(base["spec"], live["spec"])) if live else {}


def difference(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be laid over `base` (as `config.source.merged` does) to make `over` of it."""
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


def _patch(base: Mapping[str, Any], live: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """With the labels that are rendered as the live object has them; those of others stay."""
    there = live["metadata"].get("labels") or {}
    labels = {k: there.get(k) for k, v in base["metadata"]["labels"].items() if there.get(k) != v}
    if not spec and not labels:
        return {}
    meta = {"name": base["metadata"]["name"], **({"labels": labels} if labels else {})}
    return {"kind": base["kind"], "metadata": meta, **({"spec": spec} if spec else {})}
