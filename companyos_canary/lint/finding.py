"""What lint finds and where, and what a rule is.

A rule is a generator over one thing: an object of a kind, or a metric of a template. It yields where
in the object the fault is and a sentence that is true of this object; its docstring says what is
wrong and why in general, and becomes docs/lint.md. The place of a value in an object is a path: names
of fields and numbers of items, from the top.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """`("steps", 0, "weight")` as `steps[0].weight`; a part that is no name in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w-]+", part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def below(data: Any, *path: str | int) -> Any:
    """The value at a path, None if there is none."""
    for part in path:
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and -len(data) <= part < len(data):
            data = data[part]
        else:
            return None
    return data


def mappings(data: Any, *path: str | int) -> list[Mapping[str, Any]]:
    """The items of the list at a path that are mappings, whatever is there."""
    found = below(data, *path)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""error: the controller refuses it, a release breaks, or an analysis judges nothing. warning: wrong
in a situation that comes sooner or later. note: something to know."""


class Found(Struct, frozen=True):
    """What a rule yields: the path in the object, a sentence, and what to do if that can be said."""

    path: Path
    message: str
    hint: str = ""


class Finding(Struct, frozen=True):
    """What lint found. `path` is the field in the object of that kind and name; these three are empty for what is no
    object. `hint` may be empty."""

    # `line` is counted from 1; `path` is dotted: `spec.metrics[0].count`.
    rule: str
    severity: Severity
    file: str
    line: int
    kind: str
    name: str
    path: str
    message: str
    hint: str


class UnreadableRow(Struct, frozen=True):
    """A file that could not be read, or only up to this line."""

    file: str
    line: int
    message: str


COMMENT = "comment"
"""Takes the place of a kind for a rule about a comment."""

_Check = Callable[[Any], Iterator[Found]]


class Rule(Struct, frozen=True):
    """`check` looks at a Case of one of `kinds` (an empty kind represents every object), at a Metric if there are none,
    or at a comment. `title` is one line, `why` the paragraphs below it."""

    id: str
    severity: Severity
    kinds: tuple[str, ...]
    check: _Check

    @property
    def title(self) -> str:
        return _doc(self.check).partition("\n")[0].rstrip(".")

    @property
    def why(self) -> str:
        return _doc(self.check).partition("\n")[2].strip()


def _doc(check: _Check) -> str:
    return inspect.cleandoc(check.__doc__ or "")


def rule(id_: str, severity: Severity, *kinds: str) -> Callable[[_Check], Rule]:
    """Make a rule of a check."""
    return lambda check: Rule(id_, severity, kinds, check)
