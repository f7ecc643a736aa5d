"""The outcome of each revision, derived from what is still in the cluster. Pure.

A ReplicaSet of an aborted version looks like one of a good version: the outcome comes from the
records that `deploy` and `undo` leave, and from the runs that are kept (five good and five bad
ones by default). What is known of this very revision counts more than that its template was stable
once: the same ReplicaSet comes back when a version is tried again.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.argo.actions import Action, actions_on
from companyos_canary.argo.announcement import announcement, announcing
from companyos_canary.argo.cause import failed_metrics
from companyos_canary.argo.metric_rows import MetricRow, SequentialRow, metric_rows
from companyos_canary.argo.patches.record import End, abort_action, believed, ever_stable, known_ends
from companyos_canary.argo.phase import is_degraded, shown_phase
from companyos_canary.argo.steps import percent, weight_at
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.image import image_of, version
from companyos_canary.model.outcome import Cause, FailedMetric
from companyos_canary.model.quantity import parse_time, whole_seconds
from companyos_canary.model.rollout import REVISION_HISTORY
from companyos_canary.model.row import Images, OfAll, Percent, Says, pick
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event, ReplicaSet

Became = Literal[
    "stable",  # it serves
    "in progress",  # the newest one, in progress
    "degraded",  # the newest one, stuck without an abort
    "aborted",
    "promoted",  # it was stable once
    "not promoted",  # aborted by hand or replaced in progress: the cluster does not tell which
    "not recorded",  # no one wrote down whether it was ever stable
]
CHANGE_CAUSE = "kubernetes.io/change-cause"
_BAD: tuple[Became, ...] = ("aborted", "degraded")


class Revision(Struct, frozen=True):
    """`at` is when it was sent, None if a ReplicaSet was used again without a record. `took`
    includes `waited`, the time that people kept it waiting. `weight`, its `percent` and `metrics` are
    of an abort by an analysis, `message` is the controller's word for another bad end. `ended_at`
    is when an abort or a promotion was seen. `undone`: an undo left this revision. `earlier` says
    how the same ReplicaSet ended under lower numbers, newest first. `judged` are the metrics of the
    runs that are kept, `actions` what people did with it, as far as the Events of that are kept."""

    replicaset: ReplicaSet
    became: Became
    current: bool
    at: datetime | None
    by: str
    reason: str
    took: timedelta | None
    waited: timedelta
    weight: int | None
    percent: float | None
    metrics: tuple[FailedMetric, ...]
    message: str
    ended_at: datetime | None
    undone: End | None
    earlier: tuple[End, ...]
    judged: tuple[MetricRow, ...] = ()
    actions: tuple[Action, ...] = ()


Outcome = Annotated[str, Says(words=tuple(w.replace(" ", "-") for w in get_args(Became)))]


class Undone(Struct, frozen=True):
    """An undo left this revision."""

    at: datetime | None
    by: str
    reason: str


class EarlierRevision(Struct, frozen=True):
    """How the same ReplicaSet ended under a lower number. `at`, `by` and `reason` are those of the
    undo where `undone`, else those of the abort."""

    revision: int
    outcome: Outcome
    at: datetime | None
    by: str
    reason: str
    undone: bool


class JudgedSequentially(Struct, frozen=True):
    """The sequential verdict on a metric, from the runs that are kept."""

    metric: str
    sequential: SequentialRow


class RevisionRow(Struct, frozen=True):
    """`waited_seconds` (for a person) is part of `took_seconds`."""

    revision: int
    version: str
    images: Images
    hash: str
    replicaset: str
    outcome: Outcome
    current: bool
    at: datetime | None
    created_at: datetime | None
    by: str
    reason: str
    took_seconds: timedelta | None
    waited_seconds: timedelta
    weight: Percent | None
    percent: OfAll | None
    cause: Cause | None
    undone: Undone | None
    earlier: tuple[EarlierRevision, ...]
    sequential: tuple[JudgedSequentially, ...]
    actions: tuple[Action, ...]


def revision_row(revision: Revision, container: str | None) -> RevisionRow:
    """With the version of the container that is meant, the first by default."""
    replicaset = revision.replicaset
    known = bool(revision.metrics or revision.message)
    return pick(
        RevisionRow,
        revision,
        revision=replicaset.revision,
        version=version(image_of(replicaset.containers, container)),
        images={c.name: c.image for c in replicaset.containers},
        hash=replicaset.hash,
        replicaset=replicaset.name,
        outcome=word(revision.became),
        created_at=replicaset.created_at,
        took_seconds=revision.took,
        waited_seconds=revision.waited,
        cause=Cause(revision.message, revision.metrics) if known else None,
        undone=pick(Undone, revision.undone) if revision.undone else None,
        earlier=tuple(pick(EarlierRevision, e, outcome=word(e.result)) for e in revision.earlier),
        sequential=tuple(JudgedSequentially(r.name, r.sequential) for r in revision.judged if r.sequential),
    )


def word(became: Became) -> str:
    """In one word: `in-progress`."""
    return became.replace(" ", "-")


def history(snapshot: Snapshot, now: datetime) -> tuple[Revision, ...]:
    """Every revision whose ReplicaSet is still there, newest first."""
    return tuple(revision_of(snapshot, r, now) for r in snapshot.replicasets)


def previous_stable(snapshot: Snapshot) -> ReplicaSet | None:
    """What an undo goes back to: mid-way the stable version, afterwards the newest earlier one
    that was ever stable, was not aborted when it was last tried, and was not left by an undo. None
    where no record says so."""
    rollout, known = snapshot.rollout, ever_stable(snapshot)
    if not rollout.is_fully_promoted:
        return snapshot.stable
    left = {(e.hash, e.revision) for e in known_ends(snapshot) if e.undone}
    candidates = [
        r
        for r in snapshot.replicasets
        if r.hash in known
        and r.hash != rollout.current_hash
        and (r.hash, r.revision) not in left
        and not was_aborted(snapshot, r)
    ]
    return max(candidates, key=lambda r: r.revision, default=None)


def was_aborted(snapshot: Snapshot, replicaset: ReplicaSet) -> bool:
    """Whether its newest revision, which may be the one in progress, is known to be aborted."""
    rollout = snapshot.rollout
    if rollout.current_hash and replicaset.hash == rollout.current_hash:
        return rollout.aborted
    metrics = failed_metrics(as_if_current(snapshot, replicaset))
    return _earlier(snapshot, replicaset, metrics) == "aborted"


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
        update_started=None,
        raw={**snapshot.rollout.raw, "status": {}},
    )
    runs = (judged,) if isinstance(judged, AnalysisRun) else snapshot.runs
    return replace(snapshot, rollout=rollout, runs=runs)


def is_used_again(replicaset: ReplicaSet) -> bool:
    """Whether a version has had an earlier revision. The controller also puts the present one into the history, as
    often as the Rollout gets another annotation (recorded)."""
    had = replicaset.annotations.get(REVISION_HISTORY, "").split(",")
    return any(revision not in ("", str(replicaset.revision)) for revision in had)


def revision_of(snapshot: Snapshot, replicaset: ReplicaSet, now: datetime) -> Revision:
    """The newest revision of one ReplicaSet."""
    rollout = snapshot.rollout
    current = bool(rollout.current_hash) and replicaset.hash == rollout.current_hash
    seen = snapshot if current else as_if_current(snapshot, replicaset)
    metrics = failed_metrics(seen)
    became = _current(snapshot) if current else _earlier(snapshot, replicaset, metrics)
    record = believed(replicaset)
    new = not is_used_again(replicaset)
    at = parse_time(record.get("at")) or (replicaset.created_at if new else None)
    bad = metrics if became in _BAD else ()
    ends = tuple(e for e in known_ends(snapshot) if e.hash == replicaset.hash)
    end = next((e for e in ends if e.revision == replicaset.revision and not current), None)
    ended_at = _ended(snapshot, replicaset, bad, end)
    took, waited = _span(snapshot, replicaset, at, now, current=current, ended=ended_at)
    weight = _weight(snapshot, bad)
    return Revision(
        replicaset=replicaset,
        became=became,
        current=current,
        at=at,
        by=record.get("by", ""),
        reason=record.get("reason", "") or replicaset.annotations.get(CHANGE_CAUSE, ""),
        took=took,
        waited=waited,
        weight=weight,
        percent=None if weight is None else percent(snapshot.rollout, weight),
        metrics=bad,
        message=_message(snapshot, replicaset, end, current=current) if became in _BAD and not bad else "",
        ended_at=ended_at,
        undone=end if end and end.undone else None,
        earlier=tuple(e for e in ends if e.revision < replicaset.revision),
        judged=metric_rows(seen),
        actions=actions_on(snapshot.events, replicaset.revision),
    )


def _message(snapshot: Snapshot, replicaset: ReplicaSet, end: End | None, *, current: bool) -> str:
    """`aborted by ben: wrong tag` where the abort was given a reason, else the controller's."""
    action = abort_action(snapshot.rollout.annotations if current else replicaset.annotations)
    by, reason = action.get("by", ""), action.get("reason", "")
    if not reason and end and end.by:
        by, reason = end.by, end.reason
    if reason:
        return f"aborted{f' by {by}' if by else ''}: {reason}"
    if current:
        return shown_phase(snapshot.rollout).message
    return _abort_message(snapshot, replicaset) or (end.reason if end and not end.undone else "")


