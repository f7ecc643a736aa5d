"""One pass over one Rollout: what was read at its start and what it has decided so far."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from companyos_canary.argo.replicas import Limits, Pods, limits
from companyos_canary.model.http import Json
from companyos_canary.model.image import HASH_LABEL, REVISION
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import COMPLETED
from companyos_canary.sandbox.behaviour import V1_9, Lag, Release
from companyos_canary.sandbox.events import Emit
from companyos_canary.sandbox.kinds import SERVICE, Kind
from companyos_canary.sandbox.objects import Object, owner_reference
from companyos_canary.sandbox.store import Store

DESIRED = "rollout.argoproj.io/desired-replicas"
# The reasons of pause conditions.
PAUSE_STEP = "CanaryPauseStep"
BLUE_GREEN = "BlueGreenPause"
INCONCLUSIVE = "InconclusiveAnalysisRun"
INCONCLUSIVE_EXPERIMENT = "InconclusiveExperiment"


class Call(Struct, frozen=True):
    """What a plugin is asked: `operation` is Run, Abort or Terminate, `config` that of its step, `state` what it wanted
    to remember, None at first. The version is named by its namespace and hash."""

    operation: str
    name: str
    config: Mapping[str, Any]
    state: Any
    namespace: str
    digest: str


class Answer(Struct, frozen=True):
    """`phase` is Successful, Running, Failed or Error; one that is Running is asked again `after` that time."""

    phase: str = "Successful"
    message: str = ""
    state: Any = None
    after: timedelta = timedelta()


Ask = Callable[[Call], Answer]


class Pauses(Struct):
    """What this pass does to pauses and aborts; applied when the status is written."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    cleared: bool = False
    abort: bool = False
    unabort: bool = False
    message: str = ""

    def abort_with(self, message: str) -> None:
        self.abort, self.message = True, message


