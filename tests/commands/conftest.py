"""Worlds to begin a story in: a sandbox, a canary.yaml, a clock and a recorder of requests.

| fixture | the cluster at the beginning |
|---|---|
| `empty` | nothing is installed; canary.yaml is there |
| `world` | companyos-api v1.0.0 is Healthy |
| `world_of(config)` | the same for another canary.yaml |
| `waiting` | v1.1.0 waits for a person at 10 % |
| `running` | v1.1.0 is in its first analysis, at 10 % |
| `rolled_back` | v1.1.0 was aborted by hand and its pods are gone |
| `shipped` | v1.1.0 is Healthy, after v1.0.0 |
| `behind` | v1.0.0 is paused by hand, and the controller has not looked at v1.1.0 |

With `over_the_real_feed` commands follow over the product's own watches, which catch up after each step of time;
elsewhere over snapshots that are read.

The Rollouts have ten pods. Each is scraped, measured and listed all the time: a file whose tests are about something
else has four (`pytestmark = pytest.mark.replicas(4)`).

`freeze` takes the controller away, `interrupt` presses Ctrl-C while a command waits, `changing` lists the
methods of the requests that changed something.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from companyos_canary.cluster.kinds import path_target
from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox import cluster as sandbox
from companyos_canary.sandbox.kinds import ROLE, ROLEBINDING, ROLLOUT
from tests.clock import PACES
from tests.prototypes import begun
from tests.world import CONFIG, MANUAL, SteppedFeed, World


@pytest.fixture(autouse=True)
def pace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How late everyone is in the Worlds of this test."""
    name: str = getattr(request, "param", "prompt")
    monkeypatch.setattr(World, "usual", staticmethod(PACES[name]))
    return name


@pytest.fixture
def over_the_real_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands follow over the product's own watches, not over snapshots that are read."""
    monkeypatch.setattr(World, "feed", SteppedFeed)


@pytest.fixture
def replicas(request: pytest.FixtureRequest) -> int:
    """How many pods the Rollouts of the fixtures have: ten, or as many as the marker says."""
    marker = request.node.get_closest_marker("replicas")
    return int(marker.args[0]) if marker else 10


def sized(config: str, replicas: int) -> str:
    return config.replace("replicas: 10", f"replicas: {replicas}")


@pytest.fixture
def empty(tmp_path: Path) -> World:
    """A cluster with nothing in it, and a canary.yaml."""
    return World(tmp_path)


@pytest.fixture
def world(tmp_path: Path, replicas: int) -> World:
    """companyos-api v1.0.0 is Healthy."""
    return installed(tmp_path, sized(CONFIG, replicas))


@pytest.fixture
def world_of(tmp_path: Path) -> Callable[[str], World]:
    """As `world`, for another canary.yaml."""
    return lambda config: installed(tmp_path, config)


@pytest.fixture
def waiting(tmp_path: Path, replicas: int) -> World:
    """v1.1.0 waits for a person at 10 %."""
    return paused_world(tmp_path, sized(MANUAL, replicas))


@pytest.fixture
def running(tmp_path: Path, replicas: int) -> World:
    """v1.1.0 is in its first analysis, at 10 %."""
    return begun("running", sized(CONFIG, replicas), tmp_path, lambda *given: judged(installed(*given)))


@pytest.fixture
def rolled_back(tmp_path: Path, replicas: int) -> World:
    """v1.1.0 was aborted by hand; its pods are gone."""
    return begun("rolled back", sized(MANUAL, replicas), tmp_path, lambda *given: aborted(paused_world(*given)))


@pytest.fixture
def shipped(tmp_path: Path, replicas: int) -> World:
    """v1.1.0 is Healthy, after v1.0.0."""
    return begun("shipped", sized(CONFIG, replicas), tmp_path, lambda *given: promoted(installed(*given)))


@pytest.fixture
def behind(world: World) -> World:
    """Where the number of pods changes together with the template, the controller first scales, and says that it has
    seen the spec; under a pause by hand it stays so."""
    assert world.canary("pause", "-q").code == 0
    container = {**world.store.items(ROLLOUT)[0]["spec"]["template"]["spec"]["containers"][0]}
    container["image"] = "companyos-api:v1.1.0"
    world.patch({"spec": {"replicas": 14, "template": {"spec": {"containers": [container]}}}})
    world.advance(30)
    assert world.rollout().is_fully_promoted
    world.requests.clear()
    return world


def promoted(world: World) -> World:
    """v1.1.0 went through all steps."""
    assert world.canary("deploy", "v1.1.0", "-q").code == 0
    world.requests.clear()
    return world


def aborted(world: World) -> World:
    assert world.canary("abort").code == 0
    world.requests.clear()
    return world


def paused_world(folder: Path, config: str) -> World:
    """As `waiting`, for another canary.yaml."""
    return begun("paused", config, folder, lambda *given: at_the_pause(installed(*given)))


def at_the_pause(world: World) -> World:
    """A second after the pause began: in its own second a command cannot tell whether it was given before."""
    deployed(world, 3, lambda r: bool(r.pause_conditions))
    began = world.rollout().pause_conditions[0].started_at
    world.advance(0 if began and began + timedelta(seconds=1) <= world.now else 1)
    world.requests.clear()
    return world


def judged(world: World) -> World:
    return deployed(world, 2, is_judged)


def is_judged(rollout: Rollout) -> bool:
    return rollout.step_run is not None and rollout.step_run.status == "Running"


def deployed(world: World, seconds: float, condition: Callable[[Rollout], bool]) -> World:
    """So long after v1.1.0 was sent, and not before this holds."""
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(seconds)
    world.until(condition)
    world.requests.clear()
    return world


def freeze(world: World) -> None:
    """From now on no one looks at Rollouts."""
    world.sandbox = sandbox.Cluster(world.store, controller=False)


def interrupt(world: World, *, after: int = 0, once: Callable[[], bool] = lambda: True) -> None:
    """Ctrl-C while the command waits: it has waited so many times in which this held."""
    waits = iter(range(after))

    def press() -> None:
        if once() and next(waits, None) is None:
            world.on_wait.remove(press)
            raise KeyboardInterrupt

    world.on_wait.append(press)


def changing(world: World) -> list[str]:
    """The methods of the requests that changed something (a dry run does not, nor a question about rights, nor an Event
    that says who did)."""
    return [
        r.method
        for r in world.requests
        if r.method not in ("GET", "HEAD")
        and not r.parameter("dryRun")
        and path_target(r.path).plural not in ("events", "selfsubjectrulesreviews")
    ]


def installed(folder: Path, config: str) -> World:
    """As `world`, for another canary.yaml."""
    return begun("installed", config, folder, first_version)


def first_version(folder: Path, config: str) -> World:
    made = World(folder, config)
    ran = made.canary("apply", "v1.0.0", "-q")
    assert ran.code == 0, ran
    made.advance(10)
    made.until(lambda r: r.observed and r.available_replicas == r.replicas)
    made.requests.clear()
    return made


def bound(world: World, *words: str) -> None:
    """What `canary rbac` prints is in the cluster."""
    kinds = {"Role": ROLE, "RoleBinding": ROLEBINDING}
    for made in world.canary("rbac", *words, "-n", "companyos", "-o", "json").json["data"]["objects"]:
        world.store.create(kinds[made["kind"]], made)
