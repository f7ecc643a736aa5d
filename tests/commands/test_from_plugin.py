"""docs/from-plugin.md: each command line of the plugin runs, or is refused with ours; and ours runs, too."""

import re
import shlex
from importlib import import_module

import pytest
import typer
import yaml
from msgspec import Struct

from companyos_canary.commands.aliases import LINES, takes_value, translated
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import ANALYSISTEMPLATE, CLUSTERANALYSISTEMPLATE, CONFIGMAP, EXPERIMENT
from tests import docs
from tests.commands.conftest import bound
from tests.commands.test_create import template_object
from tests.commands.test_experiment import judging
from tests.commands.test_notifications import config_map
from tests.commands.test_terminate import COMPARE
from tests.world import World

pytestmark = pytest.mark.replicas(4)

PAGE = docs.ROOT / "docs" / "from-plugin.md"
VERBS = "abort completion create dashboard get lint list notifications pause promote restart retry set status "
VERBS += "terminate undo version"


# The options of each command, as the pages of the plugin's own reference name them.
OPTIONS = {
    "create": "--filename --no-color --watch",
    "create analysisrun": "--argument --from --from-file --generate-name --global --instance-id --name",
    "dashboard": "--port --root-path",
    "get experiment": "--no-color --watch",
    "get rollout": "--no-color --timeout-seconds --watch",
    "lint": "--filename",
    "list experiments": "--all-namespaces",
    "list rollouts": "--all-namespaces --name --timestamps --watch",
    "notifications template get": "--output",
    "notifications template notify": "--recipient",
    "notifications trigger get": "--output",
    "notifications trigger run": "--config-map --secret",
    "promote": "--full --skip-all-steps --skip-current-step",
    "restart": "--in",
    "status": "--timeout --watch",
    "undo": "--to-revision",
    "version": "--short",
}
SHORT = {"-f": "--filename", "-w": "--watch", "-a": "--argument", "-o": "--output", "-i": "--in", "-t": "--timeout"}
IGNORED = {"--cache-dir": "x", "--kloglevel": "4", "--loglevel": "debug", "-v": "4"}
TAKEN = {"-n": "companyos", "--namespace": "companyos", "--request-timeout": "5s", "--as": "ana", "--as-group": "ops"}
REFUSED = "--as-uid --certificate-authority --client-certificate --client-key --server -s --tls-server-name --username "
REFUSED += "--password --proxy-url --disable-compression --insecure-skip-tls-verify"


class Row(Struct, frozen=True):
    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    refused: bool


def rows() -> list[Row]:
    found = []
    for line in PAGE.read_text().splitlines():
        if line.startswith("| `"):
            theirs, ours = (cell.strip() for cell in line.split(" | ")[:2])
            named = re.search(r"`canary ([^`]*)`", ours)
            assert named, line
            words = re.fullmatch(r"\| `([^`]*)`", theirs)
            assert words, line
            split = tuple(shlex.split(words[1])), tuple(shlex.split(named[1]))
            found.append(Row(*split, refused=ours.startswith("refused: ")))
    return found


def test_every_command_of_the_plugin_is_there() -> None:
    assert {row.theirs[0] for row in rows()} == set(VERBS.split())


@pytest.mark.parametrize("command", OPTIONS)
def test_every_option_of_a_command_of_the_plugin_is_there(command: str) -> None:
    words = command.split()
    shown = {w.partition("=")[0] for row in rows() if list(row.theirs[: len(words)]) == words for w in row.theirs}
    assert set(OPTIONS[command].split()) <= {SHORT.get(w, w) for w in shown}


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize(("option", "value"), [*IGNORED.items(), *TAKEN.items()])
def test_an_option_of_every_command_that_harms_no_one_is_taken(
    stage: World, option: str, value: str, joined: bool
) -> None:
    given = (f"{option}={value}",) if joined else (option, value)
    if option.startswith("--as"):
        bound(stage, "viewer", *(("--user", "ana") if option == "--as" else ("--group", "ops")))
    user = ("--as", "eve") if option == "--as-group" else ()
    ran = stage.canary("get", "rollout", "companyos-api", *given, *user)
    assert ran.code == ExitCode.OK, ran
    assert f"`{option}" in PAGE.read_text()


@pytest.mark.parametrize("option", REFUSED.split())
def test_credentials_and_addresses_are_refused(stage: World, option: str) -> None:
    stage.requests.clear()
    ran = stage.canary("get", "rollout", "companyos-api", option, "x")
    assert (ran.code, stage.requests) == (ExitCode.USAGE, [])
    assert "write it into the kubeconfig" in ran.err
    assert f"`{option}`" in PAGE.read_text()


@pytest.fixture
def stage(waiting: World) -> World:
    """What the page names is there: a Rollout, an Experiment, a template, files."""
    waiting.store.create(ANALYSISTEMPLATE, template_object())
    waiting.store.create(EXPERIMENT, judging("vector(-1)"))
    waiting.store.create(CONFIGMAP, config_map())
    everywhere = {**template_object(), "kind": "ClusterAnalysisTemplate", "metadata": {"name": "everywhere"}}
    waiting.store.create(CLUSTERANALYSISTEMPLATE, everywhere)
    (waiting.folder / "config.yaml").write_text(yaml.safe_dump(config_map()))
    waiting.advance(2)
    (waiting.folder / "template.yaml").write_text(yaml.safe_dump(template_object()))
    (waiting.folder / "experiment.yaml").write_text(yaml.safe_dump({**COMPARE, "metadata": {"name": "another"}}))
    (waiting.folder / "rollout.yaml").write_text(waiting.canary("render", "v1.0.0").out)
    return waiting


@pytest.mark.parametrize("row", rows(), ids=lambda r: " ".join(r.theirs))
def test_a_line_of_the_page_runs_or_is_refused_with_ours(stage: World, row: Row) -> None:
    stage.requests.clear()
    if row.refused:
        ran = stage.canary(*row.theirs)
        assert (ran.code, stage.requests) == (ExitCode.USAGE, []), ran
        assert "\nhint: " in ran.err
        assert f"canary {row.ours[0]}" in ran.err
    elif "--full" not in row.theirs:  # it asks for a reason
        assert stage.canary(*row.theirs).code != ExitCode.USAGE
    ran = stage.canary(*row.ours)
    assert ran.code != ExitCode.USAGE, ran


@pytest.mark.parametrize("verb", sorted(set(LINES) - {"set"}))
def test_the_value_of_an_option_of_ours_stays_with_it(verb: str) -> None:
    app = typer.Typer()
    app.command()(import_module(f"companyos_canary.commands.{verb}").command)
    options = [p for p in typer.main.get_command(app).params if p.param_type_name == "option"]
    valued = [name for p in options if not getattr(p, "is_flag", False) for name in p.opts]
    assert [name for name in valued if not takes_value(verb, name)] == []


@pytest.mark.parametrize("row", [r for r in rows() if not r.refused], ids=lambda r: " ".join(r.theirs))
def test_it_is_the_verb_of_ours(row: Row) -> None:
    """`create analysisrun` and `verify` differ on purpose: the page says in what."""
    verb = translated(row.theirs)[0]
    assert verb == row.ours[0] or (verb, row.ours[0]) == ("create", "verify")
