"""Acts cases out in the sandbox and writes their folders: `python -m tests.diagnosis.acted [FOLDER]`.

The sandbox's pods fail in two ways only. What a kubelet or a scheduler would write for other troubles is put into the
canary's pods here, in the form that Kubernetes documents, and Events with it.
"""

import atexit
import copy
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import yaml

from companyos_canary.diagnosis.nodata import part_of, stable_side
from companyos_canary.model.http import Request, Response
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.kinds import ANALYSISRUN, DEPLOYMENT, EVENT, EXPERIMENT, POD, REPLICASET, ROLLOUT, SERVICE
from companyos_canary.sandbox.scenarios import Scenario, shipped
from companyos_canary.sandbox.scenarios.scenario import Behaviour, Course
from tests.commands.conftest import freeze, installed
from tests.diagnosis.__main__ import CASES
from tests.world import World

Json = dict[str, Any]
STEPS = """\
schema: canary/v1
rollout: companyos-api
namespace: companyos
image: companyos-api
replicas: 4
steps:
  - {weight: 25, analysis: 6s}
  - {weight: 50, analysis: 6s}
analysis: {window: 5s, min_requests: 10, by_hash: true}
"""
MANUAL = STEPS.replace("{weight: 25, analysis: 6s}", "{weight: 25, pause: manual}")
TIMED = STEPS.replace("{weight: 25, analysis: 6s}", "{weight: 25, pause: 10m}")
SCENES: dict[str, Callable[[], "Scene"]] = {}


@dataclass
class Scene:
    """A world at a moment, what is changed in its objects, and what is right to say of it."""

    world: World
    cause: str
    healthy: bool = False
    edit: Callable[["Scene", list[Json]], None] = lambda *_: None
    case: Mapping[str, Any] = field(default_factory=dict)
    asks: bool = False
    source: str = "acted out in the sandbox"

    @property
    def hash(self) -> str:
        return self.world.rollout().current_hash

    def ago(self, seconds: float) -> str:
        return format_time(self.world.now - timedelta(seconds=seconds))

    def canary_pods(self, objects: list[Json]) -> list[Json]:
        pods = [o for o in objects if o["kind"] == "Pod"]
        return [p for p in pods if p["metadata"]["labels"].get(HASH_LABEL) == self.hash]


def scene(function: Callable[[], Scene]) -> Callable[[], Scene]:
    SCENES[function.__name__.replace("_", "-")] = function
    return function


def folder_of_a_world() -> Path:
    """It is there until the process ends: the worlds are kept as long."""
    return Path(tempfile.mkdtemp(dir=_folders().name))


@cache
def _folders() -> "tempfile.TemporaryDirectory[str]":
    made = tempfile.TemporaryDirectory()
    atexit.register(made.cleanup)
    return made


def world(config: str = STEPS) -> World:
    return installed(folder_of_a_world(), config)


def deployed(version: str, seconds: float, config: str = STEPS) -> World:
    made = world(config)
    made.canary("deploy", version, "--no-wait")
    made.advance(seconds)
    return made


def write(name: str, made: Scene, root: Path) -> None:
    objects = [
        {"apiVersion": kind.api_version, "kind": kind.kind, **copy.deepcopy(dict(o))}
        for kind in (ROLLOUT, REPLICASET, POD, EXPERIMENT, ANALYSISRUN, SERVICE, DEPLOYMENT, EVENT)
        for o in made.world.store.items(kind, "companyos")
    ]
    objects = [_short(o) for o in objects if o["kind"] != "Event" or o["type"] == "Warning" or _tells(o)]
    made.edit(made, objects)
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "objects.yaml").write_text(
        yaml.safe_dump_all(objects, sort_keys=False, width=120, default_flow_style=None)
    )
    asked = _answers(made.world) if made.asks else {}
    case = {
        "now": format_time(made.world.now),
        "config": {"rollout": "companyos-api", "namespace": "companyos", "image": "companyos-api"},
        **made.case,
        **asked,
        "cause": made.cause,
        "healthy": made.healthy,
        "source": made.source,
    }
    (folder / "case.yaml").write_text(yaml.safe_dump(case, sort_keys=False, width=120))


