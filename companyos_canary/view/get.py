"""The whole picture once: every pod and every revision, as high as it is."""

from datetime import datetime

from rich.text import Text

from companyos_canary.argo.picture import Place, look
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.ink import ink
from companyos_canary.view.lines import Facts, plain
from companyos_canary.view.screen import whole

_EVENTS = 12


def picture(snapshot: Snapshot, now: datetime, facts: Facts, *, place: Place | None = None) -> Text:
    """For a terminal."""
    return ink(whole(look(snapshot, now, place), facts, "all", _EVENTS), facts)


def lines(snapshot: Snapshot, now: datetime, facts: Facts, *, place: Place | None = None) -> tuple[str, ...]:
    """The same without escapes, for a pipe or a file."""
    return tuple(plain(line) for line in whole(look(snapshot, now, place), facts, "all", _EVENTS))
