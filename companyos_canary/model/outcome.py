"""How a release ended or is expected to, as facts that are printed."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal

from msgspec import Struct

from companyos_canary.errors import ExitCode
from companyos_canary.model.quantity import percent_of
from companyos_canary.model.row import INSIDE, OfAll, RunPhase, Says
from companyos_canary.model.snapshot import Snapshot

EndKind = Literal[
    "healthy",  # the version that was asked for is stable
    "reached",  # the state named by --until was reached
    "rolled-back",  # aborted: traffic is, or is going, back to stable
    "degraded",  # Degraded without an abort: deadline, invalid spec
    "paused",  # waits for a person, no one is there to wait
    "superseded",  # another version took its place
    "reverted",  # Healthy, but on the old version: someone put its image back
    "timeout",
    "interrupted",
]


_ABORTED = (
    r"Rollout aborted update to revision \d+(: )?((Step-based|Background|"
    r"Blue/green (pre|post)-promotion) analysis phase "
    r"error/failed: )?"
)
_PREFIXES = ("RolloutAborted: ", "ProgressDeadlineExceeded: ", "InvalidSpec: ")


def plain_message(message: str) -> str:
    """The controller's own words without what every headline says already; empty where they give no reason
    (messages: recorded)."""
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    aborted = re.match(_ABORTED, message)
    return (message[aborted.end() :] if aborted else message).strip().removesuffix(".")


class FailedMetric(Struct, frozen=True):
    """A metric that ended a run: a good value is `operator limit`."""

    # `value` has six digits. `few`: how many requests there were where that was too few, `52 of 100 requests in 5m`.

    run: str
    metric: str
    phase: RunPhase
    value: float | None
    operator: str
    limit: float | None
    failed: int
    measured: int
    message: str
    few: Annotated[str, INSIDE] = ""


class PodProblem(Struct, frozen=True):
    pod: str
    reason: str
    message: str
    restarts: int


class Cause(Struct, frozen=True):
    """Why it ended badly or does not move; `message` is the controller's own."""

    # `by_hand`: it is recorded that a person aborted it; without a record no one knows, as the controller writes the
    # same after a deadline.

    message: str
    metrics: tuple[FailedMetric, ...] = ()
    pods: tuple[PodProblem, ...] = ()
    by_hand: Annotated[bool, INSIDE] = False

    @property
    def pods_by_reason(self) -> tuple[PodProblem, ...]:
        """One pod for each reason: ten pods with the same image problem are one problem."""
        return tuple({p.reason: p for p in reversed(self.pods)}.values())[::-1]


MOST_EVIDENCE = 5


class Evidence(Struct, frozen=True):
    """One field as it was read: `object` is `Kind/name`, or `Prometheus`."""

    object: str
    field: Annotated[str, Says("a path such as `status.conditions[0].message`, or a query")]
    value: str | int | float | bool


class Diagnosis(Struct, frozen=True):
    """What `canary why` says. `cause` is stable and has a section in docs/causes.md; `fine` is true where nothing needs
    to be done, or only a decision."""

    # Neither text has a full stop. `because` is the part of the sentence that every other voice repeats: without the
    # version and its outcome, which they word themselves. `of_pods`: the cause is a problem of one of its pods.

    cause: str
    fine: bool
    sentence: str
    evidence: Annotated[tuple[Evidence, ...], Says(most=MOST_EVIDENCE)]
    next: Annotated[str, Says("a command line")]
    because: Annotated[str, INSIDE]
    of_pods: Annotated[bool, INSIDE] = False


class AbortReason(Struct, frozen=True, kw_only=True):
    """The condition of `--abort-on` that was met, and the fact that shows it."""

    condition: str
    evidence: str


class Ending(Struct, frozen=True):
    """The end of a `deploy` or `watch`. `image` is the one that was followed, `hash` its pod
    template hash, `stable_image` the one that serves now, `weight` the canary's (of `max_weight`) and
    `step` the index of the step it had come to; `share` is what its pods made of that weight, in
    percent (None if they do not make it). `wanted` is the weight of `--until weight=N`.
    `abort_on`: why `--abort-on` aborted it. `troubled`: what was seen when its pods did not start; they are
    gone once it is rolled back. `why` is what `canary why` would say now, None where nothing is wrong. `warnings`: why
    its metrics may have judged others, too."""

    kind: EndKind
    exit_code: ExitCode
    snapshot: Snapshot
    image: str
    stable_image: str
    weight: int | None
    step: int | None
    cause: Cause | None
    started_at: datetime
    at: datetime
    share: int | None = None
    wanted: float | None = None
    abort_on: AbortReason | None = None
    max_weight: int = 100
    troubled: Snapshot | None = None
    why: Diagnosis | None = None
    warnings: tuple["Warned", ...] = ()

    @property
    def percent(self) -> float | None:
        """`weight` in percent of all traffic."""
        return None if self.weight is None else percent_of(self.weight, self.max_weight)


class PlannedStep(Struct, frozen=True):
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


class Chance(Struct, frozen=True):
    """What comes of a version with `times` the errors of the stable one: shares of `releases`, and after which
    time the middle one of those that were rolled back, or that went through, ended."""

    times: float
    releases: int
    rolled_back: float
    held: float
    promoted: float
    stopped_after_seconds: timedelta | None
    promoted_after_seconds: timedelta | None


class Warned(Struct, frozen=True):
    """`code` is stable, the sentence is not."""

    code: str
    message: str


class PlanRow(Struct, frozen=True):
    """`errors` is a share of 1, and they come `burst` at a time; `given`: rate and errors are those of the command
    line, else `prometheus` counted them. Pods are scraped every `scrape_seconds`. `chances`: of versions that are as
    good as the stable one (`times` 1), and of worse ones. `left_out`: metrics of the user's own, which are not
    simulated. `seed` and the numbers of `releases` give the same answer again."""

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
    scrape_seconds: float
