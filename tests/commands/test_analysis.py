"""`canary analysis`, from argv to exit, in the sandbox."""

import json
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import ANALYSISRUN
from companyos_canary.sandbox.scenarios import default
from tests.commands.conftest import installed
from tests.world import CONFIG, World


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> World:
    """v1.1.0 is stable, v1.2.0 was rolled back at 25 %. Only read."""
    world = installed(tmp_path_factory.mktemp("failed"), CONFIG)
    world.canary("deploy", "v1.1.0", "-q")
    world.canary("deploy", "v1.2.0", "-q")
    return world


def test_a_terminal_gets_the_failure_first_with_its_query(failed: World) -> None:
    out = re.sub(r"\x1b\[\d+m", "", failed.canary("analysis", terminal=True).out)
    assert re.match(r"✖ companyos-api-\w+-3-3\n  Failed after \d+s · step 2/3 · revision 3", out)
    assert 'Metric "error-rate" assessed Failed due to failed (2) > failureLimit (1)' in out
    assert "    passes if  len(result) == 1 && result[0] < 0.05\n" in out
    assert "    query      ( (sum(rate(companyos_http_requests_total{" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert out.index("  Failed after") < out.index("  Successful after")


def test_a_pipe_gets_a_line_a_metric_of_the_newest_revision(failed: World) -> None:
    ran = failed.canary("analysis")
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    first, *others = ran.out.splitlines()
    assert re.match(
        r"run=companyos-api-\w+-3-3 step=2/3 metric=error-rate phase=Failed value=0\.1\d+ "
        r'limit=0\.05 failed=2 measured=\d planned=4 success="len\(result\) == 1 ',
        first,
    )
    assert len(others) == 9
    assert not any(" query=" in line for line in others if "phase=Successful" in line)


def test_all_has_the_runs_of_earlier_revisions_too(failed: World) -> None:
    names = failed.canary("analysis", "--all", "-o", "name").out.split()
    assert len(names) == 5
    assert all(n.startswith("analysisrun.argoproj.io/companyos-api-") for n in names)


@pytest.mark.parametrize("whole", [True, False])
def test_one_run_by_its_name_or_the_end_of_it_is_shown_in_full(failed: World, whole: bool) -> None:
    run = next(r for r in failed.store.items(ANALYSISRUN, "companyos") if r["metadata"]["name"].endswith("2-1"))
    ran = failed.canary("analysis", run["metadata"]["name"] if whole else "2-1")
    assert ran.out.count(" query=") == ran.out.count("run=") == 5


def test_json_has_every_measurement(failed: World) -> None:
    data = failed.canary("analysis", "-o", "json").json["data"]
    assert set(data) == {"rollout", "namespace", "context", "revision", "runs", "notes"}
    run = data["runs"][0]
    assert set(run) == {
        "name",
        "revision",
        "hash",
        "step",
        "step_index",
        "phase",
        "message",
        "started_at",
        "completed_at",
        "metrics",
    }
    metric = run["metrics"][0]
    assert set(metric) == {
        "name",
        "phase",
        "verdict",
        "value",
        "unit",
        "operator",
        "limit",
        "counts",
        "planned",
        "success_condition",
        "failure_condition",
        "interval",
        "sequential",
        "failure_limit",
        "dry_run",
        "message",
        "address",
        "query",
        "measurements",
    }
    assert metric["counts"]["failed"] == 2
    assert set(metric["measurements"][0]) == {"phase", "value", "raw", "message", "started_at", "finished_at"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("9-9",), ExitCode.NOT_FOUND, "`companyos-api` has no AnalysisRun `9-9`"),
        (("companyos-api-2-3",), ExitCode.NOT_FOUND, "did you mean `companyos-api-"),
        (("3-3", "--all"), ExitCode.USAGE, "RUN and --all exclude each other"),
        (("--rollout", "companyos-ap"), ExitCode.NOT_FOUND, "did you mean `companyos-api`?"),
        (("-o", "xml"), ExitCode.USAGE, "--output `xml` is not a format here"),
    ],
)
def test_bad_input_is_a_sentence(failed: World, arguments: tuple[str, ...], code: ExitCode, said: str) -> None:
    ran = failed.canary("analysis", *arguments)
    assert ran.code == code
    assert said in ran.err


def test_where_none_ran_that_is_said(world: World) -> None:
    ran = world.canary("analysis")
    assert (ran.code, ran.out) == (ExitCode.OK, "")
    assert ran.err == "revision 1 has no analysis runs\n"
    assert world.canary("analysis", "x").err.endswith("hint: it has no runs any more\n")
    names = world.canary("analysis", "-o", "name")
    assert (names.code, names.out) == (ExitCode.OK, "")


def test_runs_that_may_not_be_listed_are_a_note(world: World) -> None:
    world.faults.add(Fault(Answer(403), path="/analysisruns"))
    ran = world.canary("analysis")
    assert "not permitted to `list` `analysisruns.argoproj.io`" in ran.err


def test_the_value_of_a_secret_is_nowhere(running: World) -> None:
    """Recorded: the controller writes the resolved query in clear."""
    world = running
    world.advance(3)
    (run,) = world.store.items(ANALYSISRUN, "companyos")
    run = json.loads(json.dumps(run))
    secret = {"name": "tok", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    run["spec"]["args"] = [*run["spec"].get("args", []), secret]
    run["spec"]["metrics"][0]["provider"]["prometheus"]["query"] = 'up{t="{{args.tok}}"}'
    result = run["status"]["metricResults"][0]
    result["metadata"]["ResolvedPrometheusQuery"] = 'up{t="hunter2"}'
    result["message"] = 'parse error in up{t="hunter2"}'
    world.store.update(ANALYSISRUN, run)
    name = run["metadata"]["name"]
    for arguments in ((), ("-o", "json"), (name,), (name, "-o", "json")):
        ran = world.canary("analysis", *arguments)
        assert ran.code == ExitCode.OK
        assert "hunter2" not in ran.out + ran.err
    assert "*****" in world.canary("analysis", name).out
    assert "hunter2" not in world.canary("analysis", name, terminal=True).out


def test_too_few_requests_are_said_in_a_sentence_and_a_query_of_a_hundred_lines_is_not_printed(tmp_path: Path) -> None:
    config = "schema: canary/v1\nrollout: companyos-api\nnamespace: companyos\nimage: companyos-api\n"
    world = World(tmp_path, config, scenario=replace(default(), traffic=2.0), seed=3, scrape=15)
    world.canary("apply", "v1.0.0", "-q")
    world.advance(400)
    world.canary("deploy", "v1.1.0", "--no-wait", "-q")
    world.advance(600)
    assert world.canary("status", "--field", "phase").out == "Paused\n"
    out = re.sub(r"\x1b\[\d+m", "", world.canary("analysis", terminal=True).out)
    said = re.search(r"because +(\d+) of 100 requests in 5m are too few for a verdict\n", out)
    assert said
    assert int(said[1]) < 100
    assert "query      `canary metrics --query error-rate` prints it\n" in out
    assert len(out.splitlines()) < 100
    assert re.search(r"counts     16 inconclusive of 16 measured \(4 planned\)", out)
    metrics = world.canary("metrics").out
    assert metrics.count('verdict="too few requests"') == 5
    assert "verdict=ok" not in metrics
