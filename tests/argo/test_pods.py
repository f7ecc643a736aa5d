"""The one word for a pod, row by row as kubectl and the plugin print it."""

from typing import Any

import pytest

from companyos_canary.argo.pods import contradicts, pod_status, ready_containers, restarts
from companyos_canary.model.workload import Pod


def pod(
    *containers: dict[str, Any],
    init: tuple[dict[str, Any], ...] = (),
    deleting: bool = False,
    sidecar: str = "",
    **status: Any,
) -> Pod:
    def named(found: tuple[dict[str, Any], ...], prefix: str) -> list[dict[str, Any]]:
        return [{"name": f"{prefix}{i}", **c} for i, c in enumerate(found)]

    wanted = [
        {"name": f"i{i}", **({"restartPolicy": "Always"} if f"i{i}" == sidecar else {})} for i in range(len(init))
    ]
    return Pod.from_object(
        {
            "metadata": {"name": "p", **({"deletionTimestamp": "now"} if deleting else {})},
            "spec": {
                "containers": [{"name": f"c{i}"} for i in range(max(len(containers), 1))],
                "initContainers": wanted,
            },
            "status": {
                "phase": "Running",
                **status,
                "containerStatuses": named(containers, "c"),
                "initContainerStatuses": named(init, "i"),
            },
        }
    )


RUNNING = {"ready": True, "state": {"running": {}}}
STARTING = {"ready": False, "state": {"running": {}}}


def waiting(reason: str) -> dict[str, Any]:
    return {"ready": False, "state": {"waiting": {"reason": reason}}}


def ended(code: int, reason: str = "", signal: int = 0) -> dict[str, Any]:
    state = {"exitCode": code, "reason": reason, "signal": signal}
    return {"ready": False, "state": {"terminated": state}}


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (pod(RUNNING), "Running"),
        (pod(phase="Pending"), "Pending"),
        (pod(phase="Failed", reason="Evicted"), "Evicted"),
        (pod(waiting("ImagePullBackOff"), phase="Pending"), "ImagePullBackOff"),
        (pod(waiting("CrashLoopBackOff")), "CrashLoopBackOff"),
        (pod(waiting("ErrImagePull"), waiting("CrashLoopBackOff")), "ErrImagePull"),
        (pod(RUNNING, waiting("CrashLoopBackOff")), "CrashLoopBackOff"),
        (pod(ended(137, "OOMKilled")), "OOMKilled"),
        (pod(ended(3)), "ExitCode:3"),
        (pod(ended(0, signal=9)), "Signal:9"),
        (pod(ended(0, "Completed"), phase="Succeeded"), "Completed"),
        (pod(RUNNING, ended(0, "Completed")), "Running"),
        (pod(STARTING, ended(0, "Completed")), "Completed"),
        (pod(RUNNING, deleting=True), "Terminating"),
        (pod(RUNNING, deleting=True, reason="NodeLost"), "Unknown"),
        (pod(init=(ended(0), waiting("PodInitializing")), phase="Pending"), "Init:1/2"),
        (pod(init=(waiting("ErrImagePull"),), phase="Pending"), "Init:ErrImagePull"),
        (pod(init=(ended(1, "Error"),), phase="Pending"), "Init:Error"),
        (pod(init=(ended(1),), phase="Pending"), "Init:ExitCode:1"),
        (pod(init=(ended(1, signal=9),), phase="Pending"), "Init:Signal:9"),
        (pod(RUNNING, init=(ended(0),)), "Running"),
        (pod(RUNNING, init=(RUNNING,), sidecar="i0"), "Running"),
    ],
)
def test_a_pod_is_called_by_what_keeps_it(found: Pod, text: str) -> None:
    assert pod_status(found) == text


def test_only_containers_that_are_ready_and_run_are_counted() -> None:
    assert ready_containers(pod(RUNNING, waiting("CrashLoopBackOff"), STARTING)) == (1, 3)
    assert ready_containers(pod(RUNNING, init=(waiting("ErrImagePull"),))) == (0, 1)


def test_restarts_are_those_of_the_init_containers_while_they_run() -> None:
    busy = {**waiting("CrashLoopBackOff"), "restartCount": 4}
    assert restarts(pod({**RUNNING, "restartCount": 2})) == 2
    assert restarts(pod({**RUNNING, "restartCount": 2}, init=(busy,))) == 4


@pytest.mark.parametrize(
    ("measured", "requests", "due", "said"),
    [
        (0.05, 6000, (0.10,), True),
        (0.25, 600, (0.75,), True),
        (0.07, 6000, (0.10,), False),  # the odds are 1.48 times others
        (0.05, 100, (0.10,), False),  # five requests of a hundred are chance
        (0.33, 6000, (0.10, 0.33), False),  # the pods explain it
        (0.2, 6000, (0.10, 0.33), False),  # between what is asked for and what the pods make
        (0.0, 6000, (0.10,), True),
        (1.0, 6000, (0.10,), True),
        (0.5, 6000, (0.0,), False),  # a weight of 0 says nothing of requests that come by a header
        (0.05, 0, (0.10,), False),
    ],
)
def test_a_share_contradicts_what_is_due_where_chance_does_not_explain_it(
    measured: float, requests: float, due: tuple[float, ...], said: bool
) -> None:
    assert contradicts(measured, requests, due) is said
