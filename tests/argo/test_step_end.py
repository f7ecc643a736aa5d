from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from companyos_canary.argo.steps import weight_steps
from companyos_canary.argo.timeline import step_end, step_times
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.quantity import format_time
from companyos_canary.model.snapshot import Snapshot
from tests.builders import ANALYSIS, NOW, PAUSE, event, pause, result_object, run, run_object, snapshot

VALUES = [result_object("error-rate", ["[0.01]"], phase="Successful")]
STEPS = ({"setWeight": 10}, ANALYSIS, {"setWeight": 25}, pause("5s"), {"setWeight": 50}, PAUSE, {"setWeight": 75})


def first(**fields: Any) -> AnalysisRun:
    return run(VALUES, step_index=1, **{"phase": "Successful", **fields})


def terminated(phase: str) -> AnalysisRun:
    raw = run_object(VALUES, step_index=1, phase=phase)
    return AnalysisRun.from_object({**raw, "spec": {**raw["spec"], "terminate": True}})


def words(moment: Snapshot, steps: Sequence[int] = (1, 2, 3, 4)) -> list[str]:
    groups = weight_steps(moment.rollout.steps)
    return [step_end(moment, groups[n - 1]).word for n in steps]


def test_only_an_analysis_that_succeeded_was_passed() -> None:
    moment = snapshot(steps=STEPS, step_index=6, runs=[first()])
    assert words(moment) == ["passed", "pause over", "pause over", "done"]


@pytest.mark.parametrize(
    "skipped",
    [first(phase="Inconclusive"), first(message="Run Terminated"), terminated("Running"), terminated("Successful")],
    ids=["inconclusive", "terminated", "being terminated", "terminated and asked for"],
)
def test_a_step_that_was_left_without_a_verdict_was_skipped(skipped: AnalysisRun) -> None:
    assert words(snapshot(steps=STEPS, step_index=6, runs=[skipped]), [1]) == ["skipped"]


def test_a_run_that_has_not_said_its_word_yet_is_waited_for() -> None:
    moment = snapshot(steps=STEPS, step_index=2, runs=[first(phase="Running")])
    end = step_end(moment, weight_steps(moment.rollout.steps)[0])
    assert (end.word, end.settled) == ("done", False)


def test_a_verdict_that_is_no_longer_there_is_not_made_up() -> None:
    assert words(snapshot(steps=STEPS, step_index=2), [1]) == ["done"]


def test_what_a_full_promote_left_out_was_skipped() -> None:
    moment = snapshot(steps=STEPS, step_index=7, runs=[], status={"promoteFull": True})
    assert words(moment, [1, 2]) == ["skipped", "pause over"]


def test_the_runs_are_those_of_the_step_alone() -> None:
    moment = snapshot(steps=STEPS, step_index=6, runs=[first()])
    groups = weight_steps(moment.rollout.steps)
    assert [len(step_end(moment, g).runs) for g in groups] == [1, 0, 0, 0]


@pytest.mark.parametrize("combined", ["", "(combined from similar events): "])
def test_the_controller_says_when_a_step_was_completed_also_among_similar_events(combined: str) -> None:
    at = NOW - timedelta(seconds=5)
    said = event("RolloutStepCompleted", f"{combined}Rollout step 2/7 completed (analysis)", at=at)
    began = {"duration": {"rolloutStartedAt": format_time(NOW - timedelta(minutes=1))}}
    moment = snapshot(steps=STEPS, step_index=2, events=[said], status=began)
    assert step_times(moment) == {1: at}
