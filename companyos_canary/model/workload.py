"""ReplicaSets, Pods and Events of one Rollout, and the lines that its pods log."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from companyos_canary.errors import words
from companyos_canary.model.image import HASH_LABEL, REVISION, Container, containers_of
from companyos_canary.model.quantity import parse_time, whole


class ReplicaSet(Struct, frozen=True):
    """`desired` is spec.replicas, the other counts are from the status."""

    name: str
    uid: str
    owner_uid: str
    hash: str
    revision: int
    created_at: datetime | None
    annotations: Mapping[str, str]
    containers: tuple[Container, ...]
    generation: int
    observed_generation: int
    desired: int
    replicas: int
    ready: int
    available: int
    failure: str
    template: Mapping[str, Any]

    @classmethod
    def from_object(cls, raw: Mapping[str, Any]) -> "ReplicaSet":
        meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
        annotations = meta.get("annotations") or {}
        template = spec.get("template") or {}
        revision = annotations.get(REVISION, "0")
        return cls(
            name=meta["name"],
            uid=meta.get("uid", ""),
            owner_uid=_controller(meta).get("uid", ""),
            hash=(meta.get("labels") or {}).get(HASH_LABEL, ""),
            revision=whole(revision),
            created_at=parse_time(meta.get("creationTimestamp")),
            annotations=annotations,
            containers=containers_of(template.get("spec") or {}),
            generation=meta.get("generation", 0),
            observed_generation=status.get("observedGeneration", 0),
            desired=spec.get("replicas") or 0,
            replicas=status.get("replicas", 0),
            ready=status.get("readyReplicas", 0),
            available=status.get("availableReplicas", 0),
            failure=next(
                (
                    words(c.get("message", ""))
                    for c in status.get("conditions") or []
                    if c.get("type") == "ReplicaFailure" and c.get("status") == "True"
                ),
                "",
            ),
            template=template,
        )


class ContainerStatus(Struct, frozen=True):
    """`reason` is that of the waiting or terminated state, empty while it runs; `ended_before` why it was
    started again."""

    name: str
    ready: bool
    running: bool
    restarts: int
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    terminated: bool = False
    ended_before: str = ""


class Pod(Struct, frozen=True):
    """`phase` and `reason` are as the kubelet wrote them; the one text for people is
    `argo.pods.pod_status`. `held` is the reason and the message of a condition (or of a Warning about it) that keeps
    it from being ready, where no container is the reason; `held_since` when that condition began."""

    name: str
    owner_uid: str
    hash: str
    created_at: datetime | None
    deleting: bool
    phase: str
    reason: str
    message: str
    container_count: int
    containers: tuple[ContainerStatus, ...]
    init_containers: tuple[ContainerStatus, ...]
    ready: bool
    raw_spec: Mapping[str, Any]
    held: tuple[str, str] = ("", "")
    held_since: datetime | None = None

    @classmethod
    def from_object(cls, raw: Mapping[str, Any]) -> "Pod":
        meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
        holds: Mapping[str, Any] = next(filter(lambda c: any(_holds(c)), status.get("conditions") or []), {})
        return cls(
            name=meta["name"],
            owner_uid=_controller(meta).get("uid", ""),
            hash=(meta.get("labels") or {}).get(HASH_LABEL, ""),
            created_at=parse_time(meta.get("creationTimestamp")),
            deleting=bool(meta.get("deletionTimestamp")),
            phase=status.get("phase", ""),
            reason=status.get("reason", ""),
            message=words(status.get("message", "")),
            container_count=len(spec.get("containers") or []),
            containers=tuple(_container(c) for c in status.get("containerStatuses") or []),
            init_containers=tuple(_container(c) for c in status.get("initContainerStatuses") or []),
            ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or []),
            raw_spec=spec,
            held=_holds(holds),
            held_since=parse_time(holds.get("lastTransitionTime")),
        )


class Event(Struct, frozen=True):
    """An Event of the cluster: a hint, as some of many are dropped."""

    # `at` is when it was last seen.
    at: datetime | None
    type: str
    reason: str
    kind: str
    name: str
    message: str
    count: int

    @classmethod
    def from_object(cls, raw: Mapping[str, Any]) -> "Event":
        about = raw.get("involvedObject") or {}
        last = raw.get("lastTimestamp") or raw.get("eventTime") or raw.get("firstTimestamp")
        return cls(
            kind=about.get("kind", ""),
            name=about.get("name", ""),
            type=raw.get("type", ""),
            reason=raw.get("reason", ""),
            message=words(raw.get("message", "")),
            count=raw.get("count") or 1,
            at=parse_time(last or (raw.get("metadata") or {}).get("creationTimestamp")),
        )


def _controller(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    owners = meta.get("ownerReferences") or []
    return next((o for o in owners if o.get("controller")), owners[0] if owners else {})


def _holds(condition: Mapping[str, Any]) -> tuple[str, str]:
    """Why a pod is on no node, or waits for someone else's condition (a readiness gate)."""
    kind, reason = condition.get("type"), condition.get("reason", "")
    no_node = kind == "PodScheduled" and condition.get("status") == "False"
    gate = kind == "Ready" and reason == "ReadinessGatesNotReady"
    return (reason or "Unschedulable", words(condition.get("message", ""))) if no_node or gate else ("", "")


def _container(raw: Mapping[str, Any]) -> ContainerStatus:
    state = raw.get("state") or {}
    ended, waiting = state.get("terminated") or {}, state.get("waiting") or {}
    return ContainerStatus(
        name=raw.get("name", ""),
        ready=bool(raw.get("ready")),
        running="running" in state,
        restarts=raw.get("restartCount", 0),
        reason=waiting.get("reason") or ended.get("reason") or "",
        message=words(waiting.get("message") or ended.get("message") or ""),
        exit_code=ended.get("exitCode"),
        signal=ended.get("signal"),
        terminated=bool(ended),
        ended_before=((raw.get("lastState") or {}).get("terminated") or {}).get("reason") or "",
    )


class LogLine(Struct, frozen=True):
    """`at` has the nanoseconds of the server."""

    # `role` is canary, stable or old.
    at: str
    pod: str
    role: str
    container: str
    text: str = field(name="line")


def labels_match(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """A LabelSelector object (matchLabels, matchExpressions) against labels; an empty or missing
    one matches everything."""
    selector = selector or {}
    if any(labels.get(k) != v for k, v in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or []:
        key, values = expression["key"], expression.get("values") or []
        matched = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not matched.get(expression["operator"], False):
            return False
    return True
