"""Experiments in the sandbox: those of a step, with a part of the traffic, and those that stand alone."""

from companyos_canary.sandbox.kinds import EXPERIMENT, SERVICE
from tests.sandbox.stage import LABELS, NS, Json, Stage, template

TEMPLATES: list[Json] = [{"name": "old", "specRef": "stable"}, {"name": "new", "specRef": "canary", "replicas": 2}]
ANALYSES = [{"name": "judge", "templateName": "errors"}]


def stage_of(steps: list[Json], **canary: object) -> Stage:
    stage = Stage(steps, canary=canary)
    stage.template("errors")
    stage.answers["errors"] = 1.0
    stage.run(5)
    return stage


def phases(stage: Stage) -> list[str]:
    return [e["status"]["phase"] for e in stage.store.items(EXPERIMENT, NS)]


def test_a_step_waits_for_its_experiment() -> None:
    experiment = {"duration": "10s", "templates": TEMPLATES, "analyses": ANALYSES}
    stage = stage_of([{"experiment": experiment}, {"setWeight": 20}, {"pause": {}}])
    stage.set_image("v2")
    stage.run(5)
    assert (phases(stage), stage.rollout.step_index, stage.sizes()) == (["Running"], 0, [5, 0, 1, 2])
    stage.run(60)
    assert (phases(stage), stage.phase) == (["Successful"], "Paused - CanaryPauseStep")
    assert stage.sizes() == [4, 1, 0, 0]


def test_a_failed_experiment_aborts_its_rollout() -> None:
    experiment = {"duration": "10m", "templates": TEMPLATES, "analyses": ANALYSES}
    stage = stage_of([{"experiment": experiment}, {"setWeight": 20}])
    stage.answers["errors"] = 0.0
    stage.set_image("v2")
    stage.run(20)
    assert phases(stage) == ["Failed"]
    assert "Experiment analysis phase is error/failed" in stage.phase


def test_a_template_with_a_weight_gets_a_service_and_traffic() -> None:
    stage = Stage(
        [{"experiment": {"templates": [{**TEMPLATES[1], "weight": 10}]}}, {"setWeight": 20}],
        canary={"stableService": "stable", "canaryService": "canary", "trafficRouting": {"smi": {}}},
    )
    for service in ("stable", "canary"):
        stage.create(SERVICE, service, {"spec": {"selector": dict(LABELS), "ports": [{"port": 80}]}})
    stage.edit(_with_a_port)
    stage.run(5)
    stage.set_image("v2")
    stage.edit(_with_a_port)
    stage.run(5)
    weights = stage.object["status"]["canary"]["weights"]
    (added,) = weights["additional"]
    assert (weights["canary"]["weight"], added["weight"], weights["stable"]["weight"]) == (0, 10, 90)
    assert stage.store.get(SERVICE, NS, added["serviceName"]) is not None
    stage.abort()
    stage.run(60)
    assert phases(stage) == ["Successful"]
    assert stage.store.get(SERVICE, NS, added["serviceName"]) is None
    assert "additional" not in stage.object["status"]["canary"]["weights"]


def test_an_experiment_may_stand_alone_and_be_ended() -> None:
    stage = stage_of([{"setWeight": 20}])
    spec = {"templates": [{"name": "only", "selector": {"matchLabels": LABELS}, "template": template("v9")}]}
    stage.create(EXPERIMENT, "trial", {"spec": spec})
    stage.run(60)
    assert phases(stage) == ["Running"]
    trial = stage.store.read(EXPERIMENT, NS, "trial")
    stage.store.update(EXPERIMENT, {**trial, "spec": {**spec, "terminate": True}})
    stage.run(60)
    assert phases(stage) == ["Successful"]
    assert stage.sizes() == [5, 0]


def _with_a_port(rollout: Json) -> None:
    rollout["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 8080}]
