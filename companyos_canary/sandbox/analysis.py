"""Reconciles AnalysisRuns: asks the provider what the judge finds due and writes its verdicts."""

import base64
import binascii
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from companyos_canary.analysis.arguments import ArgumentError
from companyos_canary.analysis.judge import Plan, Taken, Verdict, conclude, is_in_progress, is_terminating, plan
from companyos_canary.analysis.measurement import Measured, MeasurementError, judged, question
from companyos_canary.analysis.schedule import expires_at
from companyos_canary.analysis.webmetric import web_fault
from companyos_canary.model.http import Response
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.row import COMPLETED
from companyos_canary.sandbox.behaviour import V1_9, Delay, Release, prompt
from companyos_canary.sandbox.kinds import ANALYSISRUN, SECRET
from companyos_canary.sandbox.objects import ApiStatus, Object, copied
from companyos_canary.sandbox.provider import Provider, TransportError
from companyos_canary.sandbox.store import Store

Emit = Callable[[Object, str, str, str], None]
"""(about, type, reason, message) -> an Event object."""

_JOB = timedelta(seconds=2)
"""How long a Job runs."""
_LONGEST_NAME = 63
# Between two looks at one run: an interval below a second is over as soon as times are cut.
_BREATH = timedelta(milliseconds=50)


class _Batch(Struct):
    """The measurements of one run that are in progress: it continues when all are there."""

    run: Object
    plan: Plan
    started_at: datetime
    asked: dict[str, Future[Response]] = field(default_factory=dict)
    taken: dict[str, Taken] = field(default_factory=dict)


