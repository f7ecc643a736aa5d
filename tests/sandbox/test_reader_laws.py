"""What readers of the sandbox may rely on: whole objects, every change once, every object once."""

import itertools
import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.cluster.kinds import POD as PODS
from companyos_canary.cluster.kinds import Selection
from companyos_canary.cluster.reflector import Answered, Chunk, Ended, Input, Pushed, Reflector, Tick
from companyos_canary.errors import Unreachable
from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.faults.effects import Answer as Refuse
from companyos_canary.sandbox.faults.effects import Cut, Drop, Dropped, Expire, Fault, Silence
from companyos_canary.sandbox.faults.injection import Faulty
from companyos_canary.sandbox.kinds import CONFIGMAP, POD, ROLLOUT
from companyos_canary.sandbox.store import Change, Store
from tests.sandbox.api.client import ROLLOUTS, Client, connect, pod, rollout

NOW = datetime(2026, 5, 4, tzinfo=UTC)


class Crowd:
    """Threads that write one Rollout, a number in two places, and threads that read it."""

    def __init__(self) -> None:
        self.client = connect()
        made = rollout(replicas=0)
        made["metadata"]["annotations"] = {"n": "0"}
        self.client.post(ROLLOUTS, made)
        self.seen: list[tuple[str, int]] = []
        self.done = threading.Event()

    def look(self, obj: Any) -> None:
        self.seen.append((obj["metadata"]["annotations"]["n"], obj["spec"]["replicas"]))

    def write(self, first: int) -> None:
        for n in range(first, 250, 2):
            both = {"metadata": {"annotations": {"n": str(n)}}, "spec": {"replicas": n}}
            answer = self.client.patch(f"{ROLLOUTS}/demo", both)
            if answer.status != 409:  # after five lost races, as a real server
                self.look(answer.json())

    def read(self) -> None:
        while not self.done.is_set():
            self.look(self.client.get(f"{ROLLOUTS}/demo"))
            self.look(self.client.get(ROLLOUTS)["items"][0])
            self.look(self.client.store.read(ROLLOUT, "default", "demo"))

    def watch(self, version: str) -> None:
        events = self.client.watch(ROLLOUTS, resourceVersion=version)
        for event in itertools.takewhile(lambda e: e["type"] != "DELETED", events):
            self.look(event["object"])


def test_no_thread_ever_sees_a_torn_object() -> None:
    crowd = Crowd()
    version = str(crowd.client.store.version)
    writers = [threading.Thread(target=crowd.write, args=(first,), daemon=True) for first in (1, 2)]
    reader = threading.Thread(target=crowd.read, daemon=True)
    watcher = threading.Thread(target=crowd.watch, args=(version,), daemon=True)
    threads = (watcher, reader, *writers)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in writers:
            thread.join(120)
    finally:
        sys.setswitchinterval(interval)
        crowd.done.set()
    reader.join(120)
    crowd.client.delete(f"{ROLLOUTS}/demo")
    watcher.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert len(crowd.seen) > 300
    assert all(text == str(number) for text, number in crowd.seen)


class Reader:
    """Our reflector over the sandbox's handle. A watch gives what there is and ends in order; each
    request may meet a fault."""

    def __init__(self, log_size: int) -> None:
        self.store = Store(lambda: NOW, log_size=log_size)
        clock = itertools.count(0.0, 1000.0)  # every watch ends after one look at the log
        self.faulty = Faulty(Api(self.store, elapsed=clock.__next__).handle, sleep=lambda _: None)
        self.reflector = Reflector(Selection(PODS, "default", "app=a"), lambda: 0.5)
        self.now = NOW
        self.told: list[Pushed] = []
        self.lists = 0
        self.step = self.give(Tick())

    def give(self, what: Input) -> Any:
        self.step = self.reflector.step(what, self.now)
        self.told += self.step.events
        return self.step

    def turn(self, size: int) -> None:
        """One request and all that comes of it, in pieces of `size` bytes."""
        if self.step.request is None:
            self.now = self.step.wake_at or self.now + timedelta(seconds=100)
            self.give(Tick())
        request = self.step.request
        if request is None:
            return
        self.lists += not request.parameter("watch")
        try:
            answer = self.faulty(request)
        except (Dropped, OSError) as error:
            self.give(Ended(Unreachable(str(error))))
            return
        self.give(Answered(answer))
        if answer.stream is None or self.step.request is not None:
            return
        try:
            for piece in _pieces(answer.stream, size):
                if not self.give(Chunk(piece)).reading:
                    return
        except (Dropped, OSError) as error:
            self.give(Ended(Unreachable(str(error))))
            return
        self.now += timedelta(seconds=10)  # long enough to be no failure
        self.give(Ended())

    def settle(self) -> None:
        """Until a watch that met no fault brings nothing more."""
        self.faulty.clear()
        for _ in range(12):
            self.turn(64)


def _pieces(stream: Any, size: int) -> Iterator[bytes]:
    for line in stream:
        for start in range(0, len(line), size):
            yield line[start : start + size]


FAULTS = st.sampled_from([None, None, None, None, None, Drop(), Refuse(500), Refuse(429), Cut(1), Cut(2), Expire()])
TURNS = st.lists(
    st.one_of(
        st.tuples(
            st.just("write"), st.sampled_from(["put", "label", "delete"]), st.sampled_from("abc"), st.sampled_from("ab")
        ),
        st.tuples(st.just("read"), FAULTS, st.integers(1, 400), st.none()),
    ),
    min_size=6,
    max_size=30,
)


