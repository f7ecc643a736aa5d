"""Where our templates are, their content, and the places in them that are filled; and objects as YAML for people."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from companyos_canary.errors import CanaryError, nearest

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")


def filled_template(template: Any, values: Mapping[str, Any], name: str) -> Any:
    """The template with every placeholder replaced. A field whose placeholder is None is left out.
    CanaryError names the template and the placeholder that there is no value for."""
    if isinstance(template, Mapping):
        entries = (
            (_filled_text(str(key), values, name), filled_template(value, values, name))
            for key, value in template.items()
        )
        return {key: value for key, value in entries if value is not None}
    if isinstance(template, list):
        return [filled_template(item, values, name) for item in template]
    return _filled_text(template, values, name) if isinstance(template, str) else template


def _filled_text(text: str, values: Mapping[str, Any], name: str) -> Any:
    alone = _PLACEHOLDER.fullmatch(text)
    if alone:
        return _value(alone[1], values, name)
    return _PLACEHOLDER.sub(lambda found: str(_value(found[1], values, name)), text)


def _value(placeholder: str, values: Mapping[str, Any], name: str) -> Any:
    if placeholder in values:
        return values[placeholder]
    near = nearest(placeholder, values)
    guessed = f"; did you mean `${{{near}}}`" if near else ""
    raise CanaryError(
        f"`{name}` has an unknown placeholder `${{{placeholder}}}`{guessed}",
        hint="known: " + ", ".join(f"`{known}`" for known in sorted(values)),
    )


_PACKAGE = Path(__file__).resolve().parent.parent


def template_dir() -> Path:
    """`templates/` inside the package where it was installed from a wheel, next to the package in a
    checkout."""
    inside = _PACKAGE / "templates"
    return inside if inside.is_dir() else _PACKAGE.parent / "templates"


def template_text(name: str) -> str:
    """The source of a template, for example `canary.yaml`."""
    try:
        return (template_dir() / name).read_text(encoding="utf-8")
    except OSError as error:
        raise CanaryError(
            f"the template `{name}` cannot be read: {error.strerror}",
            hint="the installation is incomplete: install `companyos-canary` again",
        ) from error


@cache
def parsed(name: str) -> Any:
    """A template as data, to be filled and never changed."""
    return yaml.load(template_text(name), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


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
