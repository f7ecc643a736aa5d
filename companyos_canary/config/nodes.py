"""YAML nodes: found by path, laid over each other, shown; each keeps its line."""

from collections.abc import Iterator

from yaml.nodes import MappingNode, Node, SequenceNode

Path = tuple[str | int, ...]


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


def dotted(path: Path) -> str:
    """`("steps", 0, "weight")` as `steps[0].weight`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def shown(node: Node) -> str:
    """What stands in the file, short, for an error."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    if not node.value:
        return "nothing"
    text = " ".join(str(node.value).split())
    return f"`{text if len(text) <= 60 else text[:59] + '…'}`"


def inner(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, SequenceNode):
        yield from node.value
