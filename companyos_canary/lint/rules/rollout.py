"""What the controller refuses in a Rollout, and what a Rollout does that its author may not expect."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from companyos_canary.argo.canary_faults import Fault
from companyos_canary.argo.replicas import rounded
from companyos_canary.argo.validation import own_faults, service_faults
from companyos_canary.lint.finding import Found, Path, below, mappings, rule
from companyos_canary.lint.objects import Manifest, RuleCase, World, named_services, namespaces_of
from companyos_canary.lint.rules import shape

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@rule("invalid-rollout", "error", "Rollout")
def invalid_rollout(case: RuleCase) -> Iterator[Found]:
    """What makes a Rollout an InvalidSpec.

    The controller writes the sentence into the Rollout's status and does nothing more: no new ReplicaSet is made, and
    an update that is in progress stays where it is. These are the verdicts of `kubectl argo rollouts lint`, for
    the Rollout and the Services in the same files.
    """
    misspelled = {f.path[:-1] for f in shape.faults("Rollout", case.object.data) if isinstance(f, shape.Unknown)}
    for fault in _faults(case):
        path = _path(fault.field, case.object)
        if path in misspelled:  # what is missing there has another name
            continue
        told = f"{fault.problem}: {fault.detail}" if fault.detail else fault.problem
        yield Found(path, told[0].lower() + told[1:])


def _faults(case: RuleCase) -> Iterator[Fault]:
    rollout: dict[str, Any] = dict(case.object.data)
    referring = bool(case.object.spec.get("workloadRef"))
    named = (case.object.spec.get("template") or {}).get("metadata") or {}
    if referring and (named.get("labels") or named.get("annotations")):
        yield Fault("spec.template", "Internal error", "template must be empty for workload reference rollout")
        return
    if referring:
        rollout["spec"] = {**case.object.spec, **_WORKLOAD}
    yield from own_faults(rollout)
    for path, name in named_services(case.object):
        service = case.world.find("Service", name, case.object)
        if service and not referring:
            yield from service_faults(".".join(map(str, path)), rollout, name, service.data)


_WORKLOAD = {
    "selector": {"matchLabels": {"of": "workload"}},
    "template": {"metadata": {"labels": {"of": "workload"}}, "spec": {"containers": [{"image": "of-workload"}]}},
}
"""What a workloadRef brings along."""


def _path(field: str, rollout: Manifest) -> Path:
    """The path of a field that the controller names: it leaves out `.canary` and `.blueGreen`."""
    path = tuple(name or int(index) for name, index in _PART.findall(field))
    named = [k for k in ("canary", "blueGreen") if below(rollout.spec, "strategy", k) is not None]
    if path[:2] != ("spec", "strategy") or path[2] in ("canary", "blueGreen", "strategy"):
        return path[:2] if path[2:] == ("strategy",) else path
    return (*path[:2], *named[:1], *path[2:])


@rule("weight-by-pods", "warning", "Rollout")
def weight_by_pods(case: RuleCase) -> Iterator[Found]:
    """Without a router the weight is a number of pods, and cannot be what the step says.

    10 % of 3 pods is one of four (25 %). With one replica a canary gets half of the traffic, or, without
    room for one more pod, all of it.
    """
    canary, replicas = case.object.canary, case.object.spec.get("replicas")
    for index, weight, got in rounded(canary, replicas):
        total = got.canary + got.stable
        pods = f"{got.canary} of {total} pod{'' if total == 1 else 's'}"
        yield Found(
            (*_AT, "steps", index, "setWeight"),
            f"{weight} % of {replicas} replicas is {pods}: {got.canary * 100 / total:.0f} %",
        )


_AT: Path = ("spec", "strategy", "canary")


@rule("endless-pause", "note", "Rollout")
def endless_pause(case: RuleCase) -> Iterator[Found]:
    """A pause without a duration waits for a person.

    In CI `canary deploy` ends with 8 at this step, unless `--until paused` makes that the end; nothing continues until
    someone promotes or aborts it.
    """
    for index, step in enumerate(case.object.canary.get("steps") or ()):
        if step.get("pause") is not None and step["pause"].get("duration") is None:
            yield Found((*_AT, "steps", index, "pause"), "the rollout waits here until someone promotes it")


@rule("short-history", "warning", "Rollout")
def short_history(case: RuleCase) -> Iterator[Found]:
    """A history that is too short to go back.

    The ReplicaSet of an old version is what an undo goes back to. With a revisionHistoryLimit of 0 there is none as
    soon as a release is finished, and with 1 the one that is kept may be that of an aborted version.
    """
    limit = case.object.spec.get("revisionHistoryLimit")
    if limit in (0, 1):
        kept = (
            "no old ReplicaSet is kept" if limit == 0 else "the only old ReplicaSet may be that of an aborted version"
        )
        yield Found(("spec", "revisionHistoryLimit"), f"{kept}, so an undo may have nothing to go back to")


@rule("abort-keeps-canary", "warning", "Rollout")
def abort_keeps_canary(case: RuleCase) -> Iterator[Found]:
    """After an abort the canary's pods stay for ever.

    `abortScaleDownDelaySeconds: 0` means never where a step has used setCanaryScale, not at once. Without the field
    they stay for 30 seconds.
    """
    canary = case.object.canary
    scaled = any(step.get("setCanaryScale") is not None for step in canary.get("steps") or ())
    if canary.get("abortScaleDownDelaySeconds") == 0 and scaled:
        text = "with setCanaryScale a delay of 0 means that aborted pods are never removed"
        yield Found((*_AT, "abortScaleDownDelaySeconds"), text, "leave it out (30 seconds), or say how long")


@rule("service-without-router", "warning", "Rollout")
def service_without_router(case: RuleCase) -> Iterator[Found]:
    """A canary Service without a router gets no share of the traffic.

    The Service selects the canary's pods, but nothing sends the weight of a step to it (argo-rollouts #1760): the
    traffic goes where the other Services send it, by numbers of pods.
    """
    canary = case.object.canary
    if canary.get("canaryService") and canary.get("trafficRouting") is None:
        text = f"nothing sends traffic to the Service `{canary['canaryService']}`: the Rollout has no trafficRouting"
        yield Found((*_AT, "canaryService"), text)


@rule("two-owners-of-replicas", "warning", "Rollout")
def two_owners_of_replicas(case: RuleCase) -> Iterator[Found]:
    """An autoscaler and the manifest both set the number of replicas.

    Every apply sets the number back to that of the manifest, also under load, until the autoscaler scales again.
    """
    if case.object.spec.get("replicas") is None:
        return
    for namespace in namespaces_of("HorizontalPodAutoscaler", case.object):
        for scaler in _scalers(case.world).get((case.object.name, namespace), ()):
            text = f"the HorizontalPodAutoscaler `{scaler}` sets the replicas, too"
            yield Found(("spec", "replicas"), text, "leave `replicas` out of the Rollout")


@rule("scaled-by-memory", "warning", "HorizontalPodAutoscaler")
def scaled_by_memory(case: RuleCase) -> Iterator[Found]:
    """A Rollout is scaled by its memory.

    Memory does not fall when more pods share the load, so that the autoscaler does not come down again, and it rises
    with each new version that starts: the pods of the canary, and with them the weight where there is no router, are
    decided by how much the new version needs to start.
    """
    if below(case.object.spec, "scaleTargetRef", "kind") != "Rollout":
        return
    for index, metric in enumerate(mappings(case.object.spec, "metrics")):
        if below(metric, "resource", "name") == "memory":
            path = ("spec", "metrics", index, "resource", "name")
            yield Found(path, "memory does not fall when pods are added", "scale by CPU or by requests")


@lru_cache(maxsize=1)
def _scalers(world: World) -> Mapping[tuple[str, str | None], dict[str, None]]:
    """The names of the autoscalers of a Rollout, by its name and the namespace, None for any."""
    found: dict[tuple[str, str | None], dict[str, None]] = {}
    for scaler in world.of("HorizontalPodAutoscaler"):
        if below(scaler.spec, "scaleTargetRef", "kind") == "Rollout":
            target = str(below(scaler.spec, "scaleTargetRef", "name") or "")
            for namespace in (scaler.namespace, None):
                found.setdefault((target, namespace), {})[scaler.name] = None
    return found


RULES = (
    invalid_rollout,
    weight_by_pods,
    endless_pause,
    short_history,
    abort_keeps_canary,
    service_without_router,
    two_owners_of_replicas,
    scaled_by_memory,
)
