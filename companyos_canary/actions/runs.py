"""Changes of AnalysisRuns and Experiments: read, decide, send with the uid as precondition, wait for the effect.

Nothing is sent before all of them were read and decided on; then all are sent, and waited for one after the other.
"""

from collections.abc import Callable, Iterable
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.actions.change import PATIENCE
from companyos_canary.actions.wait import Time, wait_for
from companyos_canary.argo.effects import Effect
from companyos_canary.argo.patches.decision import Change, Decision, Nothing, Refusal
from companyos_canary.argo.patches.runs import RunOrExperiment
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import ANALYSISRUN, EXPERIMENT, Kind, Selection
from companyos_canary.errors import CanaryError, NotFound, Refused, Uncertain, near
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.experiment import Experiment


class ChangedRun(Struct, frozen=True):
    """What came of it for one object. `effect` is None where nothing was sent, or no one waited. `unsure`: what came
    in place of an answer; `trouble`: why the last looks failed."""

    kind: Kind
    decision: Change | Nothing
    before: RunOrExperiment
    after: RunOrExperiment
    sent: bool = False
    effect: Effect | None = None
    unsure: Uncertain | None = None
    trouble: CanaryError | None = None
    timed_out: bool = False


def read_run(cluster: Cluster, kind: Kind, name: str) -> RunOrExperiment:
    """Raises NotFound with the names that are there."""
    found = cluster.object(kind, name)
    if found is None:
        otherwise = f"there is no {kind.kind} in this namespace; choose another one with -n"
        hint = named_hint(cluster, kind, name, otherwise)
        raise NotFound(f"{kind.kind} `{name}` not found in namespace `{cluster.namespace}`", hint=hint)
    return Experiment.from_object(found) if kind == EXPERIMENT else AnalysisRun.from_object(found)


def named_hint(cluster: Cluster, kind: Kind, name: str, none: str = "there is none") -> str:
    """The object of this kind that a name may be meant for, else those that there are; `none` where there are none."""
    try:
        found = cluster.items(Selection(kind, cluster.namespace if kind.namespaced else ""))
    except CanaryError:
        return ""
    names = [str(o["metadata"]["name"]) for o in found]
    return near(name, names, "there is " + ", ".join(f"`{n}`" for n in names[:5]) if names else none)


def change_runs(
    cluster: Cluster,
    kind: Kind,
    names: Iterable[str],
    decide: Callable[[RunOrExperiment], Decision],
    effect: Callable[[RunOrExperiment, RunOrExperiment], Effect],
    *,
    time: Time,
    dry_run: bool,
    wait: bool,
) -> tuple[ChangedRun, ...]:
    """Raises Refused, and the API's errors, before anything is sent; an error behind the first change is in what came
    of that object."""
    decided = [_decided(kind, read_run(cluster, kind, name), decide) for name in names]
    if dry_run:
        return tuple(decided)
    sent = [_sent(cluster, one) for one in decided]
    return tuple(_seen(cluster, one, effect, time) if wait and one.sent else one for one in sent)


def _decided(kind: Kind, before: RunOrExperiment, decide: Callable[[RunOrExperiment], Decision]) -> ChangedRun:
    decision = decide(before)
    if isinstance(decision, Refusal):
        raise Refused(decision.message, hint=decision.hint)
    return ChangedRun(kind, decision, before, before)


def _sent(cluster: Cluster, one: ChangedRun) -> ChangedRun:
    if not isinstance(one.decision, Change):
        return one
    patch = one.decision.patches[0]
    try:
        cluster.patch(one.kind, one.before.name, patch.body, content_type=patch.content_type)
    except Uncertain as error:
        return replace(one, sent=True, unsure=error)
    except CanaryError as error:
        if not cluster.written:
            raise
        return replace(one, trouble=error)
    return replace(one, sent=True)


def _seen(
    cluster: Cluster, one: ChangedRun, effect: Callable[[RunOrExperiment, RunOrExperiment], Effect], time: Time
) -> ChangedRun:
    look = partial(read_run, cluster, one.kind, one.before.name)
    waited = wait_for(look, partial(effect, one.before), one.before, time=time, patience=PATIENCE, known=False)
    return replace(one, **waited.outcome)


KINDS = {
    "analysisrun": ANALYSISRUN,
    "analysisruns": ANALYSISRUN,
    "ar": ANALYSISRUN,
    "experiment": EXPERIMENT,
    "experiments": EXPERIMENT,
    "exp": EXPERIMENT,
}
"""As kubectl and the plugin name them."""
