"""Every checkpoint of every recording: no alarm where nothing is wrong, and one wherever something is."""

import copy
from datetime import timedelta

import pytest

from companyos_canary.diagnosis.table import CAUSES
from companyos_canary.model.http import Json
from companyos_canary.model.quantity import format_time, parse_time
from tests.conformance.checkpoints import Checkpoint, all_checkpoints
from tests.diagnosis.folder import Folder
from tests.diagnosis.recorded import _times, _whole

FOUND = all_checkpoints()
FINE = {c.id for c in CAUSES if c.fine}


def case_of(checkpoint: Checkpoint, later: timedelta) -> Folder:
    """The objects as they were, looked at so long after the newest of their times."""
    rollout = checkpoint.objects["Rollout"][0]
    held = {(kind, o["metadata"]["name"]): o for kind, found in checkpoint.objects.items() for o in found}
    namespace = rollout["metadata"]["namespace"]
    objects = [_whole(kind, copy.deepcopy(o), held, namespace) for (kind, _), o in held.items()]
    newest = parse_time(max(t for o in objects for t in _times(o)))
    assert newest is not None
    folder = Folder.__new__(Folder)
    folder.requests, folder.logs, folder.prometheus = [], None, None
    folder.objects, folder.case = objects, {"now": format_time(newest + later)}
    return folder


def is_wrong(rollout: Json) -> bool:
    """What a person would call so: it failed, someone stopped it, no verdict, or nothing is there to serve."""
    spec, status = rollout["spec"], rollout.get("status") or {}
    undecided = any(c["reason"].startswith("Inconclusive") for c in status.get("pauseConditions") or [])
    failed = bool(status.get("abort")) or status.get("phase") == "Degraded"
    return failed or undecided or bool(spec.get("paused")) or spec.get("replicas") == 0


def names() -> list[str]:
    return [f"{c.folder}-{c.name}" for c in FOUND]


@pytest.mark.parametrize("checkpoint", FOUND, ids=names())
def test_there_is_an_alarm_exactly_where_something_is_wrong(checkpoint: Checkpoint) -> None:
    if not checkpoint.objects["Rollout"]:
        return
    folder = case_of(checkpoint, timedelta(seconds=2))
    found, _ = folder.diagnosis()
    assert (found.cause not in FINE) == is_wrong(folder.rollout), found


@pytest.mark.parametrize("checkpoint", FOUND, ids=names())
def test_what_waits_or_is_done_is_no_alarm_an_hour_later_either(checkpoint: Checkpoint) -> None:
    if not checkpoint.objects["Rollout"]:
        return
    folder = case_of(checkpoint, timedelta(hours=1))
    phase = (folder.rollout.get("status") or {}).get("phase")
    if phase in ("Healthy", "Paused") and not is_wrong(folder.rollout):
        found, _ = folder.diagnosis()
        assert found.cause in FINE, found
