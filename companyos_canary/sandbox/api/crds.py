"""The CustomResourceDefinitions of Argo Rollouts. Without its definition a kind is not served."""

from companyos_canary.model.http import Json
from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.api.answer import invalid
from companyos_canary.sandbox.api.openapi import json_schema
from companyos_canary.sandbox.api.shapes import shape_of
from companyos_canary.sandbox.api.tables import columns
from companyos_canary.sandbox.kinds import CRD, KINDS, Kind
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.store import Store

_GROUP = "argoproj.io"
_CUSTOM = tuple(kind for kind in KINDS if kind.group == _GROUP)
_CELLS = {
    "Desired": ".spec.replicas",
    "Current": ".status.replicas",
    "Up-to-date": ".status.updatedReplicas",
    "Available": ".status.availableReplicas",
    "Status": ".status.phase",
    "Age": ".metadata.creationTimestamp",
}


def install(store: Store) -> None:
    """Defines the kinds of Argo Rollouts, as an installed cluster has them."""
    for kind in _CUSTOM:
        if store.get(CRD, "", kind.resource) is None:
            store.create(CRD, definition(kind, format_time(store.now())))


def served(store: Store) -> tuple[Kind, ...]:
    """The kinds that there are: the built-in ones, and those that are defined."""
    return tuple(kind for kind in KINDS if is_served(store, kind))


def is_served(store: Store, kind: Kind) -> bool:
    return kind.group != _GROUP or store.get(CRD, "", kind.resource) is not None


def check_definition(obj: Object) -> None:
    """The sandbox serves no kinds but its own: another definition is refused, not ignored."""
    name = obj["metadata"]["name"]
    if name not in [kind.resource for kind in _CUSTOM]:
        why = "the sandbox serves the kinds of Argo Rollouts only"
        raise invalid(CRD, name, [("spec", f"Forbidden: {why}", "FieldValueForbidden")])


def forget_objects(store: Store, name: str) -> None:
    """Deletes every object of a kind whose definition is gone."""
    for kind in _CUSTOM:
        if kind.resource == name:
            for obj in store.items(kind):
                meta = obj["metadata"]
                if store.get(kind, meta.get("namespace", ""), meta["name"]):
                    store.delete(kind, meta.get("namespace", ""), meta["name"])


def definition(kind: Kind, now: str) -> Object:
    """The CustomResourceDefinition of a kind."""
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
            "versions": [_version(kind)],
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


def _version(kind: Kind) -> Json:
    version: Json = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": json_schema(shape_of(kind) or "map")},
        "additionalPrinterColumns": [
            {"name": c.name, "type": c.type, "jsonPath": _CELLS[c.name]}
            for c in columns(kind)
            if c.name in _CELLS
        ],
    }
    if kind.subresources:
        version["subresources"] = {name: {} for name in kind.subresources}
    return version
