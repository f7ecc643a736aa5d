"""Watches: resuming, bookmarks, selectors, ends; and the law that a watch replays a list."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.kinds import POD
from companyos_canary.sandbox.store import Store
from tests.sandbox.api.client import ROLLOUTS, TABLE, Client, Clock, connect, pod, rollout

PODS = "/api/v1/namespaces/default/pods"


def labelled(store: Store, name: str, **labels: str) -> None:
    old = store.read(POD, "default", name)
    store.update(POD, {**old, "metadata": {**old["metadata"], "labels": labels}})


def told(events: Any, count: int) -> list[tuple[str, str]]:
    taken = [next(events) for _ in range(count)]
    return [(e["type"], e["object"]["metadata"].get("name", "")) for e in taken]


def test_a_watch_without_a_version_begins_with_what_is_there(client: Client) -> None:
    client.store.create(POD, pod("a"))
    events = client.watch(PODS)
    assert told(events, 1) == [("ADDED", "a")]
    client.store.delete(POD, "default", "a")
    assert told(events, 1) == [("DELETED", "a")]


def test_a_watch_goes_on_after_the_version_it_names(client: Client) -> None:
    client.store.create(POD, pod("a"))
    version = client.get(PODS)["metadata"]["resourceVersion"]
    client.store.create(POD, pod("b"))
    labelled(client.store, "a", x="y")
    events = client.watch(PODS, resourceVersion=version)
    assert told(events, 2) == [("ADDED", "b"), ("MODIFIED", "a")]


def test_a_selector_turns_changes_into_comings_and_goings(client: Client) -> None:
    version = str(client.store.version)
    client.store.create(POD, pod("a", {"app": "y"}))
    labelled(client.store, "a", app="x")
    labelled(client.store, "a", app="x", more="z")
    labelled(client.store, "a", app="y")
    left = client.store.version
    client.store.delete(POD, "default", "a")
    client.store.create(POD, pod("b", {"app": "x"}))
    events = client.watch(PODS, resourceVersion=version, labelSelector="app=x")
    taken = [next(events) for _ in range(4)]
    assert [e["type"] for e in taken] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
    assert taken[2]["object"]["metadata"]["resourceVersion"] == str(left)
    assert taken[2]["object"]["metadata"]["labels"] == {"app": "x", "more": "z"}


def test_a_watch_of_one_object_sees_only_that(client: Client) -> None:
    version = str(client.store.version)
    for name in "ab":
        client.store.create(POD, pod(name))
    by_field = client.watch(PODS, resourceVersion=version, fieldSelector="metadata.name=b")
    assert told(by_field, 1) == [("ADDED", "b")]
    assert told(client.watch(f"{PODS}/b", resourceVersion=version), 1) == [("ADDED", "b")]


def test_a_forgotten_version_is_an_error_event(client: Client) -> None:
    version = str(client.store.version)
    client.store.create(POD, pod("a"))
    client.forget()
    events = list(client.watch(PODS, resourceVersion=version))
    assert [e["type"] for e in events] == ["ERROR"]
    assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")


def test_a_bookmark_ends_the_initial_events(client: Client) -> None:
    client.store.create(POD, pod("a"))
    events = client.watch(
        PODS, sendInitialEvents="true", allowWatchBookmarks="true", resourceVersionMatch="NotOlderThan"
    )
    added, bookmark = next(events), next(events)
    assert (added["type"], bookmark["type"]) == ("ADDED", "BOOKMARK")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert bookmark["object"]["metadata"]["resourceVersion"] == str(client.store.version)
    refused = client.send("GET", PODS, watch="1", sendInitialEvents="true")
    assert refused.status == 422


class ImpatientStore(Store):
    """Instead of waiting, its clock moves on."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.clock = clock

    def wait(self, since: int, timeout: float, until: Any = None) -> int:
        self.clock.tick(timeout)
        return self.version


def without_type(obj: Any) -> Any:
    """As a list of a built-in kind has it."""
    return {k: v for k, v in obj.items() if k not in ("apiVersion", "kind")}


def impatient() -> Client:
    client, clock = connect(), Clock()
    store = ImpatientStore(clock)
    return Client(Api(store, elapsed=clock.elapsed).handle, store, client.clock)


def test_a_watch_ends_after_its_time() -> None:
    client = impatient()
    client.store.create(POD, pod("a"))
    assert [e["type"] for e in client.watch(PODS, timeoutSeconds="300")] == ["ADDED"]


def test_a_watch_from_the_future_is_silent_until_its_end() -> None:
    client = impatient()
    future = str(client.store.version + 10)
    client.store.create(POD, pod("a"))
    assert list(client.watch(PODS, resourceVersion=future, allowWatchBookmarks="true", timeoutSeconds="300")) == []


