"""YAML text with lines: found by path, laid over each other; a mistake is reported with file, line and field.

A pod's fields are laid over each other entry by entry, its lists by the key that Kubernetes uses.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import Any, ClassVar, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from companyos_canary.errors import ConfigError, guess, printable
from companyos_canary.files import DEEPEST, too_deep

FieldPath = tuple[str | int, ...]


def child(node: Node, part: str | int) -> tuple[Node, Node] | None:
    """The key and the value of an entry of a mapping; the item twice for a list."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key, value
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def without(node: Node, *names: str) -> Node:
    """A copy of a mapping without those entries."""
    kept = [(k, v) for k, v in node.value if k.value not in names]
    return MappingNode(node.tag, kept, node.start_mark, node.end_mark)


def laid_over(base: Node, over: Node) -> Node:
    """Mappings merge entry by entry, anything else of `over` takes the place of `base`'s; every
    node keeps its own line."""
    if not (isinstance(base, MappingNode) and isinstance(over, MappingNode)):
        return over
    entries = {key.value: (key, value) for key, value in base.value}
    for key, value in over.value:
        below = entries.get(key.value)
        entries[key.value] = (key, laid_over(below[1], value) if below else value)
    return MappingNode(base.tag, list(entries.values()), base.start_mark, base.end_mark)


def _dotted(path: FieldPath) -> str:
    """`("steps", 0, "weight")` as `steps[0].weight`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def shown(node: Node) -> str:
    """What is in the file, short, for an error."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    if not node.value:
        return "nothing"
    text = " ".join(str(node.value).split())
    quoted = "the text " if getattr(node, "style", None) in ("'", '"') and text.isdecimal() else ""
    return f"{quoted}`{text if len(text) <= 60 else text[:59] + '…'}`"


def _inner(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, SequenceNode):
        yield from node.value


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge", "value")
}
_LARGEST = 20_000
_QUOTE = "quote text that contains `: `, ` #`, `{` or `%`; indent with spaces"
_NULL, _STR, _MERGE, _INT = (f"tag:yaml.org,2002:{name}" for name in ("null", "str", "merge", "int"))
_OCTAL = r"[-+]?0[0-7_]+"


def mistake(message: str, hint: str = "") -> ConfigError:
    """The error for a message that may quote anything from a file."""
    return ConfigError(printable(message), hint=printable(hint))


