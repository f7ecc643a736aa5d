"""What the real PromQL engine answers: many expressions in one run of `promtool test rules`.

Every expression is given an expected sample that cannot be, so promtool prints what it got.
"""

import json
import math
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from msgspec import Struct

from companyos_canary.promql import STALE, Matcher, PromqlError, Scalar, Series, Vector, by_labels, evaluate
from companyos_canary.promql.values import Select

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: package prometheus)")

Answer = dict[frozenset[tuple[str, str]], float]
_NEVER = [{"labels": "never{}", "value": 0.125}]
_BLOCK = re.compile(
    r"""^\ {4}expr:\ (?P<expr>"(?:[^"\\]|\\.)*"),\ time:\ [^,]+,
        (?:\ err:\ (?P<error>.*) | \n\ {8}exp:.*\n\ {8}got:\ (?P<got>.*))$""",
    re.MULTILINE | re.VERBOSE,
)
_SAMPLE = re.compile(r"\{(?P<labels>[^{}]*)\} (?P<value>[^ ,]+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Case(Struct, frozen=True):
    """Series as promtool writes them: name -> one value each `interval` ms from 0 on, None if
    there is no sample. `at` is in ms."""

    interval: int
    series: tuple[tuple[str, tuple[float | None, ...]], ...]
    expressions: tuple[str, ...]
    at: int


def select_from(series: Iterable[Series]) -> Select:
    """A Select over series that are all in memory."""
    everything = sorted(series, key=by_labels)

    def select(matchers: Sequence[Matcher], start: float, end: float) -> Iterable[Series]:
        return [
            Series(s.labels, [p for p in s.samples if start - 0.001 < p[0] < end + 0.001])
            for s in everything
            if all(m.accepts(s.labels) for m in matchers)
        ]

    return select


def ours(case: Case) -> list[Answer | str]:
    """For each expression the samples, or the text of the error."""
    select = select_from(_series(case))
    answers: list[Answer | str] = []
    for text in case.expressions:
        try:
            value = evaluate(text, case.at / 1000, select)
        except PromqlError as error:
            answers.append(error.message)
            continue
        if isinstance(value, Vector):
            answers.append({frozenset(s.labels.items()): s.value for s in value.samples})
        else:
            assert isinstance(value, Scalar)
            answers.append({frozenset(): value.value})
    return answers


def theirs(cases: Sequence[Case]) -> list[list[Answer | str]]:
    """What promtool got, in the order of the cases and their expressions."""
    assert PROMTOOL
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cases.yaml")
        path.write_text(json.dumps(_file(cases)))
        environment = {**os.environ, "GOGC": "off"}  # it ends before there is much to collect
        command = [PROMTOOL, "test", "rules", path]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    blocks = list(_BLOCK.finditer(done.stderr))
    asked = [text for case in cases for text in case.expressions]
    assert len(blocks) == len(asked), done.stderr
    answers = iter(_answer(block) for block in blocks)
    return [[next(answers) for _ in case.expressions] for case in cases]


def differences(cases: Sequence[Case]) -> list[str]:
    """Every expression that the two engines answer differently."""
    found = []
    for case, expected in zip(cases, theirs(cases), strict=True):
        for text, want, got in zip(case.expressions, expected, ours(case), strict=True):
            if not same(want, got):
                found.append(f"{text} at {case.at} of {case}\n  promtool {want}\n  ours {got}")
    return found


def same(want: Answer | str, got: Answer | str) -> bool:
    if isinstance(want, str) or isinstance(got, str):
        return isinstance(want, str) and isinstance(got, str)
    return want.keys() == got.keys() and all(close(want[k], got[k]) for k in want)


def close(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def _file(cases: Sequence[Case]) -> Mapping[str, object]:
    # promtool stores samples up to the last evaluation only, so that must be a fine grid
    return {"evaluation_interval": "500ms", "tests": [_test(case) for case in cases]}


def _test(case: Case) -> Mapping[str, object]:
    return {
        "interval": f"{case.interval}ms",
        "input_series": [
            {"series": name, "values": " ".join(_written(v) for v in values)} for name, values in case.series
        ],
        "promql_expr_test": [
            *({"expr": text, "eval_time": f"{case.at}ms", "exp_samples": _NEVER} for text in case.expressions),
            {"expr": "vector(1)", "eval_time": f"{_end(case)}ms", "exp_samples": [{"labels": "{}", "value": 1}]},
        ],
    }


def _end(case: Case) -> int:
    """Late enough that all samples are stored: an expression may look ahead, too."""
    return max(case.at, *(len(values) * case.interval for _, values in case.series), 0)


def _written(value: float | None) -> str:
    if value is None:
        return "_"
    if value is STALE:
        return "stale"
    return {math.inf: "Inf", -math.inf: "-Inf"}.get(value, "NaN" if value != value else str(value))


def _series(case: Case) -> list[Series]:
    found = []
    for name, values in case.series:
        metric, _, rest = name.partition("{")
        labels = {"__name__": metric, **label_pairs(rest)}
        samples = [(i * case.interval / 1000, v) for i, v in enumerate(values) if v is not None]
        found.append(Series(labels, samples))
    return found


def label_pairs(text: str) -> dict[str, str]:
    """The labels of `x="1",y="a"}`."""
    return dict(_LABEL.findall(text))


def _answer(block: re.Match[str]) -> Answer | str:
    if block["error"] is not None:
        return block["error"]
    if block["got"] == "nil":
        return {}
    return {
        frozenset(_LABEL.findall(found["labels"])): float(found["value"]) for found in _SAMPLE.finditer(block["got"])
    }