def _tells(event: Json) -> bool:
    return event["reason"] in ("RolloutUpdated", "RolloutPaused", "RolloutCompleted", "RolloutNotCompleted")


def _short(obj: Json) -> Json:
    """Without what no diagnosis reads, so that a case can be read by people."""
    for key in ("managedFields", "selfLink"):
        obj["metadata"].pop(key, None)
    if obj["kind"] == "Event":
        dropped = ("source", "reportingComponent", "reportingInstance", "eventTime")
        obj = {k: v for k, v in obj.items() if k not in dropped}
        obj["metadata"] = {k: obj["metadata"][k] for k in ("name", "namespace")}
        obj["involvedObject"] = {k: obj["involvedObject"][k] for k in ("kind", "name", "namespace")}
    return obj


def _answers(played: World) -> Json:
    """What the sandbox's Prometheus says to each part of the queries."""
    runs = played.store.items(ANALYSISRUN, "companyos")
    results = [r for run in runs for r in (run.get("status") or {}).get("metricResults") or []]
    queries = [r.get("metadata", {}).get("ResolvedPrometheusQuery", "") for r in results]
    parts = [p for q in dict.fromkeys(queries) if (p := part_of(q))]
    found = []
    asked = [q for p in parts for q in (p.found, p.at_all, p.requests, p.samples)]
    for query in dict.fromkeys((*asked, *filter(None, map(stable_side, queries)))):
        answer = played.prometheus(Request("GET", "/api/v1/query", (("query", query),))).json()
        vector = [{"metric": s["metric"], "value": float(s["value"][1])} for s in answer["data"]["result"]]
        found.append({"query": query, "answer": {"vector": vector}})
    return {"prometheus": {"answers": found}}


def broken(
    status: Json, *, phase: str = "Running", conditions: list[Json] | None = None, events: tuple[Json, ...] = ()
) -> Callable[[Scene, list[Json]], None]:
    """Gives the canary's pods this status of their container, and events about each."""

    def edit(made: Scene, objects: list[Json]) -> None:
        for pod in made.canary_pods(objects):
            name = pod["metadata"]["name"]
            was = pod["status"]["containerStatuses"][0]
            new = {k: was[k] for k in ("name", "image", "imageID")}
            new |= {"ready": False, "restartCount": 0, "lastState": {}, **status}
            pod["status"]["phase"] = phase
            pod["status"]["containerStatuses"] = [new] if status else []
            for condition in pod["status"]["conditions"]:
                if condition["type"] in ("Ready", "ContainersReady"):
                    condition |= {"status": "False", "reason": "ContainersNotReady"}
            if conditions is not None:
                pod["status"]["conditions"] = conditions
            objects += [event(made, "Pod", name, **e) for e in events]

    return edit


def event(
    made: Scene, kind: str, name: str, *, reason: str, message: str, type_: str = "Warning", ago: float = 5
) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{crc32((reason + message).encode()):08x}", "namespace": "companyos"},
        "involvedObject": {"kind": kind, "name": name, "namespace": "companyos"},
        "type": type_,
        "reason": reason,
        "message": message,
        "count": 3,
        "firstTimestamp": made.ago(ago + 30),
        "lastTimestamp": made.ago(ago),
    }


@scene
def image_that_does_not_exist() -> Scene:
    message = (
        'Failed to pull image "companyos-api:bad1": rpc error: code = NotFound desc = failed to resolve reference '
        '"docker.io/library/companyos-api:bad1": docker.io/library/companyos-api:bad1: not found'
    )
    status = {"state": {"waiting": {"reason": "ErrImagePull", "message": message}}}
    return Scene(deployed("bad1", 20), "image-pull", edit=broken(status, phase="Pending"))


@scene
def image_back_off_until_the_deadline() -> Scene:
    return Scene(deployed("bad1", 700), "progress-deadline")


@scene
def container_exits_at_once() -> Scene:
    logs = ["starting companyos-api", "panic: missing environment variable DATABASE_URL"]
    return Scene(deployed("crash1", 60), "crash-loop", case={"logs": logs})


