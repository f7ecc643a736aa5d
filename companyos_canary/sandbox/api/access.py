"""What the one user of the sandbox may do, and the reviews that ask about it."""

from collections.abc import Callable
from dataclasses import dataclass

from companyos_canary.model.http import Json, Request, Response
from companyos_canary.sandbox.api.answer import ok
from companyos_canary.sandbox.api.body import read_object

_PATHS = {
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": "SelfSubjectAccessReview",
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews": "SelfSubjectRulesReview",
    "/apis/authentication.k8s.io/v1/selfsubjectreviews": "SelfSubjectReview",
}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What RBAC decides on. `namespace` is empty for all namespaces or the cluster."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""


Policy = Callable[[Attributes], bool]
Listed = Callable[[str], list[Json]]


def everything(_: Attributes) -> bool:
    return True


def all_rules(_: str) -> list[Json]:
    return [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]


def review(request: Request, allowed: Policy, rules: Listed, user: str) -> Response | None:
    """The answer to a review of oneself; None where the request is none. `rules` tells those of a
    namespace."""
    kind = _PATHS.get(request.path.rstrip("/"))
    if kind is None or request.method != "POST":
        return None
    body = read_object(request)
    spec: Json = body.get("spec") or {}
    group = "authentication.k8s.io" if kind == "SelfSubjectReview" else "authorization.k8s.io"
    answer: Json = {"kind": kind, "apiVersion": f"{group}/v1", "metadata": {}}
    if kind == "SelfSubjectReview":
        groups = ["system:masters", "system:authenticated"]
        return ok({**answer, "status": {"userInfo": {"username": user, "groups": groups}}}, 201)
    if kind == "SelfSubjectAccessReview":
        return ok({**answer, "spec": spec, "status": _decision(spec, allowed)}, 201)
    return ok({**answer, "spec": {}, "status": _status(rules(spec.get("namespace") or ""))}, 201)


def _decision(spec: Json, allowed: Policy) -> Json:
    asked = spec.get("resourceAttributes")
    if not asked:
        return {"allowed": True}
    attributes = Attributes(
        asked.get("verb", ""), asked.get("group", ""), asked.get("resource", ""),
        asked.get("subresource", ""), asked.get("namespace", ""), asked.get("name", ""),
    )  # fmt: skip
    return {"allowed": allowed(attributes)}


def _status(rules: list[Json]) -> Json:
    return {
        "incomplete": False,
        "resourceRules": rules,
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }
