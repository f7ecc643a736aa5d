"""Reads what a diagnosis needs besides the Rollout and what belongs to it, in few requests."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.argo.patches.record import abort_action
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import (
    ANALYSISTEMPLATE,
    CLUSTERANALYSISTEMPLATE,
    DEPLOYMENT,
    LEASE,
    POD,
    REPLICASET,
    SERVICE,
    Kind,
    Selection,
    events_about,
)
from companyos_canary.diagnosis.case import Case, Did, MeasuredMetric, at, recorded, strategy_services, templates_used
from companyos_canary.diagnosis.control import CONTROLLER, LEASE_NAME, controller_gone, waits_for_controller
from companyos_canary.diagnosis.doubts import judged_at, next_question
from companyos_canary.diagnosis.pods import blamed_on_pods, starting, troubles
from companyos_canary.diagnosis.table import diagnose
from companyos_canary.diagnosis.upstream import suspected
from companyos_canary.errors import CanaryError, Forbidden
from companyos_canary.model.http import Fields
from companyos_canary.model.image import version
from companyos_canary.model.outcome import Diagnosis, Ending
from companyos_canary.model.place import Place
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.prometheus.client import Prometheus

MOST_REQUESTS = 8
_LONG = timedelta(minutes=2)
_SILENT = timedelta(minutes=10)
_PARTS = 4  # requests that a Snapshot takes besides the Rollout
_TAIL = 10  # lines of a log


class AskedWhy(Struct, frozen=True):
    """What a diagnosis is asked: about the version `wanted`, empty for the newest; `did` is what the person did last,
    if that is not to be read; `prometheus` gives the one at an address, None to ask none."""

    wanted: str = ""
    did: Did | None = None
    prometheus: Callable[[str], Prometheus] | None = None


def explain(
    cluster: Cluster, rollout: Rollout, now: datetime, place: Place, asked: AskedWhy
) -> tuple[Diagnosis, Case, tuple[str, ...]]:
    """The diagnosis of a Rollout that was just read, what it is made of, and what could not be seen."""
    used = 2 if rollout.workload_ref else 1
    snapshot = cluster.snapshot(rollout)
    case, notes = case_of(cluster, snapshot, now, place, asked, used=used + _PARTS)
    return diagnose(case), case, notes


def case_of(
    cluster: Cluster, snapshot: Snapshot, now: datetime, place: Place, asked: AskedWhy, *, used: int
) -> tuple[Case, tuple[str, ...]]:
    """The same of what was read before, with `used` requests: the Case, and what could not be seen."""
    did, wanted = asked.did or recorded(snapshot.rollout), version(asked.wanted)
    case = Case(now=now, snapshot=snapshot, objects=snapshot.objects, wanted=wanted, did=did, place=place)
    notes = list(snapshot.notes)
    for read in _more(cluster, case):
        if used >= MOST_REQUESTS:
            break
        used += 1
        try:
            case = read(case)
        except Forbidden as error:
            notes.append(error.message)
        except CanaryError:  # it is gone, or no one answers: the diagnosis does without
            continue
    prometheus = asked.prometheus(_address(case)) if asked.prometheus and next_question(case) else None
    while prometheus and used < MOST_REQUESTS and (query := next_question(case)):
        used += 1
        reading = prometheus.ask(query, judged_at(case) or now)
        answer = MeasuredMetric(
            tuple(s.value for s in reading.samples), reading.problem, tuple(s.labels for s in reading.samples)
        )
        silent = reading.problem if not case.answers else ""  # one that answers may still refuse a question
        case = replace(case, answers={**case.answers, query: answer}, prometheus=silent)
    if case.prometheus:
        notes.append(case.prometheus)
    return case, tuple(notes)


_UNEXPLAINED = ("progress-deadline", "aborted-by-a-person", "aborted")


def explain_ending(
    cluster: Cluster, ending: Ending, place: Place, prometheus: Callable[[str], Prometheus]
) -> Diagnosis | None:
    """Why a `deploy` or `watch` ended as it did; None where nothing is wrong. Of what ended without a reason it is the
    trouble that its pods had before."""
    if (
        ending.kind in ("healthy", "reached", "interrupted")
        or ending.snapshot.stale_since
        or not ending.snapshot.objects
    ):
        return None
    replaced = ending.kind in ("superseded", "reverted") and not ending.snapshot.rollout.aborted
    wanted = ending.image if replaced else ""
    asked = AskedWhy(wanted, prometheus=prometheus)
    case, _ = case_of(cluster, ending.snapshot, ending.at, place, asked, used=_PARTS + 1)
    found = diagnose(case)
    if replaced and found.cause not in ("superseded", "gitops-reverted"):
        return None
    if ending.troubled and found.cause in _UNEXPLAINED and not abort_action(ending.snapshot.rollout.annotations):
        at = ending.snapshot.rollout.aborted_at or ending.at
        earlier, _ = case_of(cluster, ending.troubled, at, place, AskedWhy(), used=_PARTS + 1)
        told = diagnose(earlier)
        found = found if told.fine else told
    return None if found.fine else found


def _address(case: Case) -> str:
    """Where the newest run of this Rollout asks."""
    found = [m.address for run in case.snapshot.current_runs for m in run.metrics if m.address]
    return found[-1] if found else ""


Read = Callable[[Case], Case]


def _more(cluster: Cluster, case: Case) -> Iterator[Read]:
    """What else to read, the most telling first."""
    yield from _around(cluster, case)
    if waits_for_controller(case) or _stands_still(case):
        kinds = {kind for kind, _ in templates_used(case.rollout.raw)}
        for kind in (ANALYSISTEMPLATE, CLUSTERANALYSISTEMPLATE):
            if kind.kind in kinds:
                yield lambda c, kind=kind: _templates(cluster, c, kind)  # type: ignore[misc]


def _around(cluster: Cluster, case: Case) -> Iterator[Read]:
    """The controller, the Services, and what happened to the pods."""
    rollout = case.rollout
    if waits_for_controller(case) or _stands_still(case):
        yield lambda c: _object(cluster, c, LEASE, LEASE_NAME)
        yield lambda c: _object(cluster, c, DEPLOYMENT, CONTROLLER)
    elif suspected(case):
        yield lambda c: _object(cluster, c, DEPLOYMENT, CONTROLLER)
    asked = case.did is not None and case.did.verb in ("abort", "undo")
    if asked or rollout.aborted or rollout.status_phase in ("Healthy", "Paused"):
        for name in strategy_services(case.rollout):
            yield lambda c, name=name: _object(cluster, c, SERVICE, name)  # type: ignore[misc]
    if not blamed_on_pods(case):
        return
    current = case.snapshot.current
    for hash_ in dict.fromkeys((rollout.current_hash, rollout.stable_hash)):
        found = troubles(case, hash_)
        pods = [t.pod for t in found] or list(starting(case, hash_))
        if not pods:
            continue
        worst = pods[0]
        name = str(worst["metadata"]["name"])
        yield lambda c, name=name: _events(cluster, c, POD.kind, name)  # type: ignore[misc]
        if restarted := _restarted(worst):
            yield lambda c, name=name, r=restarted: _log(cluster, c, name, *r)  # type: ignore[misc]
    if current and current.desired > current.replicas:
        yield lambda c: _events(cluster, c, REPLICASET.kind, current.name)


def _stands_still(case: Case) -> bool:
    """Nothing has moved for so long that it matters whether a controller runs."""
    rollout, moved = case.rollout, case.since_progress
    if rollout.status_phase != "Progressing" or rollout.aborted or moved is None or moved < _LONG:
        return False
    return not troubles(case, rollout.current_hash) and not _measures(case)


def _measures(case: Case) -> bool:
    """Whether a run has been measuring lately."""
    running = [r for r in case.snapshot.current_runs if not r.is_finished]
    times = [m.finished_at for r in running for result in r.results for m in result.measurements]
    known = [t for t in (*times, *(r.started_at for r in running)) if t]
    return bool(known) and case.now - max(known) < _SILENT


def _object(cluster: Cluster, case: Case, kind: Kind, name: str) -> Case:
    """A Service of the Rollout, or one object of the controller's namespace."""
    namespace = cluster.namespace if kind is SERVICE else CONTROLLER
    found = cluster.elsewhere(namespace).object(kind, name)
    return case.with_more(kind.kind, [found]) if found else case


