"""What is wrong with what is shown: the same diagnosis for every voice that holds a Snapshot."""

from dataclasses import replace
from datetime import datetime

from companyos_canary.argo.phase import shown_phase
from companyos_canary.argo.picture import Picture, look
from companyos_canary.diagnosis.case import Case, recorded
from companyos_canary.diagnosis.table import diagnose
from companyos_canary.model.outcome import Diagnosis
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Live, Snapshot


def seen(snapshot: Snapshot, now: datetime, place: Place | None = None, live: Live | None = None) -> Picture:
    """A Picture that says why, where something is wrong."""
    return replace(look(snapshot, now, place, live), why=alarm(snapshot, now, place or Place()))


def alarm(snapshot: Snapshot, now: datetime, place: Place) -> Diagnosis | None:
    """Why, from what the Snapshot was made of; None if all is well, or if only the Rollout is known."""
    rollout = snapshot.rollout
    if not snapshot.whole or not snapshot.objects or shown_phase(rollout).word == "Healthy":
        return None
    at = min(snapshot.stale_since or now, now)
    found = diagnose(Case(now=at, snapshot=snapshot, objects=snapshot.objects, did=recorded(rollout), place=place))
    return None if found.fine else found
