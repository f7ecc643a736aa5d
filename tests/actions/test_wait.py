"""The wait for a Rollout: what is older than what is known says nothing, whatever a resourceVersion looks like."""

from typing import Any

import pytest
from msgspec.structs import replace

from companyos_canary.actions.wait import Time, wait
from companyos_canary.argo.effects import Effect
from companyos_canary.model.rollout import Rollout
from tests.builders import rollout
from tests.clock import Clock


def waited(known: Any, found: Any) -> tuple[Effect, Rollout]:
    """What comes of a look that finds another resourceVersion than the one that is known."""
    first = replace(rollout(), uid="1", resource_version=known)
    second = replace(first, resource_version=found)
    clock = Clock()
    time = Time(clock, clock.forward)  # type: ignore[arg-type]
    ended = wait(lambda: second, lambda _: Effect.SEEN, first, time=time, patience=None, known=False)
    return ended.effect, ended.seen


@pytest.mark.parametrize(
    ("known", "found"),
    [("7", "8"), ("7", "7"), ("a", "b"), ("", "8"), ("9" * 5000, "1"), ("1", "9" * 5000), ("²", "1"), (7, None)],
)
def test_a_read_that_is_not_known_to_be_older_is_believed(known: Any, found: Any) -> None:
    effect, seen = waited(known, found)
    assert (effect, seen.resource_version) == (Effect.SEEN, found)


def test_a_read_that_stays_older_ends_the_wait_unseen() -> None:
    effect, seen = waited("8", "7")
    assert (effect, seen.resource_version) == (Effect.PENDING, "8")
