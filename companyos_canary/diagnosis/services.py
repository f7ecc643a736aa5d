"""What keeps traffic from good pods: Services that select none, routers that do not follow, pods that are not made."""

from collections.abc import Callable
from datetime import timedelta

from companyos_canary.argo.replicas import canary_scale
from companyos_canary.argo.steps import asked_share, percent, set_weight
from companyos_canary.diagnosis.case import (
    WEIGHT_SET,
    Case,
    Explanation,
    at,
    condition,
    event_time,
    is_true,
    labels_lacking,
    quote,
    service_of_stable,
    short,
    strategy_services,
)
from companyos_canary.diagnosis.pods import blamed_on_pods, troubles
from companyos_canary.model.http import Fields
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.outcome import Evidence
from companyos_canary.model.quantity import parse_time, whole

_ADMISSION = (
    "admission webhook",
    "denied the request",
    "violates podsecurity",
    "validatingadmissionpolicy",
    "is forbidden",
    "is invalid",
    "must validate",
)
_WAIT = timedelta(seconds=60)
REFUSALS = ("quota", "controller-permissions", "admission-refused", "pods-refused")


def refused(id_: str) -> Callable[[Case], Explanation | None]:
    """The function of the table for pods that the API server refuses to make."""

    def find(case: Case) -> Explanation | None:
        if not blamed_on_pods(case):
            return None
        found = _refusal(case)
        if found is None:
            return None
        message, evidence = found
        if _kind(message) != id_:
            return None
        why = "the namespace's quota is used up" if id_ == "quota" else "the cluster refuses them"
        if id_ == "controller-permissions":
            why = "the controller is not permitted to"
        sentence = f"no more pods of {case.version} can be made because {why}: {short(message)}"
        following = case.kubectl("describe resourcequota") if id_ == "quota" else case.command("events")
        return Explanation(sentence, evidence, following)

    return find


def _kind(message: str) -> str:
    text = message.lower()
    if "exceeded quota" in text or "must specify limits" in text or "must specify requests" in text:
        return "quota"
    if "error looking up service account" in text:
        return "pods-refused"
    if "cannot create resource" in text or "cannot update resource" in text:
        return "controller-permissions"
    return "admission-refused" if any(w in text for w in _ADMISSION) else "pods-refused"


def _refusal(case: Case) -> tuple[str, tuple[Evidence, ...]] | None:
    current = case.snapshot.current
    raw = case.named("ReplicaSet", current.name) if current else None
    found = condition(raw, "ReplicaFailure")
    if raw is not None and found and is_true(raw, "ReplicaFailure"):
        path = ("status", "conditions", found[0])
        evidence = (*quote("ReplicaSet", raw, *path, "message"), *quote("ReplicaSet", raw, "spec", "replicas"))
        return str(found[1].get("message") or ""), (*evidence, *quote("ReplicaSet", raw, "status", "replicas"))
    rollout = case.rollout.raw
    for type_, reasons in (("ReplicaFailure", ("FailedCreate",)), ("Progressing", ("ReplicaSetCreateError",))):
        found = condition(rollout, type_)
        if found and found[1].get("reason") in reasons:
            path = ("status", "conditions", found[0])
            evidence = (*quote("Rollout", rollout, *path, "reason"), *quote("Rollout", rollout, *path, "message"))
            return str(found[1].get("message") or ""), evidence
    return None


def stable_broken(case: Case) -> Explanation | None:
    """The stable version's own pods are in trouble: nothing can be compared with it, and a roll-back has nowhere to
    go."""
    rollout, stable = case.rollout, case.snapshot.stable
    if stable is None or rollout.is_fully_promoted:
        return None
    found = troubles(case, rollout.stable_hash)
    missing = stable.desired - stable.available
    if not found or missing <= 0:
        return None
    own = troubles(case, rollout.current_hash) if not rollout.aborted and missing * 2 < stable.desired else ()
    if own and own[0].id != found[0].id:  # most of stable serves, and the canary has another trouble of its own
        return None
    raw: Fields | None = case.named("ReplicaSet", stable.name)
    evidence = (
        *quote("ReplicaSet", raw, "spec", "replicas"),
        *(quote("ReplicaSet", raw, "status", "availableReplicas")),
        *found[0].evidence[:3],
    )
    what = "the roll-back cannot finish" if rollout.aborted else "the stable version itself is broken"
    name = case.stable_version or "the stable version"
    count = f"{stable.available} of {stable.desired} pods of {name} are available"
    return Explanation(f"{what}: {count}, and {found[0].sentence}", evidence, case.command("get"))


def no_room(case: Case) -> Explanation | None:
    """The weight that is asked for rounds to no pod at all."""
    rollout = case.rollout
    step, current = rollout.current_step, case.snapshot.current
    if rollout.aborted or rollout.is_fully_promoted or step is None or current is None:
        return None
    canary = at(rollout.raw, "spec", "strategy", "canary") or {}
    if canary.get("trafficRouting") or not step.weight or current.desired or rollout.paused or not rollout.observed:
        return None
    if rollout.replicas == 0 or rollout.pause_conditions or case.snapshot.pods_of(current):
        return None
    age = case.since_progress
    if age is None or age < _WAIT:
        return None
    evidence = (
        *case.field("spec", "replicas"),
        *case.field("spec", "strategy", "canary", "steps", rollout.step_index or 0, "setWeight"),
        *case.field("spec", "strategy", "canary", "maxSurge"),
        *case.field("spec", "strategy", "canary", "maxUnavailable"),
    )
    sentence = f"{step.weight} % of {rollout.replicas} pods leaves no room for a canary pod with this maxSurge"
    return Explanation(sentence, evidence, case.command("get"))