def _templates(cluster: Cluster, case: Case, kind: Kind) -> Case:
    """The AnalysisTemplates of the namespace or of the cluster, where no controller acts: they may be what crashes
    it."""
    if not controller_gone(case):
        return case
    namespace = cluster.namespace if kind.namespaced else ""
    return case.with_more(kind.kind, cluster.items(Selection(kind, namespace)))


def _events(cluster: Cluster, case: Case, kind: str, name: str) -> Case:
    return case.with_more("Event", cluster.items(events_about(cluster.namespace, kind, name)))


def _restarted(pod: Fields) -> tuple[str, bool] | None:
    """The container that ended and is not ready since, and whether its last words are those of the instance before."""
    for key in ("initContainerStatuses", "containerStatuses"):
        for status in at(pod, "status", key) or []:
            if status.get("ready") and at(status, "state", "running"):
                continue
            ended = at(status, "state", "terminated") or at(status, "lastState", "terminated")
            if ended and (ended.get("exitCode") or status.get("restartCount")):
                again = bool(at(status, "lastState", "terminated")) and not at(status, "state", "terminated")
                return str(status.get("name", "")), again
    return None


def _log(cluster: Cluster, case: Case, pod: str, container: str, previous: bool) -> Case:
    options = [("container", container), ("tailLines", str(_TAIL))]
    if previous:
        options.append(("previous", "true"))
    text = b"".join(cluster.log(pod, *options)).decode("utf-8", "replace")
    return replace(case, logs={**case.logs, pod: tuple(text.splitlines())})
