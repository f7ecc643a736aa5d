"""Keys of the live screen: action and refusals of the commands, asked once inside the frame."""

import re
from collections.abc import Callable

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.api.access import Attributes
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.conftest import changing, freeze
from tests.world import Ran, World

pytestmark = pytest.mark.replicas(4)

NO_COLOUR = {"NO_COLOR": "1"}
LEAVE = (1.0, "q")


def watch(world: World, *keys: tuple[float, str], arguments: tuple[str, ...] = ()) -> Ran:
    return world.canary("watch", *arguments, terminal=True, keys=keys, environ=NO_COLOUR, size=(80, 40))


def ordered(act: Callable[[Callable[[], None]], object]) -> Callable[..., None]:
    """Begins work at once; on what a key ordered there is `act`ed."""

    def start(work: Callable[[], None]) -> None:
        if "_press" in work.__qualname__:
            act(work)
        else:
            work()

    return start


@pytest.mark.replicas(10)
def test_abort_by_key_asks_once_and_ends_with_3(running: World) -> None:
    ran = watch(running, (1, "a"), (1, "y"))
    assert ran.code == ExitCode.DEGRADED
    assert "? abort v1.1.0 at 10 %: all traffic back to v1.0.0?" in ran.out
    assert "y yes, do it   any other key no" in ran.out
    assert running.rollout().aborted
    assert "abort: done" in ran.out
    assert "v1.1.0 was rolled back at 10 %: aborted (no analysis failed)" in ran.out


def test_any_other_key_sends_nothing(running: World) -> None:
    ran = watch(running, (1, "a"), (0.3, "n"), LEAVE)
    assert ran.code == ExitCode.INTERRUPTED
    assert "not confirmed: nothing was sent" in ran.out
    assert changing(running) == ["POST", "POST"], "only what may be done is asked about"


def test_a_confirming_key_without_a_question_does_nothing(running: World) -> None:
    ran = watch(running, (1, "y"), (0.3, "x"), LEAVE)
    assert changing(running) == ["POST", "POST"]
    assert "yes, do it" not in ran.out


def test_promote_by_key_goes_on_at_a_pause(waiting: World) -> None:
    ran = watch(waiting, (1, "p"), (0.3, "y"), (9, "q"))
    assert "? promote v1.1.0: continue from 10 %?" in ran.out
    assert "promote: done" in ran.out
    assert (waiting.rollout().step_index or 0) > 1


def test_promote_is_refused_while_a_step_runs_as_the_command_does(running: World) -> None:
    refusal = running.canary("promote").err.splitlines()[0].removeprefix("error: ")
    running.requests.clear()
    ran = watch(running, (1, "p"), LEAVE)
    assert refusal[:60] in ran.out
    assert "canary watch" not in ran.out.partition(refusal[:60])[2].partition("q leave")[0], "it is watched already"
    assert "`canary promote --skip-step` ends this step" in " ".join(ran.out.replace("\x1b[2K", "").split())
    assert "any other key" not in ran.out
    assert changing(running) == ["POST", "POST"]


def test_space_pauses_and_resumes(running: World) -> None:
    ran = watch(running, (1, " "), (0.3, "y"), (9, " "), (0.3, "y"), (9, "q"))
    assert "? pause companyos-api by hand at 10 %?" in ran.out
    assert "? resume companyos-api?" in ran.out
    assert "pause: done; the analysis keeps running during the pause" in " ".join(ran.out.split())
    assert "resume: done" in ran.out
    assert not running.rollout().paused


def test_retry_by_key_runs_an_aborted_version_again(rolled_back: World) -> None:
    ran = watch(rolled_back, (1, "r"), (0.3, "y"), (9, "q"), arguments=("--stay",))
    assert "? retry v1.1.0 from the first step?" in ran.out
    assert "retry: done" in ran.out
    assert not rolled_back.rollout().aborted


def test_read_only_changes_nothing_and_shows_the_commands(running: World) -> None:
    ran = watch(running, (1, "a"), (0.3, "y"), LEAVE, arguments=("--read-only",))
    assert "the keys are read-only: --read-only" in ran.out
    assert "a abort" not in ran.out
    assert "stop: canary abort" in ran.out
    assert changing(running) == []


def test_who_may_not_patch_is_told_so(running: World) -> None:
    def no_status(asked: Attributes) -> bool:
        return (asked.verb, asked.subresource) != ("patch", "status")

    running.allowed = no_status
    ran = watch(running, (1, "a"), LEAVE)
    assert "the keys are read-only: not permitted to patch rollouts/status" in ran.out
    assert not running.rollout().aborted


