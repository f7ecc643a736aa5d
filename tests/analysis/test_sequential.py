"""The sequential verdict: numbers of other implementations, laws, and its errors when it is read all the time."""

import math
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.analysis.chance import binomial, poisson
from companyos_canary.analysis.sequential import (
    ALPHA,
    Asked,
    Counts,
    Found,
    judge,
    log_evidence,
    log_likelihood,
    trials,
)
from companyos_canary.analysis.windows import Look, disjoint

RATIO = Asked(1.5, compares=True)
SHARE = Asked(0.05, compares=False)

counts = st.tuples(st.integers(0, 60), st.integers(0, 2000), st.integers(0, 200), st.integers(0, 9000)).map(
    lambda c: Counts(c[0], c[0] + c[1], c[2], c[2] + c[3])
)
questions = st.sampled_from([RATIO, SHARE, Asked(1.2, compares=True, burst=3), Asked(0.01, compares=False, metrics=5)])


@pytest.mark.parametrize(
    ("found", "than_equal", "than_limit"),
    [
        (Counts(10, 1000, 90, 9000), 0.1025, 0.0235),
        (Counts(20, 1000, 90, 9000), 7.4135, 0.3391),
        (Counts(30, 1000, 90, 9000), 14246.58, 25.747),
        (Counts(6, 200, 18, 1800), 4.3771, 1.0905),
        (Counts(5, 100, 9, 900), 15.8156, 4.1121),
    ],
)
def test_evidence_is_what_others_compute(found: Counts, than_equal: float, than_limit: float) -> None:
    told = trials([found], RATIO)
    assert math.exp(log_evidence(told, 1)) == pytest.approx(than_equal, rel=1e-4, abs=5e-5)
    assert math.exp(log_evidence(told, 1.5)) == pytest.approx(than_limit, rel=1e-4, abs=5e-5)


@pytest.mark.parametrize(
    ("theta", "own", "others", "p"),
    [
        (0.1, 17, 43, 0.0451918),
        (0.25, 22, 18, 0.0990108),
        (0.5, 30, 10, 0.279465),
        (0.1, 0, 40, 0.505385),
        (0.1, 20, 30, 0.00210271),
    ],
)
def test_the_likelihood_under_a_prior_of_dirichlet_gives_the_numbers_of_savvi(
    theta: float, own: int, others: int, p: float
) -> None:
    # Bad requests of the canary and of stable at odds of theta; its prior has the weight of 100 requests.
    assert 1 / against_a_prior(at(own, own + others, theta), theta, 100) == pytest.approx(p, rel=1e-4)


def against_a_prior(told: Sequence[Any], share: float, weight: float) -> float:
    """The e-value against "the canary has this share of the bad requests" of a prior of Beta around it, which has the
    weight of so many requests; the integral is taken over the fourth root, where it has no pole."""
    a, b = weight * share, weight * (1 - share)
    mixed = total = 0.0
    for n in range(1, 4000):
        root = n / 4000
        other = root**4
        prior = math.exp((a - 1) * math.log(other) + (b - 1) * math.log1p(-other)) * root**3
        ratio = other / (1 - other) * (1 - share) / share
        mixed += prior * math.exp(log_likelihood(told, math.log(ratio)) - log_likelihood(told, 0.0))
        total += prior
    return mixed / total


@pytest.mark.parametrize(
    ("hits", "of", "planned", "ends"),
    [(700, 1000, 100, (0.651629, 0.745949)), (15, 50, 50, (0.129556, 0.511896)), (1, 50, 50, (0.13489,))],
)
def test_a_prior_that_moves_with_the_hypothesis_gives_the_intervals_of_confseq(
    hits: int, of: int, planned: int, ends: tuple[float, ...]
) -> None:
    # Of the prior that is narrowest after `planned` requests; the last digit of the ends is cut off.
    weight = planned / (2 * math.log(20) + math.log(1 + 2 * math.log(20))) - 1
    for end in ends:
        beside = (against_a_prior(at(hits, of, end + d), end + d, weight) for d in (-1e-5, 1e-5))
        inside, outside = sorted(beside)
        assert inside < 20 < outside


