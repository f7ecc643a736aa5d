"""Runs one recorded AnalysisRun through the sandbox's judge and says what differs.

`check_row(row)` takes a row of truth-table.json or of validation.json (kind AnalysisRun), from any
folder of recordings. It knows the rules of comparison, not the rows.
"""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

from companyos_canary.model.http import Request, Response
from companyos_canary.model.row import COMPLETED
from companyos_canary.sandbox.analysis import AnalysisController
from companyos_canary.sandbox.behaviour import HEAD, Release
from companyos_canary.sandbox.kinds import ANALYSISRUN, SECRET
from companyos_canary.sandbox.provider import TransportError
from companyos_canary.sandbox.store import Store
from tests.provider import FunctionProvider, Later

Row = dict[str, Any]

COUNTERS = ("count", "successful", "failed", "inconclusive", "error", "consecutiveError", "consecutiveSuccess")
SUMMARY = ("count", "successful", "failed", "inconclusive", "error")
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
LONGEST = timedelta(minutes=10)
DECODER = "error found in #"


def can_check(row: Row) -> bool:
    """Whether the row is one AnalysisRun; rows about a Rollout need the whole sandbox."""
    return row.get("kind", "AnalysisRun") == "AnalysisRun" and "spec" in row


def check_row(row: Row, release: Release = HEAD) -> list[str]:
    """What differs between the recording and ours; empty when they agree."""
    if not can_check(row):
        return [f"{row['name']}: not an AnalysisRun"]
    found = [_differences(row, begun, release) for begun in _fractions(row["expect"])]
    return min(found, key=len)


def _differences(row: Row, begun: float, release: Release) -> list[str]:
    outcome, expect = Rehearsal(row, begun, release).play(), row["expect"]
    if "phase" in expect:
        return _spec_differences(expect, outcome.status)
    return [
        *_run_differences(expect, outcome.status),
        *_metric_differences(expect, outcome.status),
        *_request_differences(expect, outcome),
    ]


@dataclass
class Asked:
    """A request that reached the scripted server."""

    at: datetime
    method: str
    parameters: dict[str, str]
    headers: dict[str, str]


@dataclass
class Outcome:
    created: datetime
    status: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    events: list[tuple[str, str, str]] = field(default_factory=list)


