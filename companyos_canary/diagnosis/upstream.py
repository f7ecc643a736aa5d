"""What is known to be wrong in the controller itself: by what it looks like, and by the controller's version.

Each was reported to argoproj/argo-rollouts; the number is that of the issue.
"""

import re
from datetime import timedelta

from msgspec import Struct

from companyos_canary.diagnosis.case import WEIGHT_SET, Case, Explanation, at, condition, quote
from companyos_canary.diagnosis.control import (
    CONTROLLER,
    LEASE_NAME,
    TO_NOTICE,
    asked_at,
    controller_of,
    controller_version,
    lease_of,
    status_write,
    waits_for_controller,
    written,
)
from companyos_canary.diagnosis.pods import starting, troubles
from companyos_canary.model.outcome import Evidence
from companyos_canary.units import duration

_LATE = timedelta(minutes=1)
_SETTLED = timedelta(minutes=2)
_RELEASE = r"v?(\d+)\.(\d+)"
_OLD_PODS = "old replicas are pending termination"
_RESTART = f"kubectl -n {CONTROLLER} rollout restart deployment {CONTROLLER}"


class Defect(Struct, frozen=True):
    """One that was reported. It is in releases from `since` until before `fixed` (major, minor), as far as is known."""

    issue: int
    since: tuple[int, int] = (0, 0)
    fixed: tuple[int, int] | None = None

    def known_in(self, case: Case) -> bool:
        """Whether the controller that runs has it; also where its version is not known."""
        found = re.search(_RELEASE, controller_version(controller_of(case) or {}))
        if found is None:
            return True
        release = (int(found[1]), int(found[2]))
        return release >= self.since and (self.fixed is None or release < self.fixed)

    def told(self, case: Case) -> str:
        """`; see argoproj/argo-rollouts#4626`, where the controller that runs has it."""
        return f"; see argoproj/argo-rollouts#{self.issue}" if self.known_in(case) else ""


ISTIO_DEADLINE = Defect(4626, since=(1, 8))
DEADLINE = Defect(4128, since=(1, 7))
KEPT_BY_MINIMUM = Defect(4841, since=(1, 9))
KEPT_BY_DELAY = Defect(4898, since=(1, 9), fixed=(1, 10))
OLD_RUN = Defect(2824)
STALE_COUNT = Defect(3316)
LOST_WRITE = Defect(
    4694, fixed=(1, 10)
)  # rollout/controller.go writeBackToInformer, taken out by its pull request 4786


def suspected(case: Case) -> bool:
    """Whether it matters which version of the controller runs."""
    return overdue(case) is not None or _kept_weight(case) is not None or _counted_twice(case)


def overdue(case: Case) -> timedelta | None:
    """How long ago the progress deadline passed without effect; None if it has not, or does not count now: it stands
    still in pauses and at analyses (upstream utils/conditions RolloutTimedOut)."""
    rollout, step, current = case.rollout, case.rollout.current_step, case.snapshot.current
    waits = rollout.paused or rollout.pause_conditions or rollout.aborted or not rollout.observed
    if waits or rollout.status_phase != "Progressing" or current is None or current.available >= current.desired:
        return None
    if step is not None and step.kind in ("analysis", "pause", "experiment"):
        return None
    silent = case.since_progress
    late = silent - rollout.progress_deadline if silent is not None else timedelta()
    return late if late > _LATE else None


def deadline_not_firing(case: Case) -> Explanation | None:
    """Nothing is known to be wrong with the pods, and the deadline that should end this has passed without effect."""
    late = overdue(case)
    if late is None or troubles(case, case.rollout.current_hash):
        return None
    istio = at(case.rollout.raw, "spec", "strategy", "canary", "trafficRouting", "istio") is not None
    defect = ISTIO_DEADLINE if istio else DEADLINE
    count = len(starting(case, case.rollout.current_hash))
    pods = "a pod is" if count == 1 else f"{count} pods are"
    what = f"{pods} still starting" if count else "no pod has become available"
    because = f"the progress deadline passed {duration(late)} ago and has not ended it, while {what}{defect.told(case)}"
    found = condition(case.rollout.raw, "Progressing")
    evidence = (
        *(case.field("status", "conditions", found[0], "lastUpdateTime") if found else ()),
        *case.field("spec", "progressDeadlineSeconds"),
        *case.status("phase", "message"),
        *_image(case),
    )
    return Explanation(f"{case.version} is stuck: {because}", evidence, case.command("abort"), because)


