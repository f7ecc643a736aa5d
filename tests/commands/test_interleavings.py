"""Several people, CI and a controller that may be away, on one Rollout: whatever the order, what a verb says is true.

A step is one command of ours, which someone else may overtake just before its first PATCH or while it waits; or what
someone does past every check of ours; or time. Laws that are no matter of one command are checked in a copy of the
World, in which no one does anything more.
"""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.behaviour import PROMPT, natural
from companyos_canary.sandbox.kinds import ANALYSISRUN
from companyos_canary.sandbox.scenarios import default
from tests.clock import late
from tests.commands.conftest import freeze
from tests.commands.test_stopping_laws import MOVES, images
from tests.matrix.stories import BOUND, FULL
from tests.prototypes import begun, copied
from tests.world import CONFIG, Ran, World

STEPS = "steps: [{weight: 25, pause: manual}, {weight: 50, pause: manual}, {weight: 75, analysis: 4s}]\n"
FEW = CONFIG.partition("steps:")[0].replace("replicas: 10", "replicas: 4") + (
    f"{STEPS}analysis: {{window: 5s, min_requests: 10, by_hash: true}}\n"
    "metrics: {latency-p95: null, latency-ratio: null, error-ratio: null, opa-success: null}\n"
)
PLAIN = replace(default(), buckets=(0.5,))  # one metric judges, and none looks at latencies
COMMANDS = {
    "deploy": ("deploy", "v1.1.0"),
    "deploy another": ("deploy", "v1.3.0"),
    "deploy a bad one": ("deploy", "v1.2.0"),
    "supersede": ("deploy", "v1.4.0", "--supersede"),
    "promote": ("promote",),
    "promote to a weight": ("promote", "--to-weight", "50"),
    "full": FULL,
    "abort": ("abort",),
    "retry": ("retry",),
    "pause": ("pause",),
    "resume": ("resume",),
    "undo": ("undo",),
    "restart": ("restart",),
}
PACES = {"prompt": PROMPT, "late": natural(5), "very late": late(natural(9).rollouts)}
_ABOUT_A_STATE = (ExitCode.OK, ExitCode.DEGRADED, ExitCode.SUPERSEDED, ExitCode.REFUSED, ExitCode.UNFINISHED)
FORESEEN = (*_ABOUT_A_STATE, ExitCode.UNOBSERVED, ExitCode.TIMEOUT)
others = st.sampled_from(["", "", "", *MOVES])


def pauses_passed(rollout: Rollout) -> int:
    index = len(rollout.steps) if rollout.is_fully_promoted else rollout.step_index or 0
    return sum(step.waits_for_a_person for step in rollout.steps[:index])


def verdicts(world: World, pod_hash: str) -> set[str]:
    """The phases of all analyses of a version."""
    runs = world.store.items(ANALYSISRUN, "companyos")
    return {run["status"]["phase"] for run in runs if run["metadata"]["labels"].get(HASH_LABEL) == pod_hash}


def shipped(pace: str, folder: Path, config: str) -> World:
    """v1.0.0 is Healthy."""
    world = World(folder, config, pace=PACES[pace], scrape=1.0, scenario=PLAIN)
    assert world.canary("apply", "v1.0.0", "-q").code == ExitCode.OK
    world.advance(20)
    return world


def left_alone(world: World) -> tuple[Rollout, set[str]]:
    """What it comes to where no one does anything more, and the controller is there."""
    world.advance(90)
    return world.rollout(), images(world)


