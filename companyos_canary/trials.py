"""Releases that are played: drawn traffic, each judged by its own templates from its first step to its end, and how
often they end well."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.analysis.answer import Samples
from companyos_canary.analysis.arguments import resolve_metric
from companyos_canary.analysis.chance import binomial, clumped, poisson, spread
from companyos_canary.analysis.evidence import BUCKETS, DECISIONS, REQUESTS
from companyos_canary.analysis.judge import Taken, conclude, plan
from companyos_canary.analysis.measurement import Measured, assessed
from companyos_canary.model.outcome import Chance
from companyos_canary.model.row import COMPLETED
from companyos_canary.promql import Matcher, Scalar, Series, Value, Vector, by_labels, evaluate

BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.2", "0.3", "0.5", "1", "2")
HEALTHY = (0.02, 0.08, 0.3, 0.58, 0.8, 0.98, 0.995, 0.999, 1.0, 1.0)


class Behaviour(Struct, frozen=True):
    """Shares of 1: requests that fail, `clumps` at a time, and decisions that are not made; and the
    shares of the requests that are faster than each boundary."""

    errors: float = 0.01
    undecided: float = 0.0001
    faster: tuple[float, ...] = HEALTHY
    clumps: int = 1

    @property
    def shares(self) -> list[float]:
        """Of the requests, those between two boundaries."""
        return [b - a for a, b in zip((0.0, *self.faster), (*self.faster, 1.0), strict=True)]


class Load(Struct, frozen=True):
    """`rate` in requests a second, scraped every `scrape` seconds; `bounds` of the histogram. `cold`: how the canary is
    in its first minute (None: as later)."""

    rate: float
    stable: Behaviour = Behaviour()
    canary: Behaviour = Behaviour()
    bounds: tuple[str, ...] = BOUNDS
    scrape: float = 15.0
    cold: Behaviour | None = None


_FIRST_MINUTE = 60.0  # seconds


class Counters:
    """Drawn from `random` scrape by scrape, as far as `until` is called. `weight` says which share of
    the requests the canary has at a time, in seconds since it was first ready; before that, it has
    no series."""

    def __init__(self, load: Load, random: Random, weight: Callable[[float], float], before: float) -> None:
        self._load = load
        self._random = random
        self._weight = weight
        self._at = -before - random.random() * load.scrape
        self._sides = (_Side("false", load, load.stable), _Side("true", load, load.canary, load.cold))

    def until(self, moment: float) -> None:
        """Scrapes up to and including that moment."""
        scrape = self._load.scrape
        while self._at + scrape <= moment:
            start, self._at = self._at, self._at + scrape
            share = self._weight(self._at)
            stable, canary = self._sides
            stable.serve(self._random, self._load.rate * (1 - share) * scrape, self._at)
            if self._at >= 0:
                own = min(self._at - max(start, 0.0), scrape) if start < 0 else scrape
                canary.serve(self._random, self._load.rate * share * own, self._at)

    def select(self, matchers: Sequence[Matcher], start: float, end: float) -> list[Series]:
        """The series that all matchers accept: the evaluator's `Select`."""
        found = (found for side in self._sides for found in side.select(matchers, start, end))
        return sorted(found, key=by_labels)


class _Side:
    def __init__(self, canary: str, load: Load, behaviour: Behaviour, cold: Behaviour | None = None) -> None:
        self._usual, self._cold = (behaviour, behaviour.shares), (cold, cold.shares) if cold else None
        self._times: list[float] = []
        own = {"canary": canary, "rollouts_pod_template_hash": canary}
        names: list[Mapping[str, str]] = [{"__name__": REQUESTS, "status": s, **own} for s in ("200", "500")]
        names += [{"__name__": DECISIONS, "result": r, **own} for r in ("success", "error")]
        names += [{"__name__": BUCKETS, "le": le, **own} for le in (*load.bounds, "+Inf")]
        self._series = [(labels, [0.0]) for labels in names]
        self._found: dict[int, tuple[Sequence[Matcher], list[tuple[Mapping[str, str], list[float]]]]] = {}

    def serve(self, random: Random, expected: float, at: float) -> None:
        """One scrape at that time, after so many expected requests."""
        how, shares = self._cold if self._cold and at <= _FIRST_MINUTE else self._usual
        if not self._times:
            self._times.append(at - 1e-3 if expected else at)
        count = poisson(random, expected)
        failed = clumped(random, count, how.errors, how.clumps)
        undecided = binomial(random, count, how.undecided)
        added = [count - failed, failed, count - undecided, undecided]
        total = 0
        for here in spread(random, count, shares):
            total += here
            added.append(total)
        self._times.append(at)
        for (_, values), more in zip(self._series, added, strict=True):
            values.append(values[-1] + more)

    def select(self, matchers: Sequence[Matcher], start: float, end: float) -> list[Series]:
        known = self._found.get(id(matchers))  # kept, so that no others get its identity
        if known is None:
            known = matchers, [s for s in self._series if all(m.accepts(s[0]) for m in matchers)]
            self._found[id(matchers)] = known
        first, last = bisect_left(self._times, start), bisect_right(self._times, end)
        times = self._times[first:last]
        return (
            [Series(labels, tuple(zip(times, values[first:last], strict=True))) for labels, values in known[1]]
            if times
            else []
        )


START = datetime(2026, 1, 1, tzinfo=UTC)
_HISTORY = 300.0  # seconds in which only the stable version has served
_READY = 1.0  # seconds from the first traffic at a weight to its analysis


