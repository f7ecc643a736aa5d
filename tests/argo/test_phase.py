"""The controller's phase and message, against every Rollout status in the recordings."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from companyos_canary.argo.phase import Phase, calculated_phase, shown_phase
from companyos_canary.model.rollout import Rollout

_PAUSES = ("CanaryPauseStep", "BlueGreenPause", "InconclusiveAnalysisRun", "InconclusiveExperiment")


def recorded() -> list[tuple[str, Rollout]]:
    path = Path(__file__).parents[1] / "conformance" / "rollouts.jsonl.gz"
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return [(row["from"], Rollout.from_object(row["object"])) for row in rows]


def written_by_a_client(rollout: Rollout) -> bool:
    """Status and spec do not belong together: a verb has changed one, the controller not yet the
    other."""
    unpaused = rollout.status_message in _PAUSES and not rollout.pause_conditions
    return not rollout.observed or unpaused


def test_the_calculated_phase_is_what_the_controller_wrote_in_every_recorded_status() -> None:
    checked = 0
    for scenario, rollout in recorded():
        if written_by_a_client(rollout):
            continue
        checked += 1
        wrote = Phase(rollout.status_phase, rollout.status_message)
        assert calculated_phase(rollout) == wrote, f"{scenario}: {rollout.raw}"
    assert checked > 500


def test_the_shown_phase_of_what_the_controller_wrote_is_the_stored_one() -> None:
    for scenario, rollout in recorded():
        unpausing = rollout.controller_pause and not rollout.pause_conditions
        if written_by_a_client(rollout) or unpausing:
            continue
        wrote = Phase(rollout.status_phase, rollout.status_message)
        assert shown_phase(rollout) == wrote, scenario


def rollout(status: dict[str, Any], *, generation: int = 2, **spec: Any) -> Rollout:
    return Rollout.from_object(
        {"metadata": {"generation": generation}, "spec": {"strategy": {"canary": {}}, **spec}, "status": status}
    )


@pytest.mark.parametrize("seen", ["1", "0", "-1"])
def test_a_spec_that_was_not_observed_is_shown_before_anything_else(seen: str) -> None:
    shown = shown_phase(rollout({"observedGeneration": seen, "phase": "Healthy"}))
    assert shown == Phase("Progressing", "waiting for rollout spec update to be observed")


@pytest.mark.parametrize("seen", ["2", "3", "", "6cbcc655c7"])
def test_a_newer_or_unreadable_observed_generation_counts_as_observed(seen: str) -> None:
    shown = shown_phase(rollout({"observedGeneration": seen, "phase": "Healthy"}))
    assert shown == Phase("Healthy", "")


def test_a_pause_whose_condition_was_taken_away_waits_to_be_unpaused() -> None:
    status = {"observedGeneration": "2", "controllerPause": True, "phase": "Paused", "message": "CanaryPauseStep"}
    assert shown_phase(rollout(status)) == Phase("Progressing", "waiting for rollout to unpause")


def test_a_rollout_the_controller_has_not_seen_needs_more_replicas() -> None:
    assert shown_phase(rollout({})) == Phase("Progressing", "more replicas need to be updated")
    assert shown_phase(rollout({}, paused=True)) == Phase("Paused", "manually paused")


def test_no_replicas_count_as_one_wanted() -> None:
    assert calculated_phase(rollout({"updatedReplicas": 0})).message == ("more replicas need to be updated")
    promoted = {"stableRS": "a", "currentPodHash": "a"}
    assert calculated_phase(rollout(promoted, replicas=0)) == Phase("Healthy", "")


def test_an_abort_outweighs_a_pause() -> None:
    aborted = {
        "type": "Progressing",
        "status": "False",
        "reason": "RolloutAborted",
        "message": "Rollout aborted update to revision 2",
    }
    status = {"conditions": [aborted], "pauseConditions": [{"reason": "CanaryPauseStep"}]}
    assert calculated_phase(rollout(status, paused=True)) == Phase(
        "Degraded", "RolloutAborted: Rollout aborted update to revision 2"
    )