@pytest.mark.replicas(10)
@pytest.mark.prompt_only("asserts the seconds between two keys")
def test_what_was_confirmed_for_one_step_is_not_done_at_another(waiting: World) -> None:
    order = ordered(lambda work: (waiting.canary("promote", "-q"), work()))
    waiting.start = order
    ran = watch(waiting, (1, "p"), (0.3, "y"), (1, "q"))
    assert "`companyos-api` is at step 2/3 (setWeight: 25), not at step 1" in ran.out


@pytest.mark.prompt_only("asserts the seconds between two keys")
def test_leaving_waits_for_what_is_on_its_way(running: World) -> None:
    late: list[Callable[[], None]] = []
    running.start = ordered(late.append)
    running.on_wait.append(lambda: late.pop()() if late and running.now.second > 16 else None)
    ran = watch(running, (1, "a"), (0.3, "y"), (0.3, "q"))
    assert "abort is still running; Ctrl-C leaves at once" in ran.out
    assert ran.code == ExitCode.DEGRADED


def test_panels_open_and_close(running: World) -> None:
    keys = ((1, "m"), (0.5, "e"), (0.5, "l"), (0.5, "?"), (0.5, "\x1b"), LEAVE)
    ran = watch(running, *keys)
    assert "log of companyos-api-" in ran.out
    assert "ScalingReplicaSet: v1.1.0 scaled up from 0 to 1" in ran.out
    assert "retry: an aborted version again, from the first step" in ran.out
    assert ran.out.count("esc back") >= 4


def test_leaving_with_q_says_that_the_rollout_goes_on(running: World) -> None:
    ran = watch(running, (1, "q"))
    assert ran.code == ExitCode.INTERRUPTED
    assert "no longer watching: the rollout of v1.1.0 continues, now at 10 %" in ran.out


@pytest.mark.prompt_only("asserts how far it came in a number of seconds")
def test_stay_goes_on_with_the_next_version(running: World) -> None:
    def next_one() -> None:
        if running.rollout().is_fully_promoted:
            running.on_wait.clear()
            running.canary("deploy", "v1.2.1", "--no-wait")

    running.on_wait.append(next_one)
    ran = watch(running, (240, "q"), arguments=("--stay",))
    assert "v1.1.0 → v1.2.1" in ran.out
    assert "no longer watching: v1.2.1 is stable" in ran.out


@pytest.mark.prompt_only("asserts how far it came in a number of seconds")
def test_stay_in_a_pipe_ends_with_its_time(running: World) -> None:
    ran = running.canary("watch", "--stay", "--timeout", "90s")
    assert ran.code == ExitCode.TIMEOUT
    assert "healthy version=v1.1.0" in ran.out


@pytest.mark.replicas(10)
def test_prometheus_stands_beside_what_was_measured(running: World) -> None:
    ran = watch(running, (4, "q"))
    assert re.search(r"\(1 of 10\)   measured \d+ %", ran.out)
    assert re.search(r" MEASURED +LIMIT +REQUESTS +VERDICT +STABLE", ran.out)
    assert "from http://prometheus" not in ran.out, "a heading says what it is"
    assert re.search(r"error-rate +\S* +\d\.\d %", ran.out)


def test_a_prometheus_that_is_away_is_told_once_and_left_in_peace(running: World) -> None:
    asked = []

    controllers = running.prometheus

    def away(request: Request) -> Response:
        if request.method == "POST":
            return controllers(request)
        asked.append(request)
        return Response(503)

    running.prometheus = away
    ran = watch(running, (12, "q"))
    assert "no values of now: Prometheus at `http://prometheus` answered 503" in ran.out
    queries = [r.parameter("query") for r in asked]
    assert len(queries) == len(set(queries)) == 2, "the metrics, and whose requests they count"


def test_a_mistake_behind_a_key_is_told_and_locks_nothing(running: World) -> None:
    running.breaks = lambda request: "selfsubjectaccessreviews" in request.path
    ran = watch(running, (1, "a"), (0.3, "n"), LEAVE)
    assert ran.code == ExitCode.INTERRUPTED
    assert "no longer watching" in ran.out


def test_an_order_that_fails_unexpectedly_is_told_and_the_screen_goes_on(running: World) -> None:
    running.breaks = lambda request: request.method == "PATCH"
    ran = watch(running, (1, "a"), (0.3, "y"), (3, "q"))
    assert ran.code == ExitCode.INTERRUPTED
    assert "abort: unexpected ZeroDivisionError: a mistake of ours" in ran.out


def test_what_is_pasted_or_typed_at_once_confirms_nothing(running: World) -> None:
    ran = watch(running, (1, "t"), (0, "o"), (0, "d"), (0, "a"), (0, "y"), (2, "q"))
    assert not running.rollout().aborted
    assert "? abort v1.1.0 at 10 %" in ran.out
    assert changing(running) == ["POST", "POST"]


