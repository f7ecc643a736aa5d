"""A Rollout that takes its pods from a Deployment, from argv to exit, in the sandbox."""

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from companyos_canary.argo.patches.record import RECORD
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox import cluster as sandbox
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import AUTOSCALER, DEPLOYMENT, ROLLOUT
from tests.prototypes import begun
from tests.world import CONFIG, World

NAME = "companyos-api"
REFERENCE = """\
kind: Rollout
metadata: {name: companyos-api}
spec:
  template: null
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: companyos-api}
"""


def deployment(image: str = f"{NAME}:v1.0.0") -> dict[str, Any]:
    container = {"name": NAME, "image": image, "ports": [{"containerPort": 8080}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": "companyos"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {"metadata": {"labels": {"app": NAME}}, "spec": {"containers": [container]}},
        },
    }


def merge(obj: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an object with other fields in its spec."""
    new = copy.deepcopy(dict(obj))
    new["spec"].update(changes["spec"])
    return new


@pytest.fixture
def referring(tmp_path: Path) -> World:
    """companyos-api v1.0.0 is Healthy; its template is the Deployment's."""
    return begun("referring", f"{CONFIG}merge: [reference.yaml]\n", tmp_path, _referring)


def _referring(folder: Path, config: str) -> World:
    (folder / "reference.yaml").write_text(REFERENCE)
    made = World(folder, config)
    made.store.create(DEPLOYMENT, deployment())
    ran = made.canary("apply", "v1.0.0", "-q")
    assert ran.code == ExitCode.OK, ran
    made.advance(10)
    made.requests.clear()
    return made


def image(world: World) -> str:
    found: dict[str, Any] = world.store.read(DEPLOYMENT, "companyos", NAME)
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def patched(world: World) -> list[str]:
    return [r.path.rsplit("/v1", 1)[1] for r in world.requests if r.method == "PATCH"]


def test_a_good_version_is_set_on_the_deployment_and_followed_to_its_end(referring: World) -> None:
    ran = referring.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.OK, ran
    assert ran.last == "verdict=healthy version=v1.1.0 stable=v1.1.0 step=3/3 weight=100 exit=0"
    assert image(referring) == f"{NAME}:v1.1.0"
    live = referring.store.read(ROLLOUT, "companyos", NAME)
    assert "template" not in live["spec"]
    assert live["status"]["stableRS"] == live["status"]["currentPodHash"]


def test_a_bad_version_is_rolled_back_and_the_end_names_the_metric(referring: World) -> None:
    ran = referring.canary("deploy", "v1.2.0")
    assert ran.code == ExitCode.DEGRADED, ran
    assert ran.last.startswith("verdict=rolled-back version=v1.2.0 stable=v1.0.0")
    assert "metric=error-rate" in ran.last


def test_the_deployment_is_changed_first_and_the_record_kept_on_the_rollout(referring: World) -> None:
    stable = referring.rollout().stable_hash
    ran = referring.canary("deploy", "v1.1.0", "--reason", "fixes login", "--no-wait")
    assert ran.code == ExitCode.OK, ran
    assert [p.split("/companyos/")[1] for p in patched(referring)] == [f"deployments/{NAME}", f"rollouts/{NAME}"]
    record = json.loads(referring.rollout().annotations[RECORD])
    assert (record["image"], record["stable"]) == (f"{NAME}:v1.1.0", stable)
    referring.advance(60)
    assert referring.canary("undo").code == ExitCode.OK


def test_a_record_that_cannot_be_written_is_a_note_not_a_failure(referring: World) -> None:
    referring.faults.add(Fault(Answer(403), method="PATCH", path=f"rollouts/{NAME}"))
    ran = referring.canary("deploy", "v1.1.0", "--no-wait")
    assert ran.code == ExitCode.OK, ran
    assert "could not record who deployed it" in ran.err
    assert image(referring) == f"{NAME}:v1.1.0"


def test_a_dry_run_shows_both_requests_and_sends_nothing(referring: World) -> None:
    ran = referring.canary("deploy", "v1.1.0", "--dry-run")
    heads = [line for line in ran.out.splitlines() if line.startswith("PATCH")]
    assert [h.split("?")[0].split("/companyos/")[1] for h in heads] == [f"deployments/{NAME}", f"rollouts/{NAME}"]
    assert image(referring) == f"{NAME}:v1.0.0"


def test_the_old_versions_health_is_no_success_while_nobody_has_seen_the_new_one(referring: World) -> None:
    referring.sandbox = sandbox.Cluster(referring.store, controller=False)
    ran = referring.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.UNOBSERVED, ran
    assert referring.store.read(ROLLOUT, "companyos", NAME)["status"]["phase"] == "Healthy"
    ran = referring.canary("status")
    assert ran.code == ExitCode.UNFINISHED
    assert "reference workload" in ran.out
    assert referring.canary("deploy", "v1.3.0").code == ExitCode.REFUSED


def test_mid_way_undo_puts_the_old_template_back_into_the_deployment(referring: World) -> None:
    referring.canary("deploy", "v1.1.0", "--no-wait")
    referring.advance(4)
    referring.requests.clear()
    ran = referring.canary("undo")
    assert ran.code == ExitCode.OK, ran
    sent = [p.split("/companyos/")[1] for p in patched(referring)]
    assert sent == [f"deployments/{NAME}", f"rollouts/{NAME}"]
    assert image(referring) == f"{NAME}:v1.0.0"
    found = referring.store.read(DEPLOYMENT, "companyos", NAME)
    assert found["spec"]["template"]["metadata"]["labels"] == {"app": NAME}
    live = referring.rollout()
    assert live.is_fully_promoted


def test_after_a_release_undo_goes_through_the_steps_again(referring: World) -> None:
    assert referring.canary("deploy", "v1.1.0", "-q").code == ExitCode.OK
    diff = referring.canary("undo", "--dry-run")
    assert f"-      image: {NAME}:v1.1.0" in diff.out
    ran = referring.canary("undo")
    assert ran.code == ExitCode.OK, ran
    assert ran.last.startswith("verdict=healthy version=v1.0.0 stable=v1.0.0")
    assert image(referring) == f"{NAME}:v1.0.0"


def test_abort_status_and_get_work_as_ever(referring: World) -> None:
    referring.canary("deploy", "v1.1.0", "--no-wait")
    referring.advance(4)
    status = referring.canary("status")
    assert (status.code, "v1.1.0" in status.out) == (ExitCode.UNFINISHED, True)
    get = referring.canary("get")
    assert get.code == ExitCode.OK
    assert "v1.1.0" in get.out
    assert "v1.0.0" in get.out
    ran = referring.canary("abort")
    assert ran.code == ExitCode.OK, ran
    assert "the Deployment's spec still has" in ran.out
    assert image(referring) == f"{NAME}:v1.1.0"
    assert referring.canary("deploy", "v1.1.0").code == ExitCode.REFUSED
    assert referring.canary("deploy", "v1.1.1").code == ExitCode.OK


@pytest.fixture
def migrating(tmp_path: Path) -> Callable[..., World]:
    """v1.0.0 runs as a Deployment of four pods, and a Rollout with that `scaleDown` is about to take them over."""

    def begin(scale_down: str, version: str = "v1.0.0") -> World:
        reference = REFERENCE.replace(f"name: {NAME}}}\n", f"name: {NAME}, scaleDown: {scale_down}}}\n")
        assert scale_down in reference
        (tmp_path / "reference.yaml").write_text(reference)
        made = World(tmp_path, f"{CONFIG}merge: [reference.yaml]\n".replace("replicas: 10", "replicas: 4"))
        made.store.create(DEPLOYMENT, merge(deployment(f"{NAME}:{version}"), {"spec": {"replicas": 4}}))
        made.advance(10)
        return made

    return begin


def sizes(world: World) -> list[int]:
    """How many pods the Deployment wanted, one after the other."""
    found: list[int] = []
    for change in world.store.changes(100):
        if change.kind is DEPLOYMENT and (wanted := change.object["spec"]["replicas"]) not in found[-1:]:
            found.append(wanted)
    return found


@pytest.mark.parametrize(
    ("scale_down", "seen"), [("never", [4]), ("onsuccess", [4, 0]), ("progressively", [4, 3, 2, 1, 0])]
)
def test_a_deployment_gives_its_pods_up_as_its_reference_says(
    migrating: Callable[..., World], scale_down: str, seen: list[int], pace: str
) -> None:
    """A late controller sees several pods ready at once."""
    world = migrating(scale_down)
    assert world.canary("apply", "v1.0.0", "--no-wait").code == ExitCode.OK
    world.advance(30)
    world.until(lambda r: r.is_fully_promoted)
    found = sizes(world)
    assert found == (seen if pace == "prompt" else [size for size in seen if size in found])
    assert (found[0], found[-1]) == (seen[0], seen[-1])


@pytest.mark.parametrize("scale_down", ["onsuccess", "progressively"])
def test_a_deployment_keeps_its_pods_while_the_rollout_has_none_that_work(
    migrating: Callable[..., World], scale_down: str
) -> None:
    world = migrating(scale_down, "bad-1")
    assert world.canary("apply", "bad-1", "--no-wait").code == ExitCode.OK
    world.advance(30)
    assert sizes(world) == [4]


def test_only_the_first_version_scales_the_deployment(migrating: Callable[..., World]) -> None:
    world = migrating("onsuccess")
    assert world.canary("apply", "v1.0.0").code == ExitCode.OK
    world.advance(30)
    assert world.canary("deploy", "v1.1.0", "--until", "weight=10").code == ExitCode.OK
    scaled = merge(world.store.read(DEPLOYMENT, "companyos", NAME), {"spec": {"replicas": 2}})
    world.store.update(DEPLOYMENT, scaled)
    world.advance(120)
    assert world.store.read(DEPLOYMENT, "companyos", NAME)["spec"]["replicas"] == 2


def test_a_reference_to_nothing_is_an_invalid_spec_until_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "reference.yaml").write_text(REFERENCE)
    made = World(tmp_path, f"{CONFIG}merge: [reference.yaml]\n")
    assert made.canary("apply", "v1.0.0", "--no-wait").code == ExitCode.OK
    made.advance(5)
    assert made.canary("status").code == ExitCode.DEGRADED
    ran = made.canary("why")
    assert f'deployments.apps "companyos/{NAME}" not found' in ran.out
    made.store.create(DEPLOYMENT, deployment())
    made.advance(20)
    assert made.rollout().is_fully_promoted


