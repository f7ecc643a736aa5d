"""The five metrics in the situations that were recorded: values near the recorded ones, and the
same silence where there was nothing to say."""

import math
from typing import Any

import pytest

from tests.promql.promtool import differences, needs_promtool, ours
from tests.promql.situations import ROWS, case, expressions

FORMS = {
    "literal": expressions("literal"),
    "recommended": expressions("recommended"),
    "with-canary-hash": expressions("recommended", canary_hash="c2"),
    "evidence": expressions("evidence"),
    "evidence-with-hash": expressions("evidence", canary_hash="c2"),
    "with-scope": expressions("recommended", scope='pod=~".+",pod!="x"'),
}
#: Counters are whole numbers: what one request more or less in the window makes.
ONE_REQUEST = {"error-rate": 0.004, "error-ratio": 0.4, "opa-success": 0.005}
FAILS_FROM = {"error-rate": 0.05, "latency-p95": 0.3, "latency-ratio": 1.2, "error-ratio": 1.5}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_a_recorded_situation_has_its_recorded_values(row: dict[str, Any]) -> None:
    for form, recorded in row["values"].items():
        metrics = FORMS[form]
        answers = ours(case(row, *metrics.values()))
        for metric, answer in zip(metrics, answers, strict=True):
            assert isinstance(answer, dict), answer
            few = form == "literal" and row["name"] == "too-few-requests"
            _check(f"{form} {metric}", recorded[metric], list(answer.values()), few=few)


@needs_promtool
def test_every_form_of_every_query_has_the_answer_of_the_real_engine() -> None:
    asked = [text for form in FORMS.values() for text in form.values()]
    found = differences([case(row, *asked) for row in ROWS])
    assert not found, "\n".join(found)


def _check(where: str, recorded: str | None, got: list[float], *, few: bool) -> None:
    numbers = [float(n) for n in (recorded or "[]").strip("[]").split(",") if n]
    assert len(got) == len(numbers), (where, recorded, got)
    for want, value in zip(numbers, got, strict=True):
        assert math.isnan(want) == math.isnan(value), where
        if math.isnan(want) or want == value:
            continue
        metric = where.split()[1]
        if metric in FAILS_FROM:
            assert (want >= FAILS_FROM[metric]) == (value >= FAILS_FROM[metric]), where
        if not few:  # six requests: a value there depends on which of them falls into the window
            assert value == pytest.approx(want, rel=0.2, abs=ONE_REQUEST.get(metric)), where
