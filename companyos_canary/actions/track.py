"""What was seen while a version was followed and its end no longer shows. Pure."""

from dataclasses import dataclass, replace

from companyos_canary.argo.cause import TIMED_OUT, pod_problems, says_no_reason
from companyos_canary.argo.share import pod_share
from companyos_canary.argo.steps import set_weight
from companyos_canary.model.outcome import Cause, PodProblem
from companyos_canary.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Track:
    """`step` and `weight`: how far it had come (an abort sets both back to 0), `share` of the pods
    it had there. `pods`: what kept its pods from starting; they are gone once it is rolled back."""

    step: int | None = None
    weight: int | None = None
    share: int | None = None
    pods: tuple[PodProblem, ...] = ()

    def after(self, snapshot: Snapshot, hash: str) -> "Track":  # noqa: A002 - the field's own word
        """With another snapshot; one of another pod template tells nothing."""
        rollout = snapshot.rollout
        if rollout.current_hash != hash:
            return self
        track = replace(self, pods=self._problems(snapshot))
        if rollout.aborted or rollout.step_index is None:
            return track
        return replace(track, step=rollout.step_index, weight=set_weight(rollout), share=pod_share(snapshot))

    def _problems(self, snapshot: Snapshot) -> tuple[PodProblem, ...]:
        """The newest of each pod, the one that waits longest for its image or next start first. All
        is forgotten once the pods that are wanted are ready."""
        current = snapshot.current
        if current is not None and 0 < current.desired <= current.ready:
            return ()
        newest = {p.pod: p for p in self.pods}
        for problem in pod_problems(snapshot):
            # Between two starts a crashing pod is Running, or Error, for a moment.
            if problem.reason.endswith("BackOff") or problem.pod not in newest:
                newest[problem.pod] = problem
        return tuple(sorted(newest.values(), key=lambda p: not p.reason.endswith("BackOff")))

    def explaining(self, cause: Cause | None) -> Cause | None:
        """A deadline that passed is explained by the pods that did not start; so is an abort
        without a reason, which may be one."""
        if cause is None or cause.metrics or cause.pods or cause.by_hand:
            return cause
        if TIMED_OUT not in cause.message and not says_no_reason(cause.message):
            return cause
        return replace(cause, pods=self.pods)
