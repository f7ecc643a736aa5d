"""Promoting pause by pause until a weight is reached."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from companyos_canary.actions.change import Changed, Verb, change
from companyos_canary.argo.effects import Effect, promoted
from companyos_canary.argo.endings import Followed, Until, ended, waits_for_a_person
from companyos_canary.argo.patches import INCONCLUSIVE, promote
from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import Refused
from companyos_canary.model.outcome import EndKind
from companyos_canary.model.rollout import Rollout

_LOOK = 0.5


@dataclass(frozen=True, slots=True)
class Climbed:
    """How far it came. `kind` None: the time was over or a promote was not observed; `promotes`
    counts those that were seen."""

    kind: EndKind | None
    rollout: Rollout
    promotes: int


def promote_to_weight(
    cluster: Cluster,
    name: str,
    weight: int,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
    limit: timedelta | None,
) -> Climbed:
    """Promotes at each pause and waits for each analysis, until the weight is reached. Raises
    Refused at an analysis without a verdict: that is for a person to judge."""
    began, promotes = now(), 0
    until = Until("weight", weight)
    live = cluster.rollout(name)
    if live.blue_green:
        raise Refused(
            f"`{name}` is blue-green: it has no weights",
            hint="`canary promote` moves the active Service to the preview at its pause",
        )
    followed = Followed(live.image(), live.current_hash, "")
    while True:
        kind = ended(live, followed, until, somebody_is_there=True)
        if kind is not None or (limit is not None and now() - began >= limit):
            return Climbed(kind, live, promotes)
        if live.observed and waits_for_a_person(live):
            step = _promote(cluster, live, sleep)
            if step.effect is Effect.PENDING:
                return Climbed(None, step.after, promotes)
            promotes, live = promotes + 1, step.after
            continue
        sleep(_LOOK)
        live = cluster.rollout(name)


def _promote(cluster: Cluster, live: Rollout, sleep: Callable[[float], None]) -> Changed:
    if any(c.reason == INCONCLUSIVE for c in live.pause_conditions):
        raise Refused(
            f"an analysis of `{live.name}` gave no verdict: somebody has to look",
            hint="`canary get` shows why; `canary promote` goes on without a verdict",
        )
    verb = Verb("promote", lambda rollout: promote(rollout, skip_step=False), promoted)
    return change(cluster, live.name, verb, sleep=sleep)
