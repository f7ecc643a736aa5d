"""One release from its first step to its end, judged by its own templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

from companyos_canary.analysis.answer import Samples
from companyos_canary.analysis.arguments import resolve_metric
from companyos_canary.analysis.judge import Taken, conclude, plan
from companyos_canary.analysis.measurement import Measured, assessed
from companyos_canary.analysis.rules import COMPLETED
from companyos_canary.promql import Scalar, Value, Vector, evaluate
from companyos_canary.trials.traffic import Counters, Load

START = datetime(2026, 1, 1, tzinfo=UTC)
_READY = 1.0  # seconds from the first traffic at a weight to its analysis


@dataclass(frozen=True, slots=True)
class Step:
    """A weight in percent, then an AnalysisRun of that spec (None: none), then a pause in seconds. `share` of the
    requests is what pods make of the weight; None: the weight itself."""

    weight: float
    spec: Mapping[str, Any] | None
    pause: float = 0.0
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a release ended, at which step (from 0), after how many seconds, and by which metric."""

    kind: Literal["promoted", "rolled-back", "held"]
    step: int
    seconds: float
    metric: str = ""


def resolved(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A template's spec with the defaults of its arguments put in."""
    args = spec.get("args") or []
    return {"metrics": [resolve_metric(m, args) for m in spec["metrics"]]}


_KINDS: Mapping[str, Literal["rolled-back", "held"]] = {"Inconclusive": "held"}


def release(steps: Sequence[Step], load: Load, seed: int | str, *, history: float = 300.0) -> Outcome:
    """Plays one. Times are those of the controller: whole seconds, an interval after a measurement."""
    share = 0.0
    counters = Counters(load, Random(seed), lambda _: share, history)
    clock = 0.0
    for index, step in enumerate(steps):
        counters.until(clock)
        share = step.weight / 100 if step.share is None else step.share
        if step.spec is not None:
            clock += _READY
            run: dict[str, Any] = {"spec": step.spec}
            while (phase := (run.get("status") or {}).get("phase")) not in COMPLETED:
                clock = _look(run, counters, clock)
            if phase != "Successful":
                ended = next(r["name"] for r in run["status"]["metricResults"] if r["phase"] == phase)
                return Outcome(_KINDS.get(phase, "rolled-back"), index, clock, ended)
        clock += step.pause
    return Outcome("promoted", len(steps), clock)


def _look(run: dict[str, Any], counters: Counters, clock: float) -> float:
    """Takes what is due and writes the status; when to look again."""
    now = START + timedelta(seconds=clock)
    found = plan(run, now, lambda *_: "")
    counters.until(clock)
    known: dict[str, Value] = {}
    taken = {m["name"]: Taken(_measured(m, counters, clock, now, known), now, now) for m in found.due}
    verdict = conclude(run, found, taken, now)
    run["status"] = verdict.status
    if verdict.wake_at is None:
        return clock
    return max((verdict.wake_at - START).total_seconds(), clock)


def _measured(
    metric: Mapping[str, Any], counters: Counters, clock: float, now: datetime, known: dict[str, Value]
) -> Measured:
    value = evaluate(metric["provider"]["prometheus"]["query"], clock, counters.select, known)
    if isinstance(value, Scalar):
        return assessed(metric, Samples(value.value), now)
    assert isinstance(value, Vector)
    return assessed(metric, Samples(tuple(s.value for s in value.samples)), now)
