"""A release before it happens, as facts that are printed."""

from dataclasses import dataclass
from datetime import timedelta

from companyos_canary.model.row import OfAll


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """`share` is the percentage that `pods` make of the weight. It lasts from `starts_after_seconds` to
    `ends_after_seconds`, or up to `at_most_after_seconds` while it waits for requests. Each of `looks`
    measurements has about so many `requests` of the canary in its `window_seconds`. 0 looks without an
    analysis. `waits_for_a_person`: a pause without an end comes after it."""

    number: int
    weight: int
    share: float
    pods: int | None
    starts_after_seconds: timedelta
    ends_after_seconds: timedelta
    at_most_after_seconds: timedelta
    looks: int
    window_seconds: timedelta
    requests: float
    waits_for_a_person: bool
    percent: OfAll


@dataclass(frozen=True, slots=True)
class Chance:
    """What comes of a version with `times` the errors of the stable one: shares of `releases`, and after which
    time the middle one of those that were rolled back, or that went through, ended."""

    times: float
    releases: int
    rolled_back: float
    held: float
    promoted: float
    stopped_after_seconds: timedelta | None
    promoted_after_seconds: timedelta | None


@dataclass(frozen=True, slots=True)
class Warned:
    """`code` is stable, the sentence is not."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class PlanRow:
    """`errors` is a share of 1, and they come `burst` at a time; `given`: rate and errors are those of the command
    line, else `prometheus` counted them. `chances`: of versions that are as good as the stable one (`times` 1), and of
    worse ones. `left_out`: metrics of the user's own, which are not simulated. `seed` and the numbers of `releases`
    give the same answer again."""

    rollout: str
    namespace: str
    version: str
    requests_per_second: float
    errors: float
    burst: int
    given: bool
    prometheus: str
    steps: tuple[PlannedStep, ...]
    chances: tuple[Chance, ...]
    warnings: tuple[Warned, ...]
    left_out: tuple[str, ...]
    seed: int
