"""Traffic: Services that select the wrong pods or none, and routers that do not follow."""

from datetime import timedelta

from companyos_canary.diagnosis.case import Case, Evidence, Finding, at, condition, quote
from companyos_canary.diagnosis.pods import short
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.rollout import HASH_LABEL

_ROUTER = ("TrafficRoutingError", "WeightVerifyError")
_RECENT = timedelta(minutes=10)


def service_names(case: Case) -> tuple[str, ...]:
    """The Services that the strategy names, the stable one first."""
    canary = at(case.rollout.raw, "spec", "strategy", "canary") or {}
    return tuple(str(canary[k]) for k in ("stableService", "canaryService") if canary.get(k))


def pinned(case: Case) -> Finding | None:
    """The stable Service selects another ReplicaSet than the stable one."""
    rollout = case.rollout
    names = service_names(case)
    service = case.named("Service", names[0]) if names else None
    pinned_to = at(service, "spec", "selector", HASH_LABEL)
    if not at(rollout.raw, "spec", "strategy", "canary", "stableService") or not pinned_to or not rollout.stable_hash:
        return None
    if pinned_to == rollout.stable_hash or not rollout.observed:
        return None
    evidence = (
        *quote("Service", service, "spec", "selector", HASH_LABEL),
        *quote("Rollout", rollout.raw, "status", "stableRS"),
    )
    sentence = (
        f"Service {names[0]} still sends its traffic to the pods of {pinned_to}, and the stable ReplicaSet is "
        f"{rollout.stable_hash}"
    )
    return Finding(sentence, evidence, case.kubectl(f"get service {names[0]} -o yaml"))


def selects_nothing(case: Case) -> Finding | None:
    """A Service of the strategy whose selector fits none of the Rollout's pods."""
    labels = at(case.rollout.template or case.rollout.raw, "metadata", "labels") or {}
    for name in service_names(case):
        service = case.named("Service", name)
        selector = at(service, "spec", "selector") or {}
        for key, value in selector.items():
            if key != HASH_LABEL and labels.get(key) != value:
                evidence: tuple[Evidence, ...] = (*quote("Service", service, "spec", "selector", key),)
                path = ("spec", "template", "metadata", "labels", key)
                evidence += quote("Rollout", case.rollout.raw, *path)
                sentence = f"Service {name} selects no pod of this Rollout: it wants the label {key}={value}"
                return Finding(sentence, evidence, case.kubectl(f"get service {name} -o yaml"))
    return None


def router_error(case: Case) -> Finding | None:
    """The traffic router refuses the weights, or does not show them."""
    if case.rollout.status_phase == "Healthy":
        return None
    for event in case.events("Rollout", case.rollout.name):
        if event.get("reason") not in _ROUTER:
            continue
        age = case.age(parse_time(event.get("lastTimestamp")))
        if age is not None and age > _RECENT:
            return None
        evidence = (
            *quote("Event", event, "reason"),
            *quote("Event", event, "message"),
            *quote("Rollout", case.rollout.raw, "status", "canary", "weights", "canary", "weight"),
        )
        sentence = f"the controller cannot set the weights of the traffic: {short(str(event.get('message')))}"
        return Finding(sentence, evidence, case.command("events"))
    return None


def not_verified(case: Case) -> Finding | None:
    """The router has not taken the weight over yet."""
    weights = at(case.rollout.raw, "status", "canary", "weights") or {}
    if weights.get("verified") is not False or case.rollout.status_phase == "Healthy":
        return None
    path = ("status", "canary", "weights")
    evidence = (
        *quote("Rollout", case.rollout.raw, *path, "verified"),
        *quote("Rollout", case.rollout.raw, *path, "canary", "weight"),
    )
    found = condition(case.rollout.raw, "Progressing")
    age = case.age(found[1].get("lastUpdateTime")) if found else None
    if age is None or age < timedelta(minutes=1):
        return None
    sentence = f"the weight of {at(weights, 'canary', 'weight')} % was set, but the traffic router does not show it yet"
    return Finding(sentence, evidence, case.command("get"))
