"""What happened between two Pictures, typed: `events` for a pipe and for CI, `happenings` for `watch -o json`. Pure."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from companyos_canary.argo.cause import TIMED_OUT, says_no_reason
from companyos_canary.argo.limits import Operator, limit_of
from companyos_canary.argo.metric_rows import MetricRow, Verdict, answer_text, rows_of, verdict_of
from companyos_canary.argo.picture import Picture
from companyos_canary.argo.pods import is_far, pod_share
from companyos_canary.argo.progress import returns_at_once, step_run
from companyos_canary.argo.rows import Measured, SnapshotRow, bound, measured_row, snapshot_row
from companyos_canary.argo.steps import step_of
from companyos_canary.argo.timeline import EndWord, StepEnd, step_end
from companyos_canary.model.analysisrun import AnalysisRun, Measurement
from companyos_canary.model.outcome import FailedMetric, PodProblem
from companyos_canary.model.row import Says, pick


class Replaced(Struct, frozen=True):
    """Another version took the place of the one that was followed."""

    revision: int
    version: str


class ConnectionLost(Struct, frozen=True):
    since: datetime


class ConnectionBack(Struct, frozen=True):
    pass


class Noted(Struct, frozen=True):
    """Something could not be read."""

    text: str


class StepBegan(Struct, frozen=True):
    number: int
    of: int
    weight: float


class StepEnded(Struct, frozen=True):
    """The outcome of a step that was left; `metrics` are those of its own analysis, where it passed."""

    number: int
    of: int
    word: EndWord
    metrics: tuple[MetricRow, ...]


class AnalysisBegan(Struct, frozen=True):
    run: str
    takes: timedelta | None


class PauseBegan(Struct, frozen=True):
    """One that ends by itself."""

    takes: timedelta


class WaitBegan(Struct, frozen=True):
    """Nothing moves until a person acts."""

    activity: Literal["waiting", "held", "inconclusive"]


class Finishing(Struct, frozen=True):
    """All steps are done; `pods` of `wanted` are of the new version."""

    pods: int
    wanted: int


class Aborting(Struct, frozen=True):
    pass


class PodsReady(Struct, frozen=True):
    """All pods that are wanted are there. `share` is what they make of the weight, where that is another one."""

    canary: int
    stable: int
    share: int | None


class MetricChanged(Struct, frozen=True):
    row: MetricRow


class PodFails(Struct, frozen=True):
    problem: PodProblem


class Finished(Struct, frozen=True):
    """`pods` of `wanted` are available; `failed` are the metrics that ended it."""

    activity: Literal["healthy", "aborted", "degraded"]
    version: str
    pods: int
    wanted: int
    failed: tuple[FailedMetric, ...]
    message: str


InProgress = ConnectionLost | ConnectionBack | Noted | AnalysisBegan | PauseBegan | WaitBegan | Finishing | Aborting
Happened = InProgress | Replaced | StepBegan | StepEnded | PodsReady | MetricChanged | PodFails | Finished


def events(before: Picture | None, after: Picture) -> tuple[Happened, ...]:
    """What changed, in the order in which it matters; all that holds now where there is no `before`."""
    replaced: list[Happened] = []
    if before and before.snapshot.rollout.current_hash != after.snapshot.rollout.current_hash:
        replaced, before = [Replaced(after.snapshot.rollout.revision, after.version)], None
    return (
        *replaced,
        *_connection(before, after),
        *_steps(before, after),
        *_activity(before, after),
        *_pods(before, after),
        *_metrics(before, after),
        *_problems(before, after),
        *_finished(before, after),
    )


def untold(happened: Iterable[Happened], pods: PodsReady | None) -> tuple[list[Happened], PodsReady | None]:
    """Without the state of the pods where it is what was reported of them last, of this version: a pod may come and go.
    Also what is the last that is known about them now."""
    found: list[Happened] = []
    for event in happened:
        if event != pods:
            found.append(event)
        if isinstance(event, PodsReady | Replaced):
            pods = event if isinstance(event, PodsReady) else None
    return found, pods


def awaits_a_verdict(picture: Picture) -> bool:
    """Whether a step was left whose run has not ended yet: the Rollout may be seen before it."""
    return not all(end.settled for end in _left_behind(picture).values())


def _connection(before: Picture | None, after: Picture) -> Iterator[Happened]:
    was, stale = before.snapshot.stale_since if before else None, after.snapshot.stale_since
    if was and not stale:
        yield ConnectionBack()
    if stale and not was:
        yield ConnectionLost(stale)
    known = before.snapshot.notes if before else ()
    yield from (Noted(n) for n in after.snapshot.notes if n not in known)


def _steps(before: Picture | None, after: Picture) -> Iterator[Happened]:
    """The outcome of the steps that were left, and the current one. A run's verdict may come
    after the Rollout has moved on: its step is reported then."""
    was, now = (before.progress.step if before else None), after.progress.step
    known = _left_behind(before) if before else {}
    of = len(after.progress.steps)
    for number, end in _left_behind(after).items():
        told = number in known and known[number].settled
        if before and before.progress.stepped and end.settled and not told:
            yield StepEnded(number, of, end.word, rows_of(end.runs) if end.word == "passed" else ())
    if now and (was is None or now != was):
        yield StepBegan(now.number, of, now.percent)


def _left_behind(picture: Picture) -> dict[int, StepEnd]:
    """By number, the steps that this update has left."""
    progress = picture.progress
    at = progress.step
    if at is None and progress.activity not in ("finishing", "healthy"):
        return {}
    behind = (s for s in progress.steps if at is None or s.number < at.number)
    return {s.number: step_end(picture.snapshot, s) for s in behind}


def _activity(before: Picture | None, after: Picture) -> Iterator[Happened]:
    if before and _doing(before) == _doing(after):
        return
    progress = after.progress
    match progress.activity:
        case "analysing" if run := _run(after):
            yield AnalysisBegan(run, progress.length)
        case "pausing" if progress.length:
            yield PauseBegan(progress.length)
        case "finishing" if progress.stepped or returns_at_once(after.snapshot):
            yield Finishing(after.canary_pods, after.snapshot.rollout.replicas)
        case "aborting":
            yield Aborting()
        case "waiting" | "held" | "inconclusive" as waits:
            yield WaitBegan(waits)


def _doing(picture: Picture) -> tuple[str, int | None, str]:
    """What is going on, at which step, with which run."""
    return picture.progress.activity, picture.snapshot.rollout.step_index, _run(picture)


def _run(picture: Picture) -> str:
    """The name of the run that decides now."""
    rollout = picture.snapshot.rollout
    if rollout.blue_green:
        return rollout.blue_green.run.name if rollout.blue_green.run else ""
    run = step_run(picture.snapshot, rollout.step_index)
    return run.name if run else ""


def _pods(before: Picture | None, after: Picture) -> Iterator[Happened]:
    """Told when the pods that are wanted are there, not for each pod."""
    state = _settled(after)
    if state is None or (before and _settled(before) == state):
        return
    canary, stable = after.snapshot.current, after.snapshot.stable
    share = pod_share(after.snapshot) if after.progress.step else None
    if canary and stable:
        yield PodsReady(canary.available, stable.available, share if is_far(after.progress.percent, share) else None)


def _settled(picture: Picture) -> int | None:
    """How many canary pods are wanted and there; none are, after an abort, once stable has all.
    None while pods come and go."""
    rollout, canary = picture.snapshot.rollout, picture.snapshot.current
    stable = picture.snapshot.stable
    if canary is None or stable is None or canary == stable:
        return None
    if canary.available != canary.desired or canary.replicas != canary.desired:
        return None
    if not rollout.aborted:
        return canary.desired or None
    return 0 if not canary.desired and stable.available == rollout.replicas else None


def _metrics(before: Picture | None, after: Picture) -> Iterator[Happened]:
    known = {r.name: r for r in before.metrics} if before else {}
    for row in after.metrics:
        was = known.get(row.name)
        again = was and was.verdict == row.verdict and was.failed >= row.failed
        first = was is None or was.verdict == "waiting"
        quiet = again or row.verdict == "waiting" or (first and row.verdict == "ok")
        if not quiet or (_is_worse(row) and not (was and _is_worse(was))):
            yield MetricChanged(row)


def _is_worse(row: MetricRow) -> bool:
    return row.advice is not None and row.advice.verdict == "worse"


def _problems(before: Picture | None, after: Picture) -> Iterator[Happened]:
    known = {p.reason for p in before.cause.pods} if before and before.cause else set()
    pods = after.cause.pods_by_reason if after.cause else ()
    yield from (PodFails(p) for p in pods if p.reason not in known)


def _finished(before: Picture | None, after: Picture) -> Iterator[Happened]:
    progress, rollout = after.progress, after.snapshot.rollout
    same = before and before.progress.activity == progress.activity
    if before and same and not (progress.activity == "aborted" and not _explained(before)):
        return
    match progress.activity:
        case "healthy" | "aborted" | "degraded" as how if how != "aborted" or _explained(after):
            failed = after.cause.metrics if after.cause and how == "aborted" else ()
            yield Finished(
                how, after.version, rollout.available_replicas, rollout.replicas, failed, progress.phase.message
            )


def _explained(picture: Picture) -> bool:
    """Whether the run that led to an abort has said so: the Rollout may be seen before it. That it was no run, but a
    person or a deadline, is only in the message."""
    message = picture.progress.phase.message
    if says_no_reason(message) or TIMED_OUT in message:
        return True
    return bool(picture.cause and picture.cause.metrics) or not picture.snapshot.is_judged


# The same for machines: changes of rows, and measurements.


def _ready(of: SnapshotRow, role: str) -> int | None:
    return next((r.ready for r in of.replicasets or () if r.role == role), None)


# In the order in which they matter: how each reads, and what is said about it.
_WATCHED: dict[str, tuple[Callable[[SnapshotRow], str | int | None], str]] = {
    "connection": (lambda d: "lost" if d.stale_since else "connected", ""),
    "revision": (lambda d: d.revision, "version"),
    "phase": (lambda d: d.phase, "message"),
    "activity": (lambda d: d.activity, "message"),
    "step": (lambda d: d.step.number, ""),
    "weight": (lambda d: d.weights.set, ""),
    "canary_ready": (lambda d: _ready(d, "canary"), ""),
    "stable_ready": (lambda d: _ready(d, "stable"), ""),
}


class Transition(Struct, frozen=True):
    """One thing that is not as it was. `connection` is `connected` or `lost`; `phase` and `activity` are words; the
    others are numbers, null if there is none: `step` as `step.number`, `weight` in percent, `canary_ready` and
    `stable_ready` in pods."""

    what: Annotated[str, Says(words=tuple(_WATCHED))]
    before: str | int | None = field(name="from")
    after: str | int | None = field(name="to")
    message: str


class MeasurementRow(Measured, frozen=True, kw_only=True):
    """One answer of a metric, reported once. A good value is `operator limit`; `limit` is null where
    the conditions name no single one."""

    run: str
    metric: str
    step: Annotated[str, Says("`2/3`, or `background`")]
    step_index: int | None
    operator: Operator | Literal[""]
    limit: float | None
    verdict: Verdict


def happenings(before: Picture | None, after: Picture) -> list[tuple[str, Any]]:
    """Events and their data: the new snapshot if something of substance changed (or there was
    none before), each transition, each measurement that was not there."""
    data = snapshot_row(after)
    told: list[tuple[str, Any]] = [("snapshot", data)]
    if before is not None:
        was = snapshot_row(before)
        told = [] if _substance(was) == _substance(data) else told
        told += [("transition", t) for t in _transitions(was, data)]
    return told + [("measurement", m) for m in _measurements(before, after)]


def _substance(of: SnapshotRow) -> SnapshotRow:
    """Without what changes all the time: that makes no new snapshot by itself."""
    return replace(of, pods=None, metrics=None, events=None)


def _transitions(was: SnapshotRow, now: SnapshotRow) -> list[Transition]:
    return [
        Transition(what, read(was), read(now), getattr(now, about) if about else "")
        for what, (read, about) in _WATCHED.items()
        if read(was) != read(now)
    ]


def _measurements(before: Picture | None, after: Picture) -> list[MeasurementRow]:
    """In the order in which they ended. The controller keeps the last ten of a metric alone, so
    they are distinguished by what they are, not by their number."""
    known = {
        (run.name, result.name): [*result.measurements]
        for run in (before.snapshot.current_runs if before else ())
        for result in run.results
    }
    fresh: list[tuple[datetime, MeasurementRow]] = []
    for run in after.snapshot.current_runs:
        for result in run.results:
            seen = known.get((run.name, result.name), [])
            for one in result.measurements:
                if one in seen:
                    seen.remove(one)
                elif one.finished_at:
                    fresh.append((one.finished_at, _measurement(after, run, result.name, one)))
    return [row for _, row in sorted(fresh, key=lambda pair: pair[0])]


def _measurement(picture: Picture, run: AnalysisRun, metric: str, one: Measurement) -> MeasurementRow:
    asked = next((m for m in run.metrics if m.name == metric), None)
    row = measured_row(one, asked)
    text = answer_text(one, asked) if row.value is None else ""
    return pick(
        MeasurementRow,
        row,
        run=run.name,
        metric=metric,
        step=step_of(picture.snapshot.rollout, run),
        step_index=run.step_index,
        **bound(limit_of(asked.success_condition, asked.failure_condition) if asked else None),
        verdict=verdict_of(one, row.value, text, asked.provider if asked else ""),
    )
