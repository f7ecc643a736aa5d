"""The scale subresource: an autoscaling/v1 Scale over spec.replicas."""

from companyos_canary.model.http import Json
from companyos_canary.sandbox.api.answer import invalid
from companyos_canary.sandbox.api.selectors import selector_text
from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import Object

_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(obj: Object) -> Json:
    """The Scale that stands for an object."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    shown = {
        "replicas": status.get("replicas") or status.get("HPAReplicas") or 0,
        "selector": status.get("selector") or selector_text(spec.get("selector")),
    }
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: meta[k] for k in _KEPT if k in meta},
        "spec": {"replicas": spec.get("replicas", 0)},
        "status": {k: v for k, v in shown.items() if v or k == "replicas"},
    }


def scaled(kind: Kind, obj: Object, scale: Json) -> Object:
    """The object with the replicas of a Scale, and the Scale's resourceVersion as precondition."""
    spec = scale.get("spec") or {}
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else spec
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise invalid(
            kind, obj["metadata"]["name"],
            [("spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0",
              "FieldValueInvalid")],
        )  # fmt: skip
    meta = dict(obj["metadata"])
    given = scale.get("metadata")
    if version := given.get("resourceVersion") if isinstance(given, dict) else None:
        meta["resourceVersion"] = version
    else:
        meta.pop("resourceVersion", None)
    return {**obj, "metadata": meta, "spec": {**(obj.get("spec") or {}), "replicas": replicas}}
