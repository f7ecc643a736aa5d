"""Values that keep the object of the cluster that they were made of."""

from typing import Any

from msgspec import Struct
from msgspec.structs import astuple


class Sourced(Struct, frozen=True):
    """The last field is what it was made of: that is not compared, and not shown in a traceback."""

    def __eq__(self, other: object) -> bool:
        return self.__class__ is other.__class__ and self._said == astuple(other)[:-1]

    def __hash__(self) -> int:
        return hash(self._said)

    def __repr__(self) -> str:
        pairs = zip(self.__struct_fields__, self._said, strict=False)
        return f"{self.__class__.__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"

    @property
    def _said(self) -> tuple[Any, ...]:
        return astuple(self)[:-1]
