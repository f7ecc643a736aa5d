"""`canary metrics`, from argv to exit, in the sandbox."""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from companyos_canary.errors import ExitCode, Unreachable
from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import ANALYSISRUN, ROLLOUT
from tests.commands.conftest import interrupt
from tests.world import CONFIG, Ran, World

NAMES = ["error-rate", "latency-p95", "latency-ratio", "error-ratio", "opa-success"]
NO_CANARY = "no update is in progress, so there are no canary pods to measure\n"


def away(_: Request) -> Response:
    raise Unreachable("Prometheus at `p` cannot be reached", hint="look there")


def seen(ran: Ran) -> str:
    """What a terminal shows."""
    return re.sub(r"\x1b\[[\d;?]*\w", "", ran.out)


@pytest.fixture
def measured(running: World) -> World:
    """The first analysis of v1.1.0 has measured."""
    running.advance(3)
    return running


def test_a_terminal_gets_the_table_and_who_was_asked(measured: World) -> None:
    ran = measured.canary("metrics", terminal=True)
    head, asked, traffic, _, columns, *rows = seen(ran).splitlines()
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert re.fullmatch(r"companyos-api · companyos @ sandbox · v1.1.0 · [\d:]{8}", head)
    assert asked == "asked http://prometheus directly"
    assert re.match(r"traffic  asked 10 %   pods 10 % \(1 of 10\)   measured \d+\.\d %", traffic)
    assert columns.split() == ["METRIC", "NOW", "STABLE", "LIMIT", "VERDICT", "NOW", "REQUESTS", "MEASURED"]
    assert [row.split()[1] for row in rows] == NAMES
    assert re.match(r"  ✔ latency-p95 +\d+ ms +\d+ ms  < 300 ms  ok +\d+  \d+ ms", rows[1])
    assert all(len(line) <= 80 for line in seen(ran).splitlines())


def test_a_pipe_gets_the_traffic_and_a_line_a_metric(measured: World) -> None:
    ran = measured.canary("metrics")
    traffic, *lines = ran.out.splitlines()
    assert re.fullmatch(r"traffic at=\S+Z asked=10 pods=10 measured=[\d.]+ prometheus=http://prometheus", traffic)
    assert [re.match(r"metric=(\S+) at=\S+ verdict=ok ", x)[1] for x in lines] == NAMES  # type: ignore[index]
    assert re.search(r"canary=\S+ stable=\S+ limit=0.3 requests=\d+ needed=10 analysis=", lines[1])


def test_json_keeps_live_and_measured_apart(measured: World) -> None:
    data = measured.canary("metrics", "-o", "json").json["data"]
    assert data["prometheus"] == {"address": "http://prometheus", "through_api_server": False, "problem": ""}
    first = data["metrics"][0]
    assert first["canary"] == pytest.approx(0.01, abs=0.02)
    assert first["analysis"]["run"].startswith("companyos-api-")
    assert data["traffic"]["measured"] == pytest.approx(10, abs=5)


def test_at_rest_there_is_no_data_of_a_canary_and_that_is_said(world: World) -> None:
    ran = world.canary("metrics")
    assert (ran.code, ran.err) == (ExitCode.OK, NO_CANARY)
    assert ran.out.count('verdict="no data" stable=') == 3
    assert "metric=error-ratio" in ran.out


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_too_few_requests_are_counted_and_named(world_of: Callable[[str], World]) -> None:
    world = world_of(CONFIG.replace("min_requests: 10", "min_requests: 5000"))
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(5)
    assert re.search(r"- +- +< 1.5 x  too few requests  \d+ of 5,000\n", seen(world.canary("metrics", terminal=True)))
    assert 'verdict="too few requests"' in world.canary("metrics").out


def test_without_canary_yaml_the_runs_say_what_to_ask(measured: World) -> None:
    (measured.folder / "canary.yaml").unlink()
    ran = measured.canary("metrics", "companyos-api", "-n", "companyos")
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert ran.out.count(" verdict=ok") == 5


def test_a_rollout_without_metrics_is_a_note(world: World) -> None:
    (world.folder / "canary.yaml").unlink()
    for arguments in ((), ("--since", "1h")):
        ran = world.canary("metrics", "companyos-api", "-n", "companyos", *arguments)
        assert (ran.code, ran.out) == (ExitCode.OK, "")
        assert ran.err.startswith("companyos-api: it has no metrics: no AnalysisRun, ")


@pytest.mark.parametrize("more", [(), ("--since", "1h"), ("--query", "error-rate"), ("-o", "json")])
def test_where_runs_may_not_be_listed_it_is_not_known_what_to_ask(measured: World, more: tuple[str, ...]) -> None:
    (measured.folder / "canary.yaml").unlink()
    measured.faults.add(Fault(Answer(403), verb="list", path="/analysisruns$"))
    ran = measured.canary("metrics", "companyos-api", "-n", "companyos", *more)
    assert ran.code == ExitCode.DENIED
    assert "not permitted to `list` `analysisruns.argoproj.io`" in ran.out + ran.err
    assert "no AnalysisRun" not in ran.out + ran.err


