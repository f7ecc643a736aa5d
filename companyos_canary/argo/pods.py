"""The state of a pod as kubectl shows it, and the share of pods that the newest version has. Pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.argo.steps import actual_weight
from companyos_canary.model.http import Json
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import ContainerStatus, Event, Pod

_STARTING = frozenset(("", "Pending", "ContainerCreating", "PodInitializing"))


def pod_status(pod: Pod) -> str:
    """`Running`, `Pending`, `ImagePullBackOff`, `Init:0/1`, `Terminating`... (upstream
    pkg/kubectl-argo-rollouts/info/pod_info.go, which follows kubectl's printer)."""
    if pod.deleting:
        return "Unknown" if pod.reason == "NodeLost" else "Terminating"
    starting = _initialising(pod) if pod.init_containers else ""
    if starting:
        return starting
    text = pod.reason or pod.phase or "Pending"  # no kubelet has said anything yet
    ready_and_running = False
    for container in reversed(pod.containers):
        said = container.reason or (_ended(container) if container.terminated else "")  # no call for each pod
        text = said or text
        if not said and container.ready and container.running:
            ready_and_running = True
    return "Running" if text == "Completed" and ready_and_running else text


def ready_containers(pod: Pod) -> tuple[int, int]:
    """Containers that are ready and running, and all containers."""
    if pod.init_containers and _initialising(pod):
        return 0, pod.container_count
    ready = sum(1 for c in pod.containers if c.ready and c.running and not _said(c))
    return ready, pod.container_count


def restarts(pod: Pod) -> int:
    """Restarts of the containers, or of the init containers while these run."""
    counted = pod.init_containers if pod.init_containers and _initialising(pod) else pod.containers
    return sum(c.restarts for c in counted)


_LATE = timedelta(minutes=1)
_SILENT = timedelta(seconds=10)
TO_ADD_A_NODE = timedelta(seconds=20)


def is_held(pod: Pod, now: datetime | None = None) -> bool:
    """No node takes it, or it cannot be set up. A readiness gate, which holds it too, is often only late: it counts
    after a minute. Where no node takes it, that counts once an autoscaler has had the time to say that it adds one.
    Both count at any time where no `now` is given."""
    if now is not None and pod.held[0] == "ReadinessGatesNotReady":
        return pod.held_since is not None and now - pod.held_since >= _LATE
    if now is not None and _no_node(pod):
        return pod.created_at is None or now - pod.created_at >= TO_ADD_A_NODE
    return bool(pod.held[0])


def told_by_events(snapshot: Snapshot, now: datetime) -> Pod | None:
    """The pod of the newest revision whose events tell more than its status: the oldest that has been starting for ten
    seconds and does not say what keeps it, or that no node takes; else one that was started again, maybe by a probe."""
    own = [p for p in snapshot.pods if p.hash == snapshot.rollout.current_hash and not p.ready and not p.deleting]
    said = (p for p in own if pod_status(p) in _STARTING and (_no_node(p) or not (pod_message(p) or p.held[0])))
    silent = next((p for p in said if p.created_at and now - p.created_at >= _SILENT), None)
    return silent or next((p for p in own if restarts(p)), None)


def with_pod_events(snapshot: Snapshot, events: Sequence[Json], now: datetime) -> Snapshot:
    """With the events of a pod as the server sent them, and the pods that they are about with the newest Warning of
    each as what holds it; and those that no node takes while an autoscaler adds one. Pods of a version that are held
    alike are told by the events of one."""
    if not events:
        return snapshot
    told = sorted((e for e in map(Event.from_object, events) if e.kind == "Pod" and e.reason), key=lambda e: str(e.at))
    warnings = {e.name: (e.reason, e.message) for e in told if e.type == "Warning"}
    coming = {
        p.hash for p in snapshot.pods if node_is_coming([(e.reason, e.at) for e in told if e.name == p.name], now)
    }

    def seen(pod: Pod) -> Pod:
        if pod.hash in coming and _no_node(pod):
            return replace(pod, held=("", NODE_COMES))
        known = pod.name in warnings and not pod.ready and not pod.held[0] and pod_status(pod) in _STARTING
        return replace(pod, held=warnings[pod.name]) if known else pod

    objects = {**snapshot.objects, "Event": [*snapshot.objects.get("Event", ()), *events]}
    return replace(snapshot, pods=tuple(map(seen, snapshot.pods)), objects=objects)


def without_a_verdict(snapshot: Snapshot) -> Snapshot:
    """As long as the events of a pod that no node takes have not been read: they may say that one is coming."""
    pods = (replace(p, held=("", "")) if _no_node(p) else p for p in snapshot.pods)
    return replace(snapshot, pods=tuple(pods))


NODE_COMES = "an autoscaler is adding a node for it"
_ADDS = ("TriggeredScaleUp", "Nominated")  # cluster-autoscaler, Karpenter
_ADDS_NONE = ("NotTriggerScaleUp",)
_NODE_TAKES = timedelta(minutes=10)


def node_is_coming(happened: Sequence[tuple[str, datetime | None]], now: datetime) -> bool:
    """Whether an autoscaler makes room for a pod with these events (reason and time, the newest last): it said so last,
    and less than ten minutes ago."""
    said = [(reason, at) for reason, at in happened if reason in (*_ADDS, *_ADDS_NONE)]
    reason, at = said[-1] if said else ("", None)
    return reason in _ADDS and at is not None and now - at < _NODE_TAKES


def _no_node(pod: Pod) -> bool:
    return pod.held[0] == "Unschedulable"


def pod_message(pod: Pod) -> str:
    """Why a pod is not ready, in the words of a container, of a condition, of its last end, of its own."""
    containers = (*pod.init_containers, *pod.containers)
    said = next((c.message for c in containers if c.message), "") or pod.held[1] or pod.message
    ended = next((c.ended_before for c in containers if c.restarts and c.ended_before not in ("", "Completed")), "")
    return said or (f"{ended} before its last start" if ended and not pod.ready else "")


def _said(container: ContainerStatus) -> str:
    """What a container that does not simply run says of itself."""
    if container.reason:
        return container.reason
    return _ended(container) if container.terminated else ""


def _ended(container: ContainerStatus) -> str:
    if container.signal:
        return f"Signal:{container.signal}"
    return f"ExitCode:{container.exit_code or 0}"


def _initialising(pod: Pod) -> str:
    """`Init:...` while an init container is not done, else nothing."""
    for index, container in enumerate(pod.init_containers):
        if container.terminated and not container.exit_code:
            continue
        if container.terminated:
            return f"Init:{container.reason or _ended(container)}"
        if _is_sidecar(pod, container.name) and container.running:
            if container.ready:
                continue
            return ""
        if container.reason and container.reason != "PodInitializing":
            return f"Init:{container.reason}"
        return f"Init:{index}/{len(pod.raw_spec.get('initContainers') or ())}"
    return ""


def _is_sidecar(pod: Pod, name: str) -> bool:
    declared: list[Mapping[str, Any]] = pod.raw_spec.get("initContainers") or []
    return any(c.get("name") == name and c.get("restartPolicy") == "Always" for c in declared)


def pod_share(snapshot: Snapshot) -> int | None:
    """In percent, rounded down. Few pods cannot have every share: one of two is 50 %, whatever the
    step asks for. None if pods do not make the weight, or none is there, or the ReplicaSet is older than the Rollout,
    which counts more of its pods: each is watched for itself."""
    rollout, newest = snapshot.rollout, snapshot.current
    if rollout.strategy != "canary" or rollout.is_routed or not snapshot.available:
        return None
    if newest is not None and newest.replicas < rollout.updated_replicas:
        return None
    if newest is None and rollout.available_replicas < rollout.total_replicas:
        return None  # the Rollout alone does not say whose pods are not there
    return shown_weight(snapshot)


def shown_weight(snapshot: Snapshot) -> int:
    """The weight that the newest version has, in percent; a version that no one has looked at has none."""
    if snapshot.is_behind:
        return 0
    return actual_weight(snapshot.rollout, snapshot.canary_available, snapshot.available)


class PodState(Struct, frozen=True, dict=True):
    """A pod as people are reported of it. `is_well`: it runs, has never been started again and does not leave, so
    that all such pods are alike. `in_trouble`: it is not ready and says why, or has been started again; `held` as in
    `is_held`."""

    pod: Pod
    status: str
    restarts: int
    is_well: bool
    in_trouble: bool
    held: bool

    @cached_property
    def message(self) -> str:
        """Why it is not ready."""
        return pod_message(self.pod)


_CALM = _STARTING | {"Running", "Terminating"}


def pod_state(pod: Pod, now: datetime | None = None) -> PodState:
    status, again = pod_status(pod), restarts(pod)
    well = pod.ready and not pod.deleting and not again and status == "Running"
    held = not pod.ready and not pod.deleting and is_held(pod, now)
    trouble = not pod.ready and not pod.deleting and (status not in _CALM or again > 0 or held)
    return PodState(pod, status, again, well, trouble, held)


_FAR = 5  # percent


def is_far(weight: float, share: int | None) -> bool:
    """Whether the pods' share is worth saying next to the weight."""
    return share is not None and abs(share - weight) >= _FAR


_TIMES, _SURE = 1.5, 4.0  # odds, and standard errors


def contradicts(measured: float, requests: float, due: Sequence[float]) -> bool:
    """Whether the canary's measured part of so many requests (0 to 1) is none of those that are due, nor between them:
    its odds are 1.5 times others, and chance does not explain that. Never where all or none of the traffic is due."""
    if requests <= 0 or not all(0 < d < 1 for d in due):
        return False
    nearest = min(max(measured, min(due)), max(due))
    off = abs(measured - nearest) / math.sqrt(nearest * (1 - nearest) / requests)
    low, high = sorted((measured / max(1e-9, 1 - measured), nearest / (1 - nearest)))
    return off >= _SURE and high >= _TIMES * low
