"""The page of `make bench`: what it says where a part failed, was not reached, or missed its goal."""

from pathlib import Path

from tests import bench
from tests.measures import SHORT, Place
from tests.performance import Found, Goal, Part, measured, table, text

FAST, SLOW, AWAY = Goal("fast", 2), Goal("slow", 2), Goal("away", 2)


def part(title: str, *goals: Goal, found: Found | None = None) -> Part:
    def measure() -> Found:
        if found is None:
            raise RuntimeError("no such\nprogram")
        return found

    return Part(title, f"How {title} is measured.", goals, measure)


def test_a_part_that_fails_is_said_on_the_page_and_the_next_one_is_measured(tmp_path: Path) -> None:
    page, said = tmp_path / "page.md", list[str]()
    parts = (part("One", AWAY), part("Two", FAST, found=Found("a table", {"fast": 1.5})))
    assert measured(parts, said.append, page) == {"One": "RuntimeError: no such program"}
    written = page.read_text()
    assert "## One\n\nHow One is measured.\n\nThis part failed in this run: `RuntimeError: no such program`." in written
    assert "## Two\n\nHow Two is measured.\n\na table\n" in written
    assert said == ["1/2 One", "    failed: RuntimeError: no such program", "2/2 Two"]


def test_each_goal_is_met_missed_or_not_measured() -> None:
    parts = (part("One", FAST, SLOW), part("Two", AWAY))
    told = text(parts, {"One": Found("", {"fast": 2.0, "slow": 2.1})}, {})
    assert "| fast | 2.0 × | 2.0 × | met |" in told
    assert "| slow | 2.0 × | 2.1 × | missed |" in told
    assert "| away | 2.0 × | - | not measured |" in told
    assert "The run ended before this part." in told


def test_the_first_column_of_a_table_is_words_and_the_others_numbers() -> None:
    assert table(("a", "b"), [("x", 1)]) == "| a | b |\n|---|---:|\n| x | 1 |"


def test_each_part_of_the_page_has_a_title_of_its_own_and_so_has_each_goal(tmp_path: Path) -> None:
    parts = bench.parts(Place(tmp_path, {}, SHORT))
    titles, goals = [p.title for p in parts], [g.words for p in parts for g in p.goals]
    assert len(set(titles)) == len(titles)
    assert len(set(goals)) == len(goals)
