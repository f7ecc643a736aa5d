"""Acts cases out in the sandbox and writes their folders: `python -m tests.diagnosis.acted [FOLDER]`.

The sandbox's pods fail in two ways only. What a kubelet or a scheduler would write for other troubles is put into the
canary's pods here, in the form that Kubernetes documents, and Events with it.
"""

import copy
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from companyos_canary.model.quantity import format_time
from companyos_canary.model.rollout import HASH_LABEL
from companyos_canary.sandbox.kinds import ANALYSISRUN, EVENT, POD, REPLICASET, ROLLOUT, SERVICE
from tests.commands.conftest import installed
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


def world(config: str = STEPS) -> World:
    return installed(Path(tempfile.mkdtemp()), config)


def deployed(version: str, seconds: float, config: str = STEPS) -> World:
    made = world(config)
    made.canary("deploy", version, "--no-wait")
    made.advance(seconds)
    return made


def write(name: str, made: Scene, root: Path) -> None:
    objects = [
        {"apiVersion": kind.api_version, "kind": kind.kind, **copy.deepcopy(dict(o))}
        for kind in (ROLLOUT, REPLICASET, POD, ANALYSISRUN, SERVICE, EVENT)
        for o in made.world.store.items(kind, "companyos")
    ]
    objects = [_short(o) for o in objects if o["kind"] != "Event" or o["type"] == "Warning" or _tells(o)]
    made.edit(made, objects)
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "objects.yaml").write_text(
        yaml.safe_dump_all(objects, sort_keys=False, width=120, default_flow_style=None)
    )
    case = {
        "now": format_time(made.world.now),
        "config": {"rollout": "companyos-api", "namespace": "companyos", "image": "companyos-api"},
        **made.case,
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
        "metadata": {"name": f"{name}.{abs(hash((reason, message))) % 16**8:08x}", "namespace": "companyos"},
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


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else CASES
    for name, make in SCENES.items():
        write(name, make(), root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
