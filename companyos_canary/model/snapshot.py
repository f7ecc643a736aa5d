"""Everything that is known of one Rollout at one moment: what views draw and decisions read.

A Snapshot is what the cluster said; next to it is what Prometheus says at this moment."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Literal

from msgspec import Struct, field

from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.experiment import Experiment
from companyos_canary.model.http import Fields
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.sourced import Sourced
from companyos_canary.model.workload import Event, Pod, ReplicaSet


class Snapshot(Sourced, frozen=True, dict=True):
    """`replicasets` are in order of revision, newest first; pods and runs as they were created;
    events oldest first. `stale_since` is set while a watch has lost its connection. `notes` are
    sentences about what could not be read (no right to list events, Prometheus is away).
    `forbidden` has those of them that say that a kind (its plural) may not be listed.
    `experiment` is that of the current step, and `experiment_runs` are its own;
    `compared` are those of every experiment of the newest revision, oldest first.
    `whole` is false where only the Rollout was asked for: then nothing is known of the rest. `objects` are
    those that it was made of, by kind, as they were sent."""

    rollout: Rollout
    replicasets: tuple[ReplicaSet, ...] = ()
    pods: tuple[Pod, ...] = ()
    runs: tuple[AnalysisRun, ...] = ()
    events: tuple[Event, ...] = ()
    stale_since: datetime | None = None
    notes: tuple[str, ...] = ()
    whole: bool = True
    forbidden: tuple[tuple[str, str], ...] = ()
    experiment: Experiment | None = None
    experiment_runs: tuple[AnalysisRun, ...] = ()
    compared: tuple[AnalysisRun, ...] = ()
    objects: Mapping[str, Sequence[Fields]] = field(default_factory=dict)

    def replicaset(self, hash: str) -> ReplicaSet | None:  # noqa: A002 - the field's own word
        return next((r for r in self.replicasets if hash and r.hash == hash), None)

    @cached_property
    def stable(self) -> ReplicaSet | None:
        """The ReplicaSet that was last fully promoted."""
        return self.replicaset(self.rollout.stable_hash)

    @cached_property
    def current(self) -> ReplicaSet | None:
        """The ReplicaSet of the newest observed template: the canary, or stable when promoted."""
        return self.replicaset(self.rollout.current_hash)

    @cached_property
    def is_looked_at(self) -> bool:
        """Whether the ReplicaSet of the shown hash has the images of the spec. A status can be a moment older than the
        generation that it names; a pass that only scales names one whose template it has not looked at, and while the
        Rollout is paused by hand it stays so (upstream rollout/sync.go, syncReplicasOnly)."""
        current, written = self.current, self.rollout.containers
        return current is None or not written or current.containers == written

    @cached_property
    def is_behind(self) -> bool:
        """Whether all of what it shows is of the version before: that one is promoted."""
        return self.rollout.is_fully_promoted and not self.is_looked_at

    @cached_property
    def available(self) -> int:
        """The available pods of all versions. The Rollout counts them later than its ReplicaSets do; it is believed
        where they are not known."""
        return sum(r.available for r in self.replicasets) or self.rollout.available_replicas

    @cached_property
    def canary_available(self) -> int:
        """Those of the newest observed template."""
        current = self.current
        if self.is_behind:
            return 0
        return current.available if current else self.rollout.updated_replicas

    def role_of(self, hash: str) -> Literal["stable", "canary", ""]:  # noqa: A002 - the field's own word
        """Of a pod template hash: after a promotion the newest is only stable; empty for an earlier one. Where all that
        is shown is of the version before, the newest is the one with the images of the spec."""
        if hash and hash == self.rollout.stable_hash:
            return "stable"
        newest = self.rollout.current_hash
        if self.is_behind:
            newest = next((r.hash for r in self.replicasets if r.containers == self.rollout.containers), "")
        return "canary" if hash and hash == newest else ""

    def denied(self, plural: str) -> str:
        """The sentence that says that these may not be listed; empty if they may."""
        return dict(self.forbidden).get(plural, "")

    def pods_of(self, replicaset: ReplicaSet) -> tuple[Pod, ...]:
        return tuple(p for p in self.pods if p.owner_uid == replicaset.uid)

    @property
    def current_runs(self) -> tuple[AnalysisRun, ...]:
        """The runs that judge the newest revision, oldest first."""
        r = self.rollout
        return tuple(a for a in self.runs if a.hash == r.current_hash and a.revision == r.revision)

    @cached_property
    def attempt(self) -> tuple[AnalysisRun, ...]:
        """The runs of the current update, oldest first: the newest of each step, and none of an
        earlier try (recorded: scenario abort-then-retry; the steps begin again at the first)."""
        rollout, newest = self.rollout, dict[int | None, AnalysisRun]()
        started, index = rollout.update_started, rollout.step_index
        for run in self.current_runs:
            before = started and run.created_at and run.created_at < started
            if not before:
                newest[run.step_index] = run
        if rollout.aborted or index is None:
            return _by_age(newest.values())
        return _by_age(r for i, r in newest.items() if i is None or i <= index)

    @cached_property
    def judging(self) -> tuple[AnalysisRun, ...]:
        """The runs of the current update, also those that its experiments made, oldest first."""
        if not self.compared:
            return self.attempt
        started = self.rollout.update_started
        own = (r for r in self.compared if not (started and r.created_at and r.created_at < started))
        return _by_age((*self.attempt, *own))

    @property
    def is_judged(self) -> bool:
        """Whether an analysis is running: also at a pause it may abort the update."""
        return any(not r.is_finished for r in self.attempt)


def _by_age(runs: Iterable[AnalysisRun]) -> tuple[AnalysisRun, ...]:
    return tuple(sorted(runs, key=lambda r: r.created_at.timestamp() if r.created_at else 0.0))


Missing = Literal["", "no data", "NaN", "too few requests", "several series"]


class LiveMetric(Struct, frozen=True):
    """One metric now, in the unit that its query answers in (shares from 0 to 1, seconds, times).

    `canary` is None without data (also for NaN), and `missing` has the word for it: `no data`,
    `NaN`, `too few requests`, `several series`. `stable` is the same question asked about the
    stable pods, None if there is no such question (a comparison) or no data. `requests`: how
    many the canary has had in the metric's window, and `needed` how many it must have; None if
    its query does not count them. `compares`: the metric itself compares canary and stable.
    `problem` is the sentence where the query could not be answered."""

    name: str
    canary: float | None
    stable: float | None
    requests: float | None
    compares: bool = False
    problem: str = ""
    needed: float | None = None
    missing: Missing = ""


class Live(Struct, frozen=True):
    """One look at Prometheus. `address` is whom it asked, as it may be shown; `share` the canary's
    part of all `requests` `over` at most the last minute (`1m`), from 0 to 1, None if unknown. With a
    `problem` no one answered, and the rest is empty."""

    at: datetime
    address: str
    metrics: tuple[LiveMetric, ...] = ()
    share: float | None = None
    problem: str = ""
    requests: float | None = None
    over: str = ""

    def metric(self, name: str) -> LiveMetric | None:
        return next((m for m in self.metrics if m.name == name), None)


class Course(Struct, frozen=True):
    """The canary's values of one metric over time, evenly spaced; None without data."""

    name: str
    points: tuple[tuple[datetime, float | None], ...] = ()
    problem: str = ""