@scene
def memory_limit_too_small() -> Scene:
    status = {
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    }
    return Scene(deployed("crash1", 90), "oom-killed", edit=broken(status))


@scene
def readiness_probe_answers_503() -> Scene:
    made = deployed("crash1", 180)
    status = {"started": True, "state": {"running": {"startedAt": format_time(made.now - timedelta(seconds=170))}}}
    probe = {"reason": "Unhealthy", "message": "Readiness probe failed: HTTP probe failed with statuscode: 503"}
    return Scene(made, "readiness-failing", edit=broken(status, events=(probe,)))


@scene
def error_rate_over_its_limit() -> Scene:
    return Scene(deployed("errors1", 60), "analysis-failed")


@scene
def aborted_with_a_reason() -> Scene:
    made = deployed("v1.1.0", 5, MANUAL)
    made.canary("abort", "--reason", "wrong build")
    made.advance(60)
    return Scene(made, "aborted-by-a-person")


@scene
def template_that_does_not_exist() -> Scene:
    made = world()
    steps = [{"setWeight": 25}, {"analysis": {"templates": [{"templateName": "no-such-template"}]}}]
    made.patch({"spec": {"strategy": {"canary": {"steps": steps}}}})
    made.advance(5)
    return Scene(made, "spec-invalid")


@scene
def approval_for_five_minutes() -> Scene:
    return Scene(deployed("v1.1.0", 300, MANUAL), "waiting-for-a-person", healthy=True)


@scene
def nothing_under_way() -> Scene:
    return Scene(world(), "healthy", healthy=True)


@scene
def analysis_is_running() -> Scene:
    return Scene(deployed("v1.1.0", 3), "in-progress", healthy=True)


@scene
def pods_just_created() -> Scene:
    made = deployed("crash1", 8)
    status = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    return Scene(made, "in-progress", healthy=True, edit=broken(status, phase="Pending"))


@scene
def not_ready_for_twenty_seconds() -> Scene:
    made = deployed("crash1", 25)
    status = {"started": True, "state": {"running": {"startedAt": format_time(made.now - timedelta(seconds=20))}}}
    probe = {"reason": "Unhealthy", "message": "Readiness probe failed: connect: connection refused"}
    return Scene(made, "in-progress", healthy=True, edit=broken(status, events=(probe,)))


def pod_scene(name: str, cause: str, status: Json, *, healthy: bool = False, seconds: float = 90, **more: Any) -> None:
    SCENES[name] = lambda: Scene(deployed("crash1", seconds), cause, healthy=healthy, edit=broken(status, **more))


def waiting(reason: str, message: str = "") -> Json:
    return {"state": {"waiting": {"reason": reason, **({"message": message} if message else {})}}}


def scheduling(message: str) -> list[Json]:
    at = "2026-03-02T12:00:11Z"
    said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return [{**said, "lastTransitionTime": at}]


