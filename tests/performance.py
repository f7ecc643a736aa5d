"""docs/performance.md, which `make bench` writes: ratios and counts of one run, and which goals it met. Times would be
those of one machine; they are there only where the goal itself is a time.

The page is written anew after each part, so that a run that is ended leaves what it has found; a part that failed says
why, and the others are measured all the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
INTRODUCTION = """\
# Performance

Written by `make bench`; do not edit. The numbers are those of one run on one machine, which should have had nothing
else to do. Commands are whole processes against the sandbox on the same machine, run in turns with what they are
compared with; a ratio is the median over the rounds. It is a ratio of processor time, user and system, unless
something else is said: waiting for a machine that is busy is not in it, nor is the work of the server.

Tests assert what does not depend on a machine, and no time: requests and bytes (`tests/commands/test_requests.py`,
`tests/commands/test_scale.py`), the modules that a verb loads (`tests/test_cli.py`), the calls of a frame
(`tests/test_house.py`).
"""

Verdict = Literal["met", "missed", "not measured"]


class Goal(Struct, frozen=True):
    """`most` in the unit that `form` prints, as `{:.1f} ×`."""

    words: str
    most: float
    form: str = "{:.1f} ×"

    def verdict(self, found: float | None) -> Verdict:
        if found is None:
            return "not measured"
        return "met" if found <= self.most else "missed"

    def told(self, number: float | None) -> str:
        return "-" if number is None else self.form.format(number)


class Found(Struct, frozen=True):
    """What a part found: text of the page, and numbers by the words of their goals."""

    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)


class Part(Struct, frozen=True):
    """`prose` says what is measured, and how."""

    title: str
    prose: str
    goals: tuple[Goal, ...]
    measure: Callable[[], Found]


def measured(parts: Sequence[Part], say: Callable[[str], object], page: Path = PAGE) -> dict[str, str]:
    """Measures one part after the other and writes the page after each; why those failed that did, by their titles."""
    found: dict[str, Found] = {}
    failed: dict[str, str] = {}
    for number, part in enumerate(parts, start=1):
        say(f"{number}/{len(parts)} {part.title}")
        try:
            found[part.title] = part.measure()
        except Exception as error:  # the page says it
            failed[part.title] = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
            say(f"    failed: {failed[part.title]}")
        page.write_text(text(parts, found, failed))
    return failed


def text(parts: Sequence[Part], found: Mapping[str, Found], failed: Mapping[str, str]) -> str:
    """The page; what is in neither was not reached."""
    told = [INTRODUCTION, _goals(parts, found)]
    for part in parts:
        why = failed.get(part.title)
        missing = f"This part failed in this run: `{why}`." if why else "The run ended before this part."
        body = found[part.title].text if part.title in found else missing
        told.append(f"## {part.title}\n\n{part.prose.strip()}\n\n{body}\n")
    return "\n".join(told)


def _goals(parts: Iterable[Part], found: Mapping[str, Found]) -> str:
    rows = []
    for part in parts:
        numbers = found[part.title].numbers if part.title in found else {}
        for goal in part.goals:
            number = numbers.get(goal.words)
            rows.append((goal.words, goal.told(goal.most), goal.told(number), goal.verdict(number)))
    return f"## Goals\n\n{table(('goal', 'at most', 'this run', ''), rows)}\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Markdown; every column but the first is aligned to the right."""
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])
