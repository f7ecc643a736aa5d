"""Settings → the AnalysisTemplates: which there are, with which timing, and what each metric asks and allows."""

import re
from typing import Any

from msgspec.structs import replace

from companyos_canary.config import BlueGreenSettings, MetricSettings, Settings
from companyos_canary.config.settings import plain_number
from companyos_canary.errors import ConfigError, printable
from companyos_canary.model.http import Json
from companyos_canary.model.quantity import format_duration
from companyos_canary.render import evidence
from companyos_canary.render.queries import LITERAL, SAFE
from companyos_canary.render.steps import Timing, background, background_timing, step_timing, template_name, timing_of
from companyos_canary.render.templates import filled_template, parsed

_FLOOR = "error-floor"
_ANALYSIS = "analysis-template.yaml"
_OWN = 'canary="true",'
_OTHERS = ('canary!="true"', 'canary="false"')
_HASH = 'rollouts_pod_template_hash!~"{{args.canary-hash}}"'


def analysis_templates(settings: Settings) -> list[dict[str, Any]]:
    """One AnalysisTemplate for each distinct timing, then that of the background."""
    found: dict[str, dict[str, Any]] = {}
    if settings.blue_green:
        switch = _blue_green_timings(settings, settings.blue_green)
        return [_told_by_hash(analysis_template(settings, *each)) for each in switch]
    for step in settings.steps:
        name, timing = template_name(settings, step), step_timing(settings, step)
        if timing is not None and name not in found:
            found[name] = analysis_template(settings, name, timing, step.weight == 100)
    if background(settings) is not None:
        name = template_name(settings, None)
        found[name] = analysis_template(settings, name, background_timing(settings), True)
    return list(found.values())


def analysis_template(settings: Settings, name: str, timing: Timing, stable_may_be_gone: bool) -> dict[str, Any]:
    """All metrics, asked with that timing."""
    least = settings.analysis.min_requests
    values = {
        **placeholders(settings),
        "name": name,
        "prometheus": settings.prometheus.url,
        "window": format_duration(timing.window),
        "min-requests": str(least),
        # One error among the fewest requests that count must not fail error-ratio by itself.
        "error-floor": plain_number(max(0.01, round(1 / least, 6))),
        "scope": settings.scope,
        "metrics": _template_metrics(settings, timing, stable_may_be_gone=stable_may_be_gone),
    }
    found: dict[str, Any] = filled_template(parsed(_ANALYSIS), values, _ANALYSIS)
    spec = found["spec"]
    uses = any(f"args.{_FLOOR}" in m["provider"]["prometheus"]["query"] for m in spec["metrics"])
    spec["args"] = [a for a in spec["args"] if a["name"] != _FLOOR or uses]
    return found


def _blue_green_timings(settings: Settings, given: BlueGreenSettings) -> list[tuple[str, Timing, bool]]:
    """Name and timing of each AnalysisTemplate, and whether the version before may have no traffic any more."""
    return [
        (switch_template_name(settings, name, duration), timing_of(settings, duration), name == "postPromotionAnalysis")
        for name, duration in given.analyses
    ]


def _told_by_hash(template: Json) -> Json:
    """A version keeps no label of its role over the switch, so the hash of its pods tells it from the others."""
    for metric in template["spec"]["metrics"]:
        asked = metric["provider"]["prometheus"]
        query = asked["query"].replace(_OWN, "")
        for others in _OTHERS:
            query = query.replace(others, _HASH)
        asked["query"] = query
    return template


def switch_template_name(settings: Settings, field: str, duration: Any) -> str:
    """Of the analysis before or after blue-green's switch."""
    word = "before" if field == "prePromotionAnalysis" else "after"
    return f"{settings.rollout}-{word}-{format_duration(duration).replace('.', '-')}"


def placeholders(settings: Settings) -> dict[str, Any]:
    """What the files in `templates/` call by these names."""
    return {"rollout": settings.rollout, "namespace": settings.namespace, "app": settings.app, "port": settings.port}


_COMPARED_WITH_STABLE = ("latency-ratio", "error-ratio")


def _template_metrics(settings: Settings, timing: Timing, *, stable_may_be_gone: bool) -> list[dict[str, Any]]:
    """spec.metrics for one timing.

    Where the stable version may have no traffic left (at 100 %, and in the background until the
    promotion) the two ratios pass on no data instead of holding: there is nothing to compare with,
    and a hold would stall the end of the rollout.
    """
    return [
        _metric(
            replace(m, no_data="pass")
            if stable_may_be_gone and m.name in _COMPARED_WITH_STABLE and m.no_data == "hold"
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


_TAG = re.compile(r"\{\{(.*?)\}\}")
_VALUES = {"scope": 'x="y"', "window": "5m", "min-requests": "1", "error-floor": "1"}
_STRING = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`""")


def _parsed(name: str, query: str) -> str:
    """The query; ConfigError where it is not PromQL once its arguments are put in."""
    from companyos_canary.promql.parse import parse  # noqa: PLC0415 - few files have a query of their own
    from companyos_canary.promql.values import PromqlError  # noqa: PLC0415

    text = _STRING.sub(lambda found: _TAG.sub("x", found[0]), query)
    text = _TAG.sub(lambda found: _VALUES.get(found[1].strip(" ").removeprefix("args."), "x"), text)
    try:
        parse(text)
    except PromqlError as error:
        raise ConfigError(
            f"canary.yaml: field `metrics.{printable(name)}.query` is not PromQL: {printable(str(error))}"
        ) from error
    return query


def _query(wanted: MetricSettings) -> str:
    """The user's own query, else the guide's metric in the form asked for."""
    if wanted.query is not None:
        return _parsed(wanted.name, wanted.query)
    if _is_evidence(wanted):
        return evidence.evidence_query(wanted)
    return (LITERAL if wanted.form == "literal" else SAFE)[wanted.name]


def _is_evidence(wanted: MetricSettings) -> bool:
    return wanted.form == "evidence" and wanted.query is None
