"""Whatever people do to a Rollout, in whatever order, some things hold."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companyos_canary.argo.phase import calculated_phase
from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.controller.passes import hash_of
from companyos_canary.sandbox.kinds import REPLICASET, ROLLOUT
from tests.sandbox.stage import Stage

STEPS: list[dict[str, Any]] = [
    {"setWeight": 20},
    {"pause": {}},
    {"setWeight": 50},
    {"pause": {"duration": 2}},
    {"analysis": {"templates": [{"templateName": "ok"}]}},
    {"setWeight": 80},
]

VERBS: dict[str, Any] = {
    "v1": lambda s: s.set_image("v1"),
    "v2": lambda s: s.set_image("v2"),
    "v3": lambda s: s.set_image("v3"),
    "bad": lambda s: s.set_image("bad1"),
    "promote": lambda s: s.promote(),
    "full": lambda s: s.status(promoteFull=True),
    "abort": lambda s: s.abort(),
    "retry": lambda s: s.retry(),
    "pause": lambda s: s.set_paused(True),
    "resume": lambda s: s.set_paused(False),
    "restart": lambda s: s.restart(),
    "scale to 3": lambda s: s.edit(lambda r: r["spec"].update(replicas=3)),
    "scale to 8": lambda s: s.edit(lambda r: r["spec"].update(replicas=8)),
    "scale to 0": lambda s: s.edit(lambda r: r["spec"].update(replicas=0)),
    "other steps": lambda s: s.edit(lambda r: r["spec"]["strategy"]["canary"].update(steps=STEPS[:2])),
    "good answers": lambda s: s.answers.update(ok=1),
    "bad answers": lambda s: s.answers.update(ok=0),
}
moves = st.lists(st.tuples(st.sampled_from(sorted(VERBS)), st.sampled_from([0.0, 0.3, 1.5, 8.0])), max_size=12)
lawful = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def played(sequence: list[tuple[str, float]]) -> Stage:
    stage = Stage(STEPS)
    stage.template("ok")
    stage.answers["ok"] = 1
    stage.run(2)
    for verb, seconds in sequence:
        VERBS[verb](stage)
        stage.run(seconds)
    return stage


def check_ships_in_the_end(sequence: list[tuple[str, float]]) -> None:
    """Unless a version that cannot run was made stable (with no replicas it can be): its pods and
    those before it may then wait for each other."""
    stage = played(sequence)
    stable = stage.rollout.stable_hash
    if any(hash_of(s) == stable and "bad" in i for s, i in zip(stage.sets(), stage.images(), strict=True)):
        return
    stage.set_paused(False)
    stage.set_image("v9")
    stage.run(5)
    stage.status(promoteFull=True)
    stage.run(60)
    wanted = stage.rollout.replicas
    assert stage.phase == "Healthy"
    assert stage.rollout.is_fully_promoted
    assert [n for n in stage.sizes() if n] == ([wanted] if wanted else [])
    assert stage.rollout.available_replicas == wanted


def check_statuses(sequence: list[tuple[str, float]]) -> None:
    """Every status that the controller wrote says what its own fields say, and every version
    counts from 1 up without gaps."""
    stage = played(sequence)
    for change in stage.store.changes(100):
        if change.kind is ROLLOUT and change.type == "MODIFIED":
            seen = Rollout.from_object(change.object)
            index = seen.step_index
            assert index is None or 0 <= index <= len(STEPS)
            assert len({c.type for c in seen.conditions}) == len(seen.conditions)
        if change.kind is REPLICASET:
            assert change.object["spec"]["replicas"] >= 0
    last = stage.rollout
    if last.observed and not (last.controller_pause and not last.pause_conditions):
        shown = calculated_phase(last)
        assert (shown.word, shown.message) == (last.status_phase, last.status_message)


@given(moves)
@lawful
def test_a_new_version_promoted_in_full_always_becomes_healthy(sequence: list[tuple[str, float]]) -> None:
    check_ships_in_the_end(sequence)


@given(moves)
@lawful
def test_the_status_always_says_what_its_fields_say(sequence: list[tuple[str, float]]) -> None:
    check_statuses(sequence)


@pytest.mark.soak
@given(moves)
@settings(lawful, max_examples=1500)
def test_soak_of_both(sequence: list[tuple[str, float]]) -> None:
    check_ships_in_the_end(sequence)
    check_statuses(sequence)
