"""Reading and changing a namespace: what is asked, and what comes of it."""

import json
import re
from collections.abc import Callable, Sequence
from threading import Barrier
from typing import Any

import pytest
import yaml

from companyos_canary.adapters import in_threads
from companyos_canary.cluster import requests
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import CONFIGMAP, NAMESPACE, REPLICASET, ROLLOUT, Kind, selector_text
from companyos_canary.errors import CanaryError, Conflict, CrdMissing, Forbidden, Invalid, NotFound, ServerError
from companyos_canary.model.http import JSON_PATCH, MERGE_PATCH, Request, Response
from companyos_canary.sandbox.api.access import Attributes
from companyos_canary.sandbox.api.answer import failure
from companyos_canary.sandbox.kinds import POD
from companyos_canary.sandbox.kinds import ROLLOUT as STORED
from companyos_canary.sandbox.objects import ApiStatus
from tests import builders
from tests.cluster.memory import NS, SOON, Recording, World

NAME = builders.NAME


def made(world: World | None = None, **options: Any) -> tuple[Cluster, Recording]:
    transport = (world or World()).transport(**options)
    return Cluster(transport, NS), transport


def test_one_rollout_is_one_request() -> None:
    cluster, transport = made()
    assert cluster.rollout(NAME).image() == "companyos-api:v1.1.0"
    assert [r.path for r in transport.asked] == [f"/apis/argoproj.io/v1alpha1/namespaces/{NS}/rollouts/{NAME}"]


def test_a_missing_rollout_is_not_found() -> None:
    with pytest.raises(NotFound, match=f"Rollout `other` not found in namespace `{NS}`"):
        made()[0].rollout("other")


def test_a_snapshot_is_five_requests_that_never_ask_for_a_whole_namespace() -> None:
    cluster, transport = made()
    found = cluster.snapshot(NAME)
    assert len(transport.asked) == 5
    for request in transport.asked[1:]:
        assert request.parameter("labelSelector") or request.parameter("fieldSelector")
    assert [r.revision for r in found.replicasets] == [8, 7]
    assert len(found.pods) == 4
    assert [r.name for r in found.runs] == [f"{NAME}-{builders.CANARY}-8-3"]
    assert [e.reason for e in found.events] == ["RolloutUpdated"]
    assert found.notes == ()
    assert found.stale_since is None


def test_other_tenants_of_the_namespace_cost_no_byte() -> None:
    def cost(crowd: int) -> int:
        world = World()
        for n in range(crowd):
            pod = builders.pod_object(f"c{n}", hash="other")
            pod["metadata"] |= {"labels": {"app": "other"}, "name": f"other-{n}"}
            world.create(POD, pod)
            world.event(f"Busy{n}", "u", "Pod", f"other-{n}")
        cluster, transport = made(world)
        sizes: list[int] = []
        handle = transport.handle

        def weighed(request: Request) -> Response:
            response = handle(request)
            body = re.sub(rb'"(resourceVersion|uid)": ?"[^"]*"', b"", response.body)
            sizes.append(len(body))
            return response

        transport.handle = weighed
        cluster.snapshot(NAME)
        return sum(sizes)

    assert cost(0) == cost(50)


def test_strangers_with_the_same_labels_are_left_out() -> None:
    found = made()[0].snapshot(NAME)
    assert all(r.hash != "stranger" for r in found.replicasets)
    assert all(p.hash != "stranger" for p in found.pods)


def test_events_of_an_earlier_rollout_of_that_name_are_left_out() -> None:
    world = World()
    world.event("OldStory", "another-uid")
    assert [e.reason for e in made(world)[0].snapshot(NAME).events] == ["RolloutUpdated"]


def test_a_snapshot_without_events_does_not_ask_for_them() -> None:
    cluster, transport = made()
    assert cluster.snapshot(cluster.rollout(NAME), events=False).events == ()
    assert len(transport.asked) == 4


def test_what_may_not_be_listed_becomes_a_note() -> None:
    def allowed(a: Attributes) -> bool:
        return a.resource not in ("events", "pods")

    found = made(allowed=allowed)[0].snapshot(NAME)
    assert found.notes == (
        f"not permitted to `list` `pods` in namespace `{NS}`",
        f"not permitted to `list` `events` in namespace `{NS}`",
    )
    assert len(found.replicasets) == 2


def backwards(works: Sequence[Callable[[], None]]) -> None:
    for work in reversed(works):
        work()


