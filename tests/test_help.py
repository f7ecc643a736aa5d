"""Help for someone who has never seen `canary`: what to look for, and what comes first."""

from collections.abc import Callable
from pathlib import Path

import pytest

from companyos_canary import cli
from companyos_canary.commands import base
from companyos_canary.errors import MEANING, ExitCode
from tests.world import Ran, World

# Each task of the CompanyOS guide, the words that someone looks for, and the verb to be found.
TASKS = [
    ("trigger a canary from CI", ("CI",), "deploy"),
    ("trigger a canary by hand", ("trigger", "canary"), "deploy"),
    ("ship a version", ("ship", "version"), "deploy"),
    ("watch the progress", ("follow", "live"), "watch"),
    ("view the dashboard", ("dashboard",), "links"),
    ("open the runbook", ("runbook",), "links"),
    ("get the current status", ("one line",), "status"),
    ("get detailed info", ("details",), "get"),
    ("view analysis results", ("analysis", "values"), "analysis"),
    ("approve, continue after a pause", ("approve", "continue"), "promote"),
    ("bypass the canary", ("skip",), "promote"),
    ("hold it", ("hold",), "pause"),
    ("resume a pause", ("end a pause",), "resume"),
    ("abort", ("stop the canary",), "abort"),
    ("emergency: immediate rollback", ("emergency",), "abort"),
    ("check metrics in Prometheus", ("metrics", "Prometheus"), "metrics"),
    ("roll back now", ("roll back", "now"), "abort"),
    ("roll back to the previous revision", ("roll back", "last"), "undo"),
    ("retry a failed analysis", ("again", "failed analysis"), "retry"),
    ("who waits for a person", ("all rollouts",), "list"),
    ("the canary is stuck", ("stuck",), "why"),
    ("check pod logs", ("pods", "write"), "logs"),
    ("an analysis is failing", ("analysis fails",), "analysis"),
    ("check rollout history", ("revisions", "who"), "history"),
    ("start from nothing", ("new service",), "init"),
    ("see what is applied", ("objects", "print"), "render"),
    ("check it before a release", ("before a release",), "lint"),
    ("see whether the analysis can be right", ("simulated", "right"), "plan"),
    ("see what apply would change", ("would change",), "diff"),
    ("install it", ("install",), "apply"),
    ("check everything before a release", ("could go through",), "doctor"),
    ("try it without a cluster", ("no cluster",), "demo"),
    ("complete names with TAB", ("complete", "bash"), "completion"),
    ("start all pods again", ("new pods",), "restart"),
    ("try an AnalysisTemplate", ("run", "AnalysisTemplate"), "verify"),
    ("create an Experiment", ("new", "Experiments"), "create"),
    ("see an Experiment", ("list", "Experiments"), "experiment"),
    ("check a trigger", ("triggers",), "notifications"),
    ("end one analysis", ("end", "AnalysisRun"), "terminate"),
]


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    here = World(tmp_path)

    def run(*arguments: str) -> Ran:
        ran = here.canary(*arguments)
        own = capsys.readouterr()
        return Ran(ran.code, own.out + ran.out, own.err + ran.err)

    return run


@pytest.mark.parametrize(("task", "words", "verb"), TASKS, ids=[t[0] for t in TASKS])
def test_a_stranger_finds_the_verb_for_each_task_of_the_guide(
    said: Callable[..., Ran], task: str, words: tuple[str, ...], verb: str
) -> None:
    lines = [line.strip() for line in said("--help").out.splitlines()]
    found = [line for line in lines if all(word in line for word in words)]
    named = {line.removeprefix("canary ").split()[0] for line in found}
    assert named == {verb}, f"{task}: {found}"


def test_help_leads_with_examples_and_ends_with_exit_codes(said: Callable[..., Ran]) -> None:
    titles = [x for x in said("--help").out.splitlines() if x.endswith(":") and x[0] != " "]
    assert titles == ["Examples:", *(f"{group}:" for group in cli.GROUPS), "Exit codes:"]
    assert list(cli.GROUPS) == ["Ship", "Look", "Act", "Explain", "Set up"]


def test_a_verbs_own_options_come_before_those_that_all_have(said: Callable[..., Ran]) -> None:
    own, _, rest = said("pause", "-h").out.partition("Common options:\n")
    assert own == PAUSE
    common, _, codes = rest.partition("\nExit codes:\n")
    options = [line.split(maxsplit=1)[0] for line in common.splitlines()]
    assert len(options) == len(base.COMMON) + 1
    assert codes.splitlines()[0] == f"    0  {MEANING[ExitCode.OK]}"


@pytest.mark.parametrize("verb", ["", *cli.VERBS])
def test_help_fits_80_columns_and_has_no_escapes(
    said: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = said(*filter(None, (verb, "--help"))).out
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "\x1b" not in text


@pytest.mark.parametrize("verb", cli.VERBS)
def test_the_line_of_a_verb_is_not_broken(said: Callable[..., Ran], verb: str) -> None:
    width = max(map(len, cli.VERBS))
    assert f"  {verb:<{width}}  {cli.VERBS[verb]}\n" in said("--help").out


def test_help_is_a_verb_too(said: Callable[..., Ran]) -> None:
    assert said("help") == said("--help")
    assert said("help", "deploy") == said("deploy", "-h")
    assert said("help", "deplyo").err.startswith("error: there is no verb `deplyo`\nhint: did you")


PAUSE = """\
Usage: canary pause [OPTIONS] [NAME...]

  Hold a rollout where it is: no pod moves and no step ends until `canary
  resume`.

Examples:
  canary pause                           the Rollout of canary.yaml
  canary pause companyos-api -n companyos
  canary pause -l team=checkout          all with this label

  A running analysis continues, and can still abort.

Arguments:
  NAME...  names of Rollouts

Options:
  -l, --selector LABELS  all Rollouts with these labels, e.g. app=x
  --reason TEXT          reason, for the history
  --dry-run              print the request, send nothing
  --no-wait              do not wait; exit once sent
  --timeout DURATION     end after this, e.g. 10m; 0 = never

"""
