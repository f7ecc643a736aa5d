"""The functions of templates: those of text/template, those of Masterminds/sprig that messages use, and what their
values are in Go."""

import base64
import hashlib
import html
import json
import re
import urllib.parse
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from companyos_canary.analysis.gotext import value_text

_LONGEST = 1_000_000


class TemplateFault(Exception):
    """A template cannot be rendered here; the message says why."""


class Moment:
    """A time of Go, with the methods that templates call."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.methods: dict[str, Callable[[], Any]] = {
            "Unix": lambda: int(at.timestamp()),
            "Year": lambda: at.year,
            "Day": lambda: at.day,
            "Hour": lambda: at.hour,
            "Minute": lambda: at.minute,
            "Second": lambda: at.second,
            "String": lambda: str(self),
        }

    def __str__(self) -> str:
        return self.at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


class Concealed(bytes):
    """A value of the Secret that is not shown: it prints as `***`."""


def _bytes_text(value: bytes) -> str:
    """`[115 51]`: fmt prints a slice of bytes as numbers."""
    return value.decode() if isinstance(value, Concealed) else f"[{' '.join(map(str, value))}]"


def _string(value: Any) -> str:
    """sprig's strval: bytes are a text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else go_text(value, inside=True)


def go_text(value: Any, *, inside: bool = False) -> str:
    """As fmt.Print prints it: `map[a:1 b:[x y]]`; a value that is missing is `<no value>`."""
    if value is None:
        return "<nil>" if inside else "<no value>"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{k}:{go_text(v, inside=True)}' for k, v in sorted(value.items()))}]"
    if isinstance(value, list | tuple):
        return f"[{' '.join(go_text(v, inside=True) for v in value)}]"
    if isinstance(value, bytes):
        return _bytes_text(value)
    return value_text(value) if isinstance(value, bool | float) else str(value)


def is_true(value: Any) -> bool:
    return (
        bool(value)
        if isinstance(value, bool | int | float | str | bytes | list | tuple | Mapping)
        else value is not None
    )


def _equal(first: Any, *others: Any) -> bool:
    for other in others:
        kinds = {bool if isinstance(v, bool) else type(v) for v in (first, other) if v is not None}
        if len(kinds) > 1:
            raise TemplateFault("error calling eq: incompatible types for comparison")
    return any(first == other for other in others)


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


def _printf(form: str, *values: Any) -> str:
    left = list(values)

    def put(found: re.Match[str]) -> str:
        if found[2] == "%":
            return "%"
        if not left:
            return f"%!{found[2]}(MISSING)"
        value = left.pop(0)
        if found[2] in "sv":
            return f"%{found[1]}s" % (_string(value) if found[2] == "s" else go_text(value))
        if found[2] == "q":
            return json.dumps(_string(value), ensure_ascii=False)
        return go_text(value) if found[2] == "t" else f"%{found[1]}{found[2]}" % value

    return re.sub(r"%([-+ 0#]*\d{0,4}(?:\.\d{0,2})?)([svqtdfgex%])", put, form)


def _and(*values: Any) -> Any:
    return next((v for v in values if not is_true(v)), values[-1])


def _or(*values: Any) -> Any:
    return next((v for v in values if is_true(v)), values[-1])


def _repeat(count: int, text: str) -> str:
    if count * len(text) > _LONGEST:
        raise TemplateFault("error calling repeat: the message is too long")
    return text * count


def _indent(spaces: int, text: str) -> str:
    return "\n".join(_repeat(spaces, " ") + line for line in text.split("\n"))


def _title(text: str) -> str:
    return re.sub(r"\b\w", lambda m: m[0].upper(), text)


def _replacement(text: str) -> Callable[[re.Match[str]], str]:
    """Go's `$1` and `${1}`."""
    return lambda m: re.sub(r"\$\{?(\d+)\}?", lambda n: m[int(n[1])] or "", text)


def _int(value: Any) -> int:
    try:
        return int(float(value)) if value is not None else 0
    except ValueError:
        return 0


def _call(function: Any, *arguments: Any) -> Any:
    if not callable(function):
        raise TemplateFault("error calling call: non-function")
    return function(*arguments)


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(
        value, indent=indent, sort_keys=True, ensure_ascii=False, separators=(",", ": " if indent else ":")
    )