class Pass(Struct):
    """`rollout` is the object as read, with the template of its workload; `view` the same, typed.
    `canary` is the ReplicaSet of the newest template, `stable` the one last promoted; they are
    the same object when promoted. `runs` are all AnalysisRuns it owns; `step_run` and
    `background_run` are the current ones. `weights` are those of the status that will be written,
    `additional` what experiments get of the traffic. `experiments` are all that it owns, `experiment`
    the one that the status names, `running_experiment` the one that it will name. Of blue-green:
    `promotion_runs` are the current ones by type, `returns_in_time` says that the newest version still
    waits to be scaled down, and `passed_checkpoint` that it gets more pods than previewReplicaCount.
    `plugins` are the statuses of step plugins that will be written, `asked_plugins` says whether this pass came to
    them, `ask_plugin` asks one. `release` is how it behaves. `wake_at` collects when to look again."""

    store: Store
    emit: Emit
    now: datetime
    rollout: Object
    view: Rollout
    sets: list[Object]
    runs: list[Object]
    canary: Object | None = None
    stable: Object | None = None
    others: list[Object] = field(default_factory=list)
    step_run: Object | None = None
    background_run: Object | None = None
    pauses: Pauses = field(default_factory=Pauses)
    experiments: list[Object] = field(default_factory=list)
    experiment: Object | None = None
    running_experiment: Object | None = None
    promotion_runs: dict[str, Object] = field(default_factory=dict)
    returns_in_time: bool = False
    passed_checkpoint: bool = False
    weights: dict[str, Any] | None = None
    additional: list[dict[str, Any]] = field(default_factory=list)
    plugins: list[dict[str, Any]] = field(default_factory=list)
    asked_plugins: bool = False
    restarted_at: str | None = None
    release: Release = V1_9
    lag: Lag = field(default_factory=Lag)
    ask_plugin: Ask = lambda _: Answer()
    wake_at: list[datetime] = field(default_factory=list)

    @property
    def strategy(self) -> dict[str, Any]:
        canary: dict[str, Any] = self.rollout["spec"]["strategy"].get("canary") or {}
        return canary

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.rollout.get("status") or {}
        return status

    @property
    def limits(self) -> Limits:
        return limits(self.view.replicas, self.strategy.get("maxSurge"), self.strategy.get("maxUnavailable"))

    @property
    def newest(self) -> Object:
        """The ReplicaSet of the newest template, from where on there is one."""
        if self.canary is None:
            raise RuntimeError("a pass went on without a ReplicaSet")
        return self.canary

    @property
    def aborted(self) -> bool:
        if self.pauses.unabort:
            return False
        return self.pauses.abort or self.view.aborted

    @property
    def in_window(self) -> bool:
        """The new version is older than stable by fewer versions than rollbackWindow.revisions."""
        revisions = (self.rollout["spec"].get("rollbackWindow") or {}).get("revisions") or 0
        if not revisions or self.canary is None or self.stable is None or not self.goes_back:
            return False
        first, last = (s["metadata"]["creationTimestamp"] for s in (self.canary, self.stable))
        between = [s for s in self.sets if first < s["metadata"]["creationTimestamp"] < last]
        return bool(len(between) < revisions)

    @property
    def goes_back(self) -> bool:
        """The new version is older than the stable one."""
        if self.canary is None or self.stable is None:
            return False
        return bool(self.canary["metadata"]["creationTimestamp"] < self.stable["metadata"]["creationTimestamp"])

    @property
    def promoted(self) -> bool:
        return self.view.is_fully_promoted

    @property
    def is_routed(self) -> bool:
        return self.view.is_routed

    def service(self, side: str) -> Object | None:
        """The active or the preview Service of blue-green, as it is now."""
        name = (self.rollout["spec"]["strategy"].get("blueGreen") or {}).get(f"{side}Service")
        return self.store.get(SERVICE, self.view.namespace, name) if name else None

    @property
    def services(self) -> tuple[str, str]:
        """The names of the canary's and the stable Service; of ping and pong the one that the status
        names is the stable one, at first pong."""
        named, pair = self.strategy, self.strategy.get("pingPong")
        if pair is None:
            return str(named.get("canaryService") or ""), str(named.get("stableService") or "")
        services = pair.get("pongService") or "", pair.get("pingService") or ""
        return services if self.stable_ping_pong == "ping" else services[::-1]

    @property
    def stable_ping_pong(self) -> str:
        """status.canary.stablePingPong."""
        return str((self.status.get("canary") or {}).get("stablePingPong") or "")

    @property
    def view_weights(self) -> dict[str, Any] | None:
        """status.canary.weights as the pass has read them."""
        weights: dict[str, Any] | None = (self.status.get("canary") or {}).get("weights")
        return weights

    def has_enough(self, replicaset: Object, wanted: int) -> bool:
        """So many pods are there, or as many of them as replicaProgressThreshold asks for."""
        pods, threshold = pods_of(replicaset), self.strategy.get("replicaProgressThreshold") or {}
        least = threshold.get("value", -1)
        if least < 0:
            return wanted == pods.desired == pods.available
        if threshold.get("type") == "Pod":
            return bool(pods.available >= least)
        return not wanted or pods.available * 100 >= least * wanted

    def experiment_weights(self) -> list[dict[str, Any]]:
        """What the templates of a running Experiment get of the traffic."""
        experiment, index = self.experiment, self.view.step_index or 0
        if experiment is None or (experiment.get("status") or {}).get("phase") != "Running":
            return []
        steps = [s for s in self.view.steps[: index + 1] if s.kind == "experiment"]
        templates = (steps[-1].raw["experiment"].get("templates") or []) if steps else []
        weights = {t["name"]: t["weight"] for t in templates if t.get("weight") is not None}
        return [
            {"weight": weights[t["name"]], **{k: t[k] for k in ("serviceName", "podTemplateHash") if k in t}}
            for t in experiment["status"].get("templateStatuses") or []
            if t["name"] in weights
        ]

    def reread(self, written: Object) -> None:
        """Continues with the Rollout as it has just been written; a workload's template stays."""
        if written["spec"].get("workloadRef"):
            template, selector = (self.rollout["spec"].get(k) for k in ("template", "selector"))
            spec = {**written["spec"], "template": template, "selector": selector}
            written = {**written, "spec": spec}
        self.rollout, self.view = written, Rollout.from_object(written)

    def has_pause(self, reason: str) -> bool:
        return any(p.reason == reason for p in self.view.pause_conditions)

    def write(self, kind: Kind, obj: Object) -> Object:
        """Replaces an object that was read in this pass; 409 if someone else has written it
        since: then the whole pass is made again."""
        return self.store.update(kind, obj, expect=obj["metadata"]["resourceVersion"])

    def tell(self, type_: str, reason: str, message: str) -> None:
        """An event about the Rollout."""
        self.emit(self.rollout, type_, reason, message)


