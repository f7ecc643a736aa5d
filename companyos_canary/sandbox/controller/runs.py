"""The AnalysisRuns of a Rollout: which ones there should be, and what their end means for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from companyos_canary.analysis.spec import run_spec
from companyos_canary.model.image import HASH_LABEL, REVISION
from companyos_canary.sandbox.controller.delays import has_deadline
from companyos_canary.sandbox.controller.passes import (
    BLUE_GREEN,
    INCONCLUSIVE,
    PAUSE_STEP,
    Pass,
    collect,
    hash_of,
    made,
    phase_of,
    revision_of,
    terminate,
)
from companyos_canary.sandbox.kinds import ANALYSISRUN, ANALYSISTEMPLATE, CLUSTERANALYSISTEMPLATE
from companyos_canary.sandbox.objects import Object

PROMOTION = {"PostPromotion": "postPromotionAnalysisRunStatus", "PrePromotion": "prePromotionAnalysisRunStatus"}
_KINDS = {"Step": "currentStepAnalysisRunStatus", "Background": "currentBackgroundAnalysisRunStatus"}


def find_current(state: Pass) -> None:
    """The runs that the status names."""
    canary = state.status.get("canary") or {}
    by_name = {r["metadata"]["name"]: r for r in state.runs}
    state.step_run = by_name.get((canary.get(_KINDS["Step"]) or {}).get("name", ""))
    state.background_run = by_name.get((canary.get(_KINDS["Background"]) or {}).get("name", ""))
    blue_green = state.status.get("blueGreen") or {}
    for kind, field in PROMOTION.items():
        name = (blue_green.get(field) or {}).get("name", "")
        if name in by_name:
            state.promotion_runs[kind] = by_name[name]


def reconcile_runs(state: Pass) -> None:
    """Creates, ends and reads runs; a failed one aborts, an inconclusive one pauses. What is not
    current is ended. Raises TemplateError if a run cannot be made. Until 1.9 a version with a deadline is not judged:
    the run that has aborted it is current again once the deadline is gone, and a retry ends as it began."""
    waits = state.release.keeps_runs and has_deadline(state.newest)
    if state.aborted or state.view.promote_full or not state.view.stable_hash or state.in_window or waits:
        if state.release.keeps_runs:  # they are ended, and the status continues naming them
            for run in state.runs:
                terminate(state, ANALYSISRUN, run)
            return
        state.step_run = state.background_run = None
    else:
        state.step_run = _step_run(state)
        state.background_run = _background_run(state)
    shown = state.status.get("canary") or {}
    for kind, current in (("Step", state.step_run), ("Background", state.background_run)):
        tell_change(state, kind, current, shown.get(_KINDS[kind]))
    end_others(state, [r for r in (state.step_run, state.background_run) if r])


def end_others(state: Pass, runs: Sequence[Object]) -> None:
    """Ends all runs but the current ones, and removes those that are no longer kept."""
    current = [run["metadata"]["uid"] for run in runs]
    for run in state.runs:
        if run["metadata"]["uid"] not in current:
            terminate(state, ANALYSISRUN, run)
    collect(state, ANALYSISRUN, state.runs, current)


def run_status(state: Pass) -> dict[str, Any]:
    """status.canary: name, status and message of the current runs."""
    runs = (("Step", state.step_run), ("Background", state.background_run))
    return {_KINDS[kind]: reference(run) for kind, run in runs if run is not None}


def reference(run: Object) -> dict[str, Any]:
    """Name, status and message of a run, as a status has them."""
    status = run.get("status") or {}
    entry = {"name": run["metadata"]["name"], "status": status.get("phase", "")}
    return {**entry, "message": status["message"]} if status.get("message") else entry


def run_is_successful(state: Pass) -> bool:
    return phase_of(state.step_run) == "Successful"


def lookup(state: Pass, name: str, cluster: bool) -> Mapping[str, Any] | None:
    """A template by name, of the Rollout's namespace or of the cluster."""
    if cluster:
        return state.store.get(CLUSTERANALYSISTEMPLATE, "", name)
    return state.store.get(ANALYSISTEMPLATE, state.view.namespace, name)


