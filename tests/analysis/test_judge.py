"""The engine on plain dicts: laws that hold for every run, and what the recordings leave out."""

import copy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.analysis.arguments import ArgumentError
from companyos_canary.analysis.judge import Taken, conclude, plan
from companyos_canary.analysis.measurement import Measured
from companyos_canary.analysis.schedule import expires_at
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.row import COMPLETED

NOW = datetime(2026, 5, 4, 3, 2, 1, 300_000, tzinfo=UTC)
PROMETHEUS = {"prometheus": {"address": "http://p", "query": "up"}}
COUNTERS = ("successful", "failed", "inconclusive", "error")


def metric(name="m", **fields):
    return {"name": name, "provider": PROMETHEUS, **fields}


def run_of(*metrics, status=None, **spec):
    return {"metadata": {}, "spec": {"metrics": list(metrics), **spec}, "status": status or {}}


def no_secret(name, key):
    raise ArgumentError(f'secrets "{name}" not found')


def judged(run, now, phases, took=timedelta()):
    """One turn of the engine: everything that is due is measured with the next of its phases."""
    found = plan(run, now, no_secret)
    taken = {}
    for due in found.due:
        phase = phases[due["name"]].pop(0)
        message = "down" if phase == "Error" else ""
        taken[due["name"]] = Taken(Measured(phase, message=message), now, now + took)
    return found, conclude(run, found, taken, now + took)


def played(run, phases, turns=100):
    """All turns of a run until it ends or until there are no more phases; the statuses."""
    now, statuses = NOW, []
    run = copy.deepcopy(run)
    for _ in range(turns):
        found = plan(run, now, no_secret)
        if any(not phases[due["name"]] for due in found.due):
            break
        _, verdict = judged(run, now, phases)
        run["status"] = verdict.status
        statuses.append(verdict.status)
        if verdict.status["phase"] in COMPLETED:
            break
        now = max(now, verdict.wake_at or now)
    return statuses


PHASES = st.lists(st.sampled_from(["Successful", "Failed", "Inconclusive", "Error"]), min_size=1, max_size=12)
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "count": st.integers(6, 9),
        "failureLimit": st.integers(0, 3),
        "inconclusiveLimit": st.integers(0, 3),
        "consecutiveErrorLimit": st.integers(0, 3),
        "consecutiveSuccessLimit": st.integers(0, 3),
    },
)
RULES = settings(deadline=None, database=None)


@RULES
@given(PHASES, LIMITS)
def test_the_counters_are_those_of_the_measurements(phases, limits):
    statuses = played(run_of(metric(interval="1s", **limits)), {"m": list(phases)})
    result = statuses[-1]["metricResults"][0]
    taken = phases[: sum(result.get(c, 0) for c in COUNTERS)]
    for counter in COUNTERS:
        assert result.get(counter, 0) == taken.count(counter.capitalize())
    assert result.get("count", 0) == len(taken) - taken.count("Error")
    assert len(result["measurements"]) == min(10, len(taken))


@RULES
@given(PHASES, LIMITS)
def test_a_run_ends_with_the_first_limit_that_is_exceeded(phases, limits):
    status = played(run_of(metric(interval="1s", **limits)), {"m": list(phases)})[-1]
    result = status["metricResults"][0]
    exceeded = {
        "Failed": result.get("failed", 0) > limits.get("failureLimit", 0),
        "Inconclusive": result.get("inconclusive", 0) > limits.get("inconclusiveLimit", 0),
        "Error": result.get("consecutiveError", 0) > limits.get("consecutiveErrorLimit", 4),
    }
    if any(exceeded.values()):
        assert exceeded[status["phase"]]
        assert status["message"].startswith(f'Metric "m" assessed {status["phase"]} due to ')
        assert "completedAt" in status
    else:
        assert status["phase"] in ("Running", "Successful", "Inconclusive")


@RULES
@given(PHASES, LIMITS, st.integers(1, 7))
def test_a_run_never_moves_once_it_has_ended(phases, limits, other):
    statuses = played(run_of(metric(interval="1s", **limits)), {"m": list(phases)})
    ended = [s["phase"] in COMPLETED for s in statuses]
    assert ended.count(True) <= 1
    assert not any(ended[:-1])


