"""What follows the roles of versions: injected metadata, services, a Deployment's template."""

from typing import Any

from companyos_canary.argo.validation import MANAGED_BY
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.sandbox.controller.template import EPHEMERAL, same_template, template_hash
from companyos_canary.sandbox.kinds import DEPLOYMENT, REPLICASET, ROLLOUT, SERVICE
from tests.sandbox.stage import LABELS, NAME, NS, Stage, template

STEPS: list[dict[str, Any]] = [{"setWeight": 40}, {"pause": {}}]
METADATA = {
    "canaryMetadata": {"labels": {"canary": "true"}, "annotations": {"note": "new"}},
    "stableMetadata": {"labels": {"canary": "false"}},
}


def marks(stage: Stage) -> list[set[str | None]]:
    """The label `canary` of the live pods, by ReplicaSet."""
    return [{p["metadata"]["labels"].get("canary") for p in stage.pods(s)} for s in stage.sets()]


def test_pods_carry_the_metadata_of_their_role_and_change_it_while_they_live() -> None:
    stage = Stage(STEPS, canary=METADATA)
    stage.run()
    assert marks(stage) == [{"false"}]
    stage.set_image("v2")
    stage.run()
    assert marks(stage) == [{"false"}, {"true"}]
    uids = {p["metadata"]["uid"] for p in stage.pods(stage.sets()[1])}
    assert all(p["metadata"]["annotations"]["note"] == "new" for p in stage.pods(stage.sets()[1]))
    stage.promote()
    stage.run()
    assert stage.phase == "Healthy"
    promoted = stage.pods(stage.sets()[1])
    assert marks(stage) == [set(), {"false"}]
    assert uids <= {p["metadata"]["uid"] for p in promoted}
    assert all("note" not in (p["metadata"].get("annotations") or {}) for p in promoted)


def test_what_was_injected_is_remembered_as_the_controller_writes_it() -> None:
    stage = Stage(STEPS, canary=METADATA)
    stage.run()
    stage.set_image("v2")
    stage.run()
    old, new = (s["metadata"]["annotations"] for s in stage.sets())
    assert old[EPHEMERAL] == '{"labels":{"canary":"false"}}'
    assert new[EPHEMERAL] == '{"labels":{"canary":"true"},"annotations":{"note":"new"}}'
    stage.promote()
    stage.run()
    old, new = stage.sets()
    assert EPHEMERAL not in old["metadata"]["annotations"]
    assert "annotations" not in new["spec"]["template"]["metadata"]


def test_injected_metadata_does_not_make_a_version_another_one() -> None:
    stage = Stage(STEPS, canary=METADATA)
    stage.run()
    stage.set_image("v2")
    stage.run()
    stage.set_image("v1")
    stage.run()
    assert (stage.phase, stage.sizes()) == ("Healthy", [5, 0])
    assert stage.revisions() == ["3", "2"]


def test_a_template_that_copied_an_injected_label_is_a_new_version() -> None:
    stage = Stage(STEPS, canary=METADATA)
    stage.run()
    copied = template("v1", canary="false")
    stage.edit(lambda r: r["spec"].update(template=copied))
    stage.run()
    assert len(stage.sets()) == 2
    assert stage.phase == "Paused - CanaryPauseStep"


def test_the_hash_label_and_defaults_do_not_count_in_a_template() -> None:
    plain = template("v1")
    labelled = template("v1", **{HASH_LABEL: "abc"})
    labelled["spec"]["containers"][0]["resources"] = {}
    assert template_hash(plain) == template_hash(labelled)
    assert same_template(plain, {"metadata": {}, "spec": {"template": labelled}}, {})
    assert template_hash(plain) != template_hash(template("v2"))
    assert template_hash(plain) != template_hash(plain, collisions=1)


def test_a_foreign_replicaset_of_the_same_name_is_a_collision() -> None:
    stage = Stage(STEPS)
    name = f"{NAME}-{template_hash(template('v1'))}"
    spec = {"replicas": 0, "selector": {"matchLabels": {"x": "y"}}, "template": {}}
    stage.create(REPLICASET, name, {"spec": spec})
    stage.run()
    assert stage.object["status"]["collisionCount"] == 1
    assert stage.phase == "Healthy"


