"""`canary logs`, from argv to exit, in the sandbox."""

import json
import re
from collections.abc import Callable, Mapping

import pytest

from companyos_canary.cluster.client import Cluster
from companyos_canary.config import Resolved
from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import POD
from tests.commands.conftest import interrupt
from tests.world import HandleTransport, World


@pytest.fixture
def shipping(running: World) -> World:
    """v1.1.0 has one pod of ten, in its first analysis; its logs can be read."""

    def connect(resolved: Resolved, environ: Mapping[str, str], timeout: float) -> Cluster:
        return Cluster(HandleTransport(running), resolved.namespace or "default", "sandbox")

    running.connect = connect  # type: ignore[method-assign]
    return running


def restart(world: World, pod: str) -> None:
    """As after a crash: the container was started again."""
    found = world.store.read(POD, "companyos", pod)
    (status,) = found["status"]["containerStatuses"]
    changed = {**found["status"], "containerStatuses": [{**status, "restartCount": 1}]}
    world.store.update(POD, {**found, "status": changed}, status_only=True)


def canary_pod(world: World) -> str:
    digest = world.rollout().current_hash
    return next(p["metadata"]["name"] for p in world.pods() if digest in p["metadata"]["name"])


def log_queries(world: World) -> list[dict[str, str]]:
    return [dict(r.query) for r in world.requests if r.path.endswith("/log")]


@pytest.mark.prompt_only("asserts the seconds of which there are lines")
def test_one_canary_pod_is_read_without_a_prefix(shipping: World) -> None:
    ran = shipping.canary("logs")
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert re.fullmatch(r'time=2026-03-02T12:00:12Z level=(info|error) msg="request" .*\n', ran.out)
    assert log_queries(shipping) == [{"container": "companyos-api", "timestamps": "true", "tailLines": "100"}]


def test_several_pods_are_one_log_in_the_order_of_time(shipping: World) -> None:
    ran = shipping.canary("logs", "--stable", "--tail", "3")
    lines = ran.out.splitlines()
    assert len(lines) == 27
    prefixes = {line[:12] for line in lines}
    assert len(prefixes) == 9
    assert all(re.fullmatch(r"stable \w{5}", p) for p in prefixes)
    stamps = [re.search(r"time=(\S+)", line)[1] for line in lines]
    assert stamps == sorted(stamps)


def test_only_the_prefix_has_a_colour_and_only_on_a_terminal(shipping: World) -> None:
    line = shipping.canary("logs", "--stable", terminal=True).out.splitlines()[0]
    assert re.match(r"\x1b\[32mstable\x1b\[0m \x1b\[\d+m\w{5}\x1b\[0m time=", line)
    assert "\x1b" not in shipping.canary("logs", "--stable").out
    calm = shipping.canary("logs", "--stable", terminal=True, environ={"NO_COLOR": "1"})
    assert "\x1b" not in calm.out


def test_every_pod_has_a_colour_of_its_own(shipping: World) -> None:
    lines = shipping.canary("logs", "--stable", terminal=True).out.splitlines()
    coloured = {found.groups() for line in lines if (found := re.search(r" \x1b\[(\d+)m(\w{5})\x1b\[0m ", line))}
    assert len({pod for _, pod in coloured}) == len(coloured) == 9, "a pod keeps its colour"
    assert len({colour for colour, _ in coloured}) == 6


def test_options_are_given_on(shipping: World) -> None:
    shipping.canary("logs", "--since", "90s")
    shipping.canary("logs", "--tail", "-1")
    shipping.canary("logs", "--since", "1500ms", "--tail", "5")
    asked = [{k: v for k, v in q.items() if k not in ("container", "timestamps")} for q in log_queries(shipping)]
    assert asked == [{"sinceSeconds": "90"}, {}, {"sinceSeconds": "2", "tailLines": "5"}]


@pytest.mark.parametrize("whole", [True, False])
def test_a_pod_by_its_name_or_the_end_of_it(shipping: World, whole: bool) -> None:
    name = canary_pod(shipping)
    ran = shipping.canary("logs", "--pod", name if whole else name[-5:], "--tail", "1")
    assert (ran.code, len(ran.out.splitlines())) == (ExitCode.OK, 1)
    assert shipping.requests[-1].path.endswith(f"/{name}/log")


def test_grep_keeps_the_lines_in_which_it_is(shipping: World) -> None:
    everything = shipping.canary("logs", "--stable").out.splitlines()
    found = shipping.canary("logs", "--stable", "--grep", r"duration_ms=1\d\d$").out.splitlines()
    assert found == [x for x in everything if re.search(r"duration_ms=1\d\d$", x)]
    assert 0 < len(found) < len(everything)


def test_when_nothing_is_on_its_way_the_stable_pods_speak(shipping: World) -> None:
    shipping.until(lambda r: r.is_fully_promoted)
    shipping.advance(20)
    ran = shipping.canary("logs", "--tail", "1")
    assert ran.err == "no update is in progress: these are the stable pods\n"
    assert len(ran.out.splitlines()) == 10