class AnalysisController:
    """Steps every unfinished AnalysisRun of the store. Owns no thread; an answer of the provider
    has to be followed by a `step`. Nothing runs a Job and no one answers a web metric here: whether
    these succeed says `is_good`, of the run; `pulls`: whether an image can be had."""

    def __init__(
        self,
        store: Store,
        provider: Provider,
        emit: Emit,
        release: Release = V1_9,
        delay: Delay = prompt,
        *,
        is_good: Callable[[Object], bool] = lambda _: True,
        pulls: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._is_good, self._pulls = is_good, pulls
        self._store = store
        self._provider = provider
        self._emit = emit
        self._release = release
        self._delay = delay
        self._batches: dict[str, _Batch] = {}
        self._asleep: dict[str, tuple[str, datetime | None]] = {}
        self._due: dict[str, datetime] = {}

    def step(self, now: datetime) -> datetime | None:
        """Does all that is due at `now`; when the next measurement is, None if only a change or an
        answer can move anything."""
        runs = {
            r["metadata"]["uid"]: r
            for r in self._store.items(ANALYSISRUN)
            if not r["metadata"].get("deletionTimestamp")
        }
        self._batches = {u: b for u, b in self._batches.items() if u in runs}
        self._asleep = {u: a for u, a in self._asleep.items() if u in runs}
        self._due = {u: a for u, a in self._due.items() if u in runs}
        wakes = [self._reconcile(uid, run, now) for uid, run in runs.items()]
        return min((w for w in wakes if w is not None), default=None)

    def _reconcile(self, uid: str, run: Object, now: datetime) -> datetime | None:
        version, wake_at = self._asleep.get(uid, ("", None))
        if version == run["metadata"]["resourceVersion"] and (wake_at is None or wake_at > now):
            return wake_at
        if (run.get("status") or {}).get("phase") in COMPLETED:
            return self._expired(uid, run, now)
        if version != run["metadata"]["resourceVersion"] and uid not in self._batches:
            due = self._due.setdefault(uid, now + self._delay())
            turn = due if wake_at is None else min(due, wake_at)
            if turn > now:
                return turn
        self._due.pop(uid, None)
        batch = self._batches.get(uid) or self._begin(uid, run, now)
        self._gather(batch, now)
        if batch.asked:
            return None
        del self._batches[uid]
        verdict = conclude(batch.run, batch.plan, batch.taken, now)
        written = self._write(run, verdict)
        if written is None:
            return None
        if verdict.status["phase"] in COMPLETED:
            return self._expired(uid, written, now)
        if _has_lost(verdict) or written.get("spec") != batch.run.get("spec"):
            return self._reconcile(uid, written, now)
        moments = [verdict.wake_at, *map(_job_ends, verdict.status.get("metricResults") or ())]
        wake_at = min((max(m, now + _BREATH) for m in moments if m is not None), default=None)
        self._asleep[uid] = written["metadata"]["resourceVersion"], wake_at
        return wake_at

    def _begin(self, uid: str, run: Object, now: datetime) -> _Batch:
        namespace = run["metadata"].get("namespace", "")
        found = plan(run, now, lambda name, key: self._secret(namespace, name, key))
        batch = _Batch(run, found, now)
        self._batches[uid] = batch
        for metric in found.due:
            self._ask(batch, metric, now)
        self._look_at_jobs(batch, now)
        return batch

    def _look_at_jobs(self, batch: _Batch, now: datetime) -> None:
        """Those that have ended, or are ended because the run is."""
        spec, results = batch.run.get("spec") or {}, (batch.run.get("status") or {}).get("metricResults") or []
        metrics = {m.get("name") or "": m for m in batch.plan.metrics}
        for result in results:
            ends, name = _job_ends(result), result.get("name") or ""
            if ends is None or name not in metrics:
                continue
            if is_terminating(spec, results):
                batch.taken[name] = Taken(Measured("Successful", message="Metric Terminated"), now, now)
            elif ends <= now:
                batch.taken[name] = Taken(self._outcome(batch.run, metrics[name]), now, now)

    def _ask(self, batch: _Batch, metric: Mapping[str, Any], now: datetime) -> None:
        name = metric.get("name") or ""
        if "job" in metric["provider"]:
            batch.taken[name] = Taken(Measured("Running", metadata=_job_of(batch.run, name)), now, None)
            return
        if "web" in metric["provider"]:
            fault = web_fault(metric["provider"]["web"] or {})
            measured = Measured("Error", message=fault) if fault else self._outcome(batch.run, metric)
            batch.taken[name] = Taken(measured, now, now)
            return
        try:
            asks = question(metric if self._release.knows_basic_auth else _without_basic_auth(metric), now)
            batch.asked[name] = self._provider.submit(asks.request, asks.address)
        except MeasurementError as error:
            failed = Measured("Error", message=error.message, provider_failed=not error.asked)
            batch.taken[name] = Taken(failed, now, now)

    def _outcome(self, run: Object, metric: Mapping[str, Any]) -> Measured:
        """Of a Job or of a web metric. A Job whose image cannot be pulled fails in the end if no one notices."""
        job = metric["provider"].get("job") or {}
        pod = ((job.get("spec") or {}).get("template") or {}).get("spec") or {}
        containers = [c for key in ("initContainers", "containers") for c in pod.get(key) or []]
        stuck = next((c for c in containers if not self._pulls(str(c.get("image", "")))), None)
        if stuck is None:
            return Measured("Successful" if self._is_good(run) else "Failed")
        if not self._release.notices_stuck_jobs:
            return Measured("Failed")
        told = f"container {stuck.get('name', '')} has terminal error (ImagePullBackOff)"
        return Measured("Inconclusive", message=f"Pod {_name(run)}, {told}")

    def _gather(self, batch: _Batch, now: datetime) -> None:
        """Takes the answers that have come."""
        metrics = {m.get("name") or "": m for m in batch.plan.due}
        for name in [n for n, f in batch.asked.items() if f.done()]:
            future = batch.asked.pop(name)
            try:
                measured = judged(metrics[name], future.result(), now, named=self._release.names_conditions)
            except TransportError as error:
                measured = Measured("Error", message=error.message)
            batch.taken[name] = Taken(measured, batch.started_at, now)

    def _write(self, run: Object, verdict: Verdict) -> Object | None:
        """The run with its new status; None if it is gone."""
        found = self._store.get(ANALYSISRUN, run["metadata"].get("namespace", ""), _name(run))
        if found is None or found["metadata"]["uid"] != run["metadata"]["uid"]:
            return None
        written = self._store.update(ANALYSISRUN, {**found, "status": verdict.status})
        for event in verdict.events:
            self._emit(written, event.type, event.reason, event.message)
        return written

    def _expired(self, uid: str, run: Object, now: datetime) -> datetime | None:
        moment = expires_at(run)
        if moment is None or moment > now:
            self._asleep[uid] = run["metadata"]["resourceVersion"], moment
            return moment
        self._store.delete(ANALYSISRUN, run["metadata"].get("namespace", ""), _name(run))
        return None

    def _secret(self, namespace: str, name: str, key: str) -> str:
        try:
            secret = self._store.read(SECRET, namespace, name)
        except ApiStatus as status:
            raise ArgumentError(status.message) from None
        plain: Mapping[str, Any] = secret.get("stringData") or {}
        if key in plain:
            return str(plain[key])
        if key not in (secret.get("data") or {}):
            raise ArgumentError(f"key '{key}' does not exist in secret '{name}'")
        try:
            return base64.b64decode(secret["data"][key], validate=True).decode(errors="replace")
        except (binascii.Error, ValueError):
            raise ArgumentError(f"key '{key}' of secret '{name}' is not base64") from None


def _name(run: Object) -> str:
    return str(run["metadata"]["name"])


def _job_of(run: Object, metric: str) -> dict[str, str]:
    """The name of the Job for a metric's next measurement. Upstream: metricproviders/job `newJobName`."""
    results = (run.get("status") or {}).get("metricResults") or []
    before: Mapping[str, Any] = next((r for r in results if r.get("name") == metric), {})
    number = before.get("count", 0) + before.get("error", 0) + 1
    uid, meta = run["metadata"]["uid"], run["metadata"]
    room = _LONGEST_NAME - len(f"{uid}..{number}")
    return {"job-name": f"{uid}.{metric[:room]}.{number}", "job-namespace": meta.get("namespace", "")}


def _job_ends(result: Mapping[str, Any]) -> datetime | None:
    """When the Job of a metric's last measurement has run; None if there is none that runs."""
    started = parse_time(result["measurements"][-1].get("startedAt")) if is_in_progress(result) else None
    return started + _JOB if started else None


def _without_basic_auth(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    """As a server whose CRD does not have the field stores it."""
    changed = copied(dict(metric))
    provider = (changed.get("provider") or {}).get("prometheus") or {}
    (provider.get("authentication") or {}).pop("basicAuth", None)
    return changed


def _has_lost(verdict: Verdict) -> bool:
    """A metric ended the run already; its phase follows at the next look."""
    return any(
        r["phase"] in ("Failed", "Error", "Inconclusive") and not r.get("dryRun")
        for r in verdict.status.get("metricResults") or ()
    )