class Rehearsal:
    """One row on a clock of its own, with the row's scripted server; `begun` is the part of a
    second at which the run is created."""

    def __init__(self, row: Row, begun: float = 0.0, release: Release = HEAD) -> None:
        self.row = row
        self.now = MIDNIGHT + timedelta(seconds=begun)
        self.outcome = Outcome(self.now)
        self.counts: dict[str, int] = {}
        self.store = Store(lambda: self.now)
        self.provider = FunctionProvider(self.answer, lambda: self.now)
        self.controller = AnalysisController(self.store, self.provider, self.emit, release)

    def play(self) -> Outcome:
        """Until the run ends, or until the moment at which it was observed."""
        self.store.create(
            SECRET, {"metadata": {"namespace": "n", "name": "tok"}, "data": {"k": base64.b64encode(b"s3cret").decode()}}
        )
        spec = {**self.row["spec"], **({"terminate": True} if self.row.get("terminate") else {})}
        self.store.create(ANALYSISRUN, {"metadata": {"namespace": "n", "name": "run"}, "spec": spec})
        created, end = self.outcome.created, self.moment("observe_after_s") or MIDNIGHT + LONGEST
        terminate = self.moment("terminate_after_s")
        while True:
            wake = self.settle()
            if terminate is not None and self.now >= terminate:
                self.terminate()
                terminate, wake = None, self.settle()
            moments = [m for m in (wake, terminate) if m is not None]
            if self.run()["status"].get("phase") in COMPLETED or not moments:
                break
            if min(moments) > end:
                break
            self.now = max(min(moments), self.now)
            assert self.now - created < LONGEST + timedelta(minutes=1)
        self.outcome.status = self.run()["status"]
        return self.outcome

    def moment(self, key: str) -> datetime | None:
        seconds = self.row.get(key)
        return None if seconds is None else self.outcome.created + timedelta(seconds=seconds)

    def settle(self) -> datetime | None:
        """Steps the judge and the server until neither moves; when one of them needs to continue."""
        while True:
            before = self.store.version
            self.provider.step(self.now)
            wakes = [self.controller.step(self.now), self.provider.step(self.now)]
            found = [w for w in wakes if w is not None]
            if self.store.version == before and all(w > self.now for w in found):
                return min(found, default=None)

    def terminate(self) -> None:
        run = json.loads(json.dumps(self.run()))
        run["spec"]["terminate"] = True
        self.store.update(ANALYSISRUN, run)

    def run(self) -> dict[str, Any]:
        return {"status": {}, **self.store.read(ANALYSISRUN, "n", "run")}

    def emit(self, _about: dict[str, Any], type_: str, reason: str, message: str) -> None:
        self.outcome.events.append((type_, reason, message))

    def answer(self, request: Request, address: str) -> Response | TransportError | Later:
        parameters = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        parameters |= dict(request.query)
        script = self.row.get("provider_answer") or {"close": True}
        asked = Asked(self.now, request.method, parameters, dict(request.headers))
        if isinstance(script, dict) and script.get("refused"):
            host = address.partition("://")[2]
            return TransportError(f"dial tcp {host}: connect: connection refused")
        self.outcome.asked.append(asked)
        return _scripted(self.next_of(script, asked))

    def next_of(self, script: Any, asked: Asked) -> dict[str, Any]:
        """The part of a script that answers this request; of a list the next, the last for ever."""
        query = asked.parameters.get("query", "")
        while True:
            if isinstance(script, list):
                number = self.counts.get(query, 0)
                self.counts[query] = number + 1
                script = script[min(number, len(script) - 1)]
            elif "by_method" in script:
                script = script["by_method"][asked.method]
            elif "by_query" in script:
                script = script["by_query"].get(query, {"http": 404})
            else:
                return dict(script)


def _scripted(answer: dict[str, Any]) -> Response | TransportError | Later:
    found: Response | TransportError
    if "body" in answer or "raw" in answer:
        text = answer["raw"] if "raw" in answer else json.dumps(answer["body"])
        headers = {"Content-Type": answer.get("type", "application/json")}
        headers |= answer.get("headers") or {}
        found = Response(answer.get("http", 200), headers, text.encode())
        if answer.get("claim_length", 0) > len(text):
            found = TransportError("unexpected EOF", bare=True)
    elif "http" in answer:
        found = Response(answer["http"])
    else:
        found = TransportError("EOF", closed=True)
    hang = answer.get("hang_s")
    return found if hang is None else Later(timedelta(seconds=hang), found)


def _fractions(expect: dict[str, Any]) -> list[float]:
    """The part of a second at which the recorded run began. The status keeps whole seconds, so the
    first gap of the recording is short by just that part; a whole gap by none of it or all."""
    first = expect.get("first_request_after_s") or 0.0
    gaps = [g for g in expect.get("seconds_between_requests") or [] if g]
    seen = first or (gaps[0] if gaps else 0.0)
    begun = round(-seen % 1.0, 3)
    return [begun] if begun or not seen else [0.0, 0.99]


def _spec_differences(expect: dict[str, Any], status: dict[str, Any]) -> list[str]:
    """A run that ends for its spec: phase and message, and nothing else was written; one that was
    measured for all that has started."""
    found = [
        *_differs("phase", expect["phase"], status.get("phase")),
        *_differs("message", expect["message"], status.get("message")),
    ]
    if "assessed" not in (expect["message"] or ""):
        written = sorted(status.keys() & {"startedAt", "completedAt", "metricResults"})
        found += _differs("also written", [], written)
        found += _differs("runSummary", {}, status.get("runSummary"))
    return found