def test_the_lists_of_a_snapshot_are_asked_for_at_the_same_time() -> None:
    cluster, transport = made()
    alone, handle, everyone = cluster.snapshot(NAME), transport.handle, Barrier(4)

    def meets(request: Request) -> Response:
        if not request.path.endswith(NAME):
            everyone.wait(SOON)
        return handle(request)

    transport.handle, cluster.together = meets, in_threads
    assert cluster.snapshot(NAME) == alone
    assert cluster.beside().together is in_threads


@pytest.mark.parametrize("together", [None, in_threads, backwards])
@pytest.mark.parametrize("failing", [("replicasets", "events"), ("pods", "analysisruns"), ("events",)], ids=" ".join)
@pytest.mark.parametrize("code", [403, 500])
def test_of_several_lists_that_fail_the_first_is_told_first(together: Any, failing: tuple[str, ...], code: int) -> None:
    cluster, transport = made()
    handle, cluster.together = transport.handle, together

    def fails(request: Request) -> Response:
        plural = request.path.rpartition("/")[2]
        return failure(ApiStatus(code, "", f"no {plural}")) if plural in failing else handle(request)

    transport.handle = fails
    if code == 403:
        found = cluster.snapshot(NAME)
        assert [kind for kind, _ in found.forbidden] == list(failing)
        assert len(found.notes) == len(failing)
    else:
        with pytest.raises(ServerError, match=f"no {failing[0]}"):
            cluster.snapshot(NAME)


def test_a_rollout_that_may_not_be_read_is_forbidden() -> None:
    cluster, _ = made(allowed=lambda a: a.resource != "rollouts")
    with pytest.raises(Forbidden, match=r"not permitted to `get` `rollouts\.argoproj\.io`"):
        cluster.snapshot(NAME)


def referring() -> World:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "backing"}
    world = World(spec={"workloadRef": ref, "template": None, "selector": None})
    world.deployment("backing")
    return world


def test_a_workload_reference_gives_containers_and_selector() -> None:
    cluster, transport = made(referring())
    found = cluster.snapshot(NAME)
    assert found.rollout.image() == "companyos-api:v1.1.0"
    assert len(found.pods) == 4
    assert len(transport.asked) == 6


def test_a_workload_that_is_gone_leaves_the_rollout_as_it_is() -> None:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gone"}
    found = made(World(spec={"workloadRef": ref}))[0].snapshot(NAME)
    assert found.rollout.workload_ref == ref


def test_rollouts_are_listed_by_namespace_and_name() -> None:
    world = World()
    for place, name in (("default", "b"), ("default", "a")):
        obj = builders.rollout_object()
        obj["metadata"] |= {"name": name, "namespace": place, "labels": {"team": "x"}}
        world.create(STORED, obj)
    cluster, transport = made(world)
    assert cluster.rollout_names() == (NAME,)
    everywhere = cluster.rollouts(all_namespaces=True)
    assert [(r.namespace, r.name) for r in everywhere] == [(NS, NAME), ("default", "a"), ("default", "b")]
    assert len(cluster.rollouts(all_namespaces=True, labels="team=x")) == 2
    assert len(transport.asked) == 3


def test_any_object_is_read_or_none() -> None:
    cluster, _ = made()
    found = cluster.object(REPLICASET, f"{NAME}-{builders.CANARY}")
    assert found
    assert found["kind"] == "ReplicaSet"
    assert cluster.object(CONFIGMAP, "none") is None
    assert cluster.object(NAMESPACE, NS)
    with pytest.raises(CrdMissing):
        cluster.object(Kind("example.com/v1", "Thing", "things"), "x")


def test_events_about_one_object_are_read() -> None:
    world = World()
    world.event("Pulled", "u", "Pod", "p1")
    assert [e.reason for e in made(world)[0].events("Pod", "p1")] == ["Pulled"]


def test_a_patch_changes_the_object() -> None:
    world = World()
    cluster, transport = made(world)
    got = cluster.patch(ROLLOUT, NAME, {"spec": {"paused": True}})
    assert got["spec"]["paused"] is True
    assert world.store.read(STORED, NS, NAME)["spec"]["paused"] is True
    assert transport.asked[0].header("Content-Type") == MERGE_PATCH
    assert transport.asked[0].parameter("fieldManager") == "canary"


