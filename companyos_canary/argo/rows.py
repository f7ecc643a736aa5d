"""A Picture as rows: what `-o json` prints of a Rollout. A key is written here, or in the class of a value that is
printed as it is (Cause, Event, MetricRow, WeightStep). Pure.

Spans are seconds in JSON and keys say so.
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal, TypedDict

from msgspec import Struct

from companyos_canary.argo.limits import Limit, Operator, decided_of
from companyos_canary.argo.metric_rows import MetricRow
from companyos_canary.argo.phase import since, waits_for_a_person
from companyos_canary.argo.picture import Picture, look
from companyos_canary.argo.pods import pod_message, pod_status, ready_containers, restarts
from companyos_canary.argo.progress import Activity
from companyos_canary.argo.routes import Route
from companyos_canary.argo.steps import WeightStep, step_count
from companyos_canary.model.analysisrun import Measurement, Metric
from companyos_canary.model.experiment import Experiment
from companyos_canary.model.outcome import AbortReason, Cause, Diagnosis, Ending, EndKind, Warned
from companyos_canary.model.place import Place
from companyos_canary.model.rollout import Rollout, StepKind
from companyos_canary.model.row import LEFT_OUT, Images, OfAll, Percent, PhaseWord, Role, RunPhase, Says, pick
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event, Pod, ReplicaSet


class StepInWork(Struct, frozen=True):
    """`number` of `of` counts weights as canary.yaml does; `index` of `count` is the Rollout's own
    `status.currentStepIndex`."""

    number: int | None
    of: int
    index: int | None
    count: int
    kind: StepKind | None
    length_seconds: timedelta | None
    remaining_seconds: timedelta | None


class Weights(Struct, frozen=True):
    """Share of the newest version: as it is asked for, and as it is in effect."""

    set: Percent
    actual: Percent


class Shares(Struct, frozen=True):
    """The newest version's share in percent of all requests, as it is asked for and as it is in effect, and its share
    of the available pods; what a router says of its weights (null: nothing), and what reaches the canary besides. A
    weight of `max_weight` is all traffic."""

    asked: OfAll
    actual: OfAll
    pods: OfAll | None
    verified: bool | None
    routes: tuple[Route, ...]
    max_weight: int


class StepPlugin(Struct, frozen=True):
    name: str
    phase: RunPhase
    message: str


class ExperimentTemplateRow(Struct, frozen=True):
    name: str
    status: RunPhase
    message: str
    desired: int
    ready: int
    available: int


class ExperimentAnalysisRow(Struct, frozen=True):
    """`run` is the AnalysisRun that was made for it, empty before."""

    name: str
    run: str
    phase: RunPhase
    message: str
    required: bool


class ExperimentRow(Struct, frozen=True):
    """The Experiment of a step. `duration_seconds` counts from `available_at`, when all of its pods were there; null:
    until its analyses end."""

    name: str
    phase: RunPhase
    message: str
    available_at: datetime | None
    duration_seconds: timedelta | None
    templates: tuple[ExperimentTemplateRow, ...]
    analyses: tuple[ExperimentAnalysisRow, ...]


class Replicas(Struct, frozen=True):
    desired: int
    total: int
    updated: int
    ready: int
    available: int


class ServiceOf(Struct, frozen=True):
    name: str
    hash: str
    version: str


class Services(Struct, frozen=True):
    active: ServiceOf
    preview: ServiceOf


class ReplicaSetRow(Struct, frozen=True):
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


class PodRow(Struct, frozen=True):
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


class RunRow(Struct, frozen=True):
    """`step_index` is null for a background run."""

    name: str
    revision: int
    step_index: int | None
    phase: RunPhase
    message: str
    started_at: datetime | None
    completed_at: datetime | None


class Bound(TypedDict):
    """A good value is `operator limit`."""

    operator: Operator | Literal[""]
    limit: float | None


class Measured(Struct, frozen=True):
    """`raw` is the provider's text, `value` the number in it; of several the one that the condition judges."""

    phase: RunPhase
    value: float | None
    raw: str
    message: str
    started_at: datetime | None
    finished_at: datetime | None


