"""`canary experiment`: list, look at, and retry Experiments."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Annotated, TypeVar

import typer
from msgspec import Struct

from companyos_canary.actions.runs import ChangedRun, change_runs, read_run
from companyos_canary.actions.wait import wait_for
from companyos_canary.argo.effects import Effect
from companyos_canary.argo.experiments import (
    ExperimentListed,
    ExperimentPicture,
    ExperimentShown,
    experiment_listed,
    experiment_picture,
    experiment_row,
)
from companyos_canary.argo.patches.decision import Decision
from companyos_canary.argo.patches.runs import RunOrExperiment, has_begun, tried_again
from companyos_canary.cluster.kinds import ANALYSISRUN, EXPERIMENT, POD, REPLICASET, Kind, Selection
from companyos_canary.commands import base
from companyos_canary.commands.candidates import CommandLine, experiments
from companyos_canary.commands.outcome import WAITED
from companyos_canary.commands.runs import ENDS_WITH, OF_RUNS, checked_names, runs_answer
from companyos_canary.errors import (
    CrdMissing,
    ExitCode,
    Forbidden,
    Interrupted,
    NotFound,
    UsageError,
    exits,
    near,
    printable,
)
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.experiment import Experiment
from companyos_canary.model.http import Json
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import Output
from companyos_canary.model.workload import Pod, ReplicaSet


class Experiments(Struct, frozen=True):
    """`namespace` is empty for all of them."""

    namespace: str
    context: str
    experiments: tuple[ExperimentListed, ...]


EXAMPLES = (
    "canary experiment list                 all in the namespace; -A: in every one",
    "canary experiment get compare          its pods, and metrics with limits",
    "canary experiment get compare --wait   until it has ended",
    "canary experiment retry compare        run a failed one again",
)
OUTPUT = Output((ExperimentShown, Experiments, *OF_RUNS))
EXITS = exits(ExitCode.DEGRADED, *WAITED)
_ACTIONS = ("list", "get", "retry")
_T = TypeVar("_T")


def _offered(line: CommandLine) -> list[tuple[str, str]]:
    return [] if line.given.get("action") == "list" else experiments(line)


COMPLETIONS = {
    "action": lambda _: [("list", "all"), ("get", "one, with its pods and metrics"), ("retry", "run it again")],
    "names": _offered,
}


def experiment(
    session: base.Session,
    action: Annotated[str, typer.Argument(metavar="[ACTION]", help="list, get or retry")] = "list",
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="names of Experiments")] = None,
    everywhere: Annotated[bool, typer.Option("-A", "--all-namespaces", help="list: all namespaces")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="get: wait until it has ended")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="retry: print the request, send nothing")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="retry: do not wait; exit once sent")] = False,
    timeout: base.TimeoutOption = None,
) -> base.Answer:
    """List Experiments, show one with its ReplicaSets, pods and metrics, or run a failed one again.

    `canary terminate experiment NAME` ends one, `canary create -f FILE` makes one. `get --wait` exits with 0 if it was
    Successful, 3 if it has failed, 8 if it is Inconclusive.
    """
    if action not in _ACTIONS:
        hint = near(action, _ACTIONS, f"`canary experiment get {action}` shows an Experiment")
        raise UsageError(f"`{printable(action)}` is not list, get or retry", hint=printable(hint))
    if everywhere and action != "list":
        raise UsageError("-A is for `canary experiment list`", hint="choose one namespace with -n")
    if action == "list":
        if names:
            raise UsageError("`list` takes no name", hint=f"`canary experiment get {names[0]}` shows one")
        return _list(session, everywhere=everywhere)
    if wait and action != "get":
        raise UsageError("--wait is for `canary experiment get`", hint=f"`{action}` does without")
    found = checked_names(EXPERIMENT, names or ())
    if action == "retry":
        return _retry(session, found, timeout, dry_run=dry_run, wait=not no_wait)
    if len(found) > 1:
        raise UsageError("`get` shows one Experiment", hint="give one name")
    code = _waited(session, found[0], timeout) if wait else ExitCode.OK
    return _get(session, found[0], code)


def _list(session: base.Session, *, everywhere: bool) -> base.Answer:
    from companyos_canary.view import experiments as view

    cluster, now, facts = session.cluster, session.runtime.clock.now(), session.runtime.facts
    items = cluster.items(Selection(EXPERIMENT, "" if everywhere else cluster.namespace))
    found = sorted(map(Experiment.from_object, items), key=lambda e: (e.is_finished, e.namespace, e.name))
    rows = [experiment_listed(e) for e in found]
    where = "any namespace" if everywhere else f"namespace `{cluster.namespace}`"
    return base.Answer(
        data=Experiments("" if everywhere else cluster.namespace, cluster.context, tuple(rows)),
        picture=lambda: view.experiments_screen(rows, now, facts, namespaces=everywhere),
        lines=tuple(view.listed_plain(r, now) for r in rows),
        notes=() if rows else (f"no Experiment in {where}",),
        objects=tuple(e.raw for e in found),
        name="\n".join(f"experiment.argoproj.io/{e.name}" for e in found),
    )


def _waited(session: base.Session, name: str, limit: timedelta | None) -> ExitCode:
    """Tells each phase that is seen until it has ended."""
    session.subject = f"Experiment `{name}`"
    time, told = session.time(limit), list[str]()

    def judge(now: RunOrExperiment) -> Effect:
        if now.phase and now.phase not in told[-1:]:
            told.append(now.phase)
            session.note(f"{name} {now.phase}")
        return Effect.SEEN if now.is_finished else Effect.PENDING

    try:
        first = read_run(session.cluster, EXPERIMENT, name)
        waited = wait_for(partial(read_run, session.cluster, EXPERIMENT, name), judge, first, time=time, patience=None)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped watching; Experiment `{name}` continues") from None
    session.cluster.left = None
    if waited.timed_out:
        return ExitCode.TIMEOUT
    if waited.trouble:
        raise waited.trouble
    return ENDS_WITH[waited.seen.phase]


def _get(session: base.Session, name: str, code: ExitCode) -> base.Answer:
    from companyos_canary.view import experiments as view
    from companyos_canary.view.lines import plain_text

    picture, facts = _picture(session, name), session.runtime.facts
    lines = view.experiment_screen(picture, facts)
    return base.Answer(
        code=code,
        data=lambda: experiment_row(picture, session.cluster.context),
        picture=lambda: lines,
        lines=tuple(map(plain_text, lines)),
        notes=picture.notes,
        objects=(picture.experiment.raw,),
        name=f"experiment.argoproj.io/{name}",
    )


def _picture(session: base.Session, name: str) -> ExperimentPicture:
    cluster, notes = session.cluster, list[str]()
    one = read_run(cluster, EXPERIMENT, name)
    assert isinstance(one, Experiment)

    def of(kind: Kind, labels: str, made: Callable[[Json], _T]) -> list[_T]:
        """What may not be listed is a note."""
        try:
            return [made(o) for o in cluster.items(Selection(kind, cluster.namespace, labels))]
        except (Forbidden, CrdMissing) as error:
            notes.append(error.message)
            return []

    sets = of(REPLICASET, HASH_LABEL, ReplicaSet.from_object)
    pods = of(POD, HASH_LABEL, Pod.from_object)
    runs = of(ANALYSISRUN, "", AnalysisRun.from_object) if one.analyses else []
    now = session.runtime.clock.now()
    return experiment_picture(one, now, replicasets=sets, pods=pods, runs=runs, notes=tuple(notes))


def _retry(
    session: base.Session, names: tuple[str, ...], limit: timedelta | None, *, dry_run: bool, wait: bool
) -> base.Answer:
    session.subject = "Experiment " + ", ".join(f"`{n}`" for n in names)
    time = session.time(limit)

    def decide(one: RunOrExperiment) -> Decision:
        assert isinstance(one, Experiment)
        return tried_again(one, _owner(session, one))

    changed = change_runs(session.cluster, EXPERIMENT, names, decide, has_begun, time=time, dry_run=dry_run, wait=wait)

    def done(one: ChangedRun) -> str:
        verb = "ran" if one.after.is_finished else "runs"
        return f"Experiment `{one.after.name}` in {session.place} {verb} again: {one.after.phase}"

    return runs_answer(session, EXPERIMENT, changed, done, dry_run=dry_run)


def _owner(session: base.Session, one: Experiment) -> Rollout | None:
    """The Rollout that made it; None if it has none, or if you may not read it."""
    try:
        return session.cluster.rollout(one.owner) if one.owner else None
    except (Forbidden, Interrupted, NotFound):
        return None


command = base.verb(experiment, of_rollout=False)