def abort_keeps_weight(case: Case) -> Explanation | None:
    """After an abort the router still sends requests to the canary, and nothing that is left would change that."""
    weight = _kept_weight(case)
    if weight is None:
        return None
    rollout = case.rollout
    canary = at(rollout.raw, "spec", "strategy", "canary") or {}
    age = case.age(rollout.aborted_at)
    defect: Defect | None = None
    if canary.get("dynamicStableScale") and canary.get("abortScaleDownDelaySeconds"):
        defect = KEPT_BY_DELAY
    elif canary.get("dynamicStableScale") and canary.get("minPodsPerReplicaSet"):
        defect = KEPT_BY_MINIMUM
    ago = f" {duration(age)} ago" if age else ""
    told = defect.told(case) if defect else ""
    because = f"aborted{ago}, but {weight} % of the traffic still goes to it{told}"
    path = ("spec", "strategy", "canary")
    evidence = (
        *case.field(*WEIGHT_SET),
        *case.status("abortedAt"),
        *case.field(*path, "minPodsPerReplicaSet"),
        *case.field(*path, "abortScaleDownDelaySeconds"),
        *_image(case),
    )
    return Explanation(f"{case.version} was {because}", evidence, case.command("undo"), because)


def _kept_weight(case: Case) -> int | None:
    rollout, stable = case.rollout, case.snapshot.stable
    weight = at(rollout.raw, "status", "canary", "weights", "canary", "weight")
    age = case.age(rollout.aborted_at)
    if not rollout.aborted or rollout.paused or not weight or age is None or age < _SETTLED:
        return None
    return int(weight) if stable is None or stable.available >= stable.desired else None


def old_run_decides(case: Case) -> Explanation | None:
    """A retry was ended at once by a run that had failed before it; that a run ended it is in the message alone."""
    rollout, did = case.rollout, case.did
    if not rollout.aborted or did is None or did.verb != "retry" or did.at is None or not rollout.aborted_at:
        return None
    if rollout.aborted_at < did.at or "analysis" not in rollout.status_message:
        return None
    failed = [r for r in case.snapshot.current_runs if r.phase in ("Failed", "Error")]
    if not failed or any(r.completed_at is None or r.completed_at >= did.at for r in failed):
        return None
    run = failed[-1]
    because = f"the retry was ended by AnalysisRun {run.name}, which had failed before it{OLD_RUN.told(case)}"
    evidence = (
        *quote("AnalysisRun", run.raw, "status", "completedAt"),
        *case.status("abortedAt", "message"),
        *_image(case),
    )
    following = case.kubectl(f"delete analysisrun {run.name}")
    return Explanation(f"{case.version} was rolled back again: {because}", evidence, following, because)


def promote_lost(case: Case) -> Explanation | None:
    """A promote that the controller has not taken up."""
    rollout, asked = case.rollout, asked_at(case)
    if status_write(case) != "promote" or not rollout.observed or asked is None or asked < TO_NOTICE:
        return None
    told = LOST_WRITE.told(case)
    sentence = f"the promote of {duration(asked)} ago was stored, but the controller has not taken it up{told}"
    return Explanation(
        sentence, (*written(case), *_image(case)), case.command("promote", "--full" if rollout.promote_full else "")
    )


def not_observing(case: Case) -> Explanation | None:
    """A controller runs, but has not looked at the newest change."""
    asked, verb = asked_at(case), status_write(case)
    lost = case.rollout.observed and verb == "promote"  # which has its own answer
    if lost or not waits_for_controller(case) or asked is None or asked < TO_NOTICE:
        return None
    lease = lease_of(controller_of(case), case.named("Lease", LEASE_NAME))
    evidence = (*written(case), *quote("Lease", lease, "spec", "renewTime"))
    if case.rollout.observed:
        told = LOST_WRITE.told(case)
        sentence = f"the {verb} of {duration(asked)} ago was stored, but the controller has not taken it up{told}"
        return Explanation(sentence, (*evidence, *_image(case)), case.command(verb))
    sentence = f"the controller runs, but has not observed the change of {duration(asked)} ago"
    return Explanation(sentence, evidence, "kubectl -n argo-rollouts logs deployment/argo-rollouts")


def stale_count(case: Case) -> Explanation | None:
    """The controller waits for pods that do not exist: it counts more than the ReplicaSets have."""
    if not _counted_twice(case):
        return None
    has = sum(r.replicas for r in case.snapshot.replicasets)
    counted = at(case.rollout.raw, "status", "replicas")
    because = f"the controller counts {counted} pods where the ReplicaSets have {has}{STALE_COUNT.told(case)}"
    sets = (case.field_of("ReplicaSet", r.name, "status", "replicas") for r in case.snapshot.replicasets)
    evidence = (*case.status("replicas", "message"), *(e for found in sets for e in found if e.value))
    return Explanation(f"{case.version} is stuck: {because}", evidence, _RESTART, because)


def _counted_twice(case: Case) -> bool:
    rollout = case.rollout
    if rollout.aborted or _OLD_PODS not in rollout.status_message or case.snapshot.denied("replicasets"):
        return False
    silent = case.since_progress
    counted = at(rollout.raw, "status", "replicas") or 0
    has = sum(r.replicas for r in case.snapshot.replicasets)
    return (
        silent is not None and silent > _SETTLED and counted > has and not any(p.deleting for p in case.snapshot.pods)
    )


def _image(case: Case) -> tuple[Evidence, ...]:
    deployment = controller_of(case)
    return quote("Deployment", deployment, "spec", "template", "spec", "containers", 0, "image")
