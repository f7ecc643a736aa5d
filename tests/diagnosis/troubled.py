"""Makes cases of pods in trouble, as other kubelets, runtimes, registries and schedulers tell of it, and of pods that
only look as if they were: `python -m tests.diagnosis.troubled [FOLDER]`.

Each is the one pod of a canary (tests/diagnosis/varied.py `starting`) with other statuses and events.
"""

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.diagnosis.__main__ import CASES
from tests.diagnosis.varied import Json, Variation, starting

TROUBLED: dict[str, Callable[[], Variation]] = {}
HASH = "5649d79497"


def troubled(make: Callable[[], Variation]) -> Callable[[], Variation]:
    TROUBLED[make.__name__.replace("_", "-")] = make
    return make


def the_pod(made: Variation) -> Json:
    return made.pods(HASH)[0]


def waiting(reason: str, message: str = "", **more: Any) -> Json:
    said = {"message": message} if message else {}
    return {"state": {"waiting": {"reason": reason, **said}}, **more}


def ended(code: int, reason: str = "Error", message: str = "", at: str = "") -> Json:
    found: Json = {"exitCode": code, "reason": reason}
    if message:
        found["message"] = message
    if at:
        found["finishedAt"] = at
    return {"terminated": found}


def pulled(
    message: str, says: str, *, image: str = "registry.example.com/shop/catalog:v2", reason: str = "ErrImagePull"
) -> Variation:
    made = starting("image-pull", status=waiting(reason, message, image=image))
    made.case["says"] = says
    return made


def containers(made: Variation, *found: Json, init: bool = False) -> Variation:
    """The statuses of the pod's containers, each with the fields that all have."""
    base = {"ready": False, "restartCount": 0, "lastState": {}, "image": "catalog:v2"}
    key = "initContainerStatuses" if init else "containerStatuses"
    the_pod(made)["status"][key] = [{**base, **one} for one in found]
    return made


def running(made: Variation, ago: float, **more: Any) -> Json:
    return {"started": True, "state": {"running": {"startedAt": made.ago(ago)}}, **more}


def event(made: Variation, reason: str, message: str, *, ago: float = 5, container: str = "", **more: Any) -> Variation:
    name = the_pod(made)["metadata"]["name"]
    made.event("Pod", name, reason, message, ago=ago)
    found = made.objects[-1]
    if container:
        found["involvedObject"]["fieldPath"] = f"spec.containers{{{container}}}"
    for key, value in more.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = value
    return made


# Registries and runtimes


@troubled
def containerd_finds_no_such_tag() -> Variation:
    ref = "registry.example.com/shop/catalog:v2"
    return pulled(
        f'failed to pull and unpack image "{ref}": failed to resolve reference "{ref}": {ref}: not found',
        "it does not exist in the registry",
    )


@troubled
def docker_finds_no_manifest() -> Variation:
    return pulled(
        "rpc error: code = Unknown desc = Error response from daemon: manifest for registry.example.com/shop/catalog:v2"
        " not found: manifest unknown: manifest unknown",
        "it does not exist in the registry",
        reason="ImagePullBackOff",
    )


@troubled
def image_has_no_variant_for_the_node() -> Variation:
    return pulled(
        'failed to pull and unpack image "registry.example.com/shop/catalog:v2": no match for platform in manifest: '
        "not found",
        "it has no variant for the platform of the node",
    )


@troubled
def registry_of_an_image_named_after_a_timeout_refuses() -> Variation:
    image = "registry.example.com/shop/timeout-handler:v2"
    return pulled(
        f'failed to authorize: failed to fetch oauth token for "{image}": unexpected status: 401 Unauthorized',
        "the registry refuses the credentials",
        image=image,
    )


@troubled
def registry_has_a_certificate_that_the_node_does_not_trust() -> Variation:
    return pulled(
        'failed to do request: Head "https://registry.example.com/v2/shop/catalog/manifests/v2": tls: failed to verify'
        " certificate: x509: certificate signed by unknown authority",
        "the node does not trust the certificate of the registry",
    )


@troubled
def digest_with_403_in_it_and_a_registry_that_is_away() -> Variation:
    image = "registry.example.com/shop/catalog@sha256:" + "4030" * 16
    return pulled(
        f'failed to do request: Head "https://registry": dial tcp 10.0.0.9:443: i/o timeout ({image})',
        "the registry cannot be reached",
        image=image,
    )


