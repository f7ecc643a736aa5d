"""From measurements to verdicts: the phase of a metric, and of the run.

Upstream: analysis/analysis.go `assessRunStatus`, `assessMetricStatus`. Works on dicts in the shape
of status.metricResults and changes only those that it is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from companyos_canary.analysis.rules import Metric, effective_count, limit

Json = dict[str, Any]
COMPLETED = frozenset(("Successful", "Failed", "Error", "Inconclusive"))
_ORDER = ("Successful", "Running", "Pending", "Inconclusive", "Error", "Failed")
_COUNTED = {
    "Successful": "successful", "Failed": "failed", "Inconclusive": "inconclusive",
    "Error": "error",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assessment:
    """What comes of a run: its phase, its message, both summaries, and the metrics that ended just
    now with their phases, in the order of the spec."""

    phase: str
    message: str
    run_summary: Json
    dry_run_summary: Json
    ended: tuple[tuple[str, str], ...]


def is_terminating(spec: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> bool:
    """No new measurements: it was asked for, or a metric that counts has already failed."""
    bad = ("Failed", "Error", "Inconclusive")
    return bool(spec.get("terminate")) or any(
        r.get("phase") in bad and not r.get("dryRun") for r in results
    )


def counted(result: Json, phase: str) -> None:
    """Adds one measurement to the counters of a metric. An Error does not count as one."""
    field = _COUNTED[phase]
    result[field] = result.get(field, 0) + 1
    errors = result.get("consecutiveError", 0) + 1 if phase == "Error" else 0
    successes = result.get("consecutiveSuccess", 0) + 1 if phase == "Successful" else 0
    result["consecutiveError"], result["consecutiveSuccess"] = errors, successes
    if phase != "Error":
        result["count"] = result.get("count", 0) + 1


def assess(
    spec: Mapping[str, Any],
    metrics: Sequence[Metric],
    results: Sequence[Json],
    dry: frozenset[str],
) -> Assessment:
    """The phases of all metrics (written into `results`) and of the run."""
    by_name = {r["name"]: r for r in results}
    terminating = is_terminating(spec, results)
    worst, message = "", "Run Terminated" if spec.get("terminate") else ""
    summary, dry_summary = {"count": 0}, {"count": 0}
    ended: list[tuple[str, str]] = []
    all_completed = True
    for metric in metrics:
        name = metric.get("name", "")
        counters = dry_summary if name in dry else summary
        counters["count"] += 1
        result = by_name.get(name)
        if result is None:
            all_completed = False
            continue
        if _settled(metric, result, terminating):
            ended.append((name, result["phase"]))
        phase = result["phase"]
        if phase not in COMPLETED:
            all_completed = False
            continue
        over, reason = _over_limit(metric, result)
        _tally(counters, over)
        if name in dry:
            worst = worst or "Successful"
            _note(result, reason)
        elif not worst or _ORDER.index(phase) > _ORDER.index(worst):
            worst = phase
            message = _sentence(name, phase, reason, result) if reason else message
    final, text = _run_phase(worst, message, terminating, all_completed)
    return Assessment(final, text, summary, dry_summary, tuple(ended))


def _note(result: Json, reason: str) -> None:
    """A dry metric says in its own message what it would have done to the run."""
    if reason:
        result["message"] = f"Metric assessed {result['phase']} due to {reason}"


def _run_phase(worst: str, message: str, terminating: bool, all_completed: bool) -> tuple[str, str]:
    if terminating:
        return worst or "Successful", message
    if not all_completed or not worst:
        return "Running", ""
    return worst, message


def _tally(counters: Json, over: str) -> None:
    """A metric over no limit counts as successful, even one that ended otherwise (recorded:
    `csl2-fl2-not-reached`)."""
    field = _COUNTED[over or "Successful"]
    counters[field] = counters.get(field, 0) + 1


def _sentence(name: str, phase: str, reason: str, result: Mapping[str, Any]) -> str:
    said = result.get("message") or ""
    detail = f': "Error Message: {said}"' if said else ""
    return f'Metric "{name}" assessed {phase} due to {reason}{detail}'


def _settled(metric: Metric, result: Json, terminating: bool) -> bool:
    """Writes the metric's phase, with the last measurement's message; whether it ended by that."""
    before = result.get("phase", "")
    phase = _metric_phase(metric, result, terminating)
    if phase == before:
        return False
    result["phase"] = phase
    if result.get("measurements"):
        result["message"] = result["measurements"][-1].get("message", "")
    return phase in COMPLETED


def _metric_phase(metric: Metric, result: Mapping[str, Any], terminating: bool) -> str:
    if result.get("phase") in COMPLETED:
        return str(result["phase"])
    if not result.get("measurements"):
        return "Successful" if terminating else "Pending"
    over, _ = _over_limit(metric, result)
    if over:
        return over
    wanted = limit(metric, "consecutiveSuccessLimit")
    if 0 < wanted <= result.get("consecutiveSuccess", 0):
        return "Successful"
    count = effective_count(metric)
    if count is not None and result.get("count", 0) >= count:
        if wanted <= 0:
            return "Successful"
        return "Inconclusive" if limit(metric, "failureLimit") >= 0 else "Failed"
    return "Successful" if terminating else "Running"


def _over_limit(metric: Metric, result: Mapping[str, Any]) -> tuple[str, str]:
    """The phase of the limit that is exceeded, and why; of several the last one counts."""
    found = ("", "")
    failures, most = result.get("failed", 0), limit(metric, "failureLimit")
    if 0 <= most < failures:
        found = "Failed", f"failed ({failures}) > failureLimit ({most})"
    unclear, most = result.get("inconclusive", 0), limit(metric, "inconclusiveLimit")
    if unclear > most:
        found = "Inconclusive", f"inconclusive ({unclear}) > inconclusiveLimit ({most})"
    errors, most = result.get("consecutiveError", 0), limit(metric, "consecutiveErrorLimit")
    if errors > most:
        found = "Error", f"consecutiveErrors ({errors}) > consecutiveErrorLimit ({most})"
    return found
