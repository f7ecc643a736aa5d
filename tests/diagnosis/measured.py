"""Makes cases of what providers answer and controllers say of it, in several releases:
`python -m tests.diagnosis.measured [FOLDER]`. Each is a run that ended a release (tests/diagnosis/varied.py)."""

import sys
from pathlib import Path
from typing import Any

from tests.diagnosis.__main__ import CASES
from tests.diagnosis.varied import Variation, checkout

QUERY = "sum(rate(errors_total[5m]))"
# What the controller says of a measurement, by the name of the case, and the cause that it tells of.
ERRORS = {
    "prometheus-gave-up-the-query": ("timeout: query timed out in expression evaluation", "prometheus-error"),
    "address-without-a-scheme": ("prometheus address is not is url format", "prometheus-unreachable"),
    "scheme-that-no-one-speaks": (
        'Post "prometheus:9090/api/v1/query": unsupported protocol scheme ""',
        "prometheus-unreachable",
    ),
    "list-where-a-number-is-wanted": ("interface conversion: interface {} is []float64, not float64", "bad-condition"),
    "key-of-the-secret-is-missing": ("key 'token' does not exist in secret 'prom-token'", "missing-secret"),
    "token-of-prometheus-is-refused": (
        'Post "https://prom/api/v1/query": oauth2: cannot fetch token: 401 Unauthorized',
        "prometheus-unauthorized",
    ),
    "labels-match-many-to-one": (
        "execution: multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
        "bad-query",
    ),
    "a-page-came-in-place-of-an-answer": (
        "bad_response: readObjectStart: expect { or n, but found <, error found in #1 byte of ...|<html>|...",
        "prometheus-error",
    ),
}


def erring(message: str, cause: str) -> Variation:
    made = checkout("[]", cause)
    made.metric("error-rate", QUERY, "result[0] < 0.02", [""] * 5, phase="Error", message=message)
    made.case["prometheus"] = {"unreachable": True}
    return made


def measured(
    provider: dict[str, Any], value: str, condition: str, says: str, *, error: str = "", cause: str = "analysis-failed"
) -> Variation:
    """A metric of another provider, or with another kind of value."""
    made = checkout("[1]", cause)
    made.metric("checks", QUERY, condition, [value], phase="Error" if error else "Failed", message=error)
    metric = made.run["spec"]["metrics"][0]
    metric["provider"] = provider
    if not condition:
        del metric["successCondition"]
    for result in made.run["status"]["metricResults"]:
        result.pop("metadata", None)
    made.case |= {"prometheus": {"unreachable": True}, "says": says}
    return made


def a_job() -> Variation:
    made = measured({"job": {"spec": {"template": {"spec": {}}}}}, "", "", "checks failed its Job in 1 of 1")
    named = {"job-name": "4b2d.checks.1", "job-namespace": "shop"}
    made.run["status"]["metricResults"][0]["measurements"][0]["metadata"] = named
    return made


WEB = {"web": {"url": "https://checks.example.com", "jsonPath": "{$.status}"}}
VALUES = {
    "job-of-the-analysis-failed": a_job,
    "web-answer-is-a-text": lambda: measured(WEB, '"degraded"', "result == 'ok'", 'checks was "degraded"'),
    "web-answer-is-false": lambda: measured(WEB, "false", "result", "checks was false"),
    "web-answer-is-an-object": lambda: measured(WEB, '{"errors":12}', "result.errors < 3", 'checks was {"errors":12}'),
    "web-answers-502": lambda: measured(
        WEB,
        "",
        "result == 'ok'",
        "the provider (web) answers with an error",
        error="received non 2xx response code: 502",
        cause="prometheus-error",
    ),
    "second-of-two-pods-is-over-the-limit": lambda: measured(
        {"prometheus": {"address": "http://prometheus:9090", "query": QUERY}},
        "[0.001,0.31]",
        "all(result, # < 0.05)",
        "checks 0.31 (limit < 0.05)",
    ),
}


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else CASES
    for name, (message, cause) in ERRORS.items():
        erring(message, cause).write(name, root)
    for name, make in VALUES.items():
        make().write(name, root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
