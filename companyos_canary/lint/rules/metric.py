"""Whether a metric of an AnalysisTemplate judges anything."""

from collections.abc import Iterator

from companyos_canary.lint.finding import Found, rule
from companyos_canary.lint.metric import Metric

_JUDGED_BY_CONDITIONS = (
    "prometheus",
    "datadog",
    "newRelic",
    "wavefront",
    "cloudWatch",
    "graphite",
    "influxdb",
    "skywalking",
)


@rule("no-condition", "error")
def no_condition(metric: Metric) -> Iterator[Found]:
    """A metric without a condition always passes.

    Without successCondition and failureCondition every answer is a success, whatever its value is; only
    a query that fails is not. (The documentation of Argo Rollouts says Inconclusive; the controller does not do that.)
    """
    if metric.provider in _JUDGED_BY_CONDITIONS and not (metric.success or metric.failure):
        yield Found(
            metric.path,
            f"metric `{metric.name}` has neither a successCondition nor a failureCondition, so every answer passes",
            "add a successCondition, e.g. `result[0] < 0.05`",
        )


RULES = (no_condition,)
