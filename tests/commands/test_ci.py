"""What the verbs that follow say in a pipe, and to CI systems."""

import json
import re
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.provider import TransportError
from tests.commands.conftest import freeze, is_judged
from tests.docs import ROOT
from tests.world import World

pytestmark = pytest.mark.replicas(4)

GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": "outputs", "GITHUB_STEP_SUMMARY": "summary"}
PAGE = ROOT / "docs" / "ci.md"
# The clock, the elapsed time, words, then only key=value.
LINE = re.compile(
    r"\d\d:\d\d:\d\d \+\d+[dhms0-9]* "
    r"[^\s=\"]+( [^\s=\"]+)*"
    r"( [^\s=\"]+=([^\s=\"]+|\"([^\"\\]|\\.)*\"))*"
)


ROW = re.compile(r"^\| (`[^|]+) \| ([^|]*) \| [^|]*\|$", re.M)


def described(line: str) -> bool:
    """Whether the table of docs/ci.md has its words and keys."""
    plain = re.sub(r'="([^"\\]|\\.)*"', "=text", line.split(" ", 2)[2])
    words, *pairs = re.split(r" (?=[^ =]+=)", plain)
    keys = {pair.partition("=")[0] for pair in pairs}
    for cell, listed in ROW.findall(PAGE.read_text()):
        forms = (re.sub(r"[A-Z]+", r"\\S+", form) for form in re.findall(r"`([^`]+)`", cell))
        if any(re.fullmatch(form, words) for form in forms):
            known = set(re.sub(r"[`,]", " ", listed).split())
            if "metrics" in known or keys <= known:
                return True
    return False


def outputs(world: World) -> dict[str, str]:
    text = (world.folder / "outputs").read_text()
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.parametrize(
    "arguments",
    [("v1.1.0",), ("v1.2.0",), ("bad1", "--timeout", "70s"), ("crash1", "--timeout", "50s")],
    ids=lambda a: a[0],
)
def test_every_line_of_a_pipe_keeps_to_the_grammar(world: World, arguments: tuple[str, ...]) -> None:
    *lines, verdict = world.canary("deploy", *arguments).out.splitlines()
    assert [line for line in lines if not LINE.fullmatch(line) or not described(line)] == []
    assert all("=" in pair for pair in verdict.split())


@pytest.mark.prompt_only("asserts the seconds since the first line")
def test_a_heartbeat_comes_when_nothing_else_does(world: World) -> None:
    def beats(*flags: str, **environ: str) -> list[str]:
        ran = world.canary("watch", "--timeout", "65s", *flags, environ=environ)
        return [line[9:] for line in ran.out.splitlines() if " still " in line]

    world.canary("deploy", "bad1", "--no-wait")
    still = "still scaling step=1/3 weight=10"
    assert beats() == [f"+30s {still}", f"+1m00s {still}"]
    assert len(beats("--heartbeat", "10s")) == 6
    assert beats(CANARY_HEARTBEAT="1m") == [f"+1m00s {still}"]
    assert beats("--heartbeat", "0", CANARY_HEARTBEAT="1m") == []


def test_lines_about_a_person_keep_to_the_grammar(waiting: World) -> None:
    lines = waiting.canary("watch", "--heartbeat", "1s").out.splitlines()[:-1]
    waiting.canary("pause")
    lines += waiting.canary("watch").out.splitlines()[:-1]
    waiting.canary("resume")
    waiting.canary("abort")
    lines += waiting.canary("watch").out.splitlines()[:-1]
    assert {line.split()[2] for line in lines} >= {"waits", "paused", "aborted"}
    assert [line for line in lines if not LINE.fullmatch(line) or not described(line)] == []


@pytest.mark.parametrize(("flag", "value"), [("--heartbeat", "soon"), ("--heartbeat", "-1s"), ("--ci", "jenkins")])
def test_a_wrong_setting_is_2_before_anything_is_sent(world: World, flag: str, value: str) -> None:
    ran = world.canary("deploy", "v1.1.0", flag, value)
    assert (ran.code, world.requests) == (ExitCode.USAGE, [])
    assert f"{flag} `{value}`" in ran.err
    variable = f"CANARY_{flag.strip('-').upper()}"
    assert world.canary("watch", environ={variable: value}).code == ExitCode.USAGE


def test_a_ci_system_is_known_by_its_variable_but_not_on_a_terminal(world: World) -> None:
    assert "::group::" in world.canary("deploy", "v1.1.0", environ=GITHUB).out
    assert "section_start:" in world.canary("deploy", "v1.1.1", environ={"GITLAB_CI": "true"}).out
    ran = world.canary("deploy", "v1.1.2", environ=GITHUB, terminal=True)
    assert "::" not in ran.out + ran.err
    assert outputs(world)["image"] == "companyos-api:v1.1.0"


