"""The Rollouts controller: which Rollouts need a pass and when (its work queue), the order of one
pass (upstream rollout/controller.go, canary.go), and what it refuses because it does not emulate
it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from companyos_canary.analysis.arguments import TemplateError
from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.behaviour import PROMPT, V1_9, Lag, Pace, Queue, Release
from companyos_canary.sandbox.controller import pods, status
from companyos_canary.sandbox.controller.bluegreen import begin, blue_green_pass
from companyos_canary.sandbox.controller.conditions import before_the_pass
from companyos_canary.sandbox.controller.experiments import find_experiment, reconcile_experiments, reconcile_plugins
from companyos_canary.sandbox.controller.passes import Answer, Ask, Pass, selector_of
from companyos_canary.sandbox.controller.pauses import enter_pause
from companyos_canary.sandbox.controller.pods import restart_pods
from companyos_canary.sandbox.controller.replicasets import (
    create_set,
    drop_old_sets,
    find_sets,
    scale_workload,
    sync_revision,
)
from companyos_canary.sandbox.controller.roles import free_service, reconcile_services, services_of, sync_metadata
from companyos_canary.sandbox.controller.routers import not_emulated
from companyos_canary.sandbox.controller.routers.router import RouterError
from companyos_canary.sandbox.controller.routing import reconcile_routing
from companyos_canary.sandbox.controller.runs import find_current, reconcile_runs
from companyos_canary.sandbox.controller.template import with_workload_template
from companyos_canary.sandbox.controller.validity import Validity
from companyos_canary.sandbox.events import Emit
from companyos_canary.sandbox.kinds import ANALYSISRUN, DEPLOYMENT, EXPERIMENT, INGRESS, REPLICASET, ROLLOUT, SERVICE
from companyos_canary.sandbox.objects import ApiStatus, Object, is_owned
from companyos_canary.sandbox.store import Change, Store

_FIRST_RETRY = timedelta(milliseconds=1)
_LAST_RETRY = timedelta(seconds=10)
_TICK = timedelta(milliseconds=1)
_AGAIN = timedelta(seconds=20)  # without its workload
_OWNED = (REPLICASET, ANALYSISRUN, EXPERIMENT)


class RolloutController:
    """`emit` writes an Event about an object. One `step` makes one pass over one Rollout. `ask_plugin` asks the
    plugin of a step."""

    def __init__(
        self,
        store: Store,
        emit: Emit,
        release: Release = V1_9,
        pace: Pace = PROMPT,
        lag: Lag | None = None,
        *,
        ask_plugin: Ask = lambda _: Answer(),
    ) -> None:
        self._store = store
        self._emit = emit
        self._release = release
        self._seen = 0
        self._known: dict[str, Object] = {}
        self._due, self._writing = Queue(pace.rollouts), Queue()
        self._takes = pace.takes
        self._read: dict[str, Object] = {}
        self._failures: dict[str, int] = {}
        self._validity = Validity()
        self._lag = lag or Lag()
        self._ask_plugin = ask_plugin

    def step(self, now: datetime) -> datetime | None:
        """A pass for the Rollout that waits longest; when the next one is due, None without."""
        self._notice(now)
        if (begun := self._due.take(now)) is not None:
            self._begin(begun, now)
        if (uid := self._writing.take(now)) is not None:
            self._pass(uid, self._read.pop(uid), now)
            self._notice(now)
        return min((at for at in (self._due.next, self._writing.next) if at is not None), default=None)

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
            self._free_services(change)
            for rollout in self._touched(change):
                self._queue(rollout, now)

    def _free_services(self, change: Change) -> None:
        """Looks after the Services that a change is about, or to which the Rollout referred before it."""
        obj, names = change.object, set[str]()
        if change.kind is SERVICE:
            names = {obj["metadata"]["name"]}
        elif change.kind is ROLLOUT and change.before is not None:
            names = services_of(change.before) - (set() if change.type == "DELETED" else services_of(obj))
        for name in sorted(names):
            free_service(self._store, obj["metadata"].get("namespace", ""), name)

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
            self._due.changed(uid, now)

    def _touched(self, change: Change) -> Iterator[Object]:
        obj, namespace = change.object, change.object["metadata"].get("namespace", "")
        if change.kind is ROLLOUT:
            if change.type == "DELETED":
                self._forget(obj)
            else:
                yield obj
        elif change.kind in _OWNED:
            if change.kind in (ANALYSISRUN, EXPERIMENT) and not _phase_moved(change):
                return
            yield from (r for r in self._rollouts(namespace) if is_owned(obj, r["metadata"]["uid"]))
        elif change.kind in (SERVICE, DEPLOYMENT, INGRESS):
            # what is deleted, and a Service without a hash, the controller overlooks until something else happens
            if change.type == "DELETED" or (change.kind is SERVICE and not selector_of(obj)):
                return
            name = obj["metadata"]["name"]
            yield from (r for r in self._rollouts(namespace) if name in _references(r))

    def _rollouts(self, namespace: str) -> list[Object]:
        return self._store.items(ROLLOUT, namespace)

    def _forget(self, rollout: Object) -> None:
        uid, meta = rollout["metadata"]["uid"], rollout["metadata"]
        self._due.drop(uid)
        self._writing.drop(uid)
        for table in (self._known, self._failures):
            table.pop(uid, None)
        self._validity.forget(uid)
        where = f"{meta['name']}/{meta.get('namespace', '')}"
        self._emit(rollout, "Normal", "RolloutDeleted", f"Rollout {where} is deleted.")

    def _begin(self, uid: str, now: datetime) -> None:
        """Reads the Rollout; the pass over it follows as soon as the one before has ended."""
        if uid in self._writing:
            self._due.put(uid, self._writing.next or now)
            return
        meta = self._known[uid]["metadata"]
        stored = self._store.get(ROLLOUT, meta.get("namespace", ""), meta["name"])
        if stored is not None and stored["metadata"]["uid"] == uid and not _is_going(stored):
            self._read[uid] = stored
            self._writing.put(uid, now + self._takes)

    def _pass(self, uid: str, stored: Object, now: datetime) -> None:
        try:
            rollout = with_workload_template(self._store, stored)
            if isinstance(rollout, str):
                state, fine = self._state(stored, now), True
                status.write_conditions(state, [_invalid(state, rollout)])
                state.wake_at.append(now + _AGAIN)
            else:
                state = self._state(rollout, now)
                fine = reconcile(state, self._validity)
        except (TemplateError, RouterError, ApiStatus):
            self._fail(uid, now)
        else:
            self._plan(uid, state, fine)

    def _plan(self, uid: str, state: Pass, fine: bool) -> None:
        """When to look again without any change."""
        if not fine:
            self._fail(uid, state.now)
            return
        self._failures.pop(uid, None)
        later = [at + _TICK for at in state.wake_at if at + _TICK > state.now]
        if later:
            self._due.put(uid, min(later))

    def _fail(self, uid: str, now: datetime) -> None:
        """Tries again, later each time."""
        tries = self._failures[uid] = self._failures.get(uid, 0) + 1
        self._due.put(uid, now + min(_FIRST_RETRY * 2 ** min(tries - 1, 20), _LAST_RETRY))

    def _state(self, rollout: Object, now: datetime) -> Pass:
        meta = rollout["metadata"]
        namespace, uid = meta.get("namespace", ""), meta["uid"]
        owned = [s for s in self._store.items(REPLICASET, namespace) if is_owned(s, uid)]
        runs = [a for a in self._store.items(ANALYSISRUN, namespace) if is_owned(a, uid)]
        view = Rollout.from_object(rollout)
        copies = [dict(s) for s in owned]  # a pass notes its own writes in these
        state = Pass(self._store, self._emit, now, rollout, view, copies, runs, release=self._release, lag=self._lag)
        state.weights = state.view_weights
        state.plugins = (state.status.get("canary") or {}).get("stepPluginStatuses") or []
        state.ask_plugin = self._ask_plugin
        state.experiments = [e for e in self._store.items(EXPERIMENT, namespace) if is_owned(e, uid)]
        return state


def _phase_moved(change: Change) -> bool:
    if change.before is None or change.type == "DELETED":
        return True
    phases = [(o.get("status") or {}).get("phase") for o in (change.before, change.object)]
    return phases[0] != phases[1]


def _references(rollout: Object) -> set[str]:
    """Names of Services, workloads and Ingresses that a Rollout refers to."""
    spec = rollout["spec"]
    strategy = spec.get("strategy") or {}
    canary = strategy.get("canary") or {}
    names = {*services_of(rollout), (spec.get("workloadRef") or {}).get("name")}
    routing = canary.get("trafficRouting") or {}
    for router, one, several in (("nginx", "stableIngress", "stableIngresses"), ("alb", "ingress", "ingresses")):
        settings = routing.get(router) or {}
        names |= {settings.get(one), *(settings.get(several) or [])}
    return {n for n in names if n}


def _is_going(rollout: Object) -> bool:
    return bool(rollout["metadata"].get("deletionTimestamp"))


def reconcile(state: Pass, validity: Validity) -> bool:
    """One pass; whether the spec was valid. At most one ReplicaSet is scaled, at most one step
    completes; what remains is left to the next pass."""
    if _is_invalid(state, validity):
        return False
    state.restarted_at = status.restarted_at(state)
    find_sets(state)
    if _writes_revision(state) or _writes_early(state):
        return True
    find_current(state)
    find_experiment(state)
    if state.view.blue_green is not None:
        begin(state)
    if pods.is_scaling_event(state):  # also where the template has changed with it: the steps of before decide
        if state.view.blue_green is not None:
            pods.scale_blue_green(state)
        else:
            pods.scale(state)
        status.write_counts(state)
    elif status.is_changed(state):
        status.write_reset(state)
    elif state.view.blue_green is not None:
        drop_old_sets(state)
        blue_green_pass(state)
        scale_workload(state)
    else:
        _full_pass(state)
    return True


def _writes_revision(state: Pass) -> bool:
    """Sees to it that the template has a ReplicaSet with the newest revision; whether the pass ends
    behind that."""
    if state.canary is None:
        return not create_set(state) or state.release.ends_passes
    return sync_revision(state) and state.release.ends_passes


def _writes_early(state: Pass) -> bool:
    """What is written before anything is decided; whether the pass ends behind it."""
    if state.promoted and state.view.aborted:
        state.pauses.unabort = True
    if state.rollout["spec"].get("replicas") is None:
        _default_replicas(state)
        return True
    wanted = before_the_pass(state) if state.view.observed or not state.release.ends_passes else []
    if wanted:
        status.write_conditions(state, wanted)
    return bool(wanted) and state.release.ends_passes


def _is_invalid(state: Pass, validity: Validity) -> bool:
    """Checks the spec and, if there is a fault, writes it into the status. Without a usable selector the controller
    does not come as far as that, and does nothing at all."""
    fault = validity.fault(state)
    if fault is not None and not fault.field.startswith("spec.selector."):
        status.write_conditions(state, [_invalid(state, fault)])
    return fault is not None


def _invalid(state: Pass, why: object) -> tuple[str, str, str, str]:
    return "InvalidSpec", "True", "InvalidSpec", f'The Rollout "{state.view.name}" is invalid: {why}'


def _full_pass(state: Pass) -> None:
    if restart_pods(state):
        return
    sync_metadata(state)
    drop_old_sets(state)
    reconcile_services(state)
    reconcile_routing(state)
    reconcile_experiments(state)
    reconcile_runs(state)
    if not (state.pauses.added or pods.scale(state) or enter_pause(state)):
        reconcile_plugins(state)
    scale_workload(state)
    status.write(state)


def _default_replicas(state: Pass) -> None:
    stored = state.store.read(ROLLOUT, state.view.namespace, state.view.name)
    state.write(ROLLOUT, {**stored, "spec": {**stored["spec"], "replicas": 1}})


def refusal(rollout: Mapping[str, Any]) -> str | None:
    """One sentence that says why this object cannot be played here, or None: an Experiment, or a
    Rollout with what the controller does not do. What the real controller would call invalid is
    not refused: it becomes an InvalidSpec."""
    kind = rollout.get("kind", "Rollout")
    if kind != "Rollout":
        return None
    spec = rollout.get("spec") or {}
    strategy = spec.get("strategy") or {}
    canary = strategy.get("canary") or {}
    if (router := not_emulated(canary.get("trafficRouting") or {})) is not None:
        return _not_here(f"spec.strategy.canary.trafficRouting.{router}")
    workload = spec.get("workloadRef")
    if workload is not None and workload.get("kind") != "Deployment":
        return _not_here("spec.workloadRef to another kind than Deployment")
    return None


def _not_here(what: str) -> str:
    return f"the sandbox does not emulate `{what}`"
