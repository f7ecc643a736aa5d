"""How the acting parts share a store: order, wakes, real time, events, pods."""

import threading
import time
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from companyos_canary.argo.pods import pod_status, ready_containers
from companyos_canary.model.http import Request, Response
from companyos_canary.model.workload import Pod
from companyos_canary.sandbox.cluster import Cluster
from companyos_canary.sandbox.events import COMBINED, Events
from companyos_canary.sandbox.kinds import ANALYSISRUN, CONFIGMAP, EVENT, POD, REPLICASET, ROLLOUT, SERVICE
from companyos_canary.sandbox.kubelet import READY_AFTER
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.store import Informer, Store
from tests.clock import Clock
from tests.sandbox.stage import NAME, NS, Stage, template


def replicaset(replicas: int, tag: str = "v1", **annotations: str) -> Object:
    made = template(tag)
    made["metadata"]["annotations"] = annotations
    return {
        "metadata": {"name": "web", "namespace": NS},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {}}, "template": made},
    }


def world(obj: Object) -> tuple[Clock, Store, Cluster]:
    clock = Clock()
    store = Store(clock)
    store.create(REPLICASET, obj)
    return clock, store, Cluster(store, controller=False)


def advance(clock: Clock, cluster: Cluster, seconds: float) -> None:
    end = clock() + timedelta(seconds=seconds)
    while (wake := cluster.settle(clock())) is not None and wake <= end:
        clock.to(wake)
    clock.to(end)
    cluster.settle(end)


def pods(store: Store) -> list[Pod]:
    return [Pod.from_object(p) for p in store.items(POD, NS)]


def test_pods_are_ready_half_a_second_after_they_start() -> None:
    clock, store, cluster = world(replicaset(2))
    assert cluster.settle(clock()) == clock() + timedelta(seconds=0.5)
    assert [pod_status(p) for p in pods(store)] == ["ContainerCreating"] * 2
    advance(clock, cluster, 0.5)
    assert [(pod_status(p), ready_containers(p)) for p in pods(store)] == [("Running", (1, 1))] * 2
    status = store.read(REPLICASET, NS, "web")["status"]
    assert (status["replicas"], status["readyReplicas"], status["availableReplicas"]) == (2, 2, 2)


def test_an_annotation_says_when_a_pod_gets_ready() -> None:
    clock, store, cluster = world(replicaset(1, **{READY_AFTER: "3"}))
    advance(clock, cluster, 2.9)
    assert not pods(store)[0].ready
    advance(clock, cluster, 0.2)
    assert pods(store)[0].ready


@pytest.mark.parametrize(
    ("tag", "text", "phase"), [("bad1", "ImagePullBackOff", "Pending"), ("crash", "CrashLoopBackOff", "Running")]
)
def test_images_that_fail_wait_for_ever(tag: str, text: str, phase: str) -> None:
    clock, store, cluster = world(replicaset(1, tag))
    advance(clock, cluster, 100)
    assert (pod_status(pods(store)[0]), pods(store)[0].phase) == (text, phase)
    assert cluster.settle(clock()) is None


def test_unready_pods_go_first_then_the_youngest() -> None:
    clock, store, cluster = world(replicaset(2))
    advance(clock, cluster, 1)
    first = [p.name for p in pods(store)]
    for size in (4, 2):
        store.update(REPLICASET, replicaset(size))
        cluster.settle(clock())
    assert [p.name for p in pods(store)] == first
    store.update(REPLICASET, replicaset(1))
    cluster.settle(clock())
    by_age = sorted(store.changes(100), key=lambda c: c.version)
    eldest = next(c.object["metadata"]["name"] for c in by_age if c.kind is POD)
    assert [p.name for p in pods(store)] == [eldest]


def test_a_pod_that_is_deleted_is_replaced() -> None:
    clock, store, cluster = world(replicaset(1))
    advance(clock, cluster, 1)
    name = pods(store)[0].name
    store.delete(POD, NS, name)
    advance(clock, cluster, 1)
    assert [p.name != name and p.ready for p in pods(store)] == [True]


def test_a_cluster_at_rest_wants_nothing() -> None:
    stage = Stage([{"setWeight": 20}, {"pause": {}}])
    stage.run()
    version = stage.store.version
    assert stage.cluster.settle(stage.clock()) is None
    stage.clock.forward(86_400)
    assert stage.cluster.settle(stage.clock()) is None
    assert stage.store.version == version


def test_parts_that_undo_each_other_do_not_hold_up_the_clock() -> None:
    class Restless:
        def step(self, now: datetime) -> datetime | None:
            store.create(CONFIGMAP, {"metadata": {"name": f"c{store.version}", "namespace": NS}})
            return None

    clock = Clock()
    store = Store(clock)
    cluster = Cluster(store, traffic=Restless())
    wake = cluster.settle(clock())
    assert wake is not None
    assert wake > clock()


