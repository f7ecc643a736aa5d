"""`canary history`, from argv to exit, in the sandbox."""

import re
from pathlib import Path

import pytest

from companyos_canary.argo.patches.record import action_of
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Fault
from tests.commands.conftest import freeze, installed
from tests.world import CONFIG, Ran, World

pytestmark = pytest.mark.replicas(4)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> World:
    """v1.1.0 is stable, v1.2.0 was rolled back after it, v1.3.0 is in progress. Only read."""
    world = installed(tmp_path_factory.mktemp("shipped"), CONFIG)
    world.canary("deploy", "v1.1.0", "-q", "--reason", "faster search")
    world.advance(60)
    world.canary("deploy", "v1.2.0", "-q")
    world.advance(60)
    world.canary("deploy", "v1.3.0", "--no-wait")
    world.advance(2)
    return world


def test_a_pipe_gets_a_line_a_revision(shipped: World) -> None:
    ran = shipped.canary("history")
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    newest, bad, stable, first = ran.out.splitlines()
    assert newest.startswith("revision=4 version=v1.3.0 outcome=in-progress current=true at=")
    assert re.search(r" by=ana took=10s weight=25 metric=error-rate value=0\.1\d+ limit=0.05$", bad)
    assert "revision=2 version=v1.1.0 outcome=stable " in stable
    assert stable.endswith('by=ana reason="faster search"')
    assert first.startswith("revision=1 version=v1.0.0 outcome=promoted ")


def test_a_terminal_of_80_columns_gets_a_table(shipped: World) -> None:
    out = re.sub(r"\x1b\[\d+m", "", shipped.canary("history", terminal=True).out)
    lines = out.splitlines()
    assert lines[0] == "    REV  VERSION    AGE  BY   TOOK  OUTCOME"
    assert lines[2].startswith("  ✖   3  v1.2.0   1m1")
    assert lines[2].endswith("aborted at 25 %")
    assert lines[3].startswith("         error-rate 1")
    assert all(len(line) <= 80 for line in lines)


def test_json_has_the_facts(shipped: World) -> None:
    data = shipped.canary("history", "-o", "json").json["data"]
    assert set(data) == {"rollout", "namespace", "context", "revisions", "notes"}
    bad = data["revisions"][1]
    assert set(bad) == {
        "revision",
        "version",
        "images",
        "hash",
        "replicaset",
        "outcome",
        "current",
        "at",
        "created_at",
        "by",
        "reason",
        "took_seconds",
        "waited_seconds",
        "weight",
        "percent",
        "cause",
        "undone",
        "earlier",
        "actions",
        "sequential",
    }
    assert (bad["outcome"], bad["weight"], bad["took_seconds"]) == ("aborted", 25, 10)
    assert bad["cause"]["metrics"][0]["metric"] == "error-rate"


def test_it_reads_and_asks_for_no_more_than_belongs_to_the_rollout(shipped: World) -> None:
    shipped.requests.clear()
    shipped.canary("history")
    assert [r.method for r in shipped.requests] == ["GET"] * 5


def test_the_difference_of_two_versions_is_without_what_was_injected(shipped: World) -> None:
    ran = shipped.canary("history", "--diff", "v1.0.0", "4")
    assert ran.out.startswith("--- revision 1\n+++ revision 4\n")
    changed = [line for line in ran.out.splitlines()[3:] if line[:1] in "+-"]
    assert changed == ["-      image: companyos-api:v1.0.0", "+      image: companyos-api:v1.3.0"]
    assert "canary" not in ran.out
    same = shipped.canary("history", "--diff", "1", "v1.0.0")
    assert (same.code, same.out) == (ExitCode.OK, "")
    assert same.err == "revisions 1 and 1 are the same\n"
    data = shipped.canary("history", "--diff", "1", "4", "-o", "json").json["data"]
    assert (data["from"], data["to"], len(data["diff"])) == (1, 4, 11)
    coloured = shipped.canary("history", "--diff", "1", "4", terminal=True).out
    assert "\x1b[32m+      image: companyos-api:v1.3.0\x1b[0m" in coloured


def test_a_revision_that_is_not_there_names_those_that_are(shipped: World) -> None:
    ran = shipped.canary("history", "--diff", "v1.0.0", "v9")
    assert ran.code == ExitCode.NOT_FOUND
    assert "no revision or version `v9`" in ran.err
    assert "`v1.3.0` (revision 4)" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--diff", "v1"), ExitCode.USAGE, "option `--diff` requires 2 arguments"),
        (("companyos-ap",), ExitCode.NOT_FOUND, "did you mean `companyos-api`?"),
        (("-o", "name"), ExitCode.USAGE, "--output `name` is not a format here"),
    ],
)
def test_bad_input_is_a_sentence(world: World, arguments: tuple[str, ...], code: ExitCode, said: str) -> None:
    ran = world.canary("history", *arguments)
    assert ran.code == code
    assert said in ran.err


def test_what_may_not_be_listed_is_a_note(shipped: World) -> None:
    shipped.faults.add(Fault(Answer(403), path="/analysisruns", times=1))
    ran = shipped.canary("history")
    assert ran.code == ExitCode.OK
    assert "not permitted to `list` `analysisruns.argoproj.io`" in ran.err
    bad = ran.out.splitlines()[1]
    assert "revision=3 version=v1.2.0 outcome=aborted" in bad
    assert 'message="Rollout aborted update to revision 3: Step-based analysis phase' in bad


