"""All that is derived from one Snapshot and `now`, once: what every voice tells. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.argo.cause import cause
from companyos_canary.argo.phase import shown_phase, since, waits_for_a_person
from companyos_canary.argo.pods import PodState, contradicts, pod_share, pod_state, shown_weight
from companyos_canary.argo.progress import Progress, progress, started_at
from companyos_canary.argo.routes import Route, active_routes
from companyos_canary.argo.steps import WeightStep, actual_share, weight_step_at
from companyos_canary.model.image import image_of, version
from companyos_canary.model.outcome import Cause, Diagnosis
from companyos_canary.model.place import Place
from companyos_canary.model.rollout import place_text
from companyos_canary.model.snapshot import Live, Snapshot

if TYPE_CHECKING:
    from companyos_canary.argo.metric_rows import MetricRow
    from companyos_canary.argo.timeline import Points

_COUNTED = timedelta(seconds=90)


class Picture(Struct, frozen=True, dict=True):
    """`version` is the newest one, `stable` the one that was promoted last (empty if unknown);
    they are equal when nothing is in progress. `as_of`: when what is shown was true: now, or the last word before the
    connection was lost. `pods` are the available ones, `states` those of all,
    `canary_pods` those of the newest revision. `why` is for whoever tells what is wrong (`diagnosis.table.seen`)."""

    snapshot: Snapshot
    now: datetime
    as_of: datetime
    place: Place
    progress: Progress
    metrics: "tuple[MetricRow, ...]"
    cause: Cause | None
    version: str
    stable: str
    started: datetime | None
    canary_pods: int
    pods: int
    actual_weight: int
    actual_percent: float
    states: tuple[PodState, ...]
    live: Live | None = None
    why: Diagnosis | None = None

    @property
    def name(self) -> str:
        return self.snapshot.rollout.name

    @property
    def share(self) -> int | None:
        """The share of the pods in percent; None while pods come and go for a weight."""
        return None if self.progress.activity in ("scaling", "unobserved") else self.pod_share

    @cached_property
    def pod_share(self) -> int | None:
        """The same also meanwhile; None if pods do not make the weight."""
        return pod_share(self.snapshot)

    @property
    def pods_percent(self) -> int | None:
        """The newest version's part of all available pods, whatever makes the weight; None without pods."""
        return self.canary_pods * 100 // self.pods if self.pods else None

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """What reaches the canary besides its weight."""
        return active_routes(self.snapshot.rollout)

    @property
    def waits(self) -> bool:
        """Nothing moves until a person acts."""
        return waits_for_a_person(self.snapshot.rollout)

    @property
    def since(self) -> datetime | None:
        """Since when it is in the state that it shows."""
        return since(self.snapshot.rollout)

    def step_at(self, index: int | None) -> WeightStep | None:
        """The one that covers an index of the Rollout's steps; None when all are done."""
        return weight_step_at(self.progress.steps, index)

    @cached_property
    def courses(self) -> "Mapping[str, Points]":
        """What was measured over time, by metric."""
        from companyos_canary.argo.timeline import measured_courses  # noqa: PLC0415 - a screen draws them

        return measured_courses(self.snapshot.attempt)

    @cached_property
    def weights(self) -> tuple[tuple[datetime, float], ...]:
        """When each weight of this update began, as far as that is known."""
        from companyos_canary.argo.timeline import weight_starts  # noqa: PLC0415 - a screen shows them

        return weight_starts(self.snapshot, self.progress.steps)

    @property
    def weight_lasts(self) -> timedelta:
        """How long the weight has been what it is, where the current step says so; a run that waits for requests, as
        long as the weight was seen to begin."""
        far = self.progress
        if far.length is not None and far.remaining is not None:
            return far.length - far.remaining
        began = self.snapshot.rollout.paused_at
        if began is None and far.activity == "analysing":
            began = max((at for at, weight in self.weights if weight == far.percent), default=None)
        return self.as_of - began if began else timedelta()

    @property
    def could_measure_the_share(self) -> bool:
        """Whether the share that Prometheus counts at the canary should be the one that is asked for: the weight has
        lasted for the minute that is counted and two scrapes, and nothing reaches the canary besides."""
        rollout = self.snapshot.rollout
        if not self.progress.stepped or rollout.aborted or self.snapshot.stale_since:
            return False
        settled = self.progress.activity in ("analysing", "pausing", "waiting", "held", "inconclusive")
        return settled and not self.routes and not rollout.experiment and self.weight_lasts >= _COUNTED

    @property
    def measures_another_share(self) -> bool:
        """Whether Prometheus counts a share at the canary that neither the weight nor the pods explain."""
        live = self.live
        if live is None or live.share is None or not live.requests or not self.could_measure_the_share:
            return False
        by_pods = self.pod_share
        due = (self.progress.percent, self.actual_percent, *([] if by_pods is None else [by_pods]))
        return contradicts(live.share, live.requests, [d / 100 for d in due])

    @cached_property
    def first_look(self) -> datetime | None:
        """When something is measured for the first time."""
        from companyos_canary.argo.durations import first_look  # noqa: PLC0415 - a screen tells it

        return first_look(self.snapshot)

    @cached_property
    def pod_states(self) -> Mapping[str, tuple[PodState, ...]]:
        """By the uid of their ReplicaSet."""
        found: dict[str, list[PodState]] = {}
        for state in self.states:
            found.setdefault(state.pod.owner_uid, []).append(state)
        return {uid: tuple(states) for uid, states in found.items()}

    @cached_property
    def where(self) -> str:
        """`companyos @ prod-eu`."""
        return place_text(self.snapshot.rollout.namespace, self.place.context)

    @cached_property
    def roles(self) -> Mapping[str, str]:
        """`stable`, `canary` or nothing, by the name of a ReplicaSet."""
        return {r.name: self.snapshot.role_of(r.hash) for r in self.snapshot.replicasets}

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """By the name of a ReplicaSet."""
        container = self.place.container
        return {r.name: version(image_of(r.containers, container)) for r in self.snapshot.replicasets}


