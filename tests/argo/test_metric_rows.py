"""The rows of the metrics table, from the runs of an update."""

from companyos_canary.argo.metric_rows import metric_rows
from companyos_canary.argo.picture import look
from companyos_canary.view.lines import Facts, plain
from companyos_canary.view.metric_table import metrics_lines
from tests.builders import CANARY, NOW, result_object, run, snapshot
from tests.view.scenes import analysing, failing, first_run, no_data


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
        plain(metrics_lines(look(moment, NOW), Facts(width))[0])
        for width in (80, 120)
        for moment in (analysing(), failing(), no_data())
    }
    assert len({h.rstrip() for h in headings}) <= 2


def test_a_low_terminal_keeps_the_metric_that_is_bad() -> None:
    picture = look(failing(), NOW)
    two = [plain(line) for line in metrics_lines(picture, Facts(), 2)]
    assert any("✖ error-rate" in line for line in two)
    assert two[-1] == "    and 3 more"
    assert [plain(line) for line in metrics_lines(picture, Facts(), 0)] == [
        "  · error-rate failing: 11.2 % (< 5 %) of 5"
    ]
