"""Many Rollouts, a line each."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from companyos_canary.argo.rows import Listed, listed
from companyos_canary.model.place import Place
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.lines import Facts
from companyos_canary.view.lines import plain_text as text
from companyos_canary.view.rollouts import longest_waiting_first, plain, screen
from tests.builders import CANARY, NOW, PAUSE, rollout

MINUTE = timedelta(minutes=1)
STEPS = ({"setWeight": 10}, PAUSE, {"setWeight": 50})


def waiting(minutes: float, **fields: object) -> Rollout:
    return rollout(
        steps=STEPS,
        step_index=1,
        phase="Paused",
        message="CanaryPauseStep",
        pause_reason="CanaryPauseStep",
        pause_started=NOW - MINUTE * minutes,
        **fields,
    )


def named(found: Rollout, name: str, namespace: str = "companyos") -> Rollout:
    return replace(found, name=name, namespace=namespace)


ALL = (
    named(rollout(phase="Healthy", message="", stable=CANARY, step_index=6), "cart", "shop"),
    named(waiting(70), "search"),
    named(waiting(60 * 30, image="companyos-api:v2.0.0-rc.1"), "a-rather-long-name-of-a-service"),
    named(rollout(phase="Degraded", aborted_at=NOW - MINUTE * 3), "billing", "shop"),
    named(rollout(status={"duration": {"rolloutStartedAt": "2026-03-02T12:01:21Z"}}), "api"),
    named(rollout(paused=True, phase="Paused", message="manually paused"), "held"),
)


def rows() -> list[Listed]:
    return longest_waiting_first(listed(Snapshot(r, whole=False), NOW, Place()) for r in ALL)


def test_those_that_wait_come_first_the_longest_on_top() -> None:
    names = [r.rollout for r in rows()]
    assert names == ["a-rather-long-name-of-a-service", "search", "held", "api", "billing", "cart"]


SIZES = {"80": Facts(80), "60-ascii": Facts(60, unicode=False), "40": Facts(40)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("namespaces", [True, False])
def test_the_table(size: str, namespaces: bool, same_as_file: Callable[[str, str], None]) -> None:
    lines = [text(line) for line in screen(rows(), SIZES[size], namespaces=namespaces)]
    same_as_file(f"list-{size}{'-all' if namespaces else ''}", "\n".join(lines))
    assert size == "40" or all(len(line) <= SIZES[size].width for line in lines)


def test_a_pipe_gets_a_record_a_line(same_as_file: Callable[[str, str], None]) -> None:
    same_as_file("list-pipe", "\n".join(map(plain, rows())))
