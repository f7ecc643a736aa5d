"""Values in Go's words: what `{{ }}` prints, and fmt.Printf."""

import json
import re
from collections.abc import Mapping
from typing import Any

from companyos_canary.analysis.gotext import value_text

_VERB = re.compile(r"%([-+ 0#]*)(\d{0,4})(\.\d{0,3})?([a-zA-Z%])")


class TemplateFault(Exception):
    """A template cannot be rendered here; the message says why."""


def is_true(value: Any) -> bool:
    if isinstance(value, bool | int | float | str | bytes | list | tuple | Mapping):
        return bool(value)
    return value is not None


class Concealed(bytes):
    """A value of the Secret that is not shown: it prints as `***`."""


class Int(int):
    """A number that is written in a template: an `int` in Go, where one of an object is an `int64`."""


def go_text(value: Any, *, inside: bool = False) -> str:
    """As fmt.Print prints it: `map[a:1 b:[x y]]`; a value that is missing is `<no value>`."""
    if value is None:
        return "<nil>" if inside else "<no value>"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{k}:{go_text(v, inside=True)}' for k, v in by_key(value))}]"
    if isinstance(value, list | tuple):
        return f"[{' '.join(go_text(v, inside=True) for v in value)}]"
    if isinstance(value, bytes):
        return value.decode() if isinstance(value, Concealed) else f"[{' '.join(map(str, value))}]"
    return value_text(value) if isinstance(value, bool | float) else str(value)


def by_key(value: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """The entries of a map in the order of their keys, as Go ranges over them."""
    return sorted(value.items(), key=lambda entry: str(entry[0]))


def string_of(value: Any) -> str:
    """sprig's strval: bytes are a text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else go_text(value, inside=True)


def type_of(value: Any) -> str:
    """The name of its type in Go."""
    if value is None:
        return "<nil>"
    if isinstance(value, Mapping):
        return "map[string]interface {}"
    if isinstance(value, list | tuple):
        return "[]interface {}"
    names = {bool: "bool", Int: "int", int: "int64", float: "float64", str: "string", bytes: "[]uint8"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), type(value).__name__)


def kind_of(value: Any) -> str:
    if value is None:
        return "invalid"
    found = type_of(value)
    return "map" if found.startswith("map") else "slice" if found.startswith("[]") else found


def printed(*values: Any) -> str:
    """fmt.Sprint: a space between two operands of which neither is a text."""
    found = ""
    for n, value in enumerate(values):
        apart = n and not isinstance(value, str) and not isinstance(values[n - 1], str)
        found += (" " if apart else "") + go_text(value, inside=True)
    return found


def formatted(form: str, *values: Any) -> str:
    """fmt.Sprintf."""
    left = list(values)

    def put(found: re.Match[str]) -> str:
        flags, width, precision, verb = found.groups(default="")
        if verb == "%":
            return "%"
        if not left:
            return f"%!{verb}(MISSING)"
        text = _verb(verb, flags, precision, left.pop(0))
        if not width:
            return text
        if "-" in flags:
            return text.ljust(int(width))
        zeros = "0" in flags and verb in "dfeEgGxXob"
        sign = text[:1] if zeros and text[:1] in "+-" else ""
        return sign + text[len(sign) :].rjust(int(width) - len(sign), "0" if zeros else " ")

    text = _VERB.sub(put, form)
    if left:
        text += f"%!(EXTRA {', '.join(f'{type_of(v)}={go_text(v, inside=True)}' for v in left)})"
    return text


def _verb(verb: str, flags: str, precision: str, value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = number and isinstance(value, int)
    text = isinstance(value, str | bytes)
    if verb == "v" or (verb == "s" and not number and value is not None and not isinstance(value, bool)):
        shown = string_of(value) if verb == "s" else go_text(value, inside=True)
        return shown[: int(precision[1:] or 0)] if precision and text else shown
    if verb == "T":
        return type_of(value)
    if verb == "t" and isinstance(value, bool):
        return go_text(value)
    if verb == "q" and text:
        return quoted(string_of(value))
    if verb in "xX" and text:
        shown = string_of(value).encode().hex()
        return shown.upper() if verb == "X" else shown
    if whole and verb in "dboxX":
        sign = "+" if "+" in flags else " " if " " in flags else ""
        return format(value, f"{sign}{'#' if '#' in flags else ''}{verb}")
    if whole and verb in "cU":
        return chr(value) if verb == "c" else f"U+{value:04X}"
    if number and not whole and verb in "feEgG":
        return format(value, f"{'+' if '+' in flags else ''}{precision or ('.6' if verb in 'feE' else '')}{verb}")
    shown = "<nil>" if value is None else f"{type_of(value)}={go_text(value, inside=True)}"
    return f"%!{verb}({shown})"


def quoted(text: str) -> str:
    """strconv.Quote."""
    shown = json.dumps(text, ensure_ascii=False)
    return re.sub(r"\\u00([0-9a-f]{2})", lambda m: {"07": r"\a", "0b": r"\v"}.get(m[1], rf"\x{m[1]}"), shown)
