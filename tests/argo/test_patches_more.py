"""The decisions of pause, resume, retry, restart, promote --full and undo."""

import json
from typing import Any

import pytest

from companyos_canary.argo.history import previous_stable
from companyos_canary.argo.patches.act import abort, pause, restart, resume, retry
from companyos_canary.argo.patches.decision import Change, Nothing, Patch, Refusal
from companyos_canary.argo.patches.promote import only_if, promote_full
from companyos_canary.argo.patches.record import (
    ACTION,
    RECORD,
    Record,
    action_of,
    ever_stable,
    record_of,
    stable_hashes,
    with_reason,
)
from companyos_canary.argo.patches.template import template_of, undo
from companyos_canary.argo.skipped import skipped
from companyos_canary.model.http import MERGE_PATCH
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import ReplicaSet
from tests.argo.test_patches import ABORTED, AT_PAUSE, HEALTHY, body, refusal
from tests.builders import (
    CANARY,
    NAME,
    NOW,
    STABLE,
    replicaset,
    replicaset_object,
    result_object,
    rollout,
    rollout_object,
    run,
    snapshot,
)

UNDONE = Record("ana", NOW, "wrong tag", f"{NAME}:v1.0.0", CANARY, ("one", "two"))
RUN = {"canary": {"currentStepAnalysisRunStatus": {"name": "r", "status": "Running"}}}


def test_pause_sets_spec_paused_and_says_that_a_running_analysis_goes_on() -> None:
    decision = pause(rollout(status=RUN))
    assert body(decision)[-1] == {"op": "add", "path": "/spec/paused", "value": True}
    assert isinstance(decision, Change)
    assert "analysis keeps running" in decision.note


def test_pause_twice_has_nothing_to_do() -> None:
    assert isinstance(pause(rollout(paused=True)), Nothing)


def test_pause_is_refused_while_an_abort_moves_pods() -> None:
    assert "keep the canary's pods" in refusal(pause(rollout(**{**ABORTED, "updated": 2}))).message
    assert isinstance(pause(rollout(**ABORTED)), Change)


def test_resume_clears_spec_paused_and_skips_nothing() -> None:
    assert body(resume(rollout(paused=True)))[1:] == [
        {"op": "test", "path": "/spec/paused", "value": True},
        {"op": "replace", "path": "/spec/paused", "value": False},
    ]


def test_resume_pins_what_it_lets_go_on() -> None:
    live = rollout(paused=True)
    pin = {"op": "test", "path": "/metadata/resourceVersion", "value": live.resource_version}
    assert body(resume(live))[0] == pin


def test_resume_at_a_pause_step_says_that_it_still_waits() -> None:
    decision = resume(rollout(**AT_PAUSE, paused=True))
    assert isinstance(decision, Change)
    assert "still waits at step 1/2 (pause)" in decision.note


def test_resume_of_what_only_a_promote_ends_is_refused() -> None:
    refused = refusal(resume(rollout(**AT_PAUSE)))
    assert "canary promote" in refused.hint


def test_resume_of_what_goes_on_has_nothing_to_do() -> None:
    assert isinstance(resume(rollout()), Nothing)


def test_retry_pins_the_spec_the_hash_and_the_abort_and_that_no_full_promote_came() -> None:
    live = rollout(**ABORTED)
    assert body(retry(live)) == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": live.resource_version},
        {"op": "test", "path": "/metadata/generation", "value": live.generation},
        {"op": "test", "path": "/status/currentPodHash", "value": CANARY},
        {"op": "test", "path": "/status/abort", "value": True},
        {"op": "replace", "path": "/status/abort", "value": False},
    ]


def test_retry_is_refused_where_nothing_was_aborted() -> None:
    assert isinstance(retry(rollout()), Refusal)


def test_restart_is_refused_in_the_middle_of_a_release() -> None:
    assert isinstance(restart(rollout(), NOW), Refusal)
    wanted = {"op": "add", "path": "/spec/restartAt", "value": "2026-03-02T12:04:33Z"}
    assert body(restart(rollout(**HEALTHY), NOW))[-1] == wanted


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ({}, Change),
        (AT_PAUSE, Change),
        (ABORTED, Refusal),
        (HEALTHY, Nothing),
        ({"generation": 9, "observed": 8}, Refusal),
    ],
)
def test_a_full_promote_never_ships_what_was_aborted(state: dict[str, Any], kind: type) -> None:
    assert isinstance(promote_full(rollout(**state)), kind)


def test_a_full_promote_under_a_pause_by_hand_resumes_as_well() -> None:
    decision = promote_full(rollout(paused=True))
    assert body(decision, 0)[-1] == {"op": "add", "path": "/status/promoteFull", "value": True}
    assert body(decision, 1)[-1] == {"op": "replace", "path": "/spec/paused", "value": False}


def old(
    hash: str,  # noqa: A002
    revision: int,
    image: str,
    stable: str = "",
    record_image: str = "",
) -> ReplicaSet:
    record = Record("ana", NOW, "", record_image or image, stable)
    return replicaset(
        hash=hash, revision=revision, image=image, desired=0, annotations={RECORD: record.text()} if stable else {}
    )


