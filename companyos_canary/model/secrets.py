"""Takes the values of secret arguments out of an AnalysisRun before anything else sees it.

The controller masks them in messages, but writes the resolved query in clear (recorded:
`arg-secret-masked`). Here the query is made anew from its template, so that it cannot hold one.
"""

import re
from collections.abc import Mapping
from typing import Any

ARGUMENT = re.compile(r"\{\{ *args\.([\w-]+) *\}\}")
MASK = "*****"
_RESOLVED = "ResolvedPrometheusQuery"


def masked(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The AnalysisRun object with `*****` in the place of what came from a Secret; the same object
    where no argument does."""
    spec = raw.get("spec") or {}
    arguments = [a for a in spec.get("args") or [] if isinstance(a, Mapping)]
    secret = {a.get("name", "") for a in arguments if _from_secret(a)}
    if not secret:
        return raw
    shown = {a.get("name", ""): str(a.get("value", "")) for a in arguments if a.get("value")}
    shown |= dict.fromkeys(secret, MASK)
    queries = {str(m.get("name", "")): _query(m) for m in spec.get("metrics") or []}
    status = dict(raw.get("status") or {})
    values: set[str] = set()
    results = []
    for result in status.get("metricResults") or []:
        metadata = result.get("metadata") or {}
        template = queries.get(str(result.get("name", "")), "")
        values |= _values(template, str(metadata.get(_RESOLVED, "")), shown, secret)
        if _RESOLVED in metadata:
            metadata = {**metadata, _RESOLVED: _put_in(template, shown) or MASK}
        results.append({**result, "metadata": metadata} if metadata else result)
    status["metricResults"] = results
    return {**raw, "status": _without(status, sorted(values, key=len, reverse=True))}


def _from_secret(argument: Mapping[str, Any]) -> bool:
    return bool((argument.get("valueFrom") or {}).get("secretKeyRef"))


def _query(metric: Mapping[str, Any]) -> str:
    provider = metric.get("provider") or {}
    return str((provider.get("prometheus") or {}).get("query") or "")


def _put_in(template: str, shown: Mapping[str, str]) -> str:
    return ARGUMENT.sub(lambda m: shown.get(m[1], m[0]), template)


def _values(template: str, resolved: str, shown: Mapping[str, str], secret: set[str]) -> set[str]:
    """The secret values, read off by laying the template over the resolved query: also a message
    of the provider may quote them."""
    pattern, at = "", 0
    for argument in ARGUMENT.finditer(template):
        pattern += re.escape(template[at : argument.start()])
        known = argument[1] not in secret
        pattern += re.escape(shown.get(argument[1], argument[0])) if known else "(.+?)"
        at = argument.end()
    found = re.fullmatch(pattern + re.escape(template[at:]), resolved, re.DOTALL)
    return {value for value in found.groups() if value} if found else set()


def _without(value: Any, secrets: list[str]) -> Any:
    """Only texts that are not ours or the controller's own words may quote a secret."""
    if isinstance(value, list):
        return [_without(v, secrets) for v in value]
    if not isinstance(value, Mapping):
        return value
    return {k: _text(v, secrets) if k in ("message", "value") else _without(v, secrets) for k, v in value.items()}


def _text(value: Any, secrets: list[str]) -> Any:
    for secret in secrets if isinstance(value, str) else ():
        value = value.replace(secret, MASK)
    return value
