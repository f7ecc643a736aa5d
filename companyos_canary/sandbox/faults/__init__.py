"""Faults on demand: what a cluster does on a bad day, in front of a handle.

`Faulty(handle)` is a handle, too; `parse_fault` reads the rules that people write.
"""

from companyos_canary.sandbox.faults.effects import (
    Answer,
    Cut,
    Drop,
    Dropped,
    Effect,
    Expire,
    Fault,
    Freeze,
    Html,
    Lose,
    Race,
    Silence,
    Silent,
    Slow,
    Truncate,
)
from companyos_canary.sandbox.faults.injection import Faulty
from companyos_canary.sandbox.faults.rules import parse_fault, rule_text

__all__ = [
    "Answer",
    "Cut",
    "Drop",
    "Dropped",
    "Effect",
    "Expire",
    "Fault",
    "Faulty",
    "Freeze",
    "Html",
    "Lose",
    "Race",
    "Silence",
    "Silent",
    "Slow",
    "Truncate",
    "parse_fault",
    "rule_text",
]
