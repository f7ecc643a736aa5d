"""Runs pods: starts them, makes them ready, or lets them fail as their image says."""

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.kinds import POD
from companyos_canary.sandbox.scenarios import Behaviour, behaviour
from companyos_canary.sandbox.store import Object, Store

READY_AFTER = "sim/ready-after"
_NODE = {"hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.1"}]}
_PULL = 'Back-off pulling image "{image}"'
_CRASH = "back-off 10s restarting failed container={name} pod={pod}"


class Kubelet:
    """One `step` writes the status of one pod. A pod becomes ready some time after it was started
    (half a second, or what its image or the annotation `sim/ready-after` says, in seconds)."""

    def __init__(self, store: Store, behave: Callable[[str], Behaviour] = behaviour) -> None:
        self._store = store
        self._behave = behave
        self._started: dict[str, datetime] = {}
        self._ready: set[str] = set()
        self._addresses = 0

    def step(self, now: datetime) -> datetime | None:
        """The next moment at which a pod becomes ready, None without."""
        pods = {p["metadata"]["uid"]: p for p in self._store.items(POD)}
        self._started = {u: at for u, at in self._started.items() if u in pods}
        self._ready &= set(pods)
        new = [u for u in pods if u not in self._started]
        if new:
            uid = min(new, key=lambda u: int(pods[u]["metadata"]["resourceVersion"]))
            self._start(pods[uid], now)
            return now
        waiting = {u: self._due(pods[u]) for u in self._started if u not in self._ready}
        due = [(at, u) for u, at in waiting.items() if at is not None]
        if due and min(due)[0] <= now:
            uid = min((at, list(self._started).index(u), u) for at, u in due)[2]
            self._finish(pods[uid], now)
            return now
        return min(due)[0] if due else None

    def _start(self, pod: Object, now: datetime) -> None:
        uid = pod["metadata"]["uid"]
        self._started[uid] = now
        if (pod.get("status") or {}).get("phase") == "Running":
            self._ready.add(uid)
            return
        images = [c.get("image", "") for c in pod["spec"].get("containers") or []]
        fails = next((f for f in (self._behave(i).fails for i in images) if f), None)
        self._addresses += 1
        third, fourth = divmod(self._addresses, 250)
        address = f"10.244.{third % 250}.{fourth + 1}"
        states = [_waiting(pod, c, fails) for c in pod["spec"].get("containers") or []]
        self._write(pod, "Pending" if fails != "CrashLoopBackOff" else "Running", {
            **_NODE, "startTime": format_time(now),
            "podIP": address, "podIPs": [{"ip": address}],
            "conditions": _conditions(now, ready=False),
            "containerStatuses": states,
        })  # fmt: skip

    def _finish(self, pod: Object, now: datetime) -> None:
        self._ready.add(pod["metadata"]["uid"])
        states = [_running(c, now) for c in pod["spec"].get("containers") or []]
        status = {
            **(pod.get("status") or {}),
            "conditions": _conditions(now, ready=True),
            "containerStatuses": states,
        }
        self._write(pod, "Running", status)

    def _write(self, pod: Object, phase: str, status: dict[str, Any]) -> None:
        new = copy.deepcopy(pod)
        new["status"] = {**status, "phase": phase, "qosClass": "BestEffort"}
        self._store.update(POD, new, status_only=True)

    def _due(self, pod: Object) -> datetime | None:
        found = [self._behave(c.get("image", "")) for c in pod["spec"].get("containers") or []]
        if any(b.fails for b in found):
            return None
        text = (pod["metadata"].get("annotations") or {}).get(READY_AFTER, "")
        try:
            seconds = float(text)
        except ValueError:
            seconds = max((b.starts_in for b in found), default=0.5)
        return self._started[pod["metadata"]["uid"]] + timedelta(seconds=seconds)


def _conditions(now: datetime, *, ready: bool) -> list[dict[str, Any]]:
    at, value = format_time(now), "True" if ready else "False"
    states = (
        ("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", value),
        ("Ready", value),
    )  # fmt: skip
    return [
        {"type": type_, "status": status, "lastProbeTime": None, "lastTransitionTime": at}
        for type_, status in states
    ]


def _container(container: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": container["name"], "image": container.get("image", ""), "imageID": "",
        "lastState": {}, "restartCount": 0, "ready": False, "started": False,
    }  # fmt: skip


def _waiting(pod: Object, container: dict[str, Any], fails: str | None) -> dict[str, Any]:
    state = _container(container)
    if fails is None:
        return {**state, "state": {"waiting": {"reason": "ContainerCreating"}}}
    words = _PULL if fails == "ImagePullBackOff" else _CRASH
    message = words.format(
        image=container.get("image", ""), name=container["name"], pod=pod["metadata"]["name"]
    )
    if fails == "CrashLoopBackOff":
        state["restartCount"] = 1
        state["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    return {**state, "state": {"waiting": {"reason": fails, "message": message}}}


def _running(container: dict[str, Any], now: datetime) -> dict[str, Any]:
    image = container.get("image", "")
    return {
        **_container(container), "imageID": f"docker.io/library/{image}", "ready": True,
        "started": True, "state": {"running": {"startedAt": format_time(now)}},
    }  # fmt: skip
