"""The metrics of an AnalysisTemplate: timing, limits, conditions and query of each."""

from dataclasses import replace
from typing import Any

from companyos_canary.config import Metric, Settings
from companyos_canary.config.settings import plain
from companyos_canary.model.quantity import format_duration
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
        metric(
            replace(m, no_data="pass")
            if stable_may_be_gone and m.name in COMPARED_WITH_STABLE and m.no_data == "hold"
            else m,
            timing,
        )
        for m in settings.metrics
    ]


def metric(wanted: Metric, timing: Timing) -> dict[str, Any]:
    """One metric. One failed and one inconclusive measurement are forgiven, of at least four, so a
    run never passes without good ones (recorded: il3-all-but-one shows what more would do); 11
    errors in a row at 10 s each bridge a restart of Prometheus."""
    success, failure = conditions(wanted)
    count = {} if timing.count is None else {"count": timing.count}
    return {
        "name": wanted.name,
        "initialDelay": format_duration(timing.initial_delay),
        "interval": format_duration(timing.interval),
        **count,
        "failureLimit": 1,
        "inconclusiveLimit": 1,
        "consecutiveErrorLimit": 11,
        "successCondition": success,
        **({"failureCondition": failure} if failure else {}),
        "provider": {"prometheus": {"address": "{{args.prometheus}}", "timeout": 10, "query": query(wanted)}},
    }


def conditions(wanted: Metric) -> tuple[str, str]:
    """successCondition and failureCondition (empty: none). `No data` is no series or NaN: neither
    is true for `hold` (the run is Inconclusive, the rollout waits), the first for `pass`, and
    without a failureCondition everything that is no success has failed."""
    good, bad = ("<", ">=") if wanted.direction == "below" else (">", "<=")
    limit = plain(wanted.limit)
    one = f"len(result) == 1 && result[0] {good} {limit}"
    if wanted.no_data == "fail":
        return one, ""
    if wanted.no_data == "hold":
        return one, f"len(result) == 1 && result[0] {bad} {limit}"
    return (
        f"len(result) == 0 || isNaN(result[0]) || result[0] {good} {limit}",
        f"len(result) > 0 && result[0] {bad} {limit}",
    )


def query(wanted: Metric) -> str:
    """The user's own query, else the guide's metric in the form asked for."""
    if wanted.query is not None:
        return wanted.query
    return (LITERAL if wanted.form == "literal" else SAFE)[wanted.name]