@RULES
@given(PHASES, PHASES)
def test_the_worst_metric_is_the_run(one, two):
    run = run_of(metric("one", count=1), metric("two", count=1))
    statuses = played(run, {"one": list(one), "two": list(two)})
    results = {r["name"]: r["phase"] for r in statuses[-1]["metricResults"]}
    order = ["Successful", "Running", "Inconclusive", "Error", "Failed"]
    phase = statuses[-1]["phase"]
    if phase in COMPLETED:
        assert phase == max(results.values(), key=order.index)
    else:
        assert "Running" in results.values()


def test_a_verdict_of_several_metrics_falls_one_look_later():
    """Recorded: scenario two-metrics-one-fails."""
    run = run_of(metric("a", count=20, interval="1s"), metric("b", count=3, interval="1s"))
    first, second = played(run, {"a": ["Successful"], "b": ["Failed"]})
    assert (first["phase"], first["runSummary"]) == ("Running", {"count": 2, "failed": 1})
    assert second["phase"] == "Failed"
    assert second["runSummary"] == {"count": 2, "failed": 1, "successful": 1}
    assert second["message"] == 'Metric "b" assessed Failed due to failed (1) > failureLimit (0)'


@pytest.mark.parametrize(
    ("phase", "interval", "wake"), [("Successful", "30s", 30), ("Successful", "1m30s", 90), ("Error", "30s", 10)]
)
def test_the_next_measurement_counts_from_the_cut_end_of_the_last(phase, interval, wake):
    run = run_of(metric(interval=interval))
    _, verdict = judged(run, NOW, {"m": [phase]}, took=timedelta(seconds=2))
    end = (NOW + timedelta(seconds=2)).replace(microsecond=0)
    assert verdict.wake_at == end + timedelta(seconds=wake)
    assert parse_time(verdict.status["metricResults"][0]["measurements"][0]["finishedAt"]) == end


def test_an_initial_delay_counts_from_the_cut_start():
    run = run_of(metric(initialDelay="2s"))
    found, verdict = judged(run, NOW, {})
    assert found.due == ()
    assert verdict.status["phase"] == "Running"
    assert verdict.wake_at == NOW.replace(microsecond=0) + timedelta(seconds=2)
    run["status"] = verdict.status
    assert plan(run, verdict.wake_at - timedelta(milliseconds=1), no_secret).due == ()
    assert [m["name"] for m in plan(run, verdict.wake_at, no_secret).due] == ["m"]


def test_one_look_says_each_ending_once():
    run = run_of(metric("a"), metric("b"))
    _, verdict = judged(run, NOW, {"a": ["Successful"], "b": ["Successful"]})
    assert [e.reason for e in verdict.events] == ["MetricSuccessful", "MetricSuccessful", "AnalysisRunSuccessful"]


def test_neither_function_changes_what_it_is_given():
    run = run_of(metric(interval="1s", count=3), args=[{"name": "x", "value": "1"}])
    before = copy.deepcopy(run)
    _, verdict = judged(run, NOW, {"m": ["Failed"]})
    assert run == before
    run["status"] = verdict.status
    before = copy.deepcopy(run)
    plan(run, NOW, no_secret)
    assert run == before


@pytest.mark.parametrize(
    ("phase", "strategy", "seconds"),
    [
        ("Successful", {"secondsAfterCompletion": 60}, 60),
        ("Successful", {"secondsAfterCompletion": 60, "secondsAfterSuccess": 5}, 5),
        ("Failed", {"secondsAfterSuccess": 5}, None),
        ("Failed", {"secondsAfterFailure": 7}, 7),
        ("Error", {"secondsAfterFailure": 7}, None),
        ("Running", {"secondsAfterCompletion": 60}, None),
        ("Successful", {}, None),
    ],
)
def test_a_finished_run_is_deleted_by_its_ttl(phase, strategy, seconds):
    status = {"phase": phase, "completedAt": "2026-05-04T03:02:01Z"}
    run = run_of(metric(), status=status, ttlStrategy=strategy)
    expected = None if seconds is None else NOW.replace(microsecond=0) + timedelta(seconds=seconds)
    assert expires_at(run) == expected
