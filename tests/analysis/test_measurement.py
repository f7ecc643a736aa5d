"""What a metric asks, and what an answer is worth."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.analysis.answer import AnswerError, read
from companyos_canary.analysis.measurement import MeasurementError, judged, question
from companyos_canary.model.http import Response

NOW = datetime(2026, 5, 4, 3, 2, 1, 250_000, tzinfo=UTC)
STAMP = NOW.timestamp()


def metric(**prometheus):
    return {"name": "m", "provider": {"prometheus": {"address": "http://p:9090", **prometheus}}}


def form_of(asked):
    return {k: v[0] for k, v in parse_qs(asked.request.body.decode()).items()}


def test_an_instant_query_carries_its_time():
    asked = question(metric(query="up == 1"), NOW)
    assert (asked.address, asked.request.method) == ("http://p:9090", "POST")
    assert asked.request.path == "/api/v1/query"
    assert form_of(asked) == {"query": "up == 1", "time": "1777863721.25"}
    assert asked.request.timeout == 30


def test_a_range_query_carries_its_range():
    wanted = {"start": 'now() - duration("1m")', "end": "now()", "step": "15s"}
    asked = question(metric(query="up", rangeQuery=wanted), NOW)
    assert asked.request.path == "/api/v1/query_range"
    form = form_of(asked)
    assert form.pop("query") == "up"
    assert form == {"start": "1777863661.25", "end": "1777863721.25", "step": "15"}


def test_a_path_in_the_address_is_kept():
    asked = question(metric(address="http://p/prom/"), NOW)
    assert (asked.address, asked.request.path) == ("http://p", "/prom/api/v1/query")


def test_headers_and_credentials_are_sent():
    asked = question(
        metric(
            headers=[{"key": "X-Scope-OrgID", "value": "t"}],
            authentication={"basicAuth": {"username": "u", "password": "p"}},
        ),
        NOW,
    )
    assert asked.request.header("x-scope-orgid") == "t"
    assert asked.request.header("authorization") == "Basic dTpw"


@pytest.mark.parametrize(
    ("asking", "message"),
    [
        (metric(address=""), "prometheus address is not configured"),
        (metric(address="p:9090"), "prometheus address is not is url format"),
        (metric(address="http://p:x"), "prometheus address is not is url format"),
        (metric(timeout=-1), "prometheus timeout should not be negative"),
        (metric(authentication={"oauth2": {"tokenUrl": "http://t"}}), "oauth2 is not emulated here"),
        (
            metric(authentication={"basicAuth": {"password": "p"}}),
            "missing mandatory parameter in metric for basic auth setup: username",
        ),
        (
            {"name": "m", "provider": {"web": {"url": "http://x"}}},
            "the provider `web` is not emulated here, only prometheus is",
        ),
    ],
)
def test_a_metric_that_cannot_ask_says_why(asking, message):
    with pytest.raises(MeasurementError) as error:
        question(asking, NOW)
    assert error.value.message == message
    assert not error.value.asked


def answer(result, kind="vector", **more):
    data = {"resultType": kind, "result": result}
    body = {"status": "success", "data": data, **more}
    return Response(200, {}, json.dumps(body).encode())


def vector(*values):
    return answer([{"metric": {}, "value": [STAMP, v]} for v in values])


@pytest.mark.parametrize(
    ("success", "failure", "value", "phase"),
    [
        ("", "", "1", "Successful"),
        ("result[0] < 2", "", "1", "Successful"),
        ("result[0] > 2", "", "1", "Failed"),
        ("", "result[0] < 2", "1", "Failed"),
        ("", "result[0] > 2", "1", "Successful"),
        ("result[0] < 2", "result[0] < 3", "1", "Failed"),
        ("result[0] > 2", "result[0] > 3", "1", "Inconclusive"),
        ("result[0] < 2", "", "NaN", "Failed"),
        ("", "result[0] < 2", "NaN", "Successful"),
    ],
)
def test_two_conditions_make_a_phase(success, failure, value, phase):
    asking = {"successCondition": success, "failureCondition": failure}
    measured = judged(asking, vector(value), NOW)
    assert (measured.phase, measured.value) == (phase, f"[{value}]")


def test_a_condition_may_look_at_the_clock():
    asking = {"successCondition": "now().Year() == 2026"}
    assert judged(asking, vector("1"), NOW).phase == "Successful"
    assert judged(asking, vector("1"), NOW + timedelta(days=400)).phase == "Failed"


def test_warnings_are_kept():
    measured = judged({}, answer([], warnings=["a", "b"], infos=["c"]), NOW)
    assert measured.metadata == {"warnings": '"a", "b"'}


def test_all_samples_of_a_matrix_stand_one_after_the_other():
    series = [{"values": [[1, "1"], [2, "2"]]}, {"histograms": [[1, {}]]}, {"values": [[1, "3"]]}]
    assert read(answer(series, "matrix")).result == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("response", "start"),
    [
        (Response(302), "bad_response: bad response code 302"),
        (Response(418), "client_error: client error: 418"),
        (Response(502), "server_error: server error: 502"),
        (Response(200, {}, b"[]"), "bad_response: readObjectStart"),
        (Response(200, {}, b"{" * 100_000), "bad_response: "),
        (Response(200, {}, b"\xff\xfe"), "bad_response: "),
        (Response(200, {}, b"null"), "Skip: do not know how to skip"),
        (answer(5), "unmarshalerDecoder: model.Vector: "),
        (answer([{"value": "x"}]), "unmarshalerDecoder: model.Vector: "),
        (answer([1, "1", 2], "scalar"), "unmarshalerDecoder: model.Scalar: "),
        (answer([[1]], "matrix"), "unmarshalerDecoder: model.Matrix: "),
        (answer({}, "odd"), "unmarshalerDecoder: Result: Type: "),
    ],
)
def test_an_answer_that_is_none_is_an_error_with_its_words(response, start):
    with pytest.raises(AnswerError) as error:
        read(response)
    assert str(error.value).startswith(start)
    assert judged({}, response, NOW).phase == "Error"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KINDS = st.sampled_from(["scalar", "vector", "matrix", "string", 5])


@given(JSON, KINDS, st.sampled_from([200, 204, 400, 404, 500]))
def test_no_answer_breaks_the_judge(result, kind, status):
    odd = answer(result, kind)
    measured = judged({"successCondition": "true"}, Response(status, {}, odd.body), NOW)
    assert measured.phase in ("Successful", "Error")


@given(st.binary(max_size=60))
def test_no_bytes_break_the_judge(body):
    assert judged({}, Response(200, {}, body), NOW).phase == "Error"