def test_after_an_abort_it_says_where_to_look(shipping: World) -> None:
    shipping.canary("abort")
    for arguments in ((), ("-f",)):
        ran = shipping.canary("logs", *arguments)
        assert ran.code == ExitCode.NOT_FOUND
        assert "no pod of v1.1.0 is left: it was aborted" in ran.err
        assert "canary logs --stable" in ran.err


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_a_pod_that_has_not_started_says_why(shipping: World) -> None:
    shipping.canary("deploy", "bad-tag", "--supersede", "--no-wait")
    shipping.advance(3)
    ran = shipping.canary("logs")
    assert ran.code == ExitCode.NOT_FOUND
    assert re.search(r"no logs available: pod companyos-api-\w+-\w+: it has not started \(", ran.err)


def test_a_previous_log_is_asked_for_only_where_there_is_one(shipping: World) -> None:
    ran = shipping.canary("logs", "--previous")
    assert ran.code == ExitCode.NOT_FOUND
    assert "it has never been restarted, so there is no previous log" in ran.err
    assert log_queries(shipping) == []
    restart(shipping, canary_pod(shipping))
    shipping.canary("logs", "--previous")
    assert log_queries(shipping)[0]["previous"] == "true"


@pytest.mark.prompt_only("asserts the seconds of which there are lines")
def test_json_has_pod_role_and_stamp(shipping: World) -> None:
    data = shipping.canary("logs", "-o", "json").json["data"]
    assert set(data) == {"rollout", "namespace", "context", "lines", "notes"}
    (line,) = data["lines"]
    assert set(line) == {"at", "pod", "role", "container", "line"}
    assert (line["role"], line["at"]) == ("canary", "2026-03-02T12:00:12Z")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--pod", "zzzzz"), ExitCode.NOT_FOUND, "`companyos-api` has no pod `zzzzz`"),
        (("-c", "companyos-ap"), ExitCode.NOT_FOUND, "did you mean `companyos-api`?"),
        (("-c", "x"), ExitCode.NOT_FOUND, "it has `companyos-api`"),
        (("companyos-ap",), ExitCode.NOT_FOUND, "did you mean `companyos-api`?"),
        (("-f", "companyos-ap"), ExitCode.NOT_FOUND, "did you mean `companyos-api`?"),
        (("--grep", "("), ExitCode.USAGE, "--grep `(` is not a regular expression: missing )"),
        (("--since", "soon"), ExitCode.USAGE, "--since `soon` is not a duration"),
        (("--since", "0"), ExitCode.USAGE, "--since `0` is not a duration"),
        (("--tail", "x"), ExitCode.USAGE, "invalid value for `--tail`"),
        (("--tail", "-2"), ExitCode.USAGE, "`--tail` is -2: it must be -1 or more"),
        (("--pod", "a", "--stable"), ExitCode.USAGE, "--pod and --stable exclude each other"),
        (("-f", "--previous"), ExitCode.USAGE, "--follow and --previous exclude each other"),
        (("-o", "name"), ExitCode.USAGE, "--output `name` is not a format here"),
    ],
)
def test_bad_input_is_a_sentence(shipping: World, arguments: tuple[str, ...], code: ExitCode, said: str) -> None:
    ran = shipping.canary("logs", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err


@pytest.mark.parametrize("arguments", [(), ("-f",)])
def test_who_may_not_read_logs_is_denied(shipping: World, arguments: tuple[str, ...]) -> None:
    shipping.faults.add(Fault(Answer(403), path="/log"))
    ran = shipping.canary("logs", *arguments)
    assert ran.code == ExitCode.DENIED
    assert "not permitted to `get` `pods/log`" in ran.err


def once_a_log_was_read(world: World, act: Callable[[], None]) -> None:
    """Acts while the command waits. A command that does not end is ended."""
    waits = iter(range(300))

    def look() -> None:
        if next(waits, None) is None:
            raise AssertionError("it does not end")
        if log_queries(world):
            world.on_wait.remove(look)
            act()

    world.on_wait.append(look)


def test_following_ends_with_the_pods_and_says_why(shipping: World) -> None:
    once_a_log_was_read(shipping, lambda: world_aborts(shipping))
    ran = shipping.canary("logs", "-f")
    assert (ran.code, ran.err) == (ExitCode.OK, "the pods are gone: the version was aborted\n")
    assert re.match(r"canary \w{5} time=", ran.out)


def world_aborts(world: World) -> None:
    assert world.canary("abort", "--no-wait").code == ExitCode.OK


def test_following_as_json_is_an_object_a_line(shipping: World) -> None:
    once_a_log_was_read(shipping, lambda: interrupt(shipping, after=3))
    ran = shipping.canary("logs", "-f", "-o", "json")
    first = json.loads(ran.out.splitlines()[0])
    assert (ran.code, first["event"], first["seq"]) == (ExitCode.INTERRUPTED, "log", 1)
    assert first["data"]["role"] == "canary"


def test_short_f_follows_and_the_file_has_its_long_name(shipping: World) -> None:
    ran = shipping.canary("logs", "--file", "other.yaml")
    assert ran.code == ExitCode.USAGE
    assert "other.yaml" in ran.err


@pytest.mark.parametrize("arguments", [(), ("-f",)])
def test_a_login_page_is_no_log(shipping: World, arguments: tuple[str, ...]) -> None:
    through = shipping.faults

    def page(request: Request) -> Response:
        if request.path.endswith("/log"):
            return Response(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Sign in</html>")
        return through(request)

    shipping.faults = page  # type: ignore[assignment]
    ran = shipping.canary("logs", *arguments)
    assert ran.code == ExitCode.FAILED
    assert "Sign in" not in ran.out
    assert "a proxy or a login page answered in place of the API server" in ran.err