_KILLED = {"terminated": {"exitCode": 137, "reason": "Error"}}
_CREATING = waiting("ContainerCreating")
pod_scene(
    "registry-refuses-the-credentials",
    "image-pull",
    waiting("ImagePullBackOff", "Back-off pulling image: 401 Unauthorized"),
    phase="Pending",
)
pod_scene("name-of-the-image-is-not-valid", "image-pull", waiting("InvalidImageName"), phase="Pending")
pod_scene(
    "liveness-probe-kills-it",
    "liveness-failing",
    {"restartCount": 4, "lastState": _KILLED, **waiting("CrashLoopBackOff")},
    events=(
        {"reason": "Unhealthy", "message": "Liveness probe failed: Get http://10.0.0.9: context deadline exceeded"},
    ),
)
pod_scene(
    "killed-by-a-signal-without-a-probe",
    "crash-loop",
    {"restartCount": 2, "lastState": _KILLED, **waiting("CrashLoopBackOff")},
)
pod_scene(
    "configmap-of-the-environment-is-missing",
    "missing-config",
    waiting("CreateContainerConfigError", 'configmap "companyos-api-env" not found'),
    phase="Pending",
)
pod_scene(
    "secret-of-a-volume-is-missing",
    "missing-config",
    _CREATING,
    phase="Pending",
    events=(
        {"reason": "FailedMount", "message": 'MountVolume.SetUp failed for volume "tls" : secret "api-tls" not found'},
    ),
)
pod_scene(
    "volume-is-attached-elsewhere",
    "volume",
    _CREATING,
    phase="Pending",
    events=({"reason": "FailedAttachVolume", "message": "Multi-Attach error for volume pvc-1: already used by pod"},),
)
pod_scene(
    "command-is-not-in-the-image",
    "container-start",
    waiting("RunContainerError", 'exec: "/app/serve": stat /app/serve: no such file or directory'),
)
pod_scene(
    "no-node-has-enough-cpu",
    "unschedulable",
    {},
    phase="Pending",
    conditions=scheduling("0/9 nodes are available: 9 Insufficient cpu."),
)
pod_scene(
    "no-node-fits-the-selector",
    "unschedulable",
    {},
    phase="Pending",
    conditions=scheduling("0/9 nodes are available: 9 node(s) didn't match Pod's node affinity/selector."),
)
pod_scene(
    "a-node-is-on-its-way",
    "in-progress",
    {},
    healthy=True,
    phase="Pending",
    conditions=scheduling("0/9 nodes are available: 9 Insufficient memory."),
    events=({"reason": "TriggeredScaleUp", "message": "pod triggered scale-up: [{pool 3->4}]", "type_": "Normal"},),
)
pod_scene(
    "a-large-image-is-pulled",
    "in-progress",
    _CREATING,
    healthy=True,
    phase="Pending",
    events=({"reason": "Pulling", "message": 'Pulling image "companyos-api:crash1"', "type_": "Normal"},),
)
pod_scene(
    "network-has-no-address-left",
    "pod-sandbox",
    _CREATING,
    phase="Pending",
    events=({"reason": "FailedCreatePodSandBox", "message": "failed to allocate for range 0: no IP addresses"},),
)


def slow_by_its_probe(made: Scene, objects: list[Json]) -> None:
    """The startup probe allows ten minutes, and three have passed."""
    started = format_time(made.world.now - timedelta(seconds=170))
    broken({"started": False, "state": {"running": {"startedAt": started}}})(made, objects)
    for pod in made.canary_pods(objects):
        pod["spec"]["containers"][0]["startupProbe"] = {"periodSeconds": 10, "failureThreshold": 60}


def restarted_once(made: Scene, objects: list[Json]) -> None:
    for pod in made.canary_pods(objects):
        pod["status"]["containerStatuses"][0] |= {"restartCount": 1, "lastState": _KILLED}


def refused(message: str) -> Callable[[Scene, list[Json]], None]:
    def edit(made: Scene, objects: list[Json]) -> None:
        gone = {p["metadata"]["name"] for p in made.canary_pods(objects)}
        objects[:] = [o for o in objects if o["metadata"]["name"] not in gone]
        for o in objects:
            if o["kind"] == "ReplicaSet" and o["metadata"]["labels"].get(HASH_LABEL) == made.hash:
                said = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
                o["status"] = {"replicas": 0, "conditions": [said]}

    return edit


@scene
def slow_to_start_as_its_probe_allows() -> Scene:
    return Scene(deployed("crash1", 180), "in-progress", healthy=True, edit=slow_by_its_probe)


@scene
def one_restart_and_ready_since() -> Scene:
    return Scene(deployed("v1.1.0", 3), "in-progress", healthy=True, edit=restarted_once)


@scene
def quota_is_used_up() -> Scene:
    text = 'pods "companyos-api-x" is forbidden: exceeded quota: compute, requested: cpu=1, used: cpu=8, limited: cpu=8'
    return Scene(deployed("crash1", 90), "quota", edit=refused(text))


@scene
def a_policy_refuses_the_pods() -> Scene:
    text = 'admission webhook "policy.example.com" denied the request: images must be signed'
    return Scene(deployed("crash1", 90), "admission-refused", edit=refused(text))


def answering(status: int, body: bytes = b"") -> World:
    made = world()
    made.prometheus = lambda _: Response(status, {}, body)
    made.canary("deploy", "v1.1.0", "--no-wait")
    made.advance(300)
    return made


