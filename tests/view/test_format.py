import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.argo.limits import Limit, Unit, unit_of
from companyos_canary.model.image import version
from companyos_canary.view import format as fmt
from companyos_canary.view.lines import ASCII, UNICODE

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (0.9, "0s"),
        (59, "59s"),
        (60, "1m00s"),
        (192, "3m12s"),
        (3599, "59m59s"),
        (3600, "1h00m"),
        (7500, "2h05m"),
        (86399, "23h59m"),
        (86400, "1d00h"),
        (273600, "3d04h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert fmt.duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(("seconds", "text"), [(40, "40s"), (80, "1m"), (200, "3m"), (3590, "1h00m"), (4800, "1h20m")])
def test_what_is_only_foreseen_is_rounded(seconds: float, text: str) -> None:
    assert fmt.about(timedelta(seconds=seconds)) == text


BELOW_5, BELOW_1 = Limit("<", 0.05), Limit("<", 1.2)


@pytest.mark.parametrize(
    ("metric", "limit", "value", "text", "bound"),
    [
        ("error-rate", BELOW_5, 0.112, "11.2 %", "< 5 %"),
        ("error-rate", BELOW_5, 0.05, "5.0 %", "< 5 %"),
        ("error-rate", BELOW_5, 0.0501, "5.01 %", "< 5 %"),
        ("error_rate", None, 0.112, "11.2 %", ""),
        ("latency-p95", Limit("<", 0.3), 0.184, "184 ms", "< 300 ms"),
        ("latency-p95", Limit("<=", 2.5), 12.5, "12.50 s", "<= 2.5 s"),
        ("latency-ms", Limit("<", 300), 184.4, "184 ms", "< 300 ms"),
        ("latency-ratio", BELOW_1, 1.02, "1.02 x", "< 1.2 x"),
        ("error-ratio", Limit("<", 1.5), 0.9, "0.90 x", "< 1.5 x"),
        ("success-ratio", Limit(">", 0.99), 0.999, "99.9 %", "> 99 %"),
        ("opa-success", Limit(">", 0.995), 1.0, "100.0 %", "> 99.5 %"),
        ("request-rate", Limit(">", 100), 2140.0, "2,140", "> 100"),
        ("queue-depth", Limit("<", 9), 3.14159, "3.14", "< 9"),
        ("error-rate", BELOW_5, math.inf, "+Inf", "< 5 %"),
        ("error-rate", BELOW_5, math.nan, "no data", "< 5 %"),
        ("error-rate", BELOW_5, None, "no data", "< 5 %"),
    ],
)
def test_values_and_limits_have_the_unit_of_their_metric(
    metric: str, limit: Limit | None, value: float | None, text: str, bound: str
) -> None:
    unit = unit_of(metric, limit)
    assert fmt.value_text(value, unit, limit=limit) == text
    assert fmt.limit_text(limit, unit) == bound


def test_a_trend_below_a_limit_is_measured_from_zero() -> None:
    values = [0.0, 0.025, 0.05, None, math.nan, math.inf]
    assert fmt.sparkline(values, BELOW_5, UNICODE) == "▁▅█··█"
    assert fmt.sparkline(values, BELOW_5, ASCII) == "_-#??#"


def test_a_trend_above_a_limit_stands_on_it() -> None:
    assert fmt.sparkline([0.99, 0.995, 1.0], Limit(">", 0.99), UNICODE) == "▁▅█"
    assert fmt.sparkline([7.0, 7.0], None, UNICODE) == "▅▅"
    assert fmt.sparkline([None, math.nan], None, UNICODE) == "··"


@settings(deadline=None)
@given(st.lists(st.none() | st.floats()), st.sampled_from([None, BELOW_5, Limit(">", 0.99)]))
def test_a_trend_has_one_mark_for_each_measurement(values: list[float | None], limit: Limit | None) -> None:
    assert len(fmt.sparkline(values, limit, ASCII)) == len(values)


@settings(deadline=None)
@given(st.floats(), st.sampled_from(["percent", "seconds", "milliseconds", "times", "number"]))
def test_every_number_has_a_text(value: float, unit: Unit) -> None:
    assert fmt.value_text(value, unit, limit=BELOW_5)


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("companyos-api:v1.1.0", "v1.1.0"),
        ("registry:5000/team/api:v2", "v2"),
        ("registry:5000/team/api", "api"),
        ("api@sha256:0123456789abcdef", "sha256:01234567"),
        ("api:v1@sha256:0123456789abcdef", "sha256:01234567"),
    ],
)
def test_a_version_is_the_tag_or_the_digest(image: str, text: str) -> None:
    assert version(image) == text


def test_clock_is_in_the_zone_of_now_and_says_the_day_when_it_is_another() -> None:
    berlin = NOON.astimezone(timezone(timedelta(hours=1)))
    assert fmt.clock(NOON, berlin) == "13:00:00"
    assert fmt.clock(NOON - timedelta(days=3), berlin) == "  27 Feb"
    assert fmt.clock(None, berlin) == "        "
