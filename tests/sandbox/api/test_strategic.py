"""Strategic merge: lists by key, and the directives that kubectl writes."""

from typing import Any

import pytest

from companyos_canary.sandbox.api.patch import strategic_patch

ENV = [{"name": "X", "value": "1"}]
CONTAINERS = [{"name": "app", "image": "a:1", "env": ENV}, {"name": "b"}]


def spec(*containers: Any, **more: Any) -> Any:
    return {"spec": {"containers": list(containers), **more}}


@pytest.mark.parametrize(
    ("patch", "containers"),
    [
        (spec({"name": "app", "image": "a:2"}), [{**CONTAINERS[0], "image": "a:2"}, {"name": "b"}]),
        (spec({"name": "c"}), [*CONTAINERS, {"name": "c"}]),
        (spec({"name": "b", "$patch": "delete"}), [CONTAINERS[0]]),
        (spec({"name": "z"}, {"$patch": "replace"}), [{"name": "z"}]),
        (
            spec({"name": "app", "env": [{"name": "Y", "value": "2"}]}),
            [{**CONTAINERS[0], "env": [*ENV, {"name": "Y", "value": "2"}]}, {"name": "b"}],
        ),
        (spec({"name": "app", "env": None}), [{"name": "app", "image": "a:1"}, {"name": "b"}]),
        ({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "app"}]}}, CONTAINERS),
        (
            spec({"name": "c"}, **{"$setElementOrder/containers": [{"name": "c"}, {"name": "app"}, {"name": "b"}]}),
            [{"name": "c"}, *CONTAINERS],
        ),
    ],
)
def test_containers_are_merged_by_name(patch: Any, containers: Any) -> None:
    assert strategic_patch({"spec": {"containers": CONTAINERS}}, patch)["spec"] == {"containers": containers}


def test_lists_without_a_key_are_replaced() -> None:
    patched = strategic_patch({"spec": {"args": ["a"]}}, {"spec": {"args": ["b"]}})
    assert patched == {"spec": {"args": ["b"]}}


def test_a_map_can_be_replaced_or_deleted() -> None:
    target = {"a": {"x": 1}, "b": {"y": 2}}
    assert strategic_patch(target, {"a": {"$patch": "replace", "z": 3}})["a"] == {"z": 3}
    assert strategic_patch(target, {"a": {"$patch": "delete"}}) == {"b": {"y": 2}}


def test_retain_keys_drops_the_others() -> None:
    target = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert strategic_patch(target, patch) == {"strategy": {"type": "Recreate"}}


def test_finalizers_are_a_set() -> None:
    target = {"metadata": {"finalizers": ["a", "b"]}}
    added = strategic_patch(target, {"metadata": {"finalizers": ["b", "c"]}})
    assert added == {"metadata": {"finalizers": ["a", "b", "c"]}}
    removed = strategic_patch(target, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}})
    assert removed == {"metadata": {"finalizers": ["b"]}}


def test_ports_of_a_service_and_of_a_container_have_keys_of_their_own() -> None:
    service = strategic_patch({"spec": {"ports": [{"port": 80}]}}, {"spec": {"ports": [{"port": 80, "name": "web"}]}})
    assert service == {"spec": {"ports": [{"port": 80, "name": "web"}]}}
    container = strategic_patch(
        spec({"name": "a", "ports": [{"containerPort": 1}]}), spec({"name": "a", "ports": [{"containerPort": 2}]})
    )
    assert container == spec({"name": "a", "ports": [{"containerPort": 1}, {"containerPort": 2}]})
