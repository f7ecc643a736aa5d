"""Pod templates: their hash, when two are the same, the metadata that a role injects, and the
template that comes from the Deployment of a spec.workloadRef."""

import json
import marshal
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from companyos_canary.argo.affinity import without_rule
from companyos_canary.model.image import HASH_LABEL, pull_policy
from companyos_canary.sandbox.kinds import DEPLOYMENT, ROLLOUT
from companyos_canary.sandbox.objects import Object, copied, frozen
from companyos_canary.sandbox.store import Store

EPHEMERAL = "rollout.argoproj.io/ephemeral-metadata"
WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"
_ALPHABET = "456789bcdf"
_DEFAULTS = {
    "apiVersion": "v1",
    "defaultMode": 420,
    "dnsPolicy": "ClusterFirst",
    "failureThreshold": 3,
    "periodSeconds": 10,
    "protocol": "TCP",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "scheme": "HTTP",
    "successThreshold": 1,
    "terminationGracePeriodSeconds": 30,
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "timeoutSeconds": 1,
}

_written = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

Metadata = Mapping[str, Mapping[str, str]]
"""`{"labels": ..., "annotations": ...}`, as canaryMetadata and stableMetadata are written."""


def template_hash(template: Mapping[str, Any], collisions: int = 0) -> str:
    """The pod template hash: the same for the same template, whatever an API server has filled
    in. FNV-1a of 32 bits as ten digits in upstream's alphabet; the digits are not upstream's."""
    return _digits(_text(frozen(template)), collisions)


@lru_cache(maxsize=4096)
def _digits(text: str, collisions: int) -> str:
    value = 0x811C9DC5
    for byte in text.encode() + (collisions.to_bytes(8, "little") if collisions else b""):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return "".join(_ALPHABET[int(digit)] for digit in f"{value:010}")


def same_template(wanted: Mapping[str, Any], replicaset: Mapping[str, Any], strategy: Mapping[str, Any]) -> bool:
    """Whether a ReplicaSet has been made from a Rollout's template. What its role and the antiAffinity of its
    strategy have injected does not count; labels that someone wrote into the Rollout do."""
    own = without_metadata(without_rule(replicaset["spec"]["template"], strategy), injected(replicaset))
    return bool(_plain(frozen(wanted)) == _plain(frozen(own)))


def injected(obj: Mapping[str, Any]) -> Metadata:
    """The metadata that a ReplicaSet says it has been given for its role."""
    text = (obj["metadata"].get("annotations") or {}).get(EPHEMERAL)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def with_metadata(obj: Mapping[str, Any], wanted: Metadata) -> dict[str, Any]:
    """A template or pod with labels and annotations put over its own."""
    meta = dict(obj.get("metadata") or {})
    for key in ("labels", "annotations"):
        if wanted.get(key):
            meta[key] = {**(meta.get(key) or {}), **wanted[key]}
    return {**obj, "metadata": meta}


def without_metadata(obj: Mapping[str, Any], unwanted: Metadata) -> dict[str, Any]:
    """A template or pod without these labels and annotations."""
    meta = copied(dict(obj.get("metadata") or {}))
    for key in ("labels", "annotations"):
        for name in unwanted.get(key) or {}:
            (meta.get(key) or {}).pop(name, None)
        if not meta.get(key):
            meta.pop(key, None)
    return {**obj, "metadata": meta}


def metadata_text(wanted: Metadata) -> str:
    """The annotation that remembers injected metadata."""
    kept = {key: dict(sorted(wanted[key].items())) for key in ("labels", "annotations") if wanted.get(key)}
    return json.dumps(kept, separators=(",", ":"))


def with_resources(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template as the controller writes it back: every container has `resources`."""
    changed = copied(dict(template))
    spec = changed.get("spec") or {}
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        container.setdefault("resources", {})
    return changed


@lru_cache(maxsize=512)
def _text(template: bytes) -> str:
    return _written(_plain(template))


@lru_cache(maxsize=512)
def _plain(given: bytes) -> Any:
    """A template without the hash label and without what an API server fills in; read-only. Every pass asks for it, and
    seldom of another template."""
    template = marshal.loads(given)
    meta = template.get("metadata") or {}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != HASH_LABEL}
    return _without_defaults({**template, "metadata": {**meta, "labels": labels}})


def _without_defaults(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_defaults(v) for v in value]
    if not isinstance(value, dict):
        return value
    kept = {k: _without_defaults(v) for k, v in value.items() if _DEFAULTS.get(k) != v}
    if kept.get("imagePullPolicy") == pull_policy(str(value.get("image", ""))):
        del kept["imagePullPolicy"]
    return {k: v for k, v in kept.items() if v not in ({}, [], None, "")}


def with_workload_template(store: Store, rollout: Object) -> Object | str:
    """The Rollout with the template and selector of its Deployment filled in, and the
    Deployment's generation noted on it; or why that cannot be (upstream rollout/templateref.go)."""
    reference = rollout["spec"].get("workloadRef")
    if not reference or reference.get("kind") != "Deployment":
        return rollout
    if rollout["spec"].get("template"):
        return "template must be empty for workload reference rollout"
    namespace = rollout["metadata"].get("namespace", "")
    found = store.get(DEPLOYMENT, namespace, reference.get("name", ""))
    if found is None:
        return f'deployments.apps "{namespace}/{reference.get("name", "")}" not found'
    generation = str(found["metadata"].get("generation", 1))
    annotations = rollout["metadata"].get("annotations") or {}
    if annotations.get(WORKLOAD_GENERATION) != generation:
        new = copied(rollout)
        new["metadata"].setdefault("annotations", {})[WORKLOAD_GENERATION] = generation
        rollout = store.update(ROLLOUT, new, expect=new["metadata"]["resourceVersion"])
    spec = dict(rollout["spec"])
    spec["template"] = copied(found["spec"]["template"])
    spec["selector"] = spec.get("selector") or copied(found["spec"]["selector"])
    return {**rollout, "spec": spec}
