"""The functions of sprig for lists, maps, kinds of values and numbers."""

import copy
import functools
import math
import operator
import random
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from companyos_canary.analysis.gotemplate_printf import TemplateFault, go_text, is_true, kind_of, type_of

_LONGEST = 1_000_000


def _int(value: Any) -> int:
    try:
        if isinstance(value, str):
            return int(value, 8 if re.fullmatch(r"[-+]?0[0-7_]+", value) else 0)
        return int(value) if value is not None else 0
    except (ValueError, OverflowError):
        return 0


def _float(value: Any) -> float:
    try:
        return float(value) if value is not None else 0.0
    except ValueError:
        return 0.0


def _exact(fold: Callable[[Decimal, Decimal], Decimal]) -> Callable[..., float]:
    """Decimal arithmetic: 0.1 and 0.2 are 0.3."""
    return lambda *v: float(functools.reduce(fold, (Decimal(repr(_float(x))) for x in v)))


def _set(target: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    if not isinstance(key, str):
        raise TypeError("wrong type for value; expected string")
    target[key] = value
    return target


def _unset(target: dict[str, Any], key: str) -> dict[str, Any]:
    target.pop(key, None)
    return target


def _merged(first: dict[str, Any], *others: Mapping[str, Any], over: bool = False) -> dict[str, Any]:
    for other in others:
        for key, value in other.items():
            if isinstance(value, Mapping) and isinstance(first.get(key), dict):
                _merged(first[key], value, over=over)
            elif key not in first or not is_true(first[key]) or (over and is_true(value)):
                first[key] = value
    return first


def _dig(*path: Any) -> Any:
    *keys, default, value = path
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return default
        value = value[key]
    return value


def _without(values: Iterable[Any], *left_out: Any) -> list[Any]:
    return [v for v in values if v not in left_out]


def _slice(value: Any, first: int = 0, end: int | None = None) -> Any:
    if not isinstance(value, list | tuple):
        raise TemplateFault(f"error calling slice: list should be type of slice or array but {kind_of(value)}")
    return value[first:end]


def _until(first: int, end: int, step: int) -> list[int]:
    if step == 0 or (end < first) != (step < 0):
        return []
    if abs(end - first) // abs(step) > _LONGEST:
        raise TemplateFault("error calling untilStep: the message is too long")
    return list(range(first, end, step))


def _seq(*given: Any) -> str:
    """As the program seq: to the last one, and with it."""
    first, step, last = {1: (1, None, *given), 2: (given[0], None, *given[1:]), 3: given}.get(len(given), (0, 0, 0))
    step = step or (1 if last >= first else -1)
    return " ".join(map(str, _until(first, last + (1 if step > 0 else -1), step)))


def _round(value: Any, places: int, half: float = 0.5) -> float:
    scaled = _float(value) * 10.0**places
    rest = scaled - math.trunc(scaled)
    return float(math.ceil(scaled) if rest >= half else math.floor(scaled)) / 10.0**places


def _fail(message: str) -> Any:
    raise TemplateFault(f"error calling fail: {message}")


VALUES: dict[str, Callable[..., Any]] = {
    "default": lambda d, v=None: v if is_true(v) else d,
    "empty": lambda v: not is_true(v),
    "coalesce": lambda *v: next((x for x in v if is_true(x)), None),
    "all": lambda *v: all(map(is_true, v)),
    "any": lambda *v: any(map(is_true, v)),
    "ternary": lambda yes, no, test: yes if test else no,
    "fail": _fail,
    "kindOf": kind_of,
    "kindIs": lambda kind, v: kind_of(v) == kind,
    "typeOf": type_of,
    "typeIs": lambda kind, v: type_of(v) == kind,
    "typeIsLike": lambda kind, v: type_of(v).lstrip("*") == kind,
    "deepEqual": lambda a, b: a == b,
    "deepCopy": lambda v: copy.deepcopy(v),  # noqa: PLW0108 - it takes no memo
    "list": lambda *v: list(v),
    "tuple": lambda *v: list(v),
    "first": lambda v: v[0] if v else None,
    "last": lambda v: v[-1] if v else None,
    "rest": lambda v: v[1:],
    "initial": lambda v: v[:-1],
    "append": lambda v, item: [*v, item],
    "push": lambda v, item: [*v, item],
    "prepend": lambda v, item: [item, *v],
    "concat": lambda *v: [item for part in v for item in part],
    "reverse": lambda v: list(reversed(v)),
    "uniq": lambda v: [item for n, item in enumerate(v) if item not in v[:n]],
    "without": _without,
    "has": lambda item, v: item in (v or ()),
    "compact": lambda v: [item for item in v if is_true(item)],
    "slice": _slice,
    "chunk": lambda size, v: [v[n : n + size] for n in range(0, len(v), size)],
    "sortAlpha": lambda v: sorted(map(go_text, v)),
    "toStrings": lambda v: [go_text(item, inside=True) for item in v],
    "dict": lambda *v: {go_text(k): (v[n * 2 + 1] if n * 2 + 1 < len(v) else "") for n, k in enumerate(v[::2])},
    "get": lambda m, key: m.get(key, ""),
    "set": _set,
    "unset": _unset,
    "hasKey": lambda m, key: key in m,
    "keys": lambda *m: sorted(key for part in m for key in part),
    "values": lambda *m: [value for part in m for _, value in sorted(part.items())],
    "pluck": lambda key, *m: [part[key] for part in m if key in part],
    "pick": lambda m, *keys: {k: v for k, v in m.items() if k in keys},
    "omit": lambda m, *keys: {k: v for k, v in m.items() if k not in keys},
    "dig": _dig,
    "merge": _merged,
    "mergeOverwrite": lambda first, *others: _merged(first, *others, over=True),
}
NUMBERS: dict[str, Callable[..., Any]] = {
    "int": _int,
    "int64": _int,
    "float64": _float,
    "atoi": lambda s: int(s) if re.fullmatch(r"[-+]?\d+", s) else 0,
    "toDecimal": lambda v: int(go_text(v), 8) if re.fullmatch("[0-7]+", go_text(v)) else 0,
    "add": lambda *v: sum(map(_int, v)),
    "add1": lambda v: _int(v) + 1,
    "sub": lambda a, b: _int(a) - _int(b),
    "mul": lambda *v: math.prod(map(_int, v)),
    "div": lambda a, b: int(_int(a) / _int(b)),
    "mod": lambda a, b: int(math.fmod(_int(a), _int(b))),
    "max": lambda *v: max(map(_int, v)),
    "biggest": lambda *v: max(map(_int, v)),
    "min": lambda *v: min(map(_int, v)),
    "addf": _exact(operator.add),
    "add1f": lambda v: _exact(operator.add)(v, 1),
    "subf": _exact(operator.sub),
    "mulf": _exact(operator.mul),
    "divf": _exact(operator.truediv),
    "maxf": lambda *v: max(map(_float, v)),
    "minf": lambda *v: min(map(_float, v)),
    "floor": lambda v: float(math.floor(_float(v))),
    "ceil": lambda v: float(math.ceil(_float(v))),
    "round": _round,
    "until": lambda end: _until(0, end, 1 if end > 0 else -1),
    "untilStep": _until,
    "seq": _seq,
    "randInt": random.randrange,
}
