"""Semantic versions in templates, as Masterminds/semver compares them."""

import re
from collections.abc import Callable
from typing import Any

from companyos_canary.analysis.gotemplate_printf import TemplateFault

_CONSTRAINT = re.compile(r"(!=|>=|<=|=>|=<|[=<>~^])?\s*([\w.*+-]+)")


class Version:
    """A semantic version, with the fields that templates read."""

    def __init__(self, text: str) -> None:
        found = re.fullmatch(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?", text)
        if not found:
            raise TemplateFault("error calling semver: Invalid Semantic Version")
        self.release = tuple(int(n or 0) for n in found.groups()[:3])
        self.before, self.build, self.text = found[4] or "", found[5] or "", text
        self.methods: dict[str, Callable[..., Any]] = {
            "Major": lambda: self.release[0],
            "Minor": lambda: self.release[1],
            "Patch": lambda: self.release[2],
            "Prerelease": lambda: self.before,
            "Metadata": lambda: self.build,
            "Original": lambda: self.text,
            "Compare": lambda other: (self.order > other.order) - (self.order < other.order),
        }

    @property
    def order(self) -> tuple[Any, ...]:
        parts = tuple((p.isdecimal() is False, int(p) if p.isdecimal() else 0, p) for p in self.before.split("."))
        return (*self.release, not self.before, parts if self.before else ())

    def __str__(self) -> str:
        tail = (f"-{self.before}" if self.before else "") + (f"+{self.build}" if self.build else "")
        return ".".join(map(str, self.release)) + tail


def satisfies(constraint: str, text: str) -> bool:
    """`^1.2.0`, `~1.2`, `>= 1.2, < 2`, `1.x`, `a || b`."""
    version = Version(text)
    parts = [_CONSTRAINT.findall(either) for either in constraint.split("||")]
    return any(all(_holds(sign, wanted, version) for sign, wanted in either) for either in parts)


def _holds(sign: str, text: str, version: Version) -> bool:
    known = re.split(r"\.?[xX*]", text)[0]
    parts = known.lstrip("v").split("-")[0].split(".") if known else []
    if not parts:
        return not version.before
    wanted = Version(known)
    if version.before and not wanted.before:
        return False
    low, fixed = wanted.release, len(parts)
    if sign == "^":
        fixed = next((n + 1 for n, part in enumerate(low) if part), 3)
    elif sign == "~":
        fixed = min(fixed, 2)
    if sign in ("^", "~") or (sign in ("", "=", "!=") and fixed < 3):
        same = version.release[:fixed] == low[:fixed] and version.order >= wanted.order
        return not same if sign == "!=" else same
    first, second = version.order, wanted.order
    return {
        ">": first > second,
        "<": first < second,
        ">=": first >= second,
        "=>": first >= second,
        "<=": first <= second,
        "=<": first <= second,
        "!=": first != second,
    }.get(sign or "=", first == second)
