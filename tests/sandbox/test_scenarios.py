"""Every scenario that ships keeps its promise, and a wrong file is reported where it is wrong."""

from pathlib import Path

import pytest

from companyos_canary.commands.demo import CONFIG
from companyos_canary.errors import CanaryError, ConfigError, UsageError
from companyos_canary.sandbox.scenarios import HEALTHY, Course, Scenario, default, find, shipped
from companyos_canary.sandbox.scenarios.reader import read_scenario
from tests.world import World

#: The demo's, with a deadline that pods which never get ready need not wait ten minutes for.
PLAYED = CONFIG + "progress_deadline: 30s\n"
STABLE = "v1.0.0"


@pytest.mark.parametrize("scenario", shipped(), ids=lambda scenario: scenario.name)
def test_a_scenario_that_ships_keeps_its_promise(tmp_path: Path, scenario: Scenario) -> None:
    promise = scenario.promise
    assert promise is not None
    world = World(tmp_path, PLAYED, scenario=scenario)
    assert world.canary("apply", STABLE, "-q").code == 0
    world.advance(6)
    ran = world.canary("deploy", promise.deploy)
    facts = dict(word.split("=", 1) for word in ran.last.split())
    assert (ran.code, facts["verdict"], facts.get("metric", "")) == (promise.exit, promise.verdict, promise.metric), (
        ran.out
    )


def test_a_dozen_ship_and_each_has_one_line_of_its_own() -> None:
    lines = [scenario.description for scenario in shipped()]
    assert len(lines) >= 12
    assert len(set(lines)) == len(lines)
    assert max(map(len, lines)) <= 80
    assert shipped()[0] == default()


def test_a_version_may_change_with_its_age_or_with_its_share() -> None:
    by_age = Course(((0, 0.01), (10, 0.5)))
    assert [by_age.at(seconds, 100) for seconds in (0, 9.9, 10, 99)] == [0.01, 0.01, 0.5, 0.5]
    by_share = Course(((25, 0.2), (50, 0.4)), "weight")
    assert [by_share.at(0, weight) for weight in (10, 25, 49, 50)] == [0.2, 0.2, 0.2, 0.4]


FULL = """\
description: everything
  at once
promise: {exit: 0, verdict: healthy}
traffic: 2.5
buckets: [0.1, 1]
versions:
  v2.0.*: {errors: {10s: 50%, 0s: 1%}, latency: {0%: 1, 25%: 3}, starts_in: 1m30s, metrics: none}
  v2.*: {fails: CrashLoopBackOff, opa: 0.9, clumps: 5}
"""


def test_a_file_says_what_each_version_does() -> None:
    read = read_scenario(FULL, "full", "full.yaml")
    assert (read.description, read.traffic, read.buckets) == ("everything at once", 2.5, (0.1, 1))
    late, crashing = read.behaviour("api:v2.0.1"), read.behaviour("api:v2.1.0")
    assert late.errors == Course(((0, 0.01), (10, 0.5)), "seconds")
    assert late.latency == Course(((0, 1), (25, 3)), "weight")
    assert (late.starts_in, late.metrics, late.fails) == (90, "none", None)
    assert (crashing.fails, crashing.at(0, 100).opa) == ("CrashLoopBackOff", 0.9)
    assert (late.clumps, crashing.at(0, 100).clumps) == (1, 5)
    assert read.behaviour("api:v1.0.0") == HEALTHY


VERSIONS = "description: x\nversions:\n  v1.1.*: "


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("", "mine.yaml is empty", "`description:`"),
        ("{", "mine.yaml:1: not YAML: ", ""),
        ("- a", "mine.yaml:1: found a list", "`versions`"),
        ("traffic: 1", "mine.yaml:1: field `description`: missing", "one sentence"),
        ("description: ''", "field `description`: found nothing", "a text"),
        ("description: x\ndescription: y", "mine.yaml:2: field `description`: found twice", "keep"),
        ("description: x\ntrafic: 1", "field `trafic`: unknown; did you mean `traffic`", "`versions`"),
        ("description: x\ntraffic: much", "mine.yaml:2: field `traffic`: found `much`", "a number"),
        ("description: x\ntraffic: .nan", "field `traffic`: found `.nan`", "a number"),
        ("description: x\nbuckets: 1", "field `buckets`: found `1`", "rising seconds"),
        ("description: x\nbuckets: [1, 0.5]", "field `buckets`: found a list", "rising seconds"),
        ("description: x\nbuckets: [0, 0.5]", "field `buckets`: found `0`", "a number from"),
        (VERSIONS + "{clumps: 0.5}", "found `0.5`", "a number from 1"),
        ("description: x\npromise: {exit: 0}", "field `promise.verdict`: missing", "`verdict:`"),
        ("description: x\npromise: {exit: 0, verdict: helthy}", "did you mean `healthy`", "paused"),
        ("description: x\nversions: [v1]", "field `versions`: found a list", "12%"),
        (
            VERSIONS + "{error: 1%}",
            "mine.yaml:3: field `versions.v1.1.*.error`: unknown; did you mean `errors`",
            "`latency`",
        ),
        (VERSIONS + "{errors: 12}", "`versions.v1.1.*.errors`: found `12`", "`0.12` or `12%`"),
        (VERSIONS + "{latency: 0}", "found `0`", "a number from 0.01"),
        (VERSIONS + "{errors: [1%]}", "found a list", "points"),
        (VERSIONS + "{errors: {0%: 1%, 5s: 2%}}", "points need one axis", "`30s` or `25%`"),
        (VERSIONS + "{errors: {soon: 1%}}", "found `soon`", "`2s`"),
        (VERSIONS + "{errors: {-1s: 1%}}", "found `-1s`", "`2s`"),
        (VERSIONS + "{fails: ImagePull}", "did you mean `ImagePullBackOff`", "`CrashLoopBackOff`"),
        (VERSIONS + "{metrics: some}", "found `some`", "`unlabelled`"),
        (VERSIONS + "{starts_in: [1s]}", "field `versions.v1.1.*.starts_in`: found a list", "`2s`"),
    ],
)
def test_a_wrong_file_is_told_where_and_what_is_allowed(text: str, told: str, hint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_scenario(text, "mine", "mine.yaml")
    assert told in raised.value.message
    assert hint in raised.value.hint


def test_a_scenario_is_found_by_name_or_by_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("description: mine\n")
    assert find("healthy", tmp_path).name == "healthy"
    assert find("mine.yaml", tmp_path) == Scenario("mine", "mine")
    assert find(str(tmp_path / "mine.yaml"), Path("/")).name == "mine"


@pytest.mark.parametrize(
    ("named", "told", "error"),
    [
        ("helthy", "there is no scenario `helthy`; did you mean `healthy`", UsageError),
        ("xyz", "there is no scenario `xyz`", UsageError),
        ("no.yaml", "`no.yaml` cannot be read: No such file", UsageError),
        (".", "there is no scenario `.`", UsageError),
        ("latin.yaml", "`latin.yaml` cannot be read: it is not UTF-8", UsageError),
        ("bad.yaml", "bad.yaml:1: field `descripton`: unknown", ConfigError),
    ],
)
def test_what_is_no_scenario_is_said(tmp_path: Path, named: str, told: str, error: type[CanaryError]) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"description: \xe9")
    (tmp_path / "bad.yaml").write_text("descripton: x\n")
    with pytest.raises(error) as raised:
        find(named, tmp_path)
    assert told in raised.value.message
