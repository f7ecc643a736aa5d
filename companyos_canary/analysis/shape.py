"""The types of an AnalysisRun's fields, as the CRD has them.

A cluster refuses an object of another shape before a controller sees it; the judge looks itself,
so that whatever it is given ends in a sentence.
"""

from collections.abc import Mapping
from typing import Any

_NUMBER = (int, str)
_RULE = {"metricName": str}
_METRIC = {
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
_SPEC = {
    "metrics": [_METRIC],
    "args": [
        {
            "name": str,
            "value": str,
            "valueFrom": {"secretKeyRef": {"name": str, "key": str}},
        }
    ],
    "dryRun": [_RULE],
    "measurementRetention": [{**_RULE, "limit": int}],
    "terminate": bool,
    "ttlStrategy": {
        "secondsAfterCompletion": int,
        "secondsAfterSuccess": int,
        "secondsAfterFailure": int,
    },
}


def shape_fault(spec: Any) -> str:
    """Which field of a spec has a wrong type; empty if none has. A field may always be null."""
    return _fault(spec, _SPEC, "spec")


def _fault(value: Any, shape: Any, path: str) -> str:
    if isinstance(shape, dict):
        if not isinstance(value, Mapping):
            return f"{path} must be an object"
        found = (
            _fault(value[key], inner, f"{path}.{key}")
            for key, inner in shape.items()
            if value.get(key) is not None
        )
        return next(filter(None, found), "")
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{path} must be a list"
        faults = (_fault(v, shape[0], f"{path}[{i}]") for i, v in enumerate(value))
        return next(filter(None, faults), "")
    kinds = shape if isinstance(shape, tuple) else (shape,)
    if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)):
        return ""
    return f"{path} must be {' or '.join(_NAMES[k] for k in kinds)}"


_NAMES = {int: "a whole number", str: "a text", bool: "true or false"}
