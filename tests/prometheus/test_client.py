"""Asking Prometheus: straight, through the API server, and what is said when it does not answer."""

import contextlib
import functools
import gzip
import json
import math
import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary import errors
from companyos_canary.model.http import Request, Response
from companyos_canary.prometheus.client import Prometheus, automatic
from companyos_canary.prometheus.transport import ProxyTransport, Service, service_of, without_password
from tests.cluster.test_credentials import socks
from tests.cluster.wire import Play, Server, Wire, answer, early, encrypted, serving

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
URL = "http://prometheus.monitoring:9090"


def vector(*values: str, **labels: str) -> dict[str, Any]:
    result = [{"metric": labels, "value": [AT.timestamp(), v]} for v in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


class Answering:
    """A Prometheus that always says the same."""

    address = URL

    def __init__(self, response: Response) -> None:
        self._response = response
        self.asked: list[Request] = []

    def send(self, request: Request) -> Response:
        self.asked.append(request)
        return self._response

    stream = send

    def close(self) -> None:
        """Nothing is open."""


def answering(body: Any, status: int = 200) -> Prometheus:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Prometheus(URL, Answering(Response(status, {}, content)))


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
    query = 'sum(rate(x{a="b+c"}[5m])) / 2'
    with serving(answer(200, vector())) as server:
        prometheus = Prometheus(f"{server.url}/prom/")
        assert prometheus.query(query, AT) == ()
        prometheus.close()
    (asked,) = server.requests
    method, _, target = asked.line.partition(" ")
    assert (method, urlsplit(target).path) == ("GET", "/prom/api/v1/query")
    assert dict(parse_qsl(urlsplit(target).query)) == {"query": query, "time": f"{AT.timestamp():.3f}"}
    assert asked.headers["user-agent"].startswith("canary/")
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"


def test_a_range_is_series() -> None:
    result = [{"metric": {"a": "b"}, "values": [[AT.timestamp(), "1"], [AT.timestamp() + 15, "2"]]}]
    body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
    transport = Answering(Response(200, {}, body))
    later = AT + timedelta(seconds=15)
    (series,) = Prometheus(URL, transport).query_range("up", AT, later, timedelta(seconds=15))
    assert series.points == ((AT, 1.0), (later, 2.0))
    assert transport.asked[0].parameter("step") == "15"


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


def broken(*script: Play, timeout: float = 60.0) -> str:
    """What is said of a server that plays this."""
    with serving(*script) as server:
        prometheus = Prometheus(server.url, timeout=timeout)
        problem = prometheus.ask("up").problem
        prometheus.close()
    told = problem.removeprefix("Prometheus at ")
    assert told.startswith(f"`{server.url}` ")
    return told.removeprefix(f"`{server.url}` ")


def raw(text: str) -> Play:
    """Writes that, and closes the connection."""

    def play(wire: Wire) -> None:
        wire.write(text.encode())
        wire.cut()

    return play


FAR = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
NO_HTTP = {
    "closed at once": "",
    "closed in its headers": "HTTP/1.1 200 OK\r\nContent-",
    "no HTTP": "SSH-2.0-OpenSSH\r\n",
    "no status": "HTTP/1.1 fine\r\n\r\n",
    "half of the answer": f"{FAR}1234",
    "a chunk of no length": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n",
    "no gzip": f"{FAR}".replace("Content-L", "Content-Encoding: gzip\r\nContent-L") + "123456789",
    "a header without end": f"HTTP/1.1 200 OK\r\nX: {'x' * 70_000}",
    "a thousand headers": "HTTP/1.1 200 OK\r\n" + "X: 1\r\n" * 1000,
}


@pytest.mark.parametrize("text", NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_answer_is_told_in_one_sentence(text: str) -> None:
    problem = broken(raw(text))
    assert problem.startswith(("gave no answer", "is not a Prometheus", "does not answer as"))
    assert "\n" not in problem


@given(st.binary(max_size=80))
@settings(max_examples=20, deadline=None)
def test_whatever_a_server_says_nothing_is_raised_but_our_own_errors(said: bytes) -> None:
    with serving(raw(said.decode("latin-1"))) as server:
        prometheus = Prometheus(server.url)
        assert prometheus.ask("up").problem
        prometheus.close()


def test_a_server_that_says_nothing_is_told() -> None:
    assert broken(Wire.hold, timeout=0.2) == "did not answer in time"
    assert broken(Wire.reset).startswith("gave no answer")


def test_an_answer_that_drips_is_left_after_the_timeout() -> None:
    def drip(wire: Wire) -> None:
        wire.head(200, Content_Length="300")
        for _ in range(300):
            wire.write(b" ")
            wire.stop.wait(0.01)

    assert broken(drip, timeout=0.1) == "did not answer in time"


def test_a_connection_is_kept_and_one_that_the_server_has_closed_is_opened_again() -> None:
    good = json.dumps(vector("1")).encode()

    def last(wire: Wire) -> None:
        answer(200, good)(wire)
        wire.cut()

    with serving(answer(200, good), last, answer(200, good)) as server:
        prometheus = Prometheus(server.url)
        assert [prometheus.ask("up").value for _ in range(3)] == [1.0] * 3
        prometheus.close()
    first, second, third = (wire.sock for wire in server.requests)
    assert first is second is not third


def test_an_answer_may_have_others_before_it() -> None:
    good = json.dumps(vector("1")).encode()
    with serving(early(answer(200, good)), early(answer(200, good))) as server:
        prometheus = Prometheus(server.url)
        assert [prometheus.ask("up").value for _ in range(2)] == [1.0, 1.0]
        prometheus.close()


def test_an_answer_that_was_compressed_unasked_is_read() -> None:
    packed = gzip.compress(json.dumps(vector("1")).encode())
    with serving(answer(200, packed, Content_Encoding="gzip")) as server:
        prometheus = Prometheus(server.url)
        assert prometheus.ask("up").value == 1.0
        prometheus.close()


def through_a_proxy(url: str, monkeypatch: pytest.MonkeyPatch, *script: Play, **environ: str) -> tuple[str, Server]:
    """What is said, and the proxy that was asked; `PROXY` in a variable is its address."""
    with serving(*script) as server:
        for name, value in environ.items():
            monkeypatch.setenv(name, value.replace("PROXY", f"127.0.0.1:{server.port}"))
        prometheus = Prometheus(url, timeout=5)
        problem = prometheus.ask("up").problem
        prometheus.close()
    return problem, server


def test_the_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = "http://prometheus.invalid:9090/p"
    ask = functools.partial(through_a_proxy, plain, monkeypatch)
    problem, server = ask(answer(200, vector("1")), http_proxy="http://me:secret@PROXY")
    assert problem == ""
    assert server.seen == ["GET http://prometheus.invalid:9090/p/api/v1/query?query=up"]
    assert server.requests[0].headers["host"] == "prometheus.invalid:9090"
    assert server.requests[0].headers["proxy-authorization"].startswith("Basic ")
    problem, server = ask(http_proxy="http://PROXY", no_proxy=".invalid")
    assert server.seen == []
    assert "cannot be reached: " in problem
    problem, server = through_a_proxy(
        "https://prometheus.invalid", monkeypatch, answer(403), https_proxy="http://PROXY", no_proxy=""
    )
    assert server.seen == ["CONNECT prometheus.invalid:443"]
    assert "cannot be reached through the proxy: Tunnel connection failed: 403" in problem
    problem, _ = ask(http_proxy="socks5://PROXY")
    assert "cannot be reached through the proxy: " in problem


def test_a_socks_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = b"\x05\x01\x00\x03\x12prometheus.invalid\x23\x82"
    told: list[bytes] = []
    thread, port = socks([(3, b"\x05\x00"), (len(wanted), b"\x05\x00\x00\x01" + bytes(6))], told)
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{port}")
    prometheus = Prometheus("http://prometheus.invalid:9090")
    assert prometheus.ask("up").problem.endswith("is not a Prometheus: {}")  # what is behind that proxy says `{}`
    thread.join(60)
    assert told[1] == wanted
    assert told[2].startswith(b"GET /api/v1/query?query=up HTTP/1.1\r\n")
    prometheus.close()


def test_this_machine_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving(answer(200, vector("1"))) as server:
        prometheus = Prometheus(server.url)
        assert prometheus.ask("up").value == 1.0
        prometheus.close()


def test_a_certificate_that_is_not_trusted_is_told() -> None:
    with encrypted() as server:
        prometheus = Prometheus(server.url)
        assert "cannot be reached: its certificate is not trusted: " in prometheus.ask("up").problem
        prometheus.close()


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
    with serving(answer(500)) as server:
        prometheus = Prometheus(f"http://me:se%40cret@127.0.0.1:{server.port}/p")
        reading = prometheus.ask("up")
        prometheus.close()
    assert server.requests[0].headers["authorization"] == f"Basic {b64encode(b'me:se@cret').decode()}"
    assert "cret" not in reading.problem
    assert prometheus.address == f"{server.url}/p"
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


def test_importing_the_client_does_not_load_what_only_a_question_needs() -> None:
    loaded = "'companyos_canary.network.connections' in sys.modules"
    code = f"import sys, companyos_canary.prometheus.client; sys.exit({loaded})"
    subprocess.run([sys.executable, "-c", code], check=True)