@scene
def prometheus_answers_503() -> Scene:
    return Scene(answering(503), "prometheus-error")


@scene
def prometheus_wants_a_password() -> Scene:
    return Scene(answering(401), "prometheus-unauthorized")


def playing(name: str, seconds: float) -> World:
    played = next(s for s in shipped() if s.name == name)
    made = World(folder_of_a_world(), STEPS, scenario=played)
    made.canary("apply", "v1.0.0", "-q")
    made.advance(20)
    made.canary("deploy", "v1.1.0", "--no-wait")
    made.advance(seconds)
    return made


@scene
def canary_has_no_series_with_its_label() -> Scene:
    return Scene(playing("wrong-label", 60), "label-missing", asks=True)


@scene
def canary_is_not_scraped_but_stable_is() -> Scene:
    return Scene(playing("no-metrics", 60), "label-missing", asks=True)


@scene
def six_requests_are_too_few() -> Scene:
    return Scene(playing("low-traffic", 60), "too-little-traffic", asks=True)


@scene
def no_data_and_prometheus_is_away() -> Scene:
    return Scene(playing("low-traffic", 60), "no-data", case={"prometheus": {"unreachable": True}})


@scene
def nobody_exports_the_metric() -> Scene:
    return Scene(playing("low-traffic", 60), "not-scraped", case={"prometheus": {"series": ['up{job="api"}']}})


@scene
def nobody_has_seen_the_new_spec() -> Scene:
    made = world()
    freeze(made)
    made.canary("deploy", "v1.1.0", "--no-wait")
    did = {"verb": "deploy", "at": format_time(made.now)}
    made.advance(300)
    return Scene(made, "controller-not-running", case={"did": did})


@scene
def sent_three_seconds_ago() -> Scene:
    made = world()
    freeze(made)
    made.canary("deploy", "v1.1.0", "--no-wait")
    did = {"verb": "deploy", "at": format_time(made.now)}
    made.advance(3)
    return Scene(made, "in-progress", healthy=True, case={"did": did})


@scene
def paused_by_hand() -> Scene:
    made = deployed("v1.1.0", 5, MANUAL)
    made.canary("pause")
    made.advance(120)
    return Scene(made, "paused-by-hand")


@scene
def ten_minutes_of_pause() -> Scene:
    return Scene(deployed("v1.1.0", 120, TIMED), "timed-pause", healthy=True)


@scene
def another_version_came_in_between() -> Scene:
    made = deployed("v1.1.0", 5, MANUAL)
    made.canary("deploy", "v1.3.0", "--supersede", "--no-wait")
    made.advance(5)
    return Scene(made, "superseded", case={"wanted": "v1.1.0"})


@scene
def undo_goes_through_the_steps() -> Scene:
    made = deployed("v1.1.0", 120)
    made.canary("undo", "--no-wait")
    made.advance(4)
    return Scene(
        made,
        "undo-is-a-canary",
        case={"did": {"verb": "undo", "at": made.rollout().raw["metadata"]["creationTimestamp"]}},
    )


@scene
def abort_after_the_end() -> Scene:
    made = deployed("v1.1.0", 120)
    return Scene(made, "abort-dropped", case={"did": {"verb": "abort", "at": format_time(made.now)}})


@scene
def nobody_is_wanted() -> Scene:
    made = world()
    made.patch({"spec": {"replicas": 0}})
    made.advance(20)
    return Scene(made, "scaled-to-zero")


def frozen_after(seconds: float) -> World:
    made = deployed("v1.1.0", 5, MANUAL)
    freeze(made)
    made.canary("promote", "--no-wait")
    made.advance(seconds)
    return made


def with_controller(*, renewed: float, replicas: int) -> Callable[[Scene, list[Json]], None]:
    """What the controller's namespace says of it."""

    def edit(made: Scene, objects: list[Json]) -> None:
        deployment: Json = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "argo-rollouts", "namespace": "argo-rollouts"},
            "spec": {"replicas": 1},
            "status": {"replicas": replicas, "availableReplicas": replicas},
        }
        if not replicas:
            deployment["status"] = {}
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "argo-rollouts-controller-lock", "namespace": "argo-rollouts"},
            "spec": {"holderIdentity": "argo-rollouts-1", "renewTime": made.ago(renewed)},
        }
        objects += [deployment, lease]

    return edit


