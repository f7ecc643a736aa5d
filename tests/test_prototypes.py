"""A World that was copied: two of them, and neither knows of the other."""

from pathlib import Path

from tests.commands.conftest import paused_world
from tests.prototypes import begun, copied
from tests.world import CONFIG, MANUAL, World


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


def test_what_the_first_test_does_with_its_files_is_its_own(tmp_path: Path) -> None:
    def played(folder: Path, config: str) -> World:
        return World(folder, config)

    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    begun("with a file", CONFIG, first, played)
    (first / "canary.yaml").unlink()
    begun("with a file", CONFIG, second, played)
    assert (second / "canary.yaml").read_text() == CONFIG
