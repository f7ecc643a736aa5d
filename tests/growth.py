"""What a command reads in a namespace in which others have more and more pods."""

import math
import re
from collections.abc import Sequence

from msgspec import Struct

from companyos_canary.sandbox.kinds import EVENT, POD, REPLICASET
from tests.world import World


class Row(Struct, frozen=True):
    """With so many pods (and events) of others: requests, and bytes of their answers."""

    pods: int
    requests: int
    received: int


def growth(world: World, arguments: Sequence[str], sizes: Sequence[int]) -> list[Row]:
    """A Row for each size, in growing order; others' pods are added to the World."""
    rows, there = [], 0
    for size in sizes:
        neighbours(world, size - there, first=there)
        there = size
        rows.append(Row(size, *answered(world, *arguments)))
    return rows


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The slope of a line through the logarithms: 0 is flat, 1 grows with the size."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    middle = [sum(values) / len(logs) for values in zip(*logs, strict=True)]
    across = sum((x - middle[0]) * (y - middle[1]) for x, y in logs)
    return across / sum((x - middle[0]) ** 2 for x, _ in logs)


def answered(world: World, *arguments: str) -> tuple[int, int]:
    """Requests of a command, and the bytes of their answers but for the count of all changes."""
    world.requests.clear()
    sizes: list[int] = []
    plain = world.answer

    def counting(request: object) -> object:
        response = plain(request)  # type: ignore[arg-type]
        sizes.append(len(re.sub(rb'"resourceVersion":"\d+"', b"", response.body)))
        return response

    world.answer = counting  # type: ignore[method-assign,assignment]
    try:
        world.canary(*arguments)
    finally:
        world.answer = plain  # type: ignore[method-assign]
    return len(world.requests), sum(sizes)


def neighbours(world: World, count: int, *, first: int = 0) -> None:
    """Pods, a ReplicaSet and events of someone else in the same namespace."""
    labels = {"app": "neighbour", "rollouts-pod-template-hash": "abc"}
    spec = {"containers": [{"name": "c", "image": "neighbour:v1"}]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    world.store.create(
        REPLICASET,
        {
            "metadata": {"name": f"neighbour-{first}", "namespace": "companyos", "labels": labels},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        },
    )
    for n in range(first, first + count):
        meta = {"name": f"neighbour-{n}", "namespace": "companyos", "labels": labels}
        world.store.create(POD, {"metadata": meta, "spec": spec, "status": {"phase": "Failed"}})
        about = {"kind": "Pod", "name": f"neighbour-{n}", "namespace": "companyos"}
        world.store.create(
            EVENT,
            {
                "metadata": {"name": f"neighbour-{n}", "namespace": "companyos"},
                "involvedObject": about,
                "reason": "Failed",
                "message": "x",
                "type": "Warning",
            },
        )
