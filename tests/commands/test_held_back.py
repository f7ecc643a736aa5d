"""What becomes of a verb whose PATCH is held back while someone else changes the Rollout: the table of outcomes.

Everything that a verb decided on is pinned: either the change in between does not matter to what it does, or the verb
ends with 5, 6 or 7 and has overwritten nothing.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request
from companyos_canary.model.rollout import Rollout
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.test_stopping_laws import MOVES, with_image
from tests.matrix.stories import FULL, after, healthy, waiting
from tests.prototypes import copied
from tests.world import Ran, World

NAME = "companyos-api"


def recreate(world: World) -> None:
    """Deleted, and made again from the same manifest."""
    live = json.loads(json.dumps(world.store.read(ROLLOUT, "companyos", NAME)))
    world.store.delete(ROLLOUT, "companyos", NAME)
    world.sandbox.settle(world.now)
    live["metadata"] = {k: live["metadata"][k] for k in ("name", "namespace", "labels") if k in live["metadata"]}
    live.pop("status", None)
    world.store.create(ROLLOUT, live)


CHANGES: dict[str, Callable[[World], object]] = {
    "image": lambda w: with_image(w, "v1.4.0"),
    "steps": MOVES["steps"],
    "pause": MOVES["pause"],
    "abort": MOVES["abort"],
    "retry": MOVES["retry"],
    "promote": MOVES["promote"],
    "full": MOVES["full"],
    "undo": lambda w: with_image(w, "v1.0.0"),
    "recreate": recreate,
    "scale": MOVES["scale"],
}
shipped = after(("deploy", "v1.1.0"), begin=healthy)
VERBS: dict[str, tuple[tuple[str, ...], Callable[[Path], World]]] = {
    "deploy": (("deploy", "v1.3.0"), healthy),
    "supersede": (("deploy", "v1.3.0", "--supersede"), waiting),
    "promote": (("promote",), waiting),
    "weight": (("promote", "--to-weight", "25"), waiting),
    "full": (FULL, waiting),
    "abort": (("abort",), waiting),
    "pause": (("pause",), waiting),
    "resume": (("resume",), after(("pause",))),
    "retry": (("retry",), after(("abort",))),
    "undo": (("undo",), waiting),
    "undo-shipped": (("undo",), shipped),
    "restart": (("restart",), healthy),
}
CODES = """
               image steps pause abort retry promote full undo recreate scale
deploy             7     8     8     0     0       0    0    0        0     0
supersede          7     8     8     8     8       8    8    8        8     8
promote            7     7     7     7     0       7    7    7        7     0
weight             7     7     7     7     0       7    0    7        0     0
full               7     7     7     7     0       0    0    7        0     0
abort              0     0     0     0     0       0    7    0        7     0
pause              7     7     0     7     0       0    7    7        7     0
resume             7     7     0     7     0       0    7    7        7     0
retry              7     7     0     0     7       0    7    7        7     0
undo               7     0     8     0     0       0    7    7        7     0
undo-shipped       7     8     8     0     0       0    0    7        0     0
restart            7     7     0     0     0       0    0    0        7     0
"""


FORESEEN = (
    *(ExitCode.OK, ExitCode.DEGRADED, ExitCode.SUPERSEDED, ExitCode.REFUSED, ExitCode.UNFINISHED),
    ExitCode.UNOBSERVED,
)


def expected() -> dict[tuple[str, str], int]:
    head, *rows = CODES.strip("\n").splitlines()
    changes = head.split()
    return {
        (verb, change): int(code)
        for verb, *codes in (row.split() for row in rows)
        for change, code in zip(changes, codes, strict=True)
    }


def held_back(world: World, command: tuple[str, ...], change: str) -> tuple[Ran, str, str]:
    """What was said, the state when it was, and the state it comes to. Someone is faster than the first PATCH."""
    done: list[str] = []

    def first(request: Request) -> bool:
        if request.method == "PATCH" and not done:
            done.append(change)
            CHANGES[change](world)
            world.advance(1)
        return False

    world.breaks = first
    ran = world.canary(*command)
    assert done, ran
    then = state(world.rollout())
    world.advance(60)
    return ran, then, state(world.rollout())


ALONE: dict[tuple[object, ...], str] = {}


def alone(begin: Callable[[Path], World], world: World, change: str) -> str:
    """What it comes to where only the other one acts; the same for all verbs that begin alike."""
    asked = (begin, change, World.usual)
    if asked not in ALONE:
        ALONE[asked] = left_to(copied(world), change)
    return ALONE[asked]


def left_to(world: World, change: str) -> str:
    CHANGES[change](world)
    world.advance(60)
    return state(world.rollout())


def state(rollout: Rollout) -> str:
    """Everything that a verb of ours may change."""
    words = {
        "aborted": rollout.aborted,
        "paused by hand": rollout.paused,
        "full promote": rollout.promote_full,
        "restarted": rollout.restart_at is not None,
        "waits": bool(rollout.pause_conditions),
        "stable": rollout.is_fully_promoted,
    }
    told = [f"{rollout.image().partition(':')[2]} at {rollout.step_index} of {len(rollout.steps)}"]
    return ", ".join([*told, *(word for word, holds in words.items() if holds)])


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_someone_overtakes_does_what_was_meant_or_nothing(tmp_path: Path, verb: str, pace: str) -> None:
    """The table is that of a prompt cluster: a late one has not taken the change up yet when the PATCH arrives."""
    command, begin = VERBS[verb]
    world, codes, told = begin(tmp_path), expected(), []
    for change in CHANGES:
        ran, then, later = held_back(copied(world), command, change)
        told.append(f"{change}: {int(ran.code)} {then}\n{ran.out}{ran.err}")
        assert ran.code == codes[verb, change] or (pace != "prompt" and ran.code in FORESEEN), told[-1]
        if ran.code == ExitCode.REFUSED:
            assert later == alone(begin, world, change), told[-1]
        said = ran.out + ran.err
        assert "still waits" not in said or "waits" in then, told[-1]
        assert "no step is run" not in said or "stable" in then or ran.code == ExitCode.REFUSED, told[-1]
        assert "runs again" not in said or "paused" not in then or "paused by hand" in said, told[-1]
        assert "runs again" not in said or "full promote" not in then, told[-1]
