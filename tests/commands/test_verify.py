"""`canary verify`: a template is run now, and its verdict is the exit code."""

import re
from collections.abc import Callable

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Drop, Fault
from companyos_canary.sandbox.kinds import ANALYSISTEMPLATE, CLUSTERANALYSISTEMPLATE, SECRET
from tests.commands.conftest import changing, interrupt
from tests.commands.test_create import runs, template_object
from tests.commands.test_evidence import FOUR_LINES
from tests.world import World


@pytest.fixture
def ready(empty: World) -> World:
    """The template `answer` is there, and no Rollout."""
    empty.store.create(ANALYSISTEMPLATE, template_object())
    return empty


@pytest.mark.parametrize(
    ("answer", "phase", "code"),
    [
        ("vector(1)", "Successful", ExitCode.OK),
        ("vector(-1)", "Failed", ExitCode.DEGRADED),
        ("no_such_metric", "Error", ExitCode.DEGRADED),
        ("vector(0.5)", "Inconclusive", ExitCode.UNFINISHED),
    ],
)
def test_the_verdict_is_the_exit_code(ready: World, answer: str, phase: str, code: ExitCode) -> None:
    assert code in (ExitCode.OK, ExitCode.DEGRADED, ExitCode.UNFINISHED)
    ran = ready.canary("verify", "answer", "-a", f"is={answer}")
    name = "answer-20260302-120000"
    assert ran.code == code, ran
    assert ran.out.startswith(f"run={name} metric=answer phase={phase} ")
    assert ran.last.startswith(f"AnalysisRun `{name}` in companyos @ sandbox is {phase}")
    assert ran.err.startswith(f"AnalysisRun `{name}` was created in companyos @ sandbox\nanswer ")
    assert [r["metadata"]["name"] for r in runs(ready)] == [name], "it is kept"


def test_each_measurement_is_a_line_for_people_and_the_end_a_table(ready: World) -> None:
    ran = ready.canary("verify", "answer", "-a", "is=vector(2)", terminal=True)
    assert "answer 2 ok (1/2)\nanswer 2 ok (2/2)\n" in ran.err
    assert "METRIC" in ran.out
    assert "answer-20260302-120000" in ran.out
    assert "background" not in ran.out
    assert "revision" not in ran.out
    quiet = ready.canary("verify", "answer", "-a", "is=vector(2)", "-q")
    assert quiet.err == ""


def test_more_measurements_than_were_planned_are_not_counted_out_of_these(world_of: Callable[[str], World]) -> None:
    """Without requests of a canary it waits for them, and measures again."""
    ran = world_of(FOUR_LINES).canary("verify", "companyos-api-2m")
    assert ran.code == ExitCode.UNFINISHED, ran
    counted = re.findall(r"error-rate no data \((.*)\)", ran.err)
    assert counted[:5] == ["1/4", "2/4", "3/4", "4/4", "5"]


def test_a_template_of_the_cluster(ready: World) -> None:
    ready.store.create(CLUSTERANALYSISTEMPLATE, template_object("ClusterAnalysisTemplate", "smoke"))
    for words in (("clusteranalysistemplate/smoke",), ("smoke", "--global"), ("cat/smoke",)):
        assert ready.canary("verify", *words, "-a", "is=vector(1)").code == ExitCode.OK
    assert ready.canary("verify", "smoke", "-a", "is=vector(1)").code == ExitCode.NOT_FOUND


def test_two_in_one_second_have_two_names(ready: World) -> None:
    name = "answer-20260302-120000"
    taken = ready.canary("create", "analysisrun", "--from", "answer", "-a", "is=vector(1)", "--name", name)
    assert taken.code == ExitCode.OK
    assert f"AnalysisRun `{name}-2`" in ready.canary("verify", "answer", "-a", "is=vector(1)").out


@pytest.mark.parametrize("arguments", [("is=vector(1)",), ("is=vector(-1)",)])
def test_it_is_deleted_where_that_is_wanted_however_it_ends(ready: World, arguments: tuple[str]) -> None:
    ran = ready.canary("verify", "answer", "-a", *arguments, "--delete", "-o", "json")
    assert (ran.json["data"]["kept"], runs(ready)) == (False, [])
    assert ran.json["data"]["run"]["metrics"][0]["name"] == "answer"


def test_a_run_that_takes_too_long_goes_on_or_is_deleted(ready: World) -> None:
    given = ("verify", "answer", "-a", "is=vector(1)", "-a", "times=100", "--timeout", "3s")
    ran = ready.canary(*given)
    assert ran.code == ExitCode.TIMEOUT
    assert ran.last.startswith(
        "timed out: AnalysisRun `answer-20260302-120000` in companyos @ sandbox is Running, and it"
    )
    (run,) = runs(ready)
    assert f"canary terminate analysisrun {run['metadata']['name']}" in ran.last
    assert ready.canary("terminate", "analysisrun", run["metadata"]["name"]).code == ExitCode.OK
    ran = ready.canary(*given, "--delete")
    assert (ran.code, ran.last[-18:], len(runs(ready))) == (ExitCode.TIMEOUT, "and it was deleted", 1)