def test_an_answer_counts_only_once_the_question_could_be_read(running: World) -> None:
    watch(running, (1, "a"), (0.1, "y"), (2, "q"))
    assert not running.rollout().aborted


def test_values_of_one_version_are_not_shown_for_the_next(running: World) -> None:
    def next_one() -> None:
        if running.now.second >= 16 and running.rollout().image() != "companyos-api:v1.2.1":
            running.canary("deploy", "v1.2.1", "--supersede", "--no-wait")

    running.on_wait.append(next_one)
    ran = watch(running, (9, "q"), arguments=("--stay",))
    frames = ran.out.split("\x1b[2K")
    first = next(n for n, f in enumerate(frames) if "→ v1.2.1" in f)
    assert not any(" NOW" in f for f in frames[first : first + 3])
    tables = [f for f in frames[first : first + 60] if "measured" in f and "traffic" in f]
    assert not tables or "pods 0 %" not in tables[0]


def test_an_abort_that_is_only_written_is_not_said_to_be_done(running: World) -> None:
    freeze(running)
    running.patch({"status": {"abort": True, "promoteFull": False}}, "status")
    ran = watch(running, (3, "q"))
    assert "no longer watching: v1.1.0 is being aborted" in ran.out


def test_a_rollout_that_is_deleted_is_said_so_below_a_frame_without_keys(running: World) -> None:
    running.on_wait.append(lambda: running.store.delete(ROLLOUT, "companyos", "companyos-api"))
    ran = watch(running)
    assert ran.code == ExitCode.NOT_FOUND
    assert "`companyos-api` was deleted while it was watched" in ran.err
    assert "q leave" not in ran.out[ran.out.rindex("companyos-api · ") :]


def test_one_look_at_prometheus_that_fails_takes_no_value_away(waiting: World) -> None:
    controllers, looks = waiting.prometheus, []

    def sometimes(request: Request) -> Response:
        if request.method == "POST":
            return controllers(request)
        looks.append(request)
        return controllers(request) if len(looks) < 15 else Response(503)

    waiting.prometheus = sometimes
    ran = watch(waiting, (25, "q"))
    assert "no values of now" not in ran.out
    assert re.search(r"no newer values from Prometheus for \d+s", ran.out)


def test_a_server_that_keeps_silent_is_asked_and_marked_as_lost(waiting: World) -> None:
    freeze(waiting)
    waiting.breaks = lambda request: request.path == "/version"
    ran = watch(waiting, (30, "q"))
    assert "! NO CONNECTION  for 20s, this is from 12:00:" in ran.out


def test_a_rollout_in_which_nothing_happens_is_no_lost_connection(waiting: World) -> None:
    freeze(waiting)
    ran = watch(waiting, (60, "q"))
    assert "no connection" not in ran.out.lower()
    assert 3 <= len([r for r in waiting.requests if r.path == "/version"]) <= 6


def test_while_things_happen_nobody_is_asked_whether_they_are_there(running: World) -> None:
    watch(running, (9, "q"))
    assert not [r for r in running.requests if r.path == "/version"]


def test_the_charts_have_both_versions_and_ask_nobody_for_the_past(waiting: World) -> None:
    asked: list[str] = []
    controllers = waiting.prometheus

    def recorded(request: Request) -> Response:
        asked.append(request.path)
        return controllers(request)

    waiting.prometheus = recorded
    ran = watch(waiting, (7, "m"), (7, "q"))
    assert asked
    assert not [path for path in asked if "query_range" in path]
    out = re.sub(r"\x1b\[[0-9;]*m", "", ran.out)
    legend = out.index("⠒⠒⠒ canary   ⠒ ⠒ stable   ╌╌╌ limit")
    assert any("⠀" < c <= "⣿" for c in out[legend - 1500 : legend])


def test_the_first_frame_waits_for_no_prometheus(waiting: World) -> None:
    asked, began, answer = [], waiting.now, waiting.prometheus

    def noting(request: Request) -> Response:
        asked.append(waiting.now)
        return answer(request)

    waiting.prometheus, waiting.start = noting, lambda _: None
    assert "WAITS FOR YOU" in watch(waiting, LEAVE).out
    assert all(at > began for at in asked)


def test_where_the_counting_cannot_be_checked_is_said_under_the_screen_and_not_on_it(waiting: World) -> None:
    waiting.prometheus = lambda _: Response(503, {}, b"gone")
    ran = waiting.canary("watch", terminal=True, keys=(LEAVE,), environ=NO_COLOUR, size=(80, 40), together=True)
    frames, _, under = ran.out.partition("\x1b[?25h")
    said = "whether the metrics count the requests of `companyos-api` alone could not be checked"
    assert said not in " ".join(frames.split())
    assert " ".join(under.split()).count(said) == 1
