"""Every recorded AnalysisRun, judged by the sandbox on a clock of its own."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.sandbox.kinds import ANALYSISRUN
from tests.conformance.analysis_rows import Rehearsal, can_check, check_row

RECORDED = Path(__file__).parents[1] / "conformance/analysis"


def rows(name):
    return json.loads((RECORDED / name).read_text())["rows"]


ROWS = [r for name in ("truth-table.json", "validation.json") for r in rows(name) if can_check(r)]
BY_NAME = {r["name"]: r for r in rows("truth-table.json")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_a_run_ends_as_recorded(row):
    assert check_row(row) == []


def test_the_comparison_sees_a_difference():
    row = json.loads(json.dumps(BY_NAME["cel-default"]))
    row["expect"]["seconds_between_requests"][1] = 3.0
    row["expect"]["metric"]["message"] = "other"
    row["expect"]["run_phase"] = "Failed"
    said = "\n".join(check_row(row))
    assert "gaps" in said
    assert "m.message" in said
    assert "phase" in said


@pytest.mark.parametrize(
    ("name", "events"),
    [
        (
            "interval-1s-count-3",
            [
                ("Normal", "MetricSuccessful", "Metric 'm' Completed. Result: Successful"),
                ("Normal", "AnalysisRunSuccessful", "Analysis Completed. Result: Successful"),
            ],
        ),
        (
            "two-delay-and-failure",
            [
                ("Warning", "MetricFailed", "Metric 'bad' Completed. Result: Failed"),
                ("Warning", "AnalysisRunFailed", "Analysis Completed. Result: Failed"),
            ],
        ),
        ("dry-star", [("Warning", "AnalysisRunError", "Analysis Completed. Result: Error")]),
    ],
)
def test_a_run_says_how_it_ended(name, events):
    assert Rehearsal(BY_NAME[name]).play().events == events


def rehearsed(**spec):
    """A rehearsal of a run that is good for ever, not yet played."""
    row = json.loads(json.dumps(BY_NAME["interval-only"]))
    row["spec"] |= spec
    return Rehearsal(row)


def test_a_run_that_is_being_deleted_is_left_alone():
    rehearsal = rehearsed()
    run = {"metadata": {"namespace": "n", "name": "gone", "finalizers": ["x"]}}
    rehearsal.store.create(ANALYSISRUN, {**run, "spec": rehearsal.row["spec"]})
    rehearsal.store.delete(ANALYSISRUN, "n", "gone")
    assert rehearsal.controller.step(rehearsal.now) is None
    assert rehearsal.outcome.asked == []


def test_a_finished_run_is_deleted_after_its_time():
    rehearsal = rehearsed(terminate=True, ttlStrategy={"secondsAfterCompletion": 60})
    rehearsal.play()
    end = rehearsal.controller.step(rehearsal.now)
    assert (end - rehearsal.now).total_seconds() == 60
    assert rehearsal.controller.step(end) is None
    assert rehearsal.store.get(ANALYSISRUN, "n", "run") is None


def test_a_run_that_is_deleted_while_it_is_measured_is_forgotten():
    rehearsal = Rehearsal(BY_NAME["slow-3s-default-timeout"])
    spec = rehearsal.row["spec"]
    rehearsal.store.create(ANALYSISRUN, {"metadata": {"namespace": "n", "name": "r"}, "spec": spec})
    rehearsal.settle()
    rehearsal.store.delete(ANALYSISRUN, "n", "r")
    rehearsal.now += timedelta(seconds=5)
    assert rehearsal.settle() is None
    assert rehearsal.outcome.events == []


def test_a_run_is_asked_nothing_between_its_measurements():
    rehearsal = rehearsed(terminate=False)
    rehearsal.play()
    asked, version = len(rehearsal.outcome.asked), rehearsal.store.version
    for _ in range(5):
        rehearsal.controller.step(rehearsal.now)
    assert (len(rehearsal.outcome.asked), rehearsal.store.version) == (asked, version)


def places(value, path=()):
    """The paths of all parts of a JSON value."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    changed = value.copy()
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(["{{args.n}}", "0s", "1ms", "http://[", [], {}, [None], [{}], {"": ""}]),
)
PROMPT = [r for r in ROWS if r["spec"] and "hang_s" not in json.dumps(r)]


@settings(deadline=None, database=None)
@given(st.sampled_from(PROMPT), st.data())
def test_no_spec_stops_the_loop(row, data):
    spec = row["spec"]
    path = data.draw(st.sampled_from([p for p in places(spec) if p]))
    odd = replaced(spec, path, data.draw(ODD))
    outcome = Rehearsal({**row, "spec": odd, "observe_after_s": 3}).play()
    assert outcome.status["phase"] in ("Running", "Successful", "Failed", "Inconclusive", "Error")
