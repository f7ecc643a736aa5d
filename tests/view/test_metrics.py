"""The rows of the metrics table, from the runs of an update."""

from companyos_canary.view.measured import metrics_lines
from companyos_canary.view.metrics import metric_rows
from companyos_canary.view.picture import look
from companyos_canary.view.theme import Facts
from tests.builders import CANARY, NOW, result_object, run, snapshot
from tests.view.scenes import first_run


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
