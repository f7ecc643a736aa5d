"""The AnalysisRuns of a Rollout: which ones there should be, and what their end means for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from companyos_canary.analysis.spec import run_spec
from companyos_canary.model.rollout import HASH_LABEL, REVISION
from companyos_canary.sandbox.controller.passes import BLUE_GREEN, INCONCLUSIVE, PAUSE_STEP, Pass, hash_of, revision_of
from companyos_canary.sandbox.kinds import ANALYSISRUN, ANALYSISTEMPLATE, CLUSTERANALYSISTEMPLATE
from companyos_canary.sandbox.objects import Object, copied, owner_reference

FINISHED = ("Successful", "Failed", "Error", "Inconclusive")
PROMOTION = {"PostPromotion": "postPromotionAnalysisRunStatus", "PrePromotion": "prePromotionAnalysisRunStatus"}
_KINDS = {"Step": "currentStepAnalysisRunStatus", "Background": "currentBackgroundAnalysisRunStatus"}


def find_current(work: Pass) -> None:
    """The runs that the status names."""
    canary = work.status.get("canary") or {}
    by_name = {r["metadata"]["name"]: r for r in work.runs}
    work.step_run = by_name.get((canary.get(_KINDS["Step"]) or {}).get("name", ""))
    work.background_run = by_name.get((canary.get(_KINDS["Background"]) or {}).get("name", ""))
    blue_green = work.status.get("blueGreen") or {}
    for kind, field in PROMOTION.items():
        name = (blue_green.get(field) or {}).get("name", "")
        if name in by_name:
            work.promotion_runs[kind] = by_name[name]


def reconcile_runs(work: Pass) -> None:
    """Creates, ends and reads runs; a failed one aborts, an inconclusive one pauses. What is not
    current is ended. Raises TemplateError if a run cannot be made."""
    if work.aborted or work.view.promote_full or not work.view.stable_hash:
        if work.release.keeps_runs:  # they are ended, and the status continues naming them
            for run in work.runs:
                terminate(work, run)
            return
        work.step_run = work.background_run = None
    else:
        work.step_run = _step_run(work)
        work.background_run = _background_run(work)
    shown = work.status.get("canary") or {}
    for kind, current in (("Step", work.step_run), ("Background", work.background_run)):
        tell_change(work, kind, current, shown.get(_KINDS[kind]))
    end_others(work, [r for r in (work.step_run, work.background_run) if r])


def end_others(work: Pass, runs: Sequence[Object]) -> None:
    """Ends all runs but the current ones, and removes those that are no longer kept."""
    current = [run["metadata"]["uid"] for run in runs]
    for run in work.runs:
        if run["metadata"]["uid"] not in current:
            terminate(work, run)
    _collect(work, current)


def run_status(work: Pass) -> dict[str, Any]:
    """status.canary: name, status and message of the current runs."""
    runs = (("Step", work.step_run), ("Background", work.background_run))
    return {_KINDS[kind]: reference(run) for kind, run in runs if run is not None}


def reference(run: Object) -> dict[str, Any]:
    """Name, status and message of a run, as a status has them."""
    status = run.get("status") or {}
    entry = {"name": run["metadata"]["name"], "status": status.get("phase", "")}
    return {**entry, "message": status["message"]} if status.get("message") else entry


def run_is_successful(work: Pass) -> bool:
    return phase_of(work.step_run) == "Successful"


def terminate(work: Pass, run: Object) -> None:
    """Asks an unfinished run to end; the AnalysisRun controller does it."""
    if phase_of(run) in FINISHED or run["spec"].get("terminate"):
        return
    new = copied(run)
    new["spec"]["terminate"] = True
    work.write(ANALYSISRUN, new)


def lookup(work: Pass, name: str, cluster: bool) -> Mapping[str, Any] | None:
    """A template by name, of the Rollout's namespace or of the cluster."""
    if cluster:
        return work.store.get(CLUSTERANALYSISTEMPLATE, "", name)
    return work.store.get(ANALYSISTEMPLATE, work.view.namespace, name)


def _step_run(work: Pass) -> Object | None:
    step, index, run = work.view.current_step, work.view.step_index, work.step_run
    if step is None or step.kind != "analysis" or not step.raw["analysis"].get("templates"):
        return None
    if run is not None and (run["metadata"].get("labels") or {}).get("step-index") != str(index):
        run = None
    if work.view.pause_conditions:
        return run
    if run is None or is_used_up(work, run):
        labels = {"rollout-type": "Step", "step-index": str(index)}
        return create_run(work, step.raw["analysis"], f"-{index}", labels)
    judge(work, run, "Step-based")
    return run


