"""The rules of Argo Rollouts accept what is rendered, and judge it as intended."""

import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.analysis.evidence import CONFIDENT
from companyos_canary.analysis.expr.language import compile as compiled
from companyos_canary.analysis.judge import Taken, conclude, plan
from companyos_canary.analysis.measurement import Measured
from companyos_canary.analysis.spec import run_spec
from companyos_canary.argo.validation import first_fault
from companyos_canary.config import MetricSettings, StepSettings
from companyos_canary.model.quantity import parse_duration
from companyos_canary.promql import Vector, evaluate
from companyos_canary.render.analysis import conditions
from companyos_canary.render.evidence import evidence_query
from companyos_canary.render.objects import objects
from tests.render.samples import settings

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.yaml"))
START = datetime(2026, 5, 4, 3, 2, 1, 900_000, tzinfo=UTC)
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_the_controller_accepts_every_golden_file(path: Path) -> None:
    *templates, service, rollout = yaml.load_all(path.read_text(), yaml.CSafeLoader)
    known = {t["metadata"]["name"]: t for t in templates}
    assert first_fault(rollout, lambda name, _: known.get(name), lambda _: service) is None
    for step in rollout["spec"]["strategy"]["canary"]["steps"]:
        if "analysis" in step:
            spec = run_spec(
                step["analysis"], rollout, lambda name, _: known.get(name), latest_hash="abc", stable_hash="def"
            )
            found = plan({"spec": spec}, START, lambda name, key: "")
            assert found.failure == ""
            queries = [m["provider"]["prometheus"]["query"] for m in found.metrics]
            assert not any("{{" in query for query in queries)
            if path.stem == "by-hash":
                assert 'rollouts_pod_template_hash=~"abc"' in queries[0]


@pytest.mark.parametrize(
    ("result", "hold", "passes", "fail"),
    [
        ([0.01], "Successful", "Successful", "Successful"),
        ([0.05], "Failed", "Failed", "Failed"),
        ([INF], "Failed", "Failed", "Failed"),
        ([], "Inconclusive", "Successful", "Failed"),
        ([NAN], "Inconclusive", "Successful", "Failed"),
        ([0.01, 0.5], "Inconclusive", "Successful", "Failed"),
    ],
)
def test_what_the_conditions_make_of_an_answer(result: list[float], hold: str, passes: str, fail: str) -> None:
    def verdict(no_data: Any) -> str:
        good, bad = conditions(MetricSettings("m", "below", 0.05, form="safe", no_data=no_data))
        failed = compiled(bad).evaluate(result) if bad else not compiled(good).evaluate(result)
        if failed:
            return "Failed"
        return "Successful" if compiled(good).evaluate(result) else "Inconclusive"

    assert [verdict("hold"), verdict("pass"), verdict("fail")] == [hold, passes, fail]


@pytest.mark.parametrize(
    ("result", "hold", "passes", "fail"),
    [
        ([0.04, 3.0, 8.0, 200.0], "Successful", "Successful", "Successful"),
        ([0.06, 2.7, 12.0, 200.0], "Successful", "Successful", "Successful"),
        ([0.12, 2.8, 24.0, 200.0], "Failed", "Failed", "Failed"),
        ([INF, INF, 24.0, 100.0], "Failed", "Failed", "Failed"),
        ([0.12, 2.8, 12.0, 99.9], "Inconclusive", "Successful", "Inconclusive"),
        ([0.12, 9.0], "Inconclusive", "Successful", "Inconclusive"),
        ([], "Inconclusive", "Successful", "Failed"),
        ([0.0, NAN, 0.0, 200.0], "Successful", "Successful", "Successful"),
    ],
)
def test_what_the_conditions_make_of_evidence(result: list[float], hold: str, passes: str, fail: str) -> None:
    def verdict(name: str, no_data: Any, answer: list[float]) -> str:
        texts = conditions(MetricSettings(name, "below", 0.05, no_data=no_data))
        good, bad = (compiled(text.replace("{{args.min-requests}}", "100")) for text in texts)
        if bad.evaluate(answer):
            return "Failed"
        return "Successful" if good.evaluate(answer) else "Inconclusive"

    wanted = [hold, passes, fail]
    assert [verdict("error-rate", n, result) for n in ("hold", "pass", "fail")] == wanted
    compared = [*result, 9.0, 5000.0] if len(result) == 4 else result
    assert [verdict("error-ratio", n, compared) for n in ("hold", "pass", "fail")] == wanted
    if len(result) == 4:
        few = [*result, 9.0, 99.0]
        assert [verdict("error-ratio", n, few) for n in ("hold", "pass", "fail")] == [
            "Inconclusive",
            "Successful",
            "Inconclusive",
        ]


