"""One text for the state of a pod, and its ready containers and restarts, as kubectl shows them."""

from collections.abc import Mapping
from typing import Any

from companyos_canary.model.workload import ContainerStatus, Pod


def pod_status(pod: Pod) -> str:
    """`Running`, `Pending`, `ImagePullBackOff`, `Init:0/1`, `Terminating`... (upstream
    pkg/kubectl-argo-rollouts/info/pod_info.go, which follows kubectl's printer)."""
    if pod.deleting:
        return "Unknown" if pod.reason == "NodeLost" else "Terminating"
    starting = _initialising(pod)
    if starting:
        return starting
    text = pod.reason or pod.phase or "Pending"  # no kubelet has said anything yet
    ready_and_running = False
    for container in reversed(pod.containers):
        said = _said(container)
        text = said or text
        if not said and container.ready and container.running:
            ready_and_running = True
    return "Running" if text == "Completed" and ready_and_running else text


def ready_containers(pod: Pod) -> tuple[int, int]:
    """Containers that are ready and running, and all containers."""
    if _initialising(pod):
        return 0, pod.container_count
    ready = sum(1 for c in pod.containers if c.ready and c.running and not _said(c))
    return ready, pod.container_count


def restarts(pod: Pod) -> int:
    """Restarts of the containers, or of the init containers while these run."""
    counted = pod.init_containers if _initialising(pod) else pod.containers
    return sum(c.restarts for c in counted)


def _said(container: ContainerStatus) -> str:
    """What a container that does not simply run says of itself."""
    if container.reason:
        return container.reason
    return _ended(container) if container.terminated else ""


def _ended(container: ContainerStatus) -> str:
    if container.signal:
        return f"Signal:{container.signal}"
    return f"ExitCode:{container.exit_code or 0}"


def _initialising(pod: Pod) -> str:
    """`Init:...` while an init container is not done, else nothing."""
    for index, container in enumerate(pod.init_containers):
        if container.terminated and not container.exit_code:
            continue
        if container.terminated:
            return f"Init:{container.reason or _ended(container)}"
        if _is_sidecar(pod, container.name) and container.running:
            if container.ready:
                continue
            return ""
        if container.reason and container.reason != "PodInitializing":
            return f"Init:{container.reason}"
        return f"Init:{index}/{len(pod.raw_spec.get('initContainers') or ())}"
    return ""


def _is_sidecar(pod: Pod, name: str) -> bool:
    declared: list[Mapping[str, Any]] = pod.raw_spec.get("initContainers") or []
    return any(c.get("name") == name and c.get("restartPolicy") == "Always" for c in declared)