def _step_run(state: Pass) -> Object | None:
    step, index, run = state.view.current_step, state.view.step_index, state.step_run
    if step is None or step.kind != "analysis" or not step.raw["analysis"].get("templates"):
        return None
    if run is not None and (run["metadata"].get("labels") or {}).get("step-index") != str(index):
        run = None
    if state.view.pause_conditions:
        return run
    if run is None or is_used_up(state, run):
        labels = {"rollout-type": "Step", "step-index": str(index)}
        return create_run(state, step.raw["analysis"], f"-{index}", labels)
    judge(state, run, "Step-based")
    return run


def _background_run(state: Pass) -> Object | None:
    analysis = state.strategy.get("analysis")
    if not analysis or not analysis.get("templates") or state.promoted:
        return None
    if (index := state.view.step_index) is not None and index < (analysis.get("startingStep") or 0):
        return None
    run = state.background_run
    if state.has_pause(INCONCLUSIVE):
        return run
    if run is None or is_used_up(state, run):
        return create_run(state, analysis, "", {"rollout-type": "Background"})
    judge(state, run, "Background")
    return run


def is_used_up(state: Pass, run: Object) -> bool:
    """Promoted past an inconclusive run, or a retry: both need a new one. At the pause of blue-green
    controllerPause is set anyway."""
    waits = state.has_pause(PAUSE_STEP) or state.has_pause(BLUE_GREEN)
    if state.view.controller_pause and not waits:
        return phase_of(run) == "Inconclusive"
    return bool(state.status.get("abortedAt"))


def judge(state: Pass, run: Object, what: str) -> None:
    phase = phase_of(run)
    if phase == "Inconclusive":
        state.pauses.added.append(INCONCLUSIVE)
    if phase in ("Failed", "Error"):
        message = (run.get("status") or {}).get("message", "")
        state.pauses.abort_with(f"{what} analysis phase error/failed" + (f": {message}" if message else ""))


def create_run(state: Pass, analysis: Mapping[str, Any], suffix: str, kind: Mapping[str, str]) -> Object:
    """A run with the first free name; an unfinished one with the same spec is taken over."""
    latest = hash_of(state.canary)
    spec = run_spec(
        analysis,
        state.rollout,
        lambda name, cluster: lookup(state, name, cluster),
        latest_hash=latest,
        stable_hash=state.view.stable_hash,
    )
    extra = analysis.get("analysisRunMetadata") or {}
    selector = (state.rollout["spec"].get("selector") or {}).get("matchLabels") or {}
    annotations = {**(extra.get("annotations") or {}), REVISION: str(revision_of(state.rollout))}
    base = f"{state.view.name}-{latest}-{revision_of(state.rollout)}{suffix}"
    labels = {**(extra.get("labels") or {}), HASH_LABEL: latest, **kind, **selector}
    run, is_new = made(state, ANALYSISRUN, f"{base}.", spec, {"labels": labels, "annotations": annotations})
    if is_new:
        state.runs.append(run)
    return run


def tell_change(state: Pass, kind: str, run: Object | None, shown: Mapping[str, Any] | None) -> None:
    """An event for a phase of a current run that the status does not show yet."""
    phase = phase_of(run)
    if run is None or not phase:
        return
    name, old = run["metadata"]["name"], shown or {}
    before = old.get("status", "") if old.get("name") == name else ""
    if phase != before:
        type_ = "Warning" if phase in ("Failed", "Error") else "Normal"
        told = f"{kind} Analysis Run '{name}' Status New: '{phase}' Previous: '{before}'"
        state.tell(type_, f"AnalysisRun{phase}", told)
