"""The arguments that a Rollout gives to its analysis: values, hashes and fields of the Rollout.

Upstream: utils/analysis/factory.go.
"""

import re
from collections.abc import Mapping
from typing import Any

from companyos_canary.analysis.gotext import value_text

Json = dict[str, Any]


class TemplateError(Exception):
    """The analysis cannot be made. `value` is what upstream names as the invalid value, `nested`
    is set where the fault is in a template that a template names (path `spec.templates`)."""

    def __init__(self, message: str, *, value: str = "", nested: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.value = value
        self.nested = nested


class FieldError(TemplateError):
    """A `fieldRef` leads nowhere. The controller retries for ever and writes nothing."""


def rollout_argument(
    arg: Mapping[str, Any], rollout: Mapping[str, Any], latest: str, stable: str
) -> Json:
    """One argument with its value; FieldError where a `fieldRef` leads nowhere."""
    source = arg.get("valueFrom") or {}
    value = arg.get("value") or ""
    if source.get("podTemplateHashValue") is not None:
        value = {"Latest": latest, "Stable": stable}.get(source["podTemplateHashValue"], value)
    elif source.get("fieldRef") is not None:
        path = source["fieldRef"].get("fieldPath") or ""
        if path.startswith("metadata"):
            value = _metadata_field(rollout["metadata"], path)
        else:
            value = _field(rollout, path)
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
    """A field of the Rollout by `a.b[0].c`; it has to end in a scalar."""
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
