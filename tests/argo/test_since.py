"""Since when a Rollout is as it is: the recorded states, and what must hold in each."""

from datetime import datetime

import pytest

from companyos_canary.argo.phase import since
from companyos_canary.model.rollout import Rollout
from tests.builders import NOW, rollout
from tests.view.recorded import recorded


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("aborted-by-hand", "05:11:31"),
        ("analysing", "05:11:28"),
        ("analysis-failed", "05:11:46"),
        ("bad-image", "05:11:59"),
        ("healthy", "05:11:35"),
        ("inconclusive", "05:11:48"),
        ("invalid-spec", "05:12:15"),
        ("paused", "05:11:28"),
        ("paused-by-hand", "05:11:43"),
        ("timed-pause", "05:11:31"),
    ],
)
def test_a_recorded_state_says_since_when(name: str, at: str) -> None:
    found = since(recorded(name).rollout)
    assert found == datetime.fromisoformat(f"2026-11-23T{at}+00:00")


def test_an_older_controller_tells_by_the_pause() -> None:
    assert (
        since(
            rollout(
                phase="Paused", steps=({"pause": {}},), step_index=0, pause_reason="CanaryPauseStep", pause_started=NOW
            )
        )
        == NOW
    )


@pytest.mark.parametrize("phase", ["Healthy", "Progressing", "Paused", "Degraded"])
def test_a_status_without_times_says_nothing(phase: str) -> None:
    assert since(rollout(phase=phase)) is None
    assert since(Rollout.from_object({"status": {"phase": phase}})) is None
