"""What became of each revision, told from what is still in the cluster. Pure.

A ReplicaSet of an aborted version looks like one of a good version: the outcome comes from the
deploy records, and from the runs that are kept (five good and five bad ones by default).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from companyos_canary.argo.cause import failed_metrics
from companyos_canary.argo.patches.record import action_of, record_of
from companyos_canary.argo.phase import shown_phase
from companyos_canary.argo.stable_record import ever_stable
from companyos_canary.argo.steps import weight_at
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.outcome import FailedMetric
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event, ReplicaSet

Became = Literal[
    "stable",        # it serves
    "in progress",   # the newest one, on its way
    "degraded",      # the newest one, stuck without an abort
    "aborted",
    "promoted",      # it was stable once
    "not promoted",  # aborted by hand or replaced on its way: the cluster does not tell which
    "not recorded",  # nobody wrote down whether it was ever stable
]  # fmt: skip
CHANGE_CAUSE = "kubernetes.io/change-cause"
_BAD: tuple[Became, ...] = ("aborted", "degraded")
_HISTORY = "rollout.argoproj.io/revision-history"


@dataclass(frozen=True, slots=True)
class Revision:
    """`at` is when it was sent, None where a ReplicaSet was used again without a record. `took`
    includes `waited`, the time that people kept it waiting. `weight` (percent) and `metrics` are
    of an abort by an analysis, `message` is the controller's word for another bad end."""

    replicaset: ReplicaSet
    became: Became
    current: bool
    at: datetime | None
    by: str
    reason: str
    took: timedelta | None
    waited: timedelta
    weight: int | None
    metrics: tuple[FailedMetric, ...]
    message: str


def history(snapshot: Snapshot, now: datetime) -> tuple[Revision, ...]:
    """Every revision whose ReplicaSet is still there, newest first."""
    return tuple(_revision(snapshot, r, now) for r in snapshot.replicasets)


def as_if_current(snapshot: Snapshot, judged: ReplicaSet | AnalysisRun) -> Snapshot:
    """The snapshot as if the revision of a ReplicaSet, or one run, were the newest one, aborted by
    its analysis: what explains the newest one then explains this one."""
    rollout = replace(
        snapshot.rollout,
        current_hash=judged.hash,
        revision=judged.revision,
        step_index=None,
        aborted=True,
        status_message="",
        pause_conditions=(),
        raw={**snapshot.rollout.raw, "status": {}},
    )
    runs = (judged,) if isinstance(judged, AnalysisRun) else snapshot.runs
    return replace(snapshot, rollout=rollout, runs=runs)


def _revision(snapshot: Snapshot, replicaset: ReplicaSet, now: datetime) -> Revision:
    rollout = snapshot.rollout
    current = bool(rollout.current_hash) and replicaset.hash == rollout.current_hash
    seen = snapshot if current else as_if_current(snapshot, replicaset)
    metrics = failed_metrics(seen)
    became = _current(snapshot) if current else _earlier(snapshot, replicaset, metrics)
    record = _believed(replicaset)
    new = _HISTORY not in replicaset.annotations
    at = parse_time(record.get("at")) or (replicaset.created_at if new else None)
    bad = metrics if became in _BAD else ()
    said = shown_phase(rollout).message if current else _abort_message(snapshot, replicaset)
    took, waited = _span(snapshot, replicaset, at, now, current=current, bad=bad)
    return Revision(
        replicaset=replicaset,
        became=became,
        current=current,
        at=at,
        by=record.get("by", ""),
        reason=record.get("reason", "") or replicaset.annotations.get(CHANGE_CAUSE, ""),
        took=took,
        waited=waited,
        weight=_weight(snapshot, bad),
        metrics=bad,
        message=_by_whom(snapshot, replicaset, current=current) or said
        if became in _BAD and not bad
        else "",
    )


