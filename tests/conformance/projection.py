"""What of a trace is compared: states in order, sizes, events, runs, and the end."""

import json
import re
from collections.abc import Iterable
from typing import Any

from companyos_canary.argo.phase import shown_phase
from companyos_canary.model.rollout import HASH_LABEL, REVISION, Rollout
from tests.conformance.trace import Line

HISTORY = "rollout.argoproj.io/revision-history"
COMBINED = "(combined from similar events): "
_COUNTS = (
    "name",
    "phase",
    "message",
    "count",
    "successful",
    "failed",
    "inconclusive",
    "error",
    "consecutiveError",
    "consecutiveSuccess",
    "dryRun",
)
_TIME = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"')
_CONDITION = ("type", "status", "reason", "message")

Json = dict[str, Any]


def projection(lines: list[Line]) -> Json:
    """The comparable part of a trace, in the form of an expected.json."""
    plain = named(lines)
    rollouts = [x for x in plain if x.get("kind") == "Rollout"]
    services = [x for x in plain if x.get("kind") == "Service"]
    sets = [x for x in plain if x.get("kind") == "ReplicaSet"]
    return {
        "rollout": {"coarse": states(rollouts)},
        "replicasets": sizes(sets),
        "events": emitted([x for x in plain if x.get("kind") == "Event"]),
        "analysisruns": runs([x for x in plain if x.get("kind") == "AnalysisRun"]),
        "final": {**_ending(rollouts), **_of_services(services), **_of_sets(sets)},
    }


def named(lines: list[Line]) -> list[Line]:
    """The lines with names for what differs in every recording: hashes by order of creation,
    pods, the namespace, times."""
    names: dict[str, str] = {}
    for key, form in ((HASH_LABEL, "<rev{}>"), ("pod-template-hash", "<other{}>")):
        found = dict.fromkeys(
            labels[key]
            for labels in (
                x["object"]["metadata"].get("labels") or {}
                for x in lines
                if x.get("kind") == "ReplicaSet" and x["type"] == "ADDED"
            )
            if key in labels and (key == HASH_LABEL or HASH_LABEL not in labels)
        )
        for number, digest in enumerate(found, 1):
            names.setdefault(digest, form.format(number))
    rollouts = [x for x in lines if x.get("kind") == "Rollout"]
    namespace = rollouts[0]["object"]["metadata"].get("namespace") if rollouts else None
    plain = []
    for line in lines:
        text = json.dumps(line, ensure_ascii=False)
        for digest, name in names.items():
            text = re.sub(rf"({digest}-)[a-z0-9]{{5}}\b(?![-.])", r"\1<pod>", text)
            text = text.replace(digest, name)
        if namespace:
            text = text.replace(namespace, "<ns>")
        plain.append(json.loads(_TIME.sub('"<time>"', text)))
    return plain


def states(rollouts: list[Line]) -> list[Json]:
    """Phase and message as a client shows them, with step and abort; neighbours once."""
    found = []
    for line in rollouts:
        if line["type"] == "DELETED":
            continue
        shown = shown_phase(Rollout.from_object(line["object"]))
        status = line["object"].get("status") or {}
        found.append(
            {
                "phase": shown.word,
                "message": shown.message,
                "stepIndex": status.get("currentStepIndex"),
                "abort": bool(status.get("abort")),
            }
        )
    return once(found)


def sizes(sets: list[Line]) -> dict[str, list[Any]]:
    """spec.replicas in order, by ReplicaSet."""
    found: dict[str, list[Any]] = {}
    for line in sets:
        size = "deleted" if line["type"] == "DELETED" else line["object"]["spec"].get("replicas")
        found.setdefault(_hash(line), []).append(size)
    return {k: once(v) for k, v in found.items()}


def emitted(events: list[Line]) -> list[list[str]]:
    """Kind, type, reason and message, as often as the count says."""
    found, counted = [], {}
    for line in events:
        event = line["object"]
        kind = event["involvedObject"]["kind"]
        if kind not in ("Rollout", "AnalysisRun") or line["type"] == "DELETED":
            continue
        count = event.get("count") or 1
        new = count - counted.get(line["name"], 0)
        counted[line["name"]] = count
        message = event["message"].removeprefix(COMBINED)
        found += [[kind, event["type"], event["reason"], message]] * max(new, 1)
    return found


def runs(lines: list[Line]) -> dict[str, Json]:
    """By run: its states in order; metrics, summary and terminate as they were last."""
    found: dict[str, Json] = {}
    for line in lines:
        run = found.setdefault(line["name"], {"states": [], "metrics": []})
        if line["type"] == "DELETED":
            run["states"].append({"phase": "deleted", "message": ""})
            continue
        spec, status = line["object"]["spec"], line["object"].get("status") or {}
        state = {"phase": status.get("phase", ""), "message": status.get("message", "")}
        run["states"].append(state)
        run["terminate"] = bool(spec.get("terminate"))
        metrics = [_metric(m) for m in status.get("metricResults") or []]
        run["metrics"] = sorted(metrics, key=lambda m: m["name"])
        run["summary"] = {k: status[k] for k in ("runSummary", "dryRunSummary") if k in status}
    return {name: {**run, "states": once(run["states"])} for name, run in found.items()}


def once(items: Iterable[Any]) -> list[Any]:
    """Without repetitions of neighbours."""
    kept: list[Any] = []
    for item in items:
        if not kept or kept[-1] != item:
            kept.append(item)
    return kept


def _metric(result: Json) -> Json:
    measurements = [
        {k: m[k] for k in ("phase", "value", "message") if m.get(k)} for m in result.get("measurements") or []
    ]
    return {**{k: result[k] for k in _COUNTS if result.get(k)}, "measurements": measurements}


def _ending(rollouts: list[Line]) -> Json:
    last = rollouts[-1]["object"] if rollouts else {}
    status = dict(last.get("status") or {})
    status.pop("currentStepHash", None)
    conditions = [{k: c.get(k) for k in _CONDITION} for c in status.pop("conditions", [])]
    if "totalManualPauseDurationSeconds" in (status.get("duration") or {}):
        duration = {**status["duration"], "totalManualPauseDurationSeconds": "<seconds>"}
        status["duration"] = duration
    annotations = (last.get("metadata") or {}).get("annotations") or {}
    return {
        "status": status,
        "conditions": sorted(conditions, key=lambda c: str(c["type"])),
        "conditionOrder": [c["type"] for c in conditions],
        "rolloutRevision": annotations.get(REVISION),
    }


def _of_services(lines: list[Line]) -> Json:
    selectors: dict[str, list[Json]] = {}
    for line in lines:
        selectors.setdefault(line["name"], []).append(line["object"]["spec"].get("selector") or {})
    return {
        "services": {name: found[-1] for name, found in selectors.items()},
        "serviceSwitches": {name: once(s.get(HASH_LABEL) for s in found) for name, found in selectors.items()},
    }


def _of_sets(sets: list[Line]) -> Json:
    last = {
        _hash(line): line["object"]["metadata"].get("annotations") or {}
        for line in sets
        if HASH_LABEL in (line["object"]["metadata"].get("labels") or {})
    }
    return {
        "revisions": {k: a.get(REVISION) for k, a in last.items()},
        "revisionHistory": {k: a.get(HISTORY) for k, a in last.items()},
    }


def _hash(line: Line) -> str:
    meta = line["object"]["metadata"]
    labels = meta.get("labels") or {}
    return str(labels.get(HASH_LABEL) or labels.get("pod-template-hash") or meta["name"])
