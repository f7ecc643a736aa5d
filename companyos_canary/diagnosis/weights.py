"""A share of the traffic that is not the one of the step: pods that are too few to make it, a router without it."""

from datetime import timedelta

from companyos_canary.argo.replicas import canary_scale
from companyos_canary.argo.steps import asked_share, max_weight, percent, set_weight
from companyos_canary.diagnosis.case import WEIGHT_SET, Case, Explanation, at, quote
from companyos_canary.diagnosis.pods import starting
from companyos_canary.model.outcome import Evidence
from companyos_canary.model.quantity import plural, whole
from companyos_canary.units import duration

_HELD = timedelta(minutes=2)
_STEPS = ("spec", "strategy", "canary", "steps")


def rounded_away(case: Case) -> Explanation | None:
    """Without a router pods make the weight, and of so few they make none or all of it: there is no canary, or nothing
    but the canary."""
    rollout, current, stable = case.rollout, case.snapshot.current, case.snapshot.stable
    if not _at_a_step(case) or rollout.is_routed or current is None or stable is None:
        return None
    settled = rollout.pause_conditions or any(not r.is_finished for r in case.snapshot.attempt)
    one_sided = bool(current.desired) != bool(stable.desired)
    if not settled or not one_sided or canary_scale(rollout) is not None:
        return None
    if not 0 < set_weight(rollout) < max_weight(rollout):
        return None
    canary = ("ReplicaSet", case.named("ReplicaSet", current.name), "spec", "replicas")
    evidence = (
        *case.field("spec", "replicas"),
        *_set_weight(case),
        *quote(*canary),
        *case.field_of("ReplicaSet", stable.name, "spec", "replicas"),
        *case.field("spec", "strategy", "canary", "maxSurge"),
    )
    pods = plural(rollout.replicas, "pod")
    became = f"all of them, so {case.version} has all of the traffic"
    if not current.desired:
        became = f"none of them, so {case.version} gets no request"
    if rollout.replicas == 1:
        became = became.replace("all of them", "all of it").replace("none of them", "none of it")
    sentence = (
        f"{asked_share(rollout):g} % of {pods} is {became}: without a traffic router a weight is a number of pods"
    )
    return Explanation(sentence, evidence, case.command("abort" if current.desired else "get"))


def not_reached(case: Case) -> Explanation | None:
    """The router has another weight than the step asks for, though no router and no pod says why: the controller sets
    none while a version has too few available pods for it (upstream rollout/trafficrouting.go)."""
    rollout, current, stable = case.rollout, case.snapshot.current, case.snapshot.stable
    weights = at(rollout.raw, "status", "canary", "weights")
    if not _at_a_step(case) or not rollout.is_routed or weights is None or stable is None:
        return None
    if current is None or not current.desired:  # a canary that is scaled to nothing gets no weight
        return None
    has, lasts = whole(at(weights, "canary", "weight")), _lasts(case)
    if set_weight(rollout) == has or lasts is None or lasts < _HELD or starting(case, rollout.current_hash):
        return None
    short_of = next((r for r in (stable, current) if r.available < r.desired), None)
    evidence = (*_set_weight(case), *case.field(*WEIGHT_SET))
    why = ""
    if short_of is not None:
        name = case.version if short_of is current else case.stable_version or "the stable version"
        why = f": {short_of.available} of {short_of.desired} pods of {name} are available"
        raw = case.named("ReplicaSet", short_of.name)
        evidence += quote("ReplicaSet", raw, "status", "availableReplicas")
        evidence += quote("ReplicaSet", raw, "spec", "replicas")
    sentence = (
        f"{asked_share(rollout):g} % has been asked for {duration(lasts)}, and the traffic router has "
        f"{percent(rollout, has):g} % at {case.version}{why}"
    )
    return Explanation(sentence, evidence, case.command("get"))


def _at_a_step(case: Case) -> bool:
    """Whether the controller has carried out what was asked so far, and a step is in progress."""
    rollout = case.rollout
    if rollout.strategy != "canary" or rollout.aborted or rollout.is_fully_promoted or rollout.promote_full:
        return False
    return rollout.observed and not rollout.paused and (rollout.step_index or 0) < len(rollout.steps)


def _lasts(case: Case) -> timedelta | None:
    """How long nothing has moved: since the last progress, and since the pause began."""
    paused = (case.age(c.started_at) for c in case.rollout.pause_conditions)
    return min((age for age in (case.since_progress, *paused) if age is not None), default=None)


def _set_weight(case: Case) -> tuple[Evidence, ...]:
    """The weight of the step, as it is written."""
    before = case.rollout.steps[: (case.rollout.step_index or 0) + 1]
    found = [i for i, step in enumerate(before) if step.kind == "setWeight"]
    return case.field(*_STEPS, found[-1], "setWeight") if found else ()