def test_metrics_of_another_provider_are_shown_and_not_denied(measured: World) -> None:
    """A Job asks no Prometheus; its run is there all the same."""
    (measured.folder / "canary.yaml").unlink()
    for run in measured.store.items(ANALYSISRUN, "companyos"):
        job = {"name": "smoke", "provider": {"job": {"spec": {}}}}
        result = {"name": "smoke", "phase": "Running", "count": 0}
        spec, status = {**run["spec"], "metrics": [job]}, {**run["status"], "metricResults": [result]}
        measured.store.update(ANALYSISRUN, {**run, "spec": spec, "status": status})
    ran = measured.canary("metrics", "companyos-api", "-n", "companyos")
    assert (ran.code, "metric=smoke" in ran.out) == (ExitCode.OK, True), ran
    assert "no AnalysisRun" not in ran.err
    assert "none of its metrics asks Prometheus" in ran.err
    assert (
        "no AnalysisRun" not in measured.canary("metrics", "companyos-api", "-n", "companyos", "--query", "smoke").err
    )


def test_an_away_prometheus_is_an_error_beside_what_was_measured(measured: World) -> None:
    measured.prometheus = away
    ran = measured.canary("metrics", terminal=True)
    assert ran.code == ExitCode.FAILED
    assert ran.err == "error: Prometheus at `p` cannot be reached\nhint: look there\n"
    assert "Prometheus gave no answer: the values are those of the analysis\n" in seen(ran)
    assert re.search(r"METRIC +LIMIT  VERDICT NOW +MEASURED\n  · error-rate +< 5 %  not asked", seen(ran))
    machine = measured.canary("metrics", "-o", "json").json
    assert (machine["exit_code"], machine["errors"][0]["code"]) == (1, "unreachable")
    assert machine["data"]["metrics"][0]["analysis"]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, ExitCode.DENIED), (403, ExitCode.DENIED), (404, ExitCode.NOT_FOUND), (503, ExitCode.FAILED)],
)
def test_its_refusal_has_its_own_exit_code(world: World, status: int, code: ExitCode) -> None:
    world.prometheus = lambda _: Response(status, {}, b"no")
    for arguments in ((), ("--since", "1m")):
        ran = world.canary("metrics", *arguments)
        assert (ran.code, ran.out) == (code, "")
        assert ran.err.startswith("error: ")


def test_a_broken_query_is_said_and_the_others_are_shown(world_of: Callable[[str], World]) -> None:
    own = "metrics:\n  mine: {query: 'up + on() up', below: 1}\n"
    world = world_of(CONFIG + own)
    ran = world.canary("metrics", terminal=True)
    assert ran.code == ExitCode.OK
    assert re.search(r"✖ mine +- +- +< 1  error\n", seen(ran))
    assert "    mine: Prometheus at `http://prometheus` does not accept the query: " in seen(ran)
    assert re.search(r"error-rate +- +\d\.\d %", seen(ran))
    assert 'metric=mine problem="Prometheus at' in world.canary("metrics", "--since", "2s").out


def test_since_draws_a_chart_a_metric(measured: World) -> None:
    ran = measured.canary("metrics", "--since", "10s", terminal=True)
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    lines = seen(ran).splitlines()
    titles = [line for line in lines if "   limit " in line]
    assert [t.split()[0] for t in titles] == NAMES
    assert re.fullmatch(r"error-rate  now \d.\d %   worst \d.\d %   limit < 5 %", titles[0])
    assert len(lines) == 5 * (1 + 6 + 1) + 4
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_since_gives_a_pipe_a_line_a_point(measured: World) -> None:
    lines = measured.canary("metrics", "--since", "30s").out.splitlines()
    assert len(lines) == 5 * 31
    assert lines[0] == "metric=error-rate at=2026-03-02T11:59:45Z value=no-data"
    assert re.fullmatch(r"metric=error-rate at=2026-03-02T12:00:15Z value=[\d.]+", lines[30])


def test_since_has_at_most_as_many_points_as_the_terminal_is_wide(measured: World) -> None:
    asked: list[Request] = []
    real = measured.prometheus
    measured.prometheus = lambda r: (asked.append(r), real(r))[1]
    measured.canary("metrics", "--since", "720h", terminal=True)
    for request in asked:
        found = {k: float(v[0]) for k, v in parse_qs(request.target.partition("?")[2]).items() if k != "query"}
        assert (found["end"] - found["start"]) / found["step"] + 1 <= 70
    asked.clear()
    data = measured.canary("metrics", "--since", "5s", "-o", "json").json["data"]
    assert len(data["metrics"]) == len(asked) == 5
    assert set(data["metrics"][0]["points"][0]) == {"at", "value"}


