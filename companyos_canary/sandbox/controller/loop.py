"""Which Rollouts need a pass, and when: the work queue of the controller; the template of a
workloadRef, and what is not emulated and refused before it would be ignored."""

import copy
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from companyos_canary.analysis.arguments import TemplateError
from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.controller.context import Pass
from companyos_canary.sandbox.controller.one_pass import reconcile
from companyos_canary.sandbox.controller.roles import release_services
from companyos_canary.sandbox.controller.status import WORKLOAD
from companyos_canary.sandbox.errors import ApiStatus
from companyos_canary.sandbox.events import Emit
from companyos_canary.sandbox.kinds import ANALYSISRUN, DEPLOYMENT, REPLICASET, ROLLOUT, SERVICE
from companyos_canary.sandbox.objects import Object, is_owned
from companyos_canary.sandbox.store import Change, Store

_STEPS = ("experiment", "setCanaryScale", "setHeaderRoute", "setMirrorRoute", "plugin")
_OTHERS = {"Experiment": "the sandbox does not run Experiments"}


def refusal(rollout: Mapping[str, Any]) -> str | None:
    """One sentence that says why this object cannot be played here, or None: an Experiment, or a
    Rollout with what the controller does not do. What the real controller would call invalid is
    not refused: it becomes an InvalidSpec."""
    kind = rollout.get("kind", "Rollout")
    if kind != "Rollout":
        return _OTHERS.get(kind)
    spec = rollout.get("spec") or {}
    strategy = spec.get("strategy") or {}
    canary = strategy.get("canary") or {}
    if strategy.get("blueGreen") is not None and strategy.get("canary") is None:
        return _not_here("spec.strategy.blueGreen")
    for field in ("trafficRouting", "antiAffinity"):
        if canary.get(field) is not None:
            return _not_here(f"spec.strategy.canary.{field}")
    for index, step in enumerate(canary.get("steps") or []):
        for kind in _STEPS:
            if isinstance(step, Mapping) and step.get(kind) is not None:
                return _not_here(f"spec.strategy.canary.steps[{index}].{kind}")
    workload = spec.get("workloadRef")
    if workload is not None and workload.get("kind") != "Deployment":
        return _not_here("spec.workloadRef to another kind than Deployment")
    if workload is not None and (workload.get("scaleDown") or "never") != "never":
        return _not_here("spec.workloadRef.scaleDown")
    return None


def _not_here(what: str) -> str:
    return f"the sandbox does not emulate `{what}`"


def resolve(store: Store, rollout: Object) -> Object | None:
    """The Rollout with the template and selector of its Deployment filled in, and the
    Deployment's generation noted on it; None while there is no such Deployment."""
    reference = rollout["spec"].get("workloadRef")
    if not reference or reference.get("kind") != "Deployment":
        return rollout
    namespace = rollout["metadata"].get("namespace", "")
    found = store.get(DEPLOYMENT, namespace, reference.get("name", ""))
    if found is None:
        return None
    generation = str(found["metadata"].get("generation", 1))
    annotations = rollout["metadata"].get("annotations") or {}
    if annotations.get(WORKLOAD) != generation:
        new = copy.deepcopy(rollout)
        new["metadata"].setdefault("annotations", {})[WORKLOAD] = generation
        rollout = store.update(ROLLOUT, new, expect=new["metadata"]["resourceVersion"])
    spec = dict(rollout["spec"])
    spec["template"] = copy.deepcopy(found["spec"]["template"])
    spec["selector"] = spec.get("selector") or copy.deepcopy(found["spec"]["selector"])
    return {**rollout, "spec": spec}


_FIRST_RETRY = timedelta(milliseconds=1)
_LAST_RETRY = timedelta(seconds=10)
_TICK = timedelta(milliseconds=1)
_OWNED = (REPLICASET, ANALYSISRUN)


