"""Containers that do not come up or do not stay up: what each kind of trouble looks like in a pod's status."""

import re
from dataclasses import dataclass
from datetime import timedelta

from companyos_canary.diagnosis.case import Case, at, quote, short
from companyos_canary.model.http import Fields
from companyos_canary.model.outcome import Evidence
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
MISSING = re.compile(r'(configmap|secret|persistentvolumeclaim) "([^"]+)" not found', re.I)
UNREADY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One pod's trouble; `sentence` and `evidence` are about that pod alone."""

    id: str
    pod: Fields
    sentence: str
    evidence: tuple[Evidence, ...]


def of_containers(case: Case, pod: Fields) -> Trouble | None:
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
        evidence = (*said, *quote("Pod", pod, *path, "image"), *pod_event(case, pod, "Failed"))
        image = status.get("image") or name
        return Trouble(
            "image-pull",
            pod,
            f"the image {image} cannot be pulled ({waiting}){_pull_why(case, pod, message)}",
            evidence,
        )
    if waiting == _CONFIG:
        missing = MISSING.search(message)
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
    killed = pod_event(case, pod, "Unhealthy", "Liveness") or pod_event(case, pod, "Killing", "liveness")
    if killed and not init:
        sentence = f"container {name} is restarted because its liveness probe fails ({times})"
        return Trouble("liveness-failing", pod, sentence, (*killed, *evidence))
    code = at(status, *ended, "exitCode")
    lines = case.logs.get(pod_name(pod), ())
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
    told = [message, *(str(e.get("message")) for e in case.events("Pod", pod_name(pod)) if e.get("reason") == "Failed")]
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


def not_ready(case: Case, pod: Fields) -> Trouble | None:
    for index, status in enumerate(at(pod, "status", "containerStatuses") or []):
        started = at(status, "state", "running", "startedAt")
        if status.get("ready") or not at(status, "state", "running"):
            continue
        running = case.age(started) or timedelta()
        if running <= _allowed(pod, status):
            continue
        name = status.get("name", "")
        told = pod_event(case, pod, "Unhealthy")
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
    return max(UNREADY, timedelta(seconds=total))


def pod_event(case: Case, pod: Fields, reason: str, word: str = "") -> tuple[Evidence, ...]:
    """The newest event of a pod with that reason whose message has a word."""
    for event in case.events("Pod", pod_name(pod)):
        if event.get("reason") == reason and word in str(event.get("message")):
            return quote("Event", event, "message")
    return ()


def pod_name(pod: Fields) -> str:
    return str(pod["metadata"]["name"])
