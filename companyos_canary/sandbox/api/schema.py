"""The shape of objects as far as the sandbox checks it: known fields, types, what is required."""

from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import Object


def check_shape(kind: Kind, obj: Object, validation: str) -> tuple[Object, tuple[str, ...]]:
    return obj, ()
