"""What is sent to an AnalysisRun or an Experiment, and whether the controller has acted on it. Pure.

Upstream: pkg/kubectl-argo-rollouts/cmd/terminate and cmd/retry. Recorded: the scenarios of experiments.
"""

from typing import Any

from companyos_canary.argo.effects import Effect
from companyos_canary.argo.patches.decision import Change, Decision, Nothing, Patch, Refusal, add, remove, test
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.experiment import Experiment, rollout_of
from companyos_canary.model.http import JSON_PATCH
from companyos_canary.model.rollout import Rollout

RunOrExperiment = AnalysisRun | Experiment
"""It runs, and ends with a phase."""


def terminated(one: RunOrExperiment, kind: str) -> Decision:
    """Ends it now. What it has measured so far decides its phase; nothing measured is Successful."""
    if one.is_finished:
        return Nothing(f"nothing to terminate: {kind} `{one.name}` is already {one.phase}")
    rollout = rollout_of(one.raw)
    passed = f"`{rollout}` takes it as passed unless a metric had failed; `canary abort {rollout}` stops the release"
    return Change((_patch(one, add("/spec/terminate", True)),), note=passed if rollout else "")


def tried_again(one: RunOrExperiment, owner: Rollout | None) -> Decision:
    """Runs an Experiment again. `owner`: the Rollout that made it."""
    if not one.is_finished:
        return Refusal(
            f"Experiment `{one.name}` is {one.phase or 'not started'}: there is nothing to retry",
            f"look with `canary experiment get {one.name}`",
        )
    if one.phase == "Successful":
        return Refusal(f"Experiment `{one.name}` was Successful: there is nothing to retry")
    if owner is not None and owner.aborted:
        return Refusal(
            f"`{owner.name}` is aborted, so its controller would terminate Experiment `{one.name}` at once",
            f"`canary retry {owner.name}` runs the version again, with a new Experiment",
        )
    again = [remove("/spec/terminate")] if one.terminating else []
    return Change((_patch(one, remove("/status"), *again),))


def _patch(one: RunOrExperiment, *operations: dict[str, Any]) -> Patch:
    return Patch([test("/metadata/uid", one.uid), *operations], JSON_PATCH)


def has_ended(before: RunOrExperiment, now: RunOrExperiment) -> Effect:
    if now.uid != before.uid:
        return Effect.OTHER
    return Effect.SEEN if now.is_finished else Effect.PENDING


def has_begun(before: RunOrExperiment, now: RunOrExperiment) -> Effect:
    """The status was removed, so that any phase but that of the same status is of the new try."""
    if now.uid != before.uid:
        return Effect.OTHER
    return Effect.SEEN if now.phase and now.raw.get("status") != before.raw.get("status") else Effect.PENDING
