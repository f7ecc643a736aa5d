"""`undo --hold`: the version that was left is refused until someone releases it."""

import json
from functools import partial
from pathlib import Path

import pytest

from companyos_canary.argo.patches.hold import PREFIX, Hold, holds
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.conftest import changing, installed, promoted, sized
from tests.prototypes import begun
from tests.turns import take_turns
from tests.world import CONFIG, World

pytestmark = pytest.mark.replicas(4)


@pytest.fixture
def left(tmp_path: Path) -> World:
    """v1.1.0 was left by an undo, and is held."""
    return begun("held", sized(CONFIG, 4), tmp_path, lambda *given: left_with_a_hold(promoted(installed(*given))))


def left_with_a_hold(world: World) -> World:
    assert world.canary("undo", "--hold", "--reason", "slow login").code == ExitCode.OK
    world.requests.clear()
    return world


def held(world: World) -> tuple[Hold, ...]:
    return holds(world.rollout().annotations)


def test_the_next_deploy_of_it_is_refused_and_says_who_and_why(left: World) -> None:
    ran = left.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.REFUSED
    assert "v1.1.0 is held: ana left it with an undo at 2026-03-02T" in ran.err
    assert ": slow login\nhint: --release-hold deploys it all the same" in ran.err
    assert changing(left) == []


def test_other_versions_are_deployed_as_ever_and_the_hold_stays(left: World) -> None:
    assert left.canary("deploy", "v1.3.0").code == ExitCode.OK
    assert left.canary("deploy", "v1.1.0").code == ExitCode.REFUSED


def test_release_hold_deploys_it_and_ends_the_hold(left: World) -> None:
    assert left.canary("deploy", "v1.1.0", "--release-hold").code == ExitCode.OK
    assert held(left) == ()
    assert left.rollout().image().endswith(":v1.1.0")
    assert left.canary("undo", "--no-wait").code == ExitCode.OK
    left.until(lambda r: r.observed and r.is_fully_promoted)
    assert left.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK


def test_a_dry_run_shows_both_and_writes_neither(left: World) -> None:
    ran = left.canary("deploy", "v1.1.0", "--release-hold", "--dry-run")
    assert '"op": "remove"' in ran.out
    assert len(held(left)) == 1


def test_without_hold_nothing_is_held(shipped: World) -> None:
    shipped.canary("undo")
    assert held(shipped) == ()
    assert shipped.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK


def test_an_undo_in_the_middle_of_a_release_holds_it_too(running: World) -> None:
    assert running.canary("undo", "--hold").code == ExitCode.OK
    ran = running.canary("deploy", "v1.1.0")
    assert (ran.code, "v1.1.0 is held: ana left it" in ran.err) == (ExitCode.REFUSED, True)


def test_hold_may_be_said_once_the_undo_is_done(shipped: World) -> None:
    assert shipped.canary("undo").code == ExitCode.OK
    revision = shipped.rollout().revision
    ran = shipped.canary("undo", "--hold", "--reason", "late")
    assert ran.code == ExitCode.OK, ran
    assert [(h.reason, list(h.images.values())) for h in held(shipped)] == [("late", ["companyos-api:v1.1.0"])]
    assert shipped.rollout().revision == revision
    assert shipped.canary("undo", "--hold").code == ExitCode.OK
    assert len(held(shipped)) == 1


def test_an_undo_back_to_what_is_held_needs_force(left: World) -> None:
    ran = left.canary("undo", "--to", "v1.1.0")
    assert (ran.code, "is held: ana left it with an undo" in ran.err) == (ExitCode.REFUSED, True)
    assert left.canary("undo", "--to", "v1.1.0", "--force", "--no-wait").code == ExitCode.OK


@pytest.mark.parametrize("flags", [("--roll",), ("--roll", "--no-wait"), ("--dry-run",)], ids=" ".join)
def test_an_apply_of_what_is_held_is_refused_and_says_who_and_why(left: World, flags: tuple[str, ...]) -> None:
    ran = left.canary("apply", "v1.1.0", *flags)
    assert (ran.code, changing(left)) == (ExitCode.REFUSED, []), ran
    assert "v1.1.0 is held: ana left it with an undo at 2026-03-02T" in ran.err
    assert ": slow login\nhint: `canary deploy v1.1.0 --release-hold` ends the hold" in ran.err


