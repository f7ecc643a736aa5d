"""Makes cases of recordings of the real controller: `python -m tests.diagnosis.recorded RECORDINGS [FOLDER]`.

A recording keeps of a pod only its phase and whether it was ready; the conditions that these represent are put back.
"""

import copy
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from companyos_canary.model.quantity import format_time, parse_time
from tests.diagnosis.__main__ import CASES

Json = dict[str, Any]
_KINDS = {
    "Rollout": "argoproj.io/v1alpha1",
    "AnalysisRun": "argoproj.io/v1alpha1",
    "ReplicaSet": "apps/v1",
    "Deployment": "apps/v1",
    "Pod": "v1",
    "Service": "v1",
    "Event": "v1",
}
_WAITS = ("waiting-for-a-person", True)
_FINE = ("healthy", True)
# What a person who knows the scenario says of each checkpoint, and whether it is fine.
RIGHT: dict[str, tuple[str, bool]] = {
    "abort-healthy/after-abort": ("abort-dropped", False),
    "abort-then-image-back-to-stable/aborted": ("aborted-by-a-person", False),
    "abort-then-image-back-to-stable/healthy": _FINE,
    "abort-then-retry/before-abort": _WAITS,
    "abort-then-retry/retried": _WAITS,
    "analysis-empty-vector/aborted": ("no-data", False),
    "analysis-error/aborted": ("prometheus-error", False),
    "analysis-error/first-error": ("in-progress", True),
    "analysis-failed/aborted": ("analysis-failed", False),
    "analysis-failure-limit/passed": _FINE,
    "analysis-failure-limit/failed": ("analysis-failed", False),
    "analysis-inconclusive-then-promote/inconclusive": ("inconclusive", False),
    "analysis-inconclusive-then-promote/healthy": _FINE,
    "background-analysis-failed/paused": _WAITS,
    "background-analysis-failed/aborted": ("analysis-failed", False),
    "bad-image-deadline-abort/aborted": ("progress-deadline", False),
    "bad-image-progress-deadline/deadline": ("progress-deadline", False),
    "bad-image-progress-deadline/healthy": _FINE,
    "first-deploy/healthy": _FINE,
    "invalid-spec/template-missing": ("spec-invalid", False),
    "invalid-spec/weight-120": ("spec-invalid", False),
    "invalid-spec/healthy": _FINE,
    "manual-pause-resume/manually-paused": ("paused-by-hand", False),
    "manual-pause-then-promote/both-pauses": ("paused-by-hand", False),
    "manual-pause-then-promote/promoted-both": _WAITS,
    "no-steps/healthy": _FINE,
    "one-replica/paused": _WAITS,
    "pause-promote/paused": _WAITS,
    "pause-promote/timed-pause": ("timed-pause", True),
    "promote-full-mid/healthy": _FINE,
    "promote-skips-running-step/analysing": ("in-progress", True),
    "restart/healthy": _FINE,
    "retry-without-abort/paused": _WAITS,
    "same-image/after": _FINE,
    "scale-mid-rollout/eight": _WAITS,
    "seed-happy-path/healthy": _FINE,
    "services-canary-stable/aborted": ("aborted-by-a-person", False),
    "third-image-mid-rollout/v3-paused": _WAITS,
    "timed-pauses/second-pause": ("timed-pause", True),
    "two-metrics-one-fails/aborted": ("analysis-failed", False),
    "undo-after-finished/undo-paused": ("undo-is-a-canary", False),
    "undo-mid-rollout/healthy": _FINE,
    "workload-ref/paused": _WAITS,
}
_DID = {"abort-healthy/after-abort": "abort", "undo-after-finished/undo-paused": "undo"}


def state(trace: Path, checkpoint: str) -> tuple[list[Json], str]:
    """The objects at a checkpoint, and the newest time that any of them has."""
    held: dict[tuple[str, str], Json] = {}
    for line in map(json.loads, trace.read_text().splitlines()):
        if line.get("checkpoint") == checkpoint:
            break
        kind = line.get("kind", "")
        if kind not in _KINDS:
            continue
        key, obj = (kind, line["name"]), copy.deepcopy(line["object"])
        if line["type"] == "DELETED":
            held.pop(key, None)
            continue
        if kind == "ReplicaSet" and key in held:
            obj["spec"] = {**{k: held[key]["spec"].get(k) for k in ("template", "selector")}, **obj["spec"]}
        held[key] = obj
    namespace = next(o["metadata"]["namespace"] for (kind, _), o in held.items() if kind == "Rollout")
    found = [_whole(kind, o, held, namespace) for (kind, _), o in held.items() if kind != "Event" or _warns(o)]
    times = [t for o in found for t in _times(o)]
    return found, max(times)


def _warns(event: Json) -> bool:
    return event["type"] == "Warning"


def _whole(kind: str, obj: Json, held: dict[tuple[str, str], Json], namespace: str) -> Json:
    obj["metadata"].setdefault("namespace", namespace)
    if kind == "Pod":
        owner = dict(obj.pop("owner"))
        uid = held.get((owner["kind"], owner["name"]), {"metadata": {}})["metadata"].get("uid", "")
        obj["metadata"]["ownerReferences"] = [{**owner, "uid": uid, "controller": True}]
        ready = "True" if obj.pop("ready") else "False"
        at = obj["metadata"]["creationTimestamp"]
        said = [{"type": t, "status": ready, "lastTransitionTime": at} for t in ("ContainersReady", "Ready")]
        obj = {"metadata": obj["metadata"], "spec": {}, "status": {"phase": obj.pop("phase"), "conditions": said}}
    return {"apiVersion": _KINDS[kind], "kind": kind, **obj}


def _times(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [t for v in value.values() for t in _times(v)]
    if isinstance(value, list):
        return [t for v in value for t in _times(v)]
    return [value] if isinstance(value, str) and len(value) == 20 and parse_time(value) else []


def main(arguments: list[str]) -> int:
    recordings = Path(arguments[0])
    root = Path(arguments[1]) if arguments[1:] else CASES
    for place, (cause, fine) in RIGHT.items():
        scenario, checkpoint = place.split("/")
        objects, newest = state(recordings / scenario / "trace.jsonl", checkpoint)
        newest_at = parse_time(newest)
        assert newest_at is not None
        rollout = next(o for o in objects if o["kind"] == "Rollout")["metadata"]
        case: Json = {"now": format_time(newest_at + timedelta(seconds=2))}
        if place in _DID:
            case["did"] = {"verb": _DID[place], "at": newest}
        case["config"] = {"rollout": rollout["name"], "namespace": rollout["namespace"], "image": rollout["name"]}
        case |= {"cause": cause, "healthy": fine, "source": f"recorded: scenario {scenario}, checkpoint {checkpoint}"}
        folder = root / f"recorded-{scenario}-{checkpoint}"
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump_all(objects, sort_keys=False, width=120, default_flow_style=None)
        (folder / "objects.yaml").write_text(text)
        (folder / "case.yaml").write_text(yaml.safe_dump(case, sort_keys=False, width=120))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
