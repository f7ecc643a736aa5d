import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.errors import CanaryError, ConfigError, CrdMissing, ExitCode, NotFound, Refused, ServerError
from companyos_canary.view import machine
from tests.builders import NOW, result_object, run, snapshot
from tests.schema import snapshot_data
from tests.view.scenes import ALL


def test_a_failed_verb_answers_with_one_envelope() -> None:
    entry = machine.error_entry(NotFound("Rollout `api` not found", hint="`canary apply VERSION`"))
    assert json.loads(machine.envelope("status", ExitCode.NOT_FOUND, errors=[entry])) == {
        "schema": "canary/v1",
        "command": "status",
        "exit_code": 5,
        "data": {},
        "errors": [{"code": "not-found", "message": "Rollout `api` not found", "hint": "`canary apply VERSION`"}],
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CanaryError("x"), "failed"),
        (ConfigError("x"), "config"),
        (CrdMissing("x"), "crd-missing"),
        (Refused("x"), "refused"),
        (ServerError("x", status=503), "server"),
    ],
)
def test_every_error_has_a_code_of_its_kind(error: CanaryError, code: str) -> None:
    assert machine.error_entry(error).code == code


def test_numbers_that_json_does_not_know_are_strings() -> None:
    values = ["[0.01]", "[NaN]", "[+Inf]"]
    moment = snapshot(runs=[run([result_object("error-rate", values)])])
    text = machine.envelope("get", 0, snapshot_data(moment, NOW))
    metric = json.loads(text)["data"]["metrics"][0]
    assert metric["history"] == [0.01, "NaN", "+Inf"]
    assert metric["value"] == "+Inf"
    assert (metric["operator"], metric["limit"]) == ("<", 0.05)


def test_a_snapshot_has_both_ways_to_count_steps() -> None:
    step = snapshot_data(ALL["analysing"](), NOW)["step"]
    assert step == {
        "number": 2,
        "of": 3,
        "index": 3,
        "count": 6,
        "kind": "analysis",
        "length_seconds": 120.0,
        "remaining_seconds": 48.0,
    }


def test_an_event_is_one_line() -> None:
    data = snapshot_data(ALL["no_data"](), NOW)
    line = machine.event_line("snapshot", data, at=NOW, seq=7)
    assert "\n" not in line
    event = json.loads(line)
    assert (event["schema"], event["seq"], event["event"]) == ("canary/v1", 7, "snapshot")
    assert event["at"] == "2026-03-02T12:04:33Z"


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.datetimes(), st.lists))
def test_everything_that_is_jsonable_is_strict_json(value: Any) -> None:
    json.dumps(machine.jsonable(value), allow_nan=False)


def test_infinities_keep_their_sign() -> None:
    assert machine.jsonable([math.inf, -math.inf]) == ["+Inf", "-Inf"]


def test_the_name_form_is_that_of_kubectl() -> None:
    assert ALL["healthy"]().rollout.resource == "rollout.argoproj.io/companyos-api"
