"""Every recorded AnalysisRun, judged by the sandbox on a clock of its own."""

import json
from pathlib import Path

import pytest

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
