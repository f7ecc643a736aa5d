"""Why a rollout ended badly or does not move: the metric, the pod, the controller's word. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from companyos_canary.argo.limits import decided_of, limit_of, number_text
from companyos_canary.argo.patches.record import action_of
from companyos_canary.argo.phase import Phase, shown_phase, tells_of_an_earlier_version
from companyos_canary.argo.pods import PodState, pod_state
from companyos_canary.model.analysisrun import AnalysisRun, Metric, MetricResult
from companyos_canary.model.outcome import Cause, FailedMetric, PodProblem
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot

TIMED_OUT = "has timed out progressing"
"""Upstream conditions.ReplicaSetTimeOutMessage; recorded."""
_TOGETHER = timedelta(seconds=10)
"""How far the time of an abort and that of what caused it may be apart: times of two clocks, and
the controller takes a moment."""
_BARE_ABORT = r"(RolloutAborted: )?Rollout aborted update to revision \d+"
_ON_THE_WAY = frozenset(
    ("", "Running", "Pending", "ContainerCreating", "PodInitializing", "Terminating", "Completed", "Succeeded")
)


def cause(
    snapshot: Snapshot, now: datetime | None = None, phase: Phase | None = None, pods: Sequence[PodState] | None = None
) -> Cause | None:
    """What keeps the newest revision from being promoted; None if nothing is wrong. `now` as in `is_held`; `phase` and
    `pods` where it is known what is shown of them."""
    phase = phase or shown_phase(snapshot.rollout)
    if phase.word == "Healthy":
        return None
    if phase.word == "Degraded" and tells_of_an_earlier_version(snapshot.rollout, phase):
        return None
    metrics = failed_metrics(snapshot)
    problems = pod_problems(snapshot, now, pods)
    if phase.word != "Degraded" and not metrics and not problems:
        return None
    return Cause(_explained(snapshot, phase.message), metrics, problems, _by_hand(snapshot))


def says_no_reason(message: str) -> bool:
    """An abort without a reason: by hand, or after a progress deadline, whose own message the
    controller v1.9.1 writes over (recorded: bad-image-deadline-abort). The reason of an abort is in no field:
    `status.abort` is a boolean, and the reason of the condition is RolloutAborted whatever led to it."""
    return bool(re.fullmatch(_BARE_ABORT, message))


def _explained(snapshot: Snapshot, message: str) -> str:
    """The controller's message, with the deadline that an event of this update still names: in its message alone, for
    1.9 emits it with the reason of the abort, or with none."""
    if not says_no_reason(message):
        return message
    rollout = snapshot.rollout
    late = [
        e.message
        for e in snapshot.events
        if TIMED_OUT in e.message and f'-{rollout.current_hash}"' in e.message and _at_the_abort(rollout, e.at)
    ]
    return f"{message}: {late[-1]}" if late else message


def _at_the_abort(rollout: Rollout, at: datetime | None) -> bool:
    """Whether it happened with the abort that is in force. A retry takes `abortedAt` away, and a
    new version does: what belongs to an earlier abort is further away from it."""
    aborted = rollout.aborted_at
    return at is not None and aborted is not None and abs(at - aborted) <= _TOGETHER


def _by_hand(snapshot: Snapshot) -> bool:
    """`abort --reason` left its record with this abort."""
    rollout = snapshot.rollout
    if not rollout.aborted or not says_no_reason(rollout.status_message):
        return False
    action = action_of(rollout.annotations)
    return action.get("verb") == "abort" and _at_the_abort(rollout, parse_time(action.get("at")))


def aborted_by_analysis(snapshot: Snapshot) -> bool:
    """A run of this update ended badly, and no later than the abort. The words of the abort are other ones in each
    release of the controller; they only count where the run may not be read, or is an Experiment's."""
    rollout = snapshot.rollout
    if not rollout.aborted or says_no_reason(rollout.status_message):
        return False
    ended = (r.completed_at for r in snapshot.attempt if r.phase in ("Failed", "Error"))
    at = rollout.aborted_at
    if any(not end or not at or end - at <= _TOGETHER for end in ended):
        return True
    return "analysis" in rollout.status_message


def failed_metrics(snapshot: Snapshot) -> tuple[FailedMetric, ...]:
    """The metrics that ended a run of this update with another verdict than Successful. None
    where it was aborted for another reason."""
    rollout = snapshot.rollout
    if rollout.aborted and rollout.status_message and not aborted_by_analysis(snapshot):
        return ()
    runs = [r for r in snapshot.judging if r.phase in ("Failed", "Error", "Inconclusive")]
    if any(r.phase != "Inconclusive" for r in runs):
        runs = [r for r in runs if r.phase != "Inconclusive"]
    elif not rollout.lacks_a_verdict:
        return ()
    return tuple(
        _failed(run, metric, result)
        for run in runs
        for metric in run.metrics
        if (result := run.result(metric.name)) and result.phase == run.phase and not result.dry_run
    )


def pod_problems(
    snapshot: Snapshot, now: datetime | None = None, pods: Sequence[PodState] | None = None
) -> tuple[PodProblem, ...]:
    """Pods of the newest revision that do not come up, and what forbids making any. `now` as in `is_held`; `pods`
    where their states are known."""
    current = snapshot.current
    refused = (PodProblem(current.name, "ReplicaFailure", current.failure, 0),) if current and current.failure else ()
    hash_ = snapshot.rollout.current_hash
    if pods is None:
        pods = [pod_state(p, now) for p in snapshot.pods if p.hash == hash_ and not p.ready]
    found = []
    for state in pods:
        pod, status, again = state.pod, state.status, state.restarts
        if pod.ready or pod.hash != hash_:
            continue
        held = pod.held[0] if status in _ON_THE_WAY and state.held else ""
        if status not in _ON_THE_WAY or held or (again and not pod.deleting):
            found.append(PodProblem(pod.name, held or status, state.message, again))
    return (*refused, *found)


def _failed(run: AnalysisRun, metric: Metric, result: MetricResult) -> FailedMetric:
    """With the newest measurement that had the verdict which ended it."""
    limit = limit_of(metric.success_condition, metric.failure_condition)
    judged = [m for m in result.measurements if m.phase == result.phase]
    newest = judged[-1] if judged else None
    few = ""
    if newest and result.phase == "Inconclusive":
        from companyos_canary.analysis.evidence import too_few  # noqa: PLC0415 - hardly any cause is about that

        few = too_few(metric.success_condition, metric.query, newest.value)
    return FailedMetric(
        run=run.name,
        metric=metric.name,
        phase=result.phase,
        value=_rounded(decided_of(metric, newest.value).number) if newest else None,
        operator=limit.operator if limit else "",
        limit=limit.value if limit else None,
        failed=max(len(judged), result.failed if result.phase == "Failed" else 0),
        measured=result.taken,
        message=(newest.message if newest else "") or result.message,
        few=few,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(number_text(value))
