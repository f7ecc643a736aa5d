"""Output for machines: one envelope, or one object a line. The keys are a contract.

Within `canary/v1` keys are only added. Times are RFC 3339 in UTC, spans are seconds, shares are as
measured (0.05 is 5 %), weights are percent; NaN and infinities are strings.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from companyos_canary.argo.picture import Picture, Place, look
from companyos_canary.errors import CanaryError
from companyos_canary.model.outcome import Ending
from companyos_canary.model.quantity import format_time
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.records import (
    cause_record,
    event_records,
    metric_record,
    pod_records,
    replicaset_record,
    run_records,
    services_record,
    step_record,
    step_records,
)

if TYPE_CHECKING:
    from companyos_canary.view.contract import answers, parts

SCHEMA = "canary/v1"
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def envelope(
    command: str, exit_code: int, data: Mapping[str, Any] | None = None, errors: Iterable[Mapping[str, str]] = ()
) -> str:
    """The one JSON object of a verb, also when it failed."""
    body = {
        "schema": SCHEMA,
        "command": command,
        "exit_code": int(exit_code),
        "data": dict(data or {}),
        "errors": [dict(e) for e in errors],
    }
    return json.dumps(jsonable(body), indent=2, ensure_ascii=False, allow_nan=False)


def error_entry(error: CanaryError) -> dict[str, str]:
    """`code` is the error's kind: `not-found`, `crd-missing`, `refused`, `unreachable`, ..."""
    kind = type(error).__name__.removesuffix("Error") or "Canary"
    code = "failed" if kind == "Canary" else _WORD.sub("-", kind).lower()
    return {"code": code, "message": error.message, "hint": error.hint}


def event_line(event: str, data: Mapping[str, Any], *, at: datetime, seq: int) -> str:
    """One line of a verb that writes an object a line; `event` is its type."""
    body = {"schema": SCHEMA, "seq": seq, "at": format_time(at), "event": event, "data": dict(data)}
    return json.dumps(jsonable(body), ensure_ascii=False, allow_nan=False)


def name(rollout: Rollout) -> str:
    """`-o name`: `rollout.argoproj.io/companyos-api`."""
    return f"rollout.argoproj.io/{rollout.name}"


def jsonable(value: Any) -> Any:
    """Times as text, spans as seconds, NaN and infinities as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, timedelta):
        return round(value.total_seconds(), 3)
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    return value


def snapshot_data(snapshot: Snapshot, now: datetime, *, place: Place | None = None) -> "parts.Snapshot":
    """Everything a screen shows, as data; null for what was not asked for."""
    picture = look(snapshot, now, place)
    data = _whole(picture)
    if services := services_record(picture):
        data["services"] = services
    if not snapshot.whole:
        data["stable_version"] = data["stable_version"] or None
        data["replicasets"] = data["pods"] = data["metrics"] = None
        data["runs"] = data["events"] = None
    return data


def _whole(picture: Picture) -> "parts.Snapshot":
    snapshot = picture.snapshot
    rollout, progress = snapshot.rollout, picture.progress
    return {
        "rollout": rollout.name,
        "namespace": rollout.namespace,
        "context": picture.place.context,
        "strategy": rollout.strategy,
        "phase": progress.phase.word,
        "message": progress.phase.message,
        "activity": progress.activity,
        "revision": rollout.revision,
        "version": picture.version,
        "stable_version": picture.stable,
        "images": {c.name: c.image for c in rollout.containers},
        "current_hash": rollout.current_hash,
        "stable_hash": rollout.stable_hash,
        "promoted": rollout.is_fully_promoted,
        "aborted": rollout.aborted,
        "observed": rollout.observed,
        "step": step_record(picture),
        "steps": step_records(picture),
        "weights": {"set": progress.weight, "actual": picture.actual_weight},
        "replicas": {
            "desired": rollout.replicas,
            "total": rollout.total_replicas,
            "updated": rollout.updated_replicas,
            "ready": rollout.ready_replicas,
            "available": rollout.available_replicas,
        },
        "replicasets": [replicaset_record(picture, r) for r in snapshot.replicasets],
        "pods": pod_records(picture),
        "metrics": [metric_record(r) for r in picture.metrics],
        "runs": run_records(snapshot),
        "events": event_records(snapshot),
        "cause": cause_record(picture.cause),
        "started_at": picture.started,
        "until_end_seconds": progress.until_end,
        "stale_since": snapshot.stale_since,
        "notes": list(snapshot.notes),
    }


def ending_data(ending: Ending, *, place: Place | None = None) -> "answers.Verdict":
    """How a `deploy` or `watch` ended; `snapshot` is the last one."""
    return {
        "verdict": ending.kind,
        "image": ending.image,
        "stable_image": ending.stable_image,
        "weight": ending.weight,
        "step_index": ending.step,
        "started_at": ending.started_at,
        "ended_at": ending.at,
        "took_seconds": ending.at - ending.started_at,
        "cause": cause_record(ending.cause),
        "snapshot": snapshot_data(ending.snapshot, ending.at, place=place),
    }