TAKE_BYTES = frozenset(
    (
        *("and", "or", "not", "len", "index", "slice", "print", "println", "printf", "html", "urlquery", "call"),
        *("default", "empty", "coalesce", "ternary", "quote", "squote", "cat", "toString", "list", "dict"),
        *("toJson", "toRawJson", "toPrettyJson", "first", "last", "eq", "ne"),
    )
)
"""The functions that take a slice of bytes, which a value of the Secret is; the others take a text."""


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": _and,
    "or": _or,
    "not": lambda v: not is_true(v),
    "len": len,
    "index": _index,
    "slice": lambda v, *at: v[slice(*at)] if at else v,
    "print": lambda *v: "".join(go_text(x) for x in v),
    "println": lambda *v: " ".join(go_text(x) for x in v) + "\n",
    "printf": _printf,
    "html": lambda *v: (
        html.escape("".join(go_text(x) for x in v)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    ),
    "urlquery": lambda *v: urllib.parse.quote_plus("".join(go_text(x) for x in v)),
    "call": _call,
    "eq": _equal,
    "ne": lambda a, b: not _equal(a, b),
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    # sprig: the value comes last, so that it can be piped
    "default": lambda d, v=None: v if is_true(v) else d,
    "empty": lambda v: not is_true(v),
    "coalesce": lambda *v: next((x for x in v if is_true(x)), None),
    "ternary": lambda yes, no, test: yes if test else no,
    "upper": lambda s: s.upper(),
    "lower": lambda s: s.lower(),
    "title": _title,
    "trim": lambda s: s.strip(),
    "trimAll": lambda cut, s: s.strip(cut),
    "trimSuffix": lambda end, s: s.removesuffix(end),
    "trimPrefix": lambda head, s: s.removeprefix(head),
    "replace": lambda old, new, s: s.replace(old, new),
    "contains": lambda part, s: part in s,
    "hasPrefix": lambda head, s: s.startswith(head),
    "hasSuffix": lambda end, s: s.endswith(end),
    "quote": lambda *v: " ".join(json.dumps(_string(x), ensure_ascii=False) for x in v if x is not None),
    "squote": lambda *v: " ".join(f"'{go_text(x)}'" for x in v if x is not None),
    "cat": lambda *v: " ".join(go_text(x) for x in v if x is not None),
    "nospace": lambda s: "".join(s.split()),
    "trunc": lambda n, s: s[:n] if n >= 0 else s[n:],
    "substr": lambda start, end, s: s[max(start, 0) : end if end >= 0 else None],
    "repeat": _repeat,
    "indent": _indent,
    "nindent": lambda n, s: "\n" + _indent(n, s),
    "toString": _string,
    "int": _int,
    "int64": _int,
    "float64": lambda v: float(v or 0),
    "toJson": _json,
    "toRawJson": _json,
    "toPrettyJson": lambda v: _json(v, 2),
    "fromJson": json.loads,
    "b64enc": lambda s: base64.b64encode(s.encode()).decode(),
    "b64dec": lambda s: base64.b64decode(s).decode(errors="replace"),
    "sha256sum": lambda s: hashlib.sha256(s.encode()).hexdigest(),
    "join": lambda sep, v: sep.join(go_text(x) for x in v),
    "split": lambda sep, s: {f"_{i}": part for i, part in enumerate(s.split(sep))},
    "splitList": lambda sep, s: s.split(sep),
    "list": lambda *v: list(v),
    "dict": lambda *v: dict(zip(map(go_text, v[::2]), v[1::2], strict=True)),
    "get": lambda m, key: m.get(key, ""),
    "hasKey": lambda m, key: key in m,
    "keys": sorted,
    "has": lambda item, v: item in (v or ()),
    "first": lambda v: v[0] if v else None,
    "last": lambda v: v[-1] if v else None,
    "rest": lambda v: v[1:],
    "initial": lambda v: v[:-1],
    "uniq": lambda v: list(dict.fromkeys(v)),
    "sortAlpha": lambda v: sorted(map(go_text, v)),
    "add": lambda *v: sum(map(_int, v)),
    "add1": lambda v: _int(v) + 1,
    "sub": lambda a, b: _int(a) - _int(b),
    "mul": lambda a, b: _int(a) * _int(b),
    "div": lambda a, b: int(_int(a) / _int(b)),
    "mod": lambda a, b: _int(a) % _int(b),
    "max": lambda *v: max(map(_int, v)),
    "min": lambda *v: min(map(_int, v)),
    "regexMatch": lambda pattern, s: re.search(pattern, s) is not None,
    "regexFind": lambda pattern, s: (re.search(pattern, s) or [""])[0],
    "regexReplaceAll": lambda pattern, s, new: re.sub(pattern, _replacement(new), s),
}