def at(hits: int, of: int, share: float) -> Sequence[Any]:
    """So many of the bad requests are the canary's, which has this share of all."""
    return trials([Counts(hits, 1e6 * share, of - hits, 1e6 * (1 - share))], RATIO)


def tails(found: Counts, ratio: float) -> tuple[float, float]:
    """How likely the canary has as many of the bad requests as that or more, and that or fewer, at this ratio."""
    of = round(found.bad + found.stable_bad)
    chances = []
    for hits in range(of + 1):
        told = trials([Counts(hits, found.requests, of - hits, found.stable)], RATIO)
        constant = math.comb(of, hits) * (found.requests / found.stable) ** hits
        chances.append(constant * math.exp(log_likelihood(told, math.log(ratio))))
    assert sum(chances) == pytest.approx(1)
    return sum(chances[round(found.bad) :]), sum(chances[: round(found.bad) + 1])


@pytest.mark.parametrize(
    ("found", "low", "high"), [(Counts(20, 1000, 90, 9000), 1.167, 3.274), (Counts(5, 100, 9, 900), 1.316, 16.613)]
)
def test_the_likelihood_gives_the_interval_of_clopper_and_pearson_and_ours_which_may_be_read_often_is_wider(
    found: Counts, low: float, high: float
) -> None:
    for end, side in ((low, 0), (high, 1)):
        inside, outside = sorted(tails(found, end + d)[side] for d in (-5e-4, 5e-4))
        assert inside < 0.025 < outside
    ours = judge((found,), RATIO)
    assert ours.low is not None
    assert ours.high is not None
    assert 0.5 * low < ours.low < low < high < ours.high < 2 * high


@pytest.mark.parametrize(
    ("weight", "ratio", "errors"),
    [
        (0.10, 1.5, (328, 504)),
        (0.10, 2, (98, 150)),
        (0.10, 3, (32, 50)),
        (0.10, 5, (13, 19)),
        (0.25, 1.5, (173, 265)),
        (0.25, 2, (55, 85)),
        (0.25, 3, (21, 32)),
        (0.25, 5, (10, 15)),
        (0.50, 1.5, (149, 228)),
        (0.50, 2, (53, 81)),
        (0.50, 3, (23, 35)),
        (0.50, 5, (12, 19)),
    ],
)
def test_so_many_errors_tell_a_ratio_from_an_equal_version(
    weight: float, ratio: float, errors: tuple[int, int]
) -> None:
    own = ratio * weight / (ratio * weight + 1 - weight)
    one = trials([Counts(own, weight, 1 - own, 1 - weight)], RATIO)
    each = log_likelihood(one, math.log(ratio)) - log_likelihood(one, 0.0)
    assert [-math.log(alpha) / each for alpha in (0.05, 0.01)] == pytest.approx(errors, abs=0.8)


@pytest.mark.parametrize(
    ("share", "requests"),
    [
        (0.00, (58, 90)),
        (0.01, (121, 186)),
        (0.02, (247, 379)),
        (0.08, (371, 570)),
        (0.10, (145, 223)),
        (0.12, (79, 122)),
        (0.20, (21, 33)),
    ],
)
def test_so_many_requests_tell_a_share_from_a_limit_of_five_percent(share: float, requests: tuple[int, int]) -> None:
    one = trials([Counts(share, 1)], SHARE)
    odds = share / (1 - share) / (0.05 / 0.95)
    each = log_likelihood(one, math.log(odds) if odds else -40.0) - log_likelihood(one, 0.0)
    assert [-math.log(alpha) / each for alpha in (0.05, 0.01)] == pytest.approx(requests, abs=0.8)


