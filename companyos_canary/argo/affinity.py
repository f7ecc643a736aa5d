"""The rule that the controller adds to the pods of a new version, where its strategy has an `antiAffinity`: they stay
away from the nodes of the stable version. Pure.

Upstream utils/replicaset/replicaset.go: GenerateReplicaSetAffinity, RemoveInjectedAntiAffinityRule.
"""

from collections.abc import Mapping
from typing import Any

from companyos_canary.model.http import Json
from companyos_canary.model.image import HASH_LABEL

_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def with_rule(template: Mapping[str, Any], strategy: Mapping[str, Any], *, stable: str, namespace: str) -> Json:
    """The template with the rule against the stable version of that hash; `strategy` is spec.strategy.canary or
    blueGreen. As it is where there is no antiAffinity."""
    kind, wanted = _kind(strategy), strategy.get("antiAffinity") or {}
    if not kind:
        return dict(template)
    rule: Json = {
        "labelSelector": {"matchExpressions": [{"key": HASH_LABEL, "operator": "In", "values": [stable]}]},
        "namespaces": [namespace],
        "topologyKey": "kubernetes.io/hostname",
    }
    if kind == _PREFERRED:
        rule = {"weight": wanted[kind].get("weight") or 0, "podAffinityTerm": rule}
    spec = template.get("spec") or {}
    affinity = spec.get("affinity") or {}
    against = affinity.get("podAntiAffinity") or {}
    against = {**against, kind: [*(against.get(kind) or []), rule]}
    return {**template, "spec": {**spec, "affinity": {**affinity, "podAntiAffinity": against}}}


def without_rule(template: Mapping[str, Any], strategy: Mapping[str, Any]) -> Json:
    """The template as it was before the rule was added, whichever version it is against."""
    kind, spec = _kind(strategy), template.get("spec") or {}
    affinity = spec.get("affinity") or {}
    against = affinity.get("podAntiAffinity") or {}
    rules = against.get(kind) or []
    added = next((i for i, rule in enumerate(rules) if _hashes(rule.get("podAffinityTerm") or rule)), None)
    if added is None:
        return dict(template)
    left = [rule for i, rule in enumerate(rules) if i != added]
    against = {**{k: v for k, v in against.items() if k != kind}, **({kind: left} if left else {})}
    affinity = {
        **{k: v for k, v in affinity.items() if k != "podAntiAffinity"},
        **({"podAntiAffinity": against} if against else {}),
    }
    kept = {k: v for k, v in spec.items() if k != "affinity"}
    return {**template, "spec": {**kept, **({"affinity": affinity} if affinity else {})}}


def rule_is_against(template: Mapping[str, Any], strategy: Mapping[str, Any]) -> str | None:
    """The hash of the version that the added rule is against; None without such a rule."""
    against = ((template.get("spec") or {}).get("affinity") or {}).get("podAntiAffinity") or {}
    for rule in against.get(_kind(strategy)) or []:
        for values in _hashes(rule.get("podAffinityTerm") or rule):
            return str(values[0]) if values else ""
    return None


def _kind(strategy: Mapping[str, Any]) -> str:
    """Which of the two an antiAffinity has: the first, if it has both; empty without one."""
    wanted = strategy.get("antiAffinity") or {}
    return next((kind for kind in (_PREFERRED, _REQUIRED) if wanted.get(kind) is not None), "")


def _hashes(term: Mapping[str, Any]) -> list[list[str]]:
    """The values of every expression about the hash of a version."""
    expressions = (term.get("labelSelector") or {}).get("matchExpressions") or []
    return [e.get("values") or [] for e in expressions if e.get("key") == HASH_LABEL]
