"""The sandbox's Prometheus API: its JSON and its errors, some of them next to the real server's."""

import json
import math
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.prometheus import PrometheusApi, go_float
from companyos_canary.sandbox.tsdb import Target, Tsdb
from tests.promql.server import needs_prometheus, running

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT = NOW.timestamp()
TARGET = Target(
    labels={"job": "self", "instance": "10.0.0.1:9000"},
    url="http://10.0.0.1:9000/metrics",
    pool="self",
    last_scrape=NOW,
    interval=0.5,
)


def api() -> PrometheusApi:
    tsdb = Tsdb()
    for i in range(10):
        tsdb.append({"__name__": "up", "job": "self", "instance": "a"}, AT - 9 + i, 1.0)
        tsdb.append({"__name__": "hits", "job": "self", "code": "200"}, AT - 9 + i, i * 2.0)
        tsdb.append({"__name__": "hits", "job": "self", "code": "500"}, AT - 9 + i, math.nan)
    return PrometheusApi(tsdb, lambda: NOW, lambda: [TARGET])


def get(path: str, *query: tuple[str, str], method: str = "GET") -> Response:
    return api().handle(Request(method, path, query))


def data(path: str, *query: tuple[str, str]) -> Any:
    answer = get(path, *query)
    assert answer.status == 200, answer.body
    assert answer.header("Content-Type") == "application/json"
    assert answer.json()["status"] == "success"
    return answer.json()["data"]


def refused(path: str, *query: tuple[str, str]) -> tuple[int, str, str]:
    answer = get(path, *query)
    body = answer.json()
    assert body["status"] == "error"
    assert answer.header("Content-Type") == "application/json"
    return answer.status, body["errorType"], body["error"]


def query(text: str) -> tuple[str, str]:
    return ("query", text)


def test_an_instant_query_answers_at_the_clusters_time() -> None:
    assert data("/api/v1/query", query('hits{code="200"}')) == {
        "resultType": "vector",
        "result": [{"metric": {"__name__": "hits", "code": "200", "job": "self"}, "value": [1767225600, "18"]}],
    }


def test_an_instant_query_may_name_its_time() -> None:
    for moment in (str(AT - 1.5), "2025-12-31T23:59:58.5Z"):
        found = data("/api/v1/query", query("sum(up)"), ("time", moment))
        assert found["result"] == [{"metric": {}, "value": [1767225598.5, "1"]}]


def test_nan_and_infinity_are_words() -> None:
    (found,) = data("/api/v1/query", query('hits{code="500"}'))["result"]
    assert found["value"][1] == "NaN"
    assert data("/api/v1/query", query("-1/0"))["result"][1] == "-Inf"
    assert data("/api/v1/query", query("vector(1/0)"))["result"][0]["value"][1] == "+Inf"


def test_scalars_strings_and_ranges_have_their_own_result_types() -> None:
    assert data("/api/v1/query", query("1+1")) == {"resultType": "scalar", "result": [1767225600, "2"]}
    assert data("/api/v1/query", query('"x"')) == {"resultType": "string", "result": [1767225600, "x"]}
    found = data("/api/v1/query", query("up[2s]"))
    assert found["resultType"] == "matrix"
    assert found["result"][0]["values"] == [[1767225598, "1"], [1767225599, "1"], [1767225600, "1"]]


def test_a_posted_form_is_as_good_as_an_address_and_comes_first() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"query": "1"}).encode()
    answer = api().handle(Request("POST", "/api/v1/query", (query("2"),), form, body))
    assert answer.json()["data"]["result"][1] == "1"
    other = {"Content-Type": "application/json"}
    answer = api().handle(Request("POST", "/api/v1/query", (query("2"),), other, b"{}"))
    assert answer.json()["data"]["result"][1] == "2"


def test_a_range_query_gives_a_value_for_each_step() -> None:
    found = data(
        "/api/v1/query_range",
        query('rate(hits{code="200"}[4s])'),
        ("start", str(AT - 4)),
        ("end", str(AT)),
        ("step", "2s"),
    )
    assert found == {
        "resultType": "matrix",
        "result": [
            {
                "metric": {"code": "200", "job": "self"},
                "values": [[1767225596, "2"], [1767225598, "2"], [1767225600, "2"]],
            }
        ],
    }


