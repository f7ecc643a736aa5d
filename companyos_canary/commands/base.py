"""What every verb has in common: how it is called, and how its answer is printed.

A verb's module has `EXAMPLES`, `EXITS`, `OUTPUT` (the rows that it prints) and `command = verb(function)`; the
function takes a Session and its own flags and returns an Answer.
"""

import inspect
import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, NoReturn

import typer
from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.commands.ci import OPTIONS, Reporting, reporting
from companyos_canary.commands.options import (
    COMMON,
    FORMATS,
    DryRunOption,
    FollowTimeoutOption,
    NoWaitOption,
    ReasonOption,
    RolloutArgument,
    RolloutOption,
    TimeoutOption,
    as_text,
    check_options,
    flags_of,
    identity_of,
    names_of,
    parsers,
)
from companyos_canary.commands.session import Answer, Session, final, sent_of
from companyos_canary.config import Flags, Resolved, owned_by_another, resolve
from companyos_canary.errors import CanaryError, Interrupted
from companyos_canary.runtime import ReaderGone, Runtime

__all__ = [
    "COMMON",
    "Answer",
    "DryRunOption",
    "FollowTimeoutOption",
    "NoWaitOption",
    "ReasonOption",
    "RolloutArgument",
    "RolloutOption",
    "Session",
    "TimeoutOption",
    "show",
    "verb",
]


def verb(
    function: Callable[..., Answer],
    *,
    reads_config: bool = True,
    forms: tuple[str, ...] = FORMATS,
    follows: bool = False,
    of_rollout: bool = True,
    of_cluster: bool = True,
) -> Callable[..., None]:
    """A Typer callback from a verb's function: its own flags plus the common ones. Without
    `reads_config` canary.yaml is not looked for, so a broken one is no obstacle. `forms`: what -o
    may be, checked before anything is done. `follows`: it may follow a rollout, and reports to a
    CI system. `of_rollout`: it acts on a Rollout; without `of_cluster` what chooses a cluster is taken, but not in
    its help."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    parsed, own_verb = parsers(own), _Verb(function, reads_config, of_rollout)
    keyword = inspect.Parameter.KEYWORD_ONLY
    context = inspect.Parameter("ctx", keyword, annotation=typer.Context)
    taken = frozenset(word for p in own for word in flags_of(p.annotation) if word.startswith("--"))
    shared = [option for option in ((*OPTIONS, *COMMON) if follows else COMMON) if not taken & flags_of(option[1])]
    common = [inspect.Parameter(n, keyword, annotation=a, default=d) for n, a, d in shared]

    def callback(ctx: typer.Context, **given: Any) -> None:
        try:
            begin(ctx, given)
        except KeyboardInterrupt:  # while settings were read, so nothing was sent; click would end it without a word
            raise Interrupted("interrupted") from None

    def begin(ctx: typer.Context, given: dict[str, Any]) -> None:
        options = {name: given.pop(name) for name, _, _ in shared}
        command = ctx.info_name or ""
        telling = reporting(ctx.obj, command, options) if follows else nullcontext(Reporting())
        with telling as reports:
            names = names_of(given.pop("rollout", None))
            check_options(command, options, names, forms)
            given |= {n: p.parse(given[n]) for n, p in parsed.items() if given[n] is not None}
            ctx.obj.no_color = options["no_color"]
            _run(own_verb, _session(own_verb, ctx.obj, command, options, reports, names), given)

    parameters = [context, *(as_text(p, parsed.get(p.name)).replace(kind=keyword) for p in own), *common]
    callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    callback.__annotations__ = {p.name: p.annotation for p in parameters}
    callback.__doc__ = function.__doc__
    callback.__name__ = function.__name__
    callback.forms, callback.of_cluster = forms, of_cluster  # type: ignore[attr-defined]
    return callback


class _Verb(Struct, frozen=True):
    """A verb's function, and what `verb` was told about it."""

    function: Callable[..., Answer]
    reads_config: bool
    of_rollout: bool


