"""Pods that do not come up: what each kind of trouble looks like, and in which order to believe it."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from companyos_canary.argo.cause import aborted_by_analysis, says_no_reason
from companyos_canary.argo.patches.record import abort_action
from companyos_canary.diagnosis.case import Case, Finding, at, condition, quote, short
from companyos_canary.diagnosis.containers import MISSING, UNREADY, Trouble, not_ready, of_containers, pod_name
from companyos_canary.model.http import Fields
from companyos_canary.model.outcome import Evidence

_MOUNT = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_LACKS = re.compile(r"[Ii]nsufficient ([\w./-]+)")
_STARTING = timedelta(minutes=2)
_SCALE_UP = timedelta(minutes=10)


def troubles(case: Case, hash_: str) -> tuple[Trouble, ...]:
    """The trouble of each pod of a ReplicaSet that is not ready, the worst first."""
    found = [t for pod in case.pods(hash_) if (t := trouble(case, pod))]
    return tuple(sorted(found, key=lambda t: (ORDER.index(t.id), t.pod["metadata"]["name"])))


def trouble(case: Case, pod: Fields) -> Trouble | None:
    """What keeps one pod from being ready; None if nothing is known to."""
    ready = condition(pod, "Ready")
    if ready and ready[1].get("status") == "True":
        return None
    for check in (_unscheduled, of_containers, _evicted, _mounts, _gate, not_ready):
        if found := check(case, pod):
            return found
    return None


def starting(case: Case, hash_: str) -> tuple[Fields, ...]:
    """Pods that are not ready yet and have no trouble that is known."""
    return tuple(
        pod
        for pod in case.pods(hash_)
        if not trouble(case, pod) and not ((ready := condition(pod, "Ready")) and ready[1].get("status") == "True")
    )


def _unscheduled(case: Case, pod: Fields) -> Trouble | None:
    found = condition(pod, "PodScheduled")
    if not found or found[1].get("status") != "False":
        return None
    index, said = found
    age = case.age(pod["metadata"].get("creationTimestamp"))
    scaling = any(e.get("reason") == "TriggeredScaleUp" for e in case.events("Pod", pod_name(pod)))
    if scaling and age is not None and age < _SCALE_UP:
        return None
    message = str(said.get("message") or "")
    if said.get("reason") == "SchedulingGated":
        return None
    lacks = sorted({found.rstrip(".") for found in _LACKS.findall(message)})
    why = f"no node has enough {' and '.join(lacks)}" if lacks else short(message or "no node fits")
    evidence = (
        *quote("Pod", pod, "status", "conditions", index, "reason"),
        *quote("Pod", pod, "status", "conditions", index, "message"),
        *_requests(pod, lacks),
    )
    id_ = "volume" if "persistentvolumeclaim" in message.lower() and not lacks else "unschedulable"
    return Trouble(id_, pod, f"pod {pod_name(pod)} cannot be scheduled: {why}", evidence)


def _requests(pod: Fields, lacks: list[str]) -> Iterator[Evidence]:
    for n, _ in enumerate(at(pod, "spec", "containers") or []):
        for resource in lacks:
            yield from quote("Pod", pod, "spec", "containers", n, "resources", "requests", resource)


def _evicted(case: Case, pod: Fields) -> Trouble | None:  # noqa: ARG001
    if at(pod, "status", "phase") != "Failed":
        return None
    evidence = (*quote("Pod", pod, "status", "reason"), *quote("Pod", pod, "status", "message"))
    why = short(str(at(pod, "status", "message") or at(pod, "status", "reason") or "it failed"))
    return Trouble("pod-failed", pod, f"pod {pod_name(pod)} failed: {why}", evidence)


def _mounts(case: Case, pod: Fields) -> Trouble | None:
    if any(at(s, "state", "running") for s in at(pod, "status", "containerStatuses") or []):
        return None
    for event in case.events("Pod", pod_name(pod)):
        message = str(event.get("message") or "")
        evidence = (*quote("Event", event, "reason"), *quote("Event", event, "message"))
        if event.get("reason") in _MOUNT:
            missing = MISSING.search(message)
            id_ = "missing-config" if missing and missing[1].lower() != "persistentvolumeclaim" else "volume"
            what = f"{missing[1]} {missing[2]} does not exist" if missing else short(message)
            return Trouble(id_, pod, f"pod {pod_name(pod)} cannot mount a volume: {what}", evidence)
        if event.get("reason") == "FailedCreatePodSandBox":
            return Trouble(
                "pod-sandbox", pod, f"the node cannot set up pod {pod_name(pod)}: {short(message)}", evidence
            )
    return None


def _gate(case: Case, pod: Fields) -> Trouble | None:
    gates = [g.get("conditionType") for g in at(pod, "spec", "readinessGates") or []]
    containers = condition(pod, "ContainersReady")
    if not gates or not containers or containers[1].get("status") != "True":
        return None
    age = case.age(containers[1].get("lastTransitionTime"))
    if age is not None and age < UNREADY:
        return None
    for gate in gates:
        found = condition(pod, str(gate))
        if found and found[1].get("status") == "True":
            continue
        path = (*quote("Pod", pod, "spec", "readinessGates", gates.index(gate), "conditionType"),)
        if found:
            path += quote("Pod", pod, "status", "conditions", found[0], "status")
            path += quote("Pod", pod, "status", "conditions", found[0], "message")
        sentence = f"pod {pod_name(pod)} runs, but the readiness gate {gate} is not met"
        return Trouble("readiness-gate", pod, sentence, path)
    return None


ORDER = (
    "image-pull",
    "missing-config",
    "oom-killed",
    "liveness-failing",
    "crash-loop",
    "init-container",
    "container-start",
    "unschedulable",
    "volume",
    "pod-sandbox",
    "pod-failed",
    "readiness-gate",
    "readiness-failing",
)


def pod_cause(id_: str) -> Callable[[Case], Finding | None]:
    """The function of the table for one kind of trouble with the newest version's pods."""

    def find(case: Case) -> Finding | None:
        if not blamed_on_pods(case):
            return None
        found = troubles(case, case.rollout.current_hash)
        if not found or found[0].id != id_:
            return None
        return _finding(case, found[0])

    return find


def _finding(case: Case, worst: Trouble) -> Finding:
    name = pod_name(worst.pod)
    logs = ("crash-loop", "oom-killed", "init-container", "liveness-failing", "readiness-failing")
    following = case.command("logs") if worst.id in logs else case.kubectl(f"describe pod {name}")
    if worst.id == "image-pull":
        following = (
            case.command("undo") if case.rollout.current_hash == case.rollout.stable_hash else case.command("abort")
        )
        if case.rollout.aborted:
            following = case.command("get")
    return Finding(worst.sentence, worst.evidence, following)


def blamed_on_pods(case: Case) -> bool:
    """Whether trouble of the newest pods matters: not once everything is available, and not where an analysis has
    rolled the version back already, or a person has."""
    rollout = case.rollout
    if rollout.aborted:
        by_person = says_no_reason(rollout.status_message) and (
            (case.did is not None and case.did.verb == "abort") or bool(abort_action(rollout.annotations))
        )
        return not aborted_by_analysis(case.snapshot) and not by_person
    return not (rollout.status_phase == "Healthy" and rollout.observed)
