"""What each changing verb sends, decided from what was read: a function a verb, no I/O.

A decision is a `Change` (patches, with the `test` operations that pin what was decided on), a
`Refusal` (the verb would do something else than its name says) or `Nothing` (it already holds).
"""

from companyos_canary.argo.patches.abort import abort
from companyos_canary.argo.patches.decision import (
    JSON_PATCH,
    MERGE_PATCH,
    Change,
    Decision,
    Nothing,
    Patch,
    Refusal,
)
from companyos_canary.argo.patches.image import set_image, tag
from companyos_canary.argo.patches.promote import promote
from companyos_canary.argo.patches.record import RECORD, Record, record_of

__all__ = [
    "JSON_PATCH",
    "MERGE_PATCH",
    "RECORD",
    "Change",
    "Decision",
    "Nothing",
    "Patch",
    "Record",
    "Refusal",
    "abort",
    "promote",
    "record_of",
    "set_image",
    "tag",
]
