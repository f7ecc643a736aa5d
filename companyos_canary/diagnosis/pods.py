"""Pods that do not come up: what each kind of trouble looks like, and in which order to believe it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from companyos_canary.argo.cause import aborted_by_analysis, says_no_reason
from companyos_canary.argo.patches.record import abort_action
from companyos_canary.diagnosis.case import Case, Finding, at, condition, quote
from companyos_canary.model.http import Fields
from companyos_canary.model.outcome import Evidence
from companyos_canary.units import duration

_PULL = (
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)
_CONFIG = "CreateContainerConfigError"
_CANNOT_START = ("CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun")
_MOUNT = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_MISSING = re.compile(r'(configmap|secret|persistentvolumeclaim) "([^"]+)" not found', re.I)
_LACKS = re.compile(r"[Ii]nsufficient ([\w./-]+)")
_UNREADY = timedelta(seconds=60)
_STARTING = timedelta(minutes=2)
_SCALE_UP = timedelta(minutes=10)
_LONGEST = 160  # characters of a message in a sentence


@dataclass(frozen=True, slots=True)
class Trouble:
    """One pod's trouble; `sentence` and `evidence` are about that pod alone."""

    id: str
    pod: Fields
    sentence: str
    evidence: tuple[Evidence, ...]


def troubles(case: Case, hash_: str) -> tuple[Trouble, ...]:
    """The trouble of each pod of a ReplicaSet that is not ready, the worst first."""
    found = [t for pod in case.pods(hash_) if (t := trouble(case, pod))]
    return tuple(sorted(found, key=lambda t: (ORDER.index(t.id), t.pod["metadata"]["name"])))


def trouble(case: Case, pod: Fields) -> Trouble | None:
    """What keeps one pod from being ready; None if nothing is known to."""
    ready = condition(pod, "Ready")
    if ready and ready[1].get("status") == "True":
        return None
    for check in (_unscheduled, _containers, _evicted, _mounts, _gate, _readiness):
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