def _background_run(work: Pass) -> Object | None:
    analysis = work.strategy.get("analysis")
    if not analysis or not analysis.get("templates") or work.promoted:
        return None
    if (index := work.view.step_index) is not None and index < (analysis.get("startingStep") or 0):
        return None
    run = work.background_run
    if work.has_pause(INCONCLUSIVE):
        return run
    if run is None or is_used_up(work, run):
        return create_run(work, analysis, "", {"rollout-type": "Background"})
    judge(work, run, "Background")
    return run


def is_used_up(work: Pass, run: Object) -> bool:
    """Promoted past an inconclusive run, or a retry: both need a new one. At the pause of blue-green
    controllerPause is set anyway."""
    waits = work.has_pause(PAUSE_STEP) or work.has_pause(BLUE_GREEN)
    if work.view.controller_pause and not waits:
        return phase_of(run) == "Inconclusive"
    return bool(work.status.get("abortedAt"))


def judge(work: Pass, run: Object, what: str) -> None:
    phase = phase_of(run)
    if phase == "Inconclusive":
        work.pauses.added.append(INCONCLUSIVE)
    if phase in ("Failed", "Error"):
        message = (run.get("status") or {}).get("message", "")
        work.pauses.abort_with(f"{what} analysis phase error/failed" + (f": {message}" if message else ""))


def create_run(work: Pass, analysis: Mapping[str, Any], suffix: str, kind: Mapping[str, str]) -> Object:
    """A run with the first free name; an unfinished one with the same spec is taken over."""
    latest = hash_of(work.canary)
    spec = run_spec(
        analysis,
        work.rollout,
        lambda name, cluster: lookup(work, name, cluster),
        latest_hash=latest,
        stable_hash=work.view.stable_hash,
    )
    extra = analysis.get("analysisRunMetadata") or {}
    selector = (work.rollout["spec"].get("selector") or {}).get("matchLabels") or {}
    annotations = {**(extra.get("annotations") or {}), REVISION: str(revision_of(work.rollout))}
    base = f"{work.view.name}-{latest}-{revision_of(work.rollout)}{suffix}"
    number, name = 0, base
    while taken := work.store.get(ANALYSISRUN, work.view.namespace, name):
        if phase_of(taken) not in FINISHED and taken["spec"] == spec:
            return taken
        number, name = number + 1, f"{base}.{number + 1}"
    run = work.store.create(
        ANALYSISRUN,
        {
            "apiVersion": ANALYSISRUN.api_version,
            "kind": ANALYSISRUN.kind,
            "metadata": {
                "name": name,
                "namespace": work.view.namespace,
                "labels": {**(extra.get("labels") or {}), HASH_LABEL: latest, **kind, **selector},
                "annotations": annotations,
                "ownerReferences": [owner_reference(work.rollout)],
            },
            "spec": spec,
        },
    )
    work.runs.append(run)
    return run


def tell_change(work: Pass, kind: str, run: Object | None, shown: Mapping[str, Any] | None) -> None:
    """An event for a phase of a current run that the status does not show yet."""
    phase = phase_of(run)
    if run is None or not phase:
        return
    name, old = run["metadata"]["name"], shown or {}
    before = old.get("status", "") if old.get("name") == name else ""
    if phase != before:
        type_ = "Warning" if phase in ("Failed", "Error") else "Normal"
        told = f"{kind} Analysis Run '{name}' Status New: '{phase}' Previous: '{before}'"
        work.tell(type_, f"AnalysisRun{phase}", told)


def _collect(work: Pass, current: list[str]) -> None:
    """Removes finished runs whose ReplicaSet is gone, and all but the newest few."""
    limits = work.rollout["spec"].get("analysis") or {}
    left = {True: limits.get("successfulRunHistoryLimit", 5), False: limits.get("unsuccessfulRunHistoryLimit", 5)}
    hashes = {hash_of(s) for s in work.sets}
    old = [r for r in work.runs if r["metadata"]["uid"] not in current and phase_of(r) in FINISHED]
    old.sort(key=lambda r: (r["metadata"]["creationTimestamp"], r["metadata"]["name"]))
    for run in reversed(old):
        good = phase_of(run) == "Successful"
        left[good] -= 1
        if left[good] < 0 or hash_of(run) not in hashes:
            work.store.delete(ANALYSISRUN, work.view.namespace, run["metadata"]["name"])


def phase_of(run: Object | None) -> str:
    return str(((run or {}).get("status") or {}).get("phase", ""))