def test_labels_values_and_series_are_listed_in_order() -> None:
    assert data("/api/v1/labels") == ["__name__", "code", "instance", "job"]
    assert data("/api/v1/labels", ("match[]", "up")) == ["__name__", "instance", "job"]
    assert data("/api/v1/label/code/values") == ["200", "500"]
    assert data("/api/v1/label/__name__/values") == ["hits", "up"]
    assert data("/api/v1/label/nothing/values") == []
    assert data("/api/v1/series", ("match[]", 'hits{code=~"5.."}'), ("match[]", "up")) == [
        {"__name__": "hits", "code": "500", "job": "self"},
        {"__name__": "up", "instance": "a", "job": "self"},
    ]
    assert data("/api/v1/series", ("match[]", "up"), ("start", str(AT + 1))) == []


def test_targets_are_what_is_scraped() -> None:
    (target,) = data("/api/v1/targets")["activeTargets"]
    assert target["labels"] == {"instance": "10.0.0.1:9000", "job": "self"}
    assert target["health"] == "up"
    assert target["scrapeInterval"] == "500ms"
    assert target["lastScrape"] == "2026-01-01T00:00:00Z"
    assert data("/api/v1/targets", ("state", "dropped"))["activeTargets"] == []


def test_it_is_ready_and_healthy_and_says_which_version_it_is_like() -> None:
    assert get("/-/ready").body == b"Prometheus Server is Ready.\n"
    assert get("/-/healthy").body == b"Prometheus Server is Healthy.\n"
    assert data("/api/v1/status/buildinfo")["version"].startswith("2.42")


def test_an_evaluation_that_cannot_be_done_is_422() -> None:
    status, kind, message = refused("/api/v1/query", query("up + on() group_left() hits"))
    assert (status, kind) == (422, "execution")
    assert message.startswith("found duplicate series for the match group {} on the right")


def test_what_is_not_supported_is_named() -> None:
    for text, name in [
        ("limitk(1, up)", "limitk"),
        ("histogram_count(up)", "histogram_count"),
        ("up @ -5", "@"),
        ('{a="b" or c="d"}', "or"),
    ]:
        status, kind, message = refused("/api/v1/query", query(text))
        assert (status, kind) == (400, "bad_data")
        assert name in message


def test_methods_and_paths_that_are_not_served() -> None:
    answer = get("/api/v1/query", method="PUT")
    assert (answer.status, answer.header("Allow")) == (405, "GET, OPTIONS, POST")
    assert get("/api/v1/targets", method="POST").status == 405
    assert get("/-/ready", method="POST").status == 405
    for path in ("/api/v1/nosuch", "/", "/api/v1/query/"):
        assert get(path).status == 404


TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="up(){}[]\"'`=~!<>+-*/^%,.0123456789smhydwe \n\\or", max_size=60),
    st.sampled_from(["(" * 5000, "-" * 5000 + "1", "1" + "+1" * 5000, "a[99999999y]", "9" * 400, "1e-9"]),
)


@settings(deadline=None)
@given(TEXTS, TEXTS, TEXTS)
@example("0", "0", "9" * 400)
def test_no_request_makes_it_fail(text: str, moment: str, step: str) -> None:
    served = api()
    for path in ("/api/v1/query", "/api/v1/query_range", "/api/v1/series", f"/api/v1/{text}"):
        pairs = (("query", text), ("match[]", text), ("time", moment), ("step", step))
        for extra in ((), (("start", moment), ("end", moment))):
            answer = served.handle(Request("GET", path, (*pairs, *extra)))
            assert answer.status in (200, 400, 404, 422)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_so_that_they_read_back(value: float) -> None:
    for plain in (False, True):
        text = go_float(value, plain=plain)
        assert float(text) == value
        assert not text.endswith(".0")
        assert not (plain and "e" in text)


