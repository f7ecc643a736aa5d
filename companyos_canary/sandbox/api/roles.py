"""The rules of a Role or ClusterRole, evaluated as RBAC does, for `canary sandbox --role FILE`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from companyos_canary.errors import ConfigError
from companyos_canary.model.http import Json
from companyos_canary.sandbox.api.access import Attributes

_API = "rbac.authorization.k8s.io/v1"
_HINT = f"`apiVersion: {_API}`, `kind: Role` or `ClusterRole`, `rules`"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one rule allows. `namespace` is that of its Role, empty for a ClusterRole."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...] = ()
    namespace: str = ""

    def allows(self, asked: Attributes) -> bool:
        """As RBAC's `RuleAllows`: a rule with names covers requests for these names only, so never
        a create, and a list or watch only with a field selector for the name."""
        wanted = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        return (
            (not self.namespace or self.namespace == asked.namespace)
            and _holds(self.verbs, asked.verb)
            and _holds(self.groups, asked.group)
            and (_holds(self.resources, wanted) or f"*/{asked.subresource}" in self.resources)
            and (not self.names or asked.name in self.names)
        )

    def shown(self) -> Json:
        """As a SelfSubjectRulesReview tells it."""
        rule: Json = {
            "verbs": list(self.verbs),
            "apiGroups": list(self.groups),
            "resources": list(self.resources),
        }
        return {**rule, "resourceNames": list(self.names)} if self.names else rule


@dataclass(frozen=True, slots=True)
class Roles:
    """A Policy: allowed is what any rule allows."""

    rules: tuple[Rule, ...]

    def __call__(self, asked: Attributes) -> bool:
        return any(rule.allows(asked) for rule in self.rules)

    def listed(self, namespace: str) -> list[Json]:
        """The rules that hold in a namespace."""
        return [r.shown() for r in self.rules if r.namespace in ("", namespace)]


def read_roles(text: str, namespace: str, where: str = "the role") -> Roles:
    """The roles of a YAML text, each bound to the one user of the sandbox; a Role without a
    namespace counts in `namespace`. ConfigError for anything else."""
    import yaml  # noqa: PLC0415  # most sandboxes have no roles

    try:
        found = [doc for doc in yaml.safe_load_all(text) if doc is not None]
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not YAML: {error}", hint=_HINT) from error
    if not found:
        raise ConfigError(f"{where} holds no Role", hint=_HINT)
    return Roles(tuple(rule for doc in found for rule in _rules(doc, namespace, where)))


def _rules(doc: Any, namespace: str, where: str) -> Iterable[Rule]:
    kind = doc.get("kind") if isinstance(doc, Mapping) else None
    if kind not in ("Role", "ClusterRole") or doc.get("apiVersion") != _API:
        raise ConfigError(f"{where} holds something else than a Role: `{kind}`", hint=_HINT)
    meta = doc.get("metadata") or {}
    for number, rule in enumerate(doc.get("rules") or []):
        place = f"{where}: rules[{number}]"
        if not isinstance(rule, Mapping):
            raise ConfigError(f"{place} is no mapping", hint=_HINT)
        if "nonResourceURLs" in rule:
            raise ConfigError(f"{place}: the sandbox lets everybody read `nonResourceURLs`")
        yield Rule(
            verbs=_texts(rule, "verbs", place),
            groups=_texts(rule, "apiGroups", place),
            resources=_texts(rule, "resources", place),
            names=_texts(rule, "resourceNames", place) if "resourceNames" in rule else (),
            namespace=(meta.get("namespace") or namespace) if kind == "Role" else "",
        )


def _texts(rule: Mapping[str, Any], field: str, place: str) -> tuple[str, ...]:
    value = rule.get(field)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value) or not value:
        raise ConfigError(f"{place}.{field} is no list of texts", hint=_HINT)
    return tuple(value)


def _holds(listed: tuple[str, ...], wanted: str) -> bool:
    return "*" in listed or wanted in listed