def test_a_patch_of_the_status_goes_to_the_subresource() -> None:
    cluster, transport = made()
    assert cluster.patch(ROLLOUT, NAME, {"status": {"abort": True, "promoteFull": False}}, subresource="status")
    assert transport.asked[0].path.endswith(f"/rollouts/{NAME}/status")


def test_a_dry_run_changes_nothing() -> None:
    world = World()
    cluster, _ = made(world)
    assert cluster.patch(ROLLOUT, NAME, {"spec": {"paused": True}}, dry_run=True)["spec"]["paused"]
    assert "paused" not in world.store.read(STORED, NS, NAME)["spec"]


def test_a_failed_test_operation_is_invalid() -> None:
    cluster, _ = made()
    wrong = [{"op": "test", "path": "/spec/replicas", "value": 99}]
    with pytest.raises(Invalid):
        cluster.patch(ROLLOUT, NAME, wrong, content_type=JSON_PATCH)


def test_an_old_resource_version_is_a_conflict() -> None:
    cluster, _ = made()
    with pytest.raises(Conflict):
        cluster.patch(ROLLOUT, NAME, {"metadata": {"resourceVersion": "1"}, "spec": {"paused": True}})


def test_objects_are_applied_and_a_second_manager_is_a_conflict() -> None:
    cluster, transport = made()
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]},
    }
    assert cluster.apply(service)["metadata"]["namespace"] == NS
    assert transport.asked[0].parameter("fieldValidation") == "Strict"
    assert yaml.safe_load(transport.asked[0].body) == service
    other = {**service, "spec": {"selector": {"app": "b"}, "ports": [{"port": 80}]}}
    request = requests.apply_request(
        other, next(k for k in changes_kinds() if k.kind == "Service"), NS, field_manager="other"
    )
    with pytest.raises(Conflict, match="conflict"):
        cluster.send(request)
    assert cluster.apply(other, force=True)["spec"]["selector"] == {"app": "b"}


def changes_kinds() -> Any:
    from companyos_canary.cluster.kinds import KNOWN

    return KNOWN


def test_a_kind_we_do_not_know_is_looked_up() -> None:
    def handle(request: Request) -> Response:
        if request.path == "/apis/example.com/v1":
            resources = [
                {"name": "gadgets/status", "kind": "Gadget", "namespaced": True},
                {"name": "gadgetries", "kind": "Gadget", "namespaced": False},
            ]
            return Response(200, {}, json.dumps({"resources": resources}).encode())
        return Response(200, {}, b'{"kind": "Gadget", "metadata": {"name": "g"}}')

    transport = Recording(handle)
    obj = {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "g"}}
    Cluster(transport, NS).apply(obj)
    assert transport.asked[-1].path == "/apis/example.com/v1/gadgetries/g"
    with pytest.raises(Invalid, match="does not know the kind `Widget`"):
        Cluster(transport, NS).apply({**obj, "kind": "Widget"})


def test_the_log_of_a_pod_comes_as_a_stream() -> None:
    cluster, transport = made()
    pod = f"{NAME}-{builders.CANARY}-p0"
    lines = b"".join(cluster.log(pod, ("tailLines", "3")))
    assert transport.asked[0].path == f"/api/v1/namespaces/{NS}/pods/{pod}/log"
    assert transport.asked[0].query == (("tailLines", "3"),)
    assert isinstance(lines, bytes)
    with pytest.raises(NotFound, match="Pod `gone` not found"):
        cluster.log("gone")


def test_rights_are_asked_for() -> None:
    cluster, _ = made(allowed=lambda a: a.verb != "patch")
    assert cluster.may("get", "rollouts", group="argoproj.io") is True
    assert cluster.may("patch", "rollouts", group="argoproj.io") is False


def test_an_answer_that_is_no_object_is_told() -> None:
    cluster = Cluster(Recording(lambda _: Response(200, {}, b"<html>")), NS)
    with pytest.raises(CanaryError, match="not a Kubernetes object"):
        cluster.version()


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({}, ""),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        (
            {
                "matchLabels": {"a": "1"},
                "matchExpressions": [
                    {"key": "t", "operator": "In", "values": ["x", "y"]},
                    {"key": "u", "operator": "NotIn", "values": ["z"]},
                    {"key": "v", "operator": "Exists"},
                    {"key": "w", "operator": "DoesNotExist"},
                ],
            },
            "a=1,t in (x,y),u notin (z),v,!w",
        ),
    ],
)
def test_selectors_are_written_as_queries_take_them(selector: dict[str, Any], text: str) -> None:
    assert selector_text(selector) == text
