"""What a person or a job needs to be permitted for the verbs, as rules of a Role; and which of them are missing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from companyos_canary.model.rollout import GATEWAY, Rollout

_ARGO, _APPS = "argoproj.io", "apps"


class Right(Struct, frozen=True):
    """One verb on one resource; a subresource is behind a slash (`rollouts/status`). With a `name`: on that object."""

    verb: str
    resource: str
    group: str = ""
    name: str = ""

    @property
    def sentence(self) -> str:
        """As the refusals of the API server are reported."""
        plural, slash, part = self.resource.partition("/")
        return f"not permitted to `{self.verb}` `{plural}{'.' if self.group else ''}{self.group}{slash}{part}`"


def _rights(group: str, resource: str, *verbs: str) -> tuple[Right, ...]:
    return tuple(Right(verb, resource, group) for verb in verbs)


_LOOK = (
    *_rights(_ARGO, "rollouts", "get", "list", "watch"),
    *_rights(_ARGO, "analysisruns", "get", "list", "watch"),
    *_rights(_ARGO, "experiments", "get", "list", "watch"),
    *_rights(_ARGO, "analysistemplates", "get", "list"),
    *_rights(_APPS, "replicasets", "list", "watch"),
    *_rights(_APPS, "deployments", "get", "list", "watch"),
    *_rights("", "pods", "list", "watch"),
    *_rights("", "pods/log", "get"),
    *_rights("", "events", "list", "watch"),
    *_rights("", "services/proxy", "get"),
)
_SHIP = (
    *_rights(_ARGO, "rollouts", "patch"),
    *_rights(_ARGO, "rollouts/status", "patch"),
    *_rights(_ARGO, "analysisruns", "create", "patch", "delete"),
    *_rights(_ARGO, "experiments", "patch"),
    *_rights(_APPS, "deployments", "patch"),
    *_rights("", "events", "create"),
)
_INSTALL = (
    *_rights(_ARGO, "rollouts", "create"),
    *_rights(_ARGO, "experiments", "create"),
    *_rights(_ARGO, "analysistemplates", "create", "patch"),
    *_rights("", "configmaps", "get"),
    *_rights("", "services", "get", "create", "patch"),
    *_rights("autoscaling", "horizontalpodautoscalers", "list"),
)
_OF_CLUSTER = _rights(_ARGO, "clusteranalysistemplates", "get", "list")
_INSTALL_OF_CLUSTER = _rights(_ARGO, "clusteranalysistemplates", "create")
NOTIFYING = (
    *_rights(_ARGO, "rollouts", "get"),
    Right("get", "configmaps", name="argo-rollouts-notification-configmap"),
    Right("get", "secrets", name="argo-rollouts-notification-secret"),
)
"""What `notifications template notify` needs to send a message: the ConfigMap, and the Secret with the credentials."""
CLUSTER_RIGHTS: Mapping[str, tuple[Right, ...]] = {
    "viewer": _OF_CLUSTER,
    "deployer": _OF_CLUSTER,
    "operator": (*_OF_CLUSTER, *_INSTALL_OF_CLUSTER),
}
"""What each role needs, too, where templates are those of the whole cluster."""
ROLES: Mapping[str, tuple[Right, ...]] = {
    "viewer": _LOOK,
    "deployer": (*_LOOK, *_SHIP),
    "operator": (*_LOOK, *_SHIP, *_INSTALL),
}


def route_rights(group: str, resource: str, *, rendered: bool) -> tuple[Right, ...]:
    """What an operator needs to install the object of a traffic router; one of someone else's is only looked at."""
    return _rights(group, resource, "get", *(("create", "patch") if rendered else ()))


def role_manifest(
    name: str, namespace: str, subject: Mapping[str, str], rights: Iterable[Right]
) -> tuple[dict[str, Any], ...]:
    """The Role of that name and the RoleBinding that gives it to the subject; the ClusterRole and its
    ClusterRoleBinding if the namespace is empty."""
    kind = "Role" if namespace else "ClusterRole"
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    api = "rbac.authorization.k8s.io"
    return (
        {"apiVersion": f"{api}/v1", "kind": kind, "metadata": meta, "rules": _rules(rights)},
        {
            "apiVersion": f"{api}/v1",
            "kind": f"{kind}Binding",
            "metadata": meta,
            "roleRef": {"apiGroup": api, "kind": kind, "name": name},
            "subjects": [dict(subject)],
        },
    )