def test_none_turns_it_off_and_a_name_turns_it_on(world: World) -> None:
    ran = world.canary("deploy", "v1.2.0", "--ci", "none", environ=GITHUB)
    assert "::" not in ran.out + ran.err
    assert not (world.folder / "outputs").exists()
    ran = world.canary("watch", environ={**GITHUB, "CANARY_CI": "none"})
    assert "::" not in ran.out + ran.err
    ran = world.canary("watch", "--ci", "github", terminal=True)
    assert "::error title=companyos-api rolled-back::v1.2.0 was" in ran.err


def test_json_stays_json_and_the_files_are_written(world: World) -> None:
    ran = world.canary("deploy", "v1.2.0", "-o", "json", environ=GITHUB)
    assert ran.json["data"]["verdict"] == outputs(world)["verdict"] == "rolled-back"
    assert "| error-rate |" in (world.folder / "summary").read_text()
    lines = world.canary("watch", "-o", "json", environ=GITHUB).out.splitlines()
    assert [json.loads(line)["event"] for line in lines][-1] == "verdict"


def test_files_of_github_are_appended_to(world: World) -> None:
    (world.folder / "outputs").write_text("other=1\n")
    world.canary("deploy", "v1.1.0", environ=GITHUB)
    assert outputs(world) == {
        "other": "1",
        "phase": "Healthy",
        "revision": "2",
        "image": "companyos-api:v1.1.0",
        "verdict": "healthy",
    }


def test_a_file_that_cannot_be_written_is_a_note(world: World) -> None:
    environ = {**GITHUB, "GITHUB_OUTPUT": "no/such/folder", "CANARY_SUMMARY": "."}
    ran = world.canary("deploy", "v1.1.0", environ=environ)
    assert ran.code == ExitCode.OK
    assert "note: `no/such/folder` cannot be written: No such file or directory\n" in ran.err
    assert "note: `.` cannot be written: Is a directory\n" in ran.err


def test_no_ci_writes_a_summary_too_and_nothing_else(world: World) -> None:
    before = set(world.folder.iterdir())
    ran = world.canary("deploy", "v1.1.0", "--summary", "canary.md")
    assert ran.code == ExitCode.OK
    assert set(world.folder.iterdir()) - before == {world.folder / "canary.md"}
    assert (world.folder / "canary.md").read_text().startswith("### ✔ v1.1.0 is stable and has all")


@pytest.mark.parametrize(
    ("arguments", "message", "verdict"),
    [
        (("watch", "other"), "Rollout `other` not found in namespace `companyos`", "not-found"),
        (("deploy", "a b"), "", "usage"),
        (("deploy", "v1.1.0", "-f", "other.yaml"), "", "config"),
        (("deploy", "v1.1.0", "--heartbeat", "x"), "--heartbeat `x` is not a duration", "usage"),
    ],
)
def test_an_error_before_anything_is_followed_is_annotated(
    world: World, arguments: tuple[str, ...], message: str, verdict: str
) -> None:
    ran = world.canary(*arguments, environ=GITHUB)
    first, *rest = ran.err.splitlines()
    assert first.startswith(f"::error title=canary {arguments[0]}::{message}")
    assert rest[0].startswith("error: ")
    assert outputs(world) == {"phase": "", "revision": "", "image": "", "verdict": verdict}


def test_a_version_that_is_stable_already_has_outputs(world: World) -> None:
    ran = world.canary("deploy", "v1.0.0", environ=GITHUB)
    assert ran.out == "verdict=healthy version=v1.0.0 stable=v1.0.0 step=3/3 weight=100 exit=0\n"
    assert ran.err == "v1.0.0 is already the version of `companyos-api`: nothing to do\n"
    assert outputs(world) == {
        "phase": "Healthy",
        "revision": "1",
        "image": "companyos-api:v1.0.0",
        "verdict": "healthy",
    }


@pytest.mark.replicas(10)
def test_what_no_controller_acts_on_is_annotated(world: World) -> None:
    freeze(world)
    ran = world.canary("deploy", "v1.1.0", environ=GITHUB)
    assert (ran.code, ran.last) == (ExitCode.UNOBSERVED, "verdict=unobserved version=v1.1.0 exit=9")
    assert ran.err.startswith("::error title=companyos-api unobserved::companyos-api in companyos")
    assert outputs(world)["verdict"] == "unobserved"


def test_quiet_has_the_verdict_and_the_annotation_only(world: World) -> None:
    ran = world.canary("deploy", "v1.2.0", "-q", environ=GITHUB)
    assert ran.out == ran.last + "\n"
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("::error ")


def test_a_reached_pause_is_a_warning_and_0(waiting: World) -> None:
    ran = waiting.canary("watch", "--until", "paused", environ=GITHUB)
    assert ran.code == ExitCode.OK
    assert ran.err.startswith("::warning title=companyos-api reached::v1.1.0 has reached")


