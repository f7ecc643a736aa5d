"""Plays a recorded scenario in this process: a fresh cluster, a clock that jumps, no sockets."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import yaml
from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.argo.phase import shown_phase
from companyos_canary.model.http import Request, Response
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.quantity import format_time, parse_duration
from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.behaviour import HEAD, PROMPT, Pace, Release, drawn
from companyos_canary.sandbox.cluster import Cluster
from companyos_canary.sandbox.controller.passes import Answer, Call
from companyos_canary.sandbox.controller.rollouts import refusal
from companyos_canary.sandbox.kinds import KINDS, NAMESPACE, REPLICASET, ROLLOUT, Kind
from companyos_canary.sandbox.scenarios import Behaviour, behaviour
from companyos_canary.sandbox.store import Store
from tests.clock import Clock, always
from tests.conformance.script import ADDRESS, Script
from tests.conformance.trace import Line, Trace
from tests.provider import FunctionProvider

NAMESPACE_NAME = "conformance"
MERGE = "application/merge-patch+json"


class Stuck(AssertionError):
    """A `wait` of the scenario did not come true in its time."""


class Machine(Struct, frozen=True):
    """On what a recording is made again. `pod`: seconds from the start of a pod until it is ready;
    `request`: seconds that a request of a client takes."""

    pace: Pace = PROMPT
    pod: float = 0.5
    request: float = 0.0

    def behaviour(self, image: str) -> Behaviour:
        return replace(behaviour(image), starts_in=self.pod)


PUNCTUAL = Machine()


def busy(seed: int) -> Machine:
    """One on which everything takes some time, as it did when v1.9.1 was recorded."""
    ms = timedelta(milliseconds=1)
    pace = Pace(always(5 * ms), always(20 * ms), drawn(200 * ms, seed), takes=25 * ms)
    return Machine(pace, pod=1.0, request=0.02)


def uneven(seed: int) -> Machine:
    """A busy one on which now one controller is faster and now another."""
    slow = busy(seed)
    return replace(slow, pace=replace(slow.pace, rollouts=drawn(timedelta(milliseconds=20), seed)))


def obedient(call: Call) -> Answer:
    """The step plugin of the recordings: its configuration says what it answers."""
    asked: dict[str, Any] = {"Run": call.config}.get(call.operation) or call.config.get(call.operation.lower()) or {}
    requeue = parse_duration(call.config.get("requeue") or "0s")
    return Answer(asked.get("return") or "Successful", after=requeue)


class Player:
    """`play` gives the trace of one scenario folder, with the controller that was recorded."""

    def __init__(self, folder: Path, release: Release = HEAD, machine: Machine = PUNCTUAL) -> None:
        self.folder = folder
        self.machine = machine
        self.scenario = yaml.safe_load((folder / "scenario.yaml").read_text())
        self.name = self.scenario.get("rollout", "companyos-api")
        self.clock = Clock()
        self.start = self.clock.moment
        self.last = self.start
        self.store = Store(self.clock)
        self.trace = Trace()
        self.script = Script(self.clock, self._mark)
        provider = FunctionProvider(self.script, self.clock)
        self.cluster = Cluster(
            self.store,
            provider=provider,
            traffic=provider,
            release=release,
            pace=self.machine.pace,
            behave=self.machine.behaviour,
            ask_plugin=obedient,
        )
        self.api = Api(self.store, refuse=refusal)
        self.store.create(NAMESPACE, {"metadata": {"name": NAMESPACE_NAME}})
        self.seen = self.store.version

    def play(self) -> list[Line]:
        for number, step in enumerate(self.scenario["steps"]):
            hidden = ("requests", "prints", "exit", "error")
            self._mark({"step": number, "what": {k: v for k, v in step.items() if k not in hidden}})
            self._do(step)
        self._settle(2.0)
        self._mark({"step": len(self.scenario["steps"]), "what": "end"})
        text = json.dumps(self.trace.lines).replace(ADDRESS, "http://<prometheus>")
        lines: list[Line] = json.loads(text)
        return lines

    def _do(self, step: dict[str, Any]) -> None:
        if "apply" in step:
            self._apply(step["apply"])
        for query, answers in (step.get("prometheus") or {}).items():
            self.script.set(query, answers)
        for request in step.get("requests") or [] if "do" in step else []:
            self._send(request)
        if "sleep" in step:
            self._run(step["sleep"])
        if "wait" in step:
            self._wait(step["wait"], step.get("timeout", 30))
        if "settle" in step:
            self._settle(step["settle"])
        if "checkpoint" in step:
            self._settle(0.7, 5)
            self._mark({"checkpoint": step["checkpoint"]})

    # requests

    def _apply(self, what: str | list[Any]) -> None:
        documents = what
        if isinstance(what, str):
            documents = list(yaml.safe_load_all((self.folder / what).read_text()))
        for document in filter(None, documents):
            obj = json.loads(json.dumps(document).replace("$PROMETHEUS", ADDRESS))
            obj["metadata"].pop("namespace", None)
            kind = next(k for k in KINDS if (k.api_version, k.kind) == (obj["apiVersion"], obj["kind"]))
            one = f"{kind.plural}/{obj['metadata']['name']}"
            if self._call("GET", one, kind=kind).status == 200:
                answer = self._call("PATCH", one, obj, MERGE, kind=kind)
            else:
                answer = self._call("POST", kind.plural, obj, kind=kind)
            assert answer.status < 300, f"apply {one}: {answer.body!r}"

    def _send(self, request: dict[str, Any]) -> None:
        body = request.get("body")
        path = self._named(request["path"])
        if isinstance(body, dict) and "edit" in body:
            changes = body["set"]
            body = self._call("GET", self._named(body["edit"])).json()
            for pointer, value in changes.items():
                _set(body, pointer, value)
        elif body is not None:
            text = json.dumps(body).replace("<now>", format_time(self.clock()))
            body = json.loads(self._named(text))
        ctype = request.get("contentType", "application/json")
        answer = self._call(request["method"], path, body, ctype)
        if self.machine.request:
            self._run(self.machine.request)
        self._mark({"request": f"{request['method']} {request['path']}", "code": answer.status})

    def _call(
        self, method: str, path: str, body: Any = None, ctype: str = "application/json", *, kind: Kind | None = None
    ) -> Response:
        """One request, and everything that the cluster does at once because of it."""
        plain, _, query = path.partition("?")
        kind = kind or _kind(plain.split("/")[0])
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        answer = self.api.handle(
            Request(
                method,
                f"{root}/namespaces/{NAMESPACE_NAME}/{plain}",
                tuple(parse_qsl(query)),
                {"Content-Type": ctype, "Accept": "application/json"},
                b"" if body is None else json.dumps(body).encode(),
            )
        )
        self._act()
        return answer

    def _named(self, text: str) -> str:
        """`<rev2>` becomes the hash it represents: ReplicaSets in order of creation."""
        hashes = [
            line["object"]["metadata"]["labels"][HASH_LABEL]
            for line in self.trace.lines
            if line.get("kind") == "ReplicaSet"
            and line["type"] == "ADDED"
            and HASH_LABEL in (line["object"]["metadata"].get("labels") or {})
        ]
        for number, found in enumerate(hashes, 1):
            text = text.replace(f"<rev{number}>", found)
        return text

    # time

    def _act(self) -> None:
        """Lets the cluster come to rest now; when it needs to act next is kept."""
        self.wake = self.cluster.settle(self.clock())
        for change in self.store.changes(self.seen):
            self.seen = change.version
            if change.object["metadata"].get("namespace") == NAMESPACE_NAME:
                self.last = self.clock()
                self.trace.change((self.clock() - self.start).total_seconds(), change)

    def _run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Goes on for so many seconds, from wake to wake, or until something holds."""
        end = self.clock() + timedelta(seconds=seconds)
        self._act()
        while not until():
            if self.wake is None or self.wake > end:
                self.clock.to(end)
                self._act()
                return until()
            self.clock.to(self.wake)
            self._act()
        return True

    def _settle(self, quiet: float, limit: float = 20) -> None:
        end = self.clock() + timedelta(seconds=limit)
        self._act()
        while (left := self.last + timedelta(seconds=quiet) - self.clock()) > timedelta():
            if self.clock() >= end:
                return
            before = self.last
            self._run(min(left, end - self.clock()).total_seconds(), lambda seen=before: self.last > seen)

    def _wait(self, wanted: dict[str, Any], timeout: float) -> None:
        at = len(self.trace.lines)

        def met() -> bool:
            nonlocal at
            lines, at = self.trace.lines[at:], len(self.trace.lines)
            found = self.store.get(ROLLOUT, NAMESPACE_NAME, self.name)
            if found is not None and any(line.get("kind") == "Experiment" for line in lines):
                lines = [*lines, {"type": "MODIFIED", "kind": "Rollout", "name": self.name, "object": found}]
            return any(
                self._holds(wanted, line)
                for line in lines
                if line.get("kind") == "Rollout" and line["name"] == self.name
            )

        now = self.store.get(ROLLOUT, NAMESPACE_NAME, self.name)
        gone = {"type": "DELETED", "object": {}}
        if self._holds(wanted, gone if now is None else {"type": "MODIFIED", "object": now}):
            return
        if not self._run(timeout, met):
            state = json.dumps((now or {}).get("status"))
            raise Stuck(f"waited {timeout} s for {wanted}, began at {state}")

    def _holds(self, wanted: dict[str, Any], line: Line) -> bool:
        if line["type"] == "DELETED" or "deleted" in wanted:
            return line["type"] == "DELETED" and bool(wanted.get("deleted"))
        obj = line["object"]
        have = _state(obj)
        have |= {key: self._plain(have[key]) for key in ("active", "stable") if have[key]}
        if "experiment" in wanted:
            have["experiment"] = self._phase_of_newest_experiment()
        if "replicas" in wanted:
            have["replicas"] = {
                self._plain(s["metadata"]["labels"].get(HASH_LABEL, "")): s["spec"]["replicas"]
                for s in self.store.items(REPLICASET, NAMESPACE_NAME)
            }
        return all(_agrees(key, value, have) for key, value in wanted.items())

    def _phase_of_newest_experiment(self) -> str | None:
        lines = [x for x in self.trace.lines if x.get("kind") == "Experiment"]
        newest = [x["name"] for x in lines if x["type"] == "ADDED"][-1:]
        phases = [(x["object"].get("status") or {}).get("phase") for x in lines if x["name"] in newest]
        return phases[-1] if phases else None

    def _plain(self, found: str) -> str:
        return next((f"<rev{n}>" for n in range(1, 20) if self._named(f"<rev{n}>") == found), found)

    def _mark(self, line: Line) -> None:
        self.trace.mark((self.clock() - self.start).total_seconds(), line)


