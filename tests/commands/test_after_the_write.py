"""Once a change was accepted, or may have been: nothing is sent again, and every ending says so."""

from collections.abc import Callable

import pytest

from companyos_canary.errors import ExitCode, Untrusted
from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.faults.effects import Answer, Drop, Effect, Fault, Silent
from tests.commands.conftest import changing, freeze
from tests.world import World

pytestmark = pytest.mark.replicas(4)

COMMANDS = {
    "promote": ("promote",),
    "full": ("promote", "--full", "--yes", "--reason", "hotfix"),
    "weight": ("promote", "--to-weight", "25"),
    "abort": ("abort",),
    "pause": ("pause",),
    "deploy": ("deploy", "v1.2.0"),
    "undo": ("undo",),
}
commands = pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))


@pytest.fixture
def waiting(waiting: World, request: pytest.FixtureRequest) -> World:
    """As it is; a deploy finds the version before it aborted."""
    command = request.node.callspec.params.get("command", ()) if hasattr(request.node, "callspec") else ()
    if command[:1] == ("deploy",):
        assert waiting.canary("abort").code == ExitCode.OK
        waiting.requests.clear()
    return waiting


def lost(world: World, *, made: bool, answer: Callable[[Response], Response]) -> None:
    """The answer to the first change is another one; the change itself is `made`, or not."""
    real, first = world.faults, [True]

    def fault(request: Request) -> Response:
        if request.method != "PATCH" or not first:
            return real(request)
        first.clear()
        return answer(real(request) if made else Response(200, {}, b"{}"))

    world.faults = fault  # type: ignore[assignment]


ANSWERS: dict[str, Callable[[Response], Response]] = {
    "504": lambda _: Response(504, {}, b"<html>gateway time-out</html>"),
    "a page": lambda _: Response(200, {}, b"<!DOCTYPE html><p>log in</p>"),
    "half": lambda found: Response(200, {}, found.body[: len(found.body) // 2]),
}
answers = pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))


@answers
@commands
def test_a_change_that_was_made_is_observed_though_its_answer_is_lost(
    waiting: World, command: tuple[str, ...], answer: Callable[[Response], Response]
) -> None:
    lost(waiting, made=True, answer=answer)
    ran = waiting.canary(*command)
    assert ran.code in (ExitCode.OK, ExitCode.UNFINISHED, ExitCode.DEGRADED), ran
    assert "nothing was sent" not in ran.err
    assert changing(waiting)[1:] == []


@answers
@commands
def test_a_change_that_was_not_made_may_have_been_and_is_not_sent_again(
    waiting: World, command: tuple[str, ...], answer: Callable[[Response], Response]
) -> None:
    lost(waiting, made=False, answer=answer)
    ran = waiting.canary(*command)
    said = ran.out + ran.err
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "may have taken effect" in said
    assert "nothing was sent" not in said
    assert changing(waiting) == ["PATCH"]


READS: dict[str, Effect] = {**{str(code): Answer(code) for code in (401, 404, 422, 503)}, "reset": Drop()}


def fails_after_the_write(world: World, effect: Effect, *, times: int | None) -> None:
    """Reads fail once a change was accepted."""

    def breaks(request: Request) -> bool:
        if request.method == "PATCH":
            world.breaks = lambda _: False
            world.faults.add(Fault(effect, method="GET", times=times))
        return False

    world.breaks = breaks


@pytest.mark.parametrize("effect", READS.values(), ids=list(READS))
@commands
def test_a_read_that_fails_behind_a_change_says_what_was_sent(
    waiting: World, command: tuple[str, ...], effect: Effect
) -> None:
    fails_after_the_write(waiting, effect, times=None)
    ran = waiting.canary(*command)
    said = ran.out + ran.err
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "was sent" in said or "was accepted" in said or "is aborted" in said, ran
    assert "unexpected" not in said
    bodies = [r.body for r in waiting.requests if r.method == "PATCH"]
    assert len(bodies) == len(set(bodies)), "nothing is sent twice"


@pytest.mark.parametrize("effect", READS.values(), ids=list(READS))
@pytest.mark.parametrize("verb", ["abort", "promote", "pause"])
def test_one_read_that_fails_ends_nothing(waiting: World, verb: str, effect: Effect) -> None:
    fails_after_the_write(waiting, effect, times=1)
    ran = waiting.canary(verb)
    assert ran.code == ExitCode.OK, ran


def test_a_deploy_whose_server_is_gone_says_that_and_not_that_no_controller_runs(world: World) -> None:
    fails_after_the_write(world, Drop(), times=None)
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "the deploy of `companyos-api` was sent and continues" in ran.err
    assert "is Argo Rollouts running" not in ran.err + ran.out
    assert "broke" in ran.err


@pytest.mark.parametrize("command", [("watch",), ("status", "--wait")], ids=["watch", "status"])
def test_a_reader_whose_server_is_gone_has_changed_nothing(running: World, command: tuple[str, ...]) -> None:
    running.faults.add(Fault(Drop(), after=1))
    ran = running.canary(*command)
    assert ran.code == ExitCode.FAILED, ran
    assert "was changed" not in ran.err
    assert "is Argo Rollouts running" not in ran.err
    assert "broke" in ran.err


def test_a_reader_without_a_controller_does_not_say_that_it_changed_something(world: World) -> None:
    freeze(world)
    world.patch({"spec": {"replicas": 11}})
    ran = world.canary("status", "--wait")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "was changed" not in ran.err + ran.out
    assert "no controller has acted on it in 30 s: is Argo Rollouts running?" in ran.err + ran.out


def test_a_restart_whose_answer_is_lost_and_that_is_not_followed_ends_unobserved(world: World) -> None:
    lost(world, made=False, answer=ANSWERS["504"])
    ran = world.canary("restart", "--no-wait")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert changing(world)[1:] == []


def untrusted(world: World) -> None:
    """From now on the server has a certificate that no one knows."""

    def fault(_: Request) -> Response:
        raise Untrusted("the certificate of `https://sandbox` is not trusted: self-signed certificate")

    world.on_wait.append(lambda: setattr(world, "faults", fault))


def test_a_certificate_that_is_not_trusted_for_a_minute_ends_what_no_one_watches(running: World) -> None:
    untrusted(running)
    began = running.now
    ran = running.canary("watch", "--timeout", "1h")
    assert ran.code == ExitCode.FAILED, ran
    assert "is not trusted" in ran.err
    assert 60 <= (running.now - began).total_seconds() < 70


def test_a_deploy_that_ends_so_says_that_it_continues(world: World) -> None:
    untrusted(world)
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert "is not trusted" in ran.err
    assert "continues" in ran.err


def silent_once(world: World, number: int) -> None:
    """The server says nothing to the read of that number, until it is given up after 30 seconds."""
    real, reads = world.faults, iter(range(1000))

    def fault(request: Request) -> Response:
        if request.method == "GET" and next(reads) == number:
            world.advance(30)
            raise Silent
        return real(request)

    world.faults = fault  # type: ignore[assignment]


@pytest.mark.parametrize("number", range(1, 9))
def test_one_read_that_is_never_answered_does_not_end_a_deploy(world: World, number: int) -> None:
    silent_once(world, number)
    ran = world.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.OK, ran


@pytest.mark.parametrize("command", [("pause",), ("abort",), ("promote",)])
def test_one_read_that_is_never_answered_does_not_end_a_wait(waiting: World, command: tuple[str, ...]) -> None:
    silent_once(waiting, 1)
    ran = waiting.canary(*command)
    assert ran.code == ExitCode.OK, ran
