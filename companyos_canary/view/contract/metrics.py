"""The forms of `metrics`: now, over time, and how it is asked."""

from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from companyos_canary.argo.limits import Operator, Unit
from companyos_canary.argo.metric_rows import Verdict as MetricVerdict
from companyos_canary.view.contract.answers import Place
from companyos_canary.view.contract.parts import At, Percent, RunPhase

Word = Annotated[
    str,
    Meta(
        extra_json_schema={
            "enum": [
                "ok",
                "failing",
                "no limit",
                "error",
                "not asked",
                "no data",
                "NaN",
                "too few requests",
                "several series",
            ]
        }
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


class Now(Place):
    revision: int
    at: At
    prometheus: Asked
    traffic: Traffic
    metrics: list[MetricNow]
    notes: list[str]


class Point(TypedDict):
    at: At
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

    at: At
    metrics: list[Course]


class Query(Place):
    """`metrics --query`; `link` is empty where no address is known, `stable_query` where there is
    no such question."""

    metric: str
    query: str
    stable_query: str
    link: str
