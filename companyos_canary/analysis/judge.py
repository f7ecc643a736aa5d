"""The AnalysisRun engine as two pure functions: what to measure now, and the status after it.

    plan(run, now, secret)               what is due, or why the run cannot continue
    conclude(run, plan, taken, now)      the new status, the events, and when to look again

Between the two, all due measurements are taken at the same time. `run` is the object as the
cluster stores it. The rest of the file derives the phases of metrics and of the run from the
measurements. Upstream: analysis/analysis.go `reconcileAnalysisRun`, `assessRunStatus`,
`assessMetricStatus`. Times have whole seconds because they are read back from the status, so an
interval is up to a second short.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from companyos_canary.analysis.arguments import ArgumentError, resolve_metric
from companyos_canary.analysis.measurement import Measured
from companyos_canary.analysis.rules import (
    Metric,
    SpecFault,
    effective_count,
    limit,
    rules_by_metric,
    shape_fault,
    validate,
)
from companyos_canary.analysis.schedule import is_due, next_moment
from companyos_canary.model.http import Json
from companyos_canary.model.quantity import format_time
from companyos_canary.model.row import COMPLETED

Secret = Callable[[str, str], str]
"""(name, key) -> the value of the Secret. Raises ArgumentError with the cluster's message if it
does not exist."""

_KEPT = 10
_ORDER = ("Successful", "Running", "Pending", "Inconclusive", "Error", "Failed")
_COUNTED = {"Successful": "successful", "Failed": "failed", "Inconclusive": "inconclusive", "Error": "error"}
_WARNINGS = frozenset(("Failed", "Error"))
_PLACEHOLDER = "temp-for-secret"


class Plan(Struct, frozen=True):
    """`due` has the metrics to measure now, with their arguments; `metrics` has all of them, with a
    placeholder for secrets. `failure` is set if the run cannot continue: it becomes its message."""

    failure: str = ""
    due: tuple[Metric, ...] = ()
    metrics: tuple[Metric, ...] = ()
    dry: frozenset[str] = frozenset()
    kept: Mapping[str, int] | None = None
    secrets: tuple[str, ...] = ()


class Taken(Struct, frozen=True):
    """A measurement with its times; that of a Job is `Running` first, without an end, and then taken again."""

    measured: Measured
    started_at: datetime
    finished_at: datetime | None


class RunEvent(Struct, frozen=True):
    """An event about the AnalysisRun: `type` is Normal or Warning."""

    type: str
    reason: str
    message: str


class Verdict(Struct, frozen=True):
    """`wake_at` is when the next measurement is due; None if the run has ended, or if only a change
    of the object can continue it. A run that is still Running although a metric has just failed
    ends at the next look."""

    status: Json
    events: tuple[RunEvent, ...]
    wake_at: datetime | None


def plan(run: Mapping[str, Any], now: datetime, secret: Secret) -> Plan:
    """Decide what is due at `now` for an unfinished run."""
    spec, status = run.get("spec") or {}, run.get("status") or {}
    if wrong := shape_fault(spec):
        return Plan(failure=f"Analysis spec invalid: {wrong}")
    args = spec.get("args") or []
    try:
        masked = [_with_placeholder(a) for a in args]
        metrics = tuple(resolve_metric(m, masked) for m in spec.get("metrics") or ())
        validate(metrics)
        dry = frozenset(rules_by_metric("dryRun", spec.get("dryRun") or (), metrics))
        rules = spec.get("measurementRetention") or ()
        retention = rules_by_metric("measurementRetention", rules, metrics)
        revealed = [_with_secret(a, secret) for a in args]
    except SpecFault as fault:
        return Plan(failure=f"Analysis spec invalid: {fault}")
    except ArgumentError as error:
        return Plan(failure=f"Unable to resolve metric arguments: {error}")
    results = {r["name"]: r for r in status.get("metricResults") or ()}
    stopping = is_terminating(spec, list(results.values()))
    due = [
        metric if revealed == masked else resolve_metric(raw, revealed)
        for raw, metric in zip(spec["metrics"], metrics, strict=True)
        if not stopping and is_due(metric, results.get(metric.get("name", "")), status, now)
    ]
    return Plan(
        due=tuple(due),
        metrics=metrics,
        dry=dry,
        kept={name: limit(rule, "limit") for name, rule in retention.items()},
        secrets=tuple(s["value"] for a, s in zip(args, revealed, strict=True) if _secret_of(a)),
    )


def conclude(run: Mapping[str, Any], plan: Plan, taken: Mapping[str, Taken], now: datetime) -> Verdict:
    """Return the new status of a run at `now`. `taken` has every measurement that was due, by
    metric, in the order in which they finished."""
    spec = run.get("spec") or {}
    status: Json = dict(run.get("status") or {})
    status.setdefault("runSummary", {})
    before = status.get("phase", "")
    if plan.failure:
        status |= {"phase": "Error", "message": plan.failure}
        return Verdict(status, (_ended("Error"),), None)
    results = [_open(result) for result in status.get("metricResults") or ()]
    due = {m.get("name", ""): m for m in (*plan.metrics, *plan.due)}
    for name, measurement in taken.items():
        _add(results, due[name], measurement, plan)
    status.setdefault("startedAt", format_time(now))
    found = assess(spec, plan.metrics, results, plan.dry)
    events = [_metric_ended(name, phase) for name, phase in found.ended]
    if found.phase != before:
        status["phase"] = found.phase
        status["message"] = found.message
        if found.phase in COMPLETED:
            events.append(_ended(found.phase))
            status.setdefault("completedAt", format_time(now))
    if not status.get("message"):
        status.pop("message", None)
    _put_results(status, results, plan.kept or {})
    status["runSummary"] = _without_zeros(found.run_summary)
    status["dryRunSummary"] = _without_zeros(found.dry_run_summary)
    wake_at = None if found.phase in COMPLETED else next_moment(plan.metrics, status)
    return Verdict(status, tuple(events), wake_at)


def _open(result: Mapping[str, Any]) -> Json:
    """A copy of a result that counts can be written into and measurements added to; those that are there stay."""
    return {**result, "measurements": [*(result.get("measurements") or ())]}


def _put_results(status: Json, results: Sequence[Json], kept: Mapping[str, int]) -> None:
    """Write the results into `status`, with as many measurements as are kept and without zeros."""
    for result in results:
        keep = kept.get(result["name"], 0)
        taken = result.get("measurements") or []
        result["measurements"] = taken[-(keep if keep > 0 else _KEPT) :]
    if results:
        status["metricResults"] = [_without_zeros(r) for r in results]


def _secret_of(arg: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return (arg.get("valueFrom") or {}).get("secretKeyRef")


def _with_placeholder(arg: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**arg, "value": _PLACEHOLDER} if _secret_of(arg) is not None else arg


def _with_secret(arg: Mapping[str, Any], secret: Secret) -> Mapping[str, Any]:
    source = _secret_of(arg)
    if source is None:
        return arg
    return {**arg, "value": secret(source.get("name") or "", source.get("key") or "")}


def _add(results: list[Json], metric: Metric, taken: Taken, plan: Plan) -> None:
    """Add a measurement to the result of its metric. Secrets are masked in its message, but not in
    the resolved query (recorded: `arg-secret-masked`)."""
    name, measured = metric.get("name", ""), taken.measured
    result = next((r for r in results if r["name"] == name), None)
    if result is None:
        query = ((metric.get("provider") or {}).get("prometheus") or {}).get("query") or ""
        result = {"name": name, "phase": "Running", "measurements": []}
        if name in plan.dry:
            result["dryRun"] = True
        if query and not measured.provider_failed:
            result["metadata"] = {"ResolvedPrometheusQuery": query}
        results.append(result)
    measurements = result.setdefault("measurements", [])
    begun = measurements.pop() if is_in_progress(result) else {}
    if measured.phase != "Running":
        _count(result, measured.phase)
    message = measured.message
    for secret in filter(None, plan.secrets):
        message = message.replace(secret, "*****")
    written = {
        "phase": measured.phase,
        "message": message,
        "startedAt": begun.get("startedAt") or format_time(taken.started_at),
        "finishedAt": format_time(taken.finished_at) if taken.finished_at else "",
        "value": measured.value,
        "metadata": dict(measured.metadata) or begun.get("metadata"),
    }
    measurements.append({k: v for k, v in written.items() if v})


def is_in_progress(result: Mapping[str, Any]) -> bool:
    """Whether its last measurement has no end yet: a Job still runs."""
    last = (result.get("measurements") or [{}])[-1]
    return bool(last.get("phase") == "Running")


def _without_zeros(counters: Mapping[str, Any]) -> Json:
    return {k: v for k, v in counters.items() if v not in (0, "", None) or k == "name"}


def _metric_ended(name: str, phase: str) -> RunEvent:
    type_ = "Warning" if phase in _WARNINGS else "Normal"
    return RunEvent(type_, f"Metric{phase}", f"Metric '{name}' Completed. Result: {phase}")


def _ended(phase: str) -> RunEvent:
    type_ = "Warning" if phase in _WARNINGS else "Normal"
    return RunEvent(type_, f"AnalysisRun{phase}", f"Analysis Completed. Result: {phase}")


class Assessment(Struct, frozen=True):
    """The assessment of a run: its phase and message, both summaries, and the metrics that have
    just ended, with their phases, in the order of the spec."""

    phase: str
    message: str
    run_summary: Json
    dry_run_summary: Json
    ended: tuple[tuple[str, str], ...]


def is_terminating(spec: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> bool:
    """Whether measuring ends: `terminate` is set, or a metric that counts has failed."""
    bad = ("Failed", "Error", "Inconclusive")
    return bool(spec.get("terminate")) or any(r.get("phase") in bad and not r.get("dryRun") for r in results)


def _count(result: Json, phase: str) -> None:
    """Add a measurement to the counters of its metric. An Error does not increase `count`."""
    field = _COUNTED[phase]
    result[field] = result.get(field, 0) + 1
    errors = result.get("consecutiveError", 0) + 1 if phase == "Error" else 0
    successes = result.get("consecutiveSuccess", 0) + 1 if phase == "Successful" else 0
    result["consecutiveError"], result["consecutiveSuccess"] = errors, successes
    if phase != "Error":
        result["count"] = result.get("count", 0) + 1


def assess(
    spec: Mapping[str, Any], metrics: Sequence[Metric], results: Sequence[Json], dry: frozenset[str]
) -> Assessment:
    """Assess all metrics (their phases are written into `results`) and the run."""
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
    """A dry-run metric reports in its own message what it would have done to the run."""
    if reason:
        result["message"] = f"Metric assessed {result['phase']} due to {reason}"


def _run_phase(worst: str, message: str, terminating: bool, all_completed: bool) -> tuple[str, str]:
    if terminating:
        return worst or "Successful", message
    if not all_completed or not worst:
        return "Running", ""
    return worst, message


def _tally(counters: Json, over: str) -> None:
    """Count a metric by the limit that it exceeds. One that exceeds none counts as successful, even
    if it ended otherwise (recorded: `csl2-fl2-not-reached`)."""
    field = _COUNTED[over or "Successful"]
    counters[field] = counters.get(field, 0) + 1


def _sentence(name: str, phase: str, reason: str, result: Mapping[str, Any]) -> str:
    said = result.get("message") or ""
    detail = f': "Error Message: {said}"' if said else ""
    return f'Metric "{name}" assessed {phase} due to {reason}{detail}'


def _settled(metric: Metric, result: Json, terminating: bool) -> bool:
    """Write the phase of the metric and the message of its last measurement. Return whether the
    metric has just ended."""
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
    if is_in_progress(result):
        return "Running"
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
    """The phase of the limit that is exceeded, and the reason. The last of several counts."""
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
