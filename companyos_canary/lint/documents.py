"""YAML and JSON as Kubernetes reads them, with the line of every field.

The text is read event by event, not by recursion, so that nesting without an end, aliases that
multiply and aliases of themselves are refused before they cost anything.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct, field
from yaml import events

from companyos_canary.files import LONGEST_FILE
from companyos_canary.lint.finding import Path

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LARGEST = 1_000_000  # values, each alias counted as what it represents
_DEEPEST = 200

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_FLAGS = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "y", "Y", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "n", "N", "off", "Off", "OFF"), False),
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_BASED = re.compile(r"[-+]?0(?P<base>[bxo]?)(?P<digits>[0-9a-fA-F_]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_BASES = {"": 8, "o": 8, "x": 16, "b": 2}


_BRACES = re.compile(r"\{\{-?\s*[.\w(]")
_ARGUMENT = re.compile(r"\{\{ *args\.")
_QUOTES = "quote texts that contain `: `, ` #`, `{` or `%`, and indent with spaces"
_CHART = "a Helm template is linted after it is rendered: helm template … | canary lint -"


class Unreadable(Exception):
    """A text that cannot be read: the line (from 1), one sentence, and what to do about it."""

    def __init__(self, line: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.hint = hint


class Node(Struct):
    """A value and where it is. `inner` holds the values below it, each with the line of its key.
    `end` is the last line, `size` the number of values, aliases counted as what they represent."""

    data: Any
    line: int
    end: int
    size: int = 1
    inner: dict[str | int, tuple[int, "Node"]] = field(default_factory=dict)


class YamlDocument(Struct, frozen=True):
    """One document of a file that is not empty. `twice` has every key that a mapping has twice: its
    path, its line, and the line of the first one."""

    file: str
    root: Node
    twice: tuple[tuple[Path, int, int], ...] = ()

    def line(self, path: Path) -> int:
        """The line of the key at `path`, or of the deepest one above it that exists."""
        line, node = self.root.line, self.root
        for part in path:
            if part not in node.inner:
                return line
            line, node = node.inner[part]
        return line


def read(file: str, content: bytes) -> tuple[YamlDocument, ...]:
    """The documents of a file. Raises Unreadable."""
    if len(content) > LONGEST_FILE:
        raise Unreadable(1, f"the file is larger than {LONGEST_FILE // 1024 // 1024} MiB")
    text = _decoded(content)
    try:
        return tuple(_Composer(file).documents(yaml.parse(text, Loader=_Loader)))
    except Unreadable as error:
        raise Unreadable(error.line, error.message, _hint(text, error.line) or error.hint) from None
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, text) from None
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise Unreadable(line, "a character that YAML does not allow") from None


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(line, "the file is not text in UTF-8") from None
    if "\0" in text:
        raise Unreadable(text.count("\n", 0, text.index("\0")) + 1, "the file is binary")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _not_yaml(error: yaml.MarkedYAMLError, text: str) -> Unreadable:
    mark: Any = error.problem_mark or error.context_mark
    problem = " ".join((error.problem or error.context or "it ends in the middle").split())
    line = mark.line + 1 if mark else 1
    return Unreadable(line, f"the file is not valid YAML: {problem}", _hint(text, line) or _QUOTES)


def _hint(text: str, line: int) -> str:
    """What to do about double braces, which are no YAML without quotes."""
    if _ARGUMENT.search((text.split("\n")[line - 1 : line] or [""])[0]):
        return "put a value that starts with `{{args.…}}` in quotes"
    return _CHART if _BRACES.search(_ARGUMENT.sub("", text)) else ""


class _Composer:
    """Makes nodes of the events of a text."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._anchors: dict[str | None, Node | None] = {}
        self._twice: list[tuple[int, int, Node, str]] = []

    def documents(self, found: Iterator[Any]) -> Iterator[YamlDocument]:
        open_: list[_Open] = []
        for event in found:
            match event:
                case events.DocumentStartEvent():
                    self._anchors, self._twice = {}, []
                case events.MappingStartEvent() | events.SequenceStartEvent():
                    if len(open_) >= _DEEPEST:
                        raise Unreadable(_line(event), f"more than {_DEEPEST} values inside one another")
                    if event.anchor:
                        self._anchors[event.anchor] = None
                    open_.append(_Open(event))
                case events.MappingEndEvent() | events.SequenceEndEvent():
                    done = open_.pop()
                    node = done.closed(event, self._twice)
                    if done.anchor:
                        self._anchors[done.anchor] = node
                    yield from self._put(open_, node, event)
                case events.ScalarEvent() | events.AliasEvent():
                    yield from self._put(open_, self._leaf(event), event)

    def _leaf(self, event: Any) -> Node:
        line = _line(event)
        if isinstance(event, events.AliasEvent):
            known = self._anchors.get(event.anchor, Node)
            if known is Node:
                raise Unreadable(line, f"the alias `*{event.anchor}` has no anchor")
            if known is None:
                raise Unreadable(line, f"the alias `*{event.anchor}` refers to itself")
            return known  # type: ignore[return-value]
        end: Any = event.end_mark
        node = Node(_value(event), line, end.line + (end.column > 0))
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _put(self, open_: list["_Open"], node: Node, event: Any) -> Iterator[YamlDocument]:
        if open_:
            if anchor := open_[-1].add(node, event):
                raise Unreadable(_line(event), anchor)
            return
        if node.data is not None:
            twice = tuple((_path_of(node, inside, key), line, first) for line, first, inside, key in self._twice)
            yield YamlDocument(self._file, node, twice)