def test_without_a_controller_nobody_looks_at_rollouts() -> None:
    clock = Clock()
    store = Store(clock)
    spec = {"replicas": 1, "selector": {}, "template": template("v1"), "strategy": {"canary": {}}}
    store.create(ROLLOUT, {"metadata": {"name": NAME, "namespace": NS}, "spec": spec})
    assert Cluster(store, controller=False).settle(clock()) is None
    assert store.items(REPLICASET) == []


class Patient:
    """A provider that answers when the test says so."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.future: Future[Response] = Future()

    def submit(self, request: Request, address: str) -> Future[Response]:
        self.asked.set()
        return self.future


def soon(holds: Any) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end and not holds():
        threading.Event().wait(0.005)
    return bool(holds())


def test_in_real_time_it_acts_on_changes_and_answers_and_ends_when_told() -> None:
    store = Store(lambda: datetime.now(UTC))
    provider = Patient()
    cluster = Cluster(store, provider=provider)
    stop = threading.Event()
    thread = threading.Thread(target=cluster.run, args=(stop,), daemon=True)
    thread.start()
    prometheus = {"prometheus": {"address": "http://prometheus:9090", "query": "q"}}
    spec = {"metrics": [{"name": "m", "successCondition": "result > 0", "provider": prometheus}]}
    store.create(ANALYSISRUN, {"metadata": {"name": "run", "namespace": NS}, "spec": spec})
    assert provider.asked.wait(60)
    data = b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}'
    provider.future.set_result(Response(200, {}, data))

    def phase() -> str:
        status = store.read(ANALYSISRUN, NS, "run").get("status") or {}
        return str(status.get("phase", ""))

    assert soon(lambda: phase() == "Successful")
    stop.set()
    store.wake()
    thread.join(60)
    assert not thread.is_alive()


def noted(store: Store) -> list[tuple[str, int]]:
    found = sorted(store.items(EVENT), key=lambda e: int(e["metadata"]["resourceVersion"]))
    return [(e["message"], e["count"]) for e in found]


def emitter() -> tuple[Clock, Store, Events, Object]:
    clock = Clock()
    store = Store(clock)
    about = store.create(CONFIGMAP, {"metadata": {"name": "c", "namespace": NS}})
    return clock, store, Events(store, "test"), about


def test_equal_events_are_counted() -> None:
    _, store, events, about = emitter()
    for _ in range(3):
        events.emit(about, "Normal", "Paused", "Rollout is paused")
    assert noted(store) == [("Rollout is paused", 3)]


def test_many_different_events_of_one_reason_become_one() -> None:
    _, store, events, about = emitter()
    for number in range(14):
        events.emit(about, "Normal", "Scaling", f"to {number}")
    assert noted(store)[-1] == (f"{COMBINED}to 13", 5)
    assert len(noted(store)) == 10


def test_only_so_many_normal_events_are_kept_but_warnings_have_their_own_budget() -> None:
    clock, store, events, about = emitter()
    for number in range(40):
        events.emit(about, "Normal", f"Reason{number}", "m")
    events.emit(about, "Warning", "Aborted", "m")
    assert len(noted(store)) == 26
    clock.forward(300)
    for number in range(2):
        events.emit(about, "Normal", f"Later{number}", "m")
    assert len(noted(store)) == 27


def test_an_informer_sees_what_is_there_what_changes_and_what_a_short_log_hid() -> None:
    store = Store(Clock(), log_size=3)
    informer = Informer(store, CONFIGMAP)

    def put(name: str) -> None:
        store.create(CONFIGMAP, {"metadata": {"name": name, "namespace": NS}})

    def seen() -> list[tuple[str, str]]:
        return [(c.type, c.object["metadata"]["name"]) for c in informer.changes()]

    put("a")
    assert ("ADDED", "a") in seen()
    store.delete(CONFIGMAP, NS, "a")
    for name in "bcde":
        put(name)
    assert seen() == [("DELETED", "a"), *(("ADDED", n) for n in "bcde")]
    assert [o["metadata"]["name"] for o in informer.objects.values()] == list("bcde")
    assert seen() == []


class Counting:
    """A part that wants to act again at a moment, and counts its turns."""

    def __init__(self, again: datetime) -> None:
        self.again, self.turns = again, 0

    def step(self, now: datetime) -> datetime | None:
        self.turns += 1
        return self.again if now < self.again else None


def test_a_part_that_had_nothing_to_do_has_its_next_turn_at_its_time_and_after_a_change() -> None:
    clock = Clock()
    store, part = Store(clock), Counting(clock() + timedelta(seconds=10))
    cluster = Cluster(store, controller=False, replicasets=False, traffic=part)
    for _ in range(3):
        assert cluster.settle(clock()) == part.again
    assert part.turns == 1
    store.create(SERVICE, {"metadata": {"name": "web", "namespace": NS}})
    cluster.settle(clock())
    assert part.turns == 2
    cluster.settle(clock.forward(9))
    assert part.turns == 2
    assert cluster.settle(clock.forward(1)) is None
    assert part.turns == 3
    cluster.thaw()
    cluster.settle(clock())
    assert part.turns == 4
