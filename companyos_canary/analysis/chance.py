"""Draws from the distributions that counts of requests follow, from a `random.Random` of the caller.

Few are counted one by one; many are drawn by transformed rejection (Hörmann 1993, PTRS and BTRS),
so that a draw costs the same however much traffic there is.
"""

import math
from collections.abc import Sequence
from random import Random

_FEW = 10.0


def poisson(random: Random, mean: float) -> int:
    """How many requests come where `mean` are expected."""
    if mean < _FEW:
        found, product, end = 0, random.random(), math.exp(-mean)
        while product > end:
            found += 1
            product *= random.random()
        return found
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse, squeeze = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = random.random() - 0.5, 1 - random.random()
        edge = 0.5 - abs(u)
        if edge <= 0:
            continue
        k = math.floor((2 * a / edge + b) * u + mean + 0.43)
        if edge >= 0.07 and v <= squeeze:
            return k
        if k < 0 or (edge < 0.013 and v > edge):
            continue
        if math.log(v * inverse / (a / edge**2 + b)) <= k * math.log(mean) - mean - math.lgamma(k + 1):
            return k


def binomial(random: Random, n: int, p: float) -> int:
    """How many of `n` requests meet something that happens to a share `p` of them."""
    if n <= 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    if p > 0.5:
        return n - binomial(random, n, 1 - p)
    if n * p < _FEW:
        found, at, scale = 0, 0, math.log1p(-p)
        while True:
            gap = math.log(1 - random.random()) / scale
            if at + gap >= n:
                return found
            at += math.floor(gap) + 1
            found += 1
    return _many(random, n, p)


def _many(random: Random, n: int, p: float) -> int:
    spread = math.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    squeeze, alpha = 0.92 - 4.2 / b, (2.83 + 5.1 / b) * spread
    odds, mode = math.log(p / (1 - p)), math.floor((n + 1) * p)
    height = math.lgamma(mode + 1) + math.lgamma(n - mode + 1)
    while True:
        u, v = random.random() - 0.5, 1 - random.random()
        edge = 0.5 - abs(u)
        if edge <= 0:
            continue
        k = math.floor((2 * a / edge + b) * u + n * p + 0.5)
        if not 0 <= k <= n:
            continue
        if edge >= 0.07 and v <= squeeze:
            return k
        bound = height - math.lgamma(k + 1) - math.lgamma(n - k + 1) + (k - mode) * odds
        if math.log(v * alpha / (a / edge**2 + b)) <= bound:
            return k


def clumped(random: Random, n: int, p: float, size: int) -> int:
    """As `binomial`, of events that come `size` at a time."""
    return min(n, size * binomial(random, n, p / size)) if size > 1 else binomial(random, n, p)


def spread(random: Random, n: int, shares: Sequence[float]) -> list[int]:
    """How many of `n` fall into each class; the shares add up to 1."""
    found, left = [], 1.0
    for share in shares[:-1]:
        here = binomial(random, n, min(share / left, 1.0)) if left > 0 else 0
        found.append(here)
        n -= here
        left -= share
    return [*found, n]
