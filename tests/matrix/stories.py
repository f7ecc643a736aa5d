"""The verbs of the matrix: the command, what is there before it, and what exit 0 of it promises."""

from collections.abc import Callable
from pathlib import Path

import yaml
from msgspec import Struct

from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.kinds import ANALYSISRUN, ANALYSISTEMPLATE, EXPERIMENT
from tests.commands.conftest import installed, paused_world
from tests.commands.test_create import template_object
from tests.commands.test_experiment import judging
from tests.commands.test_terminate import COMPARE
from tests.world import CONFIG, MANUAL, World

CANARY, STABLE = "companyos-api:v1.1.0", "companyos-api:v1.0.0"
SHORT = CONFIG.partition("steps:")[0].replace("replicas: 10", "replicas: 3") + (
    "steps: [{weight: 34, pause: 2s}]\nanalysis: {window: 5s, min_requests: 10, by_hash: true}\n"
)
# The analysis beside a pause measures every three seconds: what no cell looks at need not take the time of all.
FEW = MANUAL.replace("replicas: 10", "replicas: 3").replace("window: 5s", "window: 15s")


class Story(Struct, frozen=True):
    """`holds`: what is true of the Rollout, `there` of the cluster, when the command has ended with 0; without both
    it only reads."""

    command: tuple[str, ...]
    begin: Callable[[Path], World]
    holds: Callable[[Rollout], bool] | None = None
    there: Callable[[World], bool] | None = None

    @property
    def changes(self) -> bool:
        return bool(self.holds or self.there)

    def is_kept(self, world: World) -> bool:
        return (not self.holds or self.holds(world.rollout())) and (not self.there or self.there(world))

    @property
    def follows(self) -> bool:
        """Whether it watches the Rollout until it has come to an end."""
        return self.command[0] in ("deploy", "undo", "watch") and "--no-wait" not in self.command

    @property
    def name(self) -> str:
        """Without the bound that every verb that follows gets here."""
        return " ".join(self.command).removesuffix(f" {' '.join(BOUND)}")


def healthy(folder: Path) -> World:
    return installed(folder, SHORT)


def waiting(folder: Path) -> World:
    return paused_world(folder, FEW)


def after(*commands: tuple[str, ...], begin: Callable[[Path], World] = waiting) -> Callable[[Path], World]:
    def begun(folder: Path) -> World:
        world = begin(folder)
        for command in commands:
            ran = world.canary(*command)
            assert ran.code == 0, ran
        world.advance(30)
        world.requests.clear()
        return world

    return begun


def scaled(folder: Path) -> World:
    world = healthy(folder)
    (folder / "canary.yaml").write_text(SHORT.replace("replicas: 3", "replicas: 4"))
    return world


def comparing(folder: Path) -> World:
    world = healthy(folder)
    world.store.create(EXPERIMENT, COMPARE)
    world.advance(5)
    world.requests.clear()
    return world


def failed(folder: Path) -> World:
    """The Experiment has failed, and was terminated by hand."""
    world = healthy(folder)
    world.store.create(ANALYSISTEMPLATE, template_object())
    made = judging("vector(-1)")
    world.store.create(EXPERIMENT, {**made, "spec": {**made["spec"], "terminate": True}, "status": {"phase": "Failed"}})
    world.advance(5)
    world.requests.clear()
    return world


def runs_again(world: World) -> bool:
    return "terminate" not in world.store.read(EXPERIMENT, "companyos", "compare")["spec"]


def asking(folder: Path) -> World:
    world = healthy(folder)
    world.store.create(ANALYSISTEMPLATE, template_object())
    return world


def with_a_file(folder: Path) -> World:
    (folder / "answer.yaml").write_text(yaml.safe_dump(template_object()))
    return healthy(folder)


def has_the_template(world: World) -> bool:
    return world.store.get(ANALYSISTEMPLATE, "companyos", "answer") is not None


def has_a_run(world: World) -> bool:
    found = world.store.items(ANALYSISRUN, "companyos")
    return any(r["metadata"]["name"].startswith("answer-") and r["status"]["phase"] == "Successful" for r in found)


def has_ended(world: World) -> bool:
    return world.store.read(EXPERIMENT, "companyos", "compare")["status"].get("phase") == "Successful"


def stable_is(image: str) -> Callable[[Rollout], bool]:
    return lambda r: r.is_fully_promoted and r.image() == image


def went_on(rollout: Rollout) -> bool:
    return (rollout.step_index or 0) > 1 or rollout.is_fully_promoted


FULL = ("promote", "--full", "--yes", "--reason", "hotfix")
BOUND = ("--timeout", "2m")
CHANGING = (
    Story(("deploy", "v1.1.0", *BOUND), healthy, stable_is(CANARY)),
    Story(("deploy", "v1.1.0", "--no-wait"), healthy, lambda r: r.image() == CANARY),
    Story(("deploy", "v1.3.0", "--supersede", "--no-wait"), waiting, lambda r: r.image() == "companyos-api:v1.3.0"),
    Story(("promote", *BOUND), waiting, went_on),
    Story(("promote", "--no-wait"), waiting, lambda r: not r.pause_conditions),
    Story(("promote", "--to-weight", "25", *BOUND), waiting, went_on),
    Story((*FULL, *BOUND), waiting, stable_is(CANARY)),
    Story(("abort", *BOUND), waiting, lambda r: r.aborted and not r.updated_replicas),
    Story(("abort", "--no-wait"), waiting, lambda r: r.aborted),
    Story(("pause", *BOUND), waiting, lambda r: r.paused),
    Story(("resume", *BOUND), after(("pause",)), lambda r: not r.paused),
    Story(("retry", *BOUND), after(("abort",)), lambda r: not r.aborted),
    Story(("undo", *BOUND), after(("deploy", "v1.1.0"), begin=healthy), stable_is(STABLE)),
    Story(("restart", *BOUND), healthy, lambda r: r.restart_at is not None and r.restarted_at == r.restart_at),
    Story(("terminate", "experiment", "compare", *BOUND), comparing, there=has_ended),
    Story(("experiment", "retry", "compare", *BOUND), failed, there=runs_again),
    Story(("verify", "answer", "-a", "is=vector(1)", *BOUND), asking, there=has_a_run),
    Story(("create", "-f", "answer.yaml"), with_a_file, there=has_the_template),
    Story(("apply",), scaled, lambda r: r.replicas == 4),
)
READING = tuple(
    Story(command, waiting)
    for command in (
        ("get",),
        ("status",),
        ("list",),
        ("history",),
        ("events",),
        ("analysis",),
        ("metrics",),
        ("logs",),
        ("why",),
        ("experiment", "list"),
        ("diff", "v1.1.0"),
        ("version",),
        ("doctor",),
        ("links",),
        ("lint",),
        ("render",),
        ("rbac", "deployer"),
        ("history", "--diff", "1", "2"),
        ("diff", "--stable"),
        ("plan",),
        ("watch", "--timeout", "20s"),
        ("init", "--from", "companyos-api", "-n", "companyos", "-f", "new.yaml"),
    )
)
STORIES = {story.name: story for story in (*CHANGING, *READING)}
