"""Releases under drawn traffic: how often the rule is wrong, and what it stops."""

import math
from random import Random

import pytest

from companyos_canary.promql import Vector, evaluate
from companyos_canary.trials import Behaviour, Counters, Load, release
from tests import verdicts
from tests.verdicts import ERRORS, RATES, played, stopped


def most(share: float, releases: int) -> float:
    """So many of `releases`, and two standard errors."""
    return share + 2 * math.sqrt(share * (1 - share) / releases)


def test_counters_count_what_is_drawn() -> None:
    counters = Counters(Load(100, canary=Behaviour(0.1), scrape=5), Random(1), lambda at: 0.2 if at >= 0 else 0.0, 60)
    counters.until(300)

    def ask(text: str) -> float:
        value = evaluate(text, 300, counters.select)
        assert isinstance(value, Vector)
        (sample,) = value.samples
        return sample.value

    requests = 'sum(rate(companyos_http_requests_total{canary="%s"}[200s]))'
    errors = 'sum(rate(companyos_http_requests_total{canary="%s",status="500"}[200s]))'
    assert ask(requests % "true") == pytest.approx(20, rel=0.05)
    assert ask(requests % "false") == pytest.approx(80, rel=0.03)
    assert ask(f"{errors % 'true'} / {requests % 'true'}") == pytest.approx(0.1, abs=0.02)
    assert ask(f"{errors % 'false'} / {requests % 'false'}") == pytest.approx(0.01, abs=0.003)
    p95 = "histogram_quantile(0.95, sum by (le) (rate(companyos_http_request_duration_seconds_bucket[200s])))"
    assert ask(p95) == pytest.approx(0.183, abs=0.01)


def test_a_seed_gives_the_same_release_again() -> None:
    once, again = (played("evidence", 20, 0.01, "7", 3) for _ in range(2))
    assert once == again
    assert once.kind == "rolled-back"
    assert once.metric == "error-ratio"


@pytest.mark.parametrize("rate", RATES)
def test_good_releases_go_through_and_from_ten_requests_a_second_without_a_person(rate: float) -> None:
    """Few of them; `make soak` plays 500 in each cell."""
    found = [played("evidence", rate, errors, f"null {rate} {errors} {n}").kind for errors in ERRORS for n in range(6)]
    assert found.count("rolled-back") / len(found) <= most(0.02, len(found))
    assert found.count("held") == (0 if rate >= 10 else len(found))


def test_what_is_much_worse_is_stopped_where_errors_are_rare_too() -> None:
    assert stopped((200, 0.001, 3, 12)) == 1
    assert stopped((20, 0.01, 5, 12)) == 1


POWER = {
    (20, 0.001, 2): 0.09,
    (20, 0.001, 3): 0.24,
    (20, 0.001, 5): 0.71,
    (20, 0.01, 2): 0.76,
    (20, 0.01, 3): 1,
    (20, 0.01, 5): 1,
    (20, 0.02, 2): 0.98,
    (20, 0.02, 3): 1,
    (20, 0.02, 5): 1,
    (50, 0.005, 2): 0.88,
    (50, 0.005, 3): 1,
    (50, 0.005, 5): 1,
    (50, 0.01, 2): 0.99,
    (50, 0.01, 3): 1,
    (50, 0.01, 5): 1,
    (200, 0.001, 2): 0.78,
    (200, 0.001, 3): 0.997,
    (200, 0.001, 5): 1,
    (200, 0.01, 2): 1,
    (200, 0.01, 3): 1,
    (200, 0.01, 5): 1,
}
"""What the rule was measured to stop when it was designed: requests a second, errors, times as many."""


@pytest.mark.soak
def test_no_cell_rolls_back_or_holds_too_many_good_releases_and_the_page_says_how_many() -> None:
    releases, seed, lines = 500, 4, []
    for found in verdicts.grid(releases, seed):
        print(found, flush=True)
        lines.append(found)
    verdicts.write("verdicts", verdicts.table(lines, releases, seed))
    cells = [line.split() for line in lines if line.startswith("evidence ")]
    assert len(cells) == len(RATES) * len(ERRORS)
    assert not [c for c in cells if float(c[3]) / 100 > most(0.02, releases)]
    assert not [c for c in cells if float(c[1]) >= 10 and float(c[4]) / 100 > 0.02]


@pytest.mark.soak
def test_what_is_worse_is_stopped_as_often_as_was_measured() -> None:
    releases, found = 300, {}
    for cell, share in zip(POWER, verdicts.power(list(POWER), releases), strict=True):
        print(*cell, f"{100 * share:.1f}", flush=True)
        found[cell] = share
    verdicts.write("power", verdicts.power_table(found, releases))
    enough = {c: s - 2 * math.sqrt(max(s * (1 - s), 0.002) / releases) for c, s in POWER.items()}
    assert not {cell: share for cell, share in found.items() if share < enough[cell]}


def test_a_version_that_starts_cold_is_rolled_back_unless_its_first_minute_is_left_out() -> None:
    cold = Load(20, Behaviour(0.01), Behaviour(0.01), cold=Behaviour(0.1))
    kinds = {
        more: [release(verdicts.steps("evidence", more), cold, f"cold {n}").kind for n in range(8)]
        for more in ("", ", warmup: 1m")
    }
    assert kinds[""].count("rolled-back") >= 6
    assert kinds[", warmup: 1m"].count("promoted") >= 7


@pytest.mark.soak
def test_clumps_of_errors_roll_back_good_releases_unless_they_are_known() -> None:
    releases = 400

    def wrong(more: str) -> float:
        steps = verdicts.steps("evidence", more)
        load = Load(50, Behaviour(clumps=5), Behaviour(clumps=5))
        kinds = [verdicts.release(steps, load, f"clumps {n}").kind for n in range(releases)]
        return kinds.count("rolled-back") / releases

    assert wrong("") > 0.1
    assert wrong(", burst: 5") <= most(0.025, releases)