class SnapshotRow(Struct, frozen=True, kw_only=True):
    """A Rollout at one moment. Null is what was not asked for (`status` asks for the Rollout
    alone); `services` is there in blue-green alone."""

    rollout: str
    namespace: str
    context: str
    strategy: Literal["canary", "blueGreen", "none"]
    phase: PhaseWord
    message: str
    activity: Annotated[Activity, Says("what is going on, in one word")]
    revision: int
    version: Annotated[str, Says("the newest one: tag or digest")]
    stable_version: Annotated[str | None, Says("the one that was promoted last")]
    images: Images
    current_hash: str
    stable_hash: str
    promoted: Annotated[bool, Says("whether the newest version is the stable one")]
    aborted: bool
    observed: Annotated[bool, Says("whether the controller has seen the spec")]
    step: StepInWork
    steps: tuple[WeightStep, ...]
    weights: Weights
    traffic: Shares
    replicas: Replicas
    replicasets: tuple[ReplicaSetRow, ...] | None
    pods: tuple[PodRow, ...] | None
    metrics: tuple[MetricRow, ...] | None
    runs: tuple[RunRow, ...] | None
    events: tuple[Event, ...] | None
    cause: Cause | None
    why: Diagnosis | None
    started_at: datetime | None
    until_end_seconds: timedelta | None
    stale_since: Annotated[datetime | None, Says("when the connection was lost")]
    notes: Annotated[tuple[str, ...], Says("what could not be read, and what the metrics count besides")]
    experiment: Annotated[ExperimentRow | None, Says("of the current step")]
    plugin: Annotated[StepPlugin | None, Says("what the plugin of the current step says of itself")]
    services: Services = LEFT_OUT


class VerdictRow(Struct, frozen=True):
    """How it ended. `weight` and `step_index` are those that it had come to; `image` is the one
    that was followed, `stable_image` serves now; `snapshot` is the last one."""

    verdict: EndKind
    image: str
    stable_image: str
    weight: Percent | None
    percent: OfAll | None
    step_index: int | None
    started_at: datetime
    ended_at: datetime
    took_seconds: timedelta
    cause: Cause | None
    abort_on: AbortReason | None
    why: Diagnosis | None
    warnings: Annotated[tuple[Warned, ...], Says("what the metrics count besides its own requests")]
    snapshot: SnapshotRow


def measured_row(one: Measurement, metric: Metric | None) -> Measured:
    return pick(Measured, one, value=decided_of(metric, one.value).number, raw=one.value)


def bound(limit: Limit | None) -> Bound:
    """The two keys of a limit; they have no value where the conditions name no single one."""
    return {"operator": limit.operator if limit else "", "limit": limit.value if limit else None}


class UnobservedRow(Struct, frozen=True):
    """It was changed, but no controller has acted on it."""

    rollout: str
    namespace: str
    observed: Literal[False] = False


FOLLOWED = (VerdictRow, UnobservedRow)


class Listed(Struct, frozen=True):
    """`step` of `steps` counts weights; `waits_for_a_person`: nothing moves until one acts."""

    rollout: str
    namespace: str
    phase: PhaseWord
    message: str
    activity: Activity
    waits_for_a_person: bool
    since: datetime | None
    for_seconds: timedelta | None
    version: str
    step: int | None
    steps: int
    weight: Percent
    percent: OfAll
    revision: int
    aborted: bool


def listed(snapshot: Snapshot, now: datetime, place: Place) -> Listed:
    """One of many Rollouts, from little more than itself."""
    rollout, picture = snapshot.rollout, look(snapshot, now, place)
    began, progress = since(rollout), picture.progress
    return pick(
        Listed,
        rollout,
        rollout=rollout.name,
        phase=progress.phase.word,
        message=progress.phase.message,
        activity=progress.activity,
        waits_for_a_person=waits_for_a_person(rollout),
        since=began,
        for_seconds=max(now - began, timedelta()) if began else None,
        version=picture.version,
        step=progress.step.number if progress.step else None,
        steps=len(progress.steps),
        weight=progress.weight,
        percent=progress.percent,
    )