def test_a_template_besides_the_reference_is_an_invalid_spec(referring: World) -> None:
    live = merge(
        referring.store.read(ROLLOUT, "companyos", NAME), {"spec": {"template": deployment()["spec"]["template"]}}
    )
    referring.store.update(ROLLOUT, live)
    referring.advance(5)
    assert "template must be empty for workload reference rollout" in referring.canary("status").out


def test_a_missing_deployment_is_named(referring: World) -> None:
    referring.store.delete(DEPLOYMENT, "companyos", NAME)
    ran = referring.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.NOT_FOUND
    assert f"the Deployment `{NAME}`" in ran.err


def test_who_may_not_read_the_deployment_is_told_so(referring: World) -> None:
    referring.faults.add(Fault(Answer(403), path=f"deployments/{NAME}"))
    ran = referring.canary("deploy", "v1.1.0")
    assert ran.code == ExitCode.DENIED
    assert "deployments" in ran.err
    assert referring.canary("status").code == ExitCode.OK


def test_who_ships_a_deployments_template_needs_a_right_on_it(referring: World) -> None:
    referring.allowed = lambda asked: (asked.verb, asked.resource) != ("patch", "deployments")
    found = referring.canary("doctor", "-o", "json").json["data"]["checks"]
    lacking = "not permitted to `patch` `deployments.apps`"
    assert [c["sentence"] for c in found if c["id"] == "rights"] == [f"{lacking}: deploy and undo would be refused"]


def test_an_autoscaler_of_the_deployment_does_not_scale_the_rollout(referring: World) -> None:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": NAME}, "minReplicas": 2, "maxReplicas": 20}
    referring.store.create(AUTOSCALER, {"metadata": {"name": "api", "namespace": "companyos"}, "spec": spec})
    told = referring.canary("doctor").out
    assert (
        f"HorizontalPodAutoscaler api scales Deployment {NAME}, which {NAME} only takes its pod template from" in told
    )
