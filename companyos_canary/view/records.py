"""The parts of a Snapshot as records for machines: ReplicaSets, pods, metrics, runs, events."""

from typing import TYPE_CHECKING

from companyos_canary.argo.limits import Limit, measured_number
from companyos_canary.argo.metric_rows import MetricRow
from companyos_canary.argo.picture import Picture
from companyos_canary.argo.pods import pod_status, ready_containers, restarts
from companyos_canary.argo.steps import step_count
from companyos_canary.model.analysisrun import Measurement
from companyos_canary.model.outcome import Cause, FailedMetric
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event, ReplicaSet
from companyos_canary.view.pods import role_of

if TYPE_CHECKING:
    from companyos_canary.view.contract import answers, parts


def cause_record(cause: Cause | None) -> "parts.Cause | None":
    if cause is None:
        return None
    return {
        "message": cause.message,
        "metrics": [_failed(m) for m in cause.metrics],
        "pods": [{"pod": p.pod, "reason": p.reason, "message": p.message, "restarts": p.restarts} for p in cause.pods],
    }


def _failed(metric: FailedMetric) -> "parts.FailedMetric":
    return {
        "run": metric.run,
        "metric": metric.metric,
        "phase": metric.phase,
        "value": float(metric.value) if metric.value else None,
        "operator": metric.operator,
        "limit": metric.limit,
        "failed": metric.failed,
        "measured": metric.measured,
        "message": metric.message,
    }


def step_record(picture: Picture) -> "parts.StepInWork":
    """`number` counts weights as canary.yaml does; `index` is the Rollout's currentStepIndex."""
    rollout, progress = picture.snapshot.rollout, picture.progress
    current = rollout.current_step
    return {
        "number": progress.step.number if progress.step else None,
        "of": len(progress.steps),
        "index": rollout.step_index,
        "count": step_count(rollout),
        "kind": current.kind if current else None,
        "length_seconds": progress.length,
        "remaining_seconds": progress.remaining,
    }


def step_records(picture: Picture) -> "list[parts.WeightStep]":
    return [
        {"number": s.number, "weight": s.weight, "first_index": s.first, "end_index": s.end}
        for s in picture.progress.steps
    ]


def services_record(picture: Picture) -> "parts.Services | None":
    """In blue-green alone: the Service of each role, the hash that it selects, and its version."""
    state = picture.snapshot.rollout.blue_green
    if state is None:
        return None

    def of(name: str, digest: str) -> "parts.ServiceOf":
        found = picture.snapshot.replicaset(digest)
        version = picture.version_of(found) if found else ""
        return {"name": name, "hash": digest, "version": version}

    return {"active": of(state.active_service, state.active), "preview": of(state.preview_service, state.preview)}


def replicaset_record(picture: Picture, r: ReplicaSet) -> "parts.ReplicaSet":
    return {
        "name": r.name,
        "hash": r.hash,
        "role": role_of(picture, r),
        "revision": r.revision,
        "version": picture.version_of(r),
        "desired": r.desired,
        "replicas": r.replicas,
        "ready": r.ready,
        "available": r.available,
        "failure": r.failure,
    }


def pod_records(picture: Picture) -> "list[parts.Pod]":
    roles = {r.hash: role_of(picture, r) for r in picture.snapshot.replicasets}
    found: list[parts.Pod] = []
    for pod in picture.snapshot.pods:
        ready, of = ready_containers(pod)
        said = (c.message for c in (*pod.init_containers, *pod.containers) if c.message)
        found.append(
            {
                "name": pod.name,
                "hash": pod.hash,
                "role": roles.get(pod.hash, ""),
                "status": pod_status(pod),
                "ready": pod.ready,
                "containers_ready": ready,
                "containers": of,
                "restarts": restarts(pod),
                "message": next(said, pod.message),
            }
        )
    return found


def limit_record(limit: Limit | None) -> "parts.Bound":
    return {"operator": limit.operator if limit else "", "limit": limit.value if limit else None}


def metric_record(row: MetricRow) -> "parts.Metric":
    return {
        "name": row.name,
        "value": row.value,
        "unit": row.unit,
        **limit_record(row.limit),
        "verdict": row.verdict,
        "phase": row.phase,
        "failed": row.failed,
        "measured": row.measured,
        "planned": row.planned,
        "history": row.history,
        "message": row.message,
        "run": row.run,
    }


def run_records(snapshot: Snapshot) -> "list[parts.Run]":
    return [
        {
            "name": r.name,
            "revision": r.revision,
            "step_index": r.step_index,
            "phase": r.phase,
            "message": r.message,
            "started_at": r.started_at,
            "completed_at": r.completed_at,
        }
        for r in snapshot.runs
    ]


def event_records(snapshot: Snapshot) -> "list[parts.Event]":
    return [event_record(e) for e in snapshot.events]


def event_record(event: Event) -> "parts.Event":
    return {
        "at": event.at,
        "type": event.type,
        "reason": event.reason,
        "kind": event.kind,
        "name": event.name,
        "message": event.message,
        "count": event.count,
    }


def measured_record(one: Measurement) -> "answers.Measured":
    return {
        "phase": one.phase,
        "value": measured_number(one.value),
        "raw": one.value,
        "message": one.message,
        "started_at": one.started_at,
        "finished_at": one.finished_at,
    }
