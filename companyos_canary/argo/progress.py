"""How far an update has come and how long it still takes, as facts. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

from companyos_canary.argo.phase import CUTOVER, MORE_REPLICAS, Phase, shown_phase, tells_of_an_earlier_version
from companyos_canary.argo.steps import AT_ONCE, WeightStep, max_weight, set_weight, weight_step_at, weight_steps
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.experiment import duration_of
from companyos_canary.model.quantity import parse_time, percent_of, whole, whole_seconds
from companyos_canary.model.rollout import BlueGreen, Rollout, Step
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import ReplicaSet

Activity = Literal[
    "healthy",  # the newest version is stable
    "unobserved",  # a change is written, the controller has not seen it
    "scaling",  # pods come and go for a weight
    "analysing",  # an AnalysisRun of this step decides
    "pausing",  # a pause that ends by itself
    "waiting",  # a pause that a person ends
    "inconclusive",  # an analysis gave no verdict: a person decides
    "held",  # paused by hand
    "finishing",  # all steps are done
    "aborting",  # the abort is written, the controller has not acted on it
    "aborted",
    "degraded",
    "other",  # experiments, header routes, plugins
]


_ENDED_BADLY = ("aborting", "aborted", "degraded")


class Progress(Struct, frozen=True):
    """`step` is None when none is in progress. `remaining` and `length` are of the Rollout's step in
    work (the analysis or the pause), `until_end` of the whole update; None if it is
    not known. `failed_step` is where it ended badly, `failed_after` how long its analysis took
    to fail (None if none did) and `failed_share` how much of the step had passed, from 0 to 1.
    `stepped` is false where no steps are taken: the first version, a return to stable or to one within the
    rollback window, a restart.
    `gives_up` is when pods that are still not ready end it, and `aborts` whether that is an abort;
    without one it becomes Degraded, and the weight stays. `overdue`: how long ago the analysis should have
    ended, once that is more than a controller needs; `measured_at` is when it last measured then. `lengths`: how long
    each of the Rollout's steps takes, from the current one on; None if that is not known, and empty without one."""

    phase: Phase
    activity: Activity
    steps: tuple[WeightStep, ...]
    step: WeightStep | None
    weight: int
    remaining: timedelta | None
    length: timedelta | None
    until_end: timedelta | None
    failed_step: WeightStep | None
    stepped: bool
    failed_after: timedelta | None = None
    failed_share: float = 0.0
    gives_up: datetime | None = None
    aborts: bool = False
    overdue: timedelta = timedelta()
    measured_at: datetime | None = None
    max_weight: int = 100
    percent: float = 0
    lengths: tuple[timedelta | None, ...] = ()

    @property
    def next_percent(self) -> float:
        """The share after the current step; 100 after the last."""
        later = [s for s in self.steps if self.step and s.number > self.step.number]
        return later[0].percent if later else 100


