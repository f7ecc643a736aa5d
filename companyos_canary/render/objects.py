"""Settings → the objects to apply: AnalysisTemplates, Service, Rollout."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from companyos_canary.config import MetricSettings, Settings, image_reference
from companyos_canary.config.settings import plain_number
from companyos_canary.config.source import merge_patched, merged
from companyos_canary.errors import ConfigError, printable
from companyos_canary.model.quantity import format_duration
from companyos_canary.render import bluegreen, evidence
from companyos_canary.render.queries import LITERAL, SAFE
from companyos_canary.render.steps import Timing, background, background_timing, step_timing, steps, template_name
from companyos_canary.render.templates import filled_template, parsed
from companyos_canary.render.traffic import route, routed_services, routing

_FLOOR = "error-floor"
ROLLOUT, SERVICE, ANALYSIS = "rollout.yaml", "service.yaml", "analysis-template.yaml"


def objects(settings: Settings, version: str | None = None) -> tuple[dict[str, Any], ...]:
    """The AnalysisTemplates in the order of the steps, the Services, the route of a traffic router and the Rollout,
    `pod:` and `merge:` applied. Without a version the image has no tag. UsageError for a version that is
    none; ConfigError for a merge file that fits no object."""
    if settings.manage == "rollout":
        return tuple(_patched(settings, [rollout(settings, version)]))
    found = [*analysis_templates(settings), *_network(settings), rollout(settings, version)]
    return tuple(_patched(settings, found))


def rollout(settings: Settings, version: str | None = None) -> dict[str, Any]:
    """The Rollout, with `pod:` merged into its pod template."""
    image = settings.image if version is None else image_reference(settings.image, version)
    values = {
        **_names(settings),
        "container": settings.container,
        "image": image,
        "replicas": settings.replicas,
        "progress-deadline": int(settings.progress_deadline.total_seconds()),
        "background": background(settings),
        "steps": steps(settings),
    }
    found: dict[str, Any] = filled_template(parsed(ROLLOUT), values, ROLLOUT)
    if settings.blue_green:
        found["spec"]["strategy"] = {"blueGreen": bluegreen.blue_green_strategy(settings, settings.blue_green)}
    if settings.traffic:
        canary = found["spec"]["strategy"]["canary"]
        found["spec"]["strategy"]["canary"] = {**routing(settings, settings.traffic), **canary}
    found["spec"]["template"] = merged(found["spec"]["template"], _pod_template(settings.pod))
    return found


def _network(settings: Settings) -> list[dict[str, Any]]:
    """The Services, and the object of a traffic router that splits between them."""
    one = service(settings)
    if settings.blue_green:
        return bluegreen.blue_green_services(settings, one)
    if settings.traffic is None:
        return [one]
    between = route(settings, settings.traffic)
    return [*routed_services(settings, settings.traffic, one), *([between] if between else [])]


def service(settings: Settings) -> dict[str, Any]:
    """The one Service, which selects canary and stable pods alike."""
    found: dict[str, Any] = filled_template(parsed(SERVICE), _names(settings), SERVICE)
    return found


def analysis_templates(settings: Settings) -> list[dict[str, Any]]:
    """One AnalysisTemplate for each distinct timing, then that of the background."""
    found: dict[str, dict[str, Any]] = {}
    if settings.blue_green:
        switch = bluegreen.blue_green_timings(settings, settings.blue_green)
        return [bluegreen.told_by_hash(analysis_template(settings, *each)) for each in switch]
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
        **_names(settings),
        "name": name,
        "prometheus": settings.prometheus.url,
        "window": format_duration(timing.window),
        "min-requests": str(least),
        # One error among the fewest requests that count must not fail error-ratio by itself.
        "error-floor": plain_number(max(0.01, round(1 / least, 6))),
        "scope": settings.scope,
        "metrics": template_metrics(settings, timing, stable_may_be_gone=stable_may_be_gone),
    }
    found: dict[str, Any] = filled_template(parsed(ANALYSIS), values, ANALYSIS)
    spec = found["spec"]
    spec["args"] = [a for a in spec["args"] if a["name"] != _FLOOR or _uses(spec["metrics"], _FLOOR)]
    return found


def _uses(metrics: Any, argument: str) -> bool:
    return any(f"args.{argument}" in m["provider"]["prometheus"]["query"] for m in metrics)


def _names(settings: Settings) -> dict[str, Any]:
    return {"rollout": settings.rollout, "namespace": settings.namespace, "app": settings.app, "port": settings.port}


def _pod_template(pod: Mapping[str, Any]) -> dict[str, Any]:
    """`pod:` as a pod template: its fields are those of the pod's spec, next to `metadata`; a whole
    template with `spec` is understood too."""
    spec = {k: v for k, v in pod.items() if k not in ("metadata", "spec")}
    template: dict[str, Any] = {"spec": merged(spec, pod.get("spec") or {})}
    if pod.get("metadata"):
        template["metadata"] = pod["metadata"]
    return template


def _patched(settings: Settings, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    at = {(obj["kind"], obj["metadata"]["name"]): index for index, obj in enumerate(found)}
    for patch in settings.merge:
        index = at.get((patch.kind, patch.name))
        if index is None:
            known = ", ".join(f"`{kind} {name}`" for kind, name in at)
            raise ConfigError(
                f"{patch.path}: no object `{patch.kind} {patch.name}` is rendered", hint=f"rendered: {known}"
            )
        found[index] = merge_patched(found[index], patch.patch)
    return found


COMPARED_WITH_STABLE = ("latency-ratio", "error-ratio")


def template_metrics(settings: Settings, timing: Timing, *, stable_may_be_gone: bool) -> list[dict[str, Any]]:
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
