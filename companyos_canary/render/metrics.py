"""The metrics of an AnalysisTemplate: timing, limits, conditions and query of each."""

from dataclasses import replace
from typing import Any

from companyos_canary.config import MetricSettings, Settings
from companyos_canary.config.settings import plain_number
from companyos_canary.model.quantity import format_duration
from companyos_canary.render import evidence
from companyos_canary.render.queries import LITERAL, SAFE
from companyos_canary.render.steps import Timing

COMPARED_WITH_STABLE = ("latency-ratio", "error-ratio")


def metrics(settings: Settings, timing: Timing, *, stable_may_be_gone: bool) -> list[dict[str, Any]]:
    """spec.metrics for one timing.

    Where the stable version may have no traffic left (at 100 %, and in the background until the
    promotion) the two ratios pass on no data instead of holding: there is nothing to compare with,
    and a hold would stall the end of the rollout.
    """
    return [
        _metric(
            replace(m, no_data="pass")
            if stable_may_be_gone and m.name in COMPARED_WITH_STABLE and m.no_data == "hold"
            else m,
            timing,
        )
        for m in settings.metrics
    ]


def _metric(wanted: MetricSettings, timing: Timing) -> dict[str, Any]:
    """One metric. One failed measurement is forgiven; 11 errors in a row at 10 s each bridge a
    restart of Prometheus."""
    success, failure = conditions(wanted)
    return {
        "name": wanted.name,
        "initialDelay": format_duration(timing.initial_delay),
        "interval": format_duration(timing.interval),
        **_limits(wanted, timing),
        "consecutiveErrorLimit": 11,
        "successCondition": success,
        **({"failureCondition": failure} if failure else {}),
        "provider": {"prometheus": {"address": "{{args.prometheus}}", "timeout": 10, "query": _query(wanted)}},
    }


def _limits(wanted: MetricSettings, timing: Timing) -> dict[str, int]:
    """How many measurements end a metric. Of the default form as many good ones in a row as the
    step has: those without a verdict only make it longer (recorded: csl2-inconclusive-resets), up to `most` of
    them. Of the others so many, of at least four; one without a verdict is forgiven, so a run never
    passes without good ones (recorded: il3-all-but-one shows what more would do)."""
    if wanted.form != "evidence":
        count = {} if timing.count is None else {"count": timing.count}
        return {**count, "failureLimit": 1, "inconclusiveLimit": 1}
    if timing.count is None:
        return {"failureLimit": 1, "inconclusiveLimit": timing.most - 1}
    return {
        "count": timing.most,
        "consecutiveSuccessLimit": timing.count,
        "failureLimit": 1,
        "inconclusiveLimit": timing.most - 1,
    }


def conditions(wanted: MetricSettings) -> tuple[str, str]:
    """successCondition and failureCondition (empty: none). `No data` is no series or NaN: neither
    is true for `hold` (the run is Inconclusive, the rollout waits), the first for `pass`, and
    without a failureCondition everything that is no success has failed."""
    if _is_evidence(wanted):
        return evidence.evidence_conditions(wanted)
    good, bad = ("<", ">=") if wanted.direction == "below" else (">", "<=")
    limit = plain_number(wanted.limit)
    one = f"len(result) == 1 && result[0] {good} {limit}"
    if wanted.no_data == "fail":
        return one, ""
    if wanted.no_data == "hold":
        return one, f"len(result) == 1 && result[0] {bad} {limit}"
    return (
        f"len(result) == 0 || isNaN(result[0]) || result[0] {good} {limit}",
        f"len(result) > 0 && result[0] {bad} {limit}",
    )


def _query(wanted: MetricSettings) -> str:
    """The user's own query, else the guide's metric in the form asked for."""
    if wanted.query is not None:
        return wanted.query
    if _is_evidence(wanted):
        return evidence.evidence_query(wanted)
    return (LITERAL if wanted.form == "literal" else SAFE)[wanted.name]


def _is_evidence(wanted: MetricSettings) -> bool:
    return wanted.form == "evidence" and wanted.query is None
