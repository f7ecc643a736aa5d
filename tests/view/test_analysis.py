"""AnalysisRuns in full: whole screens, pipe lines, and queries that can be copied."""

import re
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from companyos_canary.argo.judged import judged, judged_run, worst_first
from companyos_canary.argo.steps import step_of
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.analysis import folded_query, plain, screen
from companyos_canary.view.lines import Facts
from companyos_canary.view.lines import plain_text as text
from tests.builders import NOW, result_object, run, snapshot
from tests.view.recorded import moment, recorded
from tests.view.scenes import ALL, first_run, rolled_back

SCENES = ("rolled_back", "no_data", "waiting", "lonely_metric", "analysing")


def shown(found: Snapshot, facts: Facts, *, full: bool = False) -> str:
    runs = worst_first(found.runs)
    return "\n".join(text(line) for line in screen(runs, NOW, facts, full=full, step=partial(step_of, found.rollout)))


@pytest.mark.parametrize("name", SCENES)
def test_a_screen_of_80_columns(name: str, same_as_file: Callable[[str, str], None]) -> None:
    same_as_file(f"analysis-{name}", shown(ALL[name](), Facts()))


@pytest.mark.parametrize("name", ["analysis-failed", "analysis-error", "inconclusive"])
def test_what_was_recorded(name: str, same_as_file: Callable[[str, str], None]) -> None:
    found = recorded(name)
    lines = screen(worst_first(found.runs), moment(found), Facts(), full=True, step=partial(step_of, found.rollout))
    same_as_file(f"analysis-recorded-{name}", "\n".join(map(text, lines)))


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("facts", [Facts(80), Facts(50, unicode=False)])
def test_nothing_is_wider_than_the_terminal(name: str, facts: Facts) -> None:
    lines = shown(ALL[name](), facts, full=True).split("\n")
    assert all(len(line) <= facts.width for line in lines)
    assert facts.unicode or all(line.isascii() for line in lines)


def test_a_pipe_gets_a_line_a_metric(same_as_file: Callable[[str, str], None]) -> None:
    found = rolled_back()
    lines = [x for r in worst_first(found.runs) for x in plain(r, step_of(found.rollout, r), full=False)]
    same_as_file("analysis-pipe", "\n".join(lines))


def test_failures_come_first_then_what_runs_then_the_newest_of_the_good() -> None:
    phases = ["Successful", "Running", "Error", "Inconclusive", "Failed"]
    runs = [run(name=p, phase=p) for p in phases] + [replace(first_run(), name="older")]
    assert [r.name for r in worst_first(runs)] == ["Failed", "Error", "Inconclusive", "Running", "Successful", "older"]


def test_the_metrics_of_a_run_have_their_failures_first() -> None:
    found = rolled_back()
    assert judged(found.runs[1])[0].row.name == "error-rate"


def test_a_run_that_was_not_measured_yet_shows_what_it_will_ask() -> None:
    young = run(phase="")
    found = shown(snapshot(runs=[young]), Facts(), full=True)
    assert "  Pending · step 2/3" in found
    assert found.count("Pending") == 6
    assert "not measured yet" in found
    assert judged_run(young).metrics[0].query == "up"


def test_where_a_run_belongs() -> None:
    rollout = snapshot().rollout
    assert step_of(rollout, run(step_index=3)) == "2/3"
    assert step_of(rollout, run(step_index=None)) == "background"
    assert step_of(rollout, run(step_index=17)) == "index 17"


QUERY = 'sum by (le) (rate(http_requests_total{job="api",path=~"/a b, (c)"}[5m]))\n  / on() (vector(0))'


def test_a_query_is_broken_where_it_may_be_and_nowhere_else() -> None:
    lines = folded_query(QUERY, 30)
    assert lines == [
        "sum by (le) (rate(",
        'http_requests_total{job="api",',
        'path=~"/a b, (c)"}[5m])) / on(',
        ") (vector(0))",
    ]


def test_a_text_that_is_longer_than_a_line_is_broken_and_not_cut() -> None:
    assert folded_query('up{le=~"0[.]3[0-9]*|0[.][4-9][0-9]*|[1-9]+"}', 20) == [
        'up{le=~"0[.]3[0-9]*|',
        "0[.][4-9][0-9]*|",
        '[1-9]+"}',
    ]
    assert folded_query("a" * 45, 20) == ["a" * 20, "a" * 20, "a" * 5]


@given(st.lists(st.sampled_from(['"a b"', "x", "(", ")", "{", "}", ",", " ", "rate", "[5m]"])))
def test_folding_changes_nothing_but_blanks(tokens: list[str]) -> None:
    query = "".join(tokens)
    again = "\n".join(folded_query(query, 12))
    assert re.sub(r"\s", "", again) == re.sub(r"\s", "", query)
    assert query.count('"a b"') == again.count('"a b"')


def test_the_mark_follows_the_value_also_where_a_run_was_ended_early() -> None:
    ended = result_object("error-rate", ["[0.2]"], ["Failed"], phase="Successful")
    lines = shown(snapshot(runs=[run([ended], phase="Successful", message="Run Terminated")]), Facts())
    assert "✖ error-rate" in lines
    assert "✔ error-rate" not in lines
