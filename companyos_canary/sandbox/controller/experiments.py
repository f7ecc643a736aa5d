"""The Experiments of a Rollout: one for each experiment step, and what its end means.

Upstream rollout/experiment.go; recorded: the scenarios of experiments.
"""

from companyos_canary.analysis.arguments import rollout_argument
from companyos_canary.model.http import Json
from companyos_canary.model.rollout import HASH_LABEL, REVISION
from companyos_canary.sandbox.controller.passes import INCONCLUSIVE, INCONCLUSIVE_EXPERIMENT, Pass, hash_of, revision_of
from companyos_canary.sandbox.kinds import EXPERIMENT
from companyos_canary.sandbox.objects import Object, copied, owner_reference

_FINISHED = ("Successful", "Failed", "Error", "Inconclusive")


def find_experiment(work: Pass) -> None:
    """The Experiment that the status names."""
    name = (work.status.get("canary") or {}).get("currentExperiment")
    work.experiment = next((e for e in work.experiments if e["metadata"]["name"] == name), None)
    work.running_experiment = None


def reconcile_experiments(work: Pass) -> None:
    """Creates, ends and reads Experiments; a failed one aborts, an inconclusive one pauses. Raises
    TemplateError where one cannot be made."""
    if work.aborted or work.view.promote_full:
        for experiment in work.experiments:
            _terminate(work, experiment)
        return
    if work.has_pause(INCONCLUSIVE):
        return
    step = work.view.current_step
    current = work.experiment
    if step is not None and step.kind == "experiment":
        if current is None:
            if work.stable is None:
                return
            current = work.experiment = _create(work, step.raw["experiment"])
            told = f"Created Experiment '{current['metadata']['name']}'"
            work.tell("Normal", "ExperimentCreated", told)
        _judge(work, current)
    else:
        current = None
    for experiment in work.experiments:
        if current is None or experiment["metadata"]["uid"] != current["metadata"]["uid"]:
            _terminate(work, experiment)
    _collect(work, current)


def experiment_is_successful(work: Pass) -> bool:
    return work.experiment is not None and _phase(work.experiment) == "Successful"


def _judge(work: Pass, experiment: Object) -> None:
    phase = _phase(experiment)
    if phase == "Inconclusive":
        work.pauses.added.append(INCONCLUSIVE_EXPERIMENT)
    elif phase in ("Failed", "Error"):
        message = (experiment.get("status") or {}).get("message")
        work.pauses.abort_with("Experiment analysis phase is error/failed" + (f": {message}" if message else ""))
    elif phase != "Successful":
        work.running_experiment = experiment


def _create(work: Pass, step: Json) -> Object:
    latest, revision = hash_of(work.canary), str(revision_of(work.rollout))
    base = name = f"{work.view.name}-{latest}-{revision}-{work.view.step_index or 0}"
    spec = _spec(work, step)
    number = 0
    while taken := work.store.get(EXPERIMENT, work.view.namespace, name):
        if _phase(taken) not in _FINISHED and taken["spec"] == spec:
            return taken
        number, name = number + 1, f"{base}-{number + 1}"
    labels = {**(work.rollout["metadata"].get("labels") or {}), HASH_LABEL: latest}
    meta = {
        "name": name,
        "namespace": work.view.namespace,
        "labels": labels,
        "annotations": {REVISION: revision},
        "ownerReferences": [owner_reference(work.rollout)],
    }
    head = {"apiVersion": EXPERIMENT.api_version, "kind": EXPERIMENT.kind}
    created = work.store.create(EXPERIMENT, {**head, "metadata": meta, "spec": spec})
    work.experiments.append(created)
    return created


def _spec(work: Pass, step: Json) -> Json:
    args = {"latest_hash": hash_of(work.canary), "stable_hash": work.view.stable_hash}
    analyses = []
    for analysis in step.get("analyses") or []:
        given = [
            rollout_argument(a, work.rollout, args["latest_hash"], args["stable_hash"])
            for a in analysis.get("args") or []
        ]
        kept = {
            k: analysis[k] for k in ("name", "templateName", "clusterScope", "requiredForCompletion") if k in analysis
        }
        analyses.append({**kept, **({"args": given} if given else {})})
    spec: Json = {"templates": [_template(work, t) for t in step.get("templates") or []]}
    if analyses:
        spec["analyses"] = analyses
    for key in ("duration", "dryRun", "analysisRunMetadata", "scaleDownDelaySeconds"):
        if step.get(key) is not None:
            spec[key] = copied(step[key])
    if work.rollout["spec"].get("progressDeadlineSeconds") is not None:
        spec["progressDeadlineSeconds"] = work.rollout["spec"]["progressDeadlineSeconds"]
    return spec


def _template(work: Pass, step: Json) -> Json:
    """The pod template of the canary or of the stable version, with the labels of the step."""
    source = work.newest if step.get("specRef") == "canary" or work.stable is None else work.stable
    pods, selector = copied(source["spec"]["template"]), copied(source["spec"]["selector"])
    if step.get("selector") is not None:
        selector = copied(step["selector"])
    extra = step.get("metadata") or {}
    meta = pods.setdefault("metadata", {})
    for key in ("labels", "annotations"):
        if extra.get(key):
            meta[key] = {**(meta.get(key) or {}), **extra[key]}
    if extra.get("labels"):
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **extra["labels"]}
    found: Json = {"name": step["name"], "template": pods, "selector": selector}
    if step.get("replicas") is not None:
        found["replicas"] = step["replicas"]
    if source["spec"].get("minReadySeconds"):
        found["minReadySeconds"] = source["spec"]["minReadySeconds"]
    if step.get("weight") is not None or step.get("service") is not None:
        name = (step.get("service") or {}).get("name")
        found["service"] = {"name": name} if name else {}
    return found


def _terminate(work: Pass, experiment: Object) -> None:
    if _phase(experiment) in _FINISHED or experiment["spec"].get("terminate"):
        return
    work.write(EXPERIMENT, {**experiment, "spec": {**experiment["spec"], "terminate": True}})


def _collect(work: Pass, current: Object | None) -> None:
    """Removes finished Experiments whose ReplicaSet is gone, and all but the newest few."""
    limits = work.rollout["spec"].get("analysis") or {}
    left = {True: limits.get("successfulRunHistoryLimit", 5), False: limits.get("unsuccessfulRunHistoryLimit", 5)}
    hashes = {hash_of(s) for s in work.sets}
    uid = current["metadata"]["uid"] if current else ""
    old = [e for e in work.experiments if e["metadata"]["uid"] != uid and _phase(e) in _FINISHED]
    old.sort(key=lambda e: (e["metadata"]["creationTimestamp"], e["metadata"]["name"]))
    for experiment in reversed(old):
        good = _phase(experiment) == "Successful"
        left[good] -= 1
        if left[good] < 0 or hash_of(experiment) not in hashes:
            work.store.delete(EXPERIMENT, work.view.namespace, experiment["metadata"]["name"])


def _phase(experiment: Object) -> str:
    return str((experiment.get("status") or {}).get("phase", ""))
