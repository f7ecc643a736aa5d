"""An Experiment with what belongs to it, and its rows. Pure.

Upstream pkg/kubectl-argo-rollouts/info/experiment_info.go: ReplicaSets and AnalysisRuns belong to it by their owner.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Struct

from companyos_canary.argo.judged import JudgedRun, judged_run
from companyos_canary.argo.pods import PodState, pod_state, ready_containers
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.experiment import Experiment, ExperimentAnalysis, ExperimentTemplate
from companyos_canary.model.row import Images, RunPhase, Says, pick
from companyos_canary.model.workload import Pod, ReplicaSet

_TEMPLATE = "experiment.argoproj.io/template-name"


class TemplatePart(Struct, frozen=True):
    """`replicaset` is None until there is one."""

    template: ExperimentTemplate
    replicaset: ReplicaSet | None
    pods: tuple[PodState, ...]


class AnalysisPart(Struct, frozen=True):
    """`run` is None until there is one, and where it may not be read."""

    analysis: ExperimentAnalysis
    run: AnalysisRun | None


class ExperimentPicture(Struct, frozen=True):
    """`notes`: what could not be read."""

    experiment: Experiment
    now: datetime
    templates: tuple[TemplatePart, ...]
    analyses: tuple[AnalysisPart, ...]
    notes: tuple[str, ...] = ()

    @property
    def left(self) -> timedelta | None:
        """Until its duration is over; None if it has no end, or has ended."""
        end = self.experiment.ends_at
        return None if end is None or self.experiment.is_finished else max(timedelta(), end - self.now)


def experiment_picture(
    experiment: Experiment,
    now: datetime,
    *,
    replicasets: Iterable[ReplicaSet],
    pods: Iterable[Pod],
    runs: Iterable[AnalysisRun],
    notes: tuple[str, ...] = (),
) -> ExperimentPicture:
    """From what is in the namespace; what belongs to something else is left out."""
    sets = {r.annotations.get(_TEMPLATE, ""): r for r in replicasets if r.owner_uid == experiment.uid}
    of = [pod_state(p) for p in pods]
    named = {r.name: r for r in runs}

    def part(template: ExperimentTemplate) -> TemplatePart:
        found = sets.get(template.name)
        return TemplatePart(template, found, tuple(p for p in of if found and p.pod.owner_uid == found.uid))

    return ExperimentPicture(
        experiment,
        now,
        tuple(map(part, experiment.templates)),
        tuple(AnalysisPart(a, named.get(a.run)) for a in experiment.analyses),
        notes,
    )


class TemplatePod(Struct, frozen=True):
    """`status` is the word of `kubectl get pods`."""

    name: str
    status: str
    ready: bool
    containers_ready: int
    containers: int
    restarts: int
    message: str


class TemplateRow(Struct, frozen=True):
    """`replicaset` is empty until there is one."""

    name: str
    status: Annotated[str, Says(examples=("Progressing", "Running", "Successful", "Failed", "Error", ""))]
    message: str
    replicaset: str
    images: Images
    desired: int
    ready: int
    available: int
    pods: tuple[TemplatePod, ...]


class AnalysisRow(Struct, frozen=True):
    """`required`: the Experiment ends once it has succeeded. `run` is null until there is one."""

    name: str
    required: bool
    phase: RunPhase
    message: str
    run: JudgedRun | None


class ExperimentListed(Struct, frozen=True):
    """`rollout` is the Rollout that made it, empty for one made by hand; `ends_at` is null where it has no duration,
    and until its pods are available."""

    name: str
    namespace: str
    rollout: str
    phase: RunPhase
    message: str
    terminating: bool
    created_at: datetime | None
    available_at: datetime | None
    ends_at: datetime | None


class ExperimentShown(Struct, frozen=True):
    """An Experiment with its ReplicaSets and AnalysisRuns."""

    context: str
    experiment: ExperimentListed
    templates: tuple[TemplateRow, ...]
    analyses: tuple[AnalysisRow, ...]
    notes: tuple[str, ...]


def experiment_listed(one: Experiment) -> ExperimentListed:
    return pick(ExperimentListed, one, rollout=one.owner)


def experiment_row(picture: ExperimentPicture, context: str) -> ExperimentShown:
    return ExperimentShown(
        context,
        experiment_listed(picture.experiment),
        tuple(map(_template_row, picture.templates)),
        tuple(map(_analysis_row, picture.analyses)),
        picture.notes,
    )


def _template_row(part: TemplatePart) -> TemplateRow:
    template, found = part.template, part.replicaset
    return TemplateRow(
        name=template.name,
        status=template.status,
        message=template.message,
        replicaset=found.name if found else "",
        images={c.name: c.image for c in found.containers} if found else {},
        desired=template.desired,
        ready=template.ready,
        available=template.available,
        pods=tuple(map(_template_pod, part.pods)),
    )


def _template_pod(state: PodState) -> TemplatePod:
    ready, of = ready_containers(state.pod)
    return TemplatePod(state.pod.name, state.status, state.pod.ready, ready, of, state.restarts, state.message)


def _analysis_row(part: AnalysisPart) -> AnalysisRow:
    one, run = part.analysis, part.run
    return AnalysisRow(one.name, one.required, one.phase, one.message, judged_run(run, one.name) if run else None)
