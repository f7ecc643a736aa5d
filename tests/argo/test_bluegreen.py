"""Blue-green: decisions and effects on every state that the controller was recorded in."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from companyos_canary.argo.durations import analysis_templates_of, default_timeout, planned_duration
from companyos_canary.argo.effects import Effect, drained, promoted
from companyos_canary.argo.endings import Followed, Until, ended, impossible
from companyos_canary.argo.patches.act import abort, pause, restart, resume, retry
from companyos_canary.argo.patches.decision import Change, Nothing, Refusal
from companyos_canary.argo.patches.promote import only_if, promote, promote_full
from companyos_canary.argo.phase import calculated_phase, shown_phase, waits_for_a_person
from companyos_canary.argo.skipped import skipped
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from tests.builders import NOW

RECORDED = json.loads((Path(__file__).parent / "fixtures" / "bluegreen.json").read_text())
NAME = "companyos-api"


def states(scenario: str) -> list[Rollout | str]:
    """What was recorded, in order: the Rollout, and the verbs between."""
    found = RECORDED[scenario]
    return [s if isinstance(s, str) else _rollout(s, found["strategy"]) for s in found["states"]]


def _rollout(state: dict[str, Any], strategy: dict[str, Any]) -> Rollout:
    template = {"spec": {"containers": [{"name": NAME, "image": state["image"]}]}}
    return Rollout.from_object(
        {
            "metadata": {
                "name": NAME,
                "generation": state["generation"],
                "annotations": {"rollout.argoproj.io/revision": state["revision"]},
            },
            "spec": {
                "replicas": state["replicas"],
                "paused": state["paused"],
                "template": template,
                "strategy": strategy,
            },
            "status": state["status"],
        }
    )


def rollouts(scenario: str) -> list[Rollout]:
    return [s for s in states(scenario) if isinstance(s, Rollout)]


def first(scenario: str, message: str, *, number: int = 0) -> Rollout:
    """The first state that a client shows with this message."""
    shown = [r for r in rollouts(scenario) if shown_phase(r).message.startswith(message)]
    return shown[number]


def since(scenario: str, verb: str, *, number: int = 0) -> tuple[Rollout, list[Rollout]]:
    """The Rollout before a verb, and its states after it up to the next verb."""
    found = states(scenario)
    at = [i for i, s in enumerate(found) if s == verb][number]
    before = found[at - 1]
    after: list[Rollout] = []
    for state in found[at + 1 :]:
        if isinstance(state, str):
            break
        after.append(state)
    assert isinstance(before, Rollout)
    return before, after


def every() -> Iterator[Rollout]:
    for scenario in RECORDED:
        yield from rollouts(scenario)


def refusal(decision: object) -> Refusal:
    assert isinstance(decision, Refusal), decision
    return decision


def test_the_phase_that_we_calculate_is_the_one_that_was_written() -> None:
    settled = [r for r in every() if r.observed and r.status_phase != "Degraded" and not r.aborted]
    agreeing = [
        r
        for r in settled
        if (calculated_phase(r).word, calculated_phase(r).message) == (r.status_phase, r.status_message)
    ]
    # A patch of someone shows in the fields before the controller has written the phase again.
    assert len(agreeing) > 0.85 * len(settled)


def test_promote_at_the_pause_takes_the_condition_away_and_pins_spec_hash_and_reason() -> None:
    decision = promote(first("pause-promote", "BlueGreenPause"), skip_step=False)
    assert isinstance(decision, Change)
    (patch,) = decision.patches
    assert (patch.subresource, patch.body) == (
        "status",
        [
            {"op": "test", "path": "/metadata/generation", "value": 3},
            {"op": "test", "path": "/status/currentPodHash", "value": "6f79fffc94"},
            {"op": "test", "path": "/status/pauseConditions/0/reason", "value": "BlueGreenPause"},
            {"op": "remove", "path": "/status/pauseConditions"},
        ],
    )
    assert not decision.note


def test_promote_on_top_of_a_pause_by_hand_resumes_first_and_then_promotes() -> None:
    held = first("manual-pause-on-top", "manually paused")
    decision = promote(held, skip_step=False)
    assert isinstance(decision, Change)
    assert decision.again
    assert decision.patches[0].body[-1] == {"op": "replace", "path": "/spec/paused", "value": False}


@pytest.mark.parametrize(
    ("scenario", "message", "words"),
    [
        ("promote-during-pre-promotion", "active service cutover", "pre-promotion analysis"),
        ("abort-during-post-promotion", "waiting for analysis", "post-promotion analysis"),
        ("pause-promote", "more replicas", "more replicas need to be updated"),
    ],
)
def test_promote_of_what_does_not_wait_says_what_runs(scenario: str, message: str, words: str) -> None:
    running = [
        r
        for r in rollouts(scenario)
        if shown_phase(r).message.startswith(message) and r.blue_green and (r.blue_green.run or "analysis" not in words)
    ]
    refused = refusal(promote(running[0], skip_step=False))
    assert words in refused.message
    assert "--full" in refused.hint


def test_promote_behind_an_analysis_without_a_verdict_says_that_a_new_run_decides() -> None:
    decision = promote(first("pre-promotion-inconclusive", "Inconclusive"), skip_step=False)
    assert isinstance(decision, Change)
    assert "a new run starts and decides" in decision.note


def test_promote_where_nothing_is_left_or_it_is_aborted() -> None:
    done = rollouts("pause-promote")[-1]
    assert isinstance(promote(done, skip_step=False), Nothing)
    assert isinstance(promote_full(done), Nothing)
    stopped = first("abort-before-promotion", "RolloutAborted")
    assert "canary retry" in refusal(promote(stopped, skip_step=False)).hint
    assert isinstance(promote_full(stopped), Refusal)


def test_steps_and_weights_are_refused_in_so_many_words() -> None:
    at_pause = first("pause-promote", "BlueGreenPause")
    assert "blue-green" in refusal(promote(at_pause, skip_step=True)).message
    assert "blue-green" in refusal(only_if(at_pause, step=1, revision=None)).message
    assert only_if(at_pause, step=None, revision=2) is None
    assert "blue-green" in impossible(at_pause, Until.parse("weight=20"))
    assert "blue-green" in impossible(at_pause, Until.parse("step=1"))
    assert not impossible(at_pause, Until.parse("paused"))


@pytest.mark.parametrize(
    ("scenario", "number"),
    [
        ("pause-promote", 0),
        ("manual-pause-on-top", 1),
        ("pre-promotion-inconclusive", 0),
        ("pre-promotion-inconclusive", 1),
        ("preview-replica-count", 0),
        ("promote-during-pre-promotion", 1),
        ("abort-before-promotion", 0),
    ],
)
def test_a_promote_is_seen_once_the_controller_has_acted_not_when_it_was_written(scenario: str, number: int) -> None:
    before, after = since(scenario, "promote", number=number)
    effects = [promoted(before, now) for now in after]
    assert effects[0] is Effect.PENDING
    assert Effect.LOST not in effects
    assert Effect.OTHER not in effects
    assert effects[-1] is Effect.SEEN
    seen = after[effects.index(Effect.SEEN)]
    assert not seen.controller_pause or seen.pause_conditions


def test_the_plugins_promote_on_top_of_a_pause_by_hand_was_lost_and_ours_would_see_that() -> None:
    before, after = since("manual-pause-on-top", "promote")
    at_pause = first("manual-pause-on-top", "BlueGreenPause")
    assert promoted(before, after[-1]) is Effect.SEEN  # the resume, behind which ours goes again
    assert promoted(at_pause, after[-1]) is Effect.LOST


def test_abort_is_for_what_is_not_promoted_yet() -> None:
    assert isinstance(abort(first("pause-promote", "BlueGreenPause")), Change)
    between = first("abort-during-post-promotion", "waiting for analysis")
    assert isinstance(abort(between), Change)
    before, _ = since("abort-after-promotion", "abort")
    assert "canary undo" in refusal(abort(before)).hint


def test_an_abort_is_over_when_the_active_service_is_back_not_when_the_preview_is_gone() -> None:
    _, after = since("abort-during-post-promotion", "abort")
    back = [r for r in after if r.aborted and drained(r)]
    assert back
    assert back[0].updated_replicas > 0
    away = [r for r in after if r.blue_green and r.blue_green.active != r.stable_hash]
    assert away
    assert not any(drained(r) for r in away)


def test_retry_pause_and_resume() -> None:
    stopped = first("abort-before-promotion", "RolloutAborted")
    assert isinstance(retry(stopped), Change)
    assert isinstance(retry(first("pause-promote", "BlueGreenPause")), Refusal)
    running = [r for r in rollouts("promote-during-pre-promotion") if r.blue_green and r.blue_green.run]
    decision = pause(running[0])
    assert isinstance(decision, Change)
    assert "analysis keeps running" in decision.note
    decision = resume(first("manual-pause-on-top", "manually paused"))
    assert isinstance(decision, Change)
    assert "canary promote" in decision.note
    assert "canary promote" in refusal(resume(first("pause-promote", "BlueGreenPause"))).hint
    assert isinstance(restart(first("pause-promote", "BlueGreenPause"), NOW), Refusal)
    assert isinstance(restart(rollouts("pause-promote")[-1], NOW), Change)


@pytest.mark.parametrize(
    ("scenario", "message", "expected"),
    [
        ("pause-promote", "BlueGreenPause", True),
        ("auto-promotion-seconds", "BlueGreenPause", False),
        ("pre-promotion-inconclusive", "Inconclusive", True),
        ("manual-pause-on-top", "manually paused", True),
        ("pause-promote", "more replicas", False),
    ],
)
def test_who_is_waited_for(scenario: str, message: str, expected: bool) -> None:
    assert waits_for_a_person(first(scenario, message)) is expected


def words(scenario: str, *, somebody: bool = True) -> list[str | None]:
    """The word for each state after the new version is shown, neighbours once."""
    found = rollouts(scenario)
    followed = Followed(f"{NAME}:v2", "6f79fffc94", NAME)
    begun = next(i for i, r in enumerate(found) if r.current_hash == "6f79fffc94")
    said: list[str | None] = []
    for live in found[begun:]:
        word = ended(live, followed, Until(), attended=somebody)
        if said[-1:] != [word]:
            said.append(word)
    return said


def test_following_ends_with_the_right_word_and_not_before() -> None:
    assert words("pause-promote") == [None, "healthy"]
    assert words("promote-full") == [None, "healthy"]
    assert words("auto-promotion-seconds", somebody=False) == [None, "healthy"]
    assert words("pause-promote", somebody=False)[:2] == [None, "paused"]
    assert words("abort-during-post-promotion") == [None, "rolled-back"]
    assert words("undo-before-promotion") == [None, "reverted"]


def test_what_a_full_promote_skips() -> None:
    at_pause = first("pause-promote", "BlueGreenPause")
    assert skipped(Snapshot(at_pause)).sentence == "1 pause"
    stuck = first("pre-promotion-inconclusive", "Inconclusive")
    assert skipped(Snapshot(stuck)).sentence == "1 analysis and 1 pause"
    between = first("abort-during-post-promotion", "waiting for analysis")
    assert skipped(Snapshot(between)).sentence == "1 analysis"


def test_what_deploy_waits_counts_the_pause_that_ends_by_itself_and_the_analyses() -> None:
    metric = {"name": "success-rate", "interval": "10s", "count": 7}
    templates = {"success-rate": {"spec": {"metrics": [metric]}}}
    judged = first("promote-during-pre-promotion", "BlueGreenPause")
    assert analysis_templates_of(judged) == ("success-rate",)
    assert planned_duration(judged, templates) == timedelta(seconds=60)
    by_itself = first("auto-promotion-seconds", "BlueGreenPause")
    assert default_timeout(by_itself, {}) == timedelta(seconds=2 * 3 + 600)