def row(name: str, limit: float, own: tuple[int, int], stable: tuple[int, int] = (0, 0)) -> list[float]:
    """What the query answers where so many of so many requests of each were bad in the window."""

    def counted(total: re.Match[str]) -> str:
        bad, requests = own if 'canary="true"' in total[0] else stable
        return f"vector({bad if 'status=' in total[0] else requests})"

    query = re.sub(
        r"sum\(increase\(.*?\[\{\{args\.window\}\}\]\)\)", counted, evidence_query(MetricSettings(name, "below", limit))
    )
    answer = evaluate(query, 0.0, lambda *_: ())
    assert isinstance(answer, Vector)
    return [sample.value for sample in answer.samples]


def fisher(own: tuple[int, int], stable: tuple[int, int]) -> float:
    """How likely the canary has as many of the bad requests, or more, where all are equally likely to be bad."""
    (x, n), (others, m) = own, stable
    bad = x + others
    return sum(math.comb(n, k) * math.comb(m, bad - k) for k in range(x, min(bad, n) + 1)) / math.comb(n + m, bad)


@pytest.mark.parametrize(
    ("own", "stable", "exact", "unlikely"),
    [
        ((10, 1000), (90, 9000), 0.549307, False),
        ((20, 1000), (90, 9000), 0.00588881, False),
        ((30, 1000), (90, 9000), 1.58314e-6, True),
        ((6, 200), (18, 1800), 0.0268394, False),
        ((5, 100), (9, 900), 0.00870999, False),
        ((6, 100), (9, 900), 0.00204461, True),
        ((2, 160), (3, 5840), 0.00670274, False),  # 2 where 0.1 are expected
    ],
)
def test_a_ratio_is_evidence_where_the_exact_test_of_fisher_finds_it_unlikely(
    own: tuple[int, int], stable: tuple[int, int], exact: float, unlikely: object
) -> None:
    (x, n), (others, m) = own, stable
    assert fisher(own, stable) == pytest.approx(exact, rel=1e-4)
    value, z, *numbers = row("error-ratio", 1.5, own, stable)
    assert value == pytest.approx((x / n) / (others / m))
    mine, theirs = x - 0.05, others + 0.05
    due = (mine + theirs) * n / (n + m)
    likelihood = mine * math.log(mine / due) + theirs * math.log(theirs / (mine + theirs - due))
    assert z == pytest.approx(math.copysign(math.sqrt(2 * likelihood), mine - due))
    assert numbers == [x, n, others, m]
    assert (z >= CONFIDENT) is unlikely


@given(st.integers(100, 1000), st.integers(100, 5000), st.integers(0, 60), st.integers(0, 60))
def test_what_the_exact_test_finds_likely_is_no_evidence_however_few_are_bad(
    n: int, m: int, x: int, others: int
) -> None:
    """A z of 2.8 is a probability of 0.26 %; counts are whole numbers, so the exact one is near it, not equal."""
    _, z, *_ = row("error-ratio", 1.5, (x, n), (others, m))
    exact = fisher((x, n), (others, m))
    assert math.isfinite(z)
    if z >= CONFIDENT:
        assert exact < 0.016
    elif others < 0.05 * m and x < 0.05 * n:
        assert exact > 0.0015


@given(st.integers(1, 5000), st.floats(0, 1), st.sampled_from([0.01, 0.05, 0.2]))
def test_a_share_is_as_many_standard_errors_from_its_limit_as_the_formula_says(
    n: int, part: float, limit: float
) -> None:
    x = round(part * n)
    value, z, bad, requests = row("error-rate", limit, (x, n))
    assert (value, bad, requests) == (x / n, x, n)
    assert z == pytest.approx((x - 0.5 - limit * n) / math.sqrt(limit * (1 - limit) * n), rel=1e-6)