def sent(made: World, verb: str, seconds: float) -> Json:
    return {"did": {"verb": verb, "at": format_time(made.now - timedelta(seconds=seconds))}}


@scene
def promote_that_nobody_takes_up() -> Scene:
    made = frozen_after(240)
    edit = with_controller(renewed=2, replicas=1)
    return Scene(made, "promote-lost", edit=edit, case=sent(made, "promote", 240))


@scene
def promote_and_the_controller_is_down() -> Scene:
    made = frozen_after(240)
    edit = with_controller(renewed=900, replicas=0)
    return Scene(made, "controller-not-running", edit=edit, case=sent(made, "promote", 240))


@scene
def promote_of_two_seconds_ago() -> Scene:
    made = frozen_after(2)
    edit = with_controller(renewed=2, replicas=1)
    return Scene(made, "in-progress", healthy=True, edit=edit, case=sent(made, "promote", 2))


@scene
def a_change_that_a_living_controller_does_not_see() -> Scene:
    made = world()
    freeze(made)
    made.canary("deploy", "v1.1.0", "--no-wait")
    made.advance(300)
    edit = with_controller(renewed=2, replicas=1)
    return Scene(made, "controller-not-observing", edit=edit, case=sent(made, "deploy", 300))


def of_another_instance(made: Scene, objects: list[Json]) -> None:
    with_controller(renewed=2, replicas=1)(made, objects)
    (deployment,) = [o for o in objects if o["kind"] == "Deployment"]
    args = {"name": "argo-rollouts", "args": ["--instance-id=team-b"]}
    deployment["spec"]["template"] = {"spec": {"containers": [args]}}


@scene
def controller_of_another_instance() -> Scene:
    made = world()
    freeze(made)
    made.canary("deploy", "v1.1.0", "--no-wait")
    made.advance(300)
    return Scene(made, "instance-id", edit=of_another_instance, case=sent(made, "deploy", 300))


@scene
def abort_under_a_pause_by_hand() -> Scene:
    made = deployed("v1.1.0", 5, MANUAL)
    made.canary("pause")
    made.patch({"status": {"abort": True}}, "status")
    made.advance(60)
    return Scene(made, "abort-held-by-pause")


def stable_out_of_memory(made: Scene, objects: list[Json]) -> None:
    stable = made.world.rollout().stable_hash
    pods = [o for o in objects if o["kind"] == "Pod" and o["metadata"]["labels"].get(HASH_LABEL) == stable]
    for pod in pods:
        for condition in pod["status"]["conditions"]:
            if condition["type"] in ("Ready", "ContainersReady"):
                condition["status"] = "False"
        oom = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
        state = {"waiting": {"reason": "CrashLoopBackOff"}}
        pod["status"]["containerStatuses"][0] |= {"ready": False, "restartCount": 5, "lastState": oom, "state": state}
    for o in objects:
        if o["kind"] == "ReplicaSet" and o["metadata"]["labels"].get(HASH_LABEL) == stable:
            o["status"] |= {"readyReplicas": 0, "availableReplicas": 0}


@scene
def rolled_back_to_a_stable_version_that_fails() -> Scene:
    made = deployed("v1.1.0", 5, MANUAL)
    made.canary("abort")
    made.advance(60)
    return Scene(made, "stable-unhealthy", edit=stable_out_of_memory)


