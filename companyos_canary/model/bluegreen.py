"""The blue-green strategy of a Rollout, and the runs that a Rollout's status names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from companyos_canary.model.quantity import whole


@dataclass(frozen=True, slots=True)
class RunReference:
    """What the Rollout's status says of one of its AnalysisRuns."""

    name: str
    status: str
    message: str

    @classmethod
    def from_object(cls, raw: Mapping[str, Any] | None) -> "RunReference | None":
        if not raw:
            return None
        return cls(raw.get("name", ""), raw.get("status", ""), raw.get("message", ""))


@dataclass(frozen=True, slots=True)
class BlueGreen:
    """The blue-green strategy: two Services, and the hashes that they select now (empty before the
    first switch). `promotes_itself`: a pause ends without anybody; `seconds` is how long it lasts
    then. A run is the newest of its kind."""

    active_service: str
    preview_service: str
    active: str
    preview: str
    promotes_itself: bool
    seconds: int
    pre_run: RunReference | None
    post_run: RunReference | None
    analyses: tuple[str, ...]

    @classmethod
    def from_object(cls, spec: Mapping[str, Any], status: Mapping[str, Any]) -> "BlueGreen":
        seconds = whole(spec.get("autoPromotionSeconds"))
        declared = ("prePromotionAnalysis", "postPromotionAnalysis")
        return cls(
            active_service=spec.get("activeService") or "",
            preview_service=spec.get("previewService") or "",
            active=status.get("activeSelector") or "",
            preview=status.get("previewSelector") or "",
            promotes_itself=spec.get("autoPromotionEnabled") is not False or seconds > 0,
            seconds=seconds,
            pre_run=RunReference.from_object(status.get("prePromotionAnalysisRunStatus")),
            post_run=RunReference.from_object(status.get("postPromotionAnalysisRunStatus")),
            analyses=tuple(name for name in declared if spec.get(name) is not None),
        )

    @property
    def run(self) -> RunReference | None:
        """The run that is not finished; the one before the promotion comes first."""
        unfinished = ("", "Pending", "Running")
        return next(
            (r for r in (self.pre_run, self.post_run) if r and r.status in unfinished), None
        )