def progress(snapshot: Snapshot, now: datetime, phase: Phase | None = None) -> Progress:
    """`phase` where it is known what is shown."""
    rollout = snapshot.rollout
    most = max_weight(rollout)
    groups = weight_steps(rollout.steps, most)
    phase = phase or shown_phase(rollout)
    # where the status tells only of the version before, what it says is not of the newest
    doing = "unobserved" if snapshot.is_behind and not rollout.paused else activity(rollout, phase)
    stepped = bool(groups and rollout.stable_hash) and not rollout.is_fully_promoted and not returns_at_once(snapshot)
    idle = not stepped or doing in ("healthy", "aborted", "unobserved")
    own: dict[int | None, AnalysisRun] = {
        r.step_index: r for r in reversed(snapshot.attempt) if r.step_index is not None
    }
    run, index = own.get(rollout.step_index) if doing == "analysing" else None, rollout.step_index
    lengths = () if idle else _lengths(snapshot, own)
    length = lengths[index] if index is not None and 0 <= index < len(lengths) else None
    remaining = _remaining(snapshot, doing, length, run, now)
    failed = _failed_run(snapshot) if doing in _ENDED_BADLY else None
    lasted = _lasted(failed, rollout, now) if failed else None
    whole = bool(rollout.blue_green) or doing in ("healthy", "unobserved")
    weight = 100 if doing in ("healthy", "unobserved") else _weight(snapshot)
    return Progress(
        phase=phase,
        activity=doing,
        steps=groups,
        step=None if idle else weight_step_at(groups, rollout.step_index),
        weight=weight,
        remaining=remaining,
        length=length,
        until_end=None if idle else _until_end(rollout, lengths, doing, remaining),
        stepped=stepped,
        failed_step=_ended_in(groups, failed) if failed else None,
        failed_after=lasted if failed and failed.phase in ("Failed", "Error") else None,
        failed_share=_share_of(failed, lasted) if failed and lasted and not failed.passed else 0.0,
        **_overdue(run, length, now),
        gives_up=_gives_up(snapshot) if doing in ("scaling", "finishing") else None,
        max_weight=most,
        percent=weight if whole or most == 100 else percent_of(weight, most),
        lengths=lengths,
        aborts=bool((rollout.raw.get("spec") or {}).get("progressDeadlineAbort")),
    )


def returns_at_once(snapshot: Snapshot) -> bool:
    """Whether the newest version is one within the rollback window. The controller shows its first step for a moment,
    and then passes over all of them."""
    return bool(_window(snapshot.rollout)) and within_window(snapshot, snapshot.current)


def within_window(snapshot: Snapshot, target: ReplicaSet | None) -> bool:
    """The target is older than stable, and fewer ReplicaSets than `revisions` were made strictly
    between them (upstream rollout/sync.go; recorded: undo-with-rollback-window)."""
    revisions, stable = _window(snapshot.rollout), snapshot.stable
    if not (revisions and stable and stable.created_at and target and target.created_at):
        return False
    if target.created_at >= stable.created_at:
        return False
    made = (r.created_at for r in snapshot.replicasets if r.created_at)
    return sum(1 for at in made if target.created_at < at < stable.created_at) < revisions


def _window(rollout: Rollout) -> int:
    """rollbackWindow.revisions; 0 without one."""
    return whole(((rollout.raw.get("spec") or {}).get("rollbackWindow") or {}).get("revisions"))


def _weight(snapshot: Snapshot) -> int:
    """The share that is asked for the newest version. In blue-green it is all or nothing."""
    rollout = snapshot.rollout
    state = rollout.blue_green
    if snapshot.is_behind:
        return 0
    if state is None:
        return set_weight(rollout)
    return 100 if state.active == rollout.current_hash else 0


def activity(rollout: Rollout, phase: Phase) -> Activity:
    """What is going on, from the shown phase and the current step."""
    if rollout.aborted:
        return "aborted" if phase.word == "Degraded" else "aborting"
    if tells_of_an_earlier_version(rollout, phase) if rollout.observed else rollout.is_fully_promoted:
        return "unobserved"  # a new spec while nothing was in progress, or a phase that is not of the newest version
    if phase.word == "Degraded":
        return "degraded"
    if phase.word == "Healthy":
        return "healthy"
    if rollout.paused:
        return "held"
    if rollout.promote_full and not rollout.is_fully_promoted:
        return "finishing"
    if rollout.lacks_a_verdict:
        return "inconclusive"
    if rollout.blue_green and not rollout.is_fully_promoted:
        return _blue_green_activity(rollout.blue_green, phase)
    step = None if rollout.is_fully_promoted else rollout.current_step
    if step is None:
        return "waiting" if phase.word == "Paused" else "finishing"
    return _at_step(step, phase)


def _blue_green_activity(state: BlueGreen, phase: Phase) -> Activity:
    if phase.word == "Paused":
        return "pausing" if state.promotes_itself else "waiting"
    if state.run is not None:
        return "analysing"
    return "scaling" if phase.message in (MORE_REPLICAS, CUTOVER) else "finishing"


