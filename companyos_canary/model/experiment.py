"""An Experiment: ReplicaSets that run side by side for a while, and the AnalysisRuns that compare them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from companyos_canary.errors import words
from companyos_canary.model.quantity import parse_duration, parse_time
from companyos_canary.model.row import COMPLETED
from companyos_canary.model.sourced import Sourced


class ExperimentTemplate(Struct, frozen=True):
    """One of its ReplicaSets. `desired` is what the spec asks for, the other counts are from the status."""

    name: str
    desired: int
    status: str
    message: str
    ready: int
    available: int


class ExperimentAnalysis(Struct, frozen=True):
    """One of its analyses. `run` is the name of the AnalysisRun, empty until there is one. `required`: the
    Experiment ends once it has succeeded."""

    name: str
    run: str
    phase: str
    message: str
    required: bool


class Experiment(Sourced, frozen=True):
    """`owner` is the Rollout that made it, empty for one made by hand. It runs for `duration` from `available_at` on;
    None: until its analyses end."""

    name: str
    namespace: str
    uid: str
    owner: str
    created_at: datetime | None
    phase: str
    message: str
    available_at: datetime | None
    duration: timedelta | None
    terminating: bool
    templates: tuple[ExperimentTemplate, ...]
    analyses: tuple[ExperimentAnalysis, ...]
    raw: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_object(cls, raw: Mapping[str, Any]) -> "Experiment":
        meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
        templates = {t.get("name", ""): t for t in status.get("templateStatuses") or []}
        runs = {r.get("name", ""): r for r in status.get("analysisRuns") or []}
        return cls(
            name=meta["name"],
            namespace=meta.get("namespace", ""),
            uid=meta.get("uid", ""),
            owner=rollout_of(raw),
            created_at=parse_time(meta.get("creationTimestamp")),
            phase=status.get("phase", ""),
            message=words(status.get("message", "")),
            available_at=parse_time(status.get("availableAt")),
            duration=duration_of(spec),
            terminating=bool(spec.get("terminate")),
            templates=tuple(
                _template(t, templates.get(t.get("name", ""), {})) for t in _named(spec, "templates", templates)
            ),
            analyses=tuple(_analysis(a, runs.get(a.get("name", ""), {})) for a in _named(spec, "analyses", runs)),
            raw=raw,
        )

    @property
    def is_finished(self) -> bool:
        return self.phase in COMPLETED

    @property
    def ends_at(self) -> datetime | None:
        """None while its pods are not available, and where nothing says how long it runs."""
        return self.available_at + self.duration if self.available_at and self.duration is not None else None


def rollout_of(raw: Mapping[str, Any]) -> str:
    """The name of the Rollout that owns an object; empty if none does."""
    owners = raw["metadata"].get("ownerReferences") or []
    return next((str(o.get("name", "")) for o in owners if o.get("kind") == "Rollout"), "")


def duration_of(spec: Mapping[str, Any]) -> timedelta | None:
    """How long an experiment is written to last; None where its analyses end it."""
    try:
        return parse_duration(str(spec["duration"])) if spec.get("duration") else None
    except ValueError:
        return None


def _named(spec: Mapping[str, Any], field: str, states: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the spec asks for, and what has a status and is no longer asked for."""
    asked: list[Mapping[str, Any]] = spec.get(field) or []
    names = {one.get("name", "") for one in asked}
    return [*asked, *({"name": n, "replicas": s.get("replicas", 0)} for n, s in states.items() if n not in names)]


def _template(spec: Mapping[str, Any], status: Mapping[str, Any]) -> ExperimentTemplate:
    return ExperimentTemplate(
        name=spec.get("name", ""),
        desired=spec.get("replicas", 1),
        status=status.get("status", ""),
        message=words(status.get("message", "")),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
    )


def _analysis(spec: Mapping[str, Any], status: Mapping[str, Any]) -> ExperimentAnalysis:
    return ExperimentAnalysis(
        name=spec.get("name", ""),
        run=status.get("analysisRun", ""),
        phase=status.get("phase", ""),
        message=words(status.get("message", "")),
        required=bool(spec.get("requiredForCompletion")),
    )