@troubled
def init_container_has_no_image() -> Variation:
    made = starting("image-pull", status=waiting("PodInitializing"))
    return containers(
        made, {"name": "migrate", **waiting("ImagePullBackOff", 'Back-off pulling image "m:1"')}, init=True
    )


@troubled
def sidecar_has_no_image_and_the_app_restarted_once() -> Variation:
    made = starting("image-pull")
    app = {"name": "catalog", **running(made, 100), "restartCount": 1, "lastState": ended(143)}
    return containers(made, app, {"name": "proxy", **waiting("ErrImagePull", "proxy:v9: not found", image="proxy:v9")})


# Containers that end


@troubled
def start_error_of_the_runtime_in_back_off() -> Variation:
    text = 'failed to create containerd task: OCI runtime create failed: exec: "/servr": stat /servr: no such file'
    made = starting("container-start", status=waiting("CrashLoopBackOff", "back-off 40s", restartCount=4))
    the_pod(made)["status"]["containerStatuses"][0]["lastState"] = ended(128, "StartError", text)
    return made


@troubled
def docker_cannot_run_the_command_in_back_off() -> Variation:
    made = starting("container-start", status=waiting("CrashLoopBackOff", "back-off 40s", restartCount=4))
    the_pod(made)["status"]["containerStatuses"][0]["lastState"] = ended(
        127, "ContainerCannotRun", 'OCI runtime create failed: exec: "servr": executable file not found in $PATH'
    )
    return made


@troubled
def image_runs_as_root_and_may_not() -> Variation:
    text = "container has runAsNonRoot and image will run as root (container: catalog)"
    return starting("container-start", status=waiting("CreateContainerConfigError", text))


@troubled
def key_of_a_configmap_is_missing() -> Variation:
    return starting(
        "missing-config",
        status=waiting("CreateContainerConfigError", "couldn't find key DSN in ConfigMap store/catalog"),
    )


@troubled
def startup_probe_kills_it() -> Variation:
    made = starting("liveness-failing", silent=300, status=waiting("CrashLoopBackOff", "back-off 40s", restartCount=4))
    the_pod(made)["status"]["containerStatuses"][0]["lastState"] = ended(137, at=made.ago(20))
    event(
        made,
        "Unhealthy",
        "Startup probe failed: dial tcp 10.1.0.9:8080: connect: connection refused",
        ago=21,
        container="catalog",
    )
    return event(
        made, "Killing", "Container catalog failed startup probe, will be restarted", ago=20, container="catalog"
    )


@troubled
def app_crashes_next_to_a_sidecar_that_liveness_kills() -> Variation:
    made = starting("crash-loop", silent=300)
    app = {
        "name": "catalog",
        **waiting("CrashLoopBackOff", "back-off 40s", restartCount=5),
        "lastState": ended(2, at=made.ago(30)),
    }
    containers(made, app, {"name": "proxy", **running(made, 250, ready=True)})
    return event(
        made, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503", ago=10, container="proxy"
    )


@troubled
def liveness_killed_it_long_before_it_crashed() -> Variation:
    made = starting("crash-loop", silent=1300, status=waiting("CrashLoopBackOff", "back-off 5m0s", restartCount=9))
    made.rollout["spec"]["progressDeadlineSeconds"] = 3600
    the_pod(made)["status"]["containerStatuses"][0]["lastState"] = ended(1, at=made.ago(40))
    return event(
        made, "Unhealthy", "Liveness probe failed: Get http://10.1.0.9: connect refused", ago=1200, container="catalog"
    )


@troubled
def second_container_is_out_of_memory() -> Variation:
    made = starting("oom-killed")
    app = {"name": "catalog", **running(made, 100, ready=True)}
    cache = {
        "name": "cache",
        **waiting("CrashLoopBackOff", "back-off 20s", restartCount=3),
        "lastState": ended(137, "OOMKilled"),
    }
    return containers(made, app, cache)


