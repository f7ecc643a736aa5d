"""Snapshots of objects as the real controller left them (tests/view/fixtures)."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event, Pod, ReplicaSet

FIXTURES = Path(__file__).parent / "fixtures"


def recorded(name: str) -> Snapshot:
    """Every fixture is a list of objects, in the order in which they were last written."""
    objects = json.loads((FIXTURES / f"{name}.json").read_text())

    def all_of(kind: str, read: Callable[[Any], Any]) -> tuple[Any, ...]:
        return tuple(read(o) for o in objects if o["kind"] == kind)

    replicasets = all_of("ReplicaSet", ReplicaSet.from_object)
    events = all_of("Event", Event.from_object)
    return Snapshot(
        rollout=all_of("Rollout", Rollout.from_object)[0],
        replicasets=tuple(sorted(replicasets, key=lambda r: -r.revision)),
        pods=all_of("Pod", Pod.from_object),
        runs=all_of("AnalysisRun", AnalysisRun.from_object),
        events=tuple(sorted(events, key=lambda e: e.at.timestamp() if e.at else 0.0)),
    )


def moment(snapshot: Snapshot) -> datetime:
    """Two seconds after the newest thing that was recorded."""
    times = [e.at for e in snapshot.events if e.at]
    return max(times) + timedelta(seconds=2)
