"""What of a trace is compared: states in order, sizes, events, runs, and the end."""

import json
import re
from collections.abc import Iterable
from typing import Any

from companyos_canary.argo.phase import shown_phase
from companyos_canary.model.image import HASH_LABEL, REVISION
from companyos_canary.model.rollout import Rollout
from tests.conformance.trace import Line

DEADLINE = "scale-down-deadline"
IN_TURN = "in turn"
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
_MOMENT = re.compile(r'(?<=[ ("])\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)')
_CONDITION = ("type", "status", "reason", "message")

Json = dict[str, Any]


def projection(lines: list[Line]) -> Json:
    """The comparable part of a trace, in the form of an expected.json."""
    plain = named(lines)
    rollouts = [x for x in plain if x.get("kind") == "Rollout"]
    services = [x for x in plain if x.get("kind") == "Service"]
    sets = [x for x in plain if x.get("kind") == "ReplicaSet"]
    return {
        **_extra(plain, rollouts, sets),
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
    added = [x["object"] for x in lines if x.get("kind") == "ReplicaSet" and x["type"] == "ADDED"]
    trials = [s for s in added if _is_of_experiment(s)]
    for key, form in ((HASH_LABEL, "<rev{}>"), ("pod-template-hash", "<other{}>")):
        found = dict.fromkeys(
            labels[key]
            for labels in (s["metadata"].get("labels") or {} for s in added if not _is_of_experiment(s))
            if key in labels and (key == HASH_LABEL or HASH_LABEL not in labels)
        )
        for number, digest in enumerate(found, 1):
            names.setdefault(digest, form.format(number))
    for digest in dict.fromkeys((s["metadata"].get("labels") or {}).get(HASH_LABEL) for s in trials):
        if digest:
            names.setdefault(digest, f"<experiment{sum('experiment' in n for n in names.values()) + 1}>")
    rollouts = [x for x in lines if x.get("kind") == "Rollout"]
    namespace = rollouts[0]["object"]["metadata"].get("namespace") if rollouts else None
    plain = []
    for line in lines:
        text = json.dumps(line, ensure_ascii=False)
        for trial in trials:
            text = re.sub(rf"({trial['metadata']['name']}-)[a-z0-9]{{5}}\b(?![-.])", r"\1<pod>", text)
        for digest, name in names.items():
            text = re.sub(rf"({digest}-)[a-z0-9]{{5}}\b(?![-.])", r"\1<pod>", text)
            text = text.replace(digest, name)
        if namespace:
            text = text.replace(namespace, "<ns>")
        plain.append(json.loads(_MOMENT.sub("<time>", _TIME.sub('"<time>"', text))))
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
        if kind not in ("Rollout", "AnalysisRun", "Experiment") or line["type"] == "DELETED":
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
        "serviceSwitches": {
            name: _in_turn(once(s.get(HASH_LABEL) for s in found)) for name, found in selectors.items()
        },
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


def _extra(lines: list[Line], rollouts: list[Line], sets: list[Line]) -> Json:
    """What only some recordings have: deadlines, weights, selectors, Ingresses and Experiments."""
    found: Json = {}
    deadlines: dict[str, list[str]] = {}
    for line in sets:
        annotations = line["object"]["metadata"].get("annotations") or {}
        is_set = bool(annotations.get(DEADLINE)) and line["type"] != "DELETED"
        deadlines.setdefault(_hash(line), []).append("set" if is_set else "no")
    if any("set" in seen for seen in deadlines.values()):
        found["scaleDownDeadlines"] = {k: once(v) for k, v in deadlines.items() if "set" in v}
    objects = [x["object"] for x in rollouts if x["type"] != "DELETED"]
    canaries = (((o.get("status") or {}).get("canary") or {}).get("weights") for o in objects)
    if weights := once(w for w in canaries if w):
        found["weights"] = [_weights(w) for w in weights]
    if any("blueGreen" in o["spec"].get("strategy", {}) for o in objects):
        shown = ((o.get("status") or {}).get("blueGreen") or {} for o in objects)
        found["selectors"] = once(
            {"active": b.get("activeSelector"), "preview": b.get("previewSelector")} for b in shown
        )
    if ingresses := [x for x in lines if x.get("kind") == "Ingress"]:
        found["ingresses"] = _ingresses(ingresses)
    if experiments := [x for x in lines if x.get("kind") == "Experiment"]:
        found["experiments"] = _experiments(experiments)
    return found


def _weights(weights: Json) -> Json:
    fields = ("weight", "podTemplateHash", "serviceName")
    return {
        name: {f: value[f] for f in fields if value.get(f) is not None} if isinstance(value, dict) else value
        for name, value in weights.items()
    }


def _ingresses(lines: list[Line]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for line in lines:
        ingress, shown = line["object"], found.setdefault(line["name"], [])
        rules = ingress["spec"].get("rules") or []
        paths = [path for rule in rules for path in (rule.get("http") or {}).get("paths", [])]
        state = {
            "annotations": ingress["metadata"].get("annotations") or {},
            "hosts": [rule.get("host") for rule in rules],
            "services": [(path["backend"].get("service") or {}).get("name") for path in paths],
            "owner": [owner["kind"] for owner in ingress["metadata"].get("ownerReferences") or []],
        }
        shown.append("deleted" if line["type"] == "DELETED" else state)
    return {name: once(states) for name, states in found.items()}


def _experiments(lines: list[Line]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for line in lines:
        shown = found.setdefault(line["name"], {"states": [], "templates": {}})
        if line["type"] == "DELETED":
            shown["states"].append({"phase": "deleted", "message": ""})
            continue
        status = line["object"].get("status") or {}
        shown["states"].append({"phase": status.get("phase", ""), "message": status.get("message", "")})
        for template in status.get("templateStatuses") or []:
            state = {"status": template.get("status", ""), "message": template.get("message", "")}
            shown["templates"].setdefault(template["name"], []).append(state)
        runs = [
            {k: r[k] for k in ("name", "analysisRun", "phase", "message") if r.get(k)}
            for r in status.get("analysisRuns") or []
        ]
        conditions = [{k: c.get(k) for k in _CONDITION} for c in status.get("conditions") or []]
        shown |= {
            "terminate": bool(line["object"]["spec"].get("terminate")),
            "analysisRuns": sorted(runs, key=lambda r: str(r["name"])),
            "conditions": sorted(conditions, key=lambda c: str(c["type"])),
        }
    return {
        name: {
            **shown,
            "states": once(shown["states"]),
            "templates": {t: once(states) for t, states in shown["templates"].items()},
        }
        for name, shown in found.items()
    }


def _in_turn(switches: list[Any]) -> list[Any]:
    """A Service that goes to and fro five times or more: a, b, "in turn", last."""
    found: list[Any] = []
    first = 0
    while first < len(switches):
        end = first + 2
        while end < len(switches) and switches[end] == switches[end - 2]:
            end += 1
        if end - first >= 5:
            found += [switches[first], switches[first + 1], IN_TURN, switches[end - 1]]
            first = end
        else:
            found.append(switches[first])
            first += 1
    return found


def _is_of_experiment(replicaset: Json) -> bool:
    return any(o.get("kind") == "Experiment" for o in replicaset["metadata"].get("ownerReferences") or [])


def _hash(line: Line) -> str:
    meta = line["object"]["metadata"]
    labels = meta.get("labels") or {}
    if _is_of_experiment(line["object"]):
        return str(meta["name"])
    return str(labels.get(HASH_LABEL) or labels.get("pod-template-hash") or meta["name"])