_ROUTER = ("TrafficRoutingError", "WeightVerifyError")
_RECENT = timedelta(minutes=10)


def pinned(case: Case) -> Explanation | None:
    """The stable Service, or the active one, selects another ReplicaSet than the stable one."""
    rollout, name = case.rollout, service_of_stable(case.rollout)
    service = case.named("Service", name) if name else None
    pinned_to = at(service, "spec", "selector", HASH_LABEL)
    if not pinned_to or not rollout.stable_hash:
        return None
    age = case.since_progress
    # A Service is switched before the status says so; that of blue-green before the analysis that follows.
    switching = not rollout.aborted and (age is None or age < _WAIT)
    judged = rollout.blue_green is not None and pinned_to == rollout.current_hash and not rollout.aborted
    if pinned_to == rollout.stable_hash or not rollout.observed or rollout.status_phase == "Progressing":
        return None
    if switching or judged:
        return None
    evidence = (*quote("Service", service, "spec", "selector", HASH_LABEL), *case.status("stableRS"))
    sentence = (
        f"Service {name} still sends its traffic to the pods of {pinned_to}, and the stable ReplicaSet is "
        f"{rollout.stable_hash}"
    )
    return Explanation(sentence, evidence, case.kubectl(f"get service {name} -o yaml"))


def selects_nothing(case: Case) -> Explanation | None:
    """A Service of the strategy whose selector fits none of the Rollout's pods."""
    for name in strategy_services(case.rollout):
        service = case.named("Service", name)
        for key, value in labels_lacking(case.rollout, service):
            path = ("spec", "template", "metadata", "labels", key)
            evidence = (*quote("Service", service, "spec", "selector", key), *case.field(*path))
            sentence = f"Service {name} selects no pod of this Rollout: it requires the label {key}={value}"
            return Explanation(sentence, evidence, case.kubectl(f"get service {name} -o yaml"))
    return None


def router_error(case: Case) -> Explanation | None:
    """The traffic router refuses the weights, or does not show them."""
    if case.rollout.status_phase == "Healthy":
        return None
    for event in case.events("Rollout", case.rollout.name):
        if event.get("reason") not in _ROUTER:
            continue
        age = case.age(parse_time(event_time(event)))
        if age is not None and age > _RECENT:
            return None
        evidence = (*quote("Event", event, "reason"), *quote("Event", event, "message"), *case.field(*WEIGHT_SET))
        sentence = f"the controller cannot set the weights of the traffic: {short(str(event.get('message')))}"
        return Explanation(sentence, evidence, case.command("events"))
    return None


def weight_without_pods(case: Case) -> Explanation | None:
    """The router sends requests to a canary that has no pod and gets none; or a step asks for a share of them that no
    router can send there."""
    rollout, current = case.rollout, case.snapshot.current
    if nothing := _scaled_to_nothing(case):
        return nothing
    weight = at(rollout.raw, "status", "canary", "weights", "canary", "weight")
    if not weight or current is None or current.desired or case.snapshot.pods_of(current) or rollout.is_fully_promoted:
        return None
    age = case.since_progress
    if not rollout.observed or age is None or age < _WAIT:
        return None
    because = f"{percent(rollout, whole(weight))} % of the traffic goes to {case.version}, which has no pods"
    evidence = (
        *case.field(*WEIGHT_SET),
        *case.field_of("ReplicaSet", current.name, "spec", "replicas"),
        *case.status("currentStepIndex"),
    )
    return Explanation(because, evidence, case.command("abort" if not rollout.aborted else "undo"))


def _scaled_to_nothing(case: Case) -> Explanation | None:
    """A weight is asked for a canary of which `setCanaryScale` asks for no pod: the controller sets none (upstream
    rollout/trafficrouting.go), and the steps go on."""
    rollout, current, path = case.rollout, case.snapshot.current, ("spec", "strategy", "canary", "steps")
    scale = canary_scale(rollout)
    paused = bool(rollout.pause_conditions) and not rollout.paused and rollout.observed and not rollout.aborted
    if not paused or scale is None or current is None or current.desired or case.snapshot.pods_of(current):
        return None
    steps = list(enumerate(rollout.steps[: (rollout.step_index or 0) + 1]))
    scaled, weighted = ([n for n, s in steps if s.kind == kind][-1:] for kind in ("setCanaryScale", "setWeight"))
    if not set_weight(rollout) or not rollout.replicas or not (scaled and weighted):
        return None
    because = f"the step asks for {asked_share(rollout):g} % of the traffic, but its `setCanaryScale` for no pod"
    evidence = (
        *case.field(*path, weighted[0], "setWeight"),
        *(e for key in ("replicas", "weight") for e in case.field(*path, scaled[0], "setCanaryScale", key)),
        *case.field_of("ReplicaSet", current.name, "spec", "replicas"),
        *case.field("status", "canary", "weights", "canary", "weight"),
    )
    return Explanation(f"{case.version} gets no request: {because}", evidence, case.command("abort"), because)


def not_verified(case: Case) -> Explanation | None:
    """The router has not taken the weight over yet."""
    weights = at(case.rollout.raw, "status", "canary", "weights") or {}
    if weights.get("verified") is not False or case.rollout.status_phase == "Healthy":
        return None
    evidence = (*case.field("status", "canary", "weights", "verified"), *case.field(*WEIGHT_SET))
    age = case.since_progress
    if age is None or age < timedelta(minutes=1):
        return None
    asked = percent(case.rollout, whole(at(weights, "canary", "weight")))
    sentence = f"the weight of {asked} % was set, but the traffic router does not show it yet"
    return Explanation(sentence, evidence, case.command("get"))
