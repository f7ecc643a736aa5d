"""A verb that is killed at one of its requests, and then run again, comes to what one whole run comes to.

Here the killed one asks nothing more, and cleans nothing up: its connection raises what no code of ours catches.
`tests/e2e/test_killed.py` ends real processes.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request, Response
from companyos_canary.model.image import REVISION
from companyos_canary.sandbox.behaviour import PROMPT, Pace
from companyos_canary.sandbox.kinds import ANALYSISTEMPLATE, CONFIGMAP, REPLICASET, ROLLOUT, SERVICE
from tests.clock import always, late
from tests.commands.test_held_back import state
from tests.commands.test_interleavings import FEW
from tests.matrix.stories import BOUND, FULL, SHORT
from tests.prototypes import copied
from tests.world import HandleTransport, Ran, World

FIRST = ("apply", "v1.0.0")
PACES = {"prompt": PROMPT, "a second late": late(always(timedelta(seconds=1)))}


class Story(Struct, frozen=True):
    """`before` are run first, each to a good end; then canary.yaml becomes `then`, if that is given."""

    command: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = (FIRST,)
    config: str = SHORT
    then: str = ""

    def begin(self, folder: Path, pace: Pace) -> World:
        world = World(folder, self.config, pace=pace)
        for command in self.before:
            ran = world.canary(*command)
            assert ran.code == ExitCode.OK, ran
            world.advance(30)
        if self.then:
            (folder / "canary.yaml").write_text(self.then)
        return world


AT_A_PAUSE = (FIRST, ("deploy", "v1.1.0", "--until", "paused"))
STORIES = {
    "deploy": Story(("deploy", "v1.1.0", *BOUND)),
    "undo": Story(("undo", *BOUND), (FIRST, ("deploy", "v1.1.0"))),
    "promote --to-weight": Story(("promote", "--to-weight", "75", *BOUND), AT_A_PAUSE, FEW),
    "apply": Story(("apply",), then=SHORT.replace("replicas: 3", "replicas: 4").replace("weight: 34", "weight: 50")),
}
MORE = {
    "first apply": Story(FIRST, ()),
    "undo at a pause": Story(("undo", *BOUND), AT_A_PAUSE, FEW),
    "supersede": Story(("deploy", "v1.3.0", "--supersede", "--until", "paused", *BOUND), AT_A_PAUSE, FEW),
    "full": Story((*FULL, *BOUND), AT_A_PAUSE, FEW),
    "abort": Story(("abort", *BOUND), AT_A_PAUSE, FEW),
    "pause": Story(("pause", *BOUND), AT_A_PAUSE, FEW),
    "resume": Story(("resume", *BOUND), (*AT_A_PAUSE, ("pause",)), FEW),
}


class Killed(BaseException):
    """Nothing of ours catches it."""


class Point(Struct, frozen=True):
    """Killed before request number `at` (from 0) is handled, or behind it."""

    at: int
    handled: bool


class Deadly(HandleTransport):
    """From this point on no request is made any more."""

    def __init__(self, world: World, point: Point) -> None:
        super().__init__(world)
        self._left, self._handled = point.at, point.handled

    def send(self, request: Request) -> Response:
        self._left -= 1
        if self._left >= 0:
            return super().send(request)
        if self._left == -1 and self._handled:
            super().send(request)
        raise Killed


class Counting(HandleTransport):
    """Notes the version of the store and the method before and behind each request."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.points: dict[Point, tuple[int, bool]] = {}

    def send(self, request: Request) -> Response:
        at, changes = len(self.points) // 2, request.method != "GET"
        self.points[Point(at, False)] = (self.world.store.version, changes)
        try:
            return super().send(request)
        finally:
            self.points[Point(at, True)] = (self.world.store.version, changes)


def outcome(world: World) -> dict[str, Any]:
    """What is there once no one does anything more."""
    world.advance(60)
    live = world.store.read(ROLLOUT, "companyos", "companyos-api")
    replicasets = world.store.items(REPLICASET, "companyos")
    kinds = (SERVICE, CONFIGMAP, ANALYSISTEMPLATE)
    return {
        "state": state(world.rollout()),
        "revision": live["metadata"]["annotations"][REVISION],
        "spec": json.dumps(live["spec"], sort_keys=True),
        "replicasets": sorted((rs["metadata"]["name"], rs["spec"]["replicas"]) for rs in replicasets),
        "pods": sorted(pod["spec"]["containers"][0]["image"] for pod in world.pods()),
        "others": [(o["metadata"]["name"], json.dumps(o.get("spec"))) for k in kinds for o in world.store.items(k)],
    }


def over(world: World, transport: HandleTransport) -> None:
    world.connect = lambda *_: Cluster(transport, "companyos", "sandbox")  # type: ignore[method-assign]


def whole(story: Story, world: World) -> tuple[dict[Point, tuple[int, bool]], int, dict[str, Any]]:
    """The points of a run that no one kills, its exit code, and what it comes to."""
    counting = Counting(world)
    over(world, counting)
    ran = world.canary(*story.command)
    return counting.points, ran.code, outcome(world)


def twice(story: Story, world: World, point: Point, between: float) -> tuple[Ran, dict[str, Any]]:
    """Killed at this point, and run again so many seconds later: what that says, and what it comes to."""
    over(world, Deadly(world, point))
    with pytest.raises(Killed):
        world.canary(*story.command)
    over(world, HandleTransport(world))
    world.advance(between)
    return world.canary(*story.command), outcome(world)


def different(points: dict[Point, tuple[int, bool]], most: int | None) -> list[Point]:
    """All that leave another cluster behind than the point before; of those that only time has changed no more than
    `most`."""
    last = -1
    ours, others = list[Point](), list[Point]()
    for point, (version, changes) in points.items():
        if version != last:
            (ours if changes else others).append(point)
        last = version
    every = max(1, len(others) // most) if most else 1
    return [*ours, *others[::every]]


def check(story: Story, folder: Path, pace: Pace, *, most: int | None = None) -> None:
    world = story.begin(folder, pace)
    points, code, wanted = whole(story, copied(world))
    assert code == ExitCode.OK
    assert any(changes for _, changes in points.values())
    for number, point in enumerate(different(points, most)):
        for between in (0.0, 5.0) if most is None else ((0.0, 5.0)[number % 2],):
            ran, found = twice(story, copied(world), point, between)
            told = f"{point}, {between} s: {ran.out}{ran.err}"
            assert found == wanted, told
            # a second one may find that nothing is left to do
            assert ran.code in (ExitCode.OK, ExitCode.REFUSED), told


@pytest.mark.parametrize("name", STORIES)
def test_a_verb_that_was_killed_and_is_run_again_comes_to_the_same(tmp_path: Path, name: str) -> None:
    check(STORIES[name], tmp_path, PROMPT, most=4)


def test_a_verb_that_does_more_the_second_time_is_found(tmp_path: Path) -> None:
    """One promote is one pause: sent twice, it passes two. The law would be none if it let this pass."""
    story = Story(("promote", *BOUND), AT_A_PAUSE, FEW)
    world = story.begin(tmp_path, PROMPT)
    points, _, wanted = whole(story, copied(world))
    sent = next(point for point, (_, changes) in points.items() if changes and point.handled)
    _, found = twice(story, copied(world), sent, 5.0)
    assert found["state"] != wanted["state"]


@pytest.mark.soak
@pytest.mark.parametrize("late", PACES)
@pytest.mark.parametrize("name", [*STORIES, *MORE])
def test_soak_of_killed_verbs(tmp_path: Path, name: str, late: str) -> None:
    check({**STORIES, **MORE}[name], tmp_path, PACES[late])
