"""Promoting pause by pause until a weight is reached."""

from dataclasses import dataclass
from functools import partial

from companyos_canary.actions.change import Changed, Verb, change
from companyos_canary.actions.wait import Time, wait
from companyos_canary.argo.effects import Effect, promoted
from companyos_canary.argo.endings import Followed, Until, ended, waits_for_a_person
from companyos_canary.argo.patches import INCONCLUSIVE, promote
from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import Refused
from companyos_canary.model.outcome import EndKind
from companyos_canary.model.rollout import Rollout

_LOOK = 0.5  # seconds, where the pause is about to end by itself


@dataclass(frozen=True, slots=True)
class Climbed:
    """How far it came. `kind` None: the time was over, or the effect of `unseen`, a promote, was not
    seen; `promotes` counts those that were."""

    kind: EndKind | None
    rollout: Rollout
    promotes: int
    unseen: Changed | None = None


def promote_to_weight(cluster: Cluster, name: str, weight: int, *, time: Time) -> Climbed:
    """Promotes at each pause and waits for each analysis, until the weight is reached. Raises
    Refused at an analysis without a verdict: that is for a person to judge; and what the last look
    failed with, where it is refused again and again."""
    promotes, until = 0, Until("weight", weight)
    live = cluster.rollout(name)
    if live.blue_green:
        raise Refused(
            f"`{name}` is blue-green: it has no weights",
            hint="`canary promote` moves the active Service to the preview at its pause",
        )
    end = partial(ended, followed=Followed(live.image(), live.current_hash, ""), until=until, somebody_is_there=True)

    def judge(now: Rollout) -> Effect:
        return Effect.SEEN if end(now) or (now.observed and waits_for_a_person(now)) else Effect.PENDING

    while True:
        waited = wait(lambda: cluster.rollout(name), judge, live, time=time, patience=None)
        live, kind = waited.rollout, end(waited.rollout)
        if kind is not None or time.over:
            return Climbed(kind, live, promotes)
        if waited.trouble:
            raise waited.trouble
        step = _promote(cluster, live, time, promotes)
        if step.effect not in (Effect.SEEN, Effect.OTHER, None):
            return Climbed(None, step.after, promotes, step)
        if not step.sent:
            time.sleep(_LOOK)
        promotes, live = promotes + bool(step.sent), step.after


def _promote(cluster: Cluster, live: Rollout, time: Time, promotes: int) -> Changed:
    verb = Verb("promote", lambda rollout: promote(rollout, skip_step=False), promoted)
    try:
        if any(c.reason == INCONCLUSIVE for c in live.pause_conditions):
            raise Refused(
                f"an analysis of `{live.name}` was inconclusive: someone has to decide",
                hint="`canary get` shows why; `canary promote` continues without a verdict",
            )
        return change(cluster, live.name, verb, time=time)
    except Refused as error:
        if promotes:
            error.message = f"{error.message} (after {promotes} {'promote' if promotes == 1 else 'promotes'})"
        raise