def _by_whom(snapshot: Snapshot, replicaset: ReplicaSet, *, current: bool) -> str:
    """`aborted by ben: wrong tag`, where the abort was given a reason; the controller copies the
    Rollout's annotations to the newest ReplicaSet, older ones than its deploy too."""
    kept = snapshot.rollout.annotations if current else replicaset.annotations
    action = action_of(kept)
    told, began = parse_time(action.get("at")), parse_time(_believed(replicaset).get("at"))
    if action.get("verb") != "abort" or (told and began and told < began):
        return ""
    by = f" by {action['by']}" if action.get("by") else ""
    return f"aborted{by}: {action.get('reason', '')}"


def _believed(replicaset: ReplicaSet) -> Mapping[str, str]:
    """The deploy record, if it is about this ReplicaSet's own image."""
    record = record_of(replicaset.annotations)
    own = {c.image for c in replicaset.containers}
    return record if record.get("image") in own else {}


def _current(snapshot: Snapshot) -> Became:
    rollout = snapshot.rollout
    if rollout.is_fully_promoted:
        return "stable"
    if rollout.aborted:
        return "aborted"
    return "degraded" if shown_phase(rollout).word == "Degraded" else "in progress"


def _earlier(
    snapshot: Snapshot, replicaset: ReplicaSet, metrics: tuple[FailedMetric, ...]
) -> Became:
    if replicaset.hash and replicaset.hash == snapshot.rollout.stable_hash:
        return "stable"
    completed = any(_completes(e, replicaset) for e in snapshot.events)
    if completed or replicaset.hash in ever_stable(snapshot):
        return "promoted"
    if metrics or _abort_message(snapshot, replicaset):
        return "aborted"
    # Only the revision right after it knows: another one may have been stable in between.
    number = replicaset.revision + 1
    following = next((r for r in snapshot.replicasets if r.revision == number), None)
    told = following is not None and "stable" in _believed(following)
    return "not promoted" if told else "not recorded"


def _span(
    snapshot: Snapshot, replicaset: ReplicaSet, at: datetime | None, now: datetime, *,
    current: bool, bad: tuple[FailedMetric, ...],
) -> tuple[timedelta | None, timedelta]:  # fmt: skip
    """How long it took, and how much of that it waited for people."""
    status: Mapping[str, Any] = snapshot.rollout.raw.get("status") or {}
    duration = (status.get("duration") or {}) if current else {}
    if begun := parse_time(duration.get("rolloutStartedAt")):
        waited = duration.get("totalManualPauseDurationSeconds")
        over = parse_time(duration.get("finishedAt")) or now
        # An undo mid-way keeps the start of the release that it ended.
        again = _HISTORY in replicaset.annotations
        if again and at and at > over:
            return None, timedelta()
        if again and at:
            begun = max(begun, at)
        return over - begun, timedelta(seconds=waited or 0)
    runs = {m.run for m in bad}
    ends = [r.completed_at for r in snapshot.runs if r.name in runs and r.completed_at]
    told = (e for e in snapshot.events if _completes(e, replicaset) or _aborts(e, replicaset))
    ends += [e.at for e in told if e.at]
    ended = max(ends, default=None)
    return (ended - at if ended and at and ended >= at else None), timedelta()


def _completes(event: Event, replicaset: ReplicaSet) -> bool:
    """The controller's word that this revision was promoted (message: recorded). For the first
    one it says so before there are pods."""
    head = f"Rollout completed update to revision {replicaset.revision} ({replicaset.hash})"
    return event.message.startswith(head) and not event.message.endswith("Initial deploy")


def _abort_message(snapshot: Snapshot, replicaset: ReplicaSet) -> str:
    return next((e.message for e in snapshot.events if _aborts(e, replicaset)), "")


def _aborts(event: Event, replicaset: ReplicaSet) -> bool:
    """The controller's word that this revision was aborted (message: recorded)."""
    head = f"Rollout aborted update to revision {replicaset.revision}"
    return event.message == head or event.message.startswith(f"{head}:")


def _weight(snapshot: Snapshot, metrics: tuple[FailedMetric, ...]) -> int | None:
    """The share at which the failing run judged; None for a background run."""
    indices = {r.name: r.step_index for r in snapshot.runs}
    index = next((indices.get(m.run) for m in metrics), None)
    return None if index is None else weight_at(snapshot.rollout.steps, index)
