"""What a verb that changes AnalysisRuns or Experiments comes to: its requests, and a sentence for each of them."""

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from companyos_canary.actions.runs import KINDS, ChangedRun
from companyos_canary.argo.effects import Effect
from companyos_canary.argo.patches.decision import Change
from companyos_canary.cluster.kinds import ANALYSISRUN, EXPERIMENT, Kind
from companyos_canary.cluster.requests import patch_request
from companyos_canary.commands.options import not_a_name
from companyos_canary.commands.outcome import RequestRow
from companyos_canary.commands.session import Answer, Session
from companyos_canary.commands.several import worst_code
from companyos_canary.errors import ExitCode, UsageError, near, printable
from companyos_canary.model.experiment import rollout_of
from companyos_canary.model.row import RunPhase, entries


class RunSent(Struct, frozen=True):
    """What was done to one object, and what it shows now. `rollout` is the Rollout that made it, empty for one made by
    hand."""

    name: str
    rollout: str
    sent: bool
    observed: bool
    phase: RunPhase
    message: str
    notes: tuple[str, ...]


class RunsSent(Struct, frozen=True):
    """`kind` is `AnalysisRun` or `Experiment`."""

    kind: str
    namespace: str
    context: str
    objects: tuple[RunSent, ...]


class RunsDryRun(Struct, frozen=True):
    """Nothing was sent."""

    kind: str
    namespace: str
    context: str
    requests: tuple[RequestRow, ...]
    dry_run: Literal[True] = True


OF_RUNS = (RunsSent, RunsDryRun)
ENDS_WITH = {
    "Successful": ExitCode.OK,
    "Failed": ExitCode.DEGRADED,
    "Error": ExitCode.DEGRADED,
    "Inconclusive": ExitCode.UNFINISHED,
}
"""The exit code of the phase in which an AnalysisRun or an Experiment ended."""
_LISTS = {ANALYSISRUN: "`kubectl get analysisruns` lists them", EXPERIMENT: "`canary experiment list` names them"}
_SHOWN = {ANALYSISRUN: "analysisrun", EXPERIMENT: "experiment"}


def kind_and_names(what: str, names: Sequence[str]) -> tuple[Kind, tuple[str, ...]]:
    """`analysisrun NAME...`, and `analysisrun/NAME` as `-o name` prints it. Raises UsageError."""
    word, _, first = what.partition("/")
    kind = KINDS.get(word.partition(".")[0])
    if kind is None:
        hint = near(word, ("analysisrun", "experiment"), "it ends an analysisrun or an experiment")
        raise UsageError(f"`{printable(word)}` is not a kind that can be terminated", hint=hint)
    return kind, checked_names(kind, [*filter(None, (first,)), *names])


def checked_names(kind: Kind, names: Sequence[str]) -> tuple[str, ...]:
    """Each once, without the kind before it. Raises UsageError for none, and for what cannot be a name."""
    found = tuple(
        dict.fromkeys(
            n.rpartition("/")[2] if KINDS.get(n.partition("/")[0].partition(".")[0]) is kind else n for n in names
        )
    )
    if not found:
        raise UsageError(f"the name of the {kind.kind} is missing", hint=_LISTS[kind])
    for name in found:
        not_a_name(name, kind.kind)
    return found


def runs_answer(
    session: Session, kind: Kind, changed: Sequence[ChangedRun], done: Callable[[ChangedRun], str], *, dry_run: bool
) -> Answer:
    """`done` makes the sentence once the effect is seen."""
    place = (kind.kind, session.cluster.namespace, session.cluster.context)
    name = "\n".join(f"{_SHOWN[kind]}.argoproj.io/{c.after.name}" for c in changed)
    if dry_run:
        requests = tuple(_requests(session, c) for c in changed if isinstance(c.decision, Change))
        lines = [line for r in requests for line in r.lines]
        lines += [c.decision.message for c in changed if not isinstance(c.decision, Change)]
        return Answer(
            data=RunsDryRun(*place, requests),
            lines=tuple(lines),
            notes=("dry run: nothing was sent", *_all_notes(changed)),
            objects=tuple(map(entries, requests)),
            name=name,
        )
    told = [_told(session, c, done) for c in changed]
    return Answer(
        code=worst_code(code for _, code in told),
        data=RunsSent(*place, tuple(map(_row, changed))),
        lines=tuple(line for line, _ in told),
        notes=_all_notes(changed),
        objects=tuple(c.after.raw for c in changed),
        name=name,
    )


def _requests(session: Session, changed: ChangedRun) -> RequestRow:
    patch = changed.decision.patches[0] if isinstance(changed.decision, Change) else None
    assert patch is not None
    made = patch_request(
        changed.kind, session.cluster.namespace, changed.before.name, patch.body, content_type=patch.content_type
    )
    return RequestRow.of(made, patch)


def _row(changed: ChangedRun) -> RunSent:
    after = changed.after
    return RunSent(
        name=after.name,
        rollout=rollout_of(after.raw),
        sent=changed.sent,
        observed=changed.effect is Effect.SEEN,
        phase=after.phase,
        message=after.message,
        notes=_notes(changed),
    )


def _notes(changed: ChangedRun) -> tuple[str, ...]:
    return (changed.decision.note,) if isinstance(changed.decision, Change) and changed.decision.note else ()


def _all_notes(changed: Sequence[ChangedRun]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for c in changed for note in _notes(c)))


def _told(session: Session, changed: ChangedRun, done: Callable[[ChangedRun], str]) -> tuple[str, ExitCode]:
    what = f"{changed.kind.kind} `{changed.before.name}` in {session.place}"
    if not isinstance(changed.decision, Change):
        return changed.decision.message, ExitCode.OK
    if not changed.sent:
        error = changed.trouble
        return (
            f"{what} was not changed: {error.message if error else ''}",
            error.exit_code if error else ExitCode.FAILED,
        )
    if changed.effect is Effect.SEEN:
        return done(changed), ExitCode.OK
    sent = f"the {session.command} of {what} was sent"
    if changed.unsure:
        sent += f", but {changed.unsure.cause}: it may have taken effect"
    if changed.effect is None:
        return sent, ExitCode.UNOBSERVED if changed.unsure else ExitCode.OK
    if changed.effect is Effect.OTHER:
        return f"{sent}, but another object has this name now", ExitCode.SUPERSEDED
    if changed.timed_out:
        return f"timed out: {sent}, and its effect was not seen", ExitCode.TIMEOUT
    why = f": {changed.trouble.message}" if changed.trouble else ""
    return f"{sent}, but the controller has not acted on it{why}", ExitCode.UNOBSERVED