def test_an_apply_of_what_is_held_needs_force_and_an_apply_of_another_version_nothing(left: World) -> None:
    assert left.canary("apply").code == ExitCode.OK
    assert left.canary("apply", "v1.1.0", "--roll", "--force", "--no-wait").code == ExitCode.OK
    assert left.rollout().image().endswith(":v1.1.0")
    assert left.canary("apply", "v1.3.0", "--roll", "--no-wait").code == ExitCode.OK


def test_two_versions_are_held_apart_and_released_apart(left: World) -> None:
    left.canary("deploy", "v1.3.0")
    assert left.canary("undo", "--hold", "--reason", "second").code == ExitCode.OK
    assert sorted(h.reason for h in held(left)) == ["second", "slow login"]
    assert left.canary("deploy", "v1.3.0", "--release-hold", "--no-wait").code == ExitCode.OK
    assert [h.reason for h in held(left)] == ["slow login"]


@pytest.mark.parametrize("first", [0, 1])
def test_a_deploy_and_an_undo_that_holds_it_at_once_never_ship_what_is_held(shipped: World, first: int) -> None:
    """v1.3.0 is stable by now; one undoes and holds it while another deploys it again."""
    assert shipped.canary("deploy", "v1.3.0").code == ExitCode.OK
    codes: dict[str, int] = {}

    def run(*command: str) -> None:
        codes[command[0]] = shipped.canary(*command).code

    order = iter([first] * 3)
    take_turns(
        shipped,
        [partial(run, "undo", "--hold", "--no-wait"), partial(run, "deploy", "v1.3.0", "--no-wait")],
        lambda count: min(count - 1, next(order, 0)),
    )
    assert codes["undo"] == ExitCode.OK
    assert len(held(shipped)) == 1
    assert shipped.rollout().image().endswith(":v1.1.0")


HOSTILE = [
    "",
    "{",
    "[]",
    "null",
    '{"images": 3}',
    '{"images": {"companyos-api": 3}}',
    '{"images": {}}',
    '{"by": "x"}',
    "[" * 5000,
    '{"images": {"companyos-api": "companyos-api:v1.9.0"}, "by": 3, "at": "x", "reason": ["y"]}',
    '{"images": {"companyos-api": "companyos-api:v1.9.0"}, "by": "\\u001b[31m", "at": 5, "reason": "\\n::error::x"}',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_annotation_of_anyone_makes_a_verb_fail(shipped: World, text: str) -> None:
    shipped.patch({"metadata": {"annotations": {f"{PREFIX}x": text, f"{PREFIX}{'a' * 10}": text}}})
    for command in (("history",), ("get",), ("undo", "--dry-run"), ("deploy", "v1.3.0", "--dry-run")):
        assert shipped.canary(*command).code == ExitCode.OK, command
    ran = shipped.canary("deploy", "v1.9.0", "--dry-run")
    names_it = "v1.9.0" in text
    assert ran.code == (ExitCode.REFUSED if names_it else ExitCode.OK), ran
    assert "\x1b" not in ran.err
    assert not any(line.startswith("::error") for line in ran.err.splitlines())
    if names_it:
        assert shipped.canary("deploy", "v1.9.0", "--release-hold", "--no-wait").code == ExitCode.OK
        assert held(shipped) == ()


def test_a_hold_that_was_written_anew_meanwhile_is_not_released(left: World) -> None:
    key = held(left)[0].key
    newer = json.dumps({"images": {"companyos-api": "companyos-api:v1.1.0"}, "by": "ben", "reason": "still slow"})
    once = iter([True])

    def by_ben(request: object) -> bool:
        if getattr(request, "method", "") == "PATCH" and next(once, False):
            live = json.loads(json.dumps(left.store.read(ROLLOUT, "companyos", "companyos-api")))
            live["metadata"]["annotations"][key] = newer
            left.store.update(ROLLOUT, live)
        return False

    left.breaks = by_ben
    ran = left.canary("deploy", "v1.1.0", "--release-hold", "--no-wait")
    assert ran.code == ExitCode.REFUSED, ran
    assert [h.reason for h in held(left)] == ["still slow"]
