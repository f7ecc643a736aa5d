"""Several people, CI and a controller that may be away, on one Rollout: whatever the order, what a verb says is true.

A step is one command of ours, which someone else may overtake just before its first PATCH or while it waits; or what
someone does past every check of ours; or time. Laws that are no matter of one command are checked in a copy of the
process, in which no one does anything more.
"""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request
from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.behaviour import PROMPT, late, natural
from tests.commands.conftest import freeze
from tests.commands.test_stopping_laws import MOVES, images
from tests.matrix.cells import copied
from tests.matrix.stories import BOUND, FULL
from tests.world import CONFIG, Ran, World

STEPS = "steps: [{weight: 25, pause: manual}, {weight: 50, pause: manual}, {weight: 75, analysis: 4s}]\n"
FEW = CONFIG.partition("steps:")[0].replace("replicas: 10", "replicas: 4") + (
    f"{STEPS}analysis: {{window: 5s, min_requests: 10, by_hash: true}}\n"
)
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


def left_alone(world: World) -> tuple[Rollout, set[str]]:
    """What it comes to where no one does anything more, and the controller is there."""
    world.advance(90)
    return world.rollout(), images(world)


class Interleavings(RuleBasedStateMachine):
    @initialize(pace=st.sampled_from(sorted(PACES)))
    def begin(self, pace: str) -> None:
        self.folder = TemporaryDirectory()
        self.world = World(Path(self.folder.name), FEW, pace=PACES[pace])
        assert self.world.canary("apply", "v1.0.0", "-q").code == ExitCode.OK
        self.world.advance(20)
        self.working = self.world.sandbox
        self.aborted: set[str] = set()

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

    def _holds(self, before: Rollout, ran: Ran) -> None:
        """An acknowledged abort ends with no traffic on the canary."""
        self.world.sandbox, away = self.working, self.world.sandbox
        after, serving = copied(partial(left_alone, self.world))
        self.world.sandbox = away
        assert after.stable_hash == before.stable_hash, ran
        assert len(serving) == 1, (serving, ran)

    @rule(move=st.sampled_from(sorted(MOVES)))
    def someone(self, move: str) -> None:
        MOVES[move](self.world)

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


def _changes(request: Request) -> bool:
    return request.method == "PATCH"


def play(examples: int, steps: int) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Interleavings,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=examples < 100,
        ),
    )


def test_what_verbs_say_is_true_whoever_acts_meanwhile() -> None:
    play(25, 20)


@pytest.mark.soak
def test_soak_of_interleavings() -> None:
    play(400, 50)
