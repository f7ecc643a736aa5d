"""`canary why`: one sentence that says why, the fields that show it, and the next command."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated

import typer

from companyos_canary.argo.patches.record import action_of, record_of
from companyos_canary.argo.picture import Place
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import DEPLOYMENT, POD, REPLICASET, Kind, events_about
from companyos_canary.commands import base
from companyos_canary.diagnosis.analysis import since_progress
from companyos_canary.diagnosis.case import MOST_EVIDENCE, Case, Did, Evidence, Measured, at
from companyos_canary.diagnosis.control import CONTROLLER, LEASE, waits_for_controller
from companyos_canary.diagnosis.nodata import next_question
from companyos_canary.diagnosis.pods import blamed_on_pods, starting, troubles
from companyos_canary.diagnosis.services import service_names
from companyos_canary.diagnosis.table import Diagnosis, diagnose
from companyos_canary.errors import CanaryError, Forbidden, exits
from companyos_canary.model.http import Fields
from companyos_canary.model.image import version
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import Output, Placed, Says, pick
from companyos_canary.prometheus.client import Prometheus
from companyos_canary.view import diagnosis as view


@dataclass(frozen=True, slots=True, kw_only=True)
class Why(Placed):
    """`cause` is stable and has a section in docs/causes.md; `fine` is true where nothing needs to be done, or only a
    decision. `notes`: what could not be seen."""

    cause: str
    fine: bool
    sentence: str
    evidence: Annotated[tuple[Evidence, ...], Says(most=MOST_EVIDENCE)]
    next: Annotated[str, Says("a command line")]
    notes: tuple[str, ...]


EXAMPLES = (
    "canary why                         the Rollout of canary.yaml",
    "canary why companyos-api -n companyos",
    "canary why --version v1.2.3        what happened to this version",
    "canary why -o json | jq -r .data.cause",
)
OUTPUT = Output((Why,))
EXITS = exits()


MOST_REQUESTS = 8
_LONG = timedelta(minutes=2)
_SILENT = timedelta(minutes=10)
_LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
_SERVICE = Kind("v1", "Service", "services")
_TAIL = 10  # lines of a log


def explain(
    cluster: Cluster,
    rollout: Rollout,
    now: datetime,
    place: Place,
    *,
    wanted: str = "",
    did: Did | None = None,
    prometheus: Callable[[str], Prometheus] | None = None,
) -> tuple[Diagnosis, Case, tuple[str, ...]]:
    """The diagnosis of a Rollout that was just read, what it is made of, and what could not be seen. `wanted` is the
    version that is asked about, empty for the newest; `prometheus` gives the one at an address."""
    used = 2 if rollout.workload_ref else 1
    snapshot, objects = cluster.whole(rollout)
    used += 4
    did = did or _recorded(rollout)
    case = Case(now=now, snapshot=snapshot, objects=objects, wanted=version(wanted), did=did, place=place)
    notes = list(snapshot.notes)
    for read in _more(cluster, case):
        if used == MOST_REQUESTS:
            break
        used += 1
        try:
            case = read(case)
        except Forbidden as error:
            notes.append(error.message)
        except CanaryError:  # it is gone, or no one answers: the diagnosis does without
            continue
    asked = prometheus(_address(case)) if prometheus and next_question(case) else None
    while asked and used < MOST_REQUESTS and (query := next_question(case)):
        used += 1
        reading = asked.ask(query, now)
        answer = Measured(tuple(s.value for s in reading.samples), reading.problem)
        case = replace(case, answers={**case.answers, query: answer}, prometheus=reading.problem)
    if case.prometheus:
        notes.append(case.prometheus)
    return diagnose(case), case, tuple(notes)


def _address(case: Case) -> str:
    """Where the newest run of this Rollout asks."""
    found = [m.address for run in case.snapshot.current_runs for m in run.metrics if m.address]
    return found[-1] if found else ""


def _recorded(rollout: Rollout) -> Did | None:
    """What `canary` itself wrote down of the last change."""
    action, record = action_of(rollout.annotations), record_of(rollout.annotations)
    did = [Did(action.get("verb", ""), parse_time(action.get("at")))] if action else []
    if record:
        did.append(Did("undo" if record.get("undo_to") else "deploy", parse_time(record.get("at"))))
    known = [d for d in did if d.at]
    return max(known, key=lambda d: d.at.timestamp() if d.at else 0.0) if known else None


Read = Callable[[Case], Case]


def _more(cluster: Cluster, case: Case) -> Iterator[Read]:
    """What else to read, the most telling first."""
    rollout = case.rollout
    if waits_for_controller(case) or _stands_still(case):
        yield lambda c: _object(cluster, c, _LEASE, LEASE)
        yield lambda c: _object(cluster, c, DEPLOYMENT, CONTROLLER)
    if rollout.aborted or (case.did and case.did.verb in ("abort", "undo")):
        for name in service_names(case):
            yield lambda c, name=name: _object(cluster, c, _SERVICE, name)  # type: ignore[misc]
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
    rollout, moved = case.rollout, since_progress(case)
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
    namespace = cluster.namespace if kind is _SERVICE else CONTROLLER
    there = Cluster(cluster.transport, namespace, cluster.context, timeout=cluster.timeout)
    found = there.object(kind.api_version, kind.plural, name)
    return case.with_more(kind.kind, [found]) if found else case


def _events(cluster: Cluster, case: Case, kind: str, name: str) -> Case:
    return case.with_more("Event", cluster.items(events_about(cluster.namespace, kind, name)))


def _restarted(pod: Fields) -> tuple[str, bool] | None:
    """The container that ended, and whether its last words are those of the instance before."""
    for key in ("initContainerStatuses", "containerStatuses"):
        for status in at(pod, "status", key) or []:
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


def why(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    version: Annotated[str, typer.Option("--version", help="the version you ask about [default: the newest]")] = "",
) -> base.Answer:
    """Say why a rollout is stuck, was rolled back, or is fine.

    The answer is one sentence, at most five fields that prove it, and the next command. docs/causes.md has a section
    for each cause: what it means, how to confirm it by hand and how to fix it. The exit code is 0 for every answer;
    use `canary status` for an exit code by state.
    """
    live = session.cluster.rollout(session.rollout)
    now, place = session.runtime.clock.now(), session.view_place(live)
    runtime, settings = session.runtime, session.resolved.settings
    found, _, notes = explain(
        session.cluster,
        live,
        now,
        place,
        wanted=version,
        prometheus=lambda address: runtime.prometheus(session.cluster, settings, address),
    )
    return base.Answer(
        data=pick(
            Why, found.finding, **session.place_of(live), cause=found.cause.id, fine=found.cause.fine, notes=notes
        ),
        lines=view.lines(found),
        notes=notes,
        objects=(live.raw,),
        name=live.resource,
    )


command = base.verb(why)