@pytest.mark.parametrize(("seconds", "bookmarks"), [("2", 0), ("3", 1), ("60", 1), ("62", 1), ("63", 2), ("300", 5)])
def test_bookmarks_come_each_minute_and_two_seconds_before_the_end(seconds: str, bookmarks: int) -> None:
    client = impatient()
    version = str(client.store.version)
    told = []
    for event in client.watch(PODS, resourceVersion=version, allowWatchBookmarks="true", timeoutSeconds=seconds):
        told.append(event["type"])
        client.post(ROLLOUTS, {**rollout(), "metadata": {"generateName": "demo-"}})
    assert told == []
    client.post(ROLLOUTS, rollout())
    for event in client.watch(PODS, resourceVersion=version, allowWatchBookmarks="true", timeoutSeconds=seconds):
        told.append(event["type"])
        client.post(ROLLOUTS, {**rollout(), "metadata": {"generateName": "demo-"}})
    assert told == ["BOOKMARK"] * bookmarks


def test_a_bookmark_tells_a_quiet_watch_how_far_it_is() -> None:
    client = impatient()
    version = str(client.store.version)
    client.post(ROLLOUTS, rollout())
    events = list(client.watch(PODS, resourceVersion=version, allowWatchBookmarks="true", timeoutSeconds="60"))
    assert [e["type"] for e in events] == ["BOOKMARK"]
    assert events[0]["object"]["metadata"]["resourceVersion"] == str(client.store.version)
    assert (events[0]["object"]["kind"], events[0]["object"]["apiVersion"]) == ("Pod", "v1")


def test_the_head_of_a_watch_is_that_of_a_list(client: Client) -> None:
    answer = client.send("HEAD", PODS, watch="true")
    assert (answer.status, answer.stream) == (200, None)


def test_a_closed_watch_ends(client: Client) -> None:
    client.store.create(POD, pod("a"))
    stream = client.send("GET", PODS, watch="true").stream
    assert stream is not None
    lines = iter(stream)
    next(lines)
    stream.close()
    assert list(lines) == []


def test_a_watch_of_tables_sends_its_headings_once(client: Client) -> None:
    version = str(client.store.version)
    client.post(ROLLOUTS, rollout())
    client.patch(f"{ROLLOUTS}/demo", {"spec": {"replicas": 4}})
    events = client.watch(ROLLOUTS, accept=TABLE, resourceVersion=version)
    first, second = next(events)["object"], next(events)["object"]
    assert (first["kind"], len(first["columnDefinitions"])) == ("Table", 6)
    assert (second["columnDefinitions"], second["rows"][0]["cells"][1]) == ([], 4)


NAMES = st.sampled_from("abc")
WRITES = st.lists(st.tuples(st.sampled_from(["put", "label", "delete"]), NAMES, st.sampled_from("xy")), max_size=12)


@settings(deadline=None)
@given(WRITES, st.integers(0, 12), st.sampled_from(["", "app=x", "app!=x"]))
def test_a_watch_from_any_version_replays_to_what_a_list_shows(writes: Any, start: int, selector: str) -> None:
    client = connect()
    seen: dict[str, Any] = {}
    version = str(client.store.version)
    for number, (verb, name, app) in enumerate(writes):
        if number == start:
            answer = client.get(PODS, labelSelector=selector)
            seen = {item["metadata"]["name"]: item for item in answer["items"]}
            version = answer["metadata"]["resourceVersion"]
        there = client.store.get(POD, "default", name)
        if verb == "delete" and there:
            client.store.delete(POD, "default", name)
        elif there:
            labelled(client.store, name, app=app, turn=str(number))
        else:
            client.store.create(POD, pod(name, {"app": app}))
    client.store.create(POD, pod("end", {"app": "x"}))
    client.store.update(
        POD,
        {
            **client.store.read(POD, "default", "end"),
            "metadata": {"name": "end", "namespace": "default", "labels": {"app": "y"}},
        },
    )
    for event in client.watch(PODS, labelSelector=selector, resourceVersion=version):
        name = event["object"]["metadata"]["name"]
        if name == "end":
            break
        assert (event["type"] == "ADDED") is (name not in seen)
        if event["type"] == "DELETED":
            del seen[name]
        else:
            seen[name] = without_type(event["object"])
    now = client.get(PODS, labelSelector=selector)["items"]
    assert seen == {o["metadata"]["name"]: o for o in now if o["metadata"]["name"] != "end"}


@pytest.mark.parametrize("selector", ["app=a=b", "metadata.name=x,nosuch=y"])
def test_a_watch_with_a_bad_selector_is_refused_at_once(client: Client, selector: str) -> None:
    name = "labelSelector" if "metadata" not in selector else "fieldSelector"
    assert client.send("GET", PODS, watch="1", **{name: selector}).status == 400


def test_a_watch_of_a_namespace_sees_no_other(client: Client) -> None:
    version = str(client.store.version)
    for space in ("kube-system", "default"):
        meta = {"name": "a", "namespace": space}
        client.store.create(POD, {**pod("a"), "metadata": meta})
    here = next(client.watch(PODS, resourceVersion=version))
    assert here["object"]["metadata"]["namespace"] == "default"
    everywhere = client.watch("/api/v1/pods", resourceVersion=version)
    assert [next(everywhere)["object"]["metadata"]["namespace"] for _ in range(2)] == ["kube-system", "default"]