def selected(stage: Stage, name: str) -> str:
    selector = stage.store.read(SERVICE, NS, name)["spec"]["selector"]
    return str(selector.get(HASH_LABEL, ""))


def test_services_follow_the_versions_and_are_let_go_with_the_rollout() -> None:
    services = {"canaryService": "new", "stableService": "old"}
    stage = Stage(STEPS, canary=services)
    for name in services.values():
        stage.create(SERVICE, name, {"spec": {"selector": LABELS}})
    stage.run()
    first = stage.rollout.stable_hash
    assert [selected(stage, n) for n in ("old", "new")] == [first, first]
    stage.set_image("v2")
    stage.run()
    assert [selected(stage, n) for n in ("old", "new")] == [first, stage.rollout.current_hash]
    stage.abort()
    stage.run()
    assert [selected(stage, n) for n in ("old", "new")] == [first, first]
    stage.store.delete(ROLLOUT, NS, NAME)
    stage.run()
    assert [selected(stage, n) for n in ("old", "new")] == ["", ""]


def test_a_rollout_waits_for_the_deployment_it_refers_to() -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    stage = Stage(STEPS, workloadRef=reference, template=None, selector=None)
    stage.run()
    assert stage.sets() == []
    spec = {"replicas": 0, "selector": {"matchLabels": LABELS}, "template": template("v1")}
    stage.create(DEPLOYMENT, "web", {"spec": spec})
    stage.run()
    assert stage.phase == "Healthy"
    assert stage.object["spec"].get("template") is None
    assert stage.object["status"]["workloadObservedGeneration"] == "1"


def service(stage: Stage, name: str) -> tuple[bool, bool]:
    """Whether its selector has a hash, and whether a Rollout manages it."""
    found = stage.store.read(SERVICE, NS, name)
    return HASH_LABEL in found["spec"]["selector"], MANAGED_BY in (found["metadata"].get("annotations") or {})


def test_a_service_to_which_no_rollout_refers_any_more_selects_all_versions_again() -> None:
    stage = Stage(STEPS, canary={"stableService": "stable", "canaryService": "canary"})
    for name in ("stable", "canary"):
        stage.create(SERVICE, name, {"spec": {"selector": dict(LABELS), "ports": [{"port": 80}]}})
    stage.run()
    assert [service(stage, name) for name in ("stable", "canary")] == [(True, True)] * 2
    stage.edit(lambda r: r["spec"].update(strategy={"blueGreen": {"activeService": "stable"}}))
    stage.run()
    assert [service(stage, name) for name in ("stable", "canary")] == [(True, True), (False, False)]
    stage.store.delete(ROLLOUT, NS, NAME)
    stage.run()
    assert service(stage, "stable") == (False, False)


def test_a_hash_that_a_person_gave_a_service_stays() -> None:
    stage = Stage(STEPS)
    selector = {**LABELS, HASH_LABEL: "74d7f4f969"}
    stage.create(SERVICE, "own", {"spec": {"selector": selector, "ports": [{"port": 80}]}})
    stage.run()
    assert service(stage, "own") == (True, False)


def test_a_service_that_is_deleted_is_missed_with_the_next_change() -> None:
    stage = Stage(STEPS, canary={"stableService": "stable"})
    stage.create(SERVICE, "stable", {"spec": {"selector": dict(LABELS), "ports": [{"port": 80}]}})
    stage.run()
    stage.store.delete(SERVICE, NS, "stable")
    stage.run()
    assert stage.phase == "Healthy"
    stage.set_image("v2")
    stage.run()
    assert stage.phase.endswith('service "stable" not found')


def test_a_workload_that_was_missing_is_taken_at_once() -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "work"}
    stage = Stage(STEPS, workloadRef=reference, template=None, selector=None)
    stage.run(15)
    assert stage.phase.endswith('deployments.apps "default/work" not found')
    stage.create(DEPLOYMENT, "work", {"spec": {"selector": {"matchLabels": LABELS}, "template": template("v1")}})
    stage.act()
    assert len([s for s in stage.sets() if s["metadata"]["name"].startswith(NAME)]) == 1
