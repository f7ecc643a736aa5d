"""What is decided for a Rollout that takes its pods from a Deployment."""

from typing import Any

import pytest

from companyos_canary.actions.follow import Following
from companyos_canary.argo.endings import Until
from companyos_canary.argo.patches.decision import Change, Nothing, Refusal
from companyos_canary.argo.patches.record import RECORD
from companyos_canary.argo.patches.template import undo
from companyos_canary.argo.phase import shown_phase
from companyos_canary.cluster.kinds import with_workload
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.workload import ReplicaSet
from tests.argo.test_patches import ABORTED, HEALTHY, body, deploy, refusal
from tests.argo.test_patches_more import UNDONE
from tests.builders import NAME, STABLE, replicaset_object, rollout

REFERENCE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}


def referring(image: str = f"{NAME}:v1.0.0", /, *, generation: int = 3, seen: int | None = 3, **state: Any) -> Rollout:
    """A Rollout without a template of its own, and the Deployment's in its place."""
    status = {} if seen is None else {"workloadObservedGeneration": str(seen)}
    state["spec"] = {"workloadRef": REFERENCE, "template": None}
    live = rollout(status=status, **state)
    sidecar = {"name": "proxy", "image": "proxy:3"}
    template = {
        "metadata": {"labels": {"app": NAME}},
        "spec": {"containers": [sidecar, {"name": NAME, "image": image}]},
    }
    return with_workload(live, {"metadata": {"generation": generation}, "spec": {"template": template}})


def test_deploy_sets_the_image_in_the_deployment_and_then_leaves_its_record() -> None:
    decision = deploy(referring(**HEALTHY))
    assert isinstance(decision, Change)
    first, second = decision.patches
    at = "/spec/template/spec/containers/1"
    assert (first.target, first.body) == (
        "Deployment",
        [
            {"op": "test", "path": f"{at}/name", "value": NAME},
            {"op": "test", "path": f"{at}/image", "value": f"{NAME}:v1.0.0"},
            {"op": "replace", "path": f"{at}/image", "value": f"{NAME}:v1.2.0"},
        ],
    )
    assert (second.target, second.beside) == ("Rollout", True)
    assert list(body(decision, 1)["metadata"]["annotations"]) == [RECORD]


@pytest.mark.parametrize(
    ("live", "kind"),
    [
        (referring(f"{NAME}:v1.2.0", **HEALTHY), Nothing),
        (referring(f"{NAME}:v1.2.0", **ABORTED), Refusal),
        (referring(f"{NAME}:v1.1.0", generation=4, **HEALTHY), Refusal),
        (referring(f"{NAME}:v1.1.0"), Refusal),
    ],
    ids=["it is there", "it was aborted", "another one is not seen yet", "another one runs"],
)
def test_deploy_judges_by_the_deployments_image_and_generation(live: Rollout, kind: type) -> None:
    assert isinstance(deploy(live), kind)


def test_a_workload_of_another_kind_is_refused_by_its_name() -> None:
    live = rollout(spec={"workloadRef": {"kind": "ReplicaSet", "name": "api-1"}, "template": None})
    target = ReplicaSet.from_object(replicaset_object(hash=STABLE))
    assert "ReplicaSet `api-1`" in refusal(deploy(live)).message
    assert "ReplicaSet `api-1`" in refusal(undo(live, target, UNDONE)).message


def test_undo_writes_the_old_template_into_the_deployment_whose_images_it_pins() -> None:
    target = ReplicaSet.from_object(replicaset_object(hash=STABLE, image=f"{NAME}:v1.0.0"))
    decision = undo(referring(f"{NAME}:v1.1.0"), target, UNDONE)
    assert isinstance(decision, Change)
    patch, record = decision.patches
    assert (record.target, record.beside) == ("Rollout", True)
    assert patch.target == "Deployment"
    assert [o["value"] for o in patch.body[:-1]] == ["proxy", "proxy:3", NAME, f"{NAME}:v1.1.0"]
    assert body(decision)[-1]["path"] == "/spec/template"


@pytest.mark.parametrize("seen", [None, 2])
def test_what_the_controller_has_not_seen_of_the_deployment_is_said(seen: int | None) -> None:
    live = referring(**HEALTHY, seen=seen)
    assert not live.observed
    assert shown_phase(live).word == "Progressing"
    assert shown_phase(live).message.endswith("observed for the reference workload")
    assert shown_phase(referring(**HEALTHY)).word == "Healthy"


def test_a_hash_is_believed_once_the_deployments_generation_was_seen() -> None:
    """Whatever the watch of the Deployment shows: it may be behind that of the Rollout."""
    following = Following(NAME, Until(), None, True, generation=8, workload_generation=4)
    assert not following.shown_by(referring(**HEALTHY))
    assert not following.shown_by(referring(**HEALTHY, generation=3, seen=4))
    assert not following.shown_by(rollout(**HEALTHY))
    assert following.shown_by(referring(**HEALTHY, generation=4, seen=4))