def finished(sets: tuple[ReplicaSet, ...]) -> Snapshot:
    return Snapshot(rollout(**HEALTHY), sets)


def test_an_undo_goes_to_what_was_stable_never_to_an_aborted_version() -> None:
    sets = (
        replicaset(
            hash=STABLE,
            revision=7,
            image=f"{NAME}:v4",
            annotations={RECORD: Record("a", NOW, "", f"{NAME}:v4", "one").text()},
        ),
        old("bad2", 6, f"{NAME}:v3", stable="one"),
        old("bad1", 5, f"{NAME}:v2", stable="one"),
        old("one", 4, f"{NAME}:v1"),
    )
    look = finished(sets)
    assert ever_stable(look) == {STABLE, "one"}
    found = previous_stable(look)
    assert found is not None
    assert found.hash == "one"


def test_mid_way_an_undo_goes_to_the_stable_version() -> None:
    found = previous_stable(snapshot())
    assert found is not None
    assert found.hash == STABLE


def test_without_a_record_nobody_guesses() -> None:
    sets = (replicaset(hash=STABLE, revision=7), old("bad", 6, f"{NAME}:v3"))
    assert previous_stable(finished(sets)) is None


def test_a_record_of_another_image_is_not_believed() -> None:
    sets = (
        replicaset(hash=STABLE, revision=7),
        old("bad", 6, f"{NAME}:v3", stable="one", record_image=f"{NAME}:v9"),
        old("one", 5, f"{NAME}:v1"),
    )
    assert previous_stable(finished(sets)) is None


def test_an_undo_writes_the_template_without_what_the_controller_put_into_it() -> None:
    raw = replicaset_object(hash=STABLE, revision=7, image=f"{NAME}:v1.0.0")
    raw["spec"]["template"]["metadata"] = {
        "labels": {"app": NAME, "canary": "false", "rollouts-pod-template-hash": STABLE}
    }
    live = rollout_object()
    live["spec"]["strategy"]["canary"]["stableMetadata"] = {"labels": {"canary": "false"}}
    template = template_of(Rollout.from_object(live), ReplicaSet.from_object(raw))
    assert template == {
        "metadata": {"labels": {"app": NAME}},
        "spec": {"containers": [{"name": NAME, "image": f"{NAME}:v1.0.0"}]},
    }


def test_an_undo_leaves_a_record_and_carries_on_what_is_known() -> None:
    operations = body(undo(rollout(), replicaset(hash=STABLE, revision=7), UNDONE))
    assert [o["op"] for o in operations] == ["test", "test", "test", "test", "replace", "add"]
    assert {"op": "test", "path": "/status/stableRS", "value": STABLE} in operations
    annotations = {RECORD: operations[-1]["value"]}
    assert record_of(annotations)["by"] == "ana"
    assert stable_hashes(annotations) == (CANARY, "one", "two")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"known": 3}', '{"stable": 1, "known": [2]}'])
def test_a_record_that_is_none_knows_nothing(text: str) -> None:
    assert stable_hashes({RECORD: text}) == ()


def test_an_undo_to_where_it_is_has_nothing_to_do() -> None:
    here = replicaset(hash=STABLE, revision=7)
    assert isinstance(undo(rollout(**HEALTHY), here, UNDONE), Nothing)
    assert isinstance(undo(rollout(), here, UNDONE), Change)


def test_a_reason_goes_behind_the_patch_and_none_leaves_it_alone() -> None:
    plain = abort(rollout())
    assert with_reason(plain, "abort", "ana", NOW, "") is plain
    told = with_reason(plain, "abort", "ana", NOW, "wrong tag")
    assert isinstance(told, Change)
    assert told.patches[0] == Patch({"status": {"abort": True, "promoteFull": False}}, MERGE_PATCH, "status")
    assert json.loads(body(told, 1)["metadata"]["annotations"][ACTION]) == {
        "verb": "abort",
        "by": "ana",
        "at": "2026-03-02T12:04:33Z",
        "reason": "wrong tag",
    }


def test_a_reason_with_a_byte_that_is_no_text_can_be_read_again() -> None:
    told = with_reason(abort(rollout()), "abort", "ana", NOW, "caf\udce9")
    assert isinstance(told, Change)
    assert action_of(body(told, 1)["metadata"]["annotations"])["reason"] == "caf\\udce9"


def test_a_condition_on_step_or_revision_refuses_what_has_moved_on() -> None:
    assert only_if(rollout(), step=2, revision=8) is None
    moved = only_if(rollout(), step=1, revision=None)
    assert moved is not None
    assert "is at step 2/3 (analysis), not at step 1" in moved.message
    other = only_if(rollout(), step=None, revision=7)
    assert other is not None
    assert "is on revision 8, not 7" in other.message


def test_a_full_promote_says_what_it_leaves_out() -> None:
    assert skipped(snapshot()).sentence == "the steps at 25 % and 50 % and 2 analyses"
    measured = snapshot(runs=[run([result_object("error-rate", ["[0.01]", "[0.02]"])])])
    assert "(2 of 20 measurements were made)" in skipped(measured).sentence
    assert skipped(snapshot(**AT_PAUSE)).pauses == 1
    assert skipped(finished(())).sentence == "nothing"
