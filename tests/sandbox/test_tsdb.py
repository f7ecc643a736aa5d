"""The series store: what it keeps, for how long, and what it drops."""

import threading

from companyos_canary.promql import STALE, Matcher, Vector, evaluate
from companyos_canary.sandbox.tsdb import Tsdb

UP = {"__name__": "up", "job": "api"}
ANY = [Matcher("__name__", "=", "up")]


def values(tsdb: Tsdb, text: str, at: float) -> list[float]:
    found = evaluate(text, at, tsdb.select)
    assert isinstance(found, Vector)
    return [s.value for s in found.samples]


def test_samples_come_back_in_order_and_only_from_the_range_asked_for() -> None:
    tsdb = Tsdb()
    for at in range(10):
        tsdb.append(UP, at, at * 2.0)
    (series,) = tsdb.select(ANY, 3, 5)
    assert series.labels == UP
    assert series.samples == [(3.0, 6.0), (4.0, 8.0), (5.0, 10.0)]


def test_a_sample_that_is_not_newer_is_dropped() -> None:
    tsdb = Tsdb()
    tsdb.append(UP, 5, 1.0)
    tsdb.append(UP, 5, 2.0)
    tsdb.append(UP, 4, 3.0)
    assert tsdb.select(ANY, 0, 10)[0].samples == [(5.0, 1.0)]


def test_a_marked_series_ends_for_instant_queries_but_not_for_the_range_before() -> None:
    tsdb = Tsdb()
    tsdb.append(UP, 1, 1.0)
    tsdb.append(UP, 2, 2.0)
    assert values(tsdb, "up", 3) == [2.0]
    tsdb.append(UP, 3, STALE)
    assert values(tsdb, "up", 3) == []
    assert values(tsdb, "count_over_time(up[5s])", 3) == [2.0]
    assert tsdb.select(ANY, 0, 9)[0].samples[-1][1] is STALE
    tsdb.append(UP, 4, 7.0)
    assert values(tsdb, "up", 4) == [7.0]


def test_old_samples_and_then_whole_series_are_forgotten() -> None:
    tsdb = Tsdb(retention=100)
    tsdb.append(UP, 0, 1.0)
    tsdb.append(UP, 1, STALE)
    other = {"__name__": "other"}
    for at in range(0, 400, 10):
        tsdb.append(other, at, 1.0)
    assert tsdb.select(ANY, 0, 1000) == []
    (kept,) = tsdb.select([Matcher("__name__", "=", "other")], 0, 1000)
    assert kept.samples[0][0] >= 390 - 100 - 60
    assert len(kept.samples) < 20


def test_labels_without_a_value_are_as_good_as_absent() -> None:
    tsdb = Tsdb()
    tsdb.append({**UP, "canary": ""}, 1, 1.0)
    tsdb.append(UP, 2, 2.0)
    (series,) = tsdb.select(ANY, 0, 9)
    assert series.labels == UP
    assert len(series.samples) == 2
    assert values(tsdb, 'up{canary!="true"}', 2) == [2.0]
    assert values(tsdb, 'up{canary=""}', 2) == [2.0]


def test_times_are_kept_to_the_millisecond() -> None:
    tsdb = Tsdb()
    tsdb.append(UP, 1700000000.12345, 1.0)
    assert tsdb.select(ANY, 0, 2e9)[0].samples == [(1700000000.123, 1.0)]


def test_reading_while_others_write_sees_whole_samples() -> None:
    tsdb = Tsdb(retention=50)
    failures: list[BaseException] = []

    def write(pod: int) -> None:
        try:
            for at in range(2000):
                tsdb.append({**UP, "pod": str(pod)}, at, float(at))
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(pod,)) for pod in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        for series in tsdb.select(ANY, 0, 2000):
            assert all(at == value for at, value in series.samples)
    assert not failures
    assert len(tsdb.series(ANY, 0, 2000)) == 3
