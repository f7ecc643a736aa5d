"""The functions of templates: those of text/template, and those of Masterminds/sprig.

Left out are what asks the network (`getHostByName`), the environment (which upstream takes away), and keys and
certificates.
"""

import html
import operator
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from companyos_canary.analysis.gotemplate_printf import Int, TemplateFault, formatted, go_text, is_true, printed
from companyos_canary.analysis.gotemplate_texts import TEXTS, script_text
from companyos_canary.analysis.gotemplate_values import NUMBERS, VALUES


def _equal(first: Any, *others: Any) -> bool:
    for other in others:
        kinds = {_basic(v) for v in (first, other) if v is not None}
        if len(kinds) > 1:
            raise TemplateFault("error calling eq: incompatible types for comparison")
    return any(first == other for other in others)


def _basic(value: Any) -> type:
    return next((kind for kind in (bool, int, float, str, bytes) if isinstance(value, kind)), type(value))


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list | tuple | str) and isinstance(key, int):
            if not 0 <= key < len(value):
                raise TemplateFault(f"error calling index: index out of range: {key}")
            value = value[key]
        else:
            raise TemplateFault(f"error calling index: can't index item of {go_text(value)}")
    return value


def _and(*values: Any) -> Any:
    return next((v for v in values if not is_true(v)), values[-1])


def _or(*values: Any) -> Any:
    return next((v for v in values if is_true(v)), values[-1])


def _length(value: Any) -> int:
    return len(value.encode()) if isinstance(value, str) else len(value)


def _call(function: Any, *arguments: Any) -> Any:
    if not callable(function):
        raise TemplateFault("error calling call: non-function")
    return function(*arguments)


def _compared(name: str, holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(first: Any, second: Any) -> bool:
        if _basic(first) is not _basic(second):
            raise TemplateFault(f"error calling {name}: incompatible types for comparison")
        return holds(first, second)

    return compare


TAKE_BYTES = frozenset(
    (
        *("and", "or", "not", "len", "index", "slice", "print", "println", "printf", "html", "urlquery", "call", "js"),
        *("default", "empty", "coalesce", "ternary", "quote", "squote", "cat", "toString", "list", "dict", "tuple"),
        *("toJson", "toRawJson", "toPrettyJson", "first", "last", "eq", "ne", "all", "any", "kindOf", "typeOf"),
    )
)
"""The functions that take a slice of bytes, which a value of the Secret is; the others take a text."""
_GO: dict[str, Callable[..., Any]] = {
    "and": _and,
    "or": _or,
    "not": lambda v: not is_true(v),
    "len": lambda v: Int(_length(v)),
    "index": _index,
    "print": printed,
    "println": lambda *v: " ".join(go_text(x, inside=True) for x in v) + "\n",
    "printf": formatted,
    "html": lambda *v: html.escape(printed(*v)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    "js": script_text,
    "urlquery": lambda *v: urllib.parse.quote_plus(printed(*v)),
    "call": _call,
    "eq": _equal,
    "ne": lambda a, b: not _equal(a, b),
    "lt": _compared("lt", operator.lt),
    "le": _compared("le", operator.le),
    "gt": _compared("gt", operator.gt),
    "ge": _compared("ge", operator.ge),
}
_SPRIG = TEXTS | VALUES | NUMBERS
_SPRIG |= {f"os{name[0].upper()}{name[1:]}": _SPRIG[name] for name in ("base", "dir", "clean", "ext", "isAbs")}
_MUST = "append chunk compact deepCopy first has initial last merge mergeOverwrite prepend push regexFind"
_MUST += " regexFindAll regexReplaceAll regexReplaceAllLiteral regexSplit rest reverse slice toJson"
_MUST += " toPrettyJson toRawJson uniq without"
FUNCTIONS = _GO | _SPRIG | {f"must{name[0].upper()}{name[1:]}": _SPRIG[name] for name in _MUST.split()}
