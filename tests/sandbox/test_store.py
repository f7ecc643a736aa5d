"""The store: versions, generations, isolation of status, owners, finalizers, the watch log."""

from datetime import UTC, datetime

import pytest

from companyos_canary.sandbox.kinds import CONFIGMAP, NAMESPACE, POD, REPLICASET, ROLLOUT
from companyos_canary.sandbox.objects import ApiStatus, Object
from companyos_canary.sandbox.store import Store

NOW = datetime(2026, 5, 4, 3, 2, 1, 987654, tzinfo=UTC)


@pytest.fixture
def store() -> Store:
    return Store(lambda: NOW)


def thing(name: str, *, owners: tuple[Object, ...] = (), **more: object) -> Object:
    references = [{"uid": o["metadata"]["uid"], "name": o["metadata"]["name"]} for o in owners]
    meta: Object = {"name": name, "namespace": "default"}
    return {"metadata": {**meta, "ownerReferences": references} if owners else meta, **more}


def test_create_completes_the_metadata_with_whole_seconds(store: Store) -> None:
    made = store.create(ROLLOUT, thing("a", spec={"replicas": 1}))
    assert made["metadata"]["creationTimestamp"] == "2026-05-04T03:02:01Z"
    assert made["metadata"]["generation"] == 1
    assert made["metadata"]["resourceVersion"] == str(store.version)
    assert (made["apiVersion"], made["kind"]) == ("argoproj.io/v1alpha1", "Rollout")


def test_the_generation_moves_with_the_spec_only(store: Store) -> None:
    made = store.create(ROLLOUT, thing("a", spec={"replicas": 1}))
    labelled = {**made, "metadata": {**made["metadata"], "labels": {"x": "y"}}}
    assert store.update(ROLLOUT, labelled)["metadata"]["generation"] == 1
    scaled = store.update(ROLLOUT, {**labelled, "spec": {"replicas": 2}})
    assert scaled["metadata"]["generation"] == 2
    status = {**scaled, "status": {"phase": "Healthy"}, "spec": {"replicas": 9}}
    written = store.update(ROLLOUT, status, status_only=True)
    assert written["metadata"]["generation"] == 2
    assert (written["spec"], written["status"]) == ({"replicas": 2}, {"phase": "Healthy"})


def test_a_write_to_the_object_keeps_its_status(store: Store) -> None:
    made = store.create(ROLLOUT, thing("a", spec={}, status={"phase": "Paused"}))
    written = store.update(ROLLOUT, {**made, "status": {"phase": "Healthy"}})
    assert written["status"] == {"phase": "Paused"}


def test_a_write_that_changes_nothing_is_no_change(store: Store) -> None:
    made = store.create(ROLLOUT, thing("a", spec={}))
    before = store.version
    assert store.update(ROLLOUT, made) == made
    assert store.version == before


def test_an_older_resource_version_is_a_conflict(store: Store) -> None:
    made = store.create(ROLLOUT, thing("a", spec={}))
    store.update(ROLLOUT, {**made, "spec": {"replicas": 2}})
    with pytest.raises(ApiStatus, match="the object has been modified") as raised:
        store.update(ROLLOUT, {**made, "spec": {}}, expect=made["metadata"]["resourceVersion"])
    assert raised.value.code == 409


def test_an_object_of_the_same_name_is_another_object(store: Store) -> None:
    made = store.create(POD, thing("a"))
    store.delete(POD, "default", "a")
    store.create(POD, thing("a"))
    with pytest.raises(ApiStatus, match="UID in precondition"):
        store.update(POD, made)
    with pytest.raises(ApiStatus, match="UID in precondition"):
        store.delete(POD, "default", "a", uid=made["metadata"]["uid"])


def test_a_dry_run_writes_nothing(store: Store) -> None:
    store.create(POD, thing("there", spec={}))
    before = store.version
    assert store.create(POD, thing("a"), dry_run=True)["metadata"]["uid"]
    assert store.update(POD, thing("there", spec={"x": 1}), dry_run=True)["spec"] == {"x": 1}
    store.delete(POD, "default", "there", dry_run=True)
    assert store.version == before
    assert [o["metadata"]["name"] for o in store.items(POD)] == ["there"]


