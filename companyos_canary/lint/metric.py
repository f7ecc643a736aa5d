"""A metric of a template as rules look at it."""

from collections.abc import Iterator
from dataclasses import dataclass

from companyos_canary.lint.objects import Case, Json
from companyos_canary.lint.paths import Path


@dataclass(frozen=True, eq=False)
class Metric:
    """The metric at `path` of an AnalysisTemplate or ClusterAnalysisTemplate."""

    template: Case
    path: Path
    raw: Json

    @property
    def name(self) -> str:
        return str(self.raw.get("name") or "")

    @property
    def provider(self) -> str:
        """The name of its provider; empty unless it has exactly one."""
        found = [name for name, value in (self.raw.get("provider") or {}).items() if value is not None]
        return found[0] if len(found) == 1 else ""

    @property
    def success(self) -> str:
        return self.raw.get("successCondition") or ""

    @property
    def failure(self) -> str:
        return self.raw.get("failureCondition") or ""


def metrics_of(template: Case) -> Iterator[Metric]:
    for index, raw in enumerate(template.object.spec.get("metrics") or ()):
        yield Metric(template, ("spec", "metrics", index), raw)
