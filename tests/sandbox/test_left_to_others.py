"""What still happens where the sandbox leaves controllers to others, and what does not."""

from datetime import timedelta

from companyos_canary.model.http import Request, Response
from companyos_canary.model.workload import Pod
from companyos_canary.sandbox.cluster import Cluster
from companyos_canary.sandbox.faults.effects import parse_fault
from companyos_canary.sandbox.kinds import ANALYSISRUN, CONFIGMAP, POD, REPLICASET, ROLLOUT
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.sandbox import Sandbox
from companyos_canary.sandbox.store import Store
from tests.clock import Clock
from tests.provider import FunctionProvider
from tests.sandbox.api import client as api
from tests.sandbox.api.client import MERGE, ROLLOUTS, Client, rollout
from tests.sandbox.stage import NS, template


def nobody_asks(request: Request, address: str) -> Response:
    raise AssertionError(f"asked {address}")


def alone(**left: bool) -> tuple[Clock, Store, Cluster]:
    clock = Clock()
    store = Store(clock)
    provider = FunctionProvider(nobody_asks, clock)
    return clock, store, Cluster(store, provider=provider, **left)


def replicaset(name: str = "web") -> Object:
    spec = {"replicas": 2, "selector": {"matchLabels": {}}, "template": template("v1")}
    return {"metadata": {"name": name, "namespace": NS}, "spec": spec}


def owned_pod(owner: Object) -> Object:
    reference = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    meta = {"name": "web-1", "namespace": NS, "ownerReferences": [reference]}
    return {"metadata": meta, "spec": template("v1")["spec"]}


def test_rollouts_and_analysis_runs_are_left_alone() -> None:
    clock, store, cluster = alone(controller=False)
    made = rollout()
    made["metadata"]["namespace"] = NS
    store.create(ROLLOUT, made)
    metric = {"name": "up", "provider": {"prometheus": {"address": "http://p", "query": "up"}}}
    run = {"metadata": {"name": "run", "namespace": NS}, "spec": {"metrics": [metric]}}
    store.create(ANALYSISRUN, run)
    version = store.version
    assert cluster.settle(clock()) is None
    assert store.version == version


def test_replicasets_still_make_pods_when_only_rollouts_are_left_to_others() -> None:
    clock, store, cluster = alone(controller=False)
    store.create(REPLICASET, replicaset())
    cluster.settle(clock())
    assert len(store.items(POD, NS)) == 2


def test_replicasets_can_be_left_to_others_while_pods_become_ready() -> None:
    clock, store, cluster = alone(controller=False, replicasets=False)
    owner = store.create(REPLICASET, replicaset())
    assert cluster.settle(clock()) is None
    assert store.items(POD, NS) == []
    store.create(POD, owned_pod(owner))
    wake = cluster.settle(clock())
    assert wake == clock() + timedelta(seconds=0.5)
    clock.to(wake)
    cluster.settle(wake)
    assert Pod.from_object(store.items(POD, NS)[0]).ready


def test_pods_go_with_their_owner_whoever_made_them() -> None:
    clock, store, cluster = alone(controller=False, replicasets=False)
    owner = store.create(REPLICASET, replicaset())
    store.create(POD, owned_pod(owner))
    cluster.settle(clock())
    store.delete(REPLICASET, NS, "web")
    assert store.items(POD, NS) == []


def test_what_our_controller_cannot_play_is_for_another_one_to_judge() -> None:
    with_a_plugin = rollout(strategy={"canary": {"trafficRouting": {"plugins": {"org/router": {}}}}})
    for ours, status in ((True, 422), (False, 201)):
        running = Sandbox(namespaces=("default",), controller=ours)
        try:
            client = Client(running.faults, running.store, api.Clock())
            assert client.post(ROLLOUTS, with_a_plugin).status == status
        finally:
            running.close()


def test_faults_meet_clients_and_not_the_controllers() -> None:
    running = Sandbox(namespaces=("default",), faults=[parse_fault("PATCH 409 x1")])
    try:
        client = Client(running.faults, running.store, api.Clock())
        client.post(ROLLOUTS, rollout())
        answers = [client.patch(f"{ROLLOUTS}/demo", {}, MERGE).status for _ in range(2)]
        assert answers == [409, 200]
    finally:
        running.close()


def test_a_controller_of_ones_own_finds_no_plugin_in_its_configuration() -> None:
    """It would end: it takes the location of each for an address."""
    running = Sandbox(controller=False)
    try:
        assert list(running.store.items(CONFIGMAP, "argo-rollouts")) == []
    finally:
        running.close()