def test_without_revisions_the_reason_is_said(empty: World) -> None:
    freeze(empty)
    assert empty.canary("apply", "v1.0.0", "--no-wait", "-q").code == ExitCode.OK
    said = "companyos-api has no revisions yet\n"
    assert empty.canary("history") == Ran(0, "", said)
    empty.faults.add(Fault(Answer(403), path="/replicasets"))
    ran = empty.canary("history", terminal=True)
    assert (ran.code, ran.out) == (ExitCode.DENIED, "")
    assert ran.err.startswith("error: not permitted to `list` `replicasets.apps`")


def test_a_rollout_that_may_not_be_read_is_denied(world: World) -> None:
    world.faults.add(Fault(Answer(403)))
    assert world.canary("history").code == ExitCode.DENIED


def test_an_abort_with_a_reason_is_told_by_whom_also_after_an_undo(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(3)
    world.canary("abort", "--reason", "wrong tag", "-q")
    world.canary("undo", "-q")
    newest, aborted = world.canary("history").out.splitlines()
    assert "outcome=aborted" in aborted
    assert 'message="aborted by ana: wrong tag"' in aborted
    assert "took=3s" not in newest


@pytest.mark.replicas(10)
def test_an_old_reason_is_not_told_of_a_later_abort(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(3)
    world.canary("abort", "--reason", "wrong tag", "-q")
    world.canary("deploy", "v1.3.0", "--no-wait")
    world.advance(3)
    world.canary("abort", "-q")
    assert "wrong tag" not in world.canary("history").out.splitlines()[0]


@pytest.mark.parametrize("verb", ["pause", "abort", "restart"])
def test_a_reason_is_kept_with_the_verb(world: World, verb: str) -> None:
    if verb != "restart":
        world.canary("deploy", "v1.1.0", "--no-wait")
        world.advance(3)
    assert world.canary(verb, "--reason", "drill", "-q").code == ExitCode.OK
    kept = action_of(world.rollout().annotations)
    assert (kept["verb"], kept["by"], kept["reason"]) == (verb, "ana", "drill")


def test_what_was_aborted_stays_aborted_once_the_next_version_ships(world: World) -> None:
    """Stable once, tried again and rolled back: the first promotion does not cover the abort."""
    for version in ("v1.1.0", "v1.3.0"):
        world.canary("deploy", version, "-q")
        world.advance(60)
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(4)
    world.canary("abort", "-q")
    world.advance(60)
    before = world.canary("history").out
    assert "revision=4 version=v1.1.0 outcome=aborted" in before
    world.canary("deploy", "v1.4.0", "-q")
    after = world.canary("history").out
    assert "revision=4 version=v1.1.0 outcome=aborted" in after
    assert "revision=3 version=v1.3.0 outcome=promoted" in after


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_a_replicaset_that_is_used_again_keeps_how_it_ended_before(world: World) -> None:
    world.canary("deploy", "v1.2.0", "-q")
    world.canary("undo", "-q")
    assert world.canary("undo", "--to", "v1.2.0", "--force", "--no-wait").code == ExitCode.OK
    world.advance(2)
    newest, *_ = world.canary("history", "-o", "json").json["data"]["revisions"]
    assert (newest["version"], newest["revision"]) == ("v1.2.0", 4)
    assert [(e["revision"], e["outcome"]) for e in newest["earlier"]] == [(2, "aborted")]
    assert "error-rate" in newest["earlier"][0]["reason"]
    assert world.canary("history").out.splitlines()[0].endswith(" earlier=2:aborted")
    assert "revision 2 was aborted: " in world.canary("history", terminal=True).out


def test_a_version_that_an_undo_left_says_by_whom_and_why(world: World) -> None:
    world.canary("deploy", "v1.1.0", "-q")
    world.canary("undo", "--reason", "slow login", "-q")
    left = world.canary("history").out.splitlines()[1]
    assert left.startswith("revision=2 version=v1.1.0 outcome=promoted ")
    assert 'undone="by ana: slow login"' in left
    assert "undone by ana: slow login" in world.canary("history", terminal=True).out
    undone = world.canary("history", "-o", "json").json["data"]["revisions"][1]["undone"]
    assert (undone["by"], undone["reason"]) == ("ana", "slow login")


def test_an_annotation_of_the_rollout_does_not_hide_when_its_version_came(tmp_path: Path) -> None:
    """It puts the revision into the ReplicaSet's own history."""
    world = installed(tmp_path, CONFIG)
    containers = world.rollout().raw["spec"]["template"]["spec"]["containers"]
    world.patch({"spec": {"template": {"spec": {"containers": [{**containers[0], "image": "companyos-api:v1.1.0"}]}}}})
    world.advance(5)
    before = world.canary("history", "-o", "json").json["data"]["revisions"][0]
    world.patch({"metadata": {"annotations": {"team": "shop"}}})
    world.advance(5)
    after = world.canary("history", "-o", "json").json["data"]["revisions"][0]
    assert before["at"]
    assert after["at"] == before["at"]
