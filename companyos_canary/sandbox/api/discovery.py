"""Discovery: which groups, versions and resources are served, in the old and the new form. The
kinds of Argo Rollouts and of its routers are served as long as their CustomResourceDefinitions are
in the store."""

from collections.abc import Iterable, Sequence

from companyos_canary.model.http import Json, Request
from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.api.call import GROUP_VERSIONS
from companyos_canary.sandbox.api.schema import json_schema, shape_of
from companyos_canary.sandbox.api.tables import columns
from companyos_canary.sandbox.kinds import CRD, DEFINED, KINDS, Kind
from companyos_canary.sandbox.objects import Object, invalid
from companyos_canary.sandbox.store import Store

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0+sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.23",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_SUBRESOURCE_VERBS = ["get", "patch", "update"]
_REVIEWS = (
    ("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews"),
    ("authorization.k8s.io", "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews"),
)

_DEFINED = tuple(kind for kind in KINDS if kind in DEFINED)
_CELLS = {
    "Desired": ".spec.replicas",
    "Current": ".status.replicas",
    "Up-to-date": ".status.updatedReplicas",
    "Available": ".status.availableReplicas",
    "Status": ".status.phase",
    "Age": ".metadata.creationTimestamp",
}


def document(request: Request, store: Store) -> tuple[Json, str] | None:
    """The discovery document of a path, for the kinds that are served, and its content type; None if there is
    none."""
    parts = [p for p in request.path.split("/") if p]
    if len(parts) > 3:
        return None
    kinds = [kind for kind in KINDS if is_served(store, kind)]
    groups = _groups(kinds)
    aggregated = "as=APIGroupDiscoveryList" in request.header("Accept").replace(" ", "")
    if parts == ["api"]:
        if aggregated:
            return _aggregated(kinds, [""]), AGGREGATED
        return {"kind": "APIVersions", "versions": ["v1"]}, "application/json"
    if parts == ["apis"]:
        if aggregated:
            return _aggregated(kinds, groups), AGGREGATED
        named = [_group(group) for group in groups]
        listed = {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}
        return listed, "application/json"
    if len(parts) == 2 and parts[0] == "apis" and parts[1] in groups:
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1])}, "application/json"
    place = ("", parts[1]) if parts[:1] == ["api"] and len(parts) == 2 else tuple(parts[1:])
    if place in GROUP_VERSIONS and (not place[0] or place[0] in groups):
        return _resources(_kinds(kinds, *place), *place), "application/json"
    return None


def _groups(kinds: Sequence[Kind]) -> list[str]:
    known = {kind.group for kind in kinds} | {group for group, _, _ in _REVIEWS}
    return list(dict.fromkeys(group for group, _ in GROUP_VERSIONS if group and group in known))


def _versions(group: str) -> list[str]:
    return [version for name, version in GROUP_VERSIONS if name == group]


def _group(group: str) -> Json:
    versions = [{"groupVersion": f"{group}/{v}", "version": v} for v in _versions(group)]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _kinds(kinds: Sequence[Kind], group: str, version: str) -> list[Kind]:
    return [k for k in kinds if (k.group, k.version) == (group, version)]


def _resources(kinds: Sequence[Kind], group: str, version: str) -> Json:
    resources: list[Json] = []
    for kind in kinds:
        resources.append(_resource(kind))
        for name, served in _subresources(kind):
            resources.append(
                {"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced, **served}
            )
    for name, kind_name, plural in _REVIEWS:
        if name == group:
            resources.append(
                {
                    "name": plural,
                    "singularName": kind_name.lower(),
                    "namespaced": False,
                    "kind": kind_name,
                    "verbs": ["create"],
                }
            )
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": resources,
    }


def _resource(kind: Kind) -> Json:
    shown: Json = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _VERBS,
    }
    if kind.short_names:
        shown["shortNames"] = list(kind.short_names)
    if kind.categories:
        shown["categories"] = list(kind.categories)
    return shown


def _subresources(kind: Kind) -> Iterable[tuple[str, Json]]:
    for name in kind.subresources:
        if name == "scale":
            scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
            yield name, {**scale, "verbs": _SUBRESOURCE_VERBS}
        else:
            yield name, {"kind": kind.kind, "verbs": _SUBRESOURCE_VERBS}
    if kind.plural == "pods":
        yield "log", {"kind": "Pod", "verbs": ["get"]}
        eviction = {"group": "policy", "version": "v1", "kind": "Eviction"}
        yield "eviction", {**eviction, "verbs": ["create"]}
    if kind.plural == "services":
        yield "proxy", {"kind": "ServiceProxyOptions", "verbs": ["create", "get"]}


