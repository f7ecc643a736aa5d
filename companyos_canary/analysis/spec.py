"""Flattens the templates of a Rollout's analysis into the spec of an AnalysisRun.

Upstream: rollout/analysis.go, utils/analysis, pkg/apis/rollouts/validation. Recorded:
conformance rows `rollout-step-*` and `rollout-*` of the analysis folder.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from companyos_canary.analysis.arguments import (
    ArgumentError,
    FieldError,
    TemplateError,
    canonical_metric,
    resolve_metric,
    rollout_argument,
)
from companyos_canary.analysis.gotext import int_or_text
from companyos_canary.model.http import Json

Lookup = Callable[[str, bool], Mapping[str, Any] | None]
"""(name, is cluster scoped) -> the AnalysisTemplate or ClusterAnalysisTemplate object, or None."""


def run_spec(
    analysis: Mapping[str, Any], rollout: Mapping[str, Any], lookup: Lookup, *, latest_hash: str, stable_hash: str
) -> Json:
    """Return the spec of the AnalysisRun for `analysis` (of a step, of the background, or of a
    blue-green promotion). Raises TemplateError, and FieldError if a `fieldRef` names no field."""
    templates = collect(analysis.get("templates") or [], lookup)
    given = [rollout_argument(a, rollout, latest_hash, stable_hash) for a in analysis.get("args") or []]
    return _flattened(templates, given, analysis)


def check(analysis: Mapping[str, Any], rollout: Mapping[str, Any], lookup: Lookup, *, background: bool) -> None:
    """Make the checks of an analysis on which the validity of a Rollout depends. Raises
    TemplateError (with `value`) for the first fault. The controller does not check everything
    here: bad expressions, intervals and providers only show when the run starts
    (recorded: `*-not-noticed`)."""
    templates = collect(analysis.get("templates") or [], lookup)
    names = " ".join(t["metadata"]["name"] for t in templates)
    try:
        given = _checked_arguments(analysis.get("args") or [], rollout)
        _flattened(templates, given, {})
    except TemplateError as error:
        raise TemplateError(error.message, value=f"templateNames: [{names}]") from None
    if not background:
        for template in templates:
            _check_template(template)


def collect(refs: Iterable[Mapping[str, Any]], lookup: Lookup) -> list[Mapping[str, Any]]:
    """Return the templates that `refs` name, and those that they name in turn, each once: first
    those of the namespace, then those of the cluster. Templates in a circle are refused, because
    they crash the real controller."""
    found: dict[tuple[bool, str], Mapping[str, Any]] = {}
    _collect(refs, lookup, found, ())
    return [t for (cluster, _), t in sorted(found.items(), key=lambda f: f[0][0])]


def _collect(
    refs: Iterable[Mapping[str, Any]],
    lookup: Lookup,
    found: dict[tuple[bool, str], Mapping[str, Any]],
    above: tuple[tuple[bool, str], ...],
) -> None:
    for ref in refs:
        name, cluster = ref.get("templateName") or "", bool(ref.get("clusterScope"))
        key = (cluster, name)
        kind = "ClusterAnalysisTemplate" if cluster else "AnalysisTemplate"
        if key in above:
            circle = " -> ".join([n for _, n in above[above.index(key) :]] + [name])
            raise TemplateError(f"{kind} '{name}' names itself: {circle}", value=name, nested=bool(above))
        template = lookup(name, cluster)
        if template is None:
            raise TemplateError(f"{kind} '{name}' not found", value=name, nested=bool(above))
        found.setdefault(key, template)
        inner = (template.get("spec") or {}).get("templates") or []
        _collect(inner, lookup, found, (*above, key))


def _flattened(templates: Iterable[Mapping[str, Any]], given: list[Json], analysis: Mapping[str, Any]) -> Json:
    specs = [t.get("spec") or {} for t in templates]
    metrics = [canonical_metric(m) for s in specs for m in s.get("metrics") or []]
    names: set[str] = set()
    for metric in metrics:
        if metric.get("name", "") in names:
            raise TemplateError(f"two metrics have the same name '{metric['name']}'")
        names.add(metric.get("name", ""))
    spec: Json = {"metrics": metrics}
    if args := _merged(given, _declared(specs)):
        spec["args"] = args
    for field, what in (("dryRun", "Dry-Run"), ("measurementRetention", "Measurement Retention")):
        if rules := _rules(field, what, [analysis, *specs]):
            spec[field] = rules
    return spec


def _declared(specs: Iterable[Mapping[str, Any]]) -> list[Json]:
    """Return the arguments that the templates declare, each name once."""
    args: dict[str, Json] = {}
    for new in (dict(a) for s in specs for a in s.get("args") or []):
        old = args.setdefault(new["name"], new)
        if None not in (old.get("value"), new.get("value")) and old["value"] != new["value"]:
            raise TemplateError(
                f"Argument `{new['name']}` specified multiple times with different values: "
                f"'{old['value']}', '{new['value']}'"
            )
        if old.get("value") is None:
            args[new["name"]] = new
    return list(args.values())


def _merged(given: Iterable[Json], declared: list[Json]) -> list[Json]:
    """Return the declared arguments with the given values. Drop names that no template declares."""
    for arg in given:
        for target in declared:
            if target["name"] == arg["name"]:
                target["value"] = arg["value"]
    for arg in declared:
        if arg.get("value") is None and arg.get("valueFrom") is None:
            raise TemplateError(f"args.{arg['name']} was not resolved")
    return declared


def _rules(field: str, what: str, sources: Iterable[Mapping[str, Any]]) -> list[Json]:
    rules = [dict(r) for s in sources for r in s.get(field) or []]
    names: set[str] = set()
    for name in (r.get("metricName", "") for r in rules):
        if name in names:
            raise TemplateError(f"two {what} metric rules have the same name '{name}'")
        names.add(name)
    return rules


def _check_template(template: Mapping[str, Any]) -> None:
    name, spec = template["metadata"]["name"], template.get("spec") or {}
    args = [dict(a) for a in spec.get("args") or []]
    for arg in args:
        if arg.get("value") is None and arg.get("valueFrom") is None:
            arg["value"] = "dummy-value"
        if arg.get("value") is not None and arg.get("valueFrom") is not None:
            raise TemplateError(
                f"AnalysisTemplate {name}: arg '{arg['name']}' has both Value and ValueFrom fields", value=name
            )
        arg["value"] = "dummy-value" if arg.get("value") is None else arg["value"]
    for metric in spec.get("metrics") or []:
        try:
            resolved = resolve_metric(metric, args)
        except ArgumentError as error:
            raise TemplateError(f"AnalysisTemplate {name}: {error}", value=name) from None
        if resolved.get("interval") and int_or_text(resolved.get("count", 0)) == 0:
            count = resolved.get("count")
            raise TemplateError(
                f"AnalysisTemplate {name} has metric {resolved.get('name', '')} which runs "
                f"indefinitely. Invalid value for count: {'<nil>' if count is None else count}",
                value=name,
            )


def _checked_arguments(args: Iterable[Mapping[str, Any]], rollout: Mapping[str, Any]) -> list[Json]:
    """A field of the Rollout that does not exist is an empty text; one of its metadata takes all arguments away."""
    given = []
    for arg in args:
        try:
            given.append(rollout_argument(arg, rollout, "dummy-new-hash", "dummy-stable-hash"))
        except FieldError as error:
            if error.value.startswith("metadata"):
                return []
            given.append({"name": arg["name"], "value": ""})
    return given