def _run_differences(expect: dict[str, Any], status: dict[str, Any]) -> list[str]:
    dry = status.get("dryRunSummary")
    return [
        *_differs("phase", expect["run_phase"], status.get("phase", "")),
        *_texts("message", expect.get("run_message") or "", status.get("message", "")),
        *_differs("runSummary", expect["runSummary"], _full(status.get("runSummary"))),
        *_differs("dryRunSummary", expect["dryRunSummary"], None if dry is None else _full(dry)),
        *_differs("completedAt", expect["has_completedAt"], "completedAt" in status),
    ]


def _metric_differences(expect: dict[str, Any], status: dict[str, Any]) -> list[str]:
    recorded = expect.get("metrics")
    if recorded is None:
        metric = expect.get("metric")
        recorded = [{**metric, "measurements": expect["measurements"]}] if metric else []
    ours = {r["name"]: r for r in status.get("metricResults") or []}
    found = _differs("metrics", sorted(m["name"] for m in recorded), sorted(ours))
    for metric in recorded:
        name, our = metric["name"], ours.get(metric["name"])
        if our is None:
            continue
        found += _texts(f"{name}.message", metric.get("message") or "", our.get("message", ""))
        for key, empty in (("phase", ""), ("dryRun", False), ("metadata", None)):
            found += _differs(f"{name}.{key}", metric.get(key) or empty, our.get(key) or empty)
        for key in COUNTERS:
            found += _differs(f"{name}.{key}", metric.get(key, 0), our.get(key, 0))
        found += _measurement_differences(name, metric["measurements"], our["measurements"])
    return found


def _measurement_differences(name: str, recorded: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[str]:
    found = _differs(f"{name}: number of measurements", len(recorded), len(ours))
    for index, (theirs, our) in enumerate(zip(recorded, ours, strict=False)):
        at = f"{name}[{index}]"
        found += _differs(f"{at}.phase", theirs["phase"], our["phase"])
        found += _differs(f"{at}.value", theirs.get("value"), our.get("value"))
        found += _differs(f"{at}.metadata", theirs.get("metadata"), our.get("metadata"))
        found += _texts(f"{at}.message", theirs.get("message") or "", our.get("message", ""))
    return found


def _request_differences(expect: dict[str, Any], outcome: Outcome) -> list[str]:
    asked = outcome.asked
    found = _differs("requests", expect["requests"], len(asked))
    if not asked or found:
        return found
    if expect.get("request_methods") is not None:
        found += _differs("methods", expect["request_methods"], [a.method for a in asked])
    if expect.get("request_params") is not None:
        found += _differs("parameters", expect["request_params"], sorted(asked[0].parameters))
    for key, value in (expect.get("request_headers") or {}).items():
        sent = {k.lower(): v for k, v in asked[0].headers.items()}
        found += _differs(f"header {key}", value, sent.get(key.lower()))
    moments = [a.at for a in asked]
    gaps = [(b - a).total_seconds() for a, b in pairwise(moments)]
    first = (moments[0] - outcome.created).total_seconds()
    found += _durations("first request", [expect.get("first_request_after_s") or 0.0], [first])
    found += _durations("gaps", expect.get("seconds_between_requests") or [], gaps)
    return found


def _durations(what: str, recorded: list[float], ours: list[float]) -> list[str]:
    if len(recorded) == len(ours) and all(
        -1.0 <= our - their <= 0.5 for their, our in zip(recorded, ours, strict=True)
    ):
        return []
    return [f"{what}: recorded {recorded}, ours {ours}"]


def _texts(what: str, recorded: str, ours: str) -> list[str]:
    """Texts of the client's JSON decoder change between versions: only their start counts."""
    if DECODER not in recorded:
        return _differs(what, recorded, ours)
    return _differs(what, _start(recorded), _start(ours))


def _start(text: str) -> str:
    before, quoted, message = text.rpartition("Error Message: ")
    return before + quoted + message.partition(":")[0]


def _full(summary: dict[str, Any] | None) -> dict[str, int]:
    return {key: (summary or {}).get(key, 0) for key in SUMMARY}


def _differs(what: str, recorded: Any, ours: Any) -> list[str]:
    return [] if recorded == ours else [f"{what}: recorded {recorded!r}, ours {ours!r}"]
