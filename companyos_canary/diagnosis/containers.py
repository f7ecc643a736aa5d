"""Containers that do not come up or do not stay up: what each kind of trouble looks like in a pod's status."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from msgspec import Struct

from companyos_canary.diagnosis.case import Case, at, event_time, quote, short
from companyos_canary.model.http import Fields
from companyos_canary.model.outcome import Evidence
from companyos_canary.model.quantity import parse_time, plural, whole_seconds
from companyos_canary.units import duration

_CONFIG = "CreateContainerConfigError"
_PULL = (
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)
_CANNOT_START = ("CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun")
MISSING = r'(?i)(configmap|secret|persistentvolumeclaim) "([^"]+)" not found'
UNREADY = timedelta(seconds=60)
_SECURITY = ("runAsNonRoot", "runAsUser", "non-numeric user")
_FORGOTTEN = timedelta(minutes=10)  # after so long the kubelet starts its back-off again
_OFTEN = 3  # restarts
_WORST = (
    "image-pull",
    "missing-config",
    "oom-killed",
    "liveness-failing",
    "container-start",
    "crash-loop",
    "init-container",
)


class Trouble(Struct, frozen=True):
    """One pod's trouble; `sentence` and `evidence` are about that pod alone. `container` is the one whose log tells
    more, `before`: the log of its instance before this one."""

    id: str
    pod: Fields
    sentence: str
    evidence: tuple[Evidence, ...]
    container: str = ""
    before: bool = False


def of_containers(case: Case, pod: Fields) -> Trouble | None:
    """The worst trouble of a container; one that is ready has none, whatever it did before."""
    found = [
        trouble
        for key in ("initContainerStatuses", "containerStatuses")
        for index, status in enumerate(at(pod, "status", key) or [])
        if not (status.get("ready") and at(status, "state", "running"))
        if (trouble := _container(case, pod, ("status", key, index), status))
    ]
    return min(found, key=lambda t: _WORST.index(t.id), default=None)


def _container(case: Case, pod: Fields, path: tuple[str, str, int], status: Fields) -> Trouble | None:
    name = status.get("name", "")
    waiting = str(at(status, "state", "waiting", "reason") or "")
    message = str(at(status, "state", "waiting", "message") or "")
    said = (
        *quote("Pod", pod, *path, "state", "waiting", "reason"),
        *quote("Pod", pod, *path, "state", "waiting", "message"),
    )
    if waiting in _PULL:
        evidence = (*said, *quote("Pod", pod, *path, "image"), *pod_event(case, pod, "Failed"))
        image = str(status.get("image") or name)
        why = _pull_why(case, pod, image, message)
        return Trouble("image-pull", pod, f"the image {image} cannot be pulled ({waiting}){why}", evidence)
    if waiting == _CONFIG and not any(word in message for word in _SECURITY):
        what = missing_object(message) or short(message)
        return Trouble("missing-config", pod, f"container {name} cannot be started: {what}", said)
    if waiting in (*_CANNOT_START, _CONFIG):
        return Trouble("container-start", pod, f"container {name} cannot be started: {short(message)}", said)
    return _ended(case, pod, path, status, waiting)


def _ended(case: Case, pod: Fields, path: tuple[str, str, int], status: Fields, waiting: str) -> Trouble | None:
    """A container that ended, and may have been started again."""
    key, name, restarts = path[1], status.get("name", ""), status.get("restartCount") or 0
    init = key == "initContainerStatuses"
    ended = next((p for p in (("state", "terminated"), ("lastState", "terminated")) if at(status, *p)), None)
    if ended is None or (init and at(status, *ended, "exitCode") == 0) or _recovers(case, pod, status):
        return None
    said = quote("Pod", pod, *path, "state", "waiting", "reason")
    evidence = (
        *quote("Pod", pod, *path, *ended, "reason"),
        *quote("Pod", pod, *path, *ended, "exitCode"),
        *quote("Pod", pod, *path, "restartCount"),
    )
    times = plural(restarts, "restart")
    before = bool(at(status, "state", "running"))
    reason, message = at(status, *ended, "reason"), str(at(status, *ended, "message") or "")
    if reason in _CANNOT_START:
        sentence = f"container {name} cannot be started: {short(message or str(reason))}"
        return Trouble("container-start", pod, sentence, (*evidence, *quote("Pod", pod, *path, *ended, "message")))
    if reason == "OOMKilled":
        limit = _limit(pod, name)
        sentence = f"container {name} was killed because {_memory(limit)} ({times})"
        return Trouble("oom-killed", pod, sentence, (*evidence, *limit), name, before)
    for probe in ("liveness", "startup"):
        if killed := _killed_by(case, pod, name, probe, at(status, *ended, "finishedAt")):
            sentence = f"container {name} is restarted because its {probe} probe fails ({times})"
            return Trouble("liveness-failing", pod, sentence, (*killed, *evidence), name, before)
    code = at(status, *ended, "exitCode")
    last = _telling(case.logs.get(pod_name(pod), ())) or message
    told = f": {short(last)}" if last else ""
    if init:
        sentence = f"init container {name} fails with exit code {code}{told}"
        return Trouble("init-container", pod, sentence, (*said, *evidence), name, before)
    sentence = f"container {name} {_crashes(waiting, code, restarts, times)}{told}"
    return Trouble("crash-loop", pod, sentence, (*said, *evidence), name, before)


_DIES = r"(?i)^panic: |\bfatal\b|\bunhandled\b|\buncaught\b|^exception in thread"
_FRAME = (
    r"^\s|^goroutine \d+|^exit status \d+|^Node\.js v\d|^(created by|at|Caused by:|\.\.\. \d+ more)\b"
    r"|^[\w./*()]+\(.*\)$"
)


def _telling(lines: Sequence[str]) -> str:
    """The line of a log that says why: the last with which a program dies, else the last that is no part of a stack."""
    written = [line for line in lines if line.strip()]
    said = [line.strip() for line in written if not re.search(_FRAME, line)] or [line.strip() for line in written]
    return next((line for line in reversed(said) if re.search(_DIES, line)), said[-1] if said else "")


def _recovers(case: Case, pod: Fields, status: Fields) -> bool:
    """Whether it runs again, and it is another question why it is not ready: it has not been restarted, or has run for
    longer than it may take, after a restart or two, or than the kubelet remembers."""
    if not at(status, "state", "running"):
        return False
    restarts = status.get("restartCount") or 0
    runs = case.age(at(status, "state", "running", "startedAt"))
    if not restarts or runs is None:
        return not restarts
    return runs > _FORGOTTEN or (restarts < _OFTEN and runs > _allowed(pod, status))


def _killed_by(case: Case, pod: Fields, container: str, probe: str, ended: Any) -> tuple[Evidence, ...]:
    """The event of this probe of this container, unless it is much older than the end of the container."""
    at_ = parse_time(ended)
    for event in case.events("Pod", pod_name(pod)):
        message = str(event.get("message") or "")
        if event.get("reason") not in ("Unhealthy", "Killing") or f"{probe} probe" not in message.lower():
            continue
        seen = parse_time(event_time(event))
        if of_container(event, container) and not (at_ and seen and at_ - seen > _FORGOTTEN):
            return quote("Event", event, "message")
    return ()


def of_container(event: Fields, name: str) -> bool:
    """Whether an event of a pod is about this container; also where it names none."""
    path = str(at(event, "involvedObject", "fieldPath") or "")
    return "{" not in path or path.endswith(f"{{{name}}}")


def _memory(limit: tuple[Evidence, ...]) -> str:
    if limit:
        return f"it used more memory than its limit of {limit[0].value}"
    return "there was no memory left for it, and it has no limit of its own"


def missing_object(message: str) -> str:
    """`configmap x does not exist`, where a message of the kubelet says so."""
    found = re.search(MISSING, message)
    return f"{found[1]} {found[2]} does not exist" if found else ""


def _crashes(waiting: str, code: object, restarts: int, times: str) -> str:
    if not restarts:
        return f"exited with code {code}"
    if waiting:
        return f"is in {waiting}: exit code {code}, {times}"
    if restarts == 1:
        return f"exited with code {code} and was started again"
    return f"exits with code {code} and is started again and again ({times})"


_PULL_WHYS = (
    (r"no match for platform|no matching manifest", "it has no variant for the platform of the node"),
    (r"invalidimagename|couldn't parse image|invalid reference", "the name is not valid"),
    (r"toomanyrequests|rate limit|\b429\b", "the registry limits the number of pulls"),
    (r"manifest unknown|not found|name unknown", "it does not exist in the registry"),
    (r"unauthorized|denied|authentication required|\b40[13]\b|no basic auth", "the registry refuses the credentials"),
    (r"x509|certificate", "the node does not trust the certificate of the registry"),
    (r"no such host|connection refused|timeout|timed out|no route to host", "the registry cannot be reached"),
    (r"no space left", "the node has no space left for it"),
)


def _pull_why(case: Case, pod: Fields, image: str, message: str) -> str:
    told = [message, *(str(e.get("message")) for e in case.events("Pod", pod_name(pod)) if e.get("reason") == "Failed")]
    text = " ".join(told).lower()
    for name in (image, image.partition("@")[0], image.rpartition(":")[0], image.partition("/")[2]):
        text = text.replace(name.lower(), "") if name else text  # which may have any of these words in it
    found = next((why for pattern, why in _PULL_WHYS if re.search(pattern, text)), "")
    return f": {found}" if found else ""


def _limit(pod: Fields, container: str) -> tuple[Evidence, ...]:
    for n, c in enumerate(at(pod, "spec", "containers") or []):
        if c.get("name") == container:
            return quote("Pod", pod, "spec", "containers", n, "resources", "limits", "memory")
    return ()


def initialising(case: Case, pod: Fields) -> Trouble | None:
    """An init container that has run for longer than the progress deadline: it waits for something."""
    sidecars = _sidecars(pod)
    for index, status in enumerate(at(pod, "status", "initContainerStatuses") or []):
        path, name = ("status", "initContainerStatuses", index), str(status.get("name", ""))
        running = case.age(at(status, "state", "running", "startedAt"))
        if name in sidecars or running is None or running < max(UNREADY, case.rollout.progress_deadline):
            continue
        evidence = quote("Pod", pod, *path, "state", "running", "startedAt")
        evidence += case.field("spec", "progressDeadlineSeconds")
        sentence = f"init container {name} has been running for {duration(running)} and has not finished"
        return Trouble("init-container", pod, sentence, evidence, name)
    return None


def not_ready(case: Case, pod: Fields) -> Trouble | None:
    for path, status in _for_good(pod):
        started = at(status, "state", "running", "startedAt")
        if status.get("ready") or not at(status, "state", "running"):
            continue
        running = case.age(started) or timedelta()
        if running <= _allowed(pod, status):
            continue
        name = str(status.get("name", ""))
        told = pod_event(case, pod, "Unhealthy", container=name)
        why = f": {short(str(told[0].value))}" if told else ""
        evidence = (
            *told,
            *quote("Pod", pod, *path, "ready"),
            *quote("Pod", pod, *path, "state", "running", "startedAt"),
        )
        sentence = f"container {name} has been running for {duration(running)} and is not ready{why}"
        return Trouble("readiness-failing", pod, sentence, evidence, name)
    return None


def _sidecars(pod: Fields) -> set[str]:
    """The init containers that run as long as the pod does."""
    declared = at(pod, "spec", "initContainers") or []
    return {str(c.get("name")) for c in declared if c.get("restartPolicy") == "Always"}


def _for_good(pod: Fields) -> Iterator[tuple[tuple[str, str, int], Fields]]:
    """The statuses of the containers that run as long as the pod does, sidecars among the init containers too."""
    sidecars = _sidecars(pod)
    for key in ("containerStatuses", "initContainerStatuses"):
        for index, status in enumerate(at(pod, "status", key) or []):
            if key == "containerStatuses" or status.get("name") in sidecars:
                yield ("status", key, index), status


def _allowed(pod: Fields, status: Fields) -> timedelta:
    """How long a container may take to become ready by its own probes; a minute at the least."""
    containers = [*(at(pod, "spec", "containers") or []), *(at(pod, "spec", "initContainers") or [])]
    spec: Fields = next((c for c in containers if c.get("name") == status.get("name")), {})
    total = 0
    for key in ("startupProbe", "readinessProbe"):
        probe = spec.get(key) or {}
        if not probe:
            continue
        total += probe.get("initialDelaySeconds") or 0
        if key == "readinessProbe" or not status.get("started"):
            total += (probe.get("periodSeconds") or 10) * (probe.get("failureThreshold") or 3)
    return max(UNREADY, whole_seconds(total))


def pod_event(case: Case, pod: Fields, reason: str, *, container: str = "") -> tuple[Evidence, ...]:
    """The newest event of a pod, or of one container, with that reason."""
    for event in case.events("Pod", pod_name(pod)):
        if event.get("reason") == reason and (not container or of_container(event, container)):
            return quote("Event", event, "message")
    return ()


def pod_name(pod: Fields) -> str:
    return str(pod["metadata"]["name"])
