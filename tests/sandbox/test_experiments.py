"""Experiments in the sandbox: those of a step, with a part of the traffic, and those that stand alone."""

from companyos_canary.model.image import HASH_LABEL
from companyos_canary.sandbox.kinds import ANALYSISRUN, ANALYSISTEMPLATE, EXPERIMENT, REPLICASET, SERVICE
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


def test_no_service_of_a_version_selects_the_pods_of_an_experiment() -> None:
    stage = Stage([{"experiment": {"templates": TEMPLATES}}])
    stage.run(5)
    stage.set_image("v2")
    stage.run(5)
    (experiment,) = stage.store.items(EXPERIMENT, NS)
    assert experiment["spec"]["analysisRunMetadata"] == {}
    hashes = [s["metadata"]["labels"][HASH_LABEL] for s in stage.sets()]
    assert len(hashes) == len(set(hashes)) == 2 + len(TEMPLATES)


def test_a_run_that_has_not_begun_has_an_entry_without_a_name() -> None:
    stage = stage_of([{"experiment": {"templates": TEMPLATES, "analyses": ANALYSES}}])
    stage.set_image("v2")
    stage.act()
    (experiment,) = stage.store.items(EXPERIMENT, NS)
    assert experiment["status"]["analysisRuns"] == [{"name": "judge", "phase": "", "analysisRun": ""}]


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


def trial_of(stage: Stage, *templates: Json, **spec: object) -> None:
    """Starts an Experiment that stands alone."""
    made = [{"selector": {"matchLabels": LABELS}, "template": template("v9"), **t} for t in templates]
    stage.create(EXPERIMENT, "trial", {"spec": {"templates": made, **spec}})


def change_trial(stage: Stage, **spec: object) -> None:
    trial = stage.store.read(EXPERIMENT, NS, "trial")
    stage.store.update(EXPERIMENT, {**trial, "spec": {**trial["spec"], **spec}})


def status_of(stage: Stage) -> Json:
    status: Json = stage.store.read(EXPERIMENT, NS, "trial")["status"]
    return status


def test_an_experiment_that_is_ended_before_its_analysis_begins_is_successful() -> None:
    stage = stage_of([{"setWeight": 20}])
    trial_of(stage, {"name": "only"}, analyses=[{**ANALYSES[0], "requiredForCompletion": True}])
    stage.act()
    change_trial(stage, terminate=True)
    stage.run(60)
    assert (phases(stage), stage.runs()) == (["Successful"], {})


def test_an_analysis_without_its_template_ends_the_experiment_before_it_begins() -> None:
    stage = stage_of([{"setWeight": 20}])
    trial_of(stage, {"name": "only"}, analyses=[{"name": "judge", "templateName": "nowhere"}])
    stage.run(5)
    why = 'analysistemplates.argoproj.io "nowhere" not found'
    assert status_of(stage)["message"] == f"AnalysisTemplate verification failed for analysis 'judge': {why}"


def test_a_missing_argument_shows_when_the_analysis_begins() -> None:
    stage = stage_of([{"setWeight": 20}])
    found = stage.store.read(ANALYSISTEMPLATE, NS, "errors")
    stage.store.update(ANALYSISTEMPLATE, {**found, "spec": {**found["spec"], "args": [{"name": "limit"}]}})
    trial_of(stage, {"name": "only"}, analyses=ANALYSES)
    stage.act()
    assert phases(stage) == ["Pending"]
    stage.run(5)
    assert phases(stage) == ["Error"]
    assert status_of(stage)["message"].startswith("Failed to create AnalysisRun for analysis 'judge': ")


def test_a_run_that_is_deleted_fails_the_experiment_at_its_next_look() -> None:
    stage = stage_of([{"setWeight": 20}])
    trial_of(stage, {"name": "only"}, analyses=ANALYSES)
    stage.run(1)
    assert status_of(stage)["analysisRuns"][0]["phase"] == "Running"
    stage.store.delete(ANALYSISRUN, NS, "trial-judge")
    change_trial(stage, duration="30s")
    stage.run(1)
    assert phases(stage) == ["Error"]
    assert status_of(stage)["message"] == 'analysisruns.argoproj.io "trial-judge" not found'


def test_one_service_cannot_serve_two_templates() -> None:
    stage = stage_of([{"setWeight": 20}])
    pods = template("v9")
    pods["spec"]["containers"][0]["ports"] = [{"containerPort": 8080}]
    shared = {"template": pods, "service": {"name": "shared"}}
    trial_of(stage, {"name": "first", **shared}, {"name": "second", **shared})
    stage.run(5)
    second = status_of(stage)["templateStatuses"][1]
    assert (second["status"], phases(stage)) == ("Error", ["Error"])
    assert second["message"].endswith("service shared already exists and is not owned by experiment template second")
    stage.run(60)
    assert stage.store.get(SERVICE, NS, "shared") is None


def test_what_waits_for_its_end_has_the_pods_of_its_template() -> None:
    stage = stage_of([{"setWeight": 20}])
    trial_of(stage, {"name": "only", "replicas": 2}, scaleDownDelaySeconds=20)
    stage.run(5)
    change_trial(stage, terminate=True)
    stage.run(5)
    grown = stage.sets()[1]
    stage.store.update(REPLICASET, {**grown, "spec": {**grown["spec"], "replicas": 4}})
    stage.run(5)
    assert stage.sizes() == [5, 2]
    stage.run(20)
    assert stage.sizes() == [5, 0]


def _with_a_port(rollout: Json) -> None:
    rollout["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 8080}]
