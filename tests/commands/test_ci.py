"""What the verbs that follow say in a pipe, and to CI systems."""

import json
import re
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from tests.commands.conftest import freeze
from tests.world import World

GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": "outputs", "GITHUB_STEP_SUMMARY": "summary"}
# docs/ci.md: the clock, the elapsed time, words, then only key=value.
LINE = re.compile(
    r"\d\d:\d\d:\d\d \+\d+[dhms0-9]* "
    r"[^\s=\"]+( [^\s=\"]+)*"
    r"( [^\s=\"]+=([^\s=\"]+|\"([^\"\\]|\\.)*\"))*"
)


def outputs(world: World) -> dict[str, str]:
    text = (world.folder / "outputs").read_text()
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.parametrize(
    "arguments",
    [("v1.1.0",), ("v1.2.0",), ("bad1", "--timeout", "70s"), ("crash1", "--timeout", "50s")],
    ids=lambda a: a[0],
)  # fmt: skip
def test_every_line_of_a_pipe_keeps_to_the_grammar(
    world: World, arguments: tuple[str, ...]
) -> None:
    *lines, verdict = world.canary("deploy", *arguments).out.splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert all("=" in pair for pair in verdict.split())


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


@pytest.mark.parametrize(
    ("flag", "value"), [("--heartbeat", "soon"), ("--heartbeat", "-1s"), ("--ci", "jenkins")]
)
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
    assert [json.loads(line)["event"] for line in lines][-1] == "ending"


def test_files_of_github_are_appended_to(world: World) -> None:
    (world.folder / "outputs").write_text("other=1\n")
    world.canary("deploy", "v1.1.0", environ=GITHUB)
    assert outputs(world) == {
        "other": "1", "phase": "Healthy", "revision": "2", "image": "companyos-api:v1.1.0",
        "verdict": "healthy",
    }  # fmt: skip


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
    assert ran.out == "verdict=healthy version=v1.0.0 exit=0\n"
    assert ran.err == "v1.0.0 is already the version of `companyos-api`: nothing to do\n"
    assert outputs(world) == {
        "phase": "Healthy", "revision": "1", "image": "companyos-api:v1.0.0", "verdict": "healthy",
    }  # fmt: skip


def test_what_no_controller_acts_on_is_annotated(world: World) -> None:
    freeze(world)
    ran = world.canary("deploy", "v1.1.0", environ=GITHUB)
    assert (ran.code, ran.last) == (
        ExitCode.UNOBSERVED, "verdict=unobserved version=v1.1.0 exit=9",
    )  # fmt: skip
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
    assert ran.err.startswith(
        "::warning title=companyos-api reached::v1.1.0 is where you wanted it"
    )


def test_words_of_the_cluster_do_not_make_a_table_or_a_command(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(2)
    world.canary("abort", "--reason", "a | b\n::stop-commands::x")
    ran = world.canary("watch", environ=GITHUB)
    assert not any(line.lstrip().startswith("::stop") for line in (ran.out + ran.err).splitlines())


def test_a_gitlab_report_is_written_only_where_it_is_asked_for(world: World) -> None:
    world.canary("deploy", "v1.1.0", environ={"GITLAB_CI": "true"})
    assert not list(Path(world.folder).glob("*.env"))
    world.canary("watch", environ={"CANARY_DOTENV": "canary.env"})
    assert "CANARY_VERDICT=healthy\n" in (world.folder / "canary.env").read_text()