def short(message: str) -> str:
    """One line of a message, cut where it is long."""
    line = " ".join(message.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _name(pod: Fields) -> str:
    return str(pod["metadata"]["name"])


def _unscheduled(case: Case, pod: Fields) -> Trouble | None:
    found = condition(pod, "PodScheduled")
    if not found or found[1].get("status") != "False":
        return None
    index, said = found
    age = case.age(pod["metadata"].get("creationTimestamp"))
    scaling = any(e.get("reason") == "TriggeredScaleUp" for e in case.events("Pod", _name(pod)))
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
    return Trouble(id_, pod, f"pod {_name(pod)} cannot be scheduled: {why}", evidence)


def _requests(pod: Fields, lacks: list[str]) -> Iterator[Evidence]:
    for n, _ in enumerate(at(pod, "spec", "containers") or []):
        for resource in lacks:
            yield from quote("Pod", pod, "spec", "containers", n, "resources", "requests", resource)


def _containers(case: Case, pod: Fields) -> Trouble | None:
    for key, init in (("initContainerStatuses", True), ("containerStatuses", False)):
        for index, status in enumerate(at(pod, "status", key) or []):
            if found := _container(case, pod, (key, index), status, init):
                return found
    return None


def _container(case: Case, pod: Fields, place: tuple[str, int], status: Fields, init: bool) -> Trouble | None:
    key, index = place
    path = ("status", key, index)
    name = status.get("name", "")
    waiting = str(at(status, "state", "waiting", "reason") or "")
    message = str(at(status, "state", "waiting", "message") or "")
    restarts = status.get("restartCount") or 0
    said = (
        *quote("Pod", pod, *path, "state", "waiting", "reason"),
        *quote("Pod", pod, *path, "state", "waiting", "message"),
    )
    if waiting in _PULL:
        evidence = (*said, *quote("Pod", pod, *path, "image"), *_event(case, pod, "Failed"))
        image = status.get("image") or name
        return Trouble(
            "image-pull",
            pod,
            f"the image {image} cannot be pulled ({waiting}){_pull_why(case, pod, message)}",
            evidence,
        )
    if waiting == _CONFIG:
        missing = _MISSING.search(message)
        what = f"{missing[1]} {missing[2]} does not exist" if missing else short(message)
        return Trouble("missing-config", pod, f"container {name} cannot be started: {what}", said)
    if waiting in _CANNOT_START:
        return Trouble("container-start", pod, f"container {name} cannot be started: {short(message)}", said)
    ended = next((p for p in (("state", "terminated"), ("lastState", "terminated")) if at(status, *p)), None)
    failed = ended is not None and (status.get("state") or {}).get("running") is None
    if ended is None or (init and at(status, *ended, "exitCode") == 0):
        return None
    if not failed and not restarts:
        return None
    evidence = (
        *quote("Pod", pod, *path, *ended, "reason"),
        *quote("Pod", pod, *path, *ended, "exitCode"),
        *quote("Pod", pod, *path, "restartCount"),
    )
    times = f"{restarts} {'restart' if restarts == 1 else 'restarts'}"
    if at(status, *ended, "reason") == "OOMKilled":
        limit = _limit(pod, name)
        bound = f" of {limit[0].value}" if limit else ""
        sentence = f"container {name} was killed because it used more memory than its limit{bound} ({times})"
        return Trouble("oom-killed", pod, sentence, (*evidence, *limit))
    killed = _event(case, pod, "Unhealthy", "Liveness") or _event(case, pod, "Killing", "liveness")
    if killed and not init:
        sentence = f"container {name} is restarted because its liveness probe fails ({times})"
        return Trouble("liveness-failing", pod, sentence, (*killed, *evidence))
    code = at(status, *ended, "exitCode")
    lines = case.logs.get(_name(pod), ())
    last = next((line for line in reversed(lines) if line.strip()), "") or str(at(status, *ended, "message") or "")
    told = f": {short(last)}" if last else ""
    if init:
        sentence = f"init container {name} fails with exit code {code}{told}"
        return Trouble("init-container", pod, sentence, (*said[:1], *evidence))
    sentence = f"container {name} {_crashes(waiting, code, restarts, times)}{told}"
    return Trouble("crash-loop", pod, sentence, (*said[:1], *evidence))


def _crashes(waiting: str, code: object, restarts: int, times: str) -> str:
    if not restarts:
        return f"exited with code {code}"
    if waiting:
        return f"is in {waiting}: exit code {code}, {times}"
    return f"exits with code {code} and is started again and again ({times})"


def _pull_why(case: Case, pod: Fields, message: str) -> str:
    told = [message, *(str(e.get("message")) for e in case.events("Pod", _name(pod)) if e.get("reason") == "Failed")]
    text = " ".join(told).lower()
    for words, why in (
        (("manifest unknown", "not found"), "it does not exist in the registry"),
        (("unauthorized", "denied", "authentication required", "403"), "the registry refuses the credentials"),
        (("no such host", "connection refused", "i/o timeout", "timeout"), "the registry cannot be reached"),
        (("toomanyrequests", "rate limit"), "the registry limits the number of pulls"),
        (("invalidimagename", "couldn't parse image", "invalid reference"), "the name is not valid"),
    ):
        if any(w in text for w in words):
            return f": {why}"
    return ""


def _limit(pod: Fields, container: str) -> tuple[Evidence, ...]:
    for n, c in enumerate(at(pod, "spec", "containers") or []):
        if c.get("name") == container:
            return quote("Pod", pod, "spec", "containers", n, "resources", "limits", "memory")
    return ()


def _event(case: Case, pod: Fields, reason: str, word: str = "") -> tuple[Evidence, ...]:
    """The newest event of a pod with that reason whose message has a word."""
    for event in case.events("Pod", _name(pod)):
        if event.get("reason") == reason and word in str(event.get("message")):
            return quote("Event", event, "message")
    return ()


def _evicted(case: Case, pod: Fields) -> Trouble | None:  # noqa: ARG001
    if at(pod, "status", "phase") != "Failed":
        return None
    evidence = (*quote("Pod", pod, "status", "reason"), *quote("Pod", pod, "status", "message"))
    why = short(str(at(pod, "status", "message") or at(pod, "status", "reason") or "it failed"))
    return Trouble("pod-failed", pod, f"pod {_name(pod)} failed: {why}", evidence)


def _mounts(case: Case, pod: Fields) -> Trouble | None:
    if any(at(s, "state", "running") for s in at(pod, "status", "containerStatuses") or []):
        return None
    for event in case.events("Pod", _name(pod)):
        message = str(event.get("message") or "")
        evidence = (*quote("Event", event, "reason"), *quote("Event", event, "message"))
        if event.get("reason") in _MOUNT:
            missing = _MISSING.search(message)
            id_ = "missing-config" if missing and missing[1].lower() != "persistentvolumeclaim" else "volume"
            what = f"{missing[1]} {missing[2]} does not exist" if missing else short(message)
            return Trouble(id_, pod, f"pod {_name(pod)} cannot mount a volume: {what}", evidence)
        if event.get("reason") == "FailedCreatePodSandBox":
            return Trouble("pod-sandbox", pod, f"the node cannot set up pod {_name(pod)}: {short(message)}", evidence)
    return None


def _gate(case: Case, pod: Fields) -> Trouble | None:
    gates = [g.get("conditionType") for g in at(pod, "spec", "readinessGates") or []]
    containers = condition(pod, "ContainersReady")
    if not gates or not containers or containers[1].get("status") != "True":
        return None
    age = case.age(containers[1].get("lastTransitionTime"))
    if age is not None and age < _UNREADY:
        return None
    for gate in gates:
        found = condition(pod, str(gate))
        if found and found[1].get("status") == "True":
            continue
        path = (*quote("Pod", pod, "spec", "readinessGates", gates.index(gate), "conditionType"),)
        if found:
            path += quote("Pod", pod, "status", "conditions", found[0], "status")
            path += quote("Pod", pod, "status", "conditions", found[0], "message")
        sentence = f"pod {_name(pod)} runs, but the readiness gate {gate} is not met"
        return Trouble("readiness-gate", pod, sentence, path)
    return None


def _readiness(case: Case, pod: Fields) -> Trouble | None:
    for index, status in enumerate(at(pod, "status", "containerStatuses") or []):
        started = at(status, "state", "running", "startedAt")
        if status.get("ready") or not at(status, "state", "running"):
            continue
        running = case.age(started) or timedelta()
        if running <= _allowed(pod, status):
            continue
        name = status.get("name", "")
        told = _event(case, pod, "Unhealthy")
        why = f": {short(str(told[0].value))}" if told else ""
        evidence = (
            *told,
            *quote("Pod", pod, "status", "containerStatuses", index, "ready"),
            *quote("Pod", pod, "status", "containerStatuses", index, "state", "running", "startedAt"),
        )
        sentence = f"container {name} has been running for {duration(running)} and is not ready{why}"
        return Trouble("readiness-failing", pod, sentence, evidence)
    return None


def _allowed(pod: Fields, status: Fields) -> timedelta:
    """How long a container may take to become ready by its own probes; a minute at the least."""
    containers = at(pod, "spec", "containers") or []
    spec: Fields = next((c for c in containers if c.get("name") == status.get("name")), {})
    total = 0
    for key in ("startupProbe", "readinessProbe"):
        probe = spec.get(key) or {}
        if not probe:
            continue
        total += probe.get("initialDelaySeconds") or 0
        if key == "readinessProbe" or not status.get("started"):
            total += (probe.get("periodSeconds") or 10) * (probe.get("failureThreshold") or 3)
    return max(_UNREADY, timedelta(seconds=total))


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
    name = _name(worst.pod)
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
