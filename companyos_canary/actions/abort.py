"""Stopping a canary, seen to its end with nothing but the right to get the Rollout."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from companyos_canary.actions.change import Changed, interrupted
from companyos_canary.argo.effects import drained
from companyos_canary.cluster.client import Cluster
from companyos_canary.model.rollout import Rollout

_LOOK = 0.5


@dataclass(frozen=True, slots=True)
class Drained:
    """`done`: no canary pod is left and stable is whole; else the time was over."""

    done: bool
    rollout: Rollout


def drain(
    cluster: Cluster,
    rollout: Rollout,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
    limit: timedelta | None,
) -> Drained:
    """Looks until the canary's pods are gone. `limit` None waits for ever. Ctrl-C is
    Interrupted."""
    began = now()
    try:
        while not drained(rollout):
            if limit is not None and now() - began >= limit:
                return Drained(False, rollout)
            sleep(_LOOK)
            rollout = cluster.rollout(rollout.name)
    except KeyboardInterrupt:
        raise interrupted(f"`{rollout.name}` is aborted, its canary pods still go") from None
    return Drained(True, rollout)


def with_after(changed: Changed, rollout: Rollout) -> Changed:
    return replace(changed, after=rollout)
