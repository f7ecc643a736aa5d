"""Runs an AnalysisRun of its own to its end: created under a name that is free, looked at until it has a verdict."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct

from companyos_canary.actions.runs import read_run
from companyos_canary.actions.wait import Time, wait_for
from companyos_canary.argo.effects import Effect
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import ANALYSISRUN
from companyos_canary.errors import CanaryError, Conflict, Uncertain
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.http import Json

_TRIES = 5
_LONGEST_NAME = 200


class Verified(Struct, frozen=True):
    """The run as it was last seen. `timed_out`: the user's time was over before it ended; `unseen`: no controller has
    taken it up. `trouble`: why the last looks failed."""

    run: AnalysisRun
    timed_out: bool
    unseen: bool
    trouble: CanaryError | None


def created_run(cluster: Cluster, run: Json, template: str, now: datetime) -> AnalysisRun:
    """`success-rate-20260302-120000`: a name of our own, so that the run can be found again where no answer came. It is
    looked up first: who may not read a run does not create one."""
    stem = f"{template[:_LONGEST_NAME]}-{now:%Y%m%d-%H%M%S}"
    for number in range(1, _TRIES + 1):
        name = stem if number == 1 else f"{stem}-{number}"
        if cluster.object(ANALYSISRUN, name) is not None:
            continue
        try:
            return AnalysisRun.from_object(cluster.create({**run, "metadata": {**run["metadata"], "name": name}}))
        except Conflict:
            if number == _TRIES:
                raise
        except Uncertain as error:
            if (found := _if_there(cluster, name)) is not None:
                return found
            hint = f"look with `kubectl get analysisrun {name}` before you repeat it"
            raise Uncertain(error.message, hint=hint, cause=error.cause) from error
    raise Conflict(f"AnalysisRun `{stem}` already exists, and so do {_TRIES - 1} of the same second")


def _if_there(cluster: Cluster, name: str) -> AnalysisRun | None:
    try:
        found = cluster.object(ANALYSISRUN, name)
    except CanaryError:
        return None
    return AnalysisRun.from_object(found) if found else None


def followed_run(
    cluster: Cluster, run: AnalysisRun, *, time: Time, patience: timedelta, shown: Callable[[AnalysisRun], None]
) -> Verified:
    """`shown` gets each state that is seen. A run that no controller has taken up within `patience` is given up."""
    begun = False

    def judge(now: AnalysisRun) -> Effect:
        nonlocal begun
        begun = begun or bool(now.phase)
        shown(now)
        if now.is_finished:
            return Effect.SEEN
        if not begun and run.created_at and time.now() - started > patience:
            return Effect.LOST
        return Effect.PENDING

    started = time.now()
    look = partial(_analysis_run, cluster, run.name)
    waited = wait_for(look, judge, run, time=time, patience=None)
    return Verified(waited.seen, waited.timed_out, waited.effect is Effect.LOST, waited.trouble)


def _analysis_run(cluster: Cluster, name: str) -> AnalysisRun:
    found = read_run(cluster, ANALYSISRUN, name)
    assert isinstance(found, AnalysisRun)
    return found
