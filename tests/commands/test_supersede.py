"""`deploy --supersede`, and two deploys at once: exactly one wins, and the other one says so."""

from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companyos_canary.argo.effects import canary_pods
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.kinds import REPLICASET
from tests.commands.conftest import changing, freeze, installed
from tests.turns import take_turns
from tests.world import CONFIG, World

pytestmark = pytest.mark.replicas(4)

ONE_STEP = CONFIG.replace("  - {weight: 25, analysis: 6s}\n  - {weight: 50, analysis: 6s}\n", "").replace(
    "10\nsteps", "2\nsteps"
)

ROLLOUT = "/apis/argoproj.io/v1alpha1/namespaces/companyos/rollouts/companyos-api"


def canary_left(world: World, image: str) -> int:
    """How many pods of a version its ReplicaSet still has."""
    return sum(
        r.get("status", {}).get("replicas", 0)
        for r in world.store.items(REPLICASET, "companyos")
        if r["spec"]["template"]["spec"]["containers"][0]["image"].endswith(image)
    )


def test_the_version_in_progress_is_aborted_and_gone_before_the_next_one_is_sent(running: World) -> None:
    sent: list[int] = []

    def at_the_image(request: object) -> bool:
        if b"v1.3.0" in getattr(request, "body", b"") and b"containers" in getattr(request, "body", b""):
            sent.append(canary_left(running, ":v1.1.0"))
            assert running.rollout().aborted
            assert canary_pods(running.rollout()) == 0
        return False

    running.breaks = at_the_image
    ran = running.canary("deploy", "v1.3.0", "--supersede")
    assert ran.code == ExitCode.OK, ran
    assert sent == [0]
    assert (
        "the version in progress of companyos-api in companyos @ sandbox is aborted to make way for v1.3.0" in ran.err
    )
    assert running.rollout().image().endswith(":v1.3.0")


def test_history_says_what_became_of_it(running: World) -> None:
    running.canary("deploy", "v1.3.0", "--supersede", "--no-wait", environ={"CANARY_USER": "ben"})
    running.until(lambda r: r.observed and r.image().endswith(":v1.3.0"))
    found = running.canary("history", "-o", "json").json["data"]["revisions"]
    (superseded,) = [revision for revision in found if revision["version"] == "v1.1.0"]
    assert superseded["outcome"] == "aborted"
    assert "superseded by v1.3.0" in superseded["cause"]["message"]


def test_where_nothing_is_in_progress_it_is_a_plain_deploy(world: World) -> None:
    assert world.canary("deploy", "v1.3.0", "--supersede", "--no-wait").code == ExitCode.OK
    assert changing(world) == ["PATCH"]


def test_a_version_that_is_paused_by_hand_is_superseded_too(waiting: World) -> None:
    waiting.canary("pause")
    assert waiting.canary("deploy", "v1.3.0", "--supersede", "--no-wait").code == ExitCode.OK
    assert not waiting.rollout().paused


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("v1.1.0", "--until", "weight=10"), ExitCode.OK),
        (("v1.3.0", "--container", "nobody"), ExitCode.NOT_FOUND),
        (("v1.3.0", "--until", "step=9"), ExitCode.REFUSED),
    ],
    ids=["the same version", "no such container", "a state that cannot be"],
)
def test_nothing_is_aborted_for_a_deploy_that_would_not_be_sent(
    running: World, command: tuple[str, ...], code: ExitCode
) -> None:
    assert running.canary("deploy", *command, "--supersede").code == code
    assert not running.rollout().aborted
    assert changing(running) == []


def test_without_a_controller_nothing_more_is_sent_and_it_says_so(running: World) -> None:
    freeze(running)
    ran = running.canary("deploy", "v1.3.0", "--supersede")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "v1.3.0 was not deployed" in ran.err
    assert running.rollout().image().endswith(":v1.1.0")


