"""One value next to another, in a line each time that they differ: of long texts and lists only what does."""

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any

_WHOLE = 100  # characters of both values up to which they are printed as they are
_AROUND = 24  # characters before and behind what differs in a long line
_MOST = 6  # lines of one value


def leaf_lines(path: str, old: Any, new: Any) -> list[str]:
    """`path: 10 → 12`; of a long text `path, line 3: "a" → "b"`, of a long list `path[2]: "a" → "b"`."""
    if len(_json(old)) + len(_json(new)) <= _WHOLE or type(old) is not type(new):
        return [f"{path}: {_json(old)} → {_json(new)}"]
    if isinstance(old, list):
        return _several(f"{path}[{n}]: {a} → {b}" for n, a, b in _pairs(list(map(_json, old)), list(map(_json, new))))
    if isinstance(old, str) and ("\n" in old or "\n" in new):
        before, after = old.splitlines(), new.splitlines()
        found = [f"{path}, line {n + 1}: {_part(a, b)}" for n, a, b in _pairs(before, after, texts=True)]
        ends = f"{path}: {_json(old[-_AROUND:])} → {_json(new[-_AROUND:])} at the end"
        return _several(iter(found or [ends]))
    if isinstance(old, str):
        return [f"{path}: {_part(old, new)}"]
    return [f"{path}: {_json(old)} → {_json(new)}"]


def _several(lines: Iterator[str]) -> list[str]:
    found = list(lines)
    more = len(found) - _MOST
    path = found[0].partition(": ")[0].partition(",")[0].rpartition("[")[0] or found[0].partition(",")[0]
    return found if more <= 0 else [*found[:_MOST], f"{path}: {more} more differ"]


def _pairs(old: Sequence[str], new: Sequence[str], *, texts: bool = False) -> Iterator[tuple[int, Any, Any]]:
    """Both values at each place that differs; nothing where one side has no such place."""
    none = None if texts else "nothing"
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for n in range(max(b - a, d - c)):
            before = old[a + n] if a + n < b else none
            after = new[c + n] if c + n < d else none
            yield (a + n if before is not none else c + n), before, after


def _part(old: str | None, new: str | None) -> str:
    """Both texts, or of long ones the part that differs."""
    if old is None or new is None or len(old) + len(new) <= _WHOLE:
        return f"{_json(old)} → {_json(new)}"
    start = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    most = min(len(old), len(new)) - start
    end = next((n for n in range(most) if old[-1 - n] != new[-1 - n]), most)
    return f"{_cut(old, start, end)} → {_cut(new, start, end)}"


def _cut(text: str, start: int, end: int) -> str:
    """From a little before to a little behind what differs."""
    first, last = max(0, start - _AROUND), min(len(text), len(text) - end + _AROUND)
    return _json(f"{'…' if first else ''}{text[first:last]}{'…' if last < len(text) else ''}")


def _json(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
