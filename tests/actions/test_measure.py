"""What is measured now, against the sandbox's Prometheus while a canary runs."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from companyos_canary.actions.measure import ask, measure
from companyos_canary.cluster.client import Cluster
from companyos_canary.config import Flags, resolve
from companyos_canary.errors import Forbidden
from companyos_canary.model.http import Request, Response
from companyos_canary.prometheus.client import Prometheus
from companyos_canary.render.questions import Question, Questions, questions
from companyos_canary.runtime import Runtime
from tests.commands.conftest import deployed, installed, is_judged
from tests.world import CONFIG, START, HandleTransport, MetricsTransport, World

ALL = ["error-rate", "latency-p95", "latency-ratio", "error-ratio", "opa-success"]


@pytest.fixture(scope="module")
def analysing(tmp_path_factory: pytest.TempPathFactory) -> World:
    """v1.1.0 is at 10 %: 1 % of errors and a p95 of 180 ms, as stable. Only read."""
    world = deployed(installed(tmp_path_factory.mktemp("measure"), CONFIG), 3, is_judged)
    world.advance(3)
    return world


def asked(world: World) -> Questions:
    cluster = Cluster(HandleTransport(world), "companyos")
    return questions(cluster.snapshot("companyos-api"), None)


class Answering:
    """A transport that keeps what was asked."""

    address = "http://p"

    def __init__(self, answer: Callable[[str], Response]) -> None:
        self.queries: list[str] = []
        self._answer = answer

    def send(self, request: Request) -> Response:
        query = parse_qs(request.target.partition("?")[2])["query"][0]
        self.queries.append(query)
        return self._answer(query)

    def stream(self, request: Request) -> Response:
        return self.send(request)

    def close(self) -> None:
        """Nothing is open."""


def vector(*values: str) -> Response:
    found = [{"metric": {}, "value": [0, v]} for v in values]
    body = {"status": "success", "data": {"resultType": "vector", "result": found}}
    return Response(200, {}, json.dumps(body).encode())


def test_values_are_near_what_the_sandbox_does(analysing: World) -> None:
    live = measure(Prometheus("", MetricsTransport(analysing)), asked(analysing), analysing.now)
    assert (live.problem, live.address, live.at) == ("", "http://prometheus", analysing.now)
    assert [m.name for m in live.metrics] == ALL
    found = {m.name: m for m in live.metrics}
    assert found["error-rate"].canary == pytest.approx(0.01, abs=0.02)
    assert found["error-rate"].stable == pytest.approx(0.01, abs=0.01)
    assert found["latency-p95"].canary == pytest.approx(0.18, abs=0.02)
    assert found["latency-p95"].stable == pytest.approx(0.18, abs=0.01)
    assert found["latency-ratio"].canary == pytest.approx(1, abs=0.1)
    assert [found[n].compares for n in ALL] == [False, False, True, True, False]
    assert all(found[n].stable is None for n in ALL if found[n].compares)
    assert live.share == pytest.approx(0.1, abs=0.03)
    per_second = analysing.scenario.traffic / 10  # one pod of ten
    assert all(m.requests == pytest.approx(5 * per_second, rel=0.3) for m in live.metrics)
    assert all((m.needed, m.missing, m.problem) == (10, "", "") for m in live.metrics)


def test_too_few_requests_are_no_missing_series(tmp_path: Path) -> None:
    config = CONFIG.replace("min_requests: 10", "min_requests: 100000")
    world = deployed(installed(tmp_path, config), 3, is_judged)
    live = measure(Prometheus("", MetricsTransport(world)), asked(world), world.now)
    assert {(m.canary, m.missing, m.needed) for m in live.metrics} == {(None, "too few requests", 100000)}
    assert all(m.requests for m in live.metrics)


@pytest.mark.parametrize(
    ("answer", "value", "missing"),
    [
        (vector("0.5"), 0.5, ""),
        (vector("+Inf"), float("inf"), ""),
        (vector(), None, "no data"),
        (vector("NaN"), None, "NaN"),
        (vector("1", "2"), None, "several series"),
    ],
)
def test_no_number_has_a_word(answer: Response, value: float | None, missing: str) -> None:
    prometheus = Prometheus("", Answering(lambda _: answer))
    found = measure(prometheus, Questions(metrics=(Question("m", "q"),)), START).metrics[0]
    assert (found.canary, found.missing) == (value, missing)


def test_a_wrong_query_is_the_problem_of_its_metric_alone() -> None:
    wrong = Response(400, {}, b'{"status":"error","error":"parse error: bad"}')
    prometheus = Prometheus("", Answering(lambda q: wrong if "bad" in q else vector("1")))
    metrics = (Question("broken", "bad", stable="s"), Question("fine", "good", stable="bad"))
    broken, fine = measure(prometheus, Questions(metrics=metrics, share="bad"), START).metrics
    said = "Prometheus at `http://p` does not accept the query: parse error: bad"
    assert (broken.problem, broken.canary, broken.stable) == (said, None, None)
    assert (fine.problem, fine.canary, fine.stable) == ("", 1.0, None)


def test_what_cannot_be_asked_is_not_asked() -> None:
    transport = Answering(lambda _: vector("1"))
    own = Question("m", "q", stable="s", count="c", problem="it is asked with a Secret")
    live = measure(Prometheus("", transport), Questions(metrics=(own,)), START)
    assert (live.metrics[0].problem, transport.queries) == ("it is asked with a Secret", [])


def test_nothing_is_asked_twice(analysing: World) -> None:
    transport = Answering(lambda _: vector("1"))
    measure(Prometheus("", transport), asked(analysing), START)
    assert len(transport.queries) == len(set(transport.queries)) == 5 + 3 + 3 + 2


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_who_does_not_answer_is_asked_once(analysing: World, status: int) -> None:
    transport = Answering(lambda _: Response(status, {}, b"go away"))
    live = measure(Prometheus("", transport), asked(analysing), START)
    assert live.problem.endswith(": go away")
    assert (live.metrics, live.share, live.address) == ((), None, "http://p")
    assert len(transport.queries) == 1


def test_an_away_prometheus_is_a_sentence_and_for_those_who_want_it_an_error() -> None:
    wanted = Questions(metrics=(Question("m", "q"),))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        live = measure(Prometheus(address), wanted, START)
    assert live.problem.startswith(f"Prometheus at `{address}` cannot be reached")
    refusing = Prometheus("", Answering(lambda _: Response(403)))
    with pytest.raises(Forbidden):
        ask(refusing, wanted, START)


def test_cli_url_wins_and_without_it_the_controllers_address_is_asked(tmp_path: Path) -> None:
    world = World(tmp_path, CONFIG + "prometheus: {cli_url: http://mine}\n")
    cluster = Cluster(HandleTransport(world), "companyos")
    settings = resolve(Flags(), {}, tmp_path).settings
    made = Runtime.real().prometheus
    assert made(cluster, settings, "http://prometheus.monitoring:9090").address == "http://mine"
    assert made(cluster, None, "http://u:p@prometheus:9090").address == "http://prometheus:9090"