def look(snapshot: Snapshot, now: datetime, place: Place | None = None, live: Live | None = None) -> Picture:
    """Everything a view needs. `now` is aware, in the time zone that is shown; `live` is what
    Prometheus says, None if it was not asked."""
    at = place or Place()
    rollout = snapshot.rollout
    current, stable = snapshot.current, snapshot.stable
    newest = image_of(rollout.containers, at.container)
    if current and (rollout.observed or not newest) and not snapshot.is_behind:
        newest = image_of(current.containers, at.container) or newest
    promoted = image_of(stable.containers, at.container) if stable else ""
    if rollout.is_fully_promoted and rollout.observed and not snapshot.is_behind:
        promoted = newest
    as_of, phase = min(snapshot.stale_since or now, now), shown_phase(rollout)
    states = tuple([pod_state(pod, as_of) for pod in snapshot.pods])
    found, far = cause(snapshot, as_of, phase, states), progress(snapshot, as_of, phase)
    if snapshot.stale_since or (found and found.pods):
        far = replace(far, until_end=None)  # no one knows when pods that do not start will
    actual = shown_weight(snapshot)
    metrics: tuple[MetricRow, ...] = ()
    if snapshot.attempt:
        from companyos_canary.argo.metric_rows import metric_rows  # noqa: PLC0415 - a short verb reads no runs

        metrics = metric_rows(snapshot)
    return Picture(
        snapshot=snapshot,
        now=now,
        as_of=as_of,
        place=at,
        progress=far,
        metrics=metrics,
        cause=found,
        version=version(newest) if newest else "",
        stable=version(promoted) if promoted else "",
        started=started_at(snapshot),
        canary_pods=snapshot.canary_available,
        pods=snapshot.available,
        actual_weight=actual,
        actual_percent=actual_share(rollout, actual),
        states=states,
        live=live,
    )