def _at_step(step: Step, phase: Phase) -> Activity:
    match step.kind:
        case "setWeight" | "setCanaryScale":
            return "scaling"
        case "analysis":
            return "analysing"
        case "pause":
            paused = phase.word == "Paused"
            return "waiting" if step.waits_for_a_person and paused else "pausing"
    return "other"


def step_run(snapshot: Snapshot, index: int | None) -> AnalysisRun | None:
    """The run of this attempt for one of the Rollout's steps."""
    if index is None:
        return None
    return next((r for r in snapshot.attempt if r.step_index == index), None)


_Runs = Mapping[int | None, AnalysisRun]
"""The runs of this attempt, by the index of the Rollout's step."""


def _lengths(snapshot: Snapshot, own: _Runs) -> tuple[timedelta | None, ...]:
    """How long each of the Rollout's steps takes, from the current one on: a pause or an experiment as written, an
    analysis as its run is asked, or as a run of an equal step was. Steps that only scale count as nothing."""
    steps = snapshot.rollout.steps
    first = max(0, snapshot.rollout.step_index or 0)
    ahead = [i for i in range(first, len(steps)) if steps[i].kind == "analysis"]
    runs = {i: found for i in ahead if (found := own.get(i) or _run_like(snapshot, i))}
    known = {run.name: run.length for run in {r.name: r for r in runs.values()}.values()}
    analyses = {i: known[run.name] for i, run in runs.items()}
    return tuple([_length(step, analyses.get(i)) if i >= first else None for i, step in enumerate(steps)])


def _length(step: Step, analysis: timedelta | None) -> timedelta | None:
    match step.kind:
        case "pause":
            known = step.duration
            return known if known is not None and known >= timedelta() else None
        case "analysis":
            return analysis
        case "experiment":
            return duration_of(step.raw["experiment"])
    return timedelta() if step.kind in AT_ONCE else None


def _run_like(snapshot: Snapshot, index: int) -> AnalysisRun | None:
    """The newest run of a step that is equal."""
    steps = snapshot.rollout.steps
    same = {i for i, s in enumerate(steps) if s.raw == steps[index].raw}
    for run in reversed(snapshot.attempt):
        if run.step_index in same:
            return run
    alike = next((r for r in reversed(snapshot.runs) if r.step_index in same), None)
    return alike if alike and _began_after(alike, _written_at(snapshot.rollout.raw)) else None


def _began_after(run: AnalysisRun, moment: datetime | None) -> bool:
    return moment is not None and run.created_at is not None and run.created_at > moment


def _written_at(raw: Mapping[str, Any]) -> datetime | None:
    """The last time that someone who owns the steps wrote anything: a run of before may be one of other steps, and
    does not say which template it is of. None where the API server does not tell."""
    found = []
    entries = (raw.get("metadata") or {}).get("managedFields")
    for entry in entries if isinstance(entries, list) else ():
        node: Any = entry.get("fieldsV1") if isinstance(entry, Mapping) else None
        for part in ("f:spec", "f:strategy", "f:canary", "f:steps"):
            node = node.get(part) if isinstance(node, Mapping) else None
        if node is not None and (time := parse_time(entry.get("time"))):
            found.append(time)
    return max(found, default=None)


def _remaining(
    snapshot: Snapshot, doing: Activity, length: timedelta | None, run: AnalysisRun | None, now: datetime
) -> timedelta | None:
    rollout = snapshot.rollout
    if rollout.blue_green and doing == "pausing":
        length = whole_seconds(rollout.blue_green.seconds)
    if length is None:
        return None
    if doing == "analysing":
        started = (run.started_at or run.created_at) if run else None
    elif doing == "other" and snapshot.experiment:
        started = snapshot.experiment.available_at
    elif doing == "pausing":
        started = rollout.paused_at
    else:
        return None
    if started is None:
        return length
    left = min(length, max(timedelta(), started + length - now))  # who wrote the start may have another clock
    return None if not left and run is not None and _waits_for_requests(run) else left


