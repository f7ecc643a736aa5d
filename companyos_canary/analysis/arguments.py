"""The arguments of an analysis: those a Rollout passes, and `{{args.name}}` in a metric.

Arguments are replaced in the metric's JSON text, so a brace that is never closed reaches into the
fields that follow, in the order in which the controller writes them (recorded: `arg-unclosed`).
Upstream: utils/analysis/factory.go, utils/template.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from companyos_canary.analysis.gotext import value_text
from companyos_canary.model.http import Json


class TemplateError(Exception):
    """The AnalysisRun cannot be created. `value` is what upstream reports as the invalid value;
    `nested` means that the fault is in a template of a template (path `spec.templates`)."""

    def __init__(self, message: str, *, value: str = "", nested: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.value = value
        self.nested = nested


class FieldError(TemplateError):
    """A `fieldRef` names a field that does not exist. The controller retries forever and writes
    nothing."""


def rollout_argument(arg: Mapping[str, Any], rollout: Mapping[str, Any], latest: str, stable: str) -> Json:
    """Return an argument with its value. Raises FieldError if its `fieldRef` names no field."""
    source = arg.get("valueFrom") or {}
    value = arg.get("value") or ""
    if source.get("podTemplateHashValue") is not None:
        value = {"Latest": latest, "Stable": stable}.get(source["podTemplateHashValue"], value)
    elif source.get("fieldRef") is not None:
        path = source["fieldRef"].get("fieldPath") or ""
        value = _metadata_field(rollout["metadata"], path) if path.startswith("metadata") else _field(rollout, path)
    return {"name": arg["name"], "value": value}


def _metadata_field(metadata: Mapping[str, Any], path: str) -> str:
    keyed = re.fullmatch(r"metadata\.(labels|annotations)\['(.*)'\]", path)
    if keyed:
        return str((metadata.get(keyed[1]) or {}).get(keyed[2], ""))
    field = path.removeprefix("metadata.")
    if field in ("name", "namespace", "uid"):
        return str(metadata.get(field, ""))
    if field in ("labels", "annotations"):
        entries = sorted((metadata.get(field) or {}).items())
        return "\n".join(f'{k}="{v}"' for k, v in entries)
    raise FieldError(f"unsupported fieldPath: {path}", value=path)


def _field(rollout: Mapping[str, Any], path: str) -> str:
    """Return the field at `a.b[0].c` of the Rollout, which must be a scalar."""
    value: Any = rollout
    nowhere = FieldError(f"invalid path {path} in rollout", value=path)
    for section in filter(None, re.split(r"[.\[\]]+", path)):
        if isinstance(value, list):
            if not re.fullmatch(r"\d+", section, re.ASCII):
                raise FieldError(f"invalid index '{section}'", value=path)
            if int(section) >= len(value):
                raise FieldError(f"index {section} out of range", value=path)
            value = value[int(section)]
        elif isinstance(value, Mapping):
            value = value.get(section)
        else:
            raise nowhere
    if value is None:
        raise nowhere
    if isinstance(value, list | Mapping):
        raise FieldError(f"path {path} in rollout must terminate in a primitive value", value=path)
    return value_text(value)


_METRIC = (
    "name",
    "interval",
    "initialDelay",
    "count",
    "successCondition",
    "failureCondition",
    "failureLimit",
    "inconclusiveLimit",
    "consecutiveErrorLimit",
    "provider",
    "consecutiveSuccessLimit",
)
_PROMETHEUS = ("address", "query", "authentication", "timeout", "insecure", "headers", "rangeQuery")
_AUTHENTICATION = ("sigv4", "oauth2", "basicAuth")


_written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class ArgumentError(Exception):
    """An argument cannot be resolved; the message is the controller's."""


def canonical_metric(metric: Mapping[str, Any]) -> Json:
    """The metric as the controller stores it: fields in its order, without the empty ones, and with
    the `authentication` of Prometheus spelled out (recorded: every AnalysisRun)."""
    written = {k: metric[k] for k in _METRIC if metric.get(k) not in (None, "")}
    provider = dict(written.get("provider") or {})
    if provider.get("prometheus") is not None:
        provider["prometheus"] = _prometheus(provider["prometheus"])
    written["provider"] = provider
    return {k: written[k] for k in _METRIC if k in written}


def _prometheus(raw: Mapping[str, Any]) -> Json:
    given = raw.get("authentication") or {}
    authentication = {k: given.get(k) or {} for k in _AUTHENTICATION}
    complete = {**raw, "authentication": authentication}
    return {k: complete[k] for k in _PROMETHEUS if not _is_empty(complete.get(k))}


def _is_empty(value: Any) -> bool:
    """Whether the field is left out. A number never is: a timeout of 0 is not the default."""
    return value is None or value is False or value in ("", [])


def resolve_metric(metric: Mapping[str, Any], args: Iterable[Mapping[str, Any]]) -> Json:
    """Return the metric with all arguments replaced; `args` have `name` and `value`.

    Raises ArgumentError for an argument without a value and for an unknown name. A value cannot
    break out of its field (upstream: utils/template ResolveQuotedArgs)."""
    values: dict[str, str] = {}
    for arg in args:
        if arg.get("value") is None:
            raise ArgumentError(f'argument "{arg.get("name", "")}" was not supplied')
        quoted = _written(str(arg["value"]))[1:-1]
        values[f"args.{arg.get('name', '')}"] = quoted
    text = _written(canonical_metric(metric))
    try:
        resolved = json.loads(_replaced(text, values))
    except json.JSONDecodeError as error:
        raise ArgumentError(f"the metric is not valid JSON once its arguments are replaced: {error.msg}") from None
    return dict(resolved)


def _replaced(text: str, values: Mapping[str, str]) -> str:
    parts: list[str] = []
    unresolved, at = "", 0
    while (start := text.find("{{", at)) >= 0:
        end = text.find("}}", start + 2)
        if end < 0:
            raise ArgumentError(f'Cannot find end tag="}}}}" in the template={text!r} starting from {text[start:]!r}')
        tag = text[start + 2 : end]
        if tag.strip() in values:
            parts += (text[at:start], values[tag.strip()])
        else:
            unresolved = f"failed to resolve {{{{{tag}}}}}"
        at = end + 2
    if unresolved:
        raise ArgumentError(unresolved)
    return "".join(parts) + text[at:]
