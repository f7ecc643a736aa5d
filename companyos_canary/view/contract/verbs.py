"""Which verb says what: the forms of its `data`, and of the events where it writes lines."""

from dataclasses import dataclass, field
from typing import Annotated, Any, NotRequired, TypedDict

from companyos_canary.argo.events import Measurement, Transition
from companyos_canary.argo.rows import SnapshotRow, VerdictRow
from companyos_canary.model.row import Says
from companyos_canary.model.workload import Event
from companyos_canary.view.contract.answers import (
    Analyses,
    Applied,
    Climbed,
    Code,
    Diff,
    Differences,
    DryRun,
    Events,
    Linted,
    LogLine,
    Logs,
    Now,
    Object,
    Problem,
    Query,
    Revisions,
    Rollouts,
    Sent,
    Several,
    Since,
    UndoDryRun,
    Unobserved,
    Why,
)

__all__ = ["VERBS", "Code", "Output", "Problem"]


class Failure(TypedDict):
    """The last line where it ended without a verdict."""

    exit_code: Code
    errors: Annotated[list[Problem], Says(least=1)]


class Links(TypedDict):
    rollout: str
    links: Annotated[dict[str, str], Says(description="address by name, as in canary.yaml")]


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
    exit_codes: Annotated[dict[str, Code], Says(description="by command")]


class Nothing(TypedDict):
    """Its end says nothing more than its exit code."""


class Script(TypedDict):
    shell: str
    script: str


class Schema(TypedDict):
    schema: Annotated[dict[str, Any], Says(description="a JSON Schema")]


@dataclass(frozen=True, slots=True)
class Output:
    """`data`: what it may be in the envelope. `lines`: the events by name, where there are lines
    (for `watch` always, else with `--follow` or `--watch`). `partial`: there may be data and an
    error."""

    data: tuple[Any, ...]
    lines: dict[str, Any] = field(default_factory=dict)
    partial: bool = False


_CHANGE = (Sent, DryRun)
_FOLLOWED = (VerdictRow, Unobserved)
VERBS: dict[str, Output] = {
    "deploy": Output((*_FOLLOWED, *_CHANGE)),
    "promote": Output((*_CHANGE, *_FOLLOWED, Climbed)),
    "abort": Output((*_CHANGE, Several)),
    "undo": Output((*_FOLLOWED, Sent, UndoDryRun)),
    "retry": Output((*_CHANGE, Several)),
    "pause": Output((*_CHANGE, Several)),
    "resume": Output((*_CHANGE, Several)),
    "restart": Output(_CHANGE),
    "watch": Output(
        _FOLLOWED,
        {
            "snapshot": SnapshotRow,
            "transition": Transition,
            "measurement": Measurement,
            "verdict": VerdictRow,
            "error": Failure,
        },
    ),
    "status": Output((SnapshotRow, *_FOLLOWED)),
    "get": Output((SnapshotRow,)),
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