def _waits_for_requests(run: AnalysisRun) -> bool:
    """A measurement of the run could not be judged: it takes as long as the requests do."""
    return not run.is_finished and any(r.inconclusive for r in run.results)


_PATIENCE = timedelta(seconds=15)


def _overdue(run: AnalysisRun | None, length: timedelta | None, now: datetime) -> dict[str, Any]:
    """Of the run that is waited for."""
    started = (run.started_at or run.created_at) if run else None
    if run is None or started is None or length is None or now - started - length < _PATIENCE:
        return {}
    measured = (m.finished_at for result in run.results for m in result.measurements)
    return {"overdue": now - started - length, "measured_at": max(filter(None, measured), default=None)}


def _until_end(
    rollout: Rollout, lengths: tuple[timedelta | None, ...], doing: Activity, remaining: timedelta | None
) -> timedelta | None:
    if doing in ("waiting", "inconclusive", "held", "aborting", "degraded"):
        return None
    if doing in ("analysing", "pausing", "other") and remaining is None:
        return None
    total = remaining or timedelta()
    for length in lengths[(rollout.step_index or 0) + 1 :]:
        if length is None:
            return None
        total += length
    return total


def _failed_run(snapshot: Snapshot) -> AnalysisRun | None:
    """Tells where an update ended: the run of a step that failed, or the newest run. An abort sets
    the Rollout's own index back to 0."""
    runs = [r for r in snapshot.attempt if r.step_index is not None]
    bad = [r for r in runs if r.phase in ("Failed", "Error")]
    return next(iter((bad or runs)[-1:]), None)


def _ended_in(groups: tuple[WeightStep, ...], run: AnalysisRun) -> WeightStep | None:
    """A run that passed had let the update go on to what comes after it."""
    after = weight_step_at(groups, run.step_index + 1) if run.passed and run.step_index is not None else None
    return after or weight_step_at(groups, run.step_index)


def _lasted(run: AnalysisRun, rollout: Rollout, now: datetime) -> timedelta | None:
    """From the start of a run to its own end, or to the abort that ended it."""
    began, over = run.started_at or run.created_at, run.completed_at or rollout.aborted_at or now
    return max(timedelta(), over - began) if began else None


def _share_of(run: AnalysisRun, lasted: timedelta) -> float:
    length = run.length
    return min(1.0, lasted / length) if length else 0.0


_NO_DEADLINE = ("RolloutAborted", "RolloutPaused", "NewReplicaSetAvailable", "ProgressDeadlineExceeded")
_SCALES_DOWN_LATER = "scale-down-deadline"  # upstream DefaultReplicaSetScaleDownDeadlineAnnotationKey


def _gives_up(snapshot: Snapshot) -> datetime | None:
    """When pods have taken too long to become ready: so long after the last progress, which the
    Progressing condition dates. None while that clock is stopped (upstream utils/conditions
    RolloutTimedOut; recorded: bad-image-deadline-abort)."""
    rollout = snapshot.rollout
    found = next((c for c in rollout.conditions if c.type == "Progressing"), None)
    if found is None or found.updated_at is None or found.reason in _NO_DEADLINE:
        return None
    if rollout.paused or rollout.pause_conditions:
        return None
    if any(_SCALES_DOWN_LATER in r.annotations for r in snapshot.replicasets if r.hash != rollout.current_hash):
        return None
    try:
        return found.updated_at + rollout.progress_deadline
    except OverflowError:  # later than the year 9999
        return None


def started_at(snapshot: Snapshot) -> datetime | None:
    """When this update began: as the controller says, else when its ReplicaSet was made; None
    where nothing that is known began."""
    rollout, current = snapshot.rollout, snapshot.current
    if not rollout.observed and rollout.is_fully_promoted:
        return None
    under_way = current and not rollout.is_fully_promoted
    return snapshot.rollout.update_started or (current.created_at if current and under_way else None)
