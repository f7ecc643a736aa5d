"""What the JSON of a Rollout consists of; see `answers` for the verbs.

A docstring or `Says` is the description in the schema. Spans are seconds there and keys say so;
every other fraction may be the text `NaN`, `+Inf` or `-Inf`.
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

from companyos_canary.argo.limits import Operator, Unit
from companyos_canary.argo.metric_rows import Verdict as MetricVerdict
from companyos_canary.argo.progress import Activity
from companyos_canary.model.rollout import StepKind

# What the controller writes is not ours to promise: its words are examples, ours are all there are.
Phase = Annotated[str, Meta(examples=["Healthy", "Progressing", "Paused", "Degraded"])]
RunPhase = Annotated[
    str,
    Meta(
        description="empty until the controller has written one",
        examples=["Pending", "Running", "Successful", "Failed", "Inconclusive", "Error", ""],
    ),
]
Role = Annotated[str, Meta(description="empty for neither", extra_json_schema={"enum": ["stable", "canary", ""]})]
Percent = Annotated[int, Meta(description="percent, of maxTrafficWeight where that is set")]
Images = Annotated[dict[str, str], Meta(description="image by the name of its container")]
At = Annotated[datetime, Meta(tz=True)]


class PodProblem(TypedDict):
    pod: str
    reason: str
    message: str
    restarts: int


class FailedMetric(TypedDict):
    """A metric that ended a run: a good value is `operator limit`."""

    run: str
    metric: str
    phase: RunPhase
    value: float | None
    operator: str
    limit: float | None
    failed: int
    measured: int
    message: str


class Cause(TypedDict):
    """Why it ended badly or does not move; `message` is the controller's own."""

    message: str
    metrics: list[FailedMetric]
    pods: list[PodProblem]


class StepInWork(TypedDict):
    """`number` of `of` counts weights as canary.yaml does; `index` of `count` is the Rollout's own
    `status.currentStepIndex`."""

    number: int | None
    of: int
    index: int | None
    count: int
    kind: StepKind | None
    length_seconds: timedelta | None
    remaining_seconds: timedelta | None


class WeightStep(TypedDict):
    """It covers the Rollout's steps from `first_index` to before `end_index`."""

    number: int
    weight: Percent
    first_index: int
    end_index: int


class Weights(TypedDict):
    """Share of the newest version: as it is asked for, and as it is in effect."""

    set: Percent
    actual: Percent


class Replicas(TypedDict):
    desired: int
    total: int
    updated: int
    ready: int
    available: int


class ServiceOf(TypedDict):
    name: str
    hash: str
    version: str


class Services(TypedDict):
    active: ServiceOf
    preview: ServiceOf


class ReplicaSet(TypedDict):
    name: str
    hash: str
    role: Role
    revision: int
    version: str
    desired: int
    replicas: int
    ready: int
    available: int
    failure: str


class Pod(TypedDict):
    """`status` is the word of `kubectl get pods`."""

    name: str
    hash: str
    role: Role
    status: str
    ready: bool
    containers_ready: int
    containers: int
    restarts: int
    message: str


class Bound(TypedDict):
    """A good value is `operator limit`; empty and null where the conditions name no single one."""

    operator: Operator | Literal[""]
    limit: float | None


class Metric(TypedDict):
    """A metric over all runs of this update: `history` has every number, oldest first, the rest is
    of the newest run. `planned` is 0 where it has no end."""

    name: str
    value: float | None
    unit: Unit
    operator: Operator | Literal[""]
    limit: float | None
    verdict: MetricVerdict
    phase: RunPhase
    failed: int
    measured: int
    planned: int
    history: tuple[float | None, ...]
    message: str
    run: str


class Run(TypedDict):
    """`step_index` is null for a background run."""

    name: str
    revision: int
    step_index: int | None
    phase: RunPhase
    message: str
    started_at: At | None
    completed_at: At | None


class Event(TypedDict):
    """An Event of the cluster: a hint, as some of many are dropped."""

    at: At | None
    type: str
    reason: str
    kind: str
    name: str
    message: str
    count: int


class Snapshot(TypedDict):
    """A Rollout at one moment. Null is what was not asked for (`status` asks for the Rollout
    alone); `services` is there in blue-green alone."""

    rollout: str
    namespace: str
    context: str
    strategy: Literal["canary", "blueGreen", "none"]
    phase: Phase
    message: str
    activity: Annotated[Activity, Meta(description="what is going on, in one word")]
    revision: int
    version: Annotated[str, Meta(description="the newest one: tag or digest")]
    stable_version: Annotated[str | None, Meta(description="the one that was promoted last")]
    images: Images
    current_hash: str
    stable_hash: str
    promoted: Annotated[bool, Meta(description="whether the newest version is the stable one")]
    aborted: bool
    observed: Annotated[bool, Meta(description="whether the controller has seen the spec")]
    step: StepInWork
    steps: list[WeightStep]
    weights: Weights
    services: NotRequired[Services]
    replicas: Replicas
    replicasets: list[ReplicaSet] | None
    pods: list[Pod] | None
    metrics: list[Metric] | None
    runs: list[Run] | None
    events: list[Event] | None
    cause: Cause | None
    started_at: At | None
    until_end_seconds: timedelta | None
    stale_since: Annotated[At | None, Meta(description="when the connection was lost")]
    notes: Annotated[list[str], Meta(description="what could not be read")]
