"""Times and durations that anyone may write into a Rollout: no verb may fail on one of them."""

import json
from typing import Any

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import ANALYSISRUN, ANALYSISTEMPLATE, ROLLOUT
from tests.commands.conftest import freeze, interrupt
from tests.world import World

LOOKING = ("list", "status", "get", "history", "events", "analysis", "metrics", "promote", "abort")
LATE, EARLY = "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:00"
LONGEST = "2562047h"  # what Go reads at most: 292 years
SPECS: dict[str, dict[str, Any]] = {
    "many of the longest pauses": {"strategy": {"canary": {"steps": [{"pause": {"duration": LONGEST}}] * 40}}},
    "a deadline of 64 bits": {"progressDeadlineSeconds": 2**63 - 1, "minReadySeconds": 2**63 - 1},
    "a blue-green pause of 64 bits": {
        "strategy": {"canary": None, "blueGreen": {"activeService": "a", "autoPromotionSeconds": 2**63 - 1}}
    },
}


def statuses(time: str) -> dict[str, Any]:
    return {
        "abortedAt": time,
        "restartedAt": time,
        "phase": "Paused",
        "controllerPause": True,
        "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": time}],
        "conditions": [
            {
                "type": "Progressing",
                "status": "True",
                "reason": "x",
                "message": "x",
                "lastUpdateTime": time,
                "lastTransitionTime": time,
            }
        ],
        "duration": {
            "rolloutStartedAt": time,
            "finishedAt": time,
            "manualPauseStartedAt": time,
            "totalManualPauseDurationSeconds": 2**63 - 1,
        },
    }


def every_verb_answers(world: World) -> None:
    """Each that looks, for people and for machines; and each that follows, with its own bound."""
    told = [world.canary(verb, *form) for verb in LOOKING for form in ((), ("-o", "json"))]
    told += [world.canary("list"), world.canary("watch", "--timeout", "5s")]
    for command in (("watch",), ("deploy", "v1.1.0")):
        interrupt(world, after=3)
        told.append(world.canary(*command))
        world.on_wait.clear()
    for ran in told:
        assert "unexpected" not in ran.out + ran.err, ran
    assert "companyos-api" in world.canary("list").out


@pytest.mark.parametrize("spec", SPECS.values(), ids=list(SPECS))
def test_no_length_of_a_spec_makes_a_verb_fail(waiting: World, spec: dict[str, Any]) -> None:
    freeze(waiting)
    waiting.patch({"spec": spec})
    every_verb_answers(waiting)


@pytest.mark.parametrize("time", [LATE, EARLY])
def test_no_time_of_a_status_makes_a_verb_fail(waiting: World, time: str) -> None:
    freeze(waiting)
    waiting.patch({"status": statuses(time)}, "status")
    waiting.patch({"spec": {"restartAt": time}})
    every_verb_answers(waiting)


@pytest.mark.parametrize("count", ["9" * 30, "9" * 5000, "²"])
def test_no_length_of_an_analysis_makes_a_verb_fail(running: World, count: str) -> None:
    freeze(running)
    for kind in (ANALYSISRUN, ANALYSISTEMPLATE):
        for found in running.store.items(kind, "companyos"):
            changed = json.loads(json.dumps(found))
            for metric in changed["spec"]["metrics"]:
                metric |= {"count": count, "interval": LONGEST, "initialDelay": LONGEST}
                provider = metric["provider"]["prometheus"]
                provider["query"] = f"rate(x[99999999999y]) + rate(x[{LONGEST}])"
            running.store.update(kind, changed)
    every_verb_answers(running)


def test_a_rollout_with_an_unreadable_pause_is_listed_beside_the_others(waiting: World) -> None:
    live = json.loads(json.dumps(waiting.store.read(ROLLOUT, "companyos", "companyos-api")))
    live["metadata"] = {"name": "other", "namespace": "companyos"}
    live["spec"]["strategy"]["canary"]["steps"] = [{"pause": {"duration": "99999999999999h"}}]
    live.pop("status")
    waiting.store.create(ROLLOUT, live)
    waiting.advance(5)
    ran = waiting.canary("list")
    assert ran.code == ExitCode.OK
    assert "companyos-api" in ran.out
    assert "other" in ran.out
    assert "duration" in waiting.canary("get", "other").out
