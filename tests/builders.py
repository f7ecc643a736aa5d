"""Objects as a cluster returns them, and Snapshots of them, with only what matters spelled out.

`*_object` make dicts (for a server or a fixture), the functions without suffix make our values. The
defaults are one story: `companyos-api` with 10 replicas goes from v1.0.0 (revision 7) to v1.1.0
(revision 8) in the guide's three steps; it is `NOW`, and the update began three minutes ago.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.quantity import format_time
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event, Pod, ReplicaSet

NOW = datetime(2026, 3, 2, 12, 4, 33, tzinfo=UTC)
STARTED = NOW - timedelta(minutes=3, seconds=12)
NAME, NAMESPACE, IMAGE = "companyos-api", "companyos", "companyos-api"
CANARY, STABLE = "7f6c9d5b54", "6cbcc655c7"
ROLLOUT_UID = "b6140f43-7378-446d-813f-39cd40939b4f"

ANALYSIS: dict[str, Any] = {"analysis": {"templates": [{"templateName": "companyos-canary"}]}}
PAUSE: dict[str, Any] = {"pause": {}}
GUIDE_STEPS: tuple[dict[str, Any], ...] = (
    {"setWeight": 10},
    ANALYSIS,
    {"setWeight": 25},
    ANALYSIS,
    {"setWeight": 50},
    ANALYSIS,
)


def pause(duration: str | int) -> dict[str, Any]:
    return {"pause": {"duration": duration}}


def rollout_object(
    *,
    image: str = f"{IMAGE}:v1.1.0",
    steps: Sequence[Mapping[str, Any]] = GUIDE_STEPS,
    replicas: int = 10,
    revision: int = 8,
    current: str = CANARY,
    stable: str = STABLE,
    step_index: int | None = 3,
    phase: str = "Progressing",
    message: str = "more replicas need to be updated",
    updated: int = 3,
    total: int = 11,
    paused: bool = False,
    pause_reason: str = "",
    pause_started: datetime | None = None,
    aborted_at: datetime | None = None,
    generation: int = 8,
    observed: int | None = None,
    annotations: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A Rollout in the middle of its second step; `spec` and `status` are merged in last."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "uid": ROLLOUT_UID,
            "generation": generation,
            "resourceVersion": "2489",
            "creationTimestamp": format_time(NOW - timedelta(days=12)),
            "annotations": {"rollout.argoproj.io/revision": str(revision), **(annotations or {})},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {
                "metadata": {"labels": {"app": NAME}},
                "spec": {"containers": [{"name": NAME, "image": image}]},
            },
            "strategy": {"canary": {"steps": [dict(s) for s in steps]}},
            **({"paused": True} if paused else {}),
            **(spec or {}),
        },
        "status": {
            "phase": phase,
            **({"message": message} if message else {}),
            "observedGeneration": str(generation if observed is None else observed),
            "currentPodHash": current,
            "stableRS": stable,
            **({} if step_index is None else {"currentStepIndex": step_index}),
            "replicas": total,
            "updatedReplicas": updated,
            "readyReplicas": total,
            "availableReplicas": total,
            "canary": {},
            **_pausing(pause_reason, pause_started),
            **({"abort": True, "abortedAt": format_time(aborted_at)} if aborted_at else {}),
            **(status or {}),
        },
    }


def _pausing(reason: str, started: datetime | None) -> dict[str, Any]:
    if not reason:
        return {}
    since = format_time(started or NOW)
    return {"controllerPause": True, "pauseConditions": [{"reason": reason, "startTime": since}]}


def rollout(**fields: Any) -> Rollout:
    """`rollout_object` as our value."""
    return Rollout.from_object(rollout_object(**fields))


def replicaset_object(
    *,
    hash: str = CANARY,  # noqa: A002 - the field's own word
    image: str = f"{IMAGE}:v1.1.0",
    revision: int = 8,
    desired: int = 3,
    replicas: int | None = None,
    ready: int | None = None,
    created_at: datetime = STARTED,
    annotations: Mapping[str, str] | None = None,
    failure: str = "",
) -> dict[str, Any]:
    """A ReplicaSet of the Rollout; by default it has as many ready pods as it needs."""
    have = desired if replicas is None else replicas
    up = have if ready is None else ready
    condition = {"type": "ReplicaFailure", "status": "True", "message": failure}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{NAME}-{hash}",
            "namespace": NAMESPACE,
            "uid": f"uid-{hash}",
            "generation": 1,
            "creationTimestamp": format_time(created_at),
            "labels": {"app": NAME, "rollouts-pod-template-hash": hash},
            "annotations": {"rollout.argoproj.io/revision": str(revision), **(annotations or {})},
            "ownerReferences": [{"kind": "Rollout", "name": NAME, "uid": ROLLOUT_UID, "controller": True}],
        },
        "spec": {"replicas": desired, "template": {"spec": {"containers": [{"name": NAME, "image": image}]}}},
        "status": {
            "observedGeneration": 1,
            "replicas": have,
            "readyReplicas": up,
            "availableReplicas": up,
            **({"conditions": [condition]} if failure else {}),
        },
    }


def replicaset(**fields: Any) -> ReplicaSet:
    """`replicaset_object` as our value."""
    return ReplicaSet.from_object(replicaset_object(**fields))


def pod_object(
    name: str,
    *,
    hash: str = CANARY,  # noqa: A002 - the field's own word
    ready: bool = True,
    waiting: str = "",
    message: str = "",
    restarts: int = 0,
    deleting: bool = False,
    created_at: datetime = STARTED,
) -> dict[str, Any]:
    """A pod with one container; with `waiting` (ImagePullBackOff, ...) it has not started."""
    state = {"waiting": {"reason": waiting, "message": message}} if waiting else {"running": {}}
    ready = ready and not waiting
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{NAME}-{hash}-{name}",
            "namespace": NAMESPACE,
            "uid": f"uid-{hash}-{name}",
            "creationTimestamp": format_time(created_at),
            "labels": {"app": NAME, "rollouts-pod-template-hash": hash},
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": f"{NAME}-{hash}", "uid": f"uid-{hash}", "controller": True}
            ],
            **({"deletionTimestamp": format_time(NOW)} if deleting else {}),
        },
        "spec": {"containers": [{"name": NAME}]},
        "status": {
            "phase": "Pending" if waiting else "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": NAME, "ready": ready, "restartCount": restarts, "state": state}],
        },
    }


def pod(name: str, **fields: Any) -> Pod:
    """`pod_object` as our value."""
    return Pod.from_object(pod_object(name, **fields))


def pods(count: int, **fields: Any) -> tuple[Pod, ...]:
    """So many pods of one ReplicaSet, named as the ReplicaSet controller names them."""
    return tuple(pod(f"x{n}k{n % 7}z", **fields) for n in range(count))


# The guide's five metrics: success and failure condition in the recommended form.
CONDITIONS: dict[str, tuple[str, str]] = {
    name: (f"len(result) == 1 && result[0] {good} {limit}", f"len(result) == 1 && result[0] {bad} {limit}")
    for name, good, bad, limit in (
        ("error-rate", "<", ">=", 0.05),
        ("latency-p95", "<", ">=", 0.3),
        ("latency-ratio", "<", ">=", 1.2),
        ("error-ratio", "<", ">=", 1.5),
        ("opa-success", ">", "<=", 0.99),
    )
}


def metric_object(name: str, **fields: Any) -> dict[str, Any]:
    """What an AnalysisRun asks: one of the guide's five, or any other with its conditions."""
    good, bad = CONDITIONS.get(name, ("", ""))
    return {
        "name": name,
        "initialDelay": "60s",
        "interval": "20s",
        "count": 4,
        "failureLimit": 1,
        "inconclusiveLimit": 1,
        "successCondition": good,
        "failureCondition": bad,
        "provider": {"prometheus": {"address": "http://prometheus:9090", "query": "up"}},
        **fields,
    }