def verdict_row(ending: Ending, picture: Picture) -> VerdictRow:
    """How a `deploy` or `watch` ended; `picture` is of its last moment."""
    return pick(
        VerdictRow,
        ending,
        verdict=ending.kind,
        step_index=ending.step,
        ended_at=ending.at,
        took_seconds=ending.at - ending.started_at,
        snapshot=snapshot_row(picture),
    )


def snapshot_row(picture: Picture) -> SnapshotRow:
    """Everything a screen shows, as data."""
    snapshot, progress = picture.snapshot, picture.progress
    rollout, whole = snapshot.rollout, snapshot.whole
    return pick(
        SnapshotRow,
        rollout,
        rollout=rollout.name,
        context=picture.place.context,
        phase=progress.phase.word,
        message=progress.phase.message,
        activity=progress.activity,
        version=picture.version,
        stable_version=picture.stable or ("" if whole else None),
        images={c.name: c.image for c in rollout.containers},
        promoted=rollout.is_fully_promoted and not snapshot.is_behind,
        step=_step(picture),
        steps=progress.steps,
        weights=Weights(progress.weight, picture.actual_weight),
        traffic=Shares(
            asked=progress.percent,
            actual=picture.actual_percent,
            pods=picture.pods_percent,
            verified=rollout.weights_verified,
            routes=picture.routes,
            max_weight=progress.max_weight,
        ),
        replicas=Replicas(
            rollout.replicas,
            rollout.total_replicas,
            rollout.updated_replicas,
            rollout.ready_replicas,
            rollout.available_replicas,
        ),
        replicasets=tuple(_replicaset(picture, r) for r in snapshot.replicasets) if whole else None,
        pods=tuple(_pod(picture, p) for p in snapshot.pods) if whole else None,
        metrics=picture.metrics if whole else None,
        runs=tuple(pick(RunRow, r) for r in snapshot.runs) if whole else None,
        events=snapshot.events if whole else None,
        cause=picture.cause,
        why=picture.why,
        started_at=picture.started,
        until_end_seconds=progress.until_end,
        stale_since=snapshot.stale_since,
        notes=snapshot.notes,
        experiment=_experiment(snapshot.experiment) if snapshot.experiment else None,
        plugin=_plugin(rollout),
        services=_services(picture) or LEFT_OUT,
    )


def _step(picture: Picture) -> StepInWork:
    rollout, progress = picture.snapshot.rollout, picture.progress
    current = rollout.current_step
    return StepInWork(
        number=progress.step.number if progress.step else None,
        of=len(progress.steps),
        index=rollout.step_index,
        count=step_count(rollout),
        kind=current.kind if current else None,
        length_seconds=progress.length,
        remaining_seconds=progress.remaining,
    )


def _experiment(one: Experiment) -> ExperimentRow:
    return pick(
        ExperimentRow,
        one,
        duration_seconds=one.duration,
        templates=tuple(pick(ExperimentTemplateRow, t) for t in one.templates),
        analyses=tuple(pick(ExperimentAnalysisRow, a) for a in one.analyses),
    )


def _plugin(rollout: Rollout) -> StepPlugin | None:
    said = rollout.step_plugin
    return StepPlugin(*(said.get(key, "") for key in ("name", "phase", "message"))) if said else None


def _services(picture: Picture) -> Services | None:
    """In blue-green alone: the Service of each role, the hash that it selects, and its version."""
    state = picture.snapshot.rollout.blue_green
    if state is None:
        return None

    def of(name: str, digest: str) -> ServiceOf:
        found = picture.snapshot.replicaset(digest)
        return ServiceOf(name, digest, picture.versions[found.name] if found else "")

    return Services(of(state.active_service, state.active), of(state.preview_service, state.preview))


def _replicaset(picture: Picture, r: ReplicaSet) -> ReplicaSetRow:
    return pick(ReplicaSetRow, r, role=picture.roles[r.name], version=picture.versions[r.name])


def _pod(picture: Picture, pod: Pod) -> PodRow:
    ready, of = ready_containers(pod)
    known = picture.snapshot.replicaset(pod.hash)
    return pick(
        PodRow,
        pod,
        role=picture.snapshot.role_of(pod.hash) if known else "",
        status=pod_status(pod),
        containers_ready=ready,
        containers=of,
        restarts=restarts(pod),
        message=pod_message(pod),
    )
