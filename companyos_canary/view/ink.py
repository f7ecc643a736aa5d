"""Lines with roles as what a terminal gets for them. The only place where a role becomes a colour."""

from collections.abc import Iterable
from functools import lru_cache

from companyos_canary.view.lines import BANNERS, Facts, Line, columns_of, cut, painted


def ink(lines: Iterable[Line], facts: Facts) -> tuple[str, ...]:
    """A row for each line, which nothing wraps: one that is too wide after all is cut off with a mark."""
    return tuple([_row(line, facts) for line in lines])


def visible(text: str) -> str:
    """Without what would move the cursor or set colours: words of the cluster are but words."""
    return "".join(c if c.isprintable() else " " for c in text)


@lru_cache(maxsize=512)
def _row(line: Line, facts: Facts) -> str:
    """Kept, as most lines of a frame are those of the frame before."""
    words = [(p, "") if isinstance(p, str) else (p[0], facts.style(p[1])) for p in line]
    words = [(text if text.isprintable() else visible(text), style) for text, style in words]
    while words and not words[-1][0].rstrip():
        words.pop()
    if words:
        words[-1] = (words[-1][0].rstrip(), words[-1][1])
    free = facts.width - columns_of("".join([text for text, _ in words]))
    if free < 0:
        words = _cut(words, facts.width - 1)
        words.append((facts.symbols.more, ""))
    elif line and line[-1][1:] and line[-1][1] in BANNERS and facts.colour:
        words.append((" " * free, facts.style(line[-1][1])))
    return "".join([painted(text, style) if style else text for text, style in words])


def _cut(words: list[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    kept = []
    for text, style in words:
        kept.append((cut(text, room, ""), style))
        room -= columns_of(kept[-1][0])
    return kept
