"""`--field a.b.0.c`: single values of an answer, for shell scripts."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from companyos_canary.errors import ExitCode, UsageError, nearest
from companyos_canary.view.machine import jsonable

if TYPE_CHECKING:
    from companyos_canary.commands.session import Answer, Session

_ANYTHING: Mapping[str, Any] = {}


class NoField(UsageError):
    """There is no such field; the hint names those that there are."""


def check_fields(verb: str, paths: Iterable[str]) -> None:
    """NoField for a path that the published schema of a verb does not know."""
    from companyos_canary.commands.contract import data_of

    schema = data_of(verb)
    for path in paths:
        nodes = _options(schema, schema["$defs"])
        for part in path.split("."):
            names = {name for node in nodes for name in node.get("properties", ())}
            inner = [i for node in nodes for i in _inside(node, part)]
            if not inner:
                counts = any("items" in node for node in nodes)
                hint = "items are numbered from 0" if counts else _names(path, part, names)
                raise NoField(f"the data of `canary {verb}` have no field `{path}`", hint=hint)
            nodes = [option for i in inner for option in _options(i, schema["$defs"])]


def _text(data: object, path: str) -> str:
    """The value as a line: text as it is, null as an empty line, lists and objects as compact JSON.
    NoField if there is none."""
    value: Any = jsonable(data)
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise NoField(f"the answer has no field `{path}`", hint=_here(value, path, part))
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _options(node: Mapping[str, Any], defs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a node may be."""
    if "$ref" in node:
        return _options(defs[node["$ref"].removeprefix("#/$defs/")], defs)
    if "anyOf" in node:
        return [option for each in node["anyOf"] for option in _options(each, defs)]
    return [node]


def _inside(node: Mapping[str, Any], part: str) -> list[Mapping[str, Any]]:
    """What may be there; anything in an object whose names are not ours."""
    if "properties" in node:
        return [node["properties"][part]] if part in node["properties"] else []
    if node.get("type") == "array":
        return [node.get("items", _ANYTHING)] if part.isdecimal() else []
    if node.get("type") == "object":
        return [node.get("additionalProperties", _ANYTHING)]
    return [] if node.keys() & {"type", "enum", "const"} else [_ANYTHING]


def _here(value: Any, path: str, part: str) -> str:
    if isinstance(value, list):
        return f"it has {len(value)} items there; the first is 0" if value else "its list is empty"
    if isinstance(value, Mapping):
        return _names(path, part, value)
    return f"the value before `{part}` is {'null' if value is None else 'not an object'}"


def _names(path: str, part: str, names: Iterable[str]) -> str:
    known = sorted(names)
    if near := nearest(part, known):
        return f"did you mean `{'.'.join(near if p == part else p for p in path.split('.'))}`?"
    return "there is " + ", ".join(f"`{name}`" for name in known) if known else ""


def show_fields(session: "Session", answer: "Answer") -> ExitCode:
    """A line each, empty for null. One that is not there is an empty line, too, and said: the exit
    code is then 2, unless the verb itself has another one to tell."""
    runtime, code = session.runtime, answer.code
    for path in session.fields:
        try:
            runtime.say(_text(answer.content, path))
        except NoField as error:
            runtime.say("")
            missing = runtime.fail(error, as_json=False, command=session.command)
            code = code or missing
    return code
