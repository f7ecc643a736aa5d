"""A Rollout as we think of it, canary or blue-green; strings for people are made in the view."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from msgspec import Struct, field

from companyos_canary.errors import words
from companyos_canary.model.image import REVISION, Container, containers_of, image_of
from companyos_canary.model.quantity import parse_duration, parse_time, whole, whole_seconds

_DEADLINE = 600  # seconds, upstream's default


class RunReference(Struct, frozen=True):
    """What the Rollout's status says of one of its AnalysisRuns."""

    name: str
    status: str
    message: str

    @classmethod
    def from_object(cls, raw: Mapping[str, Any] | None) -> "RunReference | None":
        if not raw:
            return None
        return cls(raw.get("name", ""), raw.get("status", ""), words(raw.get("message", "")))


class BlueGreen(Struct, frozen=True):
    """The blue-green strategy: two Services, and the hashes that they select now (empty before the
    first switch). `promotes_itself`: a pause ends without anyone; `seconds` is how long it lasts
    then. A run is the newest of its kind."""

    active_service: str
    preview_service: str
    active: str
    preview: str
    promotes_itself: bool
    seconds: int
    pre_run: RunReference | None
    post_run: RunReference | None
    analyses: tuple[str, ...]

    @classmethod
    def from_object(cls, spec: Mapping[str, Any], status: Mapping[str, Any]) -> "BlueGreen":
        seconds = whole(spec.get("autoPromotionSeconds"))
        declared = ("prePromotionAnalysis", "postPromotionAnalysis")
        return cls(
            active_service=spec.get("activeService") or "",
            preview_service=spec.get("previewService") or "",
            active=status.get("activeSelector") or "",
            preview=status.get("previewSelector") or "",
            promotes_itself=spec.get("autoPromotionEnabled") is not False or seconds > 0,
            seconds=seconds,
            pre_run=RunReference.from_object(status.get("prePromotionAnalysisRunStatus")),
            post_run=RunReference.from_object(status.get("postPromotionAnalysisRunStatus")),
            analyses=tuple(name for name in declared if spec.get(name) is not None),
        )

    @property
    def run(self) -> RunReference | None:
        """The run that is not finished; the one before the promotion comes first."""
        unfinished = ("", "Pending", "Running")
        return next((r for r in (self.pre_run, self.post_run) if r and r.status in unfinished), None)


_WHOLE = r"-?[0-9]+"
GATEWAY = "argoproj-labs/gatewayAPI"
REVISION_HISTORY = "rollout.argoproj.io/revision-history"


def place_text(namespace: str, context: str) -> str:
    """`companyos @ prod-eu`, or the namespace alone where no context is known."""
    return f"{namespace} @ {context}" if context else namespace


StepKind = Literal[
    "setWeight",
    "pause",
    "analysis",
    "experiment",
    "setCanaryScale",
    "setHeaderRoute",
    "setMirrorRoute",
    "plugin",
    "unknown",
]
_STEP_KINDS: tuple[StepKind, ...] = tuple(kind for kind in get_args(StepKind) if kind != "unknown")


class Step(Struct, frozen=True):
    """One step of the strategy. `duration` is that of a timed pause; a pause without one waits for
    a person. `duration` is negative where the text cannot be read (upstream: InvalidSpec)."""

    kind: StepKind
    raw: Mapping[str, Any]
    weight: int | None = None
    duration: timedelta | None = None

    @classmethod
    def from_object(cls, raw: Mapping[str, Any]) -> "Step":
        kind: StepKind = next((k for k in _STEP_KINDS if raw.get(k) is not None), "unknown")
        weight = raw.get("setWeight")
        return cls(
            kind=kind,
            raw=raw,
            weight=weight if isinstance(weight, int) else None,
            duration=_pause_duration((raw.get("pause") or {}).get("duration")),
        )

    @property
    def waits_for_a_person(self) -> bool:
        return self.kind == "pause" and self.duration is None


class PauseCondition(Struct, frozen=True):
    reason: str
    started_at: datetime | None


class Condition(Struct, frozen=True):
    type: str
    status: str
    reason: str
    message: str
    updated_at: datetime | None = None
    transitioned_at: datetime | None = None


