"""Runs one recorded Rollout with an analysis and says what differs.

`check_rollout_row(row)` takes a row of rollout-steps.json (two replicas) or one of validation.json
of kind Rollout (one). The image is changed once the first version is Healthy.
"""

import copy
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

from companyos_canary.model.http import Request, Response
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.sandbox.behaviour import HEAD, Release
from companyos_canary.sandbox.cluster import Cluster
from companyos_canary.sandbox.kinds import (
    ANALYSISRUN,
    ANALYSISTEMPLATE,
    CLUSTERANALYSISTEMPLATE,
    EVENT,
    REPLICASET,
    ROLLOUT,
)
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.store import Store
from tests.clock import Clock
from tests.provider import FunctionProvider

Row = dict[str, Any]
NAMESPACE = "default"
DEFAULT_ANSWER = {
    "http": 200,
    "body": {
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1700000000, "1"]}]},
    },
}
_COUNTS = ("count", "successful", "failed", "inconclusive", "error")
_METRIC = (*_COUNTS, "consecutiveError", "consecutiveSuccess")


def check_rollout_row(row: Row, others: Iterable[Row] = (), release: Release = HEAD) -> list[str]:
    """What differs between the recording and ours; empty when they agree. `others`: the rows whose
    templates were in the same namespace."""
    expect = row["expect"]
    if "rollout_after_14s" in expect:
        return list(_update_differences(Stage(row, others, "app-", 2, release), row, expect))
    return list(_validity_differences(Stage(row, others, "vr-", 1, release), expect))


class Stage:
    """A Rollout in a fresh cluster."""

    def __init__(self, row: Row, others: Iterable[Row], prefix: str, replicas: int, release: Release) -> None:
        self.name = prefix + row["name"].removeprefix("rollout-")
        self.answers = row.get("provider_answers") or {}
        self.asked: Counter[str] = Counter()
        self.clock = Clock()
        self.store = Store(self.clock)
        provider = FunctionProvider(self._answer, self.clock)
        self.cluster = Cluster(self.store, provider=provider, traffic=provider, release=release)
        templates = [t for r in (row, *others) for t in _templates(r)]
        for kind, obj in {(k, o["metadata"]["name"]): (k, o) for k, o in reversed(templates)}.values():
            self.store.create(kind, obj)
        self.store.create(ROLLOUT, self._rollout(row["canary"], replicas))

    def run(self, seconds: float) -> None:
        end = self.clock() + timedelta(seconds=seconds)
        while (wake := self.cluster.settle(self.clock())) is not None and wake <= end:
            self.clock.to(wake)
        self.clock.to(end)
        self.cluster.settle(end)

    @property
    def rollout(self) -> Object:
        return self.store.read(ROLLOUT, NAMESPACE, self.name)

    def set_image(self, image: str) -> None:
        new = copy.deepcopy(self.rollout)
        new["spec"]["template"]["spec"]["containers"][0]["image"] = image
        self.store.update(ROLLOUT, new)

    def promote(self) -> None:
        """As the plugin does past an inconclusive run: the next step, no pauses."""
        status = dict(self.rollout["status"])
        status.pop("pauseConditions", None)
        status.update(controllerPause=False, currentStepIndex=status["currentStepIndex"] + 1)
        self.store.update(ROLLOUT, {**self.rollout, "status": status}, status_only=True)

    def state(self) -> Row:
        status = self.rollout.get("status") or {}
        return {
            "phase": status.get("phase"),
            "message": status.get("message"),
            "currentStepIndex": status.get("currentStepIndex"),
            "abort": bool(status.get("abort")),
            "controllerPause": bool(status.get("controllerPause")),
            "pauseReasons": [p["reason"] for p in status.get("pauseConditions") or []],
        }

    def plain(self, value: Any) -> Any:
        """With NEWHASH and STABLEHASH for the hashes."""
        text = json.dumps(value)
        sets = self.store.items(REPLICASET, NAMESPACE)
        sets.sort(key=lambda s: int(s["metadata"]["annotations"]["rollout.argoproj.io/revision"]))
        for found, name in zip(reversed(sets), ("NEWHASH", "STABLEHASH"), strict=False):
            text = text.replace(found["metadata"]["labels"][HASH_LABEL], name)
        return json.loads(text)

    def _answer(self, request: Request, address: str) -> Response:
        query = parse_qs(request.body.decode())["query"][0]
        answers = self.answers.get(query, DEFAULT_ANSWER)
        answers = answers if isinstance(answers, list) else [answers]
        self.asked[query] += 1
        answer = answers[min(self.asked[query], len(answers)) - 1]
        body = json.dumps(answer["body"]) if "body" in answer else answer.get("raw", "")
        return Response(answer["http"], {}, body.encode())

    def _rollout(self, canary: Row, replicas: int) -> Object:
        labels = {"app": self.name}
        containers = [{"name": "app", "image": "app:v1"}]
        return {
            "metadata": {"name": self.name, "namespace": NAMESPACE},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
                "strategy": {"canary": canary},
            },
        }