def test_watching_goes_on_until_ctrl_c(measured: World) -> None:
    begun = measured.now
    interrupt(measured, after=2)
    ran = measured.canary("metrics", "-w", "--every", "2s")
    assert (ran.code, (measured.now - begun).total_seconds()) == (ExitCode.INTERRUPTED, 6)
    assert "interrupted: stopped watching; the rollout continues" in ran.err
    assert ran.out.count("traffic at=") == 3
    assert ran.out.count("metric=error-rate") == 3


def test_watching_draws_in_place_and_leaves_the_last_frame(measured: World) -> None:
    interrupt(measured, after=1)
    ran = measured.canary("metrics", "-w", terminal=True)
    assert ran.code == ExitCode.INTERRUPTED
    assert "\x1b[?25l" in ran.out
    assert ran.out.endswith("\x1b[?25h"), "the cursor is back"
    assert seen(ran).count("METRIC") >= 2


def test_watching_as_json_is_an_object_a_line_also_without_prometheus(measured: World) -> None:
    interrupt(measured, after=1)
    measured.prometheus = lambda _: Response(503, {}, b"gone")
    lines = measured.canary("metrics", "-w", "-o", "json").out.splitlines()
    first, second, end = map(json.loads, lines)
    assert [x["event"] for x in (first, second, end)] == ["metrics", "metrics", "error"]
    said = "Prometheus at `http://prometheus` answered 503: gone"
    assert first["data"]["prometheus"]["problem"] == said
    assert (end["data"]["exit_code"], end["seq"]) == (130, 3)


def test_watching_ends_with_the_rollout(measured: World) -> None:
    def remove() -> None:
        measured.on_wait.clear()
        measured.store.delete(ROLLOUT, "companyos", "companyos-api")

    measured.on_wait.append(remove)
    assert measured.canary("metrics", "-w").code == ExitCode.NOT_FOUND


def test_query_prints_what_can_be_pasted_and_a_link(measured: World) -> None:
    measured.prometheus = away
    ran = measured.canary("metrics", "--query", "error-rate", terminal=True)
    assert ran.code == ExitCode.OK
    assert ran.err == (
        "an address that only the cluster knows: kubectl -n monitoring port-forward svc/prometheus 9090\n"
    )
    first, canary, stable, link = re.split(r"(?m)^# ", ran.out)
    assert first == ""
    assert canary.startswith("error-rate, canary\n(\n  (sum(rate(companyos_http_requests_total{")
    assert 'canary!="true"' in stable
    parts = urlsplit(link.strip())
    assert (parts.scheme, parts.netloc, parts.path) == ("http", "prometheus.monitoring:9090", "/graph")
    page = {k: v[0] for k, v in parse_qs(parts.query).items()}
    assert page["g0.expr"] == canary.partition("\n")[2].rstrip()
    assert page["g1.expr"] == stable.partition("\n")[2].rstrip()
    assert (page["g0.tab"], page["g0.range_input"]) == ("0", "1h")


def test_the_link_is_of_cli_url_and_shows_no_password(world_of: Callable[[str], World]) -> None:
    world = world_of(CONFIG + "prometheus: {cli_url: 'https://u:secret@prom.example.com/p/'}\n")
    ran = world.canary("metrics", "--query", "latency-ratio")
    assert ran.err == ""
    assert "\n# https://prom.example.com/p/graph?g0.expr=" in ran.out
    assert "g1.expr" not in ran.out, "it compares by itself"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--query", "error-rat"), ExitCode.NOT_FOUND, "did you mean `error-rate`?"),
        (("--query", "zzz"), ExitCode.NOT_FOUND, "known: error-rate, latency-p95, "),
        (("--since", "soon"), ExitCode.USAGE, "--since `soon` is not a duration of 1s or more"),
        (("-w", "--every", "0s"), ExitCode.USAGE, "--every `0s` is not a duration"),
        (("-w", "--since", "1h"), ExitCode.USAGE, "--watch, --since and --query exclude each other"),
        (("companyos-ap",), ExitCode.NOT_FOUND, "did you mean `companyos-api`?"),
        (("-o", "yaml"), ExitCode.USAGE, "--output `yaml` is not a format here"),
    ],
)
def test_bad_input_is_a_sentence(world: World, arguments: tuple[str, ...], code: ExitCode, said: str) -> None:
    ran = world.canary("metrics", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err


def test_the_shares_of_the_traffic_are_percent_in_json_too(measured: World) -> None:
    traffic = measured.canary("metrics", "-o", "json").json["data"]["traffic"]
    assert (traffic["asked"], traffic["pods"]) == (10, 10)
    assert 5 < traffic["measured"] < 20
