"""The steps that run something: the Experiments of a Rollout, one for each experiment step, and what its end means;
and step plugins: when one is asked, what the status notes of its answers, and what becomes of it at an abort, a retry
and a promotion in full. A plugin of any name is taken for a configured one.

Upstream rollout/experiment.go; recorded: the scenarios of experiments. Upstream rollout/stepplugin.go and
rollout/steps/plugin/plugin.go; recorded with upstream's plugin for tests.
"""

from datetime import timedelta
from typing import Any

from companyos_canary.analysis.arguments import rollout_argument
from companyos_canary.model.http import Json
from companyos_canary.model.image import HASH_LABEL, REVISION
from companyos_canary.model.quantity import format_time, parse_duration, parse_time
from companyos_canary.sandbox.controller.passes import (
    INCONCLUSIVE,
    INCONCLUSIVE_EXPERIMENT,
    Answer,
    Call,
    Pass,
    collect,
    hash_of,
    made,
    phase_of,
    revision_of,
    terminate,
)
from companyos_canary.sandbox.kinds import EXPERIMENT
from companyos_canary.sandbox.objects import Object, copied


def find_experiment(state: Pass) -> None:
    """The Experiment that the status names."""
    name = (state.status.get("canary") or {}).get("currentExperiment")
    state.experiment = next((e for e in state.experiments if e["metadata"]["name"] == name), None)
    state.running_experiment = None


def reconcile_experiments(state: Pass) -> None:
    """Creates, ends and reads Experiments; a failed one aborts, an inconclusive one pauses. Raises
    TemplateError where one cannot be made."""
    if state.aborted or state.view.promote_full:
        for experiment in state.experiments:
            terminate(state, EXPERIMENT, experiment)
        return
    if state.has_pause(INCONCLUSIVE):
        return
    step = state.view.current_step
    current = state.experiment
    if step is not None and step.kind == "experiment":
        if current is None:
            if state.stable is None:
                return
            current = state.experiment = _create(state, step.raw["experiment"])
            told = f"Created Experiment '{current['metadata']['name']}'"
            state.tell("Normal", "ExperimentCreated", told)
        _judge(state, current)
    else:
        current = None
    for experiment in state.experiments:
        if current is None or experiment["metadata"]["uid"] != current["metadata"]["uid"]:
            terminate(state, EXPERIMENT, experiment)
    collect(state, EXPERIMENT, state.experiments, [current["metadata"]["uid"]] if current else [])


def experiment_is_successful(state: Pass) -> bool:
    return state.experiment is not None and phase_of(state.experiment) == "Successful"


def _judge(state: Pass, experiment: Object) -> None:
    phase = phase_of(experiment)
    if phase == "Inconclusive":
        state.pauses.added.append(INCONCLUSIVE_EXPERIMENT)
    elif phase in ("Failed", "Error"):
        message = (experiment.get("status") or {}).get("message")
        state.pauses.abort_with("Experiment analysis phase is error/failed" + (f": {message}" if message else ""))
    elif phase != "Successful":
        state.running_experiment = experiment


def _create(state: Pass, step: Json) -> Object:
    latest, revision = hash_of(state.canary), str(revision_of(state.rollout))
    base = f"{state.view.name}-{latest}-{revision}-{state.view.step_index or 0}"
    labels = {**(state.rollout["metadata"].get("labels") or {}), HASH_LABEL: latest}
    meta = {"labels": labels, "annotations": {REVISION: revision}}
    experiment, is_new = made(state, EXPERIMENT, f"{base}-", _spec(state, step), meta)
    if is_new:
        state.experiments.append(experiment)
    return experiment


def _spec(state: Pass, step: Json) -> Json:
    args = {"latest_hash": hash_of(state.canary), "stable_hash": state.view.stable_hash}
    analyses = []
    for analysis in step.get("analyses") or []:
        given = [
            rollout_argument(a, state.rollout, args["latest_hash"], args["stable_hash"])
            for a in analysis.get("args") or []
        ]
        kept = {
            k: analysis[k] for k in ("name", "templateName", "clusterScope", "requiredForCompletion") if k in analysis
        }
        analyses.append({**kept, **({"args": given} if given else {})})
    spec: Json = {"templates": [_template(state, t) for t in step.get("templates") or []]}
    if analyses:
        spec["analyses"] = analyses
    for key in ("duration", "dryRun", "scaleDownDelaySeconds"):
        if step.get(key) is not None:
            spec[key] = copied(step[key])
    spec["analysisRunMetadata"] = copied(step.get("analysisRunMetadata") or {})
    if state.rollout["spec"].get("progressDeadlineSeconds") is not None:
        spec["progressDeadlineSeconds"] = state.rollout["spec"]["progressDeadlineSeconds"]
    return spec


def _template(state: Pass, step: Json) -> Json:
    """The pod template of the canary or of the stable version, with the labels of the step."""
    source = state.newest if step.get("specRef") == "canary" or state.stable is None else state.stable
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


Plugin = dict[str, Any]  # an item of status.canary.stepPluginStatuses

_LEAST, _USUAL, _LATER = timedelta(seconds=10), timedelta(seconds=30), timedelta(seconds=5)
_AFTER_AN_ERROR = timedelta(seconds=30)
_TOLD = {
    "Run": "Step plugin {name} (step {step}) transitioned to {phase}",
    "Abort": "Step plugin {name} (step {step}) aborted ({phase})",
    "Terminate": "Step plugin {name} (step {step}) terminated ({phase})",
}


class _Trouble(Exception):
    """The controller cannot go on with a plugin; the text is upstream's."""


