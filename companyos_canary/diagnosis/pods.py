"""Pods that do not come up: what each kind of trouble looks like, and in which order to believe it."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from companyos_canary.argo.cause import says_no_reason
from companyos_canary.argo.patches.record import abort_action
from companyos_canary.argo.pods import is_held, node_is_coming
from companyos_canary.diagnosis.case import Case, Explanation, at, condition, event_time, is_true, quote, short
from companyos_canary.diagnosis.containers import (
    UNREADY,
    Trouble,
    initialising,
    missing_object,
    not_ready,
    of_containers,
    pod_name,
)
from companyos_canary.model.http import Fields
from companyos_canary.model.outcome import Evidence
from companyos_canary.model.quantity import parse_time
from companyos_canary.units import duration

_MOUNT = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_LACKS = r"[Ii]nsufficient ([\w./-]+)"
_VOLUME = ("persistentvolumeclaim", "volume node affinity", "max volume count", "no available volume zone")
_NO_KEY = r"references non-existent (config|secret) key"
_AGAIN = 3  # times
_SETUP = timedelta(seconds=30)  # volumes and networks may be late for so long
_LATELY = timedelta(minutes=10)
_GATED = timedelta(minutes=2)


def troubles(case: Case, hash_: str) -> tuple[Trouble, ...]:
    """The trouble of each pod of a ReplicaSet that is not ready, the worst first."""
    found = [t for pod in _counted(case, hash_) if (t := trouble(case, pod))]
    return tuple(sorted(found, key=lambda t: (ORDER.index(t.id), pod_name(t.pod))))


def _counted(case: Case, hash_: str) -> list[Fields]:
    """The pods that matter: one that has failed does not once another has taken its place, unless they fail again and
    again."""
    pods, replicaset = list(case.pods(hash_)), case.snapshot.replicaset(hash_)
    if hash_ == case.rollout.current_hash:
        pods += case.experiment_pods()
    failed = [p for p in pods if at(p, "status", "phase") == "Failed"]
    lately = [p for p in failed if (age := case.age(p["metadata"].get("creationTimestamp"))) and age < _LATELY]
    replaced = replicaset is not None and len(pods) - len(failed) >= replicaset.desired
    return [p for p in pods if p not in failed] if replaced and len(lately) < _AGAIN else pods


def trouble(case: Case, pod: Fields) -> Trouble | None:
    """What keeps one pod from being ready; None if nothing is known to."""
    if is_true(pod, "Ready"):
        return None
    for check in (_unscheduled, of_containers, _evicted, _silent_node, _mounts, _gate, initialising, not_ready):
        if found := check(case, pod):
            return found
    return None


def starting(case: Case, hash_: str) -> tuple[Fields, ...]:
    """Pods that are not ready yet and have no trouble that is known."""
    return tuple(pod for pod in case.pods(hash_) if not trouble(case, pod) and not is_true(pod, "Ready"))


def _unscheduled(case: Case, pod: Fields) -> Trouble | None:
    found = condition(pod, "PodScheduled")
    if not found or found[1].get("status") != "False":
        return None
    index, said = found
    age = case.age(pod["metadata"].get("creationTimestamp"))
    if _node_comes(case, pod):
        return None
    message = str(said.get("message") or "")
    if said.get("reason") == "SchedulingGated":
        return _gated(pod, age, index)
    lacks = sorted({found.rstrip(".") for found in re.findall(_LACKS, message)})
    why = (
        f"no node has enough {' and '.join(lacks)}"
        if lacks
        else missing_object(message) or short(message or "no node fits")
    )
    evidence = (
        *quote("Pod", pod, "status", "conditions", index, "reason"),
        *quote("Pod", pod, "status", "conditions", index, "message"),
        *_requests(pod, lacks),
    )
    volume = not lacks and any(words in message.lower() for words in _VOLUME)
    if volume and age is not None and age < _SETUP:  # a claim is bound once the pod is there
        return None
    id_ = "volume" if volume else "unschedulable"
    return Trouble(id_, pod, f"pod {pod_name(pod)} cannot be scheduled: {why}", evidence)


def _gated(pod: Fields, age: timedelta | None, index: int) -> Trouble | None:
    """Someone else has to take its scheduling gates away, mostly who keeps quotas. That may take a while."""
    if age is None or age < _GATED:
        return None
    gates = [str(g.get("name")) for g in at(pod, "spec", "schedulingGates") or []]
    evidence = (
        *quote("Pod", pod, "status", "conditions", index, "reason"),
        *quote("Pod", pod, "spec", "schedulingGates", 0, "name"),
        *quote("Pod", pod, "metadata", "creationTimestamp"),
    )
    named = f"scheduling gate {gates[0]}" if len(gates) == 1 else f"scheduling gates {', '.join(gates)}"
    sentence = f"pod {pod_name(pod)} is not scheduled: {duration(age)} after its creation it still has the {named}"
    return Trouble("unschedulable", pod, sentence, evidence)


def _node_comes(case: Case, pod: Fields) -> bool:
    """Whether an autoscaler adds a node for it, or may be about to: by its events, or by what the Snapshot knows of a
    pod like it."""
    known = next((p for p in case.snapshot.pods if p.name == pod_name(pod)), None)
    if known is not None and not is_held(known, case.now):
        return True
    newest_first = [(str(e.get("reason")), parse_time(event_time(e))) for e in case.events("Pod", pod_name(pod))]
    return node_is_coming(newest_first[::-1], case.now)


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


def _silent_node(case: Case, pod: Fields) -> Trouble | None:
    """The kubelet does not answer: what the statuses say is old."""
    found = condition(pod, "Ready")
    if not found or not (found[1].get("status") == "Unknown" or _marked(pod)):
        return None
    path, age = ("status", "conditions", found[0]), case.age(found[1].get("lastTransitionTime"))
    since = f" for {duration(age)}" if age else ""
    node = at(pod, "spec", "nodeName") or "its node"
    evidence = (
        *quote("Pod", pod, *path, "status"),
        *quote("Pod", pod, *path, "reason"),
        *quote("Pod", pod, *path, "message"),
        *quote("Pod", pod, *path, "lastTransitionTime"),
        *quote("Pod", pod, "spec", "nodeName"),
    )
    return Trouble("pod-failed", pod, f"the kubelet of {node} has not reported on pod {pod_name(pod)}{since}", evidence)


def _marked(pod: Fields) -> bool:
    """Whether the pod was marked as not ready because its node is not: its containers still are, as the kubelet last
    said, and no gate explains it (upstream pkg/controller/util/node MarkPodsNotReady)."""
    statuses = at(pod, "status", "containerStatuses") or []
    if at(pod, "spec", "readinessGates") or not is_true(pod, "ContainersReady"):
        return False
    return bool(statuses) and all(s.get("ready") for s in statuses)


def _mounts(case: Case, pod: Fields) -> Trouble | None:
    """A volume or the network of a pod none of whose containers has run. Both are often late once."""
    statuses = [*(at(pod, "status", "initContainerStatuses") or []), *(at(pod, "status", "containerStatuses") or [])]
    if any(at(s, "state", "running") or at(s, "state", "terminated") for s in statuses):
        return None
    age = case.age(pod["metadata"].get("creationTimestamp"))
    for event in sorted(case.events("Pod", pod_name(pod)), key=_only_late):
        message = str(event.get("message") or "")
        evidence = (*quote("Event", event, "reason"), *quote("Event", event, "message"))
        what = missing_object(message)
        lacks_key = re.search(_NO_KEY, message)
        once = age is not None and age < _SETUP and (event.get("count") or 1) < _AGAIN
        if event.get("reason") in _MOUNT and (what or lacks_key or not once):
            config = (what and not what.lower().startswith("persistent")) or lacks_key
            sentence = f"pod {pod_name(pod)} cannot mount a volume: {what or short(message)}"
            return Trouble("missing-config" if config else "volume", pod, sentence, evidence)
        if event.get("reason") == "FailedCreatePodSandBox" and not once:
            sentence = f"the node cannot set up pod {pod_name(pod)}: {short(message)}"
            return Trouble("pod-sandbox", pod, sentence, evidence)
    return None


def _only_late(event: Fields) -> bool:
    """Whether the kubelet says only that it still waits for a volume, and another event why."""
    return "timed out waiting for the condition" in str(event.get("message"))


def _gate(case: Case, pod: Fields) -> Trouble | None:
    gates = [g.get("conditionType") for g in at(pod, "spec", "readinessGates") or []]
    containers = condition(pod, "ContainersReady")
    if not gates or not containers or containers[1].get("status") != "True":
        return None
    age = case.age(containers[1].get("lastTransitionTime"))
    if age is not None and age < UNREADY:
        return None
    for gate in gates:
        if is_true(pod, str(gate)):
            continue
        found = condition(pod, str(gate))
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


def pod_cause(id_: str) -> Callable[[Case], Explanation | None]:
    """The function of the table for one kind of trouble with the newest version's pods."""

    def find(case: Case) -> Explanation | None:
        if not blamed_on_pods(case):
            return None
        found = troubles(case, case.rollout.current_hash)
        if not found or found[0].id != id_:
            return None
        return _finding(case, found[0])

    return find