class Interleavings(RuleBasedStateMachine):
    """`steps` counts those of all examples; `unjudged` are the hashes that someone promoted in full, whatever their
    analysis says."""

    steps = 0

    @initialize(pace=st.sampled_from(sorted(PACES)))
    def begin(self, pace: str) -> None:
        self.folder = TemporaryDirectory()
        self.world = begun(f"interleavings, {pace}", FEW, Path(self.folder.name), partial(shipped, pace))
        self.working = self.world.sandbox
        self.aborted: set[str] = set()
        self.unjudged = {self.world.rollout().current_hash}

    @invariant()
    def no_unfinished_analysis_is_passed(self) -> None:
        Interleavings.steps += 1
        live = self.world.rollout()
        judges = [index for index, step in enumerate(live.steps) if step.kind == "analysis"]
        if live.promote_full:
            self.unjudged.add(live.current_hash)
        passed = live.observed and (live.is_fully_promoted or (live.step_index or 0) > max(judges, default=99))
        if passed and judges and not live.aborted and live.current_hash not in self.unjudged:
            assert "Successful" in verdicts(self.world, live.current_hash), live

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(name=st.sampled_from(sorted(COMMANDS)), other=others, waits=st.booleans())
    def command(self, name: str, other: str, waits: bool) -> None:
        world, before, done = self.world, self.world.rollout(), list[str]()

        def act() -> bool:
            if other and not done:
                done.append(other)
                MOVES[other](world)
            return False

        if waits:
            world.on_wait.append(act)
        else:
            world.breaks = lambda request: _changes(request) and act()
        ran = world.canary(*COMMANDS[name], *BOUND)
        world.on_wait.clear()
        world.breaks = lambda _: False
        after = world.rollout()
        told = (name, done, ran)
        assert ran.code in FORESEEN, told
        assert "unexpected" not in ran.out + ran.err, told
        self._one_step(name, before, after, done, ran)
        if COMMANDS[name][0] == "deploy" and ran.code == ExitCode.OK:
            assert after.is_fully_promoted, told
            assert after.image() == f"companyos-api:{COMMANDS[name][1]}", told
        if name == "full" or "full" in done:
            self.unjudged |= {before.current_hash, after.current_hash}
        if not done:
            self._is_true(after, ran)
        if name == "undo" and ran.code == ExitCode.OK and not done:
            assert after.image() not in self.aborted, told
        if name == "abort" and ran.code == ExitCode.OK and not done:
            self._holds(before, ran)
            self.aborted.add(before.image())
        if after.is_fully_promoted:
            self.aborted.discard(after.image())

    def _one_step(self, name: str, before: Rollout, after: Rollout, done: list[str], ran: Ran) -> None:
        """One promote is one pause; what someone else does next to it is theirs."""
        if name != "promote" or done or before.current_hash != after.current_hash:
            return
        assert pauses_passed(after) <= pauses_passed(before) + 1, ran

    def _is_true(self, after: Rollout, ran: Ran) -> None:
        """What the last line says, at the moment when it was said."""
        told = (after, ran)
        if "verdict=paused " in ran.last:
            assert after.pause_conditions or after.paused, told
            assert after.paused or not after.promote_full, told
        if "verdict=healthy " in ran.last:
            assert after.is_fully_promoted, told
        if "verdict=rolled-back " in ran.last:
            assert after.aborted or after.image() != f"companyos-api:{ran.last.partition('version=')[2].split()[0]}", (
                told
            )

    def _holds(self, before: Rollout, ran: Ran) -> None:
        """An acknowledged abort ends with no traffic on the canary."""
        self.world.sandbox, away = self.working, self.world.sandbox
        after, serving = left_alone(copied(self.world))
        self.world.sandbox = away
        assert after.stable_hash == before.stable_hash, ran
        assert len(serving) == 1, (serving, ran)

    @rule(move=st.sampled_from(sorted(MOVES)))
    def someone(self, move: str) -> None:
        before = self.world.rollout()
        MOVES[move](self.world)
        if move == "full":
            self.unjudged |= {before.current_hash, self.world.rollout().current_hash}

    @rule(seconds=st.sampled_from([0.3, 2.0, 12.0]))
    def time(self, seconds: float) -> None:
        self.world.advance(seconds)
        live = self.world.rollout()
        if live.is_fully_promoted:
            self.aborted.discard(live.image())

    @precondition(lambda self: self.world.sandbox is self.working)
    @rule()
    def controller_goes(self) -> None:
        freeze(self.world)

    @precondition(lambda self: self.world.sandbox is not self.working)
    @rule()
    def controller_comes_back(self) -> None:
        self.world.sandbox = self.working
        self.world.advance(1)


class WithReleases(Interleavings):
    """The same, with whole releases: slow."""

    @rule(name=st.sampled_from(["deploy", "deploy another", "deploy a bad one"]), other=others)
    def release(self, name: str, other: str) -> None:
        """A pipeline that approves each pause; someone else may act before the last."""
        for command, overtakes in ((name, ""), ("promote", ""), ("promote", other)):
            self.command(command, overtakes, True)
        self.time(20.0)


def _changes(request: Request) -> bool:
    return request.method == "PATCH"


def play(machine: type[Interleavings], examples: int, steps: int) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=examples < 100,
        ),
    )


def test_what_verbs_say_is_true_whoever_acts_meanwhile() -> None:
    before = Interleavings.steps
    play(Interleavings, 16, 50)
    assert Interleavings.steps - before >= 500


def test_a_version_that_passes_an_analysis_without_a_verdict_is_found() -> None:
    machine = Interleavings()
    machine.begin("prompt")
    machine.command("deploy", "", waits=True)
    machine.no_unfinished_analysis_is_passed()
    freeze(machine.world)
    machine.world.patch({"status": {"currentStepIndex": 6, "pauseConditions": None}}, "status")
    with pytest.raises(AssertionError):
        machine.no_unfinished_analysis_is_passed()
    machine.teardown()


@pytest.mark.soak
def test_soak_of_interleavings() -> None:
    before = Interleavings.steps
    play(Interleavings, 400, 60)
    play(WithReleases, 80, 60)
    assert Interleavings.steps - before >= 20_000
