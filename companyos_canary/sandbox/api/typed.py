"""Server-side apply reads a configuration by its kind's schema before anything else; what does not
fit is an error 500 there, in words of its own."""

import re
from typing import Any

from companyos_canary.model.http import Json
from companyos_canary.sandbox.api.lists import apply_keys
from companyos_canary.sandbox.api.managed import item_element, path_text
from companyos_canary.sandbox.api.schema import findings_of
from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import ApiStatus

_WANTED = {
    "integer": "numeric (int or float)", "array": "list", "object": "map", "boolean": "boolean",
    "string": "string",
}  # fmt: skip


def check_typed(kind: Kind, configuration: Json) -> None:
    """500 for fields that the kind does not have and for values of another type."""
    findings = findings_of(kind, configuration)
    faults = [f"{_named(kind, path, configuration)}: field not declared in schema"
              for path in findings.unknown]  # fmt: skip
    for path, message, reason in findings.wrong:
        match = re.search(r'must be of type (\w+): "(\w+)"', message)
        if reason == "FieldValueTypeInvalid" and match and match[1] in _WANTED:
            place = _named(kind, path, configuration)
            faults.append(f"{place}: expected {_WANTED[match[1]]}, got {match[2]}")
    if faults:
        meta = configuration["metadata"]
        where = f"{meta.get('namespace', '')}/{meta['name']}; {kind.api_version}, Kind={kind.kind}"
        told = faults[0] if len(faults) == 1 else "errors:\n" + "".join(f"  {f}\n" for f in faults)
        message = f"failed to create typed patch object ({where}): {told}"
        raise ApiStatus(500, "", message.rstrip("\n"))


def _named(kind: Kind, path: str, value: Any) -> str:
    """`.spec.template.spec.containers[name="app"].x` for a path with an index in a keyed list."""
    text, names = "", tuple[str, ...]()
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        if name:
            text, names = f"{text}.{name}", (*names, name)
            value = value.get(name) if isinstance(value, dict) else None
            continue
        value = value[int(index)] if isinstance(value, list) else None
        keys = apply_keys(kind.group, names)
        text += path_text((item_element(value, keys),)) if keys else f"[{index}]"
    return text
