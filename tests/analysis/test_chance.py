"""Draws have the mean and the spread of their distribution, and stay within its bounds."""

import math
from collections.abc import Callable
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.analysis.chance import binomial, clumped, poisson, spread
from companyos_canary.analysis.evidence import clumps

DRAWS = 4000


def mean_and_variance(draw: Callable[[Random], int]) -> tuple[float, float]:
    random = Random(7)
    found = [draw(random) for _ in range(DRAWS)]
    mean = sum(found) / DRAWS
    return mean, sum((x - mean) ** 2 for x in found) / (DRAWS - 1)


def close(variance: float, wanted: float) -> bool:
    return abs(variance / wanted - 1) < 6 * math.sqrt(2 / DRAWS) + 1 / math.sqrt(DRAWS * wanted)


@pytest.mark.parametrize("mean", [0.2, 3, 9.9, 10.1, 40, 5000])
def test_requests_come_as_poisson_says(mean: float) -> None:
    found, variance = mean_and_variance(lambda random: poisson(random, mean))
    assert abs(found - mean) < 4 * math.sqrt(mean / DRAWS)
    assert close(variance, mean)


@pytest.mark.parametrize(("n", "p"), [(10, 0.5), (300, 0.01), (2000, 0.004), (2000, 0.05), (5000, 0.95), (90, 0.3)])
def test_errors_come_as_the_binomial_says(n: int, p: float) -> None:
    found, variance = mean_and_variance(lambda random: binomial(random, n, p))
    assert abs(found - n * p) < 4 * math.sqrt(n * p * (1 - p) / DRAWS)
    assert close(variance, n * p * (1 - p))


def test_clumps_have_the_same_mean_and_more_spread() -> None:
    found, variance = mean_and_variance(lambda random: clumped(random, 5000, 0.01, 5))
    assert found == pytest.approx(50, abs=1)
    assert variance == pytest.approx(250, rel=0.15)


@given(st.integers(0, 10**6), st.floats(0, 1), st.integers(1, 50), st.integers(0, 99))
def test_never_more_happen_than_there_are_requests(n: int, p: float, size: int, seed: int) -> None:
    random = Random(seed)
    assert 0 <= binomial(random, n, p) <= n
    assert 0 <= clumped(random, n, p, size) <= n


@given(st.integers(0, 10**5), st.lists(st.floats(0, 1), min_size=1, max_size=8), st.integers(0, 99))
def test_every_request_falls_into_one_class(n: int, weights: list[float], seed: int) -> None:
    total = sum(weights) or 1.0
    found = spread(Random(seed), n, [w / total for w in weights])
    assert sum(found) == n
    assert min(found) >= 0
    assert len(found) == len(weights)


@pytest.mark.parametrize("size", [1, 3, 5, 10])
def test_how_many_errors_come_at_a_time_is_seen_in_how_far_they_spread(size: int) -> None:
    random = Random(size)
    found = []
    for _ in range(40):
        drawn = [poisson(random, 1500) for _ in range(9 * 12)]
        found.append(clumps([(clumped(random, n, 0.01, size), n) for n in drawn]) or 0)
    assert fmean(found) == pytest.approx(size, rel=0.1)


def test_independent_errors_are_hardly_ever_taken_for_clumps() -> None:
    random = Random(1)
    found = [clumps([(binomial(random, 1500, 0.01), 1500.0) for _ in range(108)]) for _ in range(200)]
    assert found.count(1.0) >= 195


@pytest.mark.parametrize("cells", [[], [(30, 100)] * 9, [(1, 100)] * 15, [(0, 0)] * 50, [(100, 100)] * 20])
def test_too_few_errors_do_not_tell_whether_they_come_in_clumps(cells: list[tuple[float, float]]) -> None:
    assert clumps(cells) is None
