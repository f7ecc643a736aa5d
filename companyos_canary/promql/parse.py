"""Parses a query into promql-parser's tree, with limits on the query."""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache

import promql_parser as tree

from companyos_canary.promql.values import NAME, Matcher, Op, PromqlError

#: Beyond these the parser could exhaust the stack of the process.
MAX_LENGTH = 16_384
MAX_DEPTH = 100
MAX_OPERATORS = 300

_OPERATOR = re.compile(r"[-+*/%^=!<>]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
#: promql-parser takes these moments for 1970.
_BEFORE_1970 = re.compile(r"@\s*-")
_STRING = re.compile(r"""(["'])(?:\\.|(?!\1).)*\1|`[^`]*`""", re.DOTALL)
_SELECTOR = re.compile(r"\{[^{}]*\}")  # its matchers do not nest
_OPS: dict[str, Op] = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}


@lru_cache(maxsize=256)
def parse(text: str) -> tree.Expr:
    """Return the tree of a query. Raises PromqlError `bad_data`, also if the query is too deep."""
    if len(text) > MAX_LENGTH:
        raise PromqlError("bad_data", f"parse error: the query is longer than {MAX_LENGTH} characters")
    if _depth(text) > MAX_DEPTH:
        raise PromqlError("bad_data", f"parse error: the query nests more than {MAX_DEPTH} brackets")
    plain = _STRING.sub('""', text)
    if len(_OPERATOR.findall(_SELECTOR.sub("", plain))) > MAX_OPERATORS:
        raise PromqlError("bad_data", f"parse error: the query has more than {MAX_OPERATORS} operators")
    if _BEFORE_1970.search(plain):
        raise PromqlError("bad_data", "a negative time after `@` is not supported")
    try:
        return tree.parse(text)
    except ValueError as error:
        raise PromqlError("bad_data", f"parse error: {error}") from error


@lru_cache(maxsize=4096)
def matchers(selector: tree.VectorSelector) -> tuple[Matcher, ...]:
    """The matchers of a selector; first the metric's name, as a matcher on `__name__`."""
    if selector.matchers.or_matchers:
        raise PromqlError("bad_data", "`or` between label matchers is not supported")
    return tuple(_matchers(selector))


def named(node: tree.Expr) -> tuple[Matcher, ...]:
    """What a selector, or a range of one, says about the series; nothing for any other expression."""
    if isinstance(node, tree.MatrixSelector):
        node = node.vector_selector
    return matchers(node) if isinstance(node, tree.VectorSelector) else ()


def selector(text: str) -> tuple[Matcher, ...]:
    """The matchers of a text that is a selector only, e.g. `up{job="api"}`."""
    found = parse(text)
    if not isinstance(found, tree.VectorSelector) or found.offset or found.at:
        raise PromqlError("bad_data", f"parse error: `{text}` is not a series selector")
    return matchers(found)


def parse_duration(text: str) -> float:
    """The seconds of a PromQL duration (`5m`, `1h30m`, `500ms`). Raises ValueError."""
    return seconds(tree.parse_duration(text))


def seconds(duration: timedelta | None) -> float:
    return duration.total_seconds() if duration is not None else 0.0


def moment(modifier: tree.AtModifier, start: int, end: int) -> int:
    """What `@` names, in milliseconds; `start` and `end` are those of the query."""
    if modifier.type == tree.AtModifierType.Start:
        return start
    if modifier.type == tree.AtModifierType.End:
        return end
    return round(float(str(modifier).removeprefix("@")) * 1000)


def _matchers(selector: tree.VectorSelector) -> Iterator[Matcher]:
    if selector.name:
        yield Matcher(NAME, "=", selector.name)
    for found in selector.matchers.matchers:
        try:
            yield Matcher(found.name, _OPS[str(found.op)], found.value)
        except ValueError as error:
            raise PromqlError("bad_data", str(error)) from error


def _depth(text: str) -> int:
    deepest = depth = 0
    for char in text:
        if char in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in ")]}":
            depth -= 1
    return deepest