class Rollout(Struct, frozen=True):
    """`spec_phase`, `spec_message` are as the controller wrote them; what a client shows is
    `argo.phase.shown_phase`. `observed_generation` is text, as in the cluster.

    With a workloadRef the pod template is a Deployment's: `containers`, `template` and
    `workload_generation` are empty until that was read. The Rollout's own generation does not
    move with it; `workload_observed` is what the controller has seen of it (recorded: scenario
    workload-ref). `template_meta` is the metadata of the object that has the template.
    `update_started`: when the controller began with this update or retry; older ones do not say it
    (upstream status.duration.rolloutStartedAt)."""

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    created_at: datetime | None
    annotations: Mapping[str, str]
    revision: int
    strategy: Literal["canary", "blueGreen", "none"]
    replicas: int
    paused: bool
    selector: Mapping[str, Any]
    containers: tuple[Container, ...]
    workload_ref: Mapping[str, Any] | None
    steps: tuple[Step, ...]
    restart_at: datetime | None
    status_phase: str
    status_message: str
    observed_generation: str
    current_hash: str
    stable_hash: str
    step_index: int | None
    pause_conditions: tuple[PauseCondition, ...]
    controller_pause: bool
    aborted: bool
    aborted_at: datetime | None
    promote_full: bool
    total_replicas: int
    updated_replicas: int
    ready_replicas: int
    available_replicas: int
    conditions: tuple[Condition, ...]
    step_run: RunReference | None
    background_run: RunReference | None
    restarted_at: datetime | None
    raw: Mapping[str, Any]
    template: Mapping[str, Any] = field(default_factory=dict)
    workload_observed: int = 0
    update_started: datetime | None = None
    workload_generation: int | None = None
    blue_green: BlueGreen | None = None
    template_meta: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_object(cls, raw: Mapping[str, Any]) -> "Rollout":
        meta, spec = raw.get("metadata") or {}, raw.get("spec") or {}
        status = raw.get("status") or {}
        strategy = spec.get("strategy") or {}
        canary = strategy.get("canary") or {}
        canary_status = status.get("canary") or {}
        annotations = meta.get("annotations") or {}
        return cls(
            name=meta.get("name", ""),
            namespace=meta.get("namespace", ""),
            uid=meta.get("uid", ""),
            generation=meta.get("generation", 1),
            resource_version=meta.get("resourceVersion", ""),
            created_at=parse_time(meta.get("creationTimestamp")),
            annotations=annotations,
            revision=whole(annotations.get(REVISION)),
            strategy=next((s for s in ("canary", "blueGreen") if strategy.get(s) is not None), "none"),
            replicas=spec["replicas"] if spec.get("replicas") is not None else 1,
            paused=bool(spec.get("paused")),
            selector=spec.get("selector") or {},
            containers=containers_of((spec.get("template") or {}).get("spec") or {}),
            workload_ref=spec.get("workloadRef"),
            steps=tuple(Step.from_object(s) for s in canary.get("steps") or []),
            restart_at=parse_time(spec.get("restartAt")),
            status_phase=status.get("phase", ""),
            status_message=words(status.get("message", "")),
            observed_generation=str(status.get("observedGeneration", "")),
            current_hash=status.get("currentPodHash", ""),
            stable_hash=status.get("stableRS", ""),
            step_index=status.get("currentStepIndex"),
            pause_conditions=tuple(
                PauseCondition(p.get("reason", ""), parse_time(p.get("startTime")))
                for p in status.get("pauseConditions") or []
            ),
            controller_pause=bool(status.get("controllerPause")),
            aborted=bool(status.get("abort")),
            aborted_at=parse_time(status.get("abortedAt")),
            promote_full=bool(status.get("promoteFull")),
            total_replicas=status.get("replicas", 0),
            updated_replicas=status.get("updatedReplicas", 0),
            ready_replicas=status.get("readyReplicas", 0),
            available_replicas=status.get("availableReplicas", 0),
            conditions=tuple(_condition(c) for c in status.get("conditions") or []),
            step_run=RunReference.from_object(canary_status.get("currentStepAnalysisRunStatus")),
            background_run=RunReference.from_object(canary_status.get("currentBackgroundAnalysisRunStatus")),
            restarted_at=parse_time(status.get("restartedAt")),
            raw=raw,
            template=spec.get("template") or {},
            workload_observed=whole(status.get("workloadObservedGeneration")),
            update_started=parse_time((status.get("duration") or {}).get("rolloutStartedAt")),
            template_meta=meta,
            blue_green=(
                BlueGreen.from_object(strategy["blueGreen"], status.get("blueGreen") or {})
                if strategy.get("canary") is None and strategy.get("blueGreen") is not None
                else None
            ),
        )

    @property
    def observed(self) -> bool:
        """The controller has seen the newest spec, and the newest pod template where that is a
        Deployment's."""
        return not self.never_seen and self.spec_is_observed and self.workload_is_observed

    @property
    def never_seen(self) -> bool:
        """No controller has ever written a status."""
        return not self.observed_generation and not self.current_hash

    @property
    def spec_is_observed(self) -> bool:
        try:
            return int(self.observed_generation) >= self.generation
        except ValueError:
            return True

    @property
    def workload_is_observed(self) -> bool:
        """True also where there is no Deployment, or where it was not read."""
        return self.workload_observed >= (self.workload_generation or 0)

    @property
    def paused_at(self) -> datetime | None:
        """When the pause that the controller is in began."""
        return min((c.started_at for c in self.pause_conditions if c.started_at), default=None)

    @property
    def lacks_a_verdict(self) -> bool:
        """It is paused as an analysis or an experiment was inconclusive."""
        return any(c.reason.startswith("Inconclusive") for c in self.pause_conditions)

    @property
    def progressed_at(self) -> datetime | None:
        """When the controller last saw progress."""
        times = (c.updated_at for c in self.conditions if c.type == "Progressing" and c.updated_at)
        return max(times, default=None)

    @property
    def progress_deadline(self) -> timedelta:
        """How long it may make no progress, with upstream's default; at most the longest Go duration."""
        return whole_seconds((self.raw.get("spec") or {}).get("progressDeadlineSeconds"), _DEADLINE)

    @property
    def resource(self) -> str:
        """Its name for other programs, as `-o name` prints it: `rollout.argoproj.io/companyos-api`."""
        return f"rollout.argoproj.io/{self.name}"

    @property
    def is_routed(self) -> bool:
        """A canary whose weight a traffic router sets, not the number of pods."""
        strategy = (self.raw.get("spec") or {}).get("strategy") or {}  # asked in each frame: no second call
        return (strategy.get("canary") or {}).get("trafficRouting") is not None

    def written_strategy(self, kind: str) -> Mapping[str, Any]:
        """spec.strategy.canary or spec.strategy.blueGreen; empty if that is not its strategy."""
        strategy: Mapping[str, Any] = (self.raw.get("spec") or {}).get("strategy") or {}
        return strategy.get(kind) or {}

    @property
    def experiment(self) -> str:
        """The name of the Experiment of the current step; empty without one."""
        found: str = self._canary_status.get("currentExperiment") or ""
        return found

    @property
    def weights_verified(self) -> bool | None:
        """Whether the router says that it has the newest weights; None where it says nothing."""
        found: bool | None = (self._canary_status.get("weights") or {}).get("verified")
        return found

    @property
    def step_plugin(self) -> Mapping[str, Any]:
        """What the plugin of the current step says of itself; empty without one."""
        states = self._canary_status.get("stepPluginStatuses") or []
        return next((s for s in reversed(states) if s.get("index") == self.step_index), {})

    @property
    def _canary_status(self) -> Mapping[str, Any]:
        return (self.raw.get("status") or {}).get("canary") or {}

    @property
    def is_fully_promoted(self) -> bool:
        return bool(self.stable_hash) and self.stable_hash == self.current_hash

    @property
    def steps_left(self) -> bool:
        """Whether a step is left; a Rollout that the controller has not got to yet is at its first one (recorded:
        scenario invalid-spec)."""
        return (self.step_index or 0) < len(self.steps)

    @property
    def current_step(self) -> Step | None:
        """The current step; None when all are done or there are none."""
        index = self.step_index
        return self.steps[index] if index is not None and 0 <= index < len(self.steps) else None

    @property
    def init_containers(self) -> tuple[Container, ...]:
        return containers_of(self.template.get("spec") or {}, "initContainers")

    def image(self, container: str | None = None) -> str:
        """The image of the named container, or of the first."""
        return image_of((*self.containers, *self.init_containers), container)


def _pause_duration(value: Any) -> timedelta | None:
    if value is None:
        return None
    text = str(value)
    try:
        return parse_duration(f"{text}s" if re.fullmatch(_WHOLE, text) else text)
    except ValueError:
        return timedelta(seconds=-1)


def _condition(raw: Mapping[str, Any]) -> Condition:
    return Condition(
        raw.get("type", ""),
        raw.get("status", ""),
        raw.get("reason", ""),
        words(raw.get("message", "")),
        parse_time(raw.get("lastUpdateTime")),
        parse_time(raw.get("lastTransitionTime")),
    )