class PlayedStep(Struct, frozen=True):
    """A weight in percent, then an AnalysisRun of that spec (None: none), then a pause in seconds. `share` of the
    requests is what pods make of the weight; None: the weight itself."""

    weight: float
    spec: Mapping[str, Any] | None
    pause: float = 0.0
    share: float | None = None


class PlayedRelease(Struct, frozen=True):
    """How a release ended, at which step (from 0), after how many seconds, and by which metric."""

    kind: Literal["promoted", "rolled-back", "held"]
    step: int
    seconds: float
    metric: str = ""


def resolved(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A template's spec with the defaults of its arguments put in."""
    args = spec.get("args") or []
    return {"metrics": [resolve_metric(m, args) for m in spec["metrics"]]}


_KINDS: Mapping[str, Literal["rolled-back", "held"]] = {"Inconclusive": "held"}


def release(steps: Sequence[PlayedStep], load: Load, seed: int | str) -> PlayedRelease:
    """Plays one. Times are those of the controller: whole seconds, an interval after a measurement."""
    share = 0.0
    counters = Counters(load, Random(seed), lambda _: share, _HISTORY)
    clock = 0.0
    for index, step in enumerate(steps):
        counters.until(clock)
        share = step.weight / 100 if step.share is None else step.share
        if step.spec is not None:
            clock += _READY
            run: dict[str, Any] = {"spec": step.spec}
            while (phase := (run.get("status") or {}).get("phase")) not in COMPLETED:
                clock = _look(run, counters, clock)
            if phase != "Successful":
                ended = next(r["name"] for r in run["status"]["metricResults"] if r["phase"] == phase)
                return PlayedRelease(_KINDS.get(phase, "rolled-back"), index, clock, ended)
        clock += step.pause
    return PlayedRelease("promoted", len(steps), clock)


def _look(run: dict[str, Any], counters: Counters, clock: float) -> float:
    """Takes what is due and writes the status; when to look again."""
    now = START + timedelta(seconds=clock)
    found = plan(run, now, lambda *_: "")
    counters.until(clock)
    known: dict[str, Value] = {}
    taken = {m["name"]: Taken(_measured(m, counters, clock, now, known), now, now) for m in found.due}
    verdict = conclude(run, found, taken, now)
    run["status"] = verdict.status
    if verdict.wake_at is None:
        return clock
    return max((verdict.wake_at - START).total_seconds(), clock)


def _measured(
    metric: Mapping[str, Any], counters: Counters, clock: float, now: datetime, known: dict[str, Value]
) -> Measured:
    value = evaluate(metric["provider"]["prometheus"]["query"], clock, counters.select, known)
    if isinstance(value, Scalar):
        return assessed(metric, Samples(value.value), now)
    assert isinstance(value, Vector)
    return assessed(metric, Samples(tuple(s.value for s in value.samples)), now)


_FEW = 40  # as many releases are played before other processes are of use


class ReleaseKind(Struct, frozen=True):
    """So many releases of versions with `times` the errors of the stable one."""

    times: float
    releases: int


def played(
    steps: Sequence[PlayedStep], load: Load, kinds: Sequence[ReleaseKind], seed: int, processes: int = 1
) -> Iterator[tuple[ReleaseKind, PlayedRelease]]:
    """The releases of all kinds, in their order. The same seed gives the same ones, whoever plays them."""
    wanted = [(kind, n) for kind in kinds for n in range(kind.releases)]
    given = [(load, kind.times, f"{seed} {kind.times:g} {n}") for kind, n in wanted]
    if processes < 2 or len(wanted) <= _FEW:
        found: Iterator[PlayedRelease] = (_one(steps, *one) for one in given)
        yield from zip((kind for kind, _ in wanted), found, strict=True)
        return
    with ProcessPoolExecutor(processes, initializer=_Played.keep, initargs=(tuple(steps),)) as pool:
        try:
            answers = pool.map(_kept, given, chunksize=5)
            yield from zip((kind for kind, _ in wanted), answers, strict=True)
        except BaseException:  # Ctrl-C: what is not begun is not played
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Played:
    """The steps, sent to a process once."""

    steps: tuple[PlayedStep, ...] = ()

    @classmethod
    def keep(cls, steps: tuple[PlayedStep, ...]) -> None:
        cls.steps = steps


def _kept(given: tuple[Load, float, str]) -> PlayedRelease:
    return _one(_Played.steps, *given)


def _one(steps: Sequence[PlayedStep], load: Load, times: float, seed: str) -> PlayedRelease:
    errors = min(1.0, load.stable.errors * times)
    return release(steps, replace(load, canary=replace(load.stable, errors=errors)), seed)


def chance(times: float, outcomes: Sequence[PlayedRelease]) -> Chance:
    """Of one kind."""
    count = len(outcomes)

    def share(kind: str) -> float:
        return sum(o.kind == kind for o in outcomes) / count

    def middle(kind: str) -> timedelta | None:
        seconds = [o.seconds for o in outcomes if o.kind == kind]
        return timedelta(seconds=round(median(seconds))) if seconds else None

    return Chance(
        times=times,
        releases=count,
        rolled_back=share("rolled-back"),
        held=share("held"),
        promoted=share("promoted"),
        stopped_after_seconds=middle("rolled-back"),
        promoted_after_seconds=middle("promoted"),
    )


def load_of(rate: float, errors: float, burst: int) -> Load:
    """Traffic of both versions alike."""
    behaviour = Behaviour(errors, clumps=burst)
    return Load(rate, behaviour, behaviour)