def _templates(row: Row) -> Iterator[tuple[Any, Object]]:
    found = row.get("templates") or {}
    if isinstance(found, list):
        found = {t["_name"]: {"spec": {k: v for k, v in t.items() if k != "_name"}} for t in found}
    for name, template in found.items():
        cluster = template.get("kind") == "ClusterAnalysisTemplate"
        meta = {"name": name} if cluster else {"name": name, "namespace": NAMESPACE}
        kind = CLUSTERANALYSISTEMPLATE if cluster else ANALYSISTEMPLATE
        yield kind, {"metadata": meta, "spec": template["spec"]}


def _validity_differences(stage: Stage, expect: Row) -> Iterator[str]:
    stage.run(10)
    conditions = (stage.rollout.get("status") or {}).get("conditions") or []
    invalid = next((c["message"] for c in conditions if c["type"] == "InvalidSpec"), None)
    if "controller" in expect:  # upstream's whole controller dies of it; ours must say so
        if invalid is None or "names itself" not in invalid:
            yield f"templates in a circle: {invalid}"
        return
    state = stage.state()
    yield from _compared("phase", expect["phase"], state["phase"])
    yield from _compared("message", expect["message"], state["message"])
    yield from _compared("invalidSpec", expect["invalidSpec"], invalid)
    if after := expect.get("after_next_update"):
        stage.set_image("app:v2")
        stage.run(15)
        state = stage.state()
        for key, value in after.items():
            yield from _compared(f"after_next_update.{key}", value, state.get(key))


def _update_differences(stage: Stage, row: Row, expect: Row) -> Iterator[str]:
    stage.run(5)
    stage.set_image("app:v2")
    stage.run(14)
    yield from _state_differences("14s", expect["rollout_after_14s"], stage.state())
    if row["name"].endswith("-promoted"):
        stage.promote()
    stage.run(14)
    yield from _state_differences("28s", expect["rollout_after_28s"], stage.state())
    runs = {r["metadata"]["name"]: r for r in stage.store.items(ANALYSISRUN, NAMESPACE)}
    runs = {stage.plain(name): stage.plain(run) for name, run in runs.items()}
    for wanted in expect["analysisruns"]:
        run = runs.pop(wanted["name"], None)
        if run is None:
            yield f"no run {wanted['name']}"
        else:
            yield from _run_differences(wanted, run)
    yield from (f"unexpected run {name}" for name in runs)
    yield from _compared("events", expect["events"], stage.plain(_events(stage)))


def _state_differences(when: str, wanted: Row, had: Row) -> Iterator[str]:
    for key, value in wanted.items():
        yield from _compared(f"after {when}: {key}", value, had.get(key))


def _run_differences(wanted: Row, run: Object) -> Iterator[str]:
    meta, status, name = run["metadata"], run.get("status") or {}, wanted["name"]
    found = {
        "labels": meta.get("labels"),
        "annotations": meta.get("annotations"),
        "spec": run["spec"],
        "run_phase": status.get("phase"),
        "run_message": status.get("message", ""),
        "runSummary": _zeros(status.get("runSummary"), _COUNTS),
        "dryRunSummary": _zeros(status.get("dryRunSummary"), _COUNTS),
        "has_completedAt": "completedAt" in status,
        "has_startedAt": "startedAt" in status,
    }
    for key, value in found.items():
        yield from _compared(f"{name}.{key}", wanted.get(key, value), value)
    if wanted["run_message"] == "Run Terminated":  # how often it was asked is a matter of timing
        return
    results = {m["name"]: m for m in status.get("metricResults") or []}
    for metric in wanted["metrics"]:
        had = results.get(metric["name"]) or {}
        flat = {**had, **_zeros(had, _METRIC), "message": had.get("message", "")}
        flat["measurements"] = [
            {"phase": m["phase"], "value": m.get("value"), "message": m.get("message", "")}
            for m in had.get("measurements") or []
        ]
        for key, value in metric.items():
            yield from _compared(f"{name}.{metric['name']}.{key}", value, flat.get(key))


def _zeros(counts: Row | None, keys: tuple[str, ...]) -> Row | None:
    return None if counts is None else {k: counts.get(k, 0) for k in keys}


def _events(stage: Stage) -> list[Row]:
    """Events of the Rollout about runs and aborts, oldest first."""
    events = sorted(stage.store.items(EVENT, NAMESPACE), key=lambda e: e["metadata"]["name"].split(".")[-1])
    return [
        {k: e[k] for k in ("type", "reason", "message")}
        for e in events
        if e["involvedObject"]["kind"] == "Rollout"
        and (e["reason"].startswith("AnalysisRun") or e["reason"] == "RolloutAborted")
    ]


def _compared(what: str, wanted: Any, had: Any) -> Iterator[str]:
    if wanted != had:
        yield f"{what}: - {json.dumps(wanted)} + {json.dumps(had)}"
