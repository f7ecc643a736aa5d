"""The place of a value in an object: names of fields and numbers of items, from the top."""

import re
from collections.abc import Mapping
from typing import Any

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
    """The value at a path, None where there is none."""
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
