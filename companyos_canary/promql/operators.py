"""Binary operators with vector matching.

Upstream: Prometheus 2.42 promql/engine.go; compared with promtool.
"""

from typing import Literal

from msgspec import Struct

from companyos_canary.promql.values import (
    ARITHMETIC,
    COMPARISONS,
    NAME,
    Key,
    Labels,
    PromqlError,
    Sample,
    Scalar,
    Vector,
    apply,
    compare,
    key,
    labels_text,
    without_name,
)

_NOTHING: Key = frozenset()


class Matching(Struct, frozen=True):
    """Which elements of two vectors belong together. `on`: compare only `labels`, else all others.
    `many`: the side that may have several elements for one of the other (group_left,
    group_right); `include`: the labels that it takes over."""

    on: bool = False
    labels: tuple[str, ...] = ()
    many: Literal["", "left", "right"] = ""
    include: tuple[str, ...] = ()

    def signature(self, labels: Labels) -> Key:
        return key(self.kept(labels)) if self.labels or not self.on else _NOTHING

    def kept(self, labels: Labels) -> Labels:
        if self.on:
            return {n: v for n, v in labels.items() if n in self.labels}
        if NAME not in labels and not self.labels:
            return labels
        return {n: v for n, v in labels.items() if n != NAME and n not in self.labels}


def scalars(op: str, left: Scalar, right: Scalar) -> Scalar:
    if op in COMPARISONS:
        return Scalar(float(compare(op, left.value, right.value)))
    return Scalar(apply(op, left.value, right.value))


def with_scalar(op: str, vector: Vector, scalar: Scalar, *, swapped: bool, to_bool: bool) -> Vector:
    """`swapped`: the scalar is the left operand. A comparison that filters keeps the value of the
    vector, whichever side it is on."""
    found = []
    for sample in vector.samples:
        pair = (sample.value, scalar.value)
        value = _value(op, *(pair[::-1] if swapped else pair), kept=sample.value, to_bool=to_bool)
        if value is not None:
            drops = op in ARITHMETIC or to_bool
            labels = without_name(sample.labels) if drops else sample.labels
            found.append(Sample(labels, value))
    return Vector(tuple(found))


def sets(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """and, or, unless."""
    if op == "or":
        known = {matching.signature(s.labels) for s in left.samples}
        added = (s for s in right.samples if matching.signature(s.labels) not in known)
        return Vector((*left.samples, *added))
    known = {matching.signature(s.labels) for s in right.samples}
    wanted = op == "and"
    return Vector(tuple(s for s in left.samples if (matching.signature(s.labels) in known) == wanted))


def vectors(op: str, left: Vector, right: Vector, matching: Matching, *, to_bool: bool) -> Vector:
    """Arithmetic and comparison. Raises PromqlError `execution` if the elements do not match one to
    one, or many to one if asked for."""
    if not left.samples or not right.samples:
        return Vector(())
    if len(left.samples) == len(right.samples) == 1 and not (left.samples[0].labels or right.samples[0].labels):
        only = _value(op, left.samples[0].value, right.samples[0].value, kept=left.samples[0].value, to_bool=to_bool)
        return Vector(() if only is None else (Sample({}, only),))
    swapped = matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    partners = _partners(one, matching, side="left" if swapped else "right")
    seen = _Seen(matching)
    found = []
    for sample in many.samples:
        signature = matching.signature(sample.labels)
        partner = partners.get(signature)
        if partner is None:
            continue
        pair = (sample.value, partner.value)
        a, b = pair[::-1] if swapped else pair
        value = _value(op, a, b, kept=a, to_bool=to_bool)
        if value is None:
            continue
        labels = _labels(op, sample.labels, partner.labels, matching, to_bool=to_bool)
        seen.add(signature, labels)
        found.append(Sample(labels, value))
    return Vector(tuple(found))


def _value(op: str, a: float, b: float, *, kept: float, to_bool: bool) -> float | None:
    """The result of one pair; None if a filter drops it."""
    if op in ARITHMETIC:
        return apply(op, a, b)
    holds = compare(op, a, b)
    if to_bool:
        return float(holds)
    return kept if holds else None


def _partners(one: Vector, matching: Matching, side: str) -> dict[Key, Sample]:
    partners: dict[Key, Sample] = {}
    for sample in one.samples:
        signature = matching.signature(sample.labels)
        if signature in partners:
            group = labels_text(matching.kept(sample.labels))
            twins = f"[{labels_text(sample.labels)}, {labels_text(partners[signature].labels)}]"
            raise PromqlError(
                "execution",
                f"found duplicate series for the match group {group} on the {side} hand-side of "
                f"the operation: {twins};many-to-many matching not allowed: matching labels must "
                "be unique on one side",
            )
        partners[signature] = sample
    return partners


class _Seen:
    """Refuses a second result where only one is allowed."""

    def __init__(self, matching: Matching) -> None:
        self._many = matching.many
        self._known: set[tuple[Key, Key | None]] = set()

    def add(self, signature: Key, labels: Labels) -> None:
        entry = (signature, key(labels) if self._many else None)
        if entry in self._known:
            advice = (
                "grouping labels must ensure unique matches"
                if self._many
                else "many-to-one matching must be explicit (group_left/group_right)"
            )
            raise PromqlError("execution", f"multiple matches for labels: {advice}")
        self._known.add(entry)


def _labels(op: str, many: Labels, one: Labels, matching: Matching, *, to_bool: bool) -> Labels:
    labels = without_name(many) if op in ARITHMETIC or to_bool else many
    if not matching.many and (matching.on or matching.labels):
        labels = {n: v for n, v in labels.items() if (n in matching.labels) == matching.on}
    if not matching.include:
        return labels
    taken = {name: one[name] for name in matching.include if one.get(name)}
    return {n: v for n, v in labels.items() if n not in matching.include} | taken
