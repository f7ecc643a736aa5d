"""Every verb prints what its schema promises, and each form that the schema promises is printed.

Whatever any test prints as JSON is held against the schema (`tests.schema`, called by World).
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from companyos_canary import cli
from companyos_canary.commands.contract import DOCUMENTED, output_of
from companyos_canary.model.row import title
from companyos_canary.sandbox.kinds import ANALYSISTEMPLATE, CONFIGMAP, EXPERIMENT
from tests import schema
from tests.commands.conftest import deployed, freeze, installed, interrupt, is_judged, paused_world
from tests.commands.test_create import template_object
from tests.commands.test_experiment import judging
from tests.commands.test_notifications import config_map
from tests.commands.test_terminate import COMPARE
from tests.world import CONFIG, MANUAL, World


def healthy(folder: Path) -> World:
    return installed(folder, CONFIG)


def waiting(folder: Path) -> World:
    return paused_world(folder, MANUAL)


def analysing(folder: Path) -> World:
    return deployed(healthy(folder), 3, is_judged)


def held(folder: Path) -> World:
    world = analysing(folder)
    world.canary("pause")
    return world


def frozen(folder: Path) -> World:
    """Someone changed the template, and no controller looks at it."""
    world = waiting(folder)
    freeze(world)
    world.patch({"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}})
    return world


def unheard(folder: Path) -> World:
    """Nobody looks at Rollouts."""
    world = healthy(folder)
    freeze(world)
    return world


def following(folder: Path) -> World:
    """Ctrl-C after a while."""
    world = waiting(folder)
    interrupt(world, after=2)
    return world


def phase(world: World) -> str:
    """Of the Experiment."""
    found: str = (world.store.read(EXPERIMENT, "companyos", "compare").get("status") or {}).get("phase", "")
    return found


def comparing(folder: Path) -> World:
    """An Experiment runs."""
    world = healthy(folder)
    world.store.create(EXPERIMENT, COMPARE)
    world.advance(5)
    world.until(lambda _: phase(world) == "Running")
    return world


def asking(folder: Path) -> World:
    """There is a template of its own."""
    world = healthy(folder)
    world.store.create(ANALYSISTEMPLATE, template_object())
    return world


def failing(folder: Path) -> World:
    """An Experiment has failed."""
    world = asking(folder)
    world.store.create(EXPERIMENT, judging("vector(-1)"))
    world.advance(5)
    world.until(lambda _: phase(world) == "Failed")
    return world


def noticed(folder: Path) -> World:
    """Notifications are configured."""
    world = healthy(folder)
    world.store.create(CONFIGMAP, config_map())
    return world


def rolled_back(folder: Path) -> World:
    world = healthy(folder)
    world.canary("deploy", "errors-1")
    return world


AT_REST: dict[tuple[object, object], World] = {}
"""Worlds in which nothing happens by itself, for commands that change nothing."""
READS = {
    "completion",
    "schema",
    "analysis",
    "metrics",
    "events",
    "list",
    "history",
    "get",
    "status",
    "watch",
    "links",
    "render",
}

SEVERAL = ("companyos-api", "other", "--dry-run")

CASES: dict[str, list[tuple[Callable[[Path], World], tuple[str, ...]]]] = {
    "deploy": [
        (healthy, ("errors-1",)),
        (healthy, ("v1.1.0", "--no-wait")),
        (healthy, ("v1.1.0", "--dry-run")),
        (healthy, ("v1 0",)),
        (unheard, ("v1.2.0",)),
    ],
    "promote": [
        (waiting, ()),
        (waiting, ("--dry-run",)),
        (analysing, ()),
        (waiting, ("--to-weight", "50")),
        (waiting, ("--full", "--reason", "r", "--yes")),
    ],
    "abort": [(waiting, ()), (waiting, ("--dry-run",)), (healthy, ()), (waiting, SEVERAL)],
    "undo": [(waiting, ()), (waiting, ("--dry-run",)), (waiting, ("--to", "v9")), (waiting, ("--no-wait",))],
    "retry": [(rolled_back, ()), (rolled_back, ("--dry-run",)), (healthy, ()), (rolled_back, SEVERAL)],
    "pause": [(analysing, ()), (analysing, ("--dry-run",)), (healthy, ("other",)), (analysing, SEVERAL)],
    "resume": [(waiting, ()), (healthy, ("--dry-run",)), (held, ()), (healthy, ("other",)), (healthy, SEVERAL)],
    "restart": [(healthy, ()), (healthy, ("--dry-run",)), (healthy, ("other",))],
    "terminate": [
        (comparing, ("experiment", "compare")),
        (comparing, ("experiment", "compare", "--dry-run")),
        (healthy, ("analysisrun", "other")),
    ],
    "experiment": [
        (comparing, ("get", "compare")),
        (comparing, ("list",)),
        (failing, ("retry", "compare", "--dry-run")),
        (failing, ("retry", "compare")),
        (healthy, ("get", "other")),
    ],
    "notifications": [
        (noticed, ("template", "get")),
        (noticed, ("template", "notify", "paused", "companyos-api")),
        (noticed, ("trigger", "get")),
        (noticed, ("trigger", "run", "on-paused")),
        (healthy, ("trigger", "get")),
    ],
    "verify": [
        (asking, ("answer", "-a", "is=vector(1)")),
        (asking, ("answer", "-a", "is=vector(1)", "--dry-run")),
        (healthy, ("other",)),
    ],
    "create": [(asking, ("ar", "--from", "answer", "-a", "is=1")), (healthy, ("-f", "no.yaml"))],
    "watch": [(analysing, ()), (waiting, ()), (healthy, ("other",))],
    "status": [(waiting, ()), (rolled_back, ()), (healthy, ("--wait",)), (frozen, ("--wait",)), (healthy, ("other",))],
    "get": [(analysing, ()), (rolled_back, ()), (healthy, ()), (healthy, ("other",))],
    "analysis": [(rolled_back, ()), (analysing, ()), (healthy, ("other",))],
    "history": [(rolled_back, ()), (rolled_back, ("--diff", "1", "2")), (waiting, ()), (healthy, ("other",))],
    "events": [(waiting, ()), (following, ("--watch",)), (healthy, ("other",))],
    "metrics": [
        (rolled_back, ()),
        (healthy, ()),
        (healthy, ("other",)),
        (analysing, ("--since", "5s")),
        (healthy, ("--query", "error-rate")),
        (following, ("--watch",)),
    ],
    "schema": [(healthy, ()), (healthy, ("wach",))],
    "list": [(waiting, ()), (healthy, ("--older", "soon"))],
    "links": [(healthy, ()), (healthy, ("-f", "no.yaml"))],
    "init": [(healthy, ("-f", "new.yaml")), (healthy, ())],
    "why": [(waiting, ()), (healthy, ("other",))],
    "rbac": [(healthy, ("viewer",)), (healthy, ("nobody",))],
    "version": [(waiting, ()), (healthy, ("-f", "no.yaml"))],
    "doctor": [(waiting, ()), (healthy, ("other",)), (healthy, ("--before", "v 1"))],
    "lint": [(healthy, ()), (healthy, ("missing.yaml",)), (healthy, ("--scrape-interval", "soon"))],
    "diff": [(waiting, ("v1.0.0",)), (waiting, ("--stable",)), (healthy, ("-f", "no.yaml"))],
    "render": [(healthy, ("v1",)), (healthy, ("-e", "no"))],
    "completion": [(healthy, ("bash",)), (healthy, ("tcsh",))],
    "plan": [
        (healthy, ("--rps", "20", "--errors", "1%", "--releases", "10")),
        (healthy, ("--rps", "20", "--errors", "much")),
    ],
    "apply": [(healthy, ()), (healthy, ("v2", "--dry-run")), (healthy, ("v2",))],
}
# Only where the controller goes away between two of its own steps.
RARE = {("promote", "Unobserved"), ("promote", "UnseenClimb"), ("undo", "Unobserved")}
PROCESSES = {"demo", "sandbox", "logs"}  # no envelope, or in a process: modules of their own


def printed(verb: str, folder: Path) -> set[str]:
    """The forms of all outputs of a verb."""
    found: set[str] = set()
    for n, (world_of, arguments) in enumerate(CASES[verb]):
        here = folder / f"{verb}-{n}"
        here.mkdir()
        rests = (
            world_of not in (frozen, following)
            and world_of is not analysing
            and (verb in READS or "--dry-run" in arguments)
        )
        kept = world_of, World.usual
        if rests and kept not in AT_REST:
            AT_REST[kept] = world_of(here)
        world = AT_REST[kept] if rests else world_of(here)
        for one in schema.outputs(world.canary(verb, *arguments, "-o", "json").out):
            form = schema.form(verb, one)
            found.add(schema.kind(verb, one) if form.endswith("-answer") else form)
    return found


@pytest.mark.parametrize("verb", CASES)
def test_each_form_that_a_verb_promises_is_printed(verb: str, tmp_path: Path) -> None:
    lines = {f"{verb}-{event}" for event in output_of(verb).lines}
    answers = {"Failed"} | {title(form) for form in output_of(verb).rows}
    expected = lines if verb == "watch" else answers | lines
    assert printed(verb, tmp_path) == {form for form in expected if (verb, form) not in RARE}


def test_every_verb_has_a_schema_and_cases() -> None:
    assert set(CASES) | PROCESSES == set(cli.VERBS)
    assert set(DOCUMENTED) == set(cli.VERBS)
