"""What each changing verb sends, decided from what was read: a function a verb, no I/O.

A decision is a `Change` (patches, with the `test` operations that pin what was decided on), a
`Refusal` (the verb would do something else than its name says) or `Nothing` (it already holds).
"""

from companyos_canary.argo.patches.act import abort, abort_unseen, is_unseen, names, pause, restart, resume, retry
from companyos_canary.argo.patches.decision import Change, Decision, Nothing, Patch, Refusal
from companyos_canary.argo.patches.image import set_image
from companyos_canary.argo.patches.promote import INCONCLUSIVE, only_if, promote, promote_full
from companyos_canary.argo.patches.record import (
    ACTION,
    RECORD,
    End,
    Record,
    action_of,
    ends_of,
    newest_ends,
    record_of,
    stable_hashes,
    undone_to,
    with_reason,
)
from companyos_canary.argo.patches.undo import undo
from companyos_canary.model.http import JSON_PATCH, MERGE_PATCH

__all__ = [
    "ACTION",
    "INCONCLUSIVE",
    "JSON_PATCH",
    "MERGE_PATCH",
    "RECORD",
    "Change",
    "Decision",
    "End",
    "Nothing",
    "Patch",
    "Record",
    "Refusal",
    "abort",
    "abort_unseen",
    "action_of",
    "ends_of",
    "is_unseen",
    "names",
    "newest_ends",
    "only_if",
    "pause",
    "promote",
    "promote_full",
    "record_of",
    "restart",
    "resume",
    "retry",
    "set_image",
    "stable_hashes",
    "undo",
    "undone_to",
    "with_reason",
]