def test_words_of_the_cluster_are_no_commands_to_the_runner(world: World) -> None:
    def away(_: object) -> None:
        raise TransportError("::add-mask::all " * 20)

    world.prometheus = away  # type: ignore[assignment]
    ran = world.canary("deploy", "v1.1.0", environ=GITHUB, together=True)
    commands = [line for line in ran.out.splitlines() if line.lstrip().startswith("::")]
    assert {re.match(r" *::[a-z-]+", line)[0] for line in commands} == {"::group", "::endgroup", "::error"}


def summary(world: World, *arguments: str) -> str:
    world.canary(*arguments, "--summary", "summary.md")
    return (world.folder / "summary.md").read_text()


def rows(text: str) -> list[tuple[str, str]]:
    """The outcome of each step, and how long it took."""
    return re.findall(r"^\| \d/3 \| \d+ % \| (.*?) \| (.*?) \|$", text, re.M)


def test_what_took_no_steps_has_no_timeline(running: World) -> None:
    running.advance(8)
    assert rows(summary(running, "undo")) == []
    assert rows(summary(running, "status", "--wait")) == []


def test_the_timeline_tells_skipped_steps_from_passed_ones(running: World, pace: str) -> None:
    text = summary(running, "promote", "--full", "--reason", "now", "--yes")
    first, *others = rows(text)
    assert first == ("skipped", "1s" if pace == "prompt" else first[1])
    assert others == [("not recorded", ""), ("not recorded", "")]


def test_the_timeline_does_without_events(world: World) -> None:
    world.faults.add(Fault(Answer(403), path="/events"))
    assert rows(summary(world, "deploy", "v1.1.0")) == [("passed", "6s")] * 3


def test_the_timeline_of_an_abort_by_hand(running: World) -> None:
    running.until(lambda r: r.step_index == 3 and is_judged(r))
    running.advance(2)
    running.canary("abort")
    found = [became for became, _ in rows(summary(running, "watch"))]
    assert found == ["passed", "stopped here", "not reached"]


@pytest.mark.replicas(10)
@pytest.mark.every_pace
def test_an_abort_before_the_second_analysis_begins_has_stopped_the_second_step(running: World) -> None:
    running.until(lambda r: r.step_index == 2)
    assert running.canary("abort").code == ExitCode.OK
    found = [became for became, _ in rows(summary(running, "watch"))]
    assert found == ["passed", "stopped here", "not reached"]


def test_a_superseded_version_has_no_timeline_of_another(running: World) -> None:
    def somebody_else() -> None:
        running.on_wait.clear()
        running.canary("deploy", "v1.3.0", "--supersede", "--no-wait")

    running.on_wait.append(somebody_else)
    text = summary(running, "watch")
    assert text.startswith("### ! v1.1.0 was superseded by v1.3.0")
    assert rows(text) == []


def test_a_gitlab_report_is_written_only_where_it_is_asked_for(world: World) -> None:
    world.canary("deploy", "v1.1.0", environ={"GITLAB_CI": "true"})
    assert not list(Path(world.folder).glob("*.env"))
    world.canary("watch", environ={"CANARY_DOTENV": "canary.env"})
    assert "CANARY_VERDICT=healthy\n" in (world.folder / "canary.env").read_text()


def test_words_of_the_cluster_are_no_commands_on_any_line(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(2)
    world.until(lambda r: r.observed)
    freeze(world)
    message = "InvalidSpec: ##[set-output name=verdict]healthy"
    world.patch({"status": {"phase": "Degraded", "message": message}}, "status")
    github = {"GITHUB_ACTIONS": "true"}
    for arguments in (("watch",), ("watch", "--ci", "none"), ("watch", "##[stop-commands]x")):
        ran = world.canary(*arguments, "--timeout", "3s", environ=github)
        assert "##[" not in ran.out + ran.err
    assert "## [set-output name=verdict]healthy" in world.canary("watch", environ=github).out


def test_a_change_that_nobody_observed_is_reported_once(world: World, tmp_path: Path) -> None:
    freeze(world)
    world.canary("deploy", "v1.1.0", "--no-wait")
    output = tmp_path / "output"
    ran = world.canary("watch", "-o", "json", environ={"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(output)})
    assert ran.code == ExitCode.UNOBSERVED
    assert ran.err.count("::error") == 1
    assert output.read_text().count("verdict=") == 1


def test_a_setting_of_the_environment_that_is_wrong_is_named(world: World) -> None:
    ran = world.canary("watch", environ={"CANARY_CI": "foo"})
    assert (ran.code, "CANARY_CI `foo` is not known" in ran.err) == (ExitCode.USAGE, True)
    ran = world.canary("watch", environ={"CANARY_HEARTBEAT": "-3"})
    assert (ran.code, "CANARY_HEARTBEAT `-3` is not a duration" in ran.err) == (2, True)