def test_a_dry_run_shows_the_abort_and_the_image_and_sends_neither(running: World) -> None:
    ran = running.canary("deploy", "v1.3.0", "--supersede", "--dry-run")
    assert ran.code == ExitCode.OK
    assert '"abort": true' in ran.out
    assert "companyos-api:v1.3.0" in ran.out
    assert changing(running) == []


def together(world: World, one: tuple[str, ...], other: tuple[str, ...], order: list[int]) -> list[int]:
    """Both commands in parallel; at each turn the order says which of them acts."""
    codes = [-1, -1]

    def run(number: int, command: tuple[str, ...]) -> None:
        codes[number] = world.canary(*command).code

    turns = iter(order)
    works = [partial(run, number, command) for number, command in enumerate((one, other))]
    take_turns(world, works, lambda count: next(turns, 0) % count)
    return codes


def image_of(world: World) -> str:
    return world.rollout().image().rpartition(":")[2]


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(0, 1), min_size=12, max_size=12))
def test_of_two_deploys_at_once_exactly_one_wins(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    world = installed(tmp_path_factory.mktemp("two"), ONE_STEP)
    codes = together(world, ("deploy", "v1.3.0"), ("deploy", "v1.4.0"), order)
    winner = codes.index(ExitCode.OK)
    assert codes[1 - winner] in (ExitCode.SUPERSEDED, ExitCode.REFUSED), codes
    assert image_of(world) == ("v1.3.0", "v1.4.0")[winner]
    assert world.rollout().is_fully_promoted


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(0, 1), min_size=16, max_size=16))
def test_of_two_that_supersede_at_once_exactly_one_wins(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    world = installed(tmp_path_factory.mktemp("two"), ONE_STEP)
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(2)
    codes = together(world, ("deploy", "v1.3.0", "--supersede"), ("deploy", "v1.4.0", "--supersede"), order)
    winner = codes.index(ExitCode.OK)
    assert codes[1 - winner] in (ExitCode.SUPERSEDED, ExitCode.REFUSED), codes
    assert image_of(world) == ("v1.3.0", "v1.4.0")[winner]


def test_the_one_that_is_superseded_ends_with_6_and_says_by_what(world: World) -> None:
    said: list[str] = []

    def someone_else() -> None:
        world.on_wait.clear()
        said.append(str(world.canary("deploy", "v1.3.0", "--supersede", "--no-wait").code))

    world.on_wait.append(someone_else)
    ran = world.canary("deploy", "v1.1.0")
    assert said == ["0"]
    assert ran.code == ExitCode.SUPERSEDED, ran


def test_what_is_read_as_in_progress_once_it_was_aborted_is_no_refusal(running: World) -> None:
    """A cache that is behind shows the Rollout as it was before the abort."""
    through, sent = running.faults, list[str]()
    before = through(Request("GET", ROLLOUT))

    def stale(request: Request) -> Response:
        sent.extend([request.path] if request.method == "PATCH" else [])
        if sent and (request.method, request.path) == ("GET", ROLLOUT):
            return before
        return through(request)

    running.faults = stale  # type: ignore[assignment]
    ran = running.canary("deploy", "v1.3.0", "--supersede", "--no-wait")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "the abort of the version in progress of `companyos-api` was sent, but it is not gone" in ran.err
    assert "v1.3.0 was not deployed" in ran.err
    running.faults = through
    assert running.rollout().aborted
    assert running.rollout().image().endswith(":v1.1.0")


@pytest.mark.prompt_only("a late abort takes the seconds that are given to all of it")
def test_the_time_that_is_over_is_the_one_that_was_given(running: World) -> None:
    """Part of it went by before the new version was sent."""
    working, waits = running.sandbox, list[int]()
    freeze(running)

    def controller_comes_back() -> None:
        waits.append(1)
        if len(waits) == 4:
            running.sandbox = working

    running.on_wait.append(controller_comes_back)
    ran = running.canary("deploy", "v1.3.0", "--supersede", "--timeout", "12s")
    assert ran.code == ExitCode.TIMEOUT, ran
    assert "! v1.3.0 did not get there within 12s: " in ran.err
