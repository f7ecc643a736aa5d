"""What the verbs say: the `data` of their envelopes."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NotRequired, TypedDict, get_args

from companyos_canary.argo.advice import SequentialRow
from companyos_canary.argo.history import Became
from companyos_canary.argo.limits import Operator, Unit
from companyos_canary.argo.metric_rows import Verdict as MetricVerdict
from companyos_canary.argo.progress import Activity
from companyos_canary.argo.rows import Measured
from companyos_canary.errors import ExitCode
from companyos_canary.lint.finding import Severity
from companyos_canary.model.outcome import Cause, EndKind
from companyos_canary.model.row import Images, Percent, Phase, RunPhase, Says
from companyos_canary.model.workload import Event

Code = Annotated[int, Says(words=tuple(int(code) for code in ExitCode))]
Object = Annotated[dict[str, Any], Says(description="an object of Kubernetes")]
Outcome = Annotated[str, Says(words=tuple(word.replace(" ", "-") for word in get_args(Became)))]


class Problem(TypedDict):
    """`code` is stable, the sentences are not."""

    code: str
    message: str
    hint: str


class Place(TypedDict):
    rollout: str
    namespace: str
    context: str


class Unobserved(TypedDict):
    """It was changed, but no controller has acted on it."""

    rollout: str
    namespace: str
    observed: Literal[False]


class Sent(Place):
    """What was done, and what the Rollout shows now. `sent` is false where there was nothing to
    do, `observed` is true once the effect was seen. `put_back` is the stable version that `abort`
    put back in place of one that the controller had not seen, else null."""

    sent: bool
    observed: bool
    phase: Phase
    message: str
    step_index: int | None
    notes: list[str]
    put_back: str | None


class Request(TypedDict):
    """A request of a dry run. `body` is a patch: a list of operations, or an object."""

    method: str
    path: str
    content_type: str
    body: Any


class DryRun(Place):
    """Nothing was sent."""

    dry_run: Literal[True]
    requests: list[Request]


class OneOf(Place):
    """What the verb says of one of several Rollouts: the keys of its answer for one alone, unless it failed."""

    exit_code: Code
    errors: list[Problem]
    sent: NotRequired[bool]
    observed: NotRequired[bool]
    phase: NotRequired[Phase]
    message: NotRequired[str]
    step_index: NotRequired[int | None]
    notes: NotRequired[list[str]]
    put_back: NotRequired[str | None]
    dry_run: NotRequired[bool]
    requests: NotRequired[list[Request]]


class Several(TypedDict):
    """A verb with several names or `--selector`, in the order of the names."""

    namespace: str
    context: str
    rollouts: list[OneOf]


class UndoDryRun(DryRun):
    """`diff` is that of the pod template, in lines."""

    diff: list[str]


class Climbed(Place):
    """`promote --to-weight`: `promotes` counts the pauses that were ended."""

    verdict: EndKind
    weight: Percent
    promotes: int


class AppliedObject(TypedDict):
    kind: str
    name: str
    change: str


class Applied(TypedDict):
    """`phase` and `message` are null where nothing was waited for; `starts_canary` has a sentence
    for each change that starts one, `from_next_version` for each that counts from the next one."""

    applied: bool
    namespace: str
    context: str
    first: bool
    objects: list[AppliedObject]
    starts_canary: list[str]
    from_next_version: list[str]
    phase: Phase | None
    message: str | None


Leaf = TypedDict("Leaf", {"path": str, "from": Any, "to": Any})
Leaf.__doc__ = "One value that differs; null where a side does not have it."


class Different(TypedDict):
    """`change` is `created`, `configured` or `unchanged`."""

    kind: str
    name: str
    change: str
    fields: list[Leaf]


class Reference(TypedDict):
    """A ConfigMap or Secret that the pods of one side alone refer to."""

    kind: str
    name: str
    side: Literal["stable", "canary"]


class Differences(Place):
    """The live objects beside the rendered ones, or the pod template of stable beside that of the canary."""

    between: Literal["live and rendered", "stable and canary"]
    differs: bool
    objects: list[Different]
    references: list[Reference]


class Listed(TypedDict):
    """`step` of `steps` counts weights; `waits_for_a_person`: nothing moves until one acts."""

    rollout: str
    namespace: str
    phase: Phase
    message: str
    activity: Activity
    waits_for_a_person: bool
    since: datetime | None
    for_seconds: timedelta | None
    version: str
    step: int | None
    steps: int
    weight: Percent
    revision: int
    aborted: bool


class Finding(TypedDict):
    """What lint found. `path` is the field in the object of that kind and name; these three are empty for what is no
    object. `hint` may be empty."""

    rule: str
    severity: Severity
    file: str
    line: int
    kind: str
    name: str
    path: str
    message: str
    hint: str


class Unreadable(TypedDict):
    """A file that could not be read, or only up to this line."""

    file: str
    line: int
    message: str


class Linted(TypedDict):
    """`files` and `objects` count what was read, `ignored` the findings that a comment leaves out."""

    files: int
    objects: int
    severities: Annotated[dict[str, int], Says(description="findings by severity: error, warning, note")]
    ignored: int
    findings: list[Finding]
    unreadable: list[Unreadable]


class Evidence(TypedDict):
    """One field as it was read: `object` is `Kind/name`, or `Prometheus`."""

    object: str
    field: Annotated[str, Says(description="a path such as `status.conditions[0].message`, or a query")]
    value: str | int | float | bool


class Why(Place):
    """`cause` is stable and has a section in docs/causes.md; `fine` is true where nothing needs to be done, or only a
    decision. `notes`: what could not be seen."""

    cause: str
    fine: bool
    sentence: str
    evidence: Annotated[list[Evidence], Says(most=5)]
    next: Annotated[str, Says(description="a command line")]
    notes: list[str]


class Rollouts(TypedDict):
    """`namespace` is empty for all of them."""

    namespace: str
    context: str
    rollouts: list[Listed]


class Counts(TypedDict):
    count: int
    successful: int
    failed: int
    inconclusive: int
    error: int


class JudgedMetric(TypedDict):
    name: str
    phase: RunPhase
    verdict: MetricVerdict
    value: float | None
    unit: Unit
    operator: Operator | Literal[""]
    limit: float | None
    counts: Counts
    planned: int
    success_condition: str
    failure_condition: str
    interval: str
    failure_limit: str
    dry_run: bool
    message: str
    address: str
    query: Annotated[str, Says(description="as it was asked")]
    sequential: SequentialRow | None
    measurements: list[Measured]


class JudgedRun(TypedDict):
    """`step` as the screens say it: `2/3`, `background`."""

    name: str
    revision: int
    hash: str
    step: str
    step_index: int | None
    phase: RunPhase
    message: str
    started_at: datetime | None
    completed_at: datetime | None
    metrics: list[JudgedMetric]


class Analyses(Place):
    revision: int
    runs: list[JudgedRun]
    notes: list[str]


class Undone(TypedDict):
    """An undo left this revision."""

    at: datetime | None
    by: str
    reason: str


class EarlierRevision(TypedDict):
    """How the same ReplicaSet ended under a lower number. `at`, `by` and `reason` are those of the
    undo where `undone`, else those of the abort."""

    revision: int
    outcome: Outcome
    at: datetime | None
    by: str
    reason: str
    undone: bool


class JudgedSequentially(TypedDict):
    """The sequential verdict on a metric, from the runs that are kept."""

    metric: str
    sequential: SequentialRow


class Action(TypedDict):
    """What someone did with a revision, as far as the Event of it is kept."""

    verb: str
    by: str
    host: str
    reason: str
    at: datetime | None


class Revision(TypedDict):
    """`waited_seconds` (for a person) is part of `took_seconds`."""

    revision: int
    version: str
    images: Images
    hash: str
    replicaset: str
    outcome: Outcome
    current: bool
    at: datetime | None
    created_at: datetime | None
    by: str
    reason: str
    took_seconds: timedelta | None
    waited_seconds: timedelta
    weight: Percent | None
    cause: Cause | None
    undone: Undone | None
    earlier: list[EarlierRevision]
    sequential: list[JudgedSequentially]
    actions: list[Action]


class Revisions(Place):
    revisions: list[Revision]
    notes: list[str]


Diff = TypedDict("Diff", {"rollout": str, "namespace": str, "context": str, "from": int, "to": int, "diff": list[str]})
Diff.__doc__ = "`history --diff`: two revisions, and what is different in their pods, in lines."


class Events(Place):
    events: list[Event]
    notes: list[str]


class LogLine(TypedDict):
    """`at` has the nanoseconds of the server."""

    at: str
    pod: str
    role: str
    container: str
    line: str


class Logs(Place):
    lines: list[LogLine]
    notes: list[str]


# The forms of `metrics`: now, over time, and how it is asked.
Word = Annotated[
    str,
    Says(
        words=(
            "ok",
            "failing",
            "no limit",
            "error",
            "not asked",
            "no data",
            "NaN",
            "too few requests",
            "several series",
        )
    ),
]


class Asked(TypedDict):
    """Who was asked, and why there is no answer: empty where there is one."""

    address: str
    through_api_server: bool
    problem: str


class Traffic(TypedDict):
    """The canary's part in percent: asked for, made by the pods, seen by Prometheus."""

    asked: Percent
    pods: Percent | None
    measured: float | None


