"""spec.restartAt: pods older than it are replaced, a few at a time, stable first."""

from datetime import timedelta

from companyos_canary.model.quantity import parse_time
from companyos_canary.sandbox.controller.context import Pass
from companyos_canary.sandbox.kinds import POD
from companyos_canary.sandbox.objects import Object, is_owned

_LOOK_AGAIN = timedelta(seconds=30)


def restart_pods(work: Pass) -> bool:
    """Removes old pods as far as availability allows; whether any was removed, which ends the
    pass. When all pods are newer, the restart counts as done."""
    due = work.view.restart_at
    if due is None or due == work.view.restarted_at:
        return False
    if work.now < due:
        work.wake_at.append(due)
        return False
    ordered = [s for s in (work.stable, work.canary, *work.others) if s is not None]
    sets = list({s["metadata"]["uid"]: s for s in ordered})
    pods = [p for uid in sets for p in _pods(work, uid)]
    old = [p for p in pods if (parse_time(p["metadata"]["creationTimestamp"]) or due) < due]
    if not old:
        work.restarted_at = work.rollout["spec"]["restartAt"]
        return False
    missing = work.view.replicas - sum(1 for p in pods if is_ready(p))
    budget = max(work.limits.unavailable, 1) - missing
    for pod in old[: max(0, budget)]:
        work.store.delete(POD, work.view.namespace, pod["metadata"]["name"])
    work.wake_at.append(work.now + _LOOK_AGAIN)
    return budget > 0


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _pods(work: Pass, uid: str) -> list[Object]:
    return [p for p in work.store.items(POD, work.view.namespace) if is_owned(p, uid)]
