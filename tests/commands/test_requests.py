"""What the verbs ask of an API server: how often, and never more because others are there."""

import json

import pytest

from companyos_canary.cluster.kinds import path_target
from companyos_canary.model.http import Request, Response
from tests.growth import answered, exponent, growth, neighbours
from tests.world import World

ROLLOUT = "/apis/argoproj.io/v1alpha1/namespaces/companyos/rollouts/companyos-api"
READS = (("status",), ("get",), ("promote", "--dry-run"), ("watch", "--until", "paused"))
MOST = {
    ("status",): 1,
    ("get",): 5,
    ("promote", "--dry-run"): 1,
    ("abort", "--dry-run"): 1,
    ("abort", "--no-wait"): 3,
    ("promote", "--no-wait"): 3,
    ("deploy", "v1.1.0", "--no-wait"): 1,
    ("deploy", "v1.3.0", "--no-wait", "--supersede"): 13,
}


@pytest.mark.parametrize("arguments", MOST, ids=" ".join)
def test_a_verb_needs_so_many_requests(waiting: World, arguments: tuple[str, ...], pace: str) -> None:
    """One that waits until something is gone looks as often as it takes."""
    assert waiting.canary(*arguments).code in (0, 8)
    assert len(waiting.requests) == MOST[arguments] or (pace != "prompt" and "--supersede" in arguments)


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_no_list_is_of_a_whole_namespace(waiting: World, arguments: tuple[str, ...]) -> None:
    waiting.canary(*arguments)
    for request in waiting.requests:
        selected = request.parameter("labelSelector") or request.parameter("fieldSelector")
        assert path_target(request.path).name or selected, request.target


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_300_pods_of_others_cost_no_byte(waiting: World, arguments: tuple[str, ...]) -> None:
    before = answered(waiting, *arguments)
    neighbours(waiting, 300)
    assert answered(waiting, *arguments) == before


def test_a_verb_reads_one_object_by_its_name(waiting: World) -> None:
    waiting.canary("status", "-o", "json")
    assert [(r.method, r.target) for r in waiting.requests] == [("GET", ROLLOUT)]


def test_the_only_rollout_of_a_namespace_costs_one_list(waiting: World) -> None:
    (waiting.folder / "canary.yaml").unlink()
    waiting.canary("status", "-n", "companyos")
    assert [r.target for r in waiting.requests] == [ROLLOUT.rpartition("/")[0], ROLLOUT]


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_what_others_have_in_the_namespace_does_not_grow_what_is_read(
    waiting: World, arguments: tuple[str, ...]
) -> None:
    rows = growth(waiting, arguments, (10, 100, 1000))
    assert len({row.requests for row in rows}) == 1
    assert exponent([(row.pods, row.received) for row in rows]) <= 0.05


def test_the_exponent_is_that_of_a_power() -> None:
    assert exponent([(10, 7), (100, 7), (1000, 7)]) == 0
    assert exponent([(10, 20), (100, 200), (1000, 2000)]) == pytest.approx(1)
    assert exponent([(1, 3), (4, 6), (16, 12)]) == pytest.approx(0.5)


def test_lists_are_answered_from_what_the_server_has_at_hand_but_are_never_older_than_the_rollout(world: World) -> None:
    world.requests.clear()
    assert world.canary("get").code == 0
    lists = [r for r in world.requests if r.parameter("labelSelector") or r.parameter("fieldSelector")]
    seen = {r.path.rpartition("/")[2]: r.parameter("resourceVersion") for r in lists}
    version = world.rollout().resource_version
    assert seen == {"replicasets": version, "pods": version, "analysisruns": version, "events": "0"}
    assert {r.parameter("resourceVersionMatch") for r in lists} == {"NotOlderThan"}


def test_a_server_whose_lists_are_behind_is_asked_for_the_newest(world: World) -> None:
    behind = world.faults

    def late(request: Request) -> Response:
        if request.parameter("resourceVersion") not in ("", "0") and request.path.endswith("/pods"):
            message = "Timeout: Too large resource version: 9, current: 8"
            body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": 504}
            return Response(504, {}, json.dumps(body).encode())
        return behind(request)

    world.faults = late  # type: ignore[assignment]
    ran = world.canary("get", "-o", "json")
    assert ran.code == 0
    assert len(ran.json["data"]["pods"]) == 10
