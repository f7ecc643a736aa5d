"""What whoever asks may do: the rules of Roles, evaluated as RBAC does (those of `canary sandbox --role FILE`, or those
that bindings in the store give), and the reviews that ask about them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from companyos_canary.errors import ConfigError
from companyos_canary.files import too_deep
from companyos_canary.model.http import Json, Request, Response
from companyos_canary.sandbox.api.answer import ok
from companyos_canary.sandbox.api.call import read_object

_PATHS = {
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": "SelfSubjectAccessReview",
    "/apis/authorization.k8s.io/v1/subjectaccessreviews": "SubjectAccessReview",
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews": "SelfSubjectRulesReview",
    "/apis/authentication.k8s.io/v1/selfsubjectreviews": "SelfSubjectReview",
}
Listed = Callable[[str], list[Json]]

_API = "rbac.authorization.k8s.io/v1"
_HINT = f"`apiVersion: {_API}`, `kind: Role` or `ClusterRole`, `rules`"


class Attributes(Struct, frozen=True):
    """What RBAC decides on. `namespace` is empty for all namespaces or the cluster."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""


Policy = Callable[[Attributes], bool]


def everything(_: Attributes) -> bool:
    return True


def all_rules(_: str) -> list[Json]:
    return [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]


class Asker(Struct, frozen=True):
    """Whom a request is from and what they may do; `rules` tells it by namespace."""

    user: str
    groups: tuple[str, ...] = ("system:masters", "system:authenticated")
    allowed: Policy = everything
    rules: Listed = all_rules


def review(request: Request, asker: Asker) -> Response | None:
    """The answer to a review of oneself; None if the request is none."""
    kind = _PATHS.get(request.path.rstrip("/"))
    if kind is None or request.method != "POST":
        return None
    body = read_object(request)
    spec: Json = body.get("spec") or {}
    group = "authentication.k8s.io" if kind == "SelfSubjectReview" else "authorization.k8s.io"
    answer: Json = {"kind": kind, "apiVersion": f"{group}/v1", "metadata": {}}
    if kind == "SelfSubjectReview":
        told = {"username": asker.user, "groups": list(asker.groups)}
        return ok({**answer, "status": {"userInfo": told}}, 201)
    if kind == "SubjectAccessReview":  # about others, and the sandbox's own controllers may do everything
        return ok({**answer, "spec": spec, "status": {"allowed": True}}, 201)
    if kind == "SelfSubjectAccessReview":
        return ok({**answer, "spec": spec, "status": _decision(spec, asker.allowed)}, 201)
    return ok({**answer, "spec": {}, "status": _status(asker.rules(spec.get("namespace") or ""))}, 201)


def _decision(spec: Json, allowed: Policy) -> Json:
    asked = spec.get("resourceAttributes")
    if not asked:
        return {"allowed": True}
    attributes = Attributes(
        asked.get("verb", ""),
        asked.get("group", ""),
        asked.get("resource", ""),
        asked.get("subresource", ""),
        asked.get("namespace", ""),
        asked.get("name", ""),
    )
    return {"allowed": allowed(attributes)}


def _status(rules: list[Json]) -> Json:
    return {
        "incomplete": False,
        "resourceRules": rules,
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }


class Rule(Struct, frozen=True):
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
        rule: Json = {"verbs": list(self.verbs), "apiGroups": list(self.groups), "resources": list(self.resources)}
        return {**rule, "resourceNames": list(self.names)} if self.names else rule


class Roles(Struct, frozen=True):
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
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        if line := too_deep(text):
            raise ConfigError(f"{where}: too many values are inside one another (line {line})", hint=_HINT)
        found = [doc for doc in yaml.load_all(text, loader) if doc is not None]
    except (yaml.YAMLError, RecursionError) as error:
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