def judged(duration: timedelta, phases: list[str], form: Any = "safe") -> tuple[str, list[timedelta]]:
    """The phase of the run of a step that lasts `duration`, and when it measured."""
    metrics = (MetricSettings("error-rate", "below", 0.05, form=form),)
    template = objects(settings(steps=(StepSettings(10, duration),), metrics=metrics), "v1")[0]
    run: dict[str, Any] = {"spec": template["spec"], "status": {}}
    now: datetime | None = START
    times: list[timedelta] = []
    verdict = None
    while now is not None:
        found = plan(run, now, lambda name, key: "")
        taken = {}
        for metric in found.due:
            taken[metric["name"]] = Taken(Measured(phases[len(times)]), now, now)
            times.append(now - START)
        verdict = conclude(run, found, taken, now)
        run["status"] = verdict.status
        now = verdict.wake_at
    assert verdict is not None
    return str(verdict.status["phase"]), times


@pytest.mark.parametrize("form", ["evidence", "safe", "literal"])
@pytest.mark.parametrize("duration", ["4s", "6s", "10s", "45s", "2m", "3m", "1h"])
def test_a_step_measures_inside_its_time_and_nearly_fills_it(duration: str, form: str) -> None:
    wanted = parse_duration(duration)
    phase, times = judged(wanted, ["Successful"] * 100, form)
    assert phase == "Successful"
    assert len(times) >= 4
    # Times are read back cut to whole seconds: up to a second early, never late.
    assert wanted - timedelta(seconds=1) <= times[-1] <= wanted


@given(
    st.lists(st.sampled_from(["Successful", "Failed", "Inconclusive"]), min_size=100, max_size=100),
    st.sampled_from(["6s", "45s", "10m"]),
)
def test_no_run_passes_with_more_than_one_failed_or_one_unknown_measurement(phases: list[str], duration: str) -> None:
    phase, times = judged(parse_duration(duration), phases)
    seen = phases[: len(times)]
    if phase == "Successful":
        assert seen.count("Failed") <= 1
        assert seen.count("Inconclusive") <= 1
        assert seen.count("Successful") >= 2
    else:
        assert seen.count("Failed") == 2 or seen.count("Inconclusive") == 2


@given(
    st.lists(st.sampled_from(["Successful", "Failed", "Inconclusive"]), min_size=400, max_size=400),
    st.sampled_from(["6s", "45s", "10m"]),
)
def test_a_step_that_waits_passes_after_as_many_good_measurements_in_a_row_as_it_has(
    phases: list[str], duration: str
) -> None:
    wanted = parse_duration(duration)
    phase, times = judged(wanted, phases, "evidence")
    seen, usual = phases[: len(times)], len(judged(wanted, ["Successful"] * 400, "evidence")[1])
    assert times[-1] <= 3 * wanted
    match phase:
        case "Successful":
            assert seen[-usual:] == ["Successful"] * usual
            assert seen.count("Failed") <= 1
        case "Failed":
            assert (seen[-1], seen.count("Failed")) == ("Failed", 2)
        case _:
            assert phase == "Inconclusive"
            assert times[-1] > 2 * wanted, "it waited"


def test_a_step_that_never_gets_requests_holds_after_three_times_its_duration() -> None:
    phase, times = judged(timedelta(minutes=2), ["Inconclusive"] * 99, "evidence")
    assert phase == "Inconclusive"
    assert timedelta(minutes=6) - timedelta(seconds=20) <= times[-1] <= timedelta(minutes=6)


def test_a_step_with_late_requests_passes_later() -> None:
    phase, times = judged(timedelta(minutes=2), ["Inconclusive"] * 5 + ["Successful"] * 9, "evidence")
    assert (phase, len(times)) == ("Successful", 9)


def test_no_data_at_all_holds_the_rollout() -> None:
    assert judged(timedelta(minutes=2), ["Inconclusive"] * 9)[0] == "Inconclusive"
