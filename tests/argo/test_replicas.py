"""Replica arithmetic: upstream's table, recorded sequences, and laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.argo.replicas import Limits, Pods, PodTarget, advance, limits, reached, scale_down_others, target

WEIGHTS = (1, 5, 10, 20, 25, 33, 50, 60, 75, 80, 90, 95, 99, 100)
TABLE = {
    (1, 0): "0/1 0/1 0/1 0/1 0/1 0/1 1/0 1/0 1/0 1/0 1/0 1/0 1/0 1/0",
    (1, 1): "1/1 1/1 1/1 1/1 1/1 1/1 1/1 1/1 1/1 1/1 1/1 1/1 1/1 1/0",
    (2, 0): "1/1 1/1 1/1 1/1 1/1 1/1 1/1 1/1 0/2 1/1 1/1 1/1 1/1 2/0",
    (3, 1): "1/3 1/3 1/3 1/3 1/3 1/2 2/2 2/1 3/1 3/1 3/1 3/1 3/1 3/0",
    (4, 1): "1/4 1/4 1/4 1/4 1/3 2/3 2/2 3/2 3/1 4/1 4/1 4/1 4/1 4/0",
    (5, 0): "1/4 1/4 1/4 1/4 1/4 2/3 3/2 3/2 4/1 4/1 0/5 4/1 4/1 5/0",
    (5, 2): "1/5 1/5 1/5 1/4 1/4 2/4 3/3 3/2 4/1 4/1 5/1 5/1 5/1 5/0",
    (10, 0): "1/9 1/9 1/9 2/8 3/7 3/7 5/5 6/4 8/2 8/2 9/1 0/10 9/1 10/0",
    (10, 3): "1/10 1/10 1/9 2/8 3/8 3/7 5/5 6/4 8/3 8/2 9/1 10/1 10/1 10/0",
}
RECORDED = [
    (10, 3, 10, "1/9"),
    (10, 3, 25, "3/8"),
    (10, 3, 50, "5/5"),
    (5, 2, 10, "1/5"),
    (5, 2, 40, "2/3"),
    (3, 1, 20, "1/3"),
    (3, 1, 80, "3/1"),
    (7, 1, 15, "1/6"),
    (7, 1, 80, "6/2"),
    (8, 2, 20, "2/7"),
    (5, 2, 0, "0/5"),
    (0, 1, 50, "0/0"),
]
ROWS = [(n, s, w, text) for (n, s), row in TABLE.items() for w, text in zip(WEIGHTS, row.split(), strict=True)]


@pytest.mark.parametrize(("replicas", "surge", "weight", "split"), ROWS + RECORDED)
def test_the_target_is_the_nearest_split(replicas: int, surge: int, weight: int, split: str) -> None:
    found = target(replicas, weight, surge)
    assert f"{found.canary}/{found.stable}" == split


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "resolved"),
    [
        (5, None, None, Limits(2, 1)),
        (5, "25%", "25%", Limits(2, 1)),
        (4, None, None, Limits(1, 1)),
        (1, None, None, Limits(1, 0)),
        (10, 1, 0, Limits(1, 0)),
        (10, "1", "1", Limits(1, 0)),
        (10, 0, 0, Limits(0, 1)),
        (10, "0%", "0%", Limits(0, 1)),
        (5, 0, "100%", Limits(0, 5)),
    ],
)
def test_limits_round_surge_up_and_unavailable_down(
    replicas: int, surge: object, unavailable: object, resolved: Limits
) -> None:
    assert limits(replicas, surge, unavailable) == resolved


def play(
    replicas: int, weight: int, given_limits: Limits, canary: Pods, stable: Pods
) -> tuple[list[PodTarget], Pods, Pods]:
    """Runs passes until nothing moves. One ReplicaSet is scaled a pass, stable first; when
    neither can be, all pods become available: then an `A` (the same Target twice)."""
    seen = [PodTarget(canary.desired, stable.desired)]
    for _ in range(200):
        want = advance(replicas, weight, given_limits, canary, stable)
        if want.stable != stable.desired:
            kept = min(stable.available, want.stable)
            stable = Pods(want.stable, want.stable, kept)
        elif want.canary != canary.desired:
            canary = Pods(want.canary, want.canary, min(canary.available, want.canary))
        elif (canary.available, stable.available) != (canary.desired, stable.desired):
            canary = Pods(canary.desired, canary.desired, canary.desired)
            stable = Pods(stable.desired, stable.desired, stable.desired)
            continue
        else:
            return seen, canary, stable
        seen.append(PodTarget(canary.desired, stable.desired))
    raise AssertionError("it never comes to rest")


def up(count: int) -> Pods:
    return Pods(count, count, count)


@pytest.mark.parametrize(
    ("replicas", "weight", "allowed", "canary", "stable", "sequence"),
    [
        (5, 20, Limits(2, 1), up(0), up(5), "0/5 0/4 1/4"),
        (5, 40, Limits(2, 1), up(1), up(4), "1/4 1/3 2/3"),
        (5, 100, Limits(2, 1), up(2), up(3), "2/3 2/2 5/2 5/0"),
        (4, 10, Limits(1, 1), up(0), up(4), "0/4 1/4"),
        (1, 50, Limits(1, 0), up(0), up(1), "0/1 1/1"),
        (1, 100, Limits(1, 0), up(1), up(1), "1/1 1/0"),
        (3, 50, Limits(1, 0), up(0), up(3), "0/3 1/3 1/2 2/2"),
        (2, 50, Limits(0, 1), up(0), up(2), "0/2 0/1 1/1"),
        (5, 60, Limits(2, 1), up(1), up(4), "1/4 1/3 3/3 3/2"),
        (5, 100, Limits(2, 1), up(3), up(2), "3/2 3/1 5/1 5/0"),
        (10, 50, Limits(1, 0), up(1), up(10), "1/10 1/9 2/9 2/8 3/8 3/7 4/7 4/6 5/6 5/5"),
        (5, 0, Limits(2, 1), up(3), up(2), "3/2 3/4 2/4 2/5 0/5"),
        (5, 0, Limits(1, 0), up(3), up(2), "3/2 3/3 2/3 2/4 1/4 1/5 0/5"),
        (5, 0, Limits(2, 1), Pods(1, 1, 0), up(4), "1/4 1/5 0/5"),
        (1, 0, Limits(1, 0), Pods(1, 1, 0), up(1), "1/1 0/1"),
    ],
)
def test_scaling_goes_the_recorded_way(
    replicas: int, weight: int, allowed: Limits, canary: Pods, stable: Pods, sequence: str
) -> None:
    seen, _, _ = play(replicas, weight, allowed, canary, stable)
    assert " ".join(f"{t.canary}/{t.stable}" for t in seen) == sequence


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((10, 30, Limits(3, 0), up(0), up(10)), PodTarget(3, 10)),
        ((10, 30, Limits(0, 5), up(0), up(10)), PodTarget(0, 7)),
        ((4, 0, Limits(1, 0), up(4), up(0)), PodTarget(4, 1)),
        ((4, 0, Limits(1, 0), up(4), Pods(1, 1, 0)), PodTarget(4, 1)),
        ((4, 0, Limits(1, 0), up(4), up(1)), PodTarget(3, 1)),
        ((5, 20, Limits(2, 1), up(0), None), PodTarget(5, 0)),
    ],
)
def test_one_step_follows_upstreams_examples(args: tuple[object, ...], expected: PodTarget) -> None:
    assert advance(*args) == expected  # type: ignore[arg-type]


def test_nothing_else_is_scaled_down_while_a_third_version_has_pods() -> None:
    assert advance(5, 20, Limits(2, 1), up(0), up(5), others=2) == PodTarget(0, 5)
    assert advance(5, 20, Limits(2, 1), up(0), up(2), others=3) == PodTarget(0, 4)


def test_a_broken_stable_version_does_not_hold_up_a_canary() -> None:
    want = advance(5, 20, Limits(2, 1), up(0), Pods(5, 5, 3))
    assert want == PodTarget(1, 4)


def test_other_versions_lose_unready_pods_first_then_as_many_as_may_be_missing() -> None:
    assert scale_down_others((Pods(3, 3, 1),), all_available=5, least=4) == (1,)
    assert scale_down_others((up(3),), all_available=5, least=4) == (2,)
    assert scale_down_others((up(1), up(3)), all_available=7, least=4) == (0, 1)
    assert scale_down_others((up(3),), all_available=4, least=4) == (3,)


def test_a_weight_is_reached_when_the_canary_is_available_and_stable_has_gone() -> None:
    at = PodTarget(1, 4)
    assert reached(at, up(1), Pods(4, 4, 3), 0)
    assert not reached(at, Pods(1, 1, 0), up(4), 0)
    assert not reached(at, up(1), Pods(4, 5, 5), 0)
    assert not reached(at, up(1), up(4), others_available=1)


sizes = st.integers(0, 12)
pods = st.builds(lambda d, a: Pods(d, d, min(d, a)), sizes, sizes)
allowed = st.builds(lambda s, u: Limits(s, u if s or u else 1), st.integers(0, 5), st.integers(0, 5))


@given(sizes, st.integers(0, 100), allowed, pods, pods)
def test_no_step_asks_for_more_than_wanted_and_surge(
    replicas: int, weight: int, given_limits: Limits, canary: Pods, stable: Pods
) -> None:
    want = advance(replicas, weight, given_limits, canary, stable)
    most = max(replicas + given_limits.surge, canary.desired + stable.desired)
    assert want.canary + want.stable <= most
    assert want.canary >= 0
    assert want.stable >= 0


@given(sizes, st.integers(0, 100), allowed, sizes, sizes)
def test_scaling_down_leaves_enough_available(
    replicas: int, weight: int, given_limits: Limits, canary: int, stable: int
) -> None:
    want = advance(replicas, weight, given_limits, up(canary), up(stable))
    left = min(want.canary, canary) + min(want.stable, stable)
    if want.canary < canary or want.stable < stable:
        assert left >= replicas - given_limits.unavailable


@given(sizes, st.integers(0, 100), allowed)
def test_scaling_always_comes_to_rest_at_the_target(replicas: int, weight: int, given_limits: Limits) -> None:
    _, canary, stable = play(replicas, weight, given_limits, up(0), up(replicas))
    goal = target(replicas, weight, given_limits.surge)
    assert (canary.desired, stable.desired) == (goal.canary, goal.stable)
    assert reached(goal, canary, stable, 0)


@given(sizes, st.integers(0, 100), st.integers(0, 5))
def test_a_target_keeps_all_replicas_and_at_most_one_more(replicas: int, weight: int, surge: int) -> None:
    goal = target(replicas, weight, surge)
    assert replicas <= goal.canary + goal.stable <= replicas + (1 if surge and replicas else 0)