def test_a_template_without_an_end_needs_a_bound(ready: World) -> None:
    metric = {k: v for k, v in template_object()["spec"]["metrics"][0].items() if k != "count"}
    ready.store.create(ANALYSISTEMPLATE, template_object(name="endless", metrics=[metric]))
    ran = ready.canary("verify", "endless", "-a", "is=vector(1)")
    assert (ran.code, changing(ready)) == (ExitCode.REFUSED, [])
    assert ran.err == (
        "error: AnalysisTemplate `endless` never ends: it measures `answer` without a count\n"
        "hint: bound it with --timeout, e.g. 10m\n"
    )
    assert ready.canary("verify", "endless", "-a", "is=vector(1)", "--timeout", "2s").code == ExitCode.TIMEOUT
    assert ready.canary("verify", "answer", "-a", "is=vector(1)", "-a", "times=0").code == ExitCode.REFUSED


def test_ctrl_c_leaves_the_run_or_deletes_it(ready: World) -> None:
    interrupt(ready, after=2)
    ran = ready.canary("verify", "answer", "-a", "is=vector(1)", "-a", "times=100")
    assert ran.code == ExitCode.INTERRUPTED
    assert "interrupted: AnalysisRun `answer-20260302-120000` continues" in ran.err
    assert len(runs(ready)) == 1
    interrupt(ready, after=2)
    ran = ready.canary("verify", "answer", "-a", "is=vector(1)", "-a", "times=100", "--delete")
    assert (ran.code, len(runs(ready))) == (ExitCode.INTERRUPTED, 1)


def test_without_a_controller_it_ends_with_9(ready: World) -> None:
    ready.sandbox = type("Nobody", (), {"settle": lambda *_: None})()  # type: ignore[assignment]
    ran = ready.canary("verify", "answer", "-a", "is=vector(1)")
    assert (ran.code, ran.last) == (
        ExitCode.UNOBSERVED,
        "AnalysisRun `answer-20260302-120000` in companyos @ sandbox was created, but no controller has taken it up",
    )


def test_a_look_that_fails_ends_nothing(ready: World) -> None:
    ready.faults.add(Fault(Drop(), method="GET", path="analysisruns", times=3, after=1))
    assert ready.canary("verify", "answer", "-a", "is=vector(1)").code == ExitCode.OK


def test_a_creation_without_an_answer_is_looked_up(ready: World) -> None:
    ready.faults.add(Fault(Answer(504), method="POST", path="analysisruns"))
    ran = ready.canary("verify", "answer", "-a", "is=vector(1)")
    assert ran.code == ExitCode.UNOBSERVED
    assert "hint: look with `kubectl get analysisrun answer-20260302-120000` before you repeat it" in ran.err


def test_a_dry_run_prints_the_object_and_creates_nothing(ready: World) -> None:
    ran = ready.canary("verify", "answer", "-a", "is=vector(1)", "--dry-run", "-o", "json")
    assert (ran.code, changing(ready), runs(ready)) == (ExitCode.OK, [], [])
    assert ran.json["data"]["object"]["spec"]["args"][0] == {"name": "is", "value": "vector(1)"}
    assert ready.canary("verify", "answer", "-a", "is=1", "--dry-run").out.startswith("apiVersion: argoproj.io/")


def test_a_secret_is_not_shown(ready: World) -> None:
    secret = {"secretKeyRef": {"name": "s", "key": "k"}}
    args = [{"name": "is", "valueFrom": secret}, {"name": "times", "value": "1"}]
    ready.store.create(ANALYSISTEMPLATE, template_object(name="hidden", args=args))
    ready.store.create(SECRET, {"metadata": {"name": "s", "namespace": "companyos"}, "stringData": {"k": "vector(41)"}})
    ran = ready.canary("verify", "hidden", "-o", "json")
    assert ran.code == ExitCode.OK, ran
    assert "vector(41)" not in ran.out


def test_the_errors_of_the_server_have_their_codes_too(ready: World) -> None:
    for status, code in ((403, ExitCode.DENIED), (500, ExitCode.FAILED)):
        ready.faults.add(Fault(Answer(status), path="/analysistemplates"))
        ran = ready.canary("verify", "answer", "-a", "is=vector(1)")
        assert (ran.code, ran.out, runs(ready)) == (code, "", []), ran
        ready.faults.clear()
