"""Lines with roles as a rich Text. The only place where a role becomes a colour."""

from collections.abc import Sequence
from functools import lru_cache

from rich.cells import cell_len
from rich.text import Text

from companyos_canary.view.lines import BANNERS, Facts, Line


def ink(lines: Sequence[Line], facts: Facts) -> Text:
    """One Text that nothing wraps: a line that is too wide after all is cut off with a mark."""
    return Text("\n", no_wrap=True, overflow="crop").join(_line(line, facts) for line in lines)


def visible(text: str) -> str:
    """Without what would move the cursor or set colours: words of the cluster are but words."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


@lru_cache(maxsize=512)
def _line(line: Line, facts: Facts) -> Text:
    """Kept, as most lines of a frame are those of the frame before; whoever gets it copies it."""
    text = Text()
    for part in line:
        words, style = (part, None) if isinstance(part, str) else (part[0], facts.style(part[1]) or None)
        text.append(visible(words), style=style)
    text.rstrip()
    if line and line[-1][1:] and line[-1][1] in BANNERS and facts.colour:
        text.append(" " * (facts.width - cell_len(text.plain)), style=facts.style(line[-1][1]))
    if cell_len(text.plain) > facts.width:
        text.truncate(facts.width - 1)
        text.append(facts.symbols.more)
    return text