class RolloutController:
    """`emit` writes an Event about an object. One `step` makes one pass over one Rollout."""

    def __init__(self, store: Store, emit: Emit) -> None:
        self._store = store
        self._emit = emit
        self._seen = 0
        self._known: dict[str, Object] = {}
        self._due: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}

    def step(self, now: datetime) -> datetime | None:
        """A pass for the Rollout that waits longest; when the next one is due, None without."""
        self._notice(now)
        ready = [uid for uid, at in self._due.items() if at <= now]
        if ready:
            uid = min(ready, key=lambda u: self._due[u])
            del self._due[uid]
            self._pass(uid, now)
            self._notice(now)
        return min(self._due.values(), default=None)

    def _notice(self, now: datetime) -> None:
        """Queues every Rollout that something happened to since the last look."""
        try:
            changes = self._store.changes(self._seen)
        except ApiStatus:  # the log is shorter than the time away: look at all
            self._seen, changes = self._store.version, []
            for rollout in self._store.items(ROLLOUT):
                self._queue(rollout, now)
        for change in changes:
            self._seen = change.version
            for rollout in self._touched(change):
                self._queue(rollout, now)

    def _queue(self, rollout: Object, now: datetime) -> None:
        """A failing Rollout keeps its time: events do not shorten the back-off."""
        uid = rollout["metadata"]["uid"]
        if uid not in self._known:
            meta = rollout["metadata"]
            where = f"{meta.get('namespace', '')}/{meta['name']}"
            message = f"Rollout resource added to informer: {where}"
            self._known[uid] = rollout
            self._emit(rollout, "Normal", "RolloutAddedToInformer", message)
        self._known[uid] = rollout
        if not (uid in self._failures and uid in self._due):
            self._due[uid] = now

    def _touched(self, change: Change) -> Iterator[Object]:
        obj, namespace = change.object, change.object["metadata"].get("namespace", "")
        if change.kind is ROLLOUT:
            if change.type == "DELETED":
                self._forget(obj)
            else:
                yield obj
        elif change.kind in _OWNED:
            if change.kind is ANALYSISRUN and not _phase_moved(change):
                return
            yield from (r for r in self._rollouts(namespace) if is_owned(obj, r["metadata"]["uid"]))
        elif change.kind in (SERVICE, DEPLOYMENT):
            name = obj["metadata"]["name"]
            yield from (r for r in self._rollouts(namespace) if name in _references(r))

    def _rollouts(self, namespace: str) -> list[Object]:
        return self._store.items(ROLLOUT, namespace)

    def _forget(self, rollout: Object) -> None:
        uid, meta = rollout["metadata"]["uid"], rollout["metadata"]
        for table in (self._known, self._due, self._failures):
            table.pop(uid, None)
        where = f"{meta['name']}/{meta.get('namespace', '')}"
        self._emit(rollout, "Normal", "RolloutDeleted", f"Rollout {where} is deleted.")
        release_services(self._work(rollout, self._store.now()))

    def _pass(self, uid: str, now: datetime) -> None:
        meta = self._known[uid]["metadata"]
        stored = self._store.get(ROLLOUT, meta.get("namespace", ""), meta["name"])
        if stored is None or stored["metadata"]["uid"] != uid or _is_going(stored):
            return
        try:
            rollout = resolve(self._store, stored)
            if rollout is None:
                return
            work = self._work(rollout, now)
            fine = reconcile(work)
        except (TemplateError, ApiStatus):
            self._fail(uid, now)
        else:
            self._plan(uid, work, fine)

    def _plan(self, uid: str, work: Pass, fine: bool) -> None:
        """When to look again without any change."""
        if not fine:
            self._fail(uid, work.now)
            return
        self._failures.pop(uid, None)
        later = [at + _TICK for at in work.wake_at if at + _TICK > work.now]
        if later:
            self._due[uid] = min(later)

    def _fail(self, uid: str, now: datetime) -> None:
        """Tries again, later each time."""
        tries = self._failures[uid] = self._failures.get(uid, 0) + 1
        self._due[uid] = now + min(_FIRST_RETRY * 2 ** min(tries - 1, 20), _LAST_RETRY)

    def _work(self, rollout: Object, now: datetime) -> Pass:
        meta = rollout["metadata"]
        namespace, uid = meta.get("namespace", ""), meta["uid"]
        owned = [s for s in self._store.items(REPLICASET, namespace) if is_owned(s, uid)]
        runs = [a for a in self._store.items(ANALYSISRUN, namespace) if is_owned(a, uid)]
        view = Rollout.from_object(rollout)
        copies = [dict(s) for s in owned]  # a pass notes its own writes in these
        return Pass(self._store, self._emit, now, rollout, view, copies, runs)


def _phase_moved(change: Change) -> bool:
    if change.before is None or change.type == "DELETED":
        return True
    phases = [(o.get("status") or {}).get("phase") for o in (change.before, change.object)]
    return phases[0] != phases[1]


def _references(rollout: Object) -> set[str]:
    """Names of services and workloads that a Rollout refers to."""
    spec = rollout["spec"]
    canary = (spec.get("strategy") or {}).get("canary") or {}
    names = (canary.get("stableService"), canary.get("canaryService"),
             (spec.get("workloadRef") or {}).get("name"))  # fmt: skip
    return {n for n in names if n}


def _is_going(rollout: Object) -> bool:
    return bool(rollout["metadata"].get("deletionTimestamp"))