def test_what_was_owned_goes_with_its_owner(store: Store) -> None:
    rollout = store.create(ROLLOUT, thing("ro"))
    replicaset = store.create(REPLICASET, thing("rs", owners=(rollout,)))
    store.create(POD, thing("pod", owners=(replicaset,)))
    store.create(POD, thing("other"))
    store.delete(ROLLOUT, "default", "ro")
    assert [o["metadata"]["name"] for o in store.items(POD)] == ["other"]
    assert [c.type for c in store.changes(store.version - 3)] == ["DELETED"] * 3


def test_an_object_with_a_second_owner_stays(store: Store) -> None:
    one = store.create(ROLLOUT, thing("one"))
    two = store.create(ROLLOUT, thing("two"))
    store.create(CONFIGMAP, thing("shared", owners=(one, two)))
    store.delete(ROLLOUT, "default", "one")
    shared = store.read(CONFIGMAP, "default", "shared")
    assert [o["name"] for o in shared["metadata"]["ownerReferences"]] == ["two"]
    store.delete(ROLLOUT, "default", "two")
    assert store.get(CONFIGMAP, "default", "shared") is None


def test_orphans_stay_and_lose_the_reference(store: Store) -> None:
    rollout = store.create(ROLLOUT, thing("ro"))
    store.create(REPLICASET, thing("rs", owners=(rollout,)))
    store.delete(ROLLOUT, "default", "ro", propagation="Orphan")
    assert "ownerReferences" not in store.read(REPLICASET, "default", "rs")["metadata"]


def test_foreground_deletion_takes_what_was_owned_first(store: Store) -> None:
    rollout = store.create(ROLLOUT, thing("ro"))
    store.create(REPLICASET, thing("rs", owners=(rollout,)))
    before = store.version
    store.delete(ROLLOUT, "default", "ro", propagation="Foreground")
    assert [c.kind for c in store.changes(before)] == [REPLICASET, ROLLOUT]


def test_a_finalizer_holds_an_object_until_it_is_taken_off(store: Store) -> None:
    held = thing("a")
    held["metadata"]["finalizers"] = ["canary/hold"]
    store.create(POD, held)
    marked = store.delete(POD, "default", "a")
    assert marked["metadata"]["deletionTimestamp"] == "2026-05-04T03:02:01Z"
    assert store.delete(POD, "default", "a") == marked
    free = {**marked, "metadata": {**marked["metadata"], "finalizers": []}}
    store.update(POD, free)
    assert store.get(POD, "default", "a") is None
    assert store.changes(store.version - 1)[0].type == "DELETED"


def test_a_namespace_takes_everything_in_it_along(store: Store) -> None:
    store.create(NAMESPACE, {"metadata": {"name": "shop"}})
    pod = thing("a")
    pod["metadata"]["namespace"] = "shop"
    store.create(POD, pod)
    store.create(POD, thing("b"))
    store.delete(NAMESPACE, "", "shop")
    assert [o["metadata"]["name"] for o in store.items(POD)] == ["b"]


def test_the_log_forgets_its_oldest_changes() -> None:
    store = Store(lambda: NOW, log_size=3)
    first = store.version
    for number in range(4):
        store.create(POD, thing(f"p{number}"))
    with pytest.raises(ApiStatus, match=rf"too old resource version: {first} \({first + 1}\)"):
        store.changes(first)
    assert len(store.changes(first + 1)) == 3
    assert store.changes(store.version) == []
    with pytest.raises(ApiStatus) as raised:
        store.changes(first)
    assert raised.value.code == 410


def test_wait_returns_at_once_when_something_is_newer(store: Store) -> None:
    assert store.wait(store.version - 1, 60) == store.version
    assert store.wait(store.version, 60, until=lambda: True) == store.version
    assert store.wait(store.version, 0) == store.version
