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


def is_waiting_after_abort(state: Pass) -> bool:
    return state.aborted and state.stable is not None and waits_after_abort(state.view)


def remove_deadlines(state: Pass) -> None:
    """The newest and the stable version stay; the newest one only if it was not aborted."""
    if state.canary is not None and not is_waiting_after_abort(state):
        _remove(state, state.canary)
    if state.stable is not None and state.stable is not state.canary:
        _remove(state, state.stable)


def size_after_abort(state: Pass, wanted: int) -> int | None:
    """The size that an aborted version has now; None while it waits for its end, or for the stable
    version to carry everything. `wanted` where there is no such delay."""
    if not is_waiting_after_abort(state):
        return wanted
    newest, delay = state.newest, abort_delay(state.view)
    if has_deadline(newest):
        end = deadline_of(newest)
        if end is None or end <= state.now:
            return 0 if end is not None else wanted
        state.wake_at.append(end)
        return None
    if delay is None:
        return wanted
    if state.stable is not None and pods_of(state.stable).available >= state.view.replicas:
        _add(state, newest, delay)
    return None


def size_of_an_old_one(state: Pass, replicaset: Object, marked: int) -> tuple[int, int]:
    """The size that a version before keeps, and how many such versions wait with it. One without a
    deadline gets it now, as long as scaleDownDelayRevisionLimit allows any more."""
    size, limit = pods_of(replicaset).desired, strategy(state.view).get("scaleDownDelayRevisionLimit")
    if not has_deadline(replicaset):
        if limit is not None and marked >= limit:
            return 0, marked
        delay = scale_down_delay(state.view)
        _add(state, replicaset, delay)
        return size, marked + 1
    end = deadline_of(replicaset)
    if (limit is not None and marked >= limit) or end is None or end <= state.now:
        return 0, marked + 1
    state.wake_at.append(end)
    return size if state.view.strategy == "canary" else state.view.replicas, marked + 1


def _add(state: Pass, replicaset: Object, delay: timedelta) -> None:
    """No delay is no deadline: then the next pass ends it."""
    if not delay:
        return
    new = copied(replicaset)
    new["metadata"].setdefault("annotations", {})[DEADLINE] = format_time(state.now + delay)
    replicaset.update(state.write(REPLICASET, new))
    end = deadline_of(replicaset)
    if end is not None:
        state.wake_at.append(end)


def _remove(state: Pass, replicaset: Object) -> None:
    if has_deadline(replicaset):
        new = copied(replicaset)
        del new["metadata"]["annotations"][DEADLINE]
        replicaset.update(state.write(REPLICASET, new))