def hash_of(replicaset: Object | None) -> str:
    if replicaset is None:
        return ""
    return str((replicaset["metadata"].get("labels") or {}).get(HASH_LABEL, ""))


def selector_of(service: Object | None) -> str:
    """The hash that a Service selects."""
    return str((((service or {}).get("spec") or {}).get("selector") or {}).get(HASH_LABEL) or "")


def revision_of(obj: Object) -> int:
    text = (obj["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def pods_of(replicaset: Object) -> Pods:
    status = replicaset.get("status") or {}
    return Pods(replicaset["spec"].get("replicas", 1), status.get("replicas", 0), status.get("availableReplicas", 0))


# What a Rollout makes to be judged: AnalysisRuns and Experiments


def phase_of(judged: Object | None) -> str:
    return str(((judged or {}).get("status") or {}).get("phase", ""))


def made(state: Pass, kind: Kind, stem: str, spec: Json, meta: Json) -> tuple[Object, bool]:
    """An object with the first free name, and whether it is new; an unfinished one with the same spec is taken over.
    The names are the `stem` without its last character, then with a number behind it; `meta` has labels and
    annotations."""
    number, name = 0, stem[:-1]
    while taken := state.store.get(kind, state.view.namespace, name):
        if phase_of(taken) not in COMPLETED and taken["spec"] == spec:
            return taken, False
        number, name = number + 1, f"{stem}{number + 1}"
    owner = {"ownerReferences": [owner_reference(state.rollout)]}
    meta = {"name": name, "namespace": state.view.namespace, **meta, **owner}
    head = {"apiVersion": kind.api_version, "kind": kind.kind}
    return state.store.create(kind, {**head, "metadata": meta, "spec": spec}), True


def terminate(state: Pass, kind: Kind, judged: Object) -> None:
    """Asks an unfinished one to end; the controller of its kind does it."""
    if phase_of(judged) not in COMPLETED and not judged["spec"].get("terminate"):
        state.write(kind, {**judged, "spec": {**judged["spec"], "terminate": True}})


def collect(state: Pass, kind: Kind, judged: Sequence[Object], current: Sequence[str]) -> None:
    """Removes finished ones whose ReplicaSet is gone, and all but the newest few; not those with a `current` uid."""
    limits = state.rollout["spec"].get("analysis") or {}
    left = {True: limits.get("successfulRunHistoryLimit", 5), False: limits.get("unsuccessfulRunHistoryLimit", 5)}
    hashes = {hash_of(s) for s in state.sets}
    old = [one for one in judged if one["metadata"]["uid"] not in current and phase_of(one) in COMPLETED]
    for one in sorted(old, key=lambda o: (o["metadata"]["creationTimestamp"], o["metadata"]["name"]), reverse=True):
        good = phase_of(one) == "Successful"
        left[good] -= 1
        if left[good] < 0 or hash_of(one) not in hashes:
            state.store.delete(kind, state.view.namespace, one["metadata"]["name"])
