"""The recorder's form of what a watch shows: the telling part of each object, one line an event."""

import copy
from typing import Any

from companyos_canary.sandbox.store import Change

KINDS = ("Rollout", "ReplicaSet", "Pod", "AnalysisRun", "Event", "Service", "Ingress", "Experiment")
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_OF_POD = ("name", "labels", "creationTimestamp", "deletionTimestamp", "resourceVersion")
_OF_EVENT = ("type", "reason", "message", "count", "firstTimestamp", "lastTimestamp")

Line = dict[str, Any]


class Trace:
    """Collects lines; `t` is in seconds since the start."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._seen: set[str] = set()

    def mark(self, t: float, line: Line) -> None:
        self.lines.append({"t": round(t, 3), **line})

    def change(self, t: float, change: Change) -> None:
        """A change of a watched kind; events about pods are left out."""
        kind, name = change.kind.kind, change.object["metadata"]["name"]
        if kind not in KINDS or _is_about_a_pod(kind, change.object):
            return
        shown = self._trimmed(kind, copy.deepcopy(change.object))
        self.mark(t, {"type": change.type, "kind": kind, "name": name, "object": shown})

    def _trimmed(self, kind: str, obj: Line) -> Line:
        meta = obj["metadata"]
        meta.pop("managedFields", None)
        (meta.get("annotations") or {}).pop(APPLIED, None)
        obj.pop("apiVersion", None)
        obj.pop("kind", None)
        if kind == "ReplicaSet":
            if meta["name"] in self._seen:
                obj["spec"].pop("template", None)
                obj["spec"].pop("selector", None)
            self._seen.add(meta["name"])
        if kind == "Pod":
            return _pod(obj)
        if kind == "Event":
            return _event(obj)
        return obj


def _is_about_a_pod(kind: str, obj: Line) -> bool:
    return kind == "Event" and obj["involvedObject"]["kind"] == "Pod"


def _pod(obj: Line) -> Line:
    meta, status = obj["metadata"], obj.get("status") or {}
    owner = (meta.get("ownerReferences") or [{}])[0]
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or [])
    return {
        "metadata": {k: meta[k] for k in _OF_POD if k in meta},
        "phase": status.get("phase"),
        "ready": ready,
        "owner": {k: owner.get(k) for k in ("kind", "name")},
    }


def _event(obj: Line) -> Line:
    about, meta = obj["involvedObject"], obj["metadata"]
    return {
        "metadata": {k: meta[k] for k in ("name", "resourceVersion")},
        "involvedObject": {k: about.get(k) for k in ("kind", "name")},
        "source": (obj.get("source") or {}).get("component"),
        **{k: obj.get(k) for k in _OF_EVENT},
    }
