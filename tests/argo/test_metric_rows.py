"""The rows of the metrics table, from the runs of an update."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from companyos_canary.argo.limits import Limit, Operator
from companyos_canary.argo.metric_rows import metric_rows
from companyos_canary.argo.picture import look
from companyos_canary.view.lines import Facts, plain_text
from companyos_canary.view.metric_table import metrics_lines
from tests.builders import CANARY, NOW, result_object, run, snapshot
from tests.view.scenes import analysing, failing, first_run, no_data, prometheus


def test_before_its_first_measurement_a_run_waits_whatever_the_one_before_said() -> None:
    row = metric_rows(snapshot(runs=[first_run(), run([])]))[0]
    assert (row.name, row.verdict, row.value, row.failed) == ("error-rate", "waiting", None, 0)
    assert len(row.history) == 4, "the trend goes on over the steps"


def test_the_newest_run_that_measured_says_the_verdict() -> None:
    measured = run([result_object("error-rate", ["[0.2]"], ["Failed"])])
    rows = {r.name: r for r in metric_rows(snapshot(runs=[first_run(), measured]))}
    assert (rows["error-rate"].verdict, rows["error-rate"].value) == ("failing", 0.2)
    assert rows["latency-p95"].verdict == "waiting"


def test_a_restart_is_not_judged_by_the_update_before() -> None:
    restarting = {"phase": "Progressing", "message": "rollout is restarting", "step_index": 6}
    begun = snapshot(runs=[first_run()], stable_hash=CANARY, **restarting)
    assert metrics_lines(look(begun, NOW), Facts()) == []
    assert metrics_lines(look(snapshot(runs=[first_run()], **restarting), NOW), Facts())


def test_columns_stay_where_they_are_while_values_change() -> None:
    headings = {
        plain_text(metrics_lines(look(moment, NOW), Facts(width))[0])
        for width in (80, 120)
        for moment in (analysing(), failing(), no_data())
    }
    assert len({h.rstrip() for h in headings}) <= 2


def test_a_low_terminal_keeps_the_metric_that_is_bad() -> None:
    picture = look(failing(), NOW)
    two = [plain_text(line) for line in metrics_lines(picture, Facts(), 2)]
    assert any("✖ error-rate" in line for line in two)
    assert two[-1] == "    and 3 more"
    assert [plain_text(line) for line in metrics_lines(picture, Facts(), 0)] == [
        "  · error-rate failing: 11.2 % (< 5 %) of 5"
    ]


def heading_and(row: str, text: list[str]) -> tuple[str, str]:
    return text[0], next(line for line in text if row in line)


def test_a_row_reads_like_a_sentence() -> None:
    text = [plain_text(line) for line in metrics_lines(look(failing(), NOW, live=prometheus()), Facts())]
    headings, row = heading_and("error-rate", text)
    assert headings.split() == ["METRIC", "USED", "MEASURED", "LIMIT", "REQUESTS", "VERDICT", "STABLE"]
    assert row.split("  ", 1)[1] == "✖ error-rate     █████▶    11.2 %     < 5 %     2,140  failing 1 of 2   1.0 %"


def test_before_the_first_measurement_the_values_are_those_of_now_and_stand_there_once() -> None:
    begun = snapshot(runs=[run([])])
    text = [plain_text(line) for line in metrics_lines(look(begun, NOW, live=prometheus()), Facts())]
    assert text[0].split() == ["METRIC", "USED", "NOW", "LIMIT", "REQUESTS", "VERDICT", "STABLE"]
    assert "0.9 %" in text[1]
    assert not any("from http" in line for line in text), "a heading says what it is"


def test_values_that_are_old_say_how_old() -> None:
    begun, late = snapshot(runs=[run([])]), NOW + timedelta(seconds=40)
    text = [plain_text(line) for line in metrics_lines(look(begun, late, live=prometheus()), Facts())]
    assert text[-1] == "    no newer values from Prometheus for 40s"


def test_too_few_requests_are_said_once_with_how_many_it_takes() -> None:
    few = prometheus()
    few = replace(few, metrics=tuple(replace(m, requests=60.0, needed=100.0) for m in few.metrics))
    text = [plain_text(line) for line in metrics_lines(look(analysing(), NOW, live=few), Facts())]
    assert [line for line in text if "too few" in line] == ["  ! too few requests to judge (60 of 100): all 5 metrics"]


@given(st.sampled_from(["<", "<=", ">", ">="]), st.floats(-9, 9), st.floats(allow_infinity=True, allow_nan=False))
def test_what_is_used_of_a_limit_is_all_of_it_where_it_is_broken(
    operator: Operator, bound: float, value: float
) -> None:
    limit = Limit(operator, bound)
    used = limit.used(value)
    assert used is not None
    assert used >= 1 if limit.broken_by(value) else 0 <= used <= 1
