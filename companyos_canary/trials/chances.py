"""How often a rule stops, holds and ships versions: of each kind so many releases are played."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import median

from companyos_canary.model.plan import Chance
from companyos_canary.trials.release import Outcome, Step, release
from companyos_canary.trials.traffic import Behaviour, Load

_FEW = 40  # as many releases are played before other processes are of use


@dataclass(frozen=True, slots=True)
class Kind:
    """So many releases of versions with `times` the errors of the stable one."""

    times: float
    releases: int


def played(
    steps: Sequence[Step], load: Load, kinds: Sequence[Kind], seed: int, processes: int = 1
) -> Iterator[tuple[Kind, Outcome]]:
    """The releases of all kinds, in their order. The same seed gives the same ones, whoever plays them."""
    wanted = [(kind, n) for kind in kinds for n in range(kind.releases)]
    given = [(load, kind.times, f"{seed} {kind.times:g} {n}") for kind, n in wanted]
    if processes < 2 or len(wanted) <= _FEW:
        found: Iterator[Outcome] = (_one(steps, *one) for one in given)
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

    steps: tuple[Step, ...] = ()

    @classmethod
    def keep(cls, steps: tuple[Step, ...]) -> None:
        cls.steps = steps


def _kept(given: tuple[Load, float, str]) -> Outcome:
    return _one(_Played.steps, *given)


def _one(steps: Sequence[Step], load: Load, times: float, seed: str) -> Outcome:
    errors = min(1.0, load.stable.errors * times)
    return release(steps, replace(load, canary=replace(load.stable, errors=errors)), seed)


def chance(times: float, outcomes: Sequence[Outcome]) -> Chance:
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


def load_of(rate: float, errors: float, *, burst: int = 1, undecided: float = 0.0001) -> Load:
    """Traffic of both versions alike."""
    behaviour = Behaviour(errors, undecided=undecided, clumps=burst)
    return Load(rate, behaviour, behaviour)
