"""What lint says of conditions and queries that people write; warnings about missing data aside."""

import pytest

from tests.lint.test_rules import findings

SHARE = (
    'sum(irate(requests_total{service="api-canary",code!~"5.*"}[5m])) / '
    'sum(irate(requests_total{service="api-canary"}[5m]))'
)
RATE = 'sum(rate(errors_total{service="api-canary"}[5m]))'
TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: rate}
spec:
  metrics:
  - name: rate
    %s: '%s'
    provider:
      prometheus:
        address: http://prometheus:9090
        query: |
          %s
"""
NO_DATA = {"empty-answer", "fails-on-nan", "passes-on-nothing"}


def found(condition: str, query: str, field: str = "successCondition") -> set[str]:
    return {f.rule for f in findings(TEMPLATE % (field, condition, query))} - NO_DATA


@pytest.mark.parametrize(
    ("condition", "query"),
    [
        ("result[0] >= 0.95", SHARE),
        ("result[0] >= 95", f"100 * {SHARE}"),
        ("isNaN(result[0]) || result[0] >= 0.95", SHARE),
        ("len(result) == 0 || isNaN(result[0]) || result[0] >= 0.95", SHARE),
        ("result < 5", f"scalar({RATE})"),
        ("result[0] == 1", f"{RATE} > bool 5"),
        ("all(result, # == 1)", 'up{job="api-canary"}'),
        ("len(result) == 1", RATE),
        ("result[0] > 0.9 && result[1] < 3", f'{RATE} or label_replace({RATE}, "n", "1", "", "")'),
        ("result[0] < 0.3", 'histogram_quantile(0.95, sum(rate(x_seconds_bucket{role="canary"}[5m])) by (le))'),
        ("result[0] < 300", 'histogram_quantile(0.95, sum(rate(x_milliseconds_bucket{role="canary"}[5m])) by (le))'),
    ],
)
def test_nothing_is_wrong_with_what_works(condition: str, query: str) -> None:
    assert found(condition, query) == set()


@pytest.mark.parametrize(
    ("condition", "query", "rule"),
    [
        ("result >= 0.95", SHARE, "wrong-result"),
        ("result[0] < 5", f"scalar({RATE})", "wrong-result"),
        ("default(result, 0) < 0.05", RATE, "wrong-result"),
        ("asFloat(result) < 0.05", RATE, "wrong-result"),
        ("result[0] >= 95", SHARE, "cannot-pass"),
        ("result[0] < 0", RATE, "cannot-pass"),
        ("result[0] > 0.5 && result[0] < 0.4", RATE, "cannot-pass"),
        ("result[0] >= 0", RATE, "cannot-fail"),
        ("result[0] <= 1", SHARE, "cannot-fail"),
        ("true || result[0] < 1", RATE, "cannot-fail"),
    ],
)
def test_a_condition_that_cannot_work_is_found(condition: str, query: str, rule: str) -> None:
    assert found(condition, query) == {rule}


def test_an_absent_series_may_be_what_is_judged() -> None:
    assert found("len(result) > 0", 'absent(up{job="api-canary"})', "failureCondition") == set()


@pytest.mark.parametrize(
    "query",
    [
        'sum(rate(e_total{role="canary",code="5"}[5m])) / sum(rate(e_total{role="canary"}[5m]))',
        '100 * sum(rate(e_total{role="canary",code="5"}[5m])) / sum(rate(e_total{role="canary"}[5m]))',
        'sum(increase(e_total{role="canary",code="5"}[5m])) / (sum(increase(e_total{role="canary"}[5m])) > 0)',
    ],
)
def test_a_share_of_errors_is_empty_for_the_healthiest_canary(query: str) -> None:
    assert found("result[0] < 0.05", query) == {"healthy-is-empty"}


def test_a_share_of_successes_is_not() -> None:
    assert found("result[0] > 0.95", SHARE) == set()