# next to the real server


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus without targets."""
    with running(tmp_path_factory.mktemp("prometheus")) as address:
        yield address


SAME_ANSWER = [
    ("GET", "/api/v1/query", {"query": "1+1", "time": "1.5"}),
    ("GET", "/api/v1/query", {"query": "1e-7", "time": "5"}),
    ("GET", "/api/v1/query", {"query": "vector(1e-7)", "time": "1.0004"}),
    ("GET", "/api/v1/query", {"query": "vector(1e30) or vector(2)", "time": "-5"}),
    ("GET", "/api/v1/query", {"query": "vector(-0)", "time": "1.25"}),
    ("GET", "/api/v1/query", {"query": "0.1+0.2", "time": "2026-01-01T00:00:00.5Z"}),
    ("GET", "/api/v1/query", {"query": "vector(NaN)", "time": "1"}),
    ("GET", "/api/v1/query", {"query": '"x"', "time": "1"}),
    ("GET", "/api/v1/query", {"query": "nosuch[5m]", "time": "1"}),
    ("GET", "/api/v1/query", {"query": "absent(nosuch{a='b'})", "time": "1"}),
    ("POST", "/api/v1/query", {"query": "time()", "time": "7"}),
    ("GET", "/api/v1/query", {"query": "1", "time": "x"}),
    ("GET", "/api/v1/query", {"query": "1", "timeout": "x"}),
    ("GET", "/api/v1/query_range", {"query": "time()", "start": "0", "end": "3", "step": "1.5"}),
    ("GET", "/api/v1/query_range", {"query": "1", "start": "3", "end": "0", "step": "1"}),
    ("GET", "/api/v1/query_range", {"query": "1", "start": "0", "end": "3", "step": "0"}),
    ("GET", "/api/v1/query_range", {"query": "1", "start": "0", "end": "3", "step": "x"}),
    ("GET", "/api/v1/query_range", {"query": "1", "end": "3", "step": "1"}),
    ("GET", "/api/v1/query_range", {"query": "1", "start": "0", "end": "11001", "step": "1"}),
    ("GET", "/api/v1/query_range", {"query": "a[1m]", "start": "0", "end": "3", "step": "1"}),
    ("GET", "/api/v1/label/a-b/values", {}),
    ("GET", "/api/v1/series", {}),
    ("PUT", "/api/v1/query", {}),
    ("POST", "/api/v1/targets", {}),
    ("POST", "/-/ready", {}),
    ("GET", "/-/ready", {}),
    ("GET", "/-/healthy", {}),
    ("GET", "/api/v1/nosuch", {}),
]


@needs_prometheus
@pytest.mark.slow
def test_its_answers_are_those_of_the_real_server(real: str) -> None:
    ours = PrometheusApi(Tsdb(), lambda: NOW)
    for method, path, form in SAME_ANSWER:
        assert _ours(ours, method, path, form) == _theirs(real, method, path, form), (path, form)


@needs_prometheus
@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "a+", "rate(a)", "nosuch(a)", "1 == 2", "a or 1", "{}"])
def test_a_query_that_does_not_parse_is_refused_as_by_the_real_server(real: str, text: str) -> None:
    answers = []
    for status, _, body in (
        _ours(PrometheusApi(Tsdb(), lambda: NOW), "GET", "/api/v1/query", {"query": text}),
        _theirs(real, "GET", "/api/v1/query", {"query": text}),
    ):
        answers.append((status, body["errorType"], body["error"].partition(":")[0]))
    assert answers[0] == answers[1] == (400, "bad_data", 'invalid parameter "query"')


def _ours(served: PrometheusApi, method: str, path: str, form: dict[str, str]) -> Any:
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
    body = urlencode(form).encode() if method == "POST" else b""
    pairs = () if method == "POST" else tuple(form.items())
    answer = served.handle(Request(method, path, pairs, headers, body))
    return answer.status, answer.header("Content-Type"), _body(answer.body)


def _theirs(address: str, method: str, path: str, form: dict[str, str]) -> Any:
    encoded = urlencode(form)
    if method == "POST":
        request = urllib.request.Request(address + path, encoded.encode(), method=method)
    else:
        request = urllib.request.Request(f"{address}{path}?{encoded}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], _body(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], _body(error.read())


def _body(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw
