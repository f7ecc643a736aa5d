"""No value of a Secret leaves the model."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from companyos_canary.model.analysisrun import AnalysisRun, masked

SECRET = {"name": "tok", "valueFrom": {"secretKeyRef": {"name": "tok", "key": "k"}}}


def run(template: str, resolved: str, *arguments: dict[str, Any], message: str = "") -> Any:
    return {
        "metadata": {"name": "run", "labels": {}},
        "spec": {"args": list(arguments), "metrics": [{"name": "m", "provider": {"prometheus": {"query": template}}}]},
        "status": {
            "phase": "Error",
            "message": message,
            "metricResults": [
                {
                    "name": "m",
                    "phase": "Error",
                    "message": message,
                    "metadata": {"ResolvedPrometheusQuery": resolved},
                    "measurements": [{"phase": "Error", "message": message}],
                }
            ],
        },
    }


def test_the_resolved_query_shows_stars_for_a_secret_and_the_other_arguments() -> None:
    raw = run("sec {{args.tok}} {{ args.app }}", "sec s3cret api", SECRET, {"name": "app", "value": "api"})
    assert AnalysisRun.from_object(raw).results[0].query == "sec ***** api"


def test_a_message_that_quotes_the_query_is_masked_too() -> None:
    raw = run("sec {{args.tok}}", "sec s3cret", SECRET, message="cannot parse s3cret")
    read = AnalysisRun.from_object(raw)
    assert read.message == "cannot parse *****"
    assert read.results[0].message == "cannot parse *****"
    assert read.results[0].measurements[0].message == "cannot parse *****"


def test_a_query_that_does_not_fit_its_template_is_not_shown() -> None:
    read = AnalysisRun.from_object(run("a {{args.tok}}", "another s3cret", SECRET))
    assert read.results[0].query == "a *****"
    gone = run("", "sec s3cret", SECRET)
    assert AnalysisRun.from_object(gone).results[0].query == "*****"


def test_without_a_secret_nothing_is_touched() -> None:
    raw = run("up", "up")
    assert masked(raw) is raw


@given(st.text(min_size=4), st.text(), st.text())
def test_no_secret_is_in_what_is_read(secret: str, before: str, after: str) -> None:
    template = f"{before}{{{{args.tok}}}}{after}"
    assume(secret not in template)
    assume("{" not in before + after)
    assume("*" not in secret)
    raw = run(template, f"{before}{secret}{after}", SECRET)
    assert secret not in AnalysisRun.from_object(raw).results[0].query