class _Loader(_Base):  # type: ignore[misc]
    """YAML as Kubernetes reads it: dates and times are texts."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith("timestamp")]
        for first, found in _Base.yaml_implicit_resolvers.items()
    }


class Source:
    """One YAML file: where each field is, and how an error about it reads.

    `file` is the name that errors show. ConfigError if the text is not YAML, has more than one
    document, a key twice or a key that is not text, or grows too large by its aliases.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.block: tuple[int, int, FieldPath] = (0, 0, ())
        try:
            if line := too_deep(text):
                self._refuse_yaml(line, f"more than {DEEPEST} values inside one another")
            self.root: Node = yaml.compose(text, Loader=_Loader) or _empty_mapping()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            self._refuse_yaml(line, (error.problem or error.context or "").strip(), _QUOTE)
        except yaml.YAMLError as error:
            where = getattr(error, "position", 0)
            self._refuse_yaml(text.count("\n", 0, where) + 1, "a character that YAML does not allow")
        if self.root.tag == _NULL:
            self.root = _empty_mapping()
        self._size(self.root, {}, ())

    def laid_over(self, base: Node, block: Node, name: str) -> "Source":
        """The same file with an environment's block laid over `base`; errors in fields of the
        block call them `environments.NAME.…`."""
        other = copy(self)
        other.root = laid_over(base, block)
        other.block = (block.start_mark.index, block.end_mark.index, ("environments", name))
        return other

    def at(self, root: Node) -> "Source":
        """The same file, read from another root."""
        other = copy(self)
        other.root = root
        return other

    def data(self, node: Node | None = None) -> Any:
        """The values below a node (the whole file), every alias a value of its own."""
        node = node or self.root
        loader = yaml.SafeLoader("")
        try:
            return _unshared(loader.construct_document(node))
        except (yaml.MarkedYAMLError, ValueError) as error:
            mark = getattr(error, "problem_mark", None) or node.start_mark
            problem = getattr(error, "problem", None) or str(error)
            raise mistake(f"{self.file}:{mark.line + 1}: not a value YAML knows: {problem}") from None

    def refuse(self, path: FieldPath, allowed: str, *, found: str | None = None) -> NoReturn:
        """The error for a wrong value: file, line, field, found, allowed."""
        node, exact = self.node(path)
        if found is None:
            found = shown(node) if exact else ""
        what = f"found {found}, allowed" if found else "missing, allowed"
        hint = "" if found else f"add `{path[-1]}:`"
        raise mistake(f"{self._at(path)}: {what}: {allowed}", hint=hint)

    def refuse_unknown(self, path: FieldPath, names: Iterable[str]) -> NoReturn:
        """The error for a field that there is not; it lists the names and picks a near one."""
        known = sorted(names)
        unknown = f"unknown{guess(str(path[-1]), known)}"
        raise mistake(f"{self._at(path)}: {unknown}", hint="allowed: " + ", ".join(f"`{name}`" for name in known))

    def refuse_octal(self, node: Node | None = None, path: FieldPath = ()) -> None:
        """Refuses `010`, which YAML reads as 8, but in fields that are Kubernetes' own."""
        node = self.root if node is None else node
        if isinstance(node, MappingNode):
            for key, value in node.value:
                name = str(key.value)
                if path or name not in ("pod", "environments"):
                    self.refuse_octal(value, (*path, name))
        elif isinstance(node, SequenceNode):
            for index, value in enumerate(node.value):
                self.refuse_octal(value, (*path, index))
        elif node.tag == _INT and re.fullmatch(_OCTAL, node.value):
            octal = int(node.value.replace("_", ""), 8)
            self.refuse(path, f"a number without a leading zero: YAML reads `{node.value}` as {octal}")

    def line(self, path: FieldPath) -> int:
        node, _ = self.node(path, keys=True)
        return int(node.start_mark.line) + 1

    def node(self, path: FieldPath, *, keys: bool = False) -> tuple[Node, bool]:
        """The node at a path, or the deepest one above it; with `keys` the key of the last part."""
        node, at = self.root, self.root
        for part in path:
            entry = child(node, part)
            if entry is None:
                return (at if keys else node), False
            at, node = entry
        return (at if keys else node), True

    def _at(self, path: FieldPath) -> str:
        node, _ = self.node(path, keys=True)
        start, end, above = self.block
        inside = above if start <= node.start_mark.index < end else ()
        field = f": field `{_dotted((*inside, *path))}`" if path else ""
        return f"{self.file}:{node.start_mark.line + 1}{field}"

    def _refuse_yaml(self, line: int, problem: str, hint: str = "") -> NoReturn:
        raise mistake(f"{self.file}:{line}: not plain YAML: {problem}", hint=hint) from None

    def _size(self, node: Node, known: dict[int, int], above: tuple[int, ...]) -> int:
        if id(node) in above:
            self._refuse_yaml(node.start_mark.line + 1, "an alias refers to itself")
        if id(node) in known:
            return known[id(node)]
        if node.tag not in _TAGS:
            self._refuse_yaml(node.start_mark.line + 1, f"the tag `{node.tag}`")
        if isinstance(node, MappingNode):
            self._check_keys(node)
        inside = (*above, id(node))
        size = 1 + sum(self._size(n, known, inside) for n in _inner(node))
        if size > _LARGEST:
            self._refuse_yaml(node.start_mark.line + 1, f"more than {_LARGEST} values")
        known[id(node)] = size
        return size

    def _check_keys(self, node: MappingNode) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self._refuse_yaml(line, "a key that is a list or a mapping")
            if key.tag != _MERGE:
                key.tag = _STR  # in JSON, and so in Kubernetes, every name is text
            if key.value in seen:
                raise mistake(
                    f"{self.file}:{line}: field `{key.value}`: found twice, first in line {seen[key.value]}",
                    hint="keep one of them",
                )
            seen[key.value] = line


def _unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unshared(item) for item in value]
    return value


def _empty_mapping() -> MappingNode:
    mark = yaml.Mark("", 0, 0, 0, "", 0)
    return MappingNode("tag:yaml.org,2002:map", [], mark, mark)


LIST_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}


def merged(base: Any, over: Any, field: str = "") -> Any:
    """`over` laid over `base`: null removes, named lists merge item by item (new items at the
    end), anything else is replaced. Neither argument is changed."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        result = {k: v for k, v in base.items() if k not in over or over[k] is not None}
        for name, value in over.items():
            if value is not None:
                result[name] = merged(result.get(name), value, name)
        return result
    key = LIST_KEYS.get(field)
    if key and _keyed(base, key) and _keyed(over, key):
        return _merged_lists(base, over, key)
    return without_nulls(over)


def without_nulls(value: Any) -> Any:
    """The same without the entries of mappings that are null."""
    if isinstance(value, Mapping):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(v) for v in value]
    return value


def _keyed(value: Any, key: str) -> bool:
    return isinstance(value, list) and all(isinstance(i, Mapping) and key in i for i in value)


def _merged_lists(base: list[Any], over: list[Any], key: str) -> list[Any]:
    items = {item[key]: item for item in base}
    for item in over:
        name = item[key]
        items[name] = merged(items[name], item) if name in items else without_nulls(item)
    return list(items.values())
