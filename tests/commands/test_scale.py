"""Large clusters: how often verbs ask, and that nothing is lost, with thousands of rollouts and hundreds of pods."""

import pytest

from companyos_canary.sandbox import cluster as sandbox
from companyos_canary.sandbox.kinds import POD, REPLICASET, ROLLOUT
from companyos_canary.sandbox.objects import Object, copied
from tests.world import World

ROLLOUTS, PODS, REVISIONS = 2000, 500, 40
READS = (("status",), ("get",), ("why",), ("list",), ("history",), ("watch", "--until", "paused"))


def alone(world: World) -> None:
    """From now on no one acts on what is there."""
    world.sandbox = sandbox.Cluster(world.store, controller=False, replicasets=False)


def another(obj: Object, **meta: object) -> Object:
    new = copied(obj)
    new["metadata"].update(meta)
    return new


def test_thousands_of_rollouts_are_listed_with_one_request_each_in_its_row(waiting: World) -> None:
    alone(waiting)
    (live,) = waiting.store.items(ROLLOUT)
    for n in range(ROLLOUTS):
        waiting.store.create(ROLLOUT, another(live, name=f"api-{n}", namespace=f"team-{n % 40}"))
    ran = waiting.canary("list", "-A", "-o", "json")
    assert len(waiting.requests) == 1
    names = {(r["namespace"], r["rollout"]) for r in ran.json["data"]["rollouts"]}
    assert len(names) == ROLLOUTS + 1


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_hundreds_of_pods_and_many_revisions_need_no_more_requests(waiting: World, arguments: tuple[str, ...]) -> None:
    alone(waiting)
    few = waiting.canary(*arguments)
    asked = len(waiting.requests)
    grow(waiting)
    waiting.requests.clear()
    many = waiting.canary(*arguments)
    assert many.code == few.code
    assert len(waiting.requests) == asked


def test_hundreds_of_pods_are_summed_up_and_all_are_in_json(waiting: World) -> None:
    alone(waiting)
    few = waiting.canary("get", terminal=True).out.splitlines()
    grow(waiting)
    many = waiting.canary("get", terminal=True).out.splitlines()
    assert len(many) <= len(few) + REVISIONS
    found = waiting.canary("get", "-o", "json").json["data"]
    assert len(found["pods"]) == PODS


def grow(world: World) -> None:
    """To so many pods of the stable version, and so many revisions."""
    pods, (old, *_) = world.pods(), world.store.items(REPLICASET)
    stable = next(p for p in pods if p["metadata"]["ownerReferences"][0]["name"] == old["metadata"]["name"])
    for n in range(PODS - len(pods)):
        world.store.create(POD, another(stable, name=f"more-{n}"))
    for n in range(REVISIONS):
        name, labels = f"companyos-api-old{n}", {**old["metadata"]["labels"], "rollouts-pod-template-hash": f"old{n}"}
        new = another(old, name=name, labels=labels)
        new["metadata"]["annotations"]["rollout.argoproj.io/revision"] = str(n + 3)
        new["spec"]["replicas"], new["status"] = 0, {"replicas": 0}
        world.store.create(REPLICASET, new)
