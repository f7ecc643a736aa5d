"""The rules for the spec of an AnalysisRun, checked before the first measurement, and its numbers.

Upstream: utils/analysis/factory.go `ValidateMetrics`. Recorded: validation.json, kind AnalysisRun.
The types of fields are those of the CRD: a cluster refuses an object of another shape before a
controller sees it. The judge checks them itself, so that every spec ends in a clear message.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from companyos_canary.analysis.gotext import int_or_text
from companyos_canary.model.quantity import parse_duration

Metric = Mapping[str, Any]

_PROVIDERS = (
    "prometheus",
    "job",
    "web",
    "wavefront",
    "kayenta",
    "datadog",
    "newRelic",
    "cloudWatch",
    "graphite",
    "influxdb",
    "skywalking",
)
_DEFAULTS = {"consecutiveErrorLimit": 4}


class SpecFault(Exception):
    """The spec of a run is invalid. The message is printed after `Analysis spec invalid: `."""


def limit(metric: Metric, field: str) -> int:
    """`count` or one of the limits as a number; the default is 0 (4 for errors)."""
    value = metric.get(field)
    return _DEFAULTS.get(field, 0) if value is None else int_or_text(value)


def effective_count(metric: Metric) -> int | None:
    """The number of measurements that ends the metric; None if it never ends."""
    count = limit(metric, "count")
    if count == 0:
        return None if metric.get("interval") else 1
    return count


def validate(metrics: Sequence[Metric]) -> None:
    """Raise SpecFault for the first fault, in upstream's order."""
    if not metrics:
        raise SpecFault("no metrics specified")
    names: set[str] = set()
    for index, metric in enumerate(metrics):
        name = metric.get("name", "")
        fault = f"duplicate name '{name}'" if name in names else _metric_fault(metric)
        if fault:
            raise SpecFault(f"metrics[{index}]: {fault}")
        names.add(name)


def _metric_fault(metric: Metric) -> str:
    return _limit_fault(metric) or _count_fault(metric) or _time_fault(metric) or _provider_fault(metric)


def _limit_fault(metric: Metric) -> str:
    failure, success = limit(metric, "failureLimit"), limit(metric, "consecutiveSuccessLimit")
    if success < 0:
        return "consecutiveSuccessLimit must be >= 0"
    if failure < -1:
        return "failureLimit must be >= 0, or -1 to be disabled"
    if success == 0 and failure == -1:
        return "failureLimit and consecutiveSuccessLimit cannot both be disabled"
    for field in ("inconclusiveLimit", "consecutiveErrorLimit"):
        if limit(metric, field) < 0:
            return f"{field} must be >= 0"
    return ""


def _count_fault(metric: Metric) -> str:
    count = limit(metric, "count")
    failure, success = limit(metric, "failureLimit"), limit(metric, "consecutiveSuccessLimit")
    if count > 0 and failure >= 0 and count < failure + success:
        return f"count ({count}) must be >= failureLimit + consecutiveSuccessLimit ({failure} + {success}) if both >= 0"
    if count > 0 and failure < 0 and count < success:
        return "count must be >= consecutiveSuccessLimit"
    if 0 < count < limit(metric, "inconclusiveLimit"):
        return "count must be >= inconclusiveLimit"
    if count > 1 and not metric.get("interval"):
        return "interval must be specified when count > 1"
    return ""


def _time_fault(metric: Metric) -> str:
    for field, name in (("interval", "interval"), ("initialDelay", "startDelay")):
        if metric.get(field):
            try:
                parse_duration(str(metric[field]))
            except ValueError as error:
                return f"invalid {name} string: {error}"
    return ""


def _provider_fault(metric: Metric) -> str:
    """The fault if the metric has no provider, or several; empty if it has exactly one."""
    provider = metric.get("provider") or {}
    count = sum(provider.get(p) is not None for p in _PROVIDERS)
    count += len(provider.get("plugin") or {})
    if count == 0:
        return "no provider specified"
    return "multiple providers specified" if count > 1 else ""


def rules_by_metric(
    field: str, rules: Iterable[Mapping[str, Any]], metrics: Sequence[Metric]
) -> dict[str, Mapping[str, Any]]:
    """Map each metric to the rule of `dryRun` or `measurementRetention` that matches it (the last
    one counts). Raises SpecFault if a rule matches no metric. A rule's name is an unanchored
    regular expression: `*` matches nothing, and an empty one matches everything."""
    found: dict[str, Mapping[str, Any]] = {}
    for index, rule in enumerate(rules):
        names = [m.get("name", "") for m in metrics if _matches(rule, m.get("name", ""))]
        if not names:
            raise SpecFault(f"{field}[{index}]: Rule didn't match any metric name(s)")
        found.update(dict.fromkeys(names, rule))
    return found


def _matches(rule: Mapping[str, Any], name: str) -> bool:
    try:
        return re.search(rule.get("metricName") or "", name) is not None
    except re.error:
        return False


_NUMBER = (int, str)
_RULE_SHAPE = {"metricName": str}
_METRIC_SHAPE = {
    "name": str,
    "interval": str,
    "initialDelay": str,
    "successCondition": str,
    "failureCondition": str,
    "count": _NUMBER,
    "failureLimit": _NUMBER,
    "inconclusiveLimit": _NUMBER,
    "consecutiveErrorLimit": _NUMBER,
    "consecutiveSuccessLimit": _NUMBER,
    "provider": {
        "prometheus": {
            "address": str,
            "query": str,
            "timeout": int,
            "insecure": bool,
            "headers": [{"key": str, "value": str}],
            "rangeQuery": {"start": str, "end": str, "step": str},
            "authentication": {
                "sigv4": {},
                "oauth2": {"tokenUrl": str},
                "basicAuth": {"username": str, "password": str},
            },
        },
        "plugin": {},
    },
}
_SPEC_SHAPE = {
    "metrics": [_METRIC_SHAPE],
    "args": [{"name": str, "value": str, "valueFrom": {"secretKeyRef": {"name": str, "key": str}}}],
    "dryRun": [_RULE_SHAPE],
    "measurementRetention": [{**_RULE_SHAPE, "limit": int}],
    "terminate": bool,
    "ttlStrategy": {"secondsAfterCompletion": int, "secondsAfterSuccess": int, "secondsAfterFailure": int},
}


def shape_fault(spec: Any) -> str:
    """Return which field of a spec has the wrong type; empty if none has. Any field may be null."""
    return _mismatch(spec, _SPEC_SHAPE, "spec")


def _mismatch(value: Any, shape: Any, path: str) -> str:
    if isinstance(shape, dict):
        if not isinstance(value, Mapping):
            return f"{path} must be an object"
        found = (
            _mismatch(value[key], inner, f"{path}.{key}") for key, inner in shape.items() if value.get(key) is not None
        )
        return next(filter(None, found), "")
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{path} must be a list"
        faults = (_mismatch(v, shape[0], f"{path}[{i}]") for i, v in enumerate(value))
        return next(filter(None, faults), "")
    kinds = shape if isinstance(shape, tuple) else (shape,)
    if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)):
        return ""
    return f"{path} must be {' or '.join(_TYPE_NAMES[k] for k in kinds)}"


_TYPE_NAMES = {int: "a whole number", str: "a string", bool: "true or false"}
