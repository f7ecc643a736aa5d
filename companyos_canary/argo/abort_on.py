"""`--abort-on`: which facts about pods and progress end a release that no analysis would end soon. Pure.

Only what the cluster says of the newest version's own pods counts: that a container crashes again and again, that an
image cannot be had, or that nothing has moved for so long. Each condition tells the fact that it was met by.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from companyos_canary.argo.endings import waits_for_a_person
from companyos_canary.argo.pods import pod_status, restarts
from companyos_canary.model.abort_on import OF_PODS, AbortOn
from companyos_canary.model.outcome import AbortReason
from companyos_canary.model.quantity import format_duration
from companyos_canary.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class LastMove:
    """What has moved last in an update: `seen` are its template, its step and its pods, `since` when that was new."""

    seen: tuple[object, ...] = ()
    since: datetime | None = None

    def after(self, snapshot: Snapshot, now: datetime) -> "LastMove":
        rollout, current = snapshot.rollout, snapshot.current
        counts = (current.desired, current.replicas, current.ready, current.available) if current else ()
        seen = (rollout.current_hash, rollout.step_index, counts)
        return self if seen == self.seen and _should_move(snapshot) else replace(self, seen=seen, since=now)


UNSEEN = LastMove()


def met(wanted: AbortOn, snapshot: Snapshot, moved: LastMove, now: datetime) -> AbortReason | None:
    """The first condition that holds for the version in progress; None also if there is none."""
    rollout = snapshot.rollout
    if not rollout.observed or rollout.is_fully_promoted or rollout.aborted or not rollout.stable_hash:
        return None
    own = [(p, pod_status(p)) for p in snapshot.pods if p.hash == rollout.current_hash and not p.deleting]
    for word in wanted.words:
        for pod, status in own:
            if status.removeprefix("Init:") in OF_PODS[word]:
                again = restarts(pod)
                times = f" after {again} restart{'' if again == 1 else 's'}" if again and word == "crashloop" else ""
                return AbortReason(condition=word, evidence=f"pod {pod.name} is in {status}{times}")
    current = snapshot.current
    if wanted.stuck and current and moved.since and _should_move(snapshot) and now - moved.since >= wanted.stuck:
        span = format_duration(now - moved.since)
        evidence = f"{current.ready} of {current.desired} canary pods are ready, and nothing has moved for {span}"
        return AbortReason(condition=f"stuck={format_duration(wanted.stuck)}", evidence=evidence)
    return None


def _should_move(snapshot: Snapshot) -> bool:
    """Pods are missing, and no person keeps it where it is."""
    current = snapshot.current
    held = snapshot.rollout.paused or waits_for_a_person(snapshot.rollout) or snapshot.stale_since is not None
    return current is not None and current.ready < current.desired and not held
