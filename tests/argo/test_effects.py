"""When an effect counts as seen."""

from typing import Any

from companyos_canary.argo.effects import Effect, aborted, drained, promoted
from tests.argo.test_patches import ABORTED, AT_PAUSE, HEALTHY
from tests.builders import NOW, rollout

CONDITION: dict[str, Any] = {"conditions": [{"type": "Progressing", "status": "False", "reason": "RolloutAborted"}]}


def test_an_abort_is_seen_when_the_controller_says_so_not_when_it_was_written() -> None:
    before = rollout()
    assert aborted(before, rollout(aborted_at=NOW)) is Effect.PENDING
    assert aborted(before, rollout(**ABORTED, status=CONDITION)) is Effect.SEEN


def test_an_abort_that_the_controller_dropped_is_lost_or_too_late() -> None:
    before = rollout()
    assert aborted(before, rollout()) is Effect.LOST
    promoted_meanwhile = rollout(stable=before.current_hash, phase="Healthy")
    assert aborted(before, promoted_meanwhile) is Effect.OTHER


def test_an_abort_is_drained_when_no_canary_pod_is_left_and_stable_is_whole() -> None:
    assert drained(rollout(**ABORTED))
    assert not drained(rollout(**{**ABORTED, "updated": 1}))
    assert not drained(rollout(**{**ABORTED, "total": 9}))


def test_a_promote_is_seen_when_the_step_moves_on() -> None:
    before = rollout(**AT_PAUSE)
    waiting = rollout(**{**AT_PAUSE, "pause_reason": ""}, status={"controllerPause": True})
    assert promoted(before, waiting) is Effect.PENDING
    assert promoted(before, rollout(**{**AT_PAUSE, "step_index": 2})) is Effect.SEEN


def test_a_promote_is_lost_when_the_same_step_pauses_anew() -> None:
    before = rollout(**AT_PAUSE, pause_started=NOW.replace(minute=0))
    assert promoted(before, rollout(**AT_PAUSE, pause_started=NOW)) is Effect.LOST


def test_a_resume_is_seen_when_the_controller_has_observed_it() -> None:
    before = rollout(paused=True)
    assert promoted(before, rollout(generation=9, observed=8)) is Effect.PENDING
    assert promoted(before, rollout(generation=9)) is Effect.SEEN


def test_somebody_elses_change_is_not_our_effect() -> None:
    assert promoted(rollout(**AT_PAUSE), rollout(**ABORTED)) is Effect.OTHER
    assert promoted(rollout(**AT_PAUSE), rollout(**HEALTHY)) is Effect.OTHER
