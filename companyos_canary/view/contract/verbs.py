"""Which verb says what: the forms of its `data`, and of the events where it writes lines."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from companyos_canary.argo.limits import Operator
from companyos_canary.argo.metric_rows import Verdict as MetricVerdict
from companyos_canary.errors import ExitCode
from companyos_canary.view.contract.answers import (
    Analyses,
    Applied,
    Climbed,
    Diff,
    Differences,
    DryRun,
    Events,
    Linted,
    LogLine,
    Logs,
    Measured,
    Object,
    Revisions,
    Rollouts,
    Sent,
    UndoDryRun,
    Unobserved,
    Verdict,
    Why,
)
from companyos_canary.view.contract.metrics import Now, Query, Since
from companyos_canary.view.contract.parts import Event, Snapshot

Code = Annotated[int, Meta(extra_json_schema={"enum": [int(code) for code in ExitCode]})]
What = Annotated[
    str,
    Meta(
        extra_json_schema={
            "enum": ["connection", "revision", "phase", "activity", "step", "weight", "canary_ready", "stable_ready"]
        }
    ),
]
Transition = TypedDict("Transition", {"what": What, "from": str | int | None, "to": str | int | None, "message": str})
Transition.__doc__ = (
    "One thing that is not as it was. `connection` is `connected` or `lost`; `phase` and "
    "`activity` are words; the others are numbers, null where there is none: `step` as "
    "`step.number`, `weight` in percent, `canary_ready` and `stable_ready` in pods."
)


class Measurement(Measured):
    """One answer of a metric, told once. A good value is `operator limit`; `limit` is null where
    the conditions name no single one."""

    run: str
    metric: str
    step: Annotated[str, Meta(description="`2/3`, or `background`")]
    step_index: int | None
    operator: Operator | Literal[""]
    limit: float | None
    verdict: MetricVerdict


class Problem(TypedDict):
    """`code` is stable, the sentences are not."""

    code: str
    message: str
    hint: str


class Failure(TypedDict):
    """The last line where it ended without a verdict."""

    exit_code: Code
    errors: Annotated[list[Problem], Meta(min_length=1)]


class Links(TypedDict):
    rollout: str
    links: Annotated[dict[str, str], Meta(description="address by name, as in canary.yaml")]


class Written(TypedDict):
    """Paths; `files` with --from alone."""

    path: str
    files: NotRequired[list[str]]


class Objects(TypedDict):
    objects: list[Object]


class Promise(TypedDict):
    exit: Code
    verdict: str
    metric: str
    deploy: str


class Scenario(TypedDict):
    name: str
    description: str
    promise: Promise


class Scenarios(TypedDict):
    scenarios: list[Scenario]


class Demo(TypedDict):
    exit_codes: Annotated[dict[str, Code], Meta(description="by command")]


class Nothing(TypedDict):
    """Its end says nothing more than its exit code."""


class Script(TypedDict):
    shell: str
    script: str


class Schema(TypedDict):
    schema: Annotated[dict[str, Any], Meta(description="a JSON Schema")]


@dataclass(frozen=True, slots=True)
class Output:
    """`data`: what it may be in the envelope. `lines`: the events by name, where there are lines
    (for `watch` always, else with `--follow` or `--watch`). `partial`: there may be data and an
    error."""

    data: tuple[Any, ...]
    lines: dict[str, Any] = field(default_factory=dict)
    partial: bool = False


_CHANGE = (Sent, DryRun)
_FOLLOWED = (Verdict, Unobserved)
VERBS: dict[str, Output] = {
    "deploy": Output((*_FOLLOWED, *_CHANGE)),
    "promote": Output((*_CHANGE, *_FOLLOWED, Climbed)),
    "abort": Output(_CHANGE),
    "undo": Output((*_FOLLOWED, Sent, UndoDryRun)),
    "retry": Output(_CHANGE),
    "pause": Output(_CHANGE),
    "resume": Output(_CHANGE),
    "restart": Output(_CHANGE),
    "watch": Output(
        _FOLLOWED,
        {
            "snapshot": Snapshot,
            "transition": Transition,
            "measurement": Measurement,
            "verdict": Verdict,
            "error": Failure,
        },
    ),
    "status": Output((Snapshot, *_FOLLOWED)),
    "get": Output((Snapshot,)),
    "list": Output((Rollouts,)),
    "why": Output((Why,)),
    "analysis": Output((Analyses,)),
    "metrics": Output((Now, Since, Query), {"metrics": Now, "error": Failure}, partial=True),
    "logs": Output((Logs,), {"log": LogLine, "error": Failure}),
    "events": Output((Events,), {"event": Event, "error": Failure}),
    "history": Output((Revisions, Diff)),
    "links": Output((Links,)),
    "init": Output((Written,)),
    "render": Output((Objects,)),
    "lint": Output((Linted,), partial=True),
    "diff": Output((Differences,)),
    "apply": Output((Applied,)),
    "completion": Output((Script,)),
    "schema": Output((Schema,)),
    "demo": Output((Demo,)),
    "sandbox": Output((Scenarios, Nothing)),
}
