"""What breaks a reader of the published schema is reported from what does not; the schema itself is
compared with the published one in tests/commands/test_schema.py."""

from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from companyos_canary.commands.contract import document
from tests import schema


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(document())


def the(defs: dict[str, Any], path: str) -> Any:
    found: Any = defs
    for part in path.split("/"):
        found = found[int(part) if isinstance(found, list) else part]
    return found


def removed(defs: dict[str, Any]) -> None:
    del defs["Snapshot"]["properties"]["phase"]


def optional(defs: dict[str, Any]) -> None:
    defs["Snapshot"]["required"].remove("phase")


def retyped(defs: dict[str, Any]) -> None:
    defs["Snapshot"]["properties"]["revision"] = {"type": "string"}


def nullable(defs: dict[str, Any]) -> None:
    defs["Snapshot"]["properties"]["cause"]["anyOf"].append({"type": "integer"})


def never(defs: dict[str, Any]) -> None:
    defs["Snapshot"]["properties"]["images"]["additionalProperties"] = {"type": "integer"}


def silent(defs: dict[str, Any]) -> None:
    the(defs, "Verdict/properties/verdict/enum").remove("healthy")


def other(defs: dict[str, Any]) -> None:
    the(defs, "Snapshot/properties/steps")["items"] = {"$ref": "#/$defs/Pod"}


def without_an_event(defs: dict[str, Any]) -> None:
    del defs["watch-transition"]


@pytest.mark.parametrize("change", [removed, optional, retyped, nullable, never, silent, other, without_an_event])
def test_what_would_break_a_reader_is_noticed(change: Any) -> None:
    promised = document()
    changed = deepcopy(promised)
    change(changed["$defs"])
    assert schema.breaks(promised, changed)


def test_a_new_key_a_new_word_and_a_new_event_break_nobody() -> None:
    promised = document()
    more = deepcopy(promised)
    the(more, "$defs/Snapshot/properties")["colour"] = {"type": "string"}
    the(more, "$defs/Snapshot/required").append("colour")
    the(more, "$defs/Verdict/properties/verdict/enum").append("postponed")
    more["$defs"]["watch-more"] = {"type": "object"}
    more["anyOf"].append({"$ref": "#/$defs/watch-more"})
    assert schema.breaks(promised, more) == []


def test_a_key_that_the_schema_does_not_know_fails_in_tests() -> None:
    step = {"number": 1, "weight": 10, "first_index": 0, "end_index": 2}
    schema.fits("WeightStep", step)
    with pytest.raises(AssertionError, match="colour"):
        schema.fits("WeightStep", {**step, "colour": "red"})
