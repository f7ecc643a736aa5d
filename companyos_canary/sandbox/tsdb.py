"""The samples of the sandbox's Prometheus, in memory."""

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from companyos_canary.promql import STALE, Matcher, Series, by_labels

NAME = "__name__"
#: How often old series are looked for, in seconds of the samples' own time.
_SWEEP = 60.0
#: Selectors whose series are remembered. A query of ours has some dozens, and asks again and again.
_SELECTORS = 256


class Target(Struct, frozen=True):
    """What is scraped: its labels, where, and how the last scrape went."""

    labels: Mapping[str, str]
    url: str
    pool: str
    last_scrape: datetime
    interval: float
    health: Literal["up", "down"] = "up"


class _Entry(Struct):
    """One series; `place` is that among others. Times and values are packed (16 bytes a sample); staleness markers,
    which are few, are the times in `stale`."""

    labels: dict[str, str]
    place: list[tuple[str, str]]
    times: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    stale: list[float] = field(default_factory=list)
    last: float = float("-inf")

    def between(self, start: float, end: float) -> list[tuple[float, float]]:
        first, last = bisect_left(self.times, start), bisect_right(self.times, end)
        found = list(zip(self.times[first:last], self.values[first:last], strict=True))
        for at in self.stale[bisect_left(self.stale, start) : bisect_right(self.stale, end)]:
            found[bisect_left(self.times, at) - first] = (at, STALE)
        return found

    def forget_before(self, moment: float) -> None:
        cut = bisect_left(self.times, moment)
        del self.times[:cut], self.values[:cut], self.stale[: bisect_left(self.stale, moment)]


Identity = frozenset[tuple[str, str]]
"""The labels of a series."""


class Row(Struct, frozen=True):
    """One series, for the samples of many scrapes."""

    identity: Identity
    labels: dict[str, str]


class Tsdb:
    """Series by their labels. Times are Unix seconds, kept to the millisecond as Prometheus does;
    samples older than `retention` seconds are forgotten. Every method may be called from any
    thread; what is done in one `transaction` others see as a whole or not at all. `version` grows
    whenever samples come."""

    def __init__(self, retention: float = 7200.0) -> None:
        self._retention = retention
        self._entries: dict[Identity, _Entry] = {}
        self._named: dict[str, dict[Identity, _Entry]] = {}
        self._selected: dict[tuple[Matcher, ...], list[_Entry]] = {}
        self._swept = float("-inf")
        self.version = 0
        self._lock = threading.RLock()

    def transaction(self) -> AbstractContextManager[object]:
        """For a scrape, and for a query: it never sees half of a scrape."""
        return self._lock

    def append(self, labels: Mapping[str, str], at: float, value: float) -> None:
        """Adds a sample; one that is not newer than the series' last is dropped, as Prometheus
        does. Labels without a value are as good as absent. With STALE the series ends: from then on an
        instant query no longer finds it."""
        self.scraped((self.row(labels),), at, (value,))

    def row(self, labels: Mapping[str, str]) -> Row:
        """The series of these labels, whether it has samples or not."""
        kept = {name: text for name, text in labels.items() if text}
        return Row(frozenset(kept.items()), kept)

    def scraped(self, rows: Iterable[Row], at: float, values: Iterable[float]) -> None:
        """As `append`, for a sample of each row: most of what a sandbox writes comes this way."""
        at = round(at, 3)
        with self._lock:
            self.version += 1
            known = self._entries
            for row, value in zip(rows, values, strict=True):
                entry = known.get(row.identity) or self._begun(row)
                if at <= entry.last:
                    continue
                entry.last = at
                entry.times.append(at)
                entry.values.append(value)
                if value is STALE:
                    entry.stale.append(at)
            if at >= self._swept + _SWEEP:
                self._sweep(at)

    def _begun(self, row: Row) -> _Entry:
        entry = self._entries[row.identity] = _Entry(row.labels, by_labels(row))
        self._named.setdefault(row.labels.get(NAME, ""), {})[row.identity] = entry
        self._selected.clear()
        return entry

    def select(self, matchers: Sequence[Matcher], start: float, end: float) -> list[Series]:
        """Series that every matcher accepts, with their samples in [start, end]; those without
        any are left out. This is the evaluator's `Select`."""
        with self._lock:
            left = [e for e in self._matching(matchers) if e.last >= start]  # most are those of pods that are gone
            return [Series(e.labels, samples) for e in left if (samples := e.between(start, end))]

    def series(self, matchers: Sequence[Matcher], start: float, end: float) -> list[Mapping[str, str]]:
        """The label sets of `select`."""
        return [found.labels for found in self.select(matchers, start, end)]

    def _matching(self, matchers: Sequence[Matcher]) -> Iterable[_Entry]:
        """In the order of their labels; remembered until a series comes or goes."""
        asked = tuple(matchers)
        found = self._selected.get(asked)
        if found is None:
            if len(self._selected) >= _SELECTORS:
                self._selected.clear()
            found = self._selected[asked] = sorted(self._search(matchers), key=lambda e: e.place)
        return found

    def _search(self, matchers: Sequence[Matcher]) -> Iterable[_Entry]:
        """What is equal to a text that is not empty is found in the keys."""
        same = {(m.name, m.value) for m in matchers if m.op == "=" and m.value}
        others = [m for m in matchers if m.op != "=" or not m.value]
        name = next((value for label, value in same if label == NAME), None)
        found = self._entries if name is None else self._named.get(name, {})
        return (e for key, e in found.items() if same <= key and all(m.accepts(e.labels) for m in others))

    def _sweep(self, now: float) -> None:
        self._swept = now
        for identity, entry in list(self._entries.items()):
            entry.forget_before(now - self._retention)
            if not entry.times:
                del self._entries[identity], self._named[entry.labels.get(NAME, "")][identity]
                self._selected.clear()