def from_git(made: Scene, objects: list[Json]) -> None:
    rollout = next(o for o in objects if o["kind"] == "Rollout")
    tracking = "companyos:argoproj.io/Rollout:companyos/companyos-api"
    rollout["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = tracking
    rollout["metadata"]["managedFields"] = [
        {"manager": "argocd-controller", "operation": "Apply", "time": made.ago(30)}
    ]


@scene
def git_has_put_it_back() -> Scene:
    made = deployed("v1.1.0", 5, MANUAL)
    back = [{"name": "companyos-api", "image": "companyos-api:v1.0.0"}]
    made.patch({"spec": {"template": {"spec": {"containers": back}}}})
    made.advance(30)
    return Scene(made, "gitops-reverted", edit=from_git, case={"wanted": "v1.1.0"})


@scene
def applied_from_git_and_fine() -> Scene:
    return Scene(deployed("v1.1.0", 120), "healthy", healthy=True, edit=from_git, case={"wanted": "v1.1.0"})


def while_measuring(message: str, tries: int) -> Callable[[Scene, list[Json]], None]:
    """The run has only had errors so far, with this message."""

    def edit(made: Scene, objects: list[Json]) -> None:
        run = next(o for o in objects if o["kind"] == "AnalysisRun")
        at = made.ago(10)
        measured = [{"phase": "Error", "message": message, "startedAt": at, "finishedAt": at}] * tries
        result = {"name": "error-rate", "phase": "Running", "error": tries, "consecutiveError": tries}
        run["status"] = {"phase": "Running", "startedAt": made.ago(30)}
        run["status"]["metricResults"] = [{**result, "measurements": measured}]

    return edit


_REFUSED = 'Post "http://prometheus.monitoring:9090/api/v1/query": dial tcp 10.0.0.7:9090: connect: connection refused'


@scene
def prometheus_cannot_be_reached() -> Scene:
    return Scene(deployed("v1.1.0", 3), "prometheus-unreachable", edit=while_measuring(_REFUSED, 3))


@scene
def one_try_has_failed() -> Scene:
    return Scene(deployed("v1.1.0", 3), "in-progress", healthy=True, edit=while_measuring(_REFUSED, 1))


@scene
def query_is_no_promql() -> Scene:
    text = 'bad_data: invalid parameter "query": 1:5: parse error: unclosed left parenthesis'
    return Scene(deployed("v1.1.0", 3), "bad-query", edit=while_measuring(text, 2))


@scene
def condition_compares_a_list() -> Scene:
    text = 'could not evaluate successCondition "result < 1": invalid operation: < (mismatched types []float64 and int)'
    return Scene(deployed("v1.1.0", 3), "bad-condition", edit=while_measuring(text, 2))


@scene
def both_versions_fail_alike() -> Scene:
    played = Scenario("outage", "", versions=(("v1.*", Behaviour(errors=Course(((0.0, 0.2),)))),))
    made = World(folder_of_a_world(), STEPS, scenario=played)
    made.canary("apply", "v1.0.0", "-q")
    made.advance(20)
    made.canary("deploy", "v1.1.0", "--no-wait")
    made.advance(40)
    return Scene(made, "stable-is-as-bad", asks=True)


@scene
def only_the_canary_fails() -> Scene:
    return Scene(deployed("errors1", 40), "analysis-failed", asks=True)


@scene
def argument_of_a_field_that_does_not_exist() -> Scene:
    made = deployed("v1.1.0", 3)
    made.advance(0)

    def edit(scene: Scene, objects: list[Json]) -> None:
        objects[:] = [o for o in objects if o["kind"] != "AnalysisRun"]
        rollout = next(o for o in objects if o["kind"] == "Rollout")
        rollout["status"]["canary"].pop("currentStepAnalysisRunStatus", None)
        step = rollout["spec"]["strategy"]["canary"]["steps"][rollout["status"]["currentStepIndex"]]
        field = {"fieldRef": {"fieldPath": "spec.template.metadata.labels.team"}}
        step["analysis"]["args"] = [{"name": "team", "valueFrom": field}]
        for condition in rollout["status"]["conditions"]:
            if condition["type"] == "Progressing":
                condition["lastUpdateTime"] = scene.ago(300)

    return Scene(made, "missing-argument", edit=edit)


@scene
def undo_of_the_only_version() -> Scene:
    made = world()
    return Scene(made, "no-previous-version", case=sent(made, "undo", 10))


@scene
def promoted_and_done() -> Scene:
    return Scene(deployed("v1.1.0", 120), "healthy", healthy=True, case={"wanted": "v1.1.0"})


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else CASES
    for name, make in SCENES.items():
        write(name, make(), root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
