"""Controllers and kubelet that act late, and the queue in which changes wait for them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.behaviour import HEAD, V1_9, Pace, Queue, Release, drawn, natural
from companyos_canary.sandbox.kinds import REPLICASET, ROLLOUT
from tests.clock import always, late
from tests.sandbox.stage import Stage

STEPS = [{"setWeight": 20}, {"pause": {}}]
START = datetime(2026, 3, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), min_size=1))
def test_what_has_changed_gets_its_turn_in_time_and_once(changes: list[tuple[str, int]]) -> None:
    queue, took = Queue(always(3 * SECOND)), []
    first: dict[str, int] = {}
    for key, second in sorted(changes, key=lambda c: c[1]):
        first.setdefault(key, second)
        queue.changed(key, START + second * SECOND)
    while (at := queue.next) is not None:
        key = queue.take(at)
        took.append((key, (at - START) // SECOND))
        assert queue.take(at - SECOND) is None
    assert sorted(took) == sorted((key, second + 3) for key, second in first.items())
    assert [at for _, at in took] == sorted(at for _, at in took)


_ASKED = st.tuples(st.sampled_from(("put", "changed", "drop", "take")), st.sampled_from("abcd"), st.integers(0, 9))


@given(st.lists(_ASKED))
def test_turns_are_those_of_a_plain_list_in_which_the_nearest_is_looked_for(asked: list[tuple[str, str, int]]) -> None:
    queue, plain = Queue(always(SECOND)), dict[str, datetime]()
    for what, key, second in asked:
        at = START + second * SECOND
        if what == "take":
            ready = [k for k, turn in plain.items() if turn <= at]
            first = min(ready, key=plain.__getitem__, default=None)
            plain.pop(first or "", None)
            assert queue.take(at) == first
        elif what == "drop":
            plain.pop(key, None)
            queue.drop(key)
        else:
            turn = at if what == "put" else at + SECOND
            plain[key] = min(turn, plain.get(key, turn))
            getattr(queue, what)(key, at)
        assert queue.next == min(plain.values(), default=None)
        assert [k for k in "abcd" if k in queue] == [k for k in "abcd" if k in plain]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.floats(0.0, 5.0))
def test_a_seed_draws_the_same_delays_again(seed: int, seconds: float) -> None:
    most = timedelta(seconds=seconds)
    one, two = drawn(most, seed), drawn(most, seed)
    delays = [one() for _ in range(20)]
    assert delays == [two() for _ in range(20)]
    assert all(timedelta() <= d <= most for d in delays)


@pytest.mark.parametrize("release", [V1_9, HEAD], ids=lambda r: r.name)
@pytest.mark.parametrize("seconds", [1, 3])
def test_late_controllers_come_to_the_same_end(release: Release, seconds: int) -> None:
    ends = []
    for stage in (Stage(STEPS, release=release), Stage(STEPS, release=release, pace=late(always(seconds * SECOND)))):
        stage.run(60)
        stage.set_image("v2")
        stage.run(120)
        assert stage.phase == "Paused - CanaryPauseStep"
        stage.promote()
        stage.run(120)
        ends.append((stage.phase, stage.sizes(), stage.revisions(), stage.rollout.step_index))
    assert ends[0] == ends[1] == ("Healthy", [0, 5], ["1", "2"], 2)


def test_nobody_acts_on_a_change_before_the_delay_is_over() -> None:
    stage = Stage(STEPS, pace=late(always(SECOND)))
    stage.run(60)
    stage.set_image("v2")
    stage.run(0.9)
    assert not stage.rollout.spec_is_observed
    assert len(stage.sets()) == 1
    stage.run(0.2)
    assert len(stage.sets()) == 2


def test_the_counts_of_a_replicaset_show_before_those_of_its_rollout() -> None:
    stage = Stage(STEPS, pace=late(drawn(SECOND, 7)))
    stage.run(60)
    counted = available = 0
    for change in stage.store.changes(100):
        if change.kind is REPLICASET:
            counted = (change.object.get("status") or {}).get("availableReplicas", 0)
        elif change.kind is ROLLOUT:
            shown = Rollout.from_object(change.object).available_replicas
            assert shown <= counted
            available = max(available, shown)
    assert available == counted == 5


def test_what_a_pass_writes_follows_from_what_it_read_at_its_start() -> None:
    """Someone's change in between stays, and has a pass of its own behind it."""
    stage = Stage(STEPS, pace=Pace(takes=SECOND))
    stage.run(60)
    stage.set_image("v2")
    stage.run(60)
    stage.promote()
    stage.act()
    stage.set_paused(True)
    stage.run(60)
    seen = stage.history(lambda r: (r.paused, r.spec_is_observed, r.step_index))
    assert seen[-3:] == [(True, False, 1), (True, False, 2), (True, True, 2)]
    assert stage.phase == "Paused - manually paused"


def test_by_nature_each_part_takes_up_to_a_second_and_the_same_for_the_same_seed() -> None:
    paces = [natural(3), natural(3), natural(4)]
    drawn_of = [[(p.rollouts(), p.replicasets(), p.kubelet()) for _ in range(50)] for p in paces]
    assert drawn_of[0] == drawn_of[1] != drawn_of[2]
    assert all(timedelta() <= delay <= SECOND for row in drawn_of[0] for delay in row)
    assert len({delay for row in drawn_of[0] for delay in row}) == 150
