"""The published JSON Schema (draft 2020-12), made of the types."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from companyos_canary.view.contract.verbs import VERBS, Code, Problem
from companyos_canary.view.machine import SCHEMA

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Json = dict[str, Any]
_NUMBER = {
    "description": "a number, or the text for one that JSON does not know",
    "anyOf": [{"type": "number"}, {"enum": ["NaN", "+Inf", "-Inf"]}],
}
_SPAN = {"type": "string", "format": "duration"}
_TIME = {"type": "string", "format": "date-time"}


def document(verb: str = "") -> Json:
    """What `-o json` of a verb prints, or of any: an envelope, or each line."""
    verbs = [verb] if verb else list(VERBS)
    defs: Json = {}
    forms = [form for each in verbs for form in _forms(each, defs)]
    if verb != "watch":
        defs["Failed"] = _failed(defs)
        forms.append({"$ref": "#/$defs/Failed"})
    return {
        "$schema": DRAFT,
        "title": f"{' '.join(filter(None, ('canary', verb)))} -o json, {SCHEMA}",
        "anyOf": forms,
        "$defs": {**defs, "Number": _NUMBER},
    }


def data_of(verb: str) -> Json:
    """The `data` of a verb's envelopes alone; for `watch` that of its last line."""
    defs: Json = {}
    return {"anyOf": _types(VERBS[verb].data, defs), "$defs": {**defs, "Number": _NUMBER}}


def _forms(verb: str, defs: Json) -> Iterable[Json]:
    output = VERBS[verb]
    if "verdict" not in output.lines:
        defs[f"{verb}-answer"] = _object(
            {
                "schema": {"const": SCHEMA},
                "command": {"const": verb},
                "exit_code": _type(Code, defs),
                "data": {"anyOf": _types(output.data, defs)},
                "errors": _errors(defs) if output.partial else {"type": "array", "maxItems": 0},
            }
        )
        yield {"$ref": f"#/$defs/{verb}-answer"}
    for event, data in output.lines.items():
        defs[f"{verb}-{event}"] = _object(
            {
                "schema": {"const": SCHEMA},
                "seq": {"type": "integer", "minimum": 1},
                "at": _TIME,
                "event": {"const": event},
                "data": _type(data, defs),
            }
        )
        yield {"$ref": f"#/$defs/{verb}-{event}"}


def _failed(defs: Json) -> Json:
    return _object(
        {
            "schema": {"const": SCHEMA},
            "command": {"type": "string", "description": "empty where no verb was understood"},
            "exit_code": _type(Code, defs),
            "data": {"type": "object", "maxProperties": 0},
            "errors": {**_errors(defs), "minItems": 1},
        }
    )


def _errors(defs: Json) -> Json:
    return {"type": "array", "items": _type(Problem, defs)}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _type(one: Any, defs: Json) -> Json:
    return _types((one,), defs)[0]


def _types(types: tuple[Any, ...], defs: Json) -> list[Json]:
    """References to the types; what they refer to is put into `defs`."""
    found, parts = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    defs |= {name: _as_printed(part) for name, part in parts.items()}
    return [_as_printed(one) for one in found]


def _as_printed(node: Any) -> Any:
    """Spans are numbers of seconds; any other fraction may be one that JSON does not know."""
    if isinstance(node, Mapping):
        if node.items() >= _SPAN.items():
            return {"type": "number"}
        if node == {"type": "number"}:
            return {"$ref": "#/$defs/Number"}
        return {
            key: " ".join(value.split()) if key == "description" and isinstance(value, str) else _as_printed(value)
            for key, value in node.items()
        }
    return [_as_printed(each) for each in node] if isinstance(node, list) else node
