"""The functions of the language: those that are emulated and those that are refused by name."""

PREDICATES: dict[str, tuple[int, int]] = {
    "all": (2, 2), "none": (2, 2), "any": (2, 2), "one": (2, 2), "filter": (2, 2), "map": (2, 2),
    "count": (1, 2), "sum": (1, 2), "find": (2, 2), "findIndex": (2, 2), "findLast": (2, 2),
    "findLastIndex": (2, 2), "reduce": (2, 3),
}  # fmt: skip
"""Functions over a list with a predicate: how many arguments at least and at most."""

BUILTINS = frozenset((
    *PREDICATES, "len", "abs", "ceil", "floor", "round", "int", "float", "max", "min", "mean",
    "median", "first", "last", "now", "duration", "get", "take", "sort", "reverse",
))  # fmt: skip

UNSUPPORTED = frozenset((
    "groupBy", "sortBy", "type", "string", "trim", "trimPrefix", "trimSuffix", "upper", "lower",
    "split", "splitAfter", "replace", "repeat", "join", "indexOf", "lastIndexOf", "hasPrefix",
    "hasSuffix", "toJSON", "fromJSON", "toBase64", "fromBase64", "date", "timezone",
    "keys", "values", "toPairs", "fromPairs", "uniq", "concat", "flatten",
    "bitand", "bitor", "bitxor", "bitnand", "bitnot", "bitshl", "bitshr", "bitushr",
))  # fmt: skip
"""Functions of expr-lang that no condition on a metric needs."""