def reconcile_plugins(state: Pass) -> None:
    """Runs the plugin of the current step; after an abort those that have run are undone, and a promotion in full ends
    the one that runs."""
    found = state.plugins = [dict(s) for s in (state.status.get("canary") or {}).get("stepPluginStatuses") or []]
    state.asked_plugins = True
    if state.aborted:
        for ran in [s for s in reversed(found) if s.get("operation") == "Run"]:
            if _name_at(state, ran["index"]) and ran.get("phase") in ("Running", "Successful"):
                _end(state, ran, "Abort")
        return
    if state.view.promote_full or state.promoted:
        last = _last_running(found)
        if last is not None and _name_at(state, last["index"]):
            _end(state, last, "Terminate")
        return
    index, step = state.view.step_index or 0, state.view.current_step
    if index == 0 and step is not None and (step.kind != "plugin" or plugin_is_done(state)):
        found.clear()  # those of the attempt before a retry
    if step is not None and step.kind == "plugin" and state.status.get("phase") == "Progressing":
        try:
            _run(state, index, _name_at(state, index))
        except _Trouble as trouble:
            state.asked_plugins = False
            state.tell("Warning", "ReconciliationError", f"Reconciliation failed with error: {trouble}")
            state.wake_at.append(state.now + _AFTER_AN_ERROR)


def plugin_is_done(state: Pass) -> bool:
    """Where the pass did not come as far as the plugins no step of theirs is done."""
    index = state.view.step_index or 0
    ran = _find(state, index, "Run")
    if ran is None or not state.asked_plugins:
        return False
    ended = _find(state, index, "Terminate") or _find(state, index, "Abort")
    return ran["phase"] in ("Successful", "Failed") or (ran["phase"] == "Running" and ended is not None)


def _run(state: Pass, index: int, name: str) -> None:
    ran, time = _find(state, index, "Run"), format_time(state.now)
    if ran is None:
        ran = {"index": index, "name": name, "operation": "Run", "phase": "Running", "startedAt": time}
        before = ""
        state.plugins.append(ran)
    else:
        before = ran["phase"]
        if before in ("Successful", "Failed"):
            return
        if (parse_time(ran.get("updatedAt")) or state.now) + _backoff(ran, "run plugin: could not parse") > state.now:
            _look_again(state, ran)
            return
    answer = _ask(state, ran, "Run")
    ran.update(phase=answer.phase, updatedAt=time, executions=ran.get("executions", 0) + 1)
    _note(ran, message=answer.message, backoff=None)
    if answer.phase in ("Successful", "Failed"):
        ran["finishedAt"] = time
    if answer.phase != "Error":
        _note(ran, status=answer.state)
    if answer.phase == "Running":
        ran["backoff"] = f"{(answer.after if answer.after > _LEAST else _USUAL).seconds}s"
    if answer.phase not in (before, "Successful"):
        _tell(state, ran)
    if answer.phase in ("Running", "Error"):
        _look_again(state, ran)
    if answer.phase == "Failed":
        state.pauses.abort_with(f"Step Plugin {index + 1} ({name}) failed: {answer.message}")


def _look_again(state: Pass, ran: Plugin) -> None:
    updated = parse_time(ran.get("updatedAt")) or state.now
    state.wake_at.append(updated + _backoff(ran, "parse") + _LATER)


def _backoff(ran: Plugin, what: str) -> timedelta:
    """How long a plugin is left alone. One that says Error itself has none, which upstream does not expect."""
    try:
        return parse_duration(ran.get("backoff") or "")
    except ValueError as error:
        raise _Trouble(f"failed to {what} backoff duration: {error}") from None


def _end(state: Pass, ran: Plugin, operation: str) -> None:
    if any((s["index"], s["name"], s["operation"]) == (ran["index"], ran["name"], operation) for s in state.plugins):
        return
    answer, time = _ask(state, ran, operation), format_time(state.now)
    phase = "Failed" if answer.phase == "Running" else answer.phase  # this cannot take time
    ended = {"index": ran["index"], "name": ran["name"], "operation": operation, "phase": phase}
    ended |= {"startedAt": time, "finishedAt": time}
    _note(ended, message=answer.message)
    state.plugins.append(ended)
    _tell(state, ended)


def _ask(state: Pass, ran: Plugin, operation: str) -> Answer:
    step = state.view.steps[ran["index"]]
    config = (step.raw.get("plugin") or {}).get("config") or {}
    return state.ask_plugin(
        Call(operation, ran["name"], config, ran.get("status"), state.view.namespace, state.view.current_hash)
    )


def _name_at(state: Pass, index: int) -> str:
    """The plugin of a step of the spec; "" of a step without one."""
    steps = state.view.steps
    step = steps[index] if index < len(steps) else None
    return str((step.raw.get("plugin") or {}).get("name") or "") if step is not None else ""


def _last_running(found: list[Plugin]) -> Plugin | None:
    for ran in reversed(found):
        if (ran["operation"], ran["phase"]) == ("Terminate", "Successful"):
            return None
        if (ran["operation"], ran["phase"]) == ("Run", "Running"):
            return ran
    return None


def _find(state: Pass, index: int, operation: str) -> Plugin | None:
    return next((s for s in state.plugins if (s["index"], s["operation"]) == (index, operation)), None)


def _note(found: Plugin, **fields: Any) -> None:
    """Sets fields of a status; an empty one is left out."""
    for field, value in fields.items():
        found.pop(field, None)
        if value:
            found[field] = value


def _tell(state: Pass, status: Plugin) -> None:
    told = _TOLD[status["operation"]].format(name=status["name"], step=status["index"] + 1, phase=status["phase"])
    state.tell("Warning" if status["phase"] in ("Failed", "Error") else "Normal", "StepPluginTransition", told)
