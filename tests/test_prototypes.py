"""A World that was copied: two of them, and neither knows of the other."""

from pathlib import Path

from tests.commands.conftest import paused_world
from tests.prototypes import copied
from tests.world import MANUAL


def test_a_copy_tells_the_same_story_and_leaves_the_first_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    first = paused_world(tmp_path / "first", MANUAL)
    copy = copied(first, tmp_path / "second")
    before = first.store.version, first.tsdb.version, first.now
    told = [copy.canary("promote"), copy.canary("watch")]
    assert "verdict=healthy" in told[1].out
    assert (first.store.version, first.tsdb.version, first.now) == before
    assert first.rollout().pause_conditions
    assert copy.rollout().is_fully_promoted
    assert [first.canary("promote"), first.canary("watch")] == told
    assert (first.store.version, first.tsdb.version, first.now) == (copy.store.version, copy.tsdb.version, copy.now)


def test_a_fault_in_a_copy_is_none_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    first = paused_world(tmp_path / "first", MANUAL)
    copy = copied(first, tmp_path / "second")
    copy.allowed = lambda _: False
    assert "not permitted" in copy.canary("status").err
    assert first.canary("status").err == ""