def _current(snapshot: Snapshot) -> Became:
    rollout = snapshot.rollout
    if rollout.is_fully_promoted:
        return "stable"
    if rollout.aborted:
        return "aborted"
    return "degraded" if is_degraded(rollout) else "in progress"


def _earlier(snapshot: Snapshot, replicaset: ReplicaSet, metrics: tuple[FailedMetric, ...]) -> Became:
    if replicaset.hash and replicaset.hash == snapshot.rollout.stable_hash:
        return "stable"
    if snapshot.role_of(replicaset.hash) == "canary":
        return "in progress"
    for end in known_ends(snapshot):
        if (end.hash, end.revision) == (replicaset.hash, replicaset.revision):
            return end.result
    if any(_completes(e, replicaset) for e in snapshot.events) or _later(snapshot, replicaset):
        return "promoted"
    if metrics or _abort_message(snapshot, replicaset):
        return "aborted"
    if replicaset.hash in ever_stable(snapshot):
        return "promoted"
    # Only the revision right after it knows: another one may have been stable in between.
    number = replicaset.revision + 1
    following = next((r for r in snapshot.replicasets if r.revision == number), None)
    told = following is not None and "stable" in believed(following)
    return "not promoted" if told else "not recorded"


def _later(snapshot: Snapshot, replicaset: ReplicaSet) -> bool:
    """Whether it was stable when a later revision was sent: after this one, also after a retry."""
    return any(
        r.revision > replicaset.revision and believed(r).get("stable") == replicaset.hash
        for r in snapshot.replicasets
        if replicaset.hash
    )


