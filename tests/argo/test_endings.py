"""The word for how a rollout ended, or that it continues."""

from typing import Any

import pytest

from companyos_canary.argo.endings import Followed, Until, ended, impossible
from companyos_canary.argo.phase import waits_for_a_person
from companyos_canary.errors import UsageError
from companyos_canary.model.rollout import Rollout
from tests.argo.test_patches import ABORTED, AT_PAUSE, HEALTHY
from tests.builders import CANARY, NAME, STABLE, pause, rollout

OURS = Followed(f"{NAME}:v1.1.0", CANARY, NAME)
PROMOTED: dict[str, Any] = {**HEALTHY, "current": CANARY, "stable": CANARY}


def late(hash_: str) -> dict[str, Any]:
    name = f'ReplicaSet "{NAME}-{hash_}"'
    return {"phase": "Degraded", "message": f"ProgressDeadlineExceeded: {name} has timed out progressing."}


def word(live: Rollout, until: str = "healthy", *, somebody: bool = True) -> str | None:
    return ended(live, OURS, Until.parse(until), attended=somebody)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, None),
        (PROMOTED, "healthy"),
        ({**PROMOTED, "generation": 9, "observed": 8}, None),
        (ABORTED, "rolled-back"),
        ({**ABORTED, "updated": 2}, None),
        (late(CANARY), "degraded"),
        (late("699b575fc8"), None),
        ({**ABORTED, "aborted_at": None}, None),
        ({"current": "other"}, "superseded"),
        (HEALTHY, "reverted"),
        (AT_PAUSE, None),
    ],
    ids=[
        "on its way",
        "promoted",
        "a newer spec is not seen yet",
        "aborted",
        "still draining",
        "deadline",
        "the deadline of the version before",
        "the abort of the version before",
        "another version",
        "old image put back",
        "paused with somebody there",
    ],
)
def test_a_rollout_ends_with_one_word(state: dict[str, Any], expected: str | None) -> None:
    assert word(rollout(**state)) == expected


def test_an_endless_pause_ends_it_where_nobody_is_there() -> None:
    assert word(rollout(**AT_PAUSE), somebody=False) == "paused"
    timed = rollout(**{**AT_PAUSE, "steps": ({"setWeight": 20}, pause("5m"))})
    assert word(timed, somebody=False) is None


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (AT_PAUSE, True),
        ({"paused": True, "phase": "Paused"}, True),
        ({"phase": "Paused", "pause_reason": "InconclusiveAnalysisRun"}, True),
        ({**AT_PAUSE, "steps": ({"setWeight": 20}, pause(30))}, False),
        (ABORTED, False),
        ({}, False),
    ],
)
def test_who_is_waited_for(state: dict[str, Any], expected: bool) -> None:
    assert waits_for_a_person(rollout(**state)) is expected


@pytest.mark.parametrize(
    ("until", "state", "expected"),
    [
        ("paused", AT_PAUSE, "reached"),
        ("step=2", {"step_index": 3}, "reached"),
        ("step=3", {"step_index": 3}, None),
        ("weight=25", {"step_index": 3}, "reached"),
        ("weight=25", {"step_index": 2}, None),
        ("weight=10", {"step_index": 2}, "reached"),
        ("weight=50", PROMOTED, "reached"),
        ("weight=50", ABORTED, "rolled-back"),
    ],
)
def test_until_names_a_state_that_is_reached(until: str, state: dict[str, Any], expected: str | None) -> None:
    assert word(rollout(**state), until) == expected


@pytest.mark.parametrize("text", ["", "done", "step", "step=x", "weight=-1", "weight=5%"])
def test_until_refuses_what_is_no_state(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Until.parse(text)
    assert "healthy, paused, step=N or weight=N" in refused.value.hint


def test_a_version_that_is_stable_from_the_start_is_healthy_not_reverted() -> None:
    followed = Followed(f"{NAME}:v1.0.0", STABLE, NAME)
    assert ended(rollout(**HEALTHY), followed, Until(), attended=True) == "healthy"


def test_a_step_that_there_is_not_can_never_be_reached() -> None:
    assert impossible(rollout(), Until.parse("step=3")) == ""
    assert "has 3 steps: there is no step 9" in impossible(rollout(), Until.parse("step=9"))
