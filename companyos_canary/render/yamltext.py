"""Objects as YAML for people: their own order, queries as blocks, nothing by alias."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

# Characters that some readers take for the end of a line.
_BREAKS = re.compile(r"[\r\x85\u2028\u2029\ufeff]")
# What other readers of YAML take for a number or a boolean although PyYAML does not: `1e3`, `y`.
_AMBIGUOUS = re.compile(r"[-+.]?\d[\d_.:eE+-]*|0[xXoObB][\da-fA-F_]+|[yYnN]|[-+]?\.?(inf|nan)", re.I)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = None
    if _BREAKS.search(value) or _AMBIGUOUS.fullmatch(value):
        style = '"'
    elif "\n" in value:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(objects: Iterable[Mapping[str, Any]]) -> str:
    """The objects as YAML documents in their order, keys in theirs."""
    return "---\n".join(_document(obj) for obj in objects)


def _document(obj: Mapping[str, Any]) -> str:
    return str(yaml.dump(obj, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096))