def _agrees(key: str, value: Any, have: dict[str, Any]) -> bool:
    if key == "message":
        return value in have["message"]
    if key == "replicas":
        return all(have["replicas"].get(rev) == n for rev, n in value.items())
    return bool(have.get(key) == value)


def _state(obj: dict[str, Any]) -> dict[str, Any]:
    """What a `wait` can ask of a Rollout."""
    status = obj.get("status") or {}
    canary, shown = status.get("canary") or {}, shown_phase(Rollout.from_object(obj))
    blue_green, fresh = status.get("blueGreen") or {}, not status.get("phase")
    return {
        "phase": "" if fresh else shown.word,
        "message": "" if fresh else shown.message,
        "stepIndex": status.get("currentStepIndex"),
        "abort": bool(status.get("abort")),
        "updated": status.get("updatedReplicas", 0),
        "available": status.get("availableReplicas", 0),
        "stepAnalysis": (canary.get("currentStepAnalysisRunStatus") or {}).get("status"),
        "backgroundAnalysis": (canary.get("currentBackgroundAnalysisRunStatus") or {}).get("status"),
        "stable": status.get("stableRS", ""),
        "active": blue_green.get("activeSelector", ""),
        "weight": ((canary.get("weights") or {}).get("canary") or {}).get("weight"),
        "prePromotionAnalysis": (blue_green.get("prePromotionAnalysisRunStatus") or {}).get("status"),
        "postPromotionAnalysis": (blue_green.get("postPromotionAnalysisRunStatus") or {}).get("status"),
    }


def _kind(plural: str) -> Kind:
    return next(k for k in KINDS if k.plural == plural)


def _set(obj: Any, pointer: str, value: Any) -> None:
    *path, last = [k.replace("~1", "/").replace("~0", "~") for k in re.split("/", pointer.strip("/"))]
    for key in path:
        obj = obj[int(key)] if isinstance(obj, list) else obj[key]
    obj[int(last) if isinstance(obj, list) else last] = value
