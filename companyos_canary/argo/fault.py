"""A thing that is wrong in a Rollout, as the API and the controller name it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong; `str` is how the API names it."""

    field: str
    problem: str
    detail: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" + (f": {self.detail}" if self.detail else "")


def invalid(field: str, value: Any, detail: str) -> Fault:
    """`value` as Go's field errors print it: numbers bare, texts quoted, objects as JSON."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Fault(field, f"Invalid value: {text}", detail)


def required(field: str, detail: str = "") -> Fault:
    return Fault(field, "Required value", detail)