def _aggregated(kinds: Sequence[Kind], groups: Iterable[str]) -> Json:
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": group} if group else {},
                "versions": [_version(kinds, group, version) for version in _versions(group)],
            }
            for group in groups
        ],
    }


def _version(kinds: Sequence[Kind], group: str, version: str) -> Json:
    resources = _discovered(_kinds(kinds, group, version), group, version)
    return {"version": version, "freshness": "Current", "resources": resources}


def _discovered(kinds: Sequence[Kind], group: str, version: str) -> list[Json]:
    found = []
    for kind in kinds:
        place = {"group": group, "version": version, "kind": kind.kind}
        shown = _resource(kind)
        entry: Json = {
            "resource": kind.plural,
            "responseKind": place,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "singularResource": kind.singular,
            "verbs": _VERBS,
            **{k: shown[k] for k in ("shortNames", "categories") if k in shown},
        }
        subresources = [
            {
                "subresource": name,
                "verbs": served["verbs"],
                "responseKind": {
                    "group": served.get("group", group),
                    "version": served.get("version", version),
                    "kind": served["kind"],
                },
            }
            for name, served in _subresources(kind)
        ]
        found.append({**entry, "subresources": subresources} if subresources else entry)
    for name, kind_name, plural in _REVIEWS:
        if name == group:
            found.append(
                {
                    "resource": plural,
                    "scope": "Cluster",
                    "singularResource": kind_name.lower(),
                    "verbs": ["create"],
                    "responseKind": {"group": group, "version": version, "kind": kind_name},
                }
            )
    return found


def install_definitions(store: Store) -> None:
    """Defines the kinds of Argo Rollouts and of its traffic routers, as an installed cluster has them."""
    for kind in _DEFINED:
        if store.get(CRD, "", kind.resource) is None:
            store.create(CRD, definition(kind, format_time(store.now())))


def is_served(store: Store, kind: Kind) -> bool:
    """A built-in kind, or one that is defined."""
    return kind not in DEFINED or store.get(CRD, "", kind.resource) is not None


def check_definition(obj: Object) -> None:
    """The sandbox serves no kinds but its own: another definition is refused, not ignored."""
    name = obj["metadata"]["name"]
    if name not in [kind.resource for kind in _DEFINED]:
        why = "the sandbox serves the kinds of Argo Rollouts and of its traffic routers only"
        raise invalid(CRD, name, [("spec", f"Forbidden: {why}", "FieldValueForbidden")])


def forget_objects(store: Store, name: str) -> None:
    """Deletes every object of a kind whose definition is gone."""
    for kind in _DEFINED:
        if kind.resource == name:
            for obj in store.items(kind):
                meta = obj["metadata"]
                if store.get(kind, meta.get("namespace", ""), meta["name"]):
                    store.delete(kind, meta.get("namespace", ""), meta["name"])


def definition(kind: Kind, now: str) -> Object:
    """The CustomResourceDefinition of a kind, with all its versions."""
    versions = [_definition_version(k, first=k == kind) for k in _DEFINED if k.resource == kind.resource]
    names: Json = {
        "plural": kind.plural,
        "singular": kind.singular,
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "shortNames": list(kind.short_names),
    }
    condition = {"status": "True", "lastTransitionTime": now}
    return {
        "metadata": {"name": kind.resource},
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": versions,
        },
        "status": {
            "acceptedNames": names,
            "storedVersions": [kind.version],
            "conditions": [
                {"type": "NamesAccepted", "reason": "NoConflicts", **condition},
                {"type": "Established", "reason": "InitialNamesAccepted", **condition},
            ],
        },
    }


def _definition_version(kind: Kind, *, first: bool) -> Json:
    version: Json = {
        "name": kind.version,
        "served": True,
        "storage": first,
        "schema": {"openAPIV3Schema": json_schema(shape_of(kind) or "map")},
        "additionalPrinterColumns": [
            {"name": c.name, "type": c.type, "jsonPath": _CELLS[c.name]} for c in columns(kind) if c.name in _CELLS
        ],
    }
    if kind.subresources:
        version["subresources"] = {name: {} for name in kind.subresources}
    return version