@given(st.lists(counts, min_size=1, max_size=5), questions, st.randoms(use_true_random=False))
def test_the_order_of_the_intervals_does_not_matter(found: list[Counts], asked: Asked, random: Random) -> None:
    told, other = list(found), list(found)
    random.shuffle(other)
    a, b = (log_evidence(trials(x, asked), 1.0) for x in (told, other))
    assert a == pytest.approx(b, abs=1e-6)


@given(counts, questions)
def test_one_interval_is_the_same_as_its_parts_at_the_same_weight(found: Counts, asked: Asked) -> None:
    half = Counts(found.bad / 2, found.requests / 2, found.stable_bad / 2, found.stable / 2)
    whole, parts = (log_evidence(trials(x, asked), 1.0) for x in ([found], [half, half]))
    assert whole == pytest.approx(parts, abs=1e-6)


@given(counts, questions)
def test_a_request_of_the_canary_that_turns_bad_speaks_for_worse_and_against_not_worse(
    found: Counts, asked: Asked
) -> None:
    more = Counts(found.bad + 1, found.requests, found.stable_bad, found.stable)
    before, after = (trials([c], asked) for c in (found, more))
    if not before:
        return
    slack = 1e-9 * (1 + abs(log_likelihood(before, 0.0)))
    assert log_evidence(after, 1.0) >= log_evidence(before, 1.0) - slack
    assert log_evidence(after, 1.0, below=True) <= log_evidence(before, 1.0, below=True) + slack


@given(st.lists(counts, max_size=4).map(tuple), questions)
def test_the_interval_is_around_the_estimate_and_within_its_scale(found: tuple[Counts, ...], asked: Asked) -> None:
    seen = judge(found, asked)
    if seen.low is None:
        return
    assert seen.low >= 0
    assert seen.high is None or seen.high >= seen.low
    if not asked.compares:
        assert seen.high is not None
        assert seen.high <= 1
        assert seen.estimate is not None
        assert seen.low <= seen.estimate * (1 + 1e-6) + 1e-9
        assert seen.high >= seen.estimate * (1 - 1e-6) - 1e-9


@given(counts, questions)
def test_needed_requests_are_told_for_what_is_open_alone(found: Counts, asked: Asked) -> None:
    seen = judge((found,), asked)
    assert seen.needed is None or (seen.verdict == "open" and seen.needed > 0)


def test_as_many_more_requests_as_were_told_give_a_verdict() -> None:
    now = Counts(20, 1000, 90, 9000)
    seen = judge((now,), RATIO)
    assert seen.verdict == "open"
    assert seen.needed is not None
    more = 1.02 * (1 + seen.needed / 1000)
    later = Counts(*(more * n for n in (now.bad, now.requests, now.stable_bad, now.stable)))
    assert judge((later,), RATIO).verdict == "worse"


def test_errors_that_come_in_clumps_say_less() -> None:
    found = (Counts(30, 1000, 90, 9000),)
    assert judge(found, RATIO).verdict == "worse"
    assert judge(found, Asked(1.5, compares=True, burst=5)).verdict == "open"


def test_what_is_worse_than_stable_but_below_the_limit_is_not_called_worse() -> None:
    assert judge((Counts(1300, 100_000, 9000, 900_000),), RATIO).verdict == "not-worse"


def test_without_requests_nothing_is_said() -> None:
    assert judge((), RATIO) == Found("open", Counts(), True, 1.5, None, None, None, None)
    assert judge((Counts(3, 100),), RATIO).low is None


def test_no_errors_prove_that_a_limit_holds_after_as_many_requests_as_the_logarithm_says() -> None:
    # ln(1/alpha) / -ln(1 - 5 %) is 90 for one alternative of 0; a mean of sixteen takes more
    verdicts = {n: judge((Counts(0, n),), SHARE).verdict for n in (89, 200)}
    assert verdicts == {89: "open", 200: "not-worse"}


