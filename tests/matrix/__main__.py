"""`python -m tests.matrix [VERB…]`: prints a line a cell, and writes docs/reliability.md once all verbs were played and
none broke a law."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.matrix.cells import Cell, Outcome, cells_of, play, without_fault
from tests.matrix.page import PAGE, page
from tests.matrix.stories import STORIES
from tests.prototypes import copied


def played(name: str) -> list[Outcome]:
    """The outcomes of all cells of a story, each printed as it comes."""
    story = STORIES[name]
    with TemporaryDirectory() as folder:
        world = story.begin(Path(folder))
        base = without_fault(story, copied(world))
        return [shown(cell, play(cell, copied(world), base)) for cell in cells_of(story, base)]


def shown(cell: Cell, outcome: Outcome) -> Outcome:
    broken = f"  !! {'; '.join(outcome.broken)}" if outcome.broken else ""
    ran = f"\n    {outcome.ran}" if outcome.ran else ""
    print(f"{cell.name} | {outcome.code} | {outcome.sentence}{broken}{ran}", flush=True)
    return outcome


def main(wanted: list[str]) -> int:
    names = [name for name, story in STORIES.items() if not wanted or story.command[0] in wanted]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(names, pool.map(played, names), strict=True))
    outcomes = [outcome for row in found.values() for outcome in row]
    broken = sum(bool(outcome.broken) for outcome in outcomes)
    if not wanted and not broken:
        PAGE.write_text(page(found))
    print(f"{len(outcomes)} cells, {broken} broke a law")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