def _span(
    snapshot: Snapshot,
    replicaset: ReplicaSet,
    at: datetime | None,
    now: datetime,
    *,
    current: bool,
    ended: datetime | None,
) -> tuple[timedelta | None, timedelta]:
    """How long it took, and how much of that it waited for people."""
    status: Mapping[str, Any] = snapshot.rollout.raw.get("status") or {}
    duration = (status.get("duration") or {}) if current else {}
    if begun := parse_time(duration.get("rolloutStartedAt")):
        waited = duration.get("totalManualPauseDurationSeconds")
        over = parse_time(duration.get("finishedAt")) or now
        # An undo mid-way keeps the start of the release that it ended.
        again = is_used_again(replicaset)
        if again and at and at > over:
            return None, timedelta()
        if again and at:
            begun = max(begun, at)
        return over - begun, whole_seconds(waited)
    return (ended - at if ended and at and ended >= at else None), timedelta()


def _ended(
    snapshot: Snapshot, replicaset: ReplicaSet, bad: tuple[FailedMetric, ...], end: End | None
) -> datetime | None:
    """When an earlier revision was aborted or promoted, as far as that is known."""
    runs = {m.run for m in bad}
    ends = [r.completed_at for r in snapshot.runs if r.name in runs and r.completed_at]
    told = [e for e in snapshot.events if _completes(e, replicaset)] + _aborts(snapshot, replicaset)
    ends += [e.at for e in told if e.at]
    if end and end.at and not end.undone:
        ends.append(end.at)
    return max(ends, default=None)


def _completes(event: Event, replicaset: ReplicaSet) -> bool:
    """The controller's word that this revision was promoted."""
    said = announcement(event)
    about = said is not None and said.promoted and (said.revision, said.hash)
    return about == (replicaset.revision, replicaset.hash)


def _abort_message(snapshot: Snapshot, replicaset: ReplicaSet) -> str:
    return next((e.message for e in _aborts(snapshot, replicaset)), "")


def _aborts(snapshot: Snapshot, replicaset: ReplicaSet) -> list[Event]:
    """The controller's word that this revision was aborted."""
    return announcing(snapshot.events, "RolloutAborted", replicaset.revision)


def _weight(snapshot: Snapshot, metrics: tuple[FailedMetric, ...]) -> int | None:
    """The weight at which the failing run judged; None for a background run."""
    indices = {r.name: r.step_index for r in snapshot.runs}
    index = next((indices.get(m.run) for m in metrics), None)
    return None if index is None else weight_at(snapshot.rollout.steps, index)
