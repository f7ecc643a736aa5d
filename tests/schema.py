"""Holds everything that the tests see printed as JSON against the published schema, strictly: a key
that the schema does not know fails, so that the schema stays whole."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from companyos_canary import cli
from companyos_canary.argo.events import happenings
from companyos_canary.argo.picture import look
from companyos_canary.argo.rows import snapshot_row
from companyos_canary.commands.contract import document
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.machine import jsonable

Json = dict[str, Any]


def outputs(out: str) -> list[Json]:
    """The objects on stdout: one envelope, or one a line."""
    texts = [out] if out.startswith("{\n") else out.splitlines()
    return [json.loads(text) for text in texts]


def snapshot_data(snapshot: Snapshot, now: datetime) -> Json:
    """A Rollout as `-o json` prints it."""
    found: Json = jsonable(snapshot_row(look(snapshot, now)))
    return found


def happened(before: Snapshot | None, after: Snapshot, now: datetime) -> list[tuple[str, Json]]:
    """What `watch -o json` prints between two snapshots."""
    was = look(before, now) if before else None
    return [(event, jsonable(data)) for event, data in happenings(was, look(after, now))]


def check(arguments: Sequence[str], out: str) -> None:
    """Fails where a command that was asked for JSON printed something else than is promised."""
    if out and cli._wants_json(arguments):
        verb = next((a for a in arguments if a in cli.VERBS), "")
        for one in outputs(out):
            fits(form(verb, one), one)


def fits(name: str, one: Any) -> None:
    """Fails where a value is not of the definition of that name."""
    error = best_match(_validator(name).iter_errors(one))
    assert error is None, f"{name}: {error.json_path}: {error.message}"


def form(verb: str, one: Mapping[str, Any]) -> str:
    """The name of the definition that an output has to fit."""
    if "event" in one:
        return f"{verb}-{one['event']}"
    return "Failed" if one["errors"] and not one["data"] else f"{verb}-answer"


def kind(verb: str, one: Mapping[str, Any]) -> str:
    """Which of the forms of its data an answer has."""
    options = closed()["$defs"][f"{verb}-answer"]["properties"]["data"]["anyOf"]
    names = [option["$ref"].removeprefix("#/$defs/") for option in options]
    return next(n for n in names if _validator(n).is_valid(one["data"]))


@cache
def closed() -> Json:
    """The schema with no room for keys that it does not name."""
    found: Json = _closed(document())
    return found


def _closed(node: Any) -> Any:
    if isinstance(node, Mapping):
        shut = {"additionalProperties": False} if "properties" in node else {}
        return {**{key: _closed(value) for key, value in node.items()}, **shut}
    return [_closed(each) for each in node] if isinstance(node, list) else node


@cache
def _validator(name: str) -> Draft202012Validator:
    defs = closed()["$defs"]
    assert name in defs, f"the schema has no `{name}`"
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": defs})


def breaks(promised: Json, now: Json, at: str = "") -> list[str]:
    """What a reader of the promised schema would stumble over: a key or a word that is gone, a
    type that is new, a key that may be missing now. More keys, words and forms are none."""
    found = [
        f"{at}: {key} was {promised.get(key)}, is {now.get(key)}"
        for key in ("$ref", "type", "const", "format")
        if promised.get(key) != now.get(key)
    ]
    gone = [
        *(promised.get("properties", {}).keys() - now.get("properties", {}).keys()),
        *(set(promised.get("required", ())) - set(now.get("required", ()))),
        *(set(promised.get("enum", ())) - set(now.get("enum", ()))),
        *(set(promised.get("examples", ())) - set(now.get("examples", ()))),
    ]
    found += [f"{at}: {one} is gone, or not always there" for one in dict.fromkeys(gone)]
    options, others = _by_type(promised), _by_type(now)
    new = [name for name in others.keys() - options.keys() if options and name[0] != "#"]
    found += [f"{at}: may be {name} now" for name in new]
    same = [(name, option, others.get(name, {})) for name, option in options.items()]
    for name, inner, other in (*_parts(promised, now), *same):
        found += breaks(inner, other, f"{at}/{name}")
    return found


def _parts(promised: Json, now: Json) -> Iterator[tuple[str, Json, Json]]:
    for place in ("properties", "$defs"):
        for name, inner in promised.get(place, {}).items():
            yield name, inner, now.get(place, {}).get(name, {})
    for place in ("items", "additionalProperties"):
        if place in promised:
            yield "*", promised[place], now.get(place, {})


def _by_type(node: Json) -> dict[str, Json]:
    return {o.get("$ref") or o.get("type") or "a word": o for o in node.get("anyOf", ())}
