"""Web and Job metrics, as the real controller writes what they measured: what each voice says of them is true."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.sandbox.kinds import ANALYSISRUN
from companyos_canary.sandbox.objects import copied
from tests.world import World

RECORDED: dict[str, Any] = yaml.load(
    (Path(__file__).parent / "measured" / "recorded.yaml").read_text(), yaml.CSafeLoader
)
# The verdict on each at its end, what is shown as measured, and its number.
EXPECTED = {
    "web-bool": ("ok", "true", None),
    "web-no-condition": ("ok", "true", None),
    "web-num": ("ok", "5", 5),
    "web-num-fails": ("failing", "5", 5),
    "web-float": ("failing", "2.5", 2.5),
    "web-string": ("ok", '"text"', None),
    "web-list": ("ok", "1", 1),
    "web-object": ("ok", '{"a":"b"}', None),
    "web-whole": ("ok", '{"big":1234567890…', None),
    "web-null": ("ok", "null", None),
    "web-text": ("ok", "all good", None),
    "web-text-failure": ("ok", "all good", None),
    "web-empty": ("ok", "-", None),
    "web-204": ("ok", "-", None),
    "web-number-body": ("ok", "7", 7),
    "web-string-body": ("ok", '"yes"', None),
    "web-missing": ("error", "error", None),
    "web-500": ("error", "error", None),
    "web-refused": ("error", "error", None),
    "web-not-bool": ("error", "error", None),
    "web-bad-path": ("error", "error", None),
    "web-both": ("no verdict", "5", 5),
    "job-ok": ("ok", "-", None),
    "job-fails": ("failing", "failing", None),
    "job-count": ("ok", "-", None),
    "job-terminate": ("ok", "-", None),
    "job-failure-limit": ("failing", "failing", None),
    "arg-secret-in-message": ("error", "error", None),
    "arg-secret-is-value": ("ok", '"text"', None),
}
NOT_JSON = {"web-text", "web-text-failure", "web-empty"}


def with_run(world: World, name: str, at: int = -1) -> World:
    """The run of the step that is in progress is the recorded one."""
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.until(lambda _: bool(world.store.items(ANALYSISRUN)))
    (run,) = world.store.items(ANALYSISRUN)
    world.store.update(
        ANALYSISRUN, copied(run) | {k: RECORDED[name][k] for k in ("spec",)} | {"status": status(name, at)}
    )
    return world


def status(name: str, at: int) -> dict[str, Any]:
    found: dict[str, Any] = RECORDED[name]["statuses"][at]
    return found


def test_every_recording_is_expected_to_say_something() -> None:
    assert set(EXPECTED) == set(RECORDED)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_measured_is_shown_with_the_verdict_on_it(world: World, name: str) -> None:
    verdict, shown, number = EXPECTED[name]
    metric = with_run(world, name).canary("analysis", "-o", "json").json["data"]["runs"][0]["metrics"][0]
    assert (metric["verdict"], metric["value"]) == (verdict, number)
    screen = re.sub(r"\x1b\[[0-9;]*m", "", world.canary("analysis", terminal=True).out)
    row = next(line for line in screen.splitlines() if re.match(r"  . m ", line))
    assert shown in row
    for verb in ("get", "why", "status"):
        ran = world.canary(verb)
        assert "no data" not in ran.out + ran.err, ran


@pytest.mark.parametrize("name", EXPECTED)
def test_an_answer_that_is_not_json_passes_without_its_condition_and_that_is_said(world: World, name: str) -> None:
    with_run(world, name)
    told = "the answer is not JSON, which passes without a look at the conditions"
    for words in (("analysis",), ("get",)):
        shown = " ".join(world.canary(*words, terminal=True, size=(120, 40)).out.split())
        assert (told in shown) == (name in NOT_JSON), words


def test_a_pipe_has_the_answer_and_what_it_is_worth(world: World) -> None:
    out = with_run(world, "web-string").canary("analysis").out
    assert ' answer="\\"text\\"" ' in out
    assert "note=" not in out


def test_a_pipe_says_that_an_answer_passed_without_its_condition(world: World) -> None:
    out = with_run(world, "web-text").canary("analysis").out
    assert ' answer="all good" ' in out
    assert ' note="the answer is not JSON, which passes without a look at the conditions"' in out


def test_a_job_that_still_runs_was_not_measured_yet(world: World) -> None:
    metric = with_run(world, "job-ok", 0).canary("analysis", "-o", "json").json["data"]["runs"][0]["metrics"][0]
    assert (metric["verdict"], metric["phase"], metric["value"]) == ("waiting", "Running", None)
    assert " measured=0 " in world.canary("analysis").out


def test_a_second_job_that_still_runs_leaves_the_verdict_of_the_first(world: World) -> None:
    assert [r["phase"] for r in status("job-count", 1)["metricResults"][0]["measurements"]] == ["Successful", "Running"]
    metric = with_run(world, "job-count", 1).canary("analysis", "-o", "json").json["data"]["runs"][0]["metrics"][0]
    assert (metric["verdict"], metric["phase"]) == ("ok", "Running")
    assert " measured=1 planned=2" in world.canary("analysis").out