def result_object(
    name: str,
    values: Sequence[str],
    phases: Sequence[str] = (),
    *,
    phase: str = "Running",
    message: str = "",
    started_at: datetime = NOW - timedelta(seconds=60),
    every: timedelta = timedelta(seconds=20),
) -> dict[str, Any]:
    """The answers to one metric: values as the provider writes them, good unless said."""
    judged = list(phases) or ["Successful"] * len(values)
    count = {p: judged.count(p) for p in ("Successful", "Failed", "Inconclusive", "Error")}
    times = [format_time(started_at + every * n) for n in range(len(values))]
    return {
        "name": name,
        "phase": phase,
        "count": len(values) - count["Error"],
        **{k.lower(): n for k, n in count.items() if n},
        **({"message": message} if message else {}),
        "metadata": {"ResolvedPrometheusQuery": "up"},
        "measurements": [
            {"phase": p, "value": v, "startedAt": at, "finishedAt": at}
            for p, v, at in zip(judged, values, times, strict=True)
        ],
    }


def run_object(
    results: Iterable[Mapping[str, Any]] = (),
    *,
    metrics: Sequence[Mapping[str, Any]] | None = None,
    step_index: int | None = 3,
    hash: str = CANARY,  # noqa: A002 - the field's own word
    revision: int = 8,
    phase: str = "Running",
    message: str = "",
    started_at: datetime | None = NOW - timedelta(seconds=72),
    completed_at: datetime | None = None,
    name: str = "",
) -> dict[str, Any]:
    """An AnalysisRun of a step, or of the background with step_index None."""
    tail = "" if step_index is None else f"-{step_index}"
    label = {} if step_index is None else {"step-index": str(step_index)}
    kind = "Background" if step_index is None else "Step"
    asked = [metric_object(n) for n in CONDITIONS] if metrics is None else metrics
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {
            "name": name or f"{NAME}-{hash}-{revision}{tail}",
            "namespace": NAMESPACE,
            "uid": f"uid-run-{revision}{tail}",
            "creationTimestamp": format_time(started_at or NOW),
            "labels": {"rollout-type": kind, "rollouts-pod-template-hash": hash, **label},
            "annotations": {"rollout.argoproj.io/revision": str(revision)},
            "ownerReferences": [{"kind": "Rollout", "name": NAME, "uid": ROLLOUT_UID, "controller": True}],
        },
        "spec": {"metrics": [dict(m) for m in asked]},
        "status": {
            "phase": phase,
            **({"message": message} if message else {}),
            **({"startedAt": format_time(started_at)} if started_at else {}),
            **({"completedAt": format_time(completed_at)} if completed_at else {}),
            "metricResults": [dict(r) for r in results],
        },
    }


