"""A representative part of the matrix; `make matrix` plays the whole."""

from functools import partial
from pathlib import Path

import pytest

from tests.matrix.cells import Cell, cells_of, copied, play, without_fault
from tests.matrix.stories import STORIES, Story

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
)


@pytest.mark.parametrize("name", PLAYED)
def test_no_fault_at_any_request_of_a_verb_breaks_a_law(tmp_path: Path, name: str) -> None:
    story = STORIES[name]
    world = story.begin(tmp_path)
    base = copied(partial(without_fault, story, world))
    assert base.requests
    for cell in cells_of(story, base, FAULTS):
        outcome = copied(partial(play, cell, world, base))
        assert not outcome.broken, (cell.name, outcome)


def test_the_laws_tell_a_verb_that_says_what_is_not_true(tmp_path: Path) -> None:
    """The same cells with a promise that cannot hold: a matrix that finds nothing would find nothing here, too."""
    honest = STORIES["pause"]
    story = Story(honest.command, honest.begin, lambda _: False)
    world = story.begin(tmp_path)
    base = copied(partial(without_fault, story, world))
    outcome = copied(partial(play, Cell(story, "503", len(base.requests)), world, base))
    assert outcome.broken == ("it says that it is done, and it is not",)


def test_a_copy_changes_nothing_here(tmp_path: Path) -> None:
    story = STORIES["pause"]
    world = story.begin(tmp_path)
    copied(partial(without_fault, story, world))
    assert not world.rollout().paused
