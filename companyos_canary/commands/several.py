"""A verb for several Rollouts at once: `canary abort a b c`, `canary abort -l team=checkout`.

Each of them is a run of the verb of its own, and all run in parallel, so that none waits for another one's end.
"""

import inspect
from collections.abc import Callable, Iterable
from functools import partial, wraps
from threading import Lock
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from companyos_canary.commands.options import RolloutsArgument, SelectorOption, not_a_selector
from companyos_canary.commands.outcome import RequestRow
from companyos_canary.commands.session import Answer, Session, final, sent_of
from companyos_canary.config import resolve
from companyos_canary.errors import CanaryError, ExitCode, Interrupted, Invalid, NotFound, UsageError
from companyos_canary.model.row import LEFT_OUT, PhaseWord, Placed, entries
from companyos_canary.view.machine import Code, Problem, error_entry


class OneOf(Placed, frozen=True, kw_only=True):
    """What the verb says of one of several Rollouts: the keys of its answer for one alone, unless it failed."""

    exit_code: Code
    errors: tuple[Problem, ...]
    sent: bool = LEFT_OUT
    observed: bool = LEFT_OUT
    phase: PhaseWord = LEFT_OUT
    message: str = LEFT_OUT
    step_index: int | None = LEFT_OUT
    notes: tuple[str, ...] = LEFT_OUT
    put_back: str | None = LEFT_OUT
    dry_run: bool = LEFT_OUT
    requests: tuple[RequestRow, ...] = LEFT_OUT


class Several(Struct, frozen=True):
    """A verb with several names or `--selector`, in the order of the names."""

    namespace: str
    context: str
    rollouts: tuple[OneOf, ...]


_WORST_FIRST = (
    ExitCode.FAILED,
    ExitCode.USAGE,
    ExitCode.DENIED,
    ExitCode.NOT_FOUND,
    ExitCode.INTERRUPTED,
    ExitCode.TIMEOUT,
    ExitCode.UNOBSERVED,
    ExitCode.SUPERSEDED,
    ExitCode.DEGRADED,
    ExitCode.UNFINISHED,
    ExitCode.REFUSED,
    ExitCode.OK,
)


def worst_code(codes: Iterable[ExitCode]) -> ExitCode:
    """One exit code for several: a Rollout of which no one knows weighs more than one that was refused."""
    return min(codes, key=_WORST_FIRST.index, default=ExitCode.OK)


def several(function: Callable[..., Answer]) -> Callable[..., Answer]:
    """The verb's function with any number of names, or `--selector`. With one name it is the verb as it was."""

    @wraps(function)
    def of_each(session: Session, *, selector: str | None, **own: Any) -> Answer:
        if selector is None and len(session.names) < 2:
            return function(session, **own)
        if selector is not None and session.names:
            raise UsageError("names and --selector exclude each other", hint="leave out one of them")
        names = session.names if selector is None else _selected(session, selector)
        _say_where(session, names)
        return _run(session, names, partial(function, **own), whole=bool(own.get("dry_run")))

    own = inspect.signature(function, eval_str=True).parameters
    parameters = [p.replace(annotation=RolloutsArgument) if n == "rollout" else p for n, p in own.items()]
    at = list(own).index("rollout") + 1
    option = inspect.Parameter("selector", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=SelectorOption)
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) if n else p for n, p in enumerate(parameters)]
    of_each.__signature__ = inspect.Signature([*parameters[:at], option, *parameters[at:]])  # type: ignore[attr-defined]
    return of_each


def _selected(session: Session, selector: str) -> tuple[str, ...]:
    """One request. An empty selector would mean every Rollout there is, as one from a variable that is not set."""
    if not selector.strip():
        raise not_a_selector(selector)
    try:
        names = tuple(r.name for r in session.cluster.rollouts(labels=selector))
    except Invalid as error:
        raise not_a_selector(selector) from error
    if not names:
        raise NotFound(
            f"no Rollout in {session.place} has the labels `{selector}`", hint="`canary list -l …` shows which have"
        )
    return names


def _say_where(session: Session, names: tuple[str, ...]) -> None:
    session.note(f"acting on {', '.join(names)} in {session.place}")


class _Ends(Struct):
    """The outcome of each, printed at once in one line. `closed`: the user did not wait for the others."""

    session: Session
    whole: bool
    found: dict[str, tuple[Answer, CanaryError | None]] = field(default_factory=dict)
    closed: bool = False
    lock: Lock = field(default_factory=Lock)

    def add(self, one: Session, answer: Answer, error: CanaryError | None = None) -> None:
        with self.lock:
            if self.closed:
                return
            self.found[one.rollout] = answer, error
            for note in answer.notes:
                one.note(note)
            if error:
                hint = f" ({error.hint})" if error.hint else ""
                self.session.runtime.say_error(f"error: {one.named(error.message)}{hint}")
            elif self.session.human:
                lines = answer.lines if self.whole else [line.partition("\n")[0] for line in answer.lines[:1]]
                for line in lines:
                    self.session.runtime.tell(line if self.whole else one.named(line))

    def close(self) -> None:
        with self.lock:
            self.closed = True


def _run(session: Session, names: tuple[str, ...], verb: Callable[[Session], Answer], *, whole: bool) -> Answer:
    sessions = [_for_one(session, name) for name in names]
    ends, broken = _Ends(session, whole), list[BaseException]()

    def work(one: Session) -> None:
        try:
            ends.add(one, verb(one))
        except CanaryError as error:
            meant = final(one, error, changes=True)
            ends.add(one, Answer(code=meant.exit_code), meant)
        except BaseException as error:  # a thread has no one else to tell it to
            broken.append(error)

    try:
        session.runtime.together([partial(work, one) for one in sessions])
        if broken:
            raise broken[0]
    except KeyboardInterrupt:
        for one in sessions:
            if one.rollout not in ends.found:
                error = Interrupted(f"interrupted{sent_of(one, ': ')}")
                ends.add(one, Answer(code=error.exit_code), error)
        ends.close()
    told = [(one, *ends.found[one.rollout]) for one in sessions]
    return Answer(
        code=worst_code(answer.code for _, answer, _ in told),
        data=Several(
            namespace=session.cluster.namespace,
            context=session.cluster.context,
            rollouts=tuple(_one_of(one, answer, error) for one, answer, error in told),
        ),
        objects=tuple(o for _, answer, _ in told for o in answer.objects),
        name="\n".join(answer.name for _, answer, _ in told if answer.name),
    )


def _for_one(session: Session, name: str) -> Session:
    """The same run for one Rollout, on the connection of all."""
    flags = replace(session.flags, rollout=name)
    runtime = session.runtime
    one = replace(
        session, flags=flags, resolved=resolve(flags, runtime.environ, runtime.cwd), names=(name,), one_of_several=True
    )
    one.cluster = session.cluster.beside()
    return one


def _one_of(one: Session, answer: Answer, error: CanaryError | None) -> OneOf:
    place = {"rollout": one.rollout, "namespace": one.cluster.namespace, "context": one.cluster.context}
    own = entries(answer.data) if answer.data else {}
    errors = (error_entry(error),) if error else ()
    return OneOf(**{**place, **own}, exit_code=int(answer.code), errors=errors)
