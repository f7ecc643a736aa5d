"""The time that a version keeps its pods though its traffic is gone: the annotation that says until
when, after a promotion and after an abort.

Upstream rollout/replicaset.go; recorded: the scenarios with nginx and of blue-green.
"""

from datetime import datetime, timedelta

from companyos_canary.argo.replicas import abort_delay, scale_down_delay, strategy, waits_after_abort
from companyos_canary.model.quantity import format_time, parse_time
from companyos_canary.sandbox.controller.passes import Pass, pods_of
from companyos_canary.sandbox.kinds import REPLICASET
from companyos_canary.sandbox.objects import Object, copied

DEADLINE = "scale-down-deadline"


def has_deadline(replicaset: Object) -> bool:
    return bool((replicaset["metadata"].get("annotations") or {}).get(DEADLINE))


def deadline_of(replicaset: Object) -> datetime | None:
    return parse_time((replicaset["metadata"].get("annotations") or {}).get(DEADLINE))


def is_waiting_after_abort(work: Pass) -> bool:
    return work.aborted and work.stable is not None and waits_after_abort(work.view)


def remove_deadlines(work: Pass) -> None:
    """The newest and the stable version stay; the newest one only if it was not aborted."""
    if work.canary is not None and not is_waiting_after_abort(work):
        _remove(work, work.canary)
    if work.stable is not None and work.stable is not work.canary:
        _remove(work, work.stable)


def size_after_abort(work: Pass, wanted: int) -> int | None:
    """The size that an aborted version has now; None while it waits for its end, or for the stable
    version to carry everything. `wanted` where there is no such delay."""
    if not is_waiting_after_abort(work):
        return wanted
    newest, delay = work.newest, abort_delay(work.view)
    if has_deadline(newest):
        end = deadline_of(newest)
        if end is None or end <= work.now:
            return 0 if end is not None else wanted
        work.wake_at.append(end)
        return None
    if delay is None:
        return wanted
    if work.stable is not None and pods_of(work.stable).available >= work.view.replicas:
        _add(work, newest, delay)
    return None


def size_of_an_old_one(work: Pass, replicaset: Object, marked: int) -> tuple[int, int]:
    """The size that a version before keeps, and how many such versions wait with it. One without a
    deadline gets it now, as long as scaleDownDelayRevisionLimit allows any more."""
    size, limit = pods_of(replicaset).desired, strategy(work.view).get("scaleDownDelayRevisionLimit")
    if not has_deadline(replicaset):
        if limit is not None and marked >= limit:
            return 0, marked
        delay = scale_down_delay(work.view)
        _add(work, replicaset, delay)
        return size, marked + 1
    end = deadline_of(replicaset)
    if (limit is not None and marked >= limit) or end is None or end <= work.now:
        return 0, marked + 1
    work.wake_at.append(end)
    return size if work.view.strategy == "canary" else work.view.replicas, marked + 1


def _add(work: Pass, replicaset: Object, delay: timedelta) -> None:
    """No delay is no deadline: then the next pass ends it."""
    if not delay:
        return
    new = copied(replicaset)
    new["metadata"].setdefault("annotations", {})[DEADLINE] = format_time(work.now + delay)
    replicaset.update(work.write(REPLICASET, new))
    end = deadline_of(replicaset)
    if end is not None:
        work.wake_at.append(end)


def _remove(work: Pass, replicaset: Object) -> None:
    if has_deadline(replicaset):
        new = copied(replicaset)
        del new["metadata"]["annotations"][DEADLINE]
        replicaset.update(work.write(REPLICASET, new))
