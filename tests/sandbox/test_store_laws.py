"""Laws of the store, whatever is written to it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.sandbox.kinds import CONFIGMAP, POD, ROLLOUT, Kind
from companyos_canary.sandbox.objects import ApiStatus, Object
from companyos_canary.sandbox.store import Change, Store

NOW = datetime(2026, 5, 4, tzinfo=UTC)
KINDS = (ROLLOUT, POD, CONFIGMAP)
WRITES = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "status", "delete", "orphan", "free"]),
        st.sampled_from(KINDS),
        st.sampled_from("ab"),
        st.integers(0, 3),
        st.sampled_from([None, "a", "b"]),
        st.booleans(),
    ),
    max_size=15,
)


def write(store: Store, turn: Any) -> None:
    """One write; what the store refuses is no write."""
    verb, kind, name, number, owner, held = turn
    old = store.get(kind, "default", name)
    parent = store.get(ROLLOUT, "default", owner or "") if kind is not ROLLOUT else None
    meta: Object = {"name": name, "namespace": "default"}
    if parent:
        meta["ownerReferences"] = [{"uid": parent["metadata"]["uid"]}]
    if held:
        meta["finalizers"] = ["canary/hold"]
    obj = {"metadata": meta, "spec": {"n": number}, "status": {"s": number}}
    if old is None:
        if verb == "put":
            store.create(kind, obj)
    elif verb in ("delete", "orphan"):
        store.delete(kind, "default", name, propagation="Orphan" if verb == "orphan" else "Background")
    elif verb == "free":
        store.update(kind, {**old, "metadata": {**old["metadata"], "finalizers": []}})
    else:
        store.update(kind, obj, status_only=verb == "status" and "status" in kind.subresources)


def state(store: Store) -> dict[tuple[Kind, str], Object]:
    return {(kind, o["metadata"]["name"]): o for kind in KINDS for o in store.items(kind)}


def replayed(before: dict[tuple[Kind, str], Object], changes: list[Change]) -> Any:
    after = dict(before)
    for change in changes:
        key = (change.kind, change.object["metadata"]["name"])
        assert after.get(key) == change.before
        if change.type == "DELETED":
            del after[key]
        else:
            after[key] = change.object
    return after


@settings(deadline=None)
@given(WRITES, st.integers(0, 15))
def test_the_log_leads_from_any_state_to_the_newest(turns: Any, start: int) -> None:
    store = Store(lambda: NOW)
    then, version = state(store), store.version
    for number, turn in enumerate(turns):
        if number == start:
            then, version = state(store), store.version
        write(store, turn)
    assert replayed(then, store.changes(version)) == state(store)
    for kind in KINDS:
        assert store.items(kind, at=version) == [then[k] for k in sorted(then, key=_name) if k[0] is kind]


def _name(key: tuple[Kind, str]) -> str:
    return key[1]


@settings(deadline=None)
@given(WRITES)
def test_versions_only_grow_and_generations_follow_the_spec(turns: Any) -> None:
    store = Store(lambda: NOW)
    begin = store.version
    for turn in turns:
        write(store, turn)
    changes = store.changes(begin)
    assert [c.version for c in changes] == list(range(begin + 1, store.version + 1))
    for change in changes:
        assert change.object["metadata"]["resourceVersion"] == str(change.version)
        if change.type == "MODIFIED" and change.before is not None:
            counted = change.kind.counts_generations
            before, after = (o["metadata"].get("generation") for o in (change.before, change.object))
            assert counted or before is after is None
            moved = after - before if counted else None
            isolated = "status" in change.kind.subresources
            keys = ("spec",) if isolated else ("spec", "status")
            differs = any(change.object.get(k) != change.before.get(k) for k in keys)
            assert not counted or moved == (1 if differs else 0)


@settings(deadline=None)
@given(WRITES)
def test_nobody_outlives_the_last_owner(turns: Any) -> None:
    store = Store(lambda: NOW)
    for turn in turns:
        write(store, turn)
    uids = {o["metadata"]["uid"] for o in state(store).values()}
    for obj in state(store).values():
        owners = {o["uid"] for o in obj["metadata"].get("ownerReferences", [])}
        leaving = obj["metadata"].get("deletionTimestamp")
        assert not owners or owners & uids or leaving


@settings(deadline=None)
@given(WRITES, st.integers(1, 6), st.integers(0, 20))
def test_a_short_log_is_honest_about_what_it_forgot(turns: Any, size: int, back: int) -> None:
    store = Store(lambda: NOW, log_size=size)
    for turn in turns:
        write(store, turn)
    since = max(store.version - back, 0)
    first = max(store.version - size, 100)
    if since < first:
        with pytest.raises(ApiStatus, match="too old resource version"):
            store.changes(since)
    else:
        assert [c.version for c in store.changes(since)] == list(range(since + 1, store.version + 1))
