"""Everything that is known of one Rollout at one moment: what views draw and decisions read."""

from dataclasses import dataclass
from datetime import datetime

from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.workload import Event, Pod, ReplicaSet


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`replicasets` are in order of revision, newest first; pods and runs as they were created;
    events oldest first. `stale_since` is set while a watch has lost its connection. `notes` are
    sentences about what could not be read (no right to list events, Prometheus is away).
    `forbidden` has those of them that say that a kind (its plural) may not be listed.
    `whole` is false where only the Rollout was asked for: then nothing is known of the rest."""

    rollout: Rollout
    replicasets: tuple[ReplicaSet, ...] = ()
    pods: tuple[Pod, ...] = ()
    runs: tuple[AnalysisRun, ...] = ()
    events: tuple[Event, ...] = ()
    stale_since: datetime | None = None
    notes: tuple[str, ...] = ()
    whole: bool = True
    forbidden: tuple[tuple[str, str], ...] = ()

    def replicaset(self, hash: str) -> ReplicaSet | None:  # noqa: A002 - the field's own word
        return next((r for r in self.replicasets if hash and r.hash == hash), None)

    @property
    def stable(self) -> ReplicaSet | None:
        """The ReplicaSet that was last fully promoted."""
        return self.replicaset(self.rollout.stable_hash)

    @property
    def current(self) -> ReplicaSet | None:
        """The ReplicaSet of the newest observed template: the canary, or stable when promoted."""
        return self.replicaset(self.rollout.current_hash)

    def denied(self, plural: str) -> str:
        """The sentence that says that these may not be listed; empty where they may."""
        return dict(self.forbidden).get(plural, "")

    def pods_of(self, replicaset: ReplicaSet) -> tuple[Pod, ...]:
        return tuple(p for p in self.pods if p.owner_uid == replicaset.uid)

    @property
    def current_runs(self) -> tuple[AnalysisRun, ...]:
        """The runs that judge the newest revision, oldest first."""
        r = self.rollout
        return tuple(a for a in self.runs if a.hash == r.current_hash and a.revision == r.revision)