@troubled
def app_that_restarted_is_ready_and_its_sidecar_is_not() -> Variation:
    made = starting("readiness-failing", silent=300)
    app = {"name": "catalog", **running(made, 280, ready=True), "restartCount": 2, "lastState": ended(1)}
    containers(made, app, {"name": "proxy", **running(made, 280)})
    return event(made, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", container="proxy")


@troubled
def sidecar_crashes_next_to_an_app_that_restarted_once() -> Variation:
    made = starting("crash-loop", silent=300)
    app = {"name": "catalog", **running(made, 280, ready=True), "restartCount": 1, "lastState": ended(1)}
    proxy = {"name": "proxy", **waiting("CrashLoopBackOff", "back-off 40s", restartCount=4), "lastState": ended(78)}
    made.case["logs"] = {"catalog": ["retrying the database"], "proxy": ["unknown listener filter"]}
    made.case["says"] = "container proxy is in CrashLoopBackOff: exit code 78, 4 restarts: unknown listener filter"
    return containers(made, app, proxy)


@troubled
def native_sidecar_is_not_ready() -> Variation:
    made = starting("readiness-failing", silent=300)
    the_pod(made)["spec"]["initContainers"] = [{"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}]
    containers(made, {"name": "proxy", **running(made, 280)}, init=True)
    return containers(made, {"name": "catalog", **running(made, 280, ready=True)})


@troubled
def migration_failed_twice_and_then_went_well() -> Variation:
    made = starting("in-progress", silent=60, healthy=True)
    containers(
        made,
        {"name": "migrate", "restartCount": 2, "ready": True, "state": ended(0, "Completed"), "lastState": {}},
        init=True,
    )
    return containers(made, {"name": "catalog", **running(made, 20)})


# Nodes


@troubled
def nodes_have_taints_and_too_little_memory() -> Variation:
    text = (
        "0/5 nodes are available: 1 node(s) had untolerated taint {dedicated: ci}, 4 Insufficient memory."
        " preemption: 0/5 nodes are available: 4 No preemption victims found."
    )
    return unscheduled("unschedulable", text)


def unscheduled(cause: str, text: str, reason: str = "Unschedulable") -> Variation:
    made = starting(cause, silent=180)
    the_pod(made)["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": reason, "message": text}],
    }
    return made


@troubled
def volume_is_in_another_zone() -> Variation:
    return unscheduled("volume", "0/3 nodes are available: 3 node(s) had volume node affinity conflict.")


@troubled
def claim_does_not_exist() -> Variation:
    return unscheduled("volume", 'persistentvolumeclaim "catalog-data" not found')


@troubled
def nodes_have_all_the_pods_that_they_may() -> Variation:
    return unscheduled("unschedulable", "0/3 nodes are available: 3 Too many pods. preemption: not eligible.")


@troubled
def node_does_not_answer() -> Variation:
    made = starting("pod-failed", silent=400)
    made.case["says"] = "the kubelet of worker-3 has not reported on pod catalog-5649d79497-st4zs for 3m20s"
    containers(made, {"name": "catalog", **running(made, 380, ready=True)})
    unknown = {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
    the_pod(made)["status"]["conditions"] = [
        {"type": "Ready", "lastTransitionTime": made.ago(200), **unknown},
        {"type": "PodScheduled", "status": "True"},
    ]
    the_pod(made)["status"]["phase"] = "Running"
    the_pod(made)["spec"]["nodeName"] = "worker-3"
    return made


# Volumes and networks


@troubled
def key_of_a_secret_that_is_mounted_is_missing() -> Variation:
    text = 'MountVolume.SetUp failed for volume "tls" : references non-existent secret key: tls.key'
    return event(starting("missing-config"), "FailedMount", text)


@troubled
def configmap_of_a_volume_is_missing_and_events_have_a_series() -> Variation:
    text = 'MountVolume.SetUp failed for volume "config" : configmap "catalog-7f9b" not found'
    made = starting("missing-config")
    series = {"count": 9, "lastObservedTime": made.ago(4)}
    return event(
        made,
        "FailedMount",
        text,
        series=series,
        count=None,
        firstTimestamp=None,
        lastTimestamp=None,
        eventTime=made.ago(110),
    )


@troubled
def cache_of_configmaps_was_late_once() -> Variation:
    text = 'MountVolume.SetUp failed for volume "kube-api-access-x2f" : failed to sync configmap cache: timed out'
    made = starting("in-progress", silent=20, healthy=True)
    the_pod(made)["metadata"]["creationTimestamp"] = made.ago(15)
    return event(made, "FailedMount", text, ago=12, count=1)


@troubled
def network_was_not_ready_once() -> Variation:
    text = 'Failed to create pod sandbox: failed to setup network for sandbox "ab": plugin is not ready'
    made = starting("in-progress", silent=25, healthy=True)
    the_pod(made)["metadata"]["creationTimestamp"] = made.ago(20)
    return event(made, "FailedCreatePodSandBox", text, ago=15, count=1)


@troubled
def migration_runs_and_a_mount_was_late_before() -> Variation:
    made = starting("in-progress", silent=90, healthy=True)
    containers(made, {"name": "migrate", **running(made, 60)}, init=True)
    containers(made, {"name": "catalog", **waiting("PodInitializing")})
    return event(made, "FailedMount", "Unable to attach or mount volumes: unmounted volumes=[data]", ago=70)


# Several pods


def another_pod(made: Variation, name: str) -> Json:
    other = copy.deepcopy(the_pod(made))
    other["metadata"] |= {"name": f"catalog-{HASH}-{name}", "uid": f"uid-{name}"}
    made.objects.append(other)
    return other


@troubled
def evicted_pod_was_replaced_by_one_that_is_ready() -> Variation:
    made = starting("waiting-for-a-person", healthy=True)
    made.status |= {
        "phase": "Paused",
        "message": "CanaryPauseStep",
        "controllerPause": True,
        "currentStepIndex": 1,
        "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": made.ago(100)}],
    }
    made.canary["steps"] = [{"setWeight": 25}, {"pause": {}}]
    gone = another_pod(made, "gone1")
    gone["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    replacement = the_pod(made)
    replacement["status"]["phase"] = "Running"
    replacement["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    containers(made, {"name": "catalog", **running(made, 100, ready=True)})
    made.replicaset(HASH)["status"] |= {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    return made


@troubled
def evicted_pod_was_replaced_by_one_that_starts() -> Variation:
    made = starting("in-progress", silent=60, healthy=True)
    gone = another_pod(made, "gone1")
    gone["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    the_pod(made)["metadata"]["creationTimestamp"] = made.ago(20)
    return made


@troubled
def one_pod_has_no_image_and_one_is_ready() -> Variation:
    made = pulled("catalog:v2: not found", "it does not exist in the registry")
    fine = another_pod(made, "fine1")
    fine["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    made.replicaset(HASH)["spec"]["replicas"] = 2
    return made


def stable_not_ready(made: Variation, count: int) -> Variation:
    """So many of the stable version's pods have not been ready for five minutes."""
    stable = made.status["stableRS"]
    pods = made.pods(stable)
    for pod in pods[:count]:
        pod["status"] |= {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
        container = {"name": "catalog", "image": "catalog:v1", "ready": False, "restartCount": 0, "lastState": {}}
        pod["status"]["containerStatuses"] = [{**container, **running(made, 300)}]
    made.replicaset(stable)["status"] |= {"readyReplicas": len(pods) - count, "availableReplicas": len(pods) - count}
    return made


@troubled
def canary_has_no_image_and_one_stable_pod_is_not_ready() -> Variation:
    return stable_not_ready(pulled("catalog:v2: not found", "it does not exist in the registry"), 1)


@troubled
def canary_has_no_image_and_most_stable_pods_are_not_ready() -> Variation:
    made = pulled("catalog:v2: not found", "the stable version itself is broken")
    made.cause = "stable-unhealthy"
    return stable_not_ready(made, 3)


# Controllers that look elsewhere


def unobserved(cause: str, **more: Any) -> Variation:
    made = Variation("a-change-that-a-living-controller-does-not-see", cause)
    (deployment,) = (o for o in made.objects if o["kind"] == "Deployment")
    deployment["spec"]["template"] = {"spec": {"containers": [{"name": "argo-rollouts", **more}]}}
    return made


@troubled
def controller_of_one_other_namespace() -> Variation:
    return unobserved("controller-not-running", args=["--namespaced", "--loglevel=info"])


@troubled
def controller_of_this_namespace_alone() -> Variation:
    return unobserved("controller-not-observing", args=["--namespaced", "--namespace=companyos"])


@troubled
def controller_has_its_instance_id_in_its_command() -> Variation:
    return unobserved("instance-id", args=[], command=["/bin/rollouts-controller", "--instance-id", "blue"])


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else CASES
    for name, make in TROUBLED.items():
        made = make()
        made.case["source"] = made.case.get("source", "made: " + name)
        made.write(name, root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
