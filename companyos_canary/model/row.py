"""The JSON contract as frozen structs: which of their fields are printed, and what the schema says of them.

A row is any frozen struct: its fields are the keys, its docstring is the description, its name without `Row` is
the title. `view/machine.py` prints rows, `commands/contract.py` publishes them: a
field is written in its class alone.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, TypeVar

from msgspec import Struct, field

_Row = TypeVar("_Row")


class Says(Struct, frozen=True):
    """What the schema says next to a type; `words` are all that a text may be, `least` and `most` count members;
    `finite`: a float that is never NaN or infinite."""

    description: str = ""
    words: tuple[str | int, ...] = ()
    examples: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    finite: bool = False


# What the controller writes is not ours to promise: its words are examples, ours are all there are.
PhaseWord = Annotated[str, Says(examples=("Healthy", "Progressing", "Paused", "Degraded"))]
RunPhase = Annotated[
    str,
    Says(
        "empty until the controller has written one",
        examples=("Pending", "Running", "Successful", "Failed", "Inconclusive", "Error", ""),
    ),
]
COMPLETED = frozenset(("Successful", "Failed", "Error", "Inconclusive"))
"""The phases that an AnalysisRun, a metric or an Experiment never leaves."""
Role = Annotated[str, Says("empty for neither", words=("stable", "canary", ""))]
Percent = Annotated[int, Says("percent, of maxTrafficWeight where that is set")]
OfAll = Annotated[float, Says("percent of all traffic", finite=True)]
Object = Annotated[dict[str, Any], Says("an object of Kubernetes")]
Images = Annotated[dict[str, str], Says("image by the name of its container")]


class Placed(Struct, frozen=True, kw_only=True):
    """What is said of one Rollout."""

    rollout: str
    namespace: str
    context: str


class Output(Struct, frozen=True):
    """What a verb prints: `data` may be in its envelope, `lines` are its events by name, where it writes lines (`watch`
    always, others with `--follow` or `--watch`). `partial`: there may be data and an error. `data` may be a function
    where the rows take long to load, and only JSON needs them."""

    data: tuple[type[Any], ...] | Callable[[], tuple[type[Any], ...]]
    lines: Mapping[str, type[Any]] = field(default_factory=dict)
    partial: bool = False

    @property
    def rows(self) -> tuple[type[Any], ...]:
        return self.data if isinstance(self.data, tuple) else self.data()


LEFT_OUT: Any = ...
"""As a default: the key is not always there."""
INSIDE = Says("for people, not for programs")
"""In `Annotated[…]`: the field is not printed. `field(name=…)` is for one that is printed under another name."""


class Key(Struct, frozen=True):
    """A printed field: its `name` in the class, its `text` in JSON."""

    name: str
    text: str
    optional: bool


def title(row: type[Any]) -> str:
    """Its name in the schema."""
    return row.__name__.removesuffix("Row")


@cache
def keys(row: type[Any]) -> tuple[Key, ...]:
    """The printed fields of a row's class."""
    hints = {n: hint for each in row.__mro__ for n, hint in getattr(each, "__annotations__", {}).items()}
    inside = {name for name, hint in hints.items() if INSIDE in getattr(hint, "__metadata__", ())}
    names = row.__struct_fields__
    defaults = dict(zip(reversed(names), reversed(row.__struct_defaults__), strict=False))
    printed = zip(names, row.__struct_encode_fields__, strict=True)
    return tuple(Key(name, text, defaults.get(name) is LEFT_OUT) for name, text in printed if name not in inside)


def entries(row: Any) -> Mapping[str, Any]:
    """A row's keys and values."""
    found = {k: getattr(row, k.name) for k in keys(row.__class__)}
    return {k.text: value for k, value in found.items() if value is not LEFT_OUT}


def pick(row: type[_Row], source: object, **more: Any) -> _Row:
    """A row that takes all but `more` from the attributes of the same names."""
    names = (name for name in row.__struct_fields__ if name not in more)  # type: ignore[attr-defined]
    return row(**{name: getattr(source, name) for name in names}, **more)