def _write(store: Store, verb: str, name: str, app: str, number: int) -> None:
    old = store.get(POD, "default", name)
    if verb == "delete" and old:
        store.delete(POD, "default", name)
    elif verb == "delete" or (verb == "label" and not old):
        return
    elif old:
        meta = {**old["metadata"], "labels": {"app": app}, "annotations": {"n": str(number)}}
        store.update(POD, {**old, "metadata": meta})
    else:
        store.create(POD, pod(name, {"app": app}))


def _selected(change: Change) -> bool:
    """Whether someone who watches `app=a` is known about it."""
    objects = [o for o in (change.before, change.object) if o]
    return change.kind is POD and any((o["metadata"].get("labels") or {}).get("app") == "a" for o in objects)


@settings(deadline=None)
@given(TURNS, st.sampled_from([3, 1000]))
def test_a_reader_is_told_every_state_once_whatever_breaks(turns: Any, log_size: int) -> None:
    reader = Reader(log_size)
    begin = None
    for number, (what, first, second, third) in enumerate(turns):
        if what == "write":
            _write(reader.store, first, second, third, number)
            continue
        reader.faulty.clear()
        if first is not None:
            reader.faulty.add(Fault(first, times=1))
        reader.turn(second)
        if begin is None and reader.reflector.synced:
            begin = int(reader.reflector.version)
    reader.settle()
    shown: dict[str, Any] = {}
    newest: dict[str, int] = {}
    for event in reader.told:
        uid, version = _identity(event)
        assert event.type == ("DELETED" if event.type == "DELETED" else "MODIFIED" if uid in shown else "ADDED")
        assert version > newest.get(uid, 0) or event.type == "DELETED"
        newest[uid] = version
        if event.type == "DELETED":
            del shown[uid]
        else:
            shown[uid] = event.object
    there = [o for o in reader.store.items(POD) if o["metadata"].get("labels") == {"app": "a"}]
    assert sorted(shown) == sorted(o["metadata"]["uid"] for o in there)
    for obj in there:
        seen = shown[obj["metadata"]["uid"]]["metadata"]
        assert seen["resourceVersion"] == obj["metadata"]["resourceVersion"]
    if reader.lists == 1 and begin is not None and log_size > 100:
        told = [_identity(e)[1] for e in reader.told]
        changes = [c.version for c in reader.store.changes(begin) if _selected(c)]
        assert [v for v in told if v > begin] == changes


def _identity(event: Pushed) -> tuple[str, int]:
    meta = event.object["metadata"]
    return meta["uid"], int(meta["resourceVersion"])


def test_a_silent_watch_is_left_and_misses_nothing() -> None:
    reader = Reader(1000)
    reader.turn(100)
    reader.faulty.add(Fault(Silence(), times=1))
    reader.turn(100)
    reader.store.create(POD, pod("late", {"app": "a"}))
    reader.settle()
    assert [(e.type, e.object["metadata"]["name"]) for e in reader.told] == [("ADDED", "late")]


@settings(deadline=None)
@given(
    names=st.sets(st.text("abc", min_size=1, max_size=4), max_size=14),
    limit=st.integers(1, 6),
    writes=st.lists(st.tuples(st.booleans(), st.text("abc", min_size=1, max_size=2)), max_size=6),
)
def test_pages_show_each_object_of_the_first_pages_time_once(
    names: set[str], limit: int, writes: list[tuple[bool, str]]
) -> None:
    client = connect()
    for name in names:
        client.store.create(CONFIGMAP, {"metadata": {"name": name, "namespace": "default"}})
    path, seen, token = "/api/v1/namespaces/default/configmaps", [], ""
    versions = set()
    for writing in itertools.chain(writes, itertools.repeat(None)):
        page = client.get(path, limit=str(limit), **({"continue": token} if token else {}))
        names_here = [item["metadata"]["name"] for item in page["items"]]
        left = page["metadata"].get("remainingItemCount", 0)
        seen += names_here
        versions.add(page["metadata"]["resourceVersion"])
        assert left == len(names) - len(seen)
        token = page["metadata"].get("continue", "")
        assert len(names_here) == limit or not token
        if not token:
            break
        if writing:
            _disturb(client, *writing)
    assert seen == sorted(names)
    assert len(versions) == 1


def _disturb(client: Client, delete: bool, name: str) -> None:
    if client.store.get(CONFIGMAP, "default", name) is None:
        client.store.create(CONFIGMAP, {"metadata": {"name": name, "namespace": "default"}})
    elif delete:
        client.store.delete(CONFIGMAP, "default", name)


KNOWN = {"replicas": 3, "paused": True, "minReadySeconds": 1}
UNKNOWN = st.dictionaries(st.text("xyz", min_size=1, max_size=4), st.none() | st.integers() | st.just({}), max_size=4)


@settings(deadline=None)
@given(unknown=UNKNOWN, validation=st.sampled_from(["Ignore", "Warn", "Strict", ""]))
def test_unknown_fields_are_cut_and_told_as_asked(unknown: Any, validation: str) -> None:
    client = connect()
    query = {"fieldValidation": validation} if validation else {}
    answer = client.post(ROLLOUTS, rollout(**KNOWN, **unknown), **query)
    told = [f'unknown field "spec.{name}"' for name in unknown]
    if unknown and validation == "Strict":
        assert answer.status == 400
        assert all(text in answer.json()["message"] for text in told)
        assert client.get(ROLLOUTS)["items"] == []
        return
    spec = client.get(f"{ROLLOUTS}/demo")["spec"]
    assert not spec.keys() & unknown.keys()
    assert {name: spec[name] for name in KNOWN} == KNOWN
    warnings = [] if validation in ("Ignore", "Strict") else [f"299 - {json.dumps(t)}" for t in told]
    assert answer.header("Warning") == ", ".join(warnings)