def _finding(case: Case, worst: Trouble) -> Explanation:
    name = pod_name(worst.pod)
    logs = ("crash-loop", "oom-killed", "init-container", "liveness-failing", "readiness-failing")
    following = _logs(case, worst) if worst.id in logs else case.kubectl(f"describe pod {name}")
    if worst.id == "image-pull":
        following = (
            case.command("undo") if case.rollout.current_hash == case.rollout.stable_hash else case.command("abort")
        )
        if case.rollout.aborted:
            following = case.command("get")
        elif len(case.snapshot.replicasets) < 2:  # the first version: there is none to go back to
            following = case.kubectl(f"describe pod {name}")
    return Explanation(worst.sentence, worst.evidence, following)


def _logs(case: Case, worst: Trouble) -> str:
    """The command that shows what the container wrote, of an instance that has ended where that is the one to read."""
    several = len(at(worst.pod, "spec", "containers") or []) > 1 or worst.id == "init-container"
    options = [f"-c {worst.container}"] if several and worst.container else []
    return case.command("logs", " ".join(options + (["--previous"] if worst.before else [])))


def blamed_on_pods(case: Case) -> bool:
    """Whether trouble of the newest pods matters: not once everything is available, and not where an analysis has
    rolled the version back already, or a person has."""
    rollout = case.rollout
    if rollout.aborted:
        by_person = says_no_reason(rollout.status_message) and (
            (case.did is not None and case.did.verb == "abort") or bool(abort_action(rollout.annotations))
        )
        return not case.ended_by_analysis and not by_person
    return not (rollout.status_phase == "Healthy" and rollout.observed)