def run(results: Iterable[Mapping[str, Any]] = (), **fields: Any) -> AnalysisRun:
    """`run_object` as our value."""
    return AnalysisRun.from_object(run_object(results, **fields))


def event(
    reason: str,
    message: str,
    *,
    at: datetime = NOW,
    kind: str = "Rollout",
    name: str = NAME,
    type: str = "Normal",  # noqa: A002 - the field's own word
) -> Event:
    return Event.from_object(
        {
            "involvedObject": {"kind": kind, "name": name},
            "type": type,
            "reason": reason,
            "message": message,
            "count": 1,
            "lastTimestamp": format_time(at),
        }
    )


def snapshot(
    *,
    canary: int = 3,
    stable: int = 8,
    runs: Iterable[AnalysisRun] = (),
    events: Iterable[Event] = (),
    pods_up: bool = True,
    replicasets: Sequence[ReplicaSet] | None = None,
    pods_now: Sequence[Pod] | None = None,
    stale_since: datetime | None = None,
    notes: tuple[str, ...] = (),
    stable_hash: str = STABLE,
    **fields: Any,
) -> Snapshot:
    """Two ReplicaSets with so many ready pods; other fields go to `rollout`."""
    old = replicaset(
        hash=STABLE, image=f"{IMAGE}:v1.0.0", revision=7, desired=stable, created_at=NOW - timedelta(hours=20)
    )
    running = pods(canary) + pods(stable, hash=STABLE, created_at=NOW - timedelta(hours=20))
    return Snapshot(
        rollout=rollout(**{"updated": canary, "total": canary + stable, "stable": stable_hash, **fields}),
        replicasets=(replicaset(desired=canary), old) if replicasets is None else tuple(replicasets),
        pods=(running if pods_up else ()) if pods_now is None else tuple(pods_now),
        runs=tuple(runs),
        events=tuple(events),
        stale_since=stale_since,
        notes=notes,
    )