class _Open:
    """A mapping or a list that has begun."""

    def __init__(self, event: Any) -> None:
        self.anchor: str | None = event.anchor
        self.node = Node({} if isinstance(event, events.MappingStartEvent) else [], _line(event), 0)
        self._merged: list[Node] = []
        self._key: tuple[str, int, bool] | None = None
        self._again: list[tuple[int, int, str]] = []

    def add(self, node: Node, event: Any) -> str:
        """Take the next key or value. Returns what is wrong with it."""
        if isinstance(self.node.data, list):
            self._keep(len(self.node.data), node.line, node)
        elif self._key is None:
            if not isinstance(event, events.ScalarEvent | events.AliasEvent) or node.inner:
                return "a key that is a list or a mapping"
            plain = isinstance(event, events.ScalarEvent) and event.implicit[0]
            text = event.value if isinstance(event, events.ScalarEvent) else str(node.data)
            self._key = (text, _line(event), plain)
        else:
            (name, line, plain), self._key = self._key, None
            if name == "<<" and plain:
                self._merged += [n for _, n in node.inner.values()] if isinstance(node.data, list) else [node]
            else:
                if name in self.node.inner:
                    self._again.append((line, self.node.inner[name][0], name))
                self._keep(name, line, node)
        return "" if self.node.size <= _LARGEST else f"more than {_LARGEST} values"

    def _keep(self, key: str | int, line: int, node: Node) -> None:
        self.node.inner[key] = (line, node)
        if isinstance(self.node.data, list):
            self.node.data.append(node.data)
        else:
            self.node.data[key] = node.data
        self.node.size += node.size

    def closed(self, event: Any, twice: list[tuple[int, int, Node, str]]) -> Node:
        for merged in self._merged:
            for key, (line, node) in merged.inner.items():
                if key not in self.node.inner:
                    self._keep(key, line, node)
        last = max((n.end for _, n in self.node.inner.values()), default=self.node.line)
        self.node.end = event.end_mark.line + 1 if event.end_mark.column > event.start_mark.column else last
        twice += [(line, first, self.node, key) for line, first, key in self._again]
        return self.node


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _path_of(root: Node, wanted: Node, key: str) -> Path:
    """The path of `key` in the mapping `wanted`, wherever that is first found."""
    found: list[tuple[Path, Node]] = [((), root)]
    seen: set[int] = set()
    while found:
        path, node = found.pop()
        if node is wanted:
            return (*path, key)
        if id(node) not in seen:
            seen.add(id(node))
            found += [((*path, part), inner) for part, (_, inner) in node.inner.items()]
    return (key,)


def _value(event: Any) -> Any:
    text: str = event.value
    tag = (event.tag or "").removeprefix("tag:yaml.org,2002:")
    if not (tag in ("null", "bool", "int", "float") or (event.implicit[0] and not tag)):
        return text
    if text in _NULLS:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    return _number(text)


def _number(text: str) -> int | float | str:
    plain = text.replace("_", "")
    if _INTEGER.fullmatch(text):
        return int(plain) if len(plain) < 30 else float(plain)
    if (based := _BASED.fullmatch(text)) and len(plain) < 30:
        try:
            number = int(based["digits"].replace("_", ""), _BASES[based["base"]])
        except ValueError:
            return text
        return -number if text.startswith("-") else number
    if _FLOAT.fullmatch(text):
        return float(text)
    if text.lower() in _SPECIAL:
        return float(_SPECIAL[text.lower()])
    return text
