"""Asking Prometheus: straight, through the API server, and what is said when it does not answer."""

import contextlib
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary import errors
from companyos_canary.model.http import Request, Response
from companyos_canary.prometheus.client import Prometheus, automatic
from companyos_canary.prometheus.transport import HttpTransport, ProxyTransport, Service, service_of, without_password

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
URL = "http://prometheus.monitoring:9090"


def vector(*values: str, **labels: str) -> dict[str, Any]:
    result = [{"metric": labels, "value": [AT.timestamp(), v]} for v in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def over(handle: Callable[[httpx.Request], httpx.Response], url: str = URL) -> Prometheus:
    return Prometheus(url, HttpTransport(url, inner=httpx.MockTransport(handle)))


def answering(body: Any, status: int = 200) -> Prometheus:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return over(lambda _: httpx.Response(status, content=content))


def test_a_vector_is_samples() -> None:
    (sample,) = answering(vector("0.05", canary="true")).query("up")
    assert (sample.labels, sample.at, sample.value) == ({"canary": "true"}, AT, 0.05)


def test_special_numbers_are_read() -> None:
    values = [s.value for s in answering(vector("NaN", "+Inf", "-Inf")).query("up")]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


def test_a_scalar_is_one_sample_without_labels() -> None:
    data = {"resultType": "scalar", "result": [AT.timestamp(), "7"]}
    (sample,) = answering({"status": "success", "data": data}).query("7")
    assert (sample.labels, sample.value) == ({}, 7.0)


def test_native_histograms_are_passed_over() -> None:
    data = {"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {}]}]}
    assert answering({"status": "success", "data": data}).query("h") == ()


def test_a_range_vector_is_no_value() -> None:
    data = {"resultType": "matrix", "result": []}
    with pytest.raises(errors.Invalid, match="no value at one moment"):
        answering({"status": "success", "data": data}).query("up[5m]")


def test_the_question_goes_out_as_it_is() -> None:
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=vector())

    query = 'sum(rate(x{a="b+c"}[5m])) / 2'
    assert over(handle, "http://h/prom/").query(query, AT) == ()
    assert asked[0].url.path == "/prom/api/v1/query"
    assert dict(asked[0].url.params) == {"query": query, "time": f"{AT.timestamp():.3f}"}
    assert asked[0].headers["user-agent"].startswith("canary/")


def test_a_range_is_series() -> None:
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        result = [{"metric": {"a": "b"}, "values": [[AT.timestamp(), "1"], [AT.timestamp() + 15, "2"]]}]
        return httpx.Response(200, json={"status": "success", "data": {"resultType": "matrix", "result": result}})

    later = AT + timedelta(seconds=15)
    (series,) = over(handle).query_range("up", AT, later, timedelta(seconds=15))
    assert series.points == ((AT, 1.0), (later, 2.0))
    assert asked[0].url.params["step"] == "15"


def test_targets_are_listed() -> None:
    data = {"activeTargets": [{"health": "up"}]}
    assert answering({"status": "success", "data": data}).targets() == ({"health": "up"},)


@pytest.mark.parametrize(
    ("status", "body", "family", "words"),
    [
        (400, {"status": "error", "error": "parse error: x"}, errors.Invalid, "parse error: x"),
        (422, {"status": "error", "error": "too many samples"}, errors.Invalid, "too many samples"),
        (401, b"", errors.Unauthenticated, "does not accept the credentials"),
        (403, b"", errors.Forbidden, "not permitted"),
        (404, b"404 page not found", errors.NotFound, "404 page not found"),
        (503, b"starting up", errors.ServerError, "answered 503: starting up"),
        (302, b"", errors.ServerError, "answered 302"),
        (200, b"<html>login</html>", errors.ServerError, "is not a Prometheus"),
        (200, b"[1]", errors.ServerError, "is not a Prometheus"),
        (200, {"status": "error", "error": "odd"}, errors.ServerError, "odd"),
    ],
)
def test_every_failing_answer_has_its_family_and_words(
    status: int, body: Any, family: type[errors.CanaryError], words: str
) -> None:
    prometheus = answering(body, status)
    with pytest.raises(family) as failure:
        prometheus.query("up")
    assert words in failure.value.message
    assert "prometheus.monitoring:9090" in failure.value.message
    reading = prometheus.ask("up")
    assert (reading.samples, reading.problem) == ((), failure.value.message)
    assert reading.value is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metric", "value", "values", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["vector", "scalar", "matrix", "string", "x"]))
def test_no_answer_however_odd_makes_ask_raise(result: Any, kind: str) -> None:
    prometheus = answering({"status": "success", "data": {"resultType": kind, "result": result}})
    reading = prometheus.ask("up")
    assert not (reading.problem and reading.samples)
    with contextlib.suppress(errors.CanaryError):
        prometheus.query_range("up", AT, AT, timedelta(seconds=15))


def test_a_reading_has_a_value_only_where_there_is_exactly_one() -> None:
    assert answering(vector("0.5")).ask("up").value == 0.5
    assert answering(vector()).ask("up").value is None
    assert answering(vector("1", "2")).ask("up").value is None
    assert answering(vector("NaN")).ask("up").value is None


def family_of(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for below in kind.__subclasses__():
        yield from family_of(below)


def every_httpx_error() -> list[type[Exception]]:
    """All exceptions that httpx defines, found by looking."""
    found = {e for e in vars(httpx).values() if isinstance(e, type) and issubclass(e, Exception)}
    return sorted({s for e in found for s in family_of(e) if s.__module__ == "httpx"}, key=str)


def made(kind: type[Exception]) -> Exception:
    request = httpx.Request("GET", URL)
    if issubclass(kind, httpx.HTTPStatusError):
        return kind("m", request=request, response=httpx.Response(500))
    if issubclass(kind, httpx.RequestError):
        return kind("m", request=request)
    return kind() if issubclass(kind, httpx.StreamError) and kind is not httpx.StreamError else kind("m")


@pytest.mark.parametrize("kind", every_httpx_error(), ids=lambda k: k.__name__)
def test_no_error_of_httpx_gets_out(kind: type[Exception]) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise made(kind)

    with pytest.raises(errors.Unreachable) as failure:
        over(handle).query("up")
    assert failure.value.message.startswith(f"Prometheus at `{URL}` ")
    assert over(handle).ask("up").problem == failure.value.message


def test_the_tree_of_httpx_is_really_walked() -> None:
    assert {httpx.ConnectError, httpx.PoolTimeout, httpx.InvalidURL} <= set(every_httpx_error())
    assert len(every_httpx_error()) > 20


def test_a_refused_connection_and_an_unknown_host_are_told() -> None:
    refused = Prometheus("http://127.0.0.1:1")
    with pytest.raises(errors.Unreachable, match="cannot be reached: Connection refused"):
        refused.query("up")
    refused.close()
    unknown = Prometheus("http://no.such.host.invalid")
    with pytest.raises(errors.Unreachable, match="cannot be reached"):
        unknown.query("up")
    unknown.close()


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://x", "http://x:port"])
def test_an_address_that_cannot_be_used_is_told(url: str) -> None:
    prometheus = Prometheus(url)
    with pytest.raises(errors.Unreachable, match="is not an address that can be used"):
        prometheus.query("up")
    prometheus.close()


def test_a_password_in_the_address_is_sent_but_never_shown() -> None:
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500)

    prometheus = over(handle, "https://me:secret@host/p")
    reading = prometheus.ask("up")
    assert asked[0].headers["authorization"].startswith("Basic ")
    assert "secret" not in reading.problem
    assert prometheus.address == "https://host/p"
    assert without_password("no url") == "no url"


class ClusterApi:
    """The API server's side of the proxy."""

    def __init__(self, *answers: Response | errors.CanaryError) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []

    def send(self, request: Request) -> Response:
        self.asked.append(request)
        given = self.answers.pop(0)
        if isinstance(given, errors.CanaryError):
            raise given
        return given

    stream = send

    def close(self) -> None:
        raise AssertionError("the cluster's transport is not ours to close")


def good() -> Response:
    return Response(200, {}, json.dumps(vector("1")).encode())


def through(cluster: ClusterApi, namespace: str, service: str, port: int) -> Prometheus:
    return Prometheus("", ProxyTransport(cluster, Service(namespace, service, port)))


def test_the_api_server_passes_questions_on() -> None:
    cluster = ClusterApi(good())
    prometheus = through(cluster, "monitoring", "prometheus", 9090)
    assert prometheus.ask("up").value == 1.0
    assert cluster.asked[0].path == ("/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query")
    assert cluster.asked[0].query == (("query", "up"),)
    assert prometheus.address == "service monitoring/prometheus:9090"
    prometheus.close()


def test_a_refusal_of_the_api_server_is_told() -> None:
    status = {"kind": "Status", "message": 'services "prometheus:9090" is forbidden'}
    prometheus = through(ClusterApi(Response(403, {}, json.dumps(status).encode())), "m", "p", 1)
    assert "is forbidden" in prometheus.ask("up").problem


def test_auto_goes_through_the_api_server_when_the_direct_way_is_closed_and_stays_there() -> None:
    cluster = ClusterApi(good(), good())
    prometheus = automatic("http://127-0-0-1.invalid:9090/prom", cluster, "shop")
    assert prometheus.ask("up").value == 1.0
    assert prometheus.ask("up").value == 1.0
    assert len(cluster.asked) == 2
    assert cluster.asked[0].path == ("/api/v1/namespaces/invalid/services/127-0-0-1:9090/proxy/prom/api/v1/query")
    prometheus.close()


def test_auto_tells_both_failures() -> None:
    for second in (errors.Unreachable("no route to the cluster"), Response(503)):
        prometheus = automatic("http://prom.invalid:9090", ClusterApi(second), "shop")
        problem = prometheus.ask("up").problem
        assert problem.startswith("Prometheus at `http://prom.invalid:9090` cannot be reached")
        assert "; through the API server: " in problem
        prometheus.close()


def test_auto_asks_the_cluster_for_no_host_of_the_internet() -> None:
    cluster = ClusterApi()
    prometheus = automatic("http://prom.example.com.invalid", cluster, "shop")
    assert prometheus.ask("up").problem
    assert cluster.asked == []
    prometheus.close()


@pytest.mark.parametrize(
    ("url", "service"),
    [
        (URL, Service("monitoring", "prometheus", 9090)),
        ("http://prometheus", Service("shop", "prometheus", 80)),
        ("https://p.m.svc/x/", Service("m", "p", 443, "/x", secure=True)),
        ("http://p.m.svc.cluster.local:1", Service("m", "p", 1)),
        ("http://p.example.com", None),
        ("http://10.0.0.1:9090", None),
        ("http://x:port", None),
        ("nonsense", None),
    ],
)
def test_addresses_of_services_are_known(url: str, service: Service | None) -> None:
    assert service_of(url, "shop") == service


def test_importing_the_client_does_not_load_httpx() -> None:
    code = "import sys, companyos_canary.prometheus.client; sys.exit('httpx' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
