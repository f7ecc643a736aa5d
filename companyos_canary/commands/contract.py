"""The published JSON Schema (draft 2020-12), made of the rows that each verb names as its OUTPUT."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from importlib import import_module
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from companyos_canary.model.row import Output, Says, keys, title
from companyos_canary.view.machine import SCHEMA, Code, Problem

DOCUMENTED = (
    "deploy",
    "promote",
    "abort",
    "undo",
    "retry",
    "pause",
    "resume",
    "restart",
    "terminate",
    "watch",
    "status",
    "get",
    "list",
    "experiment",
    "why",
    "doctor",
    "verify",
    "analysis",
    "metrics",
    "logs",
    "events",
    "history",
    "links",
    "init",
    "render",
    "lint",
    "plan",
    "diff",
    "apply",
    "create",
    "notifications",
    "rbac",
    "completion",
    "schema",
    "demo",
    "sandbox",
    "version",
)
DRAFT = "https://json-schema.org/draft/2020-12/schema"
JsonSchema = dict[str, Any]
_NUMBER = {
    "description": "a number, or the text for one that JSON does not know",
    "anyOf": [{"type": "number"}, {"enum": ["NaN", "+Inf", "-Inf"]}],
}
_TIME = {"type": "string", "format": "date-time"}


def output_of(verb: str) -> Output:
    found: Output = import_module(f"companyos_canary.commands.{verb}").OUTPUT
    return found


def document(verb: str = "") -> JsonSchema:
    """What `-o json` of a verb prints, or of any: an envelope, or each line."""
    verbs = [verb] if verb else list(DOCUMENTED)
    defs: JsonSchema = {}
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


def data_of(verb: str) -> JsonSchema:
    """The `data` of a verb's envelopes alone; for `watch` that of its last line."""
    defs: JsonSchema = {}
    return {"anyOf": _types(output_of(verb).rows, defs), "$defs": {**defs, "Number": _NUMBER}}


def _forms(verb: str, defs: JsonSchema) -> Iterable[JsonSchema]:
    output = output_of(verb)
    if "verdict" not in output.lines:
        defs[f"{verb}-answer"] = _object(
            {
                "schema": {"const": SCHEMA},
                "command": {"const": verb},
                "exit_code": _type(Code, defs),
                "data": {"anyOf": _types(output.rows, defs)},
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


def _failed(defs: JsonSchema) -> JsonSchema:
    return _object(
        {
            "schema": {"const": SCHEMA},
            "command": {"type": "string", "description": "empty where no verb was understood"},
            "exit_code": _type(Code, defs),
            "data": {"type": "object", "maxProperties": 0},
            "errors": {**_errors(defs), "minItems": 1},
        }
    )


def _errors(defs: JsonSchema) -> JsonSchema:
    return {"type": "array", "items": _type(Problem, defs)}


def _object(properties: JsonSchema) -> JsonSchema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _type(one: Any, defs: JsonSchema) -> JsonSchema:
    """A type; what it refers to is put into `defs`."""
    found = get_args(one)
    match get_origin(one):
        case origin if origin is Annotated:
            return _said(found[1], {"type": "number"} if found[1].finite else _type(found[0], defs))
        case origin if origin is Literal:
            return {"enum": sorted(found)}
        case origin if origin in (Union, UnionType):
            return {"anyOf": [_type(each, defs) for each in found]}
        case origin if origin in (list, tuple):
            return {"type": "array", "items": _type(found[0], defs)}
        case origin if origin is dict:
            values = {} if found[1] is Any else {"additionalProperties": _type(found[1], defs)}
            return {"type": "object", **values}
    if isinstance(one, type) and issubclass(one, Struct):
        return _reference(one, defs)
    return dict(_PLAIN[one])


_PLAIN: dict[Any, JsonSchema] = {
    Any: {},
    NoneType: {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"$ref": "#/$defs/Number"},
    str: {"type": "string"},
    datetime: _TIME,
    timedelta: {"type": "number"},
}


def _said(says: Says, of: JsonSchema) -> JsonSchema:
    before = {"description": says.description, "enum": [*says.words], "examples": [*says.examples]}
    after = {"minItems": says.least, "maxItems": says.most}
    return {**{k: v for k, v in before.items() if v}, **of, **{k: v for k, v in after.items() if v is not None}}


def _types(types: tuple[Any, ...], defs: JsonSchema) -> list[JsonSchema]:
    return [_type(one, defs) for one in types]


def _reference(row: Any, defs: JsonSchema) -> JsonSchema:
    name = title(row)
    if name not in defs:
        defs[name] = {"title": name}
        defs[name] |= _row(row, defs)
    return {"$ref": f"#/$defs/{name}"}


def _row(row: Any, defs: JsonSchema) -> JsonSchema:
    hints = get_type_hints(row, include_extras=True)
    shown = sorted((k.text, k.name, k.optional) for k in keys(row))
    said = " ".join(cleandoc(row.__doc__ or "").split())
    described = {"description": said} if said and not said.startswith(f"{row.__name__}(") else {}
    return {
        **described,
        "type": "object",
        "properties": {text: _type(hints[name], defs) for text, name, _ in shown},
        "required": [text for text, _, left_out in shown if not left_out],
    }