class OfRun(TypedDict):
    """What the newest AnalysisRun measured; that alone is what counts."""

    run: str
    value: float | None
    verdict: MetricVerdict
    phase: RunPhase
    failed: int
    measured: int
    planned: int


class MetricNow(TypedDict):
    """`stable` is the same question about the stable pods, null where the metric itself `compares`.
    `requests` of `needed` in the metric's window, null where its query does not count them."""

    name: str
    unit: Unit
    operator: Operator | Literal[""]
    limit: float | None
    verdict: Word
    canary: float | None
    stable: float | None
    compares: bool
    requests: float | None
    needed: float | None
    problem: str
    analysis: OfRun | None
    sequential: SequentialRow | None


class Now(Place):
    revision: int
    at: datetime
    prometheus: Asked
    traffic: Traffic
    metrics: list[MetricNow]
    notes: list[str]


class Point(TypedDict):
    at: datetime
    value: float | None


class Course(TypedDict):
    name: str
    unit: Unit
    operator: Operator | Literal[""]
    limit: float | None
    problem: str
    points: list[Point]


class Since(Place):
    """`metrics --since`."""

    at: datetime
    metrics: list[Course]


class Query(Place):
    """`metrics --query`; `link` is empty where no address is known, `stable_query` where there is
    no such question."""

    metric: str
    query: str
    stable_query: str
    link: str
