"""label_replace and label_join: an instant vector with one label made from others.

Upstream: Prometheus 2.42 promql/functions.go, and Go's Regexp.Expand for `$1` and `${name}`.
"""

import re
from collections.abc import Mapping, Sequence

from companyos_canary.promql.floats import is_label_name
from companyos_canary.promql.values import Labels, PromqlError, Sample, Vector, regular_expression

_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|(?P<bare>\w+)|\{(?P<braced>\w+)\})", re.ASCII)


def label_replace(vector: Vector, target: str, replacement: str, source: str, pattern: str) -> Vector:
    """Where the whole source matches, `target` is the replacement; an empty one drops it. Raises
    PromqlError if the pattern or the name cannot be."""
    try:
        compiled = regular_expression(pattern)
    except ValueError as error:
        raise PromqlError("bad_data", str(error)) from error
    if not is_label_name(target):
        raise PromqlError("execution", f"invalid destination label name in label_replace(): {target}")

    def replaced(labels: Labels) -> Labels:
        match = compiled.fullmatch(labels.get(source, ""))
        return labels if match is None else _with(labels, target, _expanded(replacement, match))

    return Vector(tuple(Sample(replaced(s.labels), s.value) for s in vector.samples))


def label_join(vector: Vector, target: str, separator: str, sources: Sequence[str]) -> Vector:
    """`target` is the values of the sources, with the separator between them. Raises PromqlError if
    the names cannot be."""
    if not is_label_name(target):
        raise PromqlError("execution", f"invalid destination label name in label_join(): {target}")
    for source in sources:
        if not is_label_name(source):
            raise PromqlError("execution", f"invalid source label name in label_join(): {source}")

    def joined(labels: Labels) -> Labels:
        return _with(labels, target, separator.join(labels.get(source, "") for source in sources))

    return Vector(tuple(Sample(joined(s.labels), s.value) for s in vector.samples))


def _with(labels: Labels, name: str, value: str) -> Labels:
    rest = {n: v for n, v in labels.items() if n != name}
    return {**rest, name: value} if value else rest


def _expanded(replacement: str, match: re.Match[str]) -> str:
    """References to groups that are not there, or took no part, are empty; a `$` that begins no
    reference represents itself."""
    groups: Mapping[str, str | None] = {
        **match.groupdict(),
        **{str(n): match.group(n) for n in range(len(match.groups()) + 1)},
    }

    def value(reference: re.Match[str]) -> str:
        if reference["dollar"]:
            return "$"
        name = reference["bare"] or reference["braced"]
        return groups.get(str(int(name)) if name.isdigit() else name) or ""

    return _REFERENCE.sub(value, replacement)
