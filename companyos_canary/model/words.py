"""Text of others on one line: names, reasons and messages may hold anything, also what would move a
cursor or look like a line of ours."""

import re
import unicodedata

from companyos_canary.errors import printable

_GAP = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")


def words(text: str) -> str:
    """The same, and what breaks a line is a space."""
    return text if text.isprintable() else printable(_GAP.sub(" ", text))


def harmless(text: str, *, keep: str = "\n\t") -> str:
    """Everything that leaves: lines stay lines, spaces spaces, and any other character that cannot be
    seen is written out, as JSON does it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep or unicodedata.category(c) == "Zs" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