# The looks: a window before each, and overlapping ones.


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 2), min_size=1, max_size=30), st.integers(1, 8), st.integers(1, 40))
def test_overlapping_windows_count_every_request_of_the_canary_once(
    added: list[tuple[int, int]], in_window: int, every: int
) -> None:
    totals = [(0, 0), *accumulate(added, lambda a, b: (a[0] + b[0], a[1] + b[1]))]
    looks = []
    for n in range(1, len(totals)):
        before = totals[max(0, n - in_window)]
        own = (totals[n][0] - before[0], totals[n][1] - before[1])
        looks.append(Look(float(n * every), "one", Counts(own[0], own[0] + own[1], 1, 10)))
    found = sum(disjoint(looks, float(in_window * every), 0.0), Counts())
    assert found.bad == pytest.approx(totals[-1][0])
    assert found.requests == pytest.approx(sum(totals[-1]))


def test_each_part_is_an_interval_of_its_own_and_so_is_each_window() -> None:
    looks = [Look(t, "ab"[t > 200], Counts(1, 10, 9, 90)) for t in range(60, 421, 60)]
    found = disjoint([Look(float(x.at), x.part, x.counts) for x in looks], 60.0, 0.0)
    assert [c.requests for c in found] == [10] * 7
    found = disjoint([Look(float(x.at), x.part, x.counts) for x in looks], 300.0, 0.0)
    assert len(found) == 2


# What it is worth: releases that are looked at all the time.


def at_most(found: Any) -> float:
    """The logarithm of the evidence for the likeliest ratio; that of a mean of ratios above 1 is not more."""
    share, equal = found.hits / found.all if found.all else 0.0, found.odds / (1 + found.odds)
    if share <= equal:
        return 0.0
    rest = (1 - share) * math.log((1 - share) / (1 - equal)) if share < 1 else 0.0
    return float(found.all * (share * math.log(share / equal) + rest))


def ever(asked: Asked, seed: str, looks: int, requests: float, share: float, bad: float, times: float) -> str:
    """The first verdict that is not open, at a look after each of so many intervals."""
    random = Random(seed)
    total = Counts()
    for _ in range(looks):
        n, stable = poisson(random, requests * share), poisson(random, requests * (1 - share))
        total += Counts(binomial(random, n, bad * times), n, binomial(random, stable, bad), stable)
        told = trials([total], asked)
        enough = math.log(asked.metrics / ALPHA)
        if told and at_most(told[0]) >= enough and log_evidence(told, 1.0) >= enough:
            return "worse"
    return judge((total,), asked).verdict


@given(counts, questions)
def test_no_evidence_is_more_than_that_for_the_likeliest_ratio(found: Counts, asked: Asked) -> None:
    for one in trials([found], asked):
        assert log_evidence([one], 1.0) <= at_most(one) + 1e-6


@pytest.mark.parametrize(("asked", "bad"), [(RATIO, 0.01), (SHARE, 0.05)])
@pytest.mark.parametrize("releases", [60, pytest.param(10_000, marks=pytest.mark.soak)])
def test_equal_versions_are_hardly_ever_called_worse_however_often_somebody_looks(
    asked: Asked, bad: float, releases: int
) -> None:
    wrong = sum(ever(asked, f"null {n}", 200, 100, 0.1, bad, 1) == "worse" for n in range(releases)) / releases
    print(f"{wrong:.4f} of {releases} releases of equal versions were ever called worse")
    assert wrong <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / releases)


@pytest.mark.parametrize(("times", "least"), [(2, 0.5), (3, 0.97), (5, 1.0)])
def test_a_worse_version_is_called_worse(times: float, least: float) -> None:
    found = [ever(RATIO, f"worse {n}", 60, 600, 0.1, 0.01, times) for n in range(40)]
    assert found.count("worse") / len(found) >= least