def _rules(rights: Iterable[Right]) -> list[dict[str, Any]]:
    """A rule for each set of verbs in a group, in the order of the rights; and one for each object with a name."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for right in rights:
        found = verbs.setdefault((right.group, right.resource, right.name), [])
        if right.verb not in found:
            found.append(right.verb)
    rules: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
    for (group, resource, name), allowed in verbs.items():
        rules.setdefault((group, tuple(allowed), name), []).append(resource)
    return [
        {
            "apiGroups": [group],
            "resources": resources,
            **({"resourceNames": [name]} if name else {}),
            "verbs": list(allowed),
        }
        for (group, allowed, name), resources in rules.items()
    ]


def of_deploy(rollout: Rollout, *, follows: bool, aborts: bool) -> tuple[Right, ...]:
    """What a deploy needs once it has written something: it would end half-way without. What is missing for its first
    write shows there."""
    needed = _rights(_ARGO, "rollouts", "list", "watch") if follows else ()
    if aborts:
        where = _rights(_APPS, "deployments", "patch") if rollout.workload_ref else ()
        needed = (*_rights(_ARGO, "rollouts/status", "patch"), *_rights(_ARGO, "rollouts", "patch"), *where, *needed)
    return needed


def of_verbs(rollout: Rollout) -> Mapping[str, tuple[Right, ...]]:
    """What each verb needs for this Rollout beyond reading it; some of them need more on their way."""
    template = _rights(_APPS, "deployments", "patch") if rollout.workload_ref else _rights(_ARGO, "rollouts", "patch")
    spec, status = _rights(_ARGO, "rollouts", "patch"), _rights(_ARGO, "rollouts/status", "patch")
    return {
        "deploy": (*template, *_rights(_ARGO, "rollouts", "list", "watch")),
        "undo": template,
        "promote": status,
        "abort": status,
        "retry": status,
        "pause": spec,
        "resume": spec,
        "restart": spec,
        "terminate": _rights(_ARGO, "analysisruns", "patch"),
        "verify": _rights(_ARGO, "analysisruns", "create"),
        "logs": _rights("", "pods/log", "get"),
        "apply": (
            *spec,
            *_rights(_ARGO, "analysistemplates", "create", "patch"),
            *_rights("", "services", "get", "create", "patch"),
        ),
    }


_ROUTE_RIGHTS: Mapping[str, tuple[Right, ...]] = {
    "nginx": _rights("networking.k8s.io", "ingresses", "create", "patch"),
    "alb": _rights("networking.k8s.io", "ingresses", "patch"),
    "istio": _rights("networking.istio.io", "virtualservices", "update"),
    "smi": _rights("split.smi-spec.io", "trafficsplits", "create", "patch"),
    "ambassador": _rights("getambassador.io", "mappings", "update"),
    "traefik": _rights("traefik.io", "traefikservices", "update"),
    "apisix": _rights("apisix.apache.org", "apisixroutes", "update"),
    "appMesh": _rights("appmesh.k8s.aws", "virtualrouters", "update"),
}
_GATEWAY_ROUTES = {
    "httpRoute": "httproutes",
    "grpcRoute": "grpcroutes",
    "tcpRoute": "tcproutes",
    "tlsRoute": "tlsroutes",
}


def of_router(rollout: Rollout) -> tuple[Right, ...]:
    """What the controller, or its plugin for the Gateway API, must be permitted to do with the objects that split the
    traffic (upstream rollout/trafficrouting/*, manifests/role; the plugin's pkg/plugin)."""
    canary = rollout.written_strategy("canary")
    routing = canary.get("trafficRouting") or {}
    found = [right for router, rights in _ROUTE_RIGHTS.items() if routing.get(router) is not None for right in rights]
    if (routing.get("istio") or {}).get("destinationRule"):
        found += _rights("networking.istio.io", "destinationrules", "update")
    plugin = (routing.get("plugins") or {}).get(GATEWAY) or {}
    for field, plural in _GATEWAY_ROUTES.items():
        if plugin.get(field) or plugin.get(f"{field}s"):
            found += _rights("gateway.networking.k8s.io", plural, "update")
    return tuple(found)


STOPS_A_RELEASE = frozenset({"deploy", "undo", "promote", "abort"})


def missing(needed: Iterable[Right], rules: Sequence[object], name: str) -> tuple[Right, ...]:
    """The rights that no rule gives for the Rollout of that name; `rules` as a SelfSubjectRulesReview tells them."""
    return tuple(right for right in needed if not any(_gives(rule, right, name) for rule in rules))


def _gives(rule: object, right: Right, name: str) -> bool:
    if not isinstance(rule, Mapping):
        return False
    verbs, groups, resources, names = (
        found if isinstance(found := rule.get(key), list) else []
        for key in ("verbs", "apiGroups", "resources", "resourceNames")
    )
    subresource = right.resource.partition("/")[2]
    wanted = ("*", right.resource, f"*/{subresource}") if subresource else ("*", right.resource)
    return (
        ("*" in verbs or right.verb in verbs)
        and ("*" in groups or right.group in groups)
        and any(word in resources for word in wanted)
        and (not names or name in names)
    )
