"""Runs pods: starts them, makes them ready, or lets them fail as their image says."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.behaviour import Delay, Queue, prompt
from companyos_canary.sandbox.kinds import POD
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.scenarios import Behaviour, behaviour
from companyos_canary.sandbox.store import Informer, Store

READY_AFTER = "sim/ready-after"
_NODE = {"hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.1"}]}
_NODE_NAME = "sandbox"
_PULL = 'Back-off pulling image "{image}"'
_CRASH = "back-off 10s restarting failed container={name} pod={pod}"


class Kubelet:
    """One `step` writes the status of one pod. A pod becomes ready some time after it was started
    (half a second, or what its image or the annotation `sim/ready-after` says, in seconds)."""

    def __init__(self, store: Store, behave: Callable[[str], Behaviour] = behaviour, delay: Delay = prompt) -> None:
        self._store = store
        self._behave = behave
        self._pods = Informer(store, POD)
        self._new, self._starting = Queue(delay), Queue()
        self._addresses = 0

    def step(self, now: datetime) -> datetime | None:
        """The next moment at which a pod is started or becomes ready, None without."""
        for change in self._pods.changes():
            uid = change.object["metadata"]["uid"]
            if change.type == "ADDED":
                self._new.changed(uid, now)
            elif change.type == "DELETED":
                self._new.drop(uid)
                self._starting.drop(uid)
        if new := self._new.take(now):
            self._start(self._pods.objects[new], now)
            return now
        if started := self._starting.take(now):
            self._finish(self._pods.objects[started], now)
            return now
        return min((at for at in (self._new.next, self._starting.next) if at is not None), default=None)

    def _start(self, pod: Object, now: datetime) -> None:
        if (pod.get("status") or {}).get("phase") == "Running":
            return
        images = [c.get("image", "") for c in pod["spec"].get("containers") or []]
        fails = next((f for f in (self._behave(i).fails for i in images) if f), None)
        if not pod["spec"].get("nodeName"):
            pod = self._store.update(POD, {**pod, "spec": {**pod["spec"], "nodeName": _NODE_NAME}})
        self._addresses += 1
        third, fourth = divmod(self._addresses, 250)
        address = f"10.244.{third % 250}.{fourth + 1}"
        if fails is None:
            self._starting.put(pod["metadata"]["uid"], now + self._start_up(pod))
        states = [_waiting(pod, c, fails) for c in pod["spec"].get("containers") or []]
        self._write(
            pod,
            "Pending" if fails != "CrashLoopBackOff" else "Running",
            {
                **_NODE,
                "startTime": format_time(now),
                "podIP": address,
                "podIPs": [{"ip": address}],
                "conditions": _conditions(now, ready=False),
                "containerStatuses": states,
            },
        )

    def _finish(self, pod: Object, now: datetime) -> None:
        states = [_running(c, now) for c in pod["spec"].get("containers") or []]
        status = {**(pod.get("status") or {}), "conditions": _conditions(now, ready=True), "containerStatuses": states}
        self._write(pod, "Running", status)

    def _write(self, pod: Object, phase: str, status: dict[str, Any]) -> None:
        status = {**status, "phase": phase, "qosClass": "BestEffort"}
        self._store.update(POD, {**pod, "status": status}, status_only=True)

    def _start_up(self, pod: Object) -> timedelta:
        text = (pod["metadata"].get("annotations") or {}).get(READY_AFTER, "")
        try:
            seconds = float(text)
        except ValueError:
            found = [self._behave(c.get("image", "")) for c in pod["spec"].get("containers") or []]
            seconds = max((b.starts_in for b in found), default=0.5)
        return timedelta(seconds=seconds)


def _conditions(now: datetime, *, ready: bool) -> list[dict[str, Any]]:
    at, value = format_time(now), "True" if ready else "False"
    states = (("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", value), ("Ready", value))
    return [
        {"type": type_, "status": status, "lastProbeTime": None, "lastTransitionTime": at} for type_, status in states
    ]


def _container(container: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "lastState": {},
        "restartCount": 0,
        "ready": False,
        "started": False,
    }


def _waiting(pod: Object, container: dict[str, Any], fails: str | None) -> dict[str, Any]:
    state = _container(container)
    if fails is None:
        return {**state, "state": {"waiting": {"reason": "ContainerCreating"}}}
    words = _PULL if fails == "ImagePullBackOff" else _CRASH
    message = words.format(image=container.get("image", ""), name=container["name"], pod=pod["metadata"]["name"])
    if fails == "CrashLoopBackOff":
        state["restartCount"] = 1
        state["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    return {**state, "state": {"waiting": {"reason": fails, "message": message}}}


def _running(container: dict[str, Any], now: datetime) -> dict[str, Any]:
    image = container.get("image", "")
    return {
        **_container(container),
        "imageID": f"docker.io/library/{image}",
        "ready": True,
        "started": True,
        "state": {"running": {"startedAt": format_time(now)}},
    }