def _run(verb: _Verb, session: Session, given: Mapping[str, Any]) -> NoReturn:
    _say_settings(session)
    several = len(session.names) > 1 or given.get("selector") is not None
    changes = given.get("dry_run") is False  # a verb that changes something, and not for show
    try:
        if changes and not several:
            _say_where(session)
        show(session, verb.function(session, **given))
    except CanaryError as error:
        told = final(session, error, changes=changes)
        told.message, told.hint = session.addressed(told.message), session.addressed(told.hint)
        raise told from error
    except BrokenPipeError as error:  # click would end these two with codes of its own, silently
        raise ReaderGone from error
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted{sent_of(session, ': ') if changes else ''}") from None


def _session(
    verb: _Verb, runtime: Runtime, command: str, options: Mapping[str, Any], reports: Reporting, names: tuple[str, ...]
) -> Session:
    """Of what the command line says; canary.yaml is read now."""
    where = {name: options[name] for name in ("namespace", "context", "kubeconfig", "env", "file")}
    flags = Flags(rollout=names[0] if len(names) == 1 else None, identity=identity_of(options), **where)
    return Session(
        runtime=runtime,
        command=command,
        flags=flags,
        resolved=resolve(flags, runtime.environ, runtime.cwd) if verb.reads_config else Resolved(),
        output=options["output"] if not options["field"] else "field",
        verbose=options["verbose"],
        quiet=options["quiet"],
        request_timeout=options["request_timeout"],
        reporting=reports,
        fields=tuple(options["field"] or ()),
        names=names,
        of_rollout=verb.of_rollout,
    )


def _say_settings(session: Session) -> None:
    """With -v where each setting comes from; always if the file that decides is someone else's."""
    runtime, resolved = session.runtime, session.resolved
    if session.verbose:
        for setting, origin in resolved.origins.items():
            runtime.say_error(f"{setting}: {origin}")
        if (file := resolved.file) and not resolved.settings:
            shown = file.path.name if file.path else "canary.yaml"
            runtime.say_error(f"`{shown}` is about `{file.rollout}` and was not used for this Rollout")
    path = resolved.file.path if resolved.file and session.flags.file is None else None
    if path and (owner := owned_by_another(path, runtime.cwd, os.geteuid())):
        session.note(f"`{path}` belongs to {owner}, and decides what this command does")


def _say_where(session: Session) -> None:
    """Where a change goes, if the user did not name it: a short flag may mean production, and what
    is there alone may be another team's."""
    settings, environ = session.resolved.settings, session.runtime.environ
    named = settings.environment if settings else session.flags.env or environ.get("CANARY_ENV")
    if named:
        what = f"on {session.resolved.rollout} " if session.of_rollout else ""
        session.note(f"acting {what}in {session.place} (environment {named})")
    elif session.of_rollout and not session.resolved.rollout:
        session.note(f"acting on {session.rollout}, the only Rollout in {session.place}")


def show(session: Session, answer: Answer) -> NoReturn:
    """Prints an answer in the form that was asked for, and ends with its exit code."""
    if session.verbose and "cluster" in vars(session):
        for field in session.cluster.unread:
            session.runtime.say_error(f"not read, as it holds something else than it can: {field}")
    error = answer.error
    if error:
        answer = replace(answer, code=error.exit_code)
    for note in answer.notes:
        session.note(note)
    code = answer.code
    if session.fields and not session.answered:
        from companyos_canary.commands.fields import show_fields

        code = show_fields(session, answer)
    elif not session.answered:
        _print(session, answer)
    if error:
        session.runtime.fail(error, as_json=False, command=session.command)
    raise typer.Exit(int(code))


def _print(session: Session, answer: Answer) -> None:
    runtime = session.runtime
    if session.output == "json":
        from companyos_canary.view.machine import envelope, error_entry

        told = [error_entry(answer.error)] if answer.error else []
        runtime.say(envelope(session.command, answer.code, answer.content, told))
    elif session.output == "yaml":
        from companyos_canary.render.templates import to_yaml

        runtime.write(to_yaml(answer.objects))
    elif session.output == "name":
        if answer.name:
            runtime.say(answer.name)
    elif answer.picture is not None and runtime.facts.terminal:
        from companyos_canary.view.ink import ink

        runtime.draw(ink(answer.picture(), runtime.facts))
    else:
        for line in answer.lines:
            runtime.tell(session.addressed(line))
