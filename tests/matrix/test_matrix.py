"""A representative part of the matrix; `make matrix` plays the whole."""

from pathlib import Path

import pytest

from tests.matrix.cells import Cell, cells_of, play, without_fault
from tests.matrix.faults import EVENTS
from tests.matrix.stories import STORIES, Story
from tests.prototypes import copied

FAULTS = ("reset after it is sent", "403", "504 though it is done", "200, half the JSON")
PLAYED = (
    "deploy v1.1.0 --no-wait",
    "promote",
    "abort",
    "pause",
    "retry",
    "undo",
    "apply",
    "get",
    "list",
    "history",
    "terminate experiment compare",
    "experiment retry compare",
)
FOLLOWING = tuple(name for name, story in STORIES.items() if story.follows)


@pytest.mark.parametrize("name", PLAYED)
def test_no_fault_at_any_request_of_a_verb_breaks_a_law(tmp_path: Path, name: str) -> None:
    story = STORIES[name]
    world = story.begin(tmp_path)
    base = without_fault(story, copied(world))
    assert base.requests
    for cell in cells_of(story, base, FAULTS):
        outcome = play(cell, copied(world), base)
        assert not outcome.broken, (cell.name, outcome)


@pytest.mark.parametrize("name", FOLLOWING)
def test_events_that_come_twice_or_late_change_no_end(tmp_path: Path, name: str) -> None:
    story = STORIES[name]
    world = story.begin(tmp_path)
    base = without_fault(story, copied(world))
    cells = list(cells_of(story, base, tuple(EVENTS)))
    assert len(cells) == len(EVENTS)
    for cell in cells:
        outcome = play(cell, copied(world), base)
        assert not outcome.broken, (cell.name, outcome)


def test_what_a_command_wrote_is_gone_before_the_next_cell(tmp_path: Path) -> None:
    """Else every later one would end with the same refusal, whatever it met."""
    story = next(story for story in STORIES.values() if "new.yaml" in story.command)
    world = story.begin(tmp_path)
    base = without_fault(story, copied(world))
    assert base.ran.code == 0
    assert not (tmp_path / "new.yaml").exists()


def test_the_laws_tell_a_verb_that_says_what_is_not_true(tmp_path: Path) -> None:
    """The same cells with a promise that cannot hold: a matrix that finds nothing would find nothing here, too."""
    honest = STORIES["pause"]
    story = Story(honest.command, honest.begin, lambda _: False)
    world = story.begin(tmp_path)
    base = without_fault(story, copied(world))
    outcome = play(Cell(story, "503", len(base.requests)), copied(world), base)
    assert outcome.broken == ("it says that it is done, and it is not",)


def test_a_copy_changes_nothing_here(tmp_path: Path) -> None:
    story = STORIES["pause"]
    world = story.begin(tmp_path)
    without_fault(story, copied(world))
    assert not world.rollout().paused
