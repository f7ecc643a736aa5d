"""What every verb has in common: how it is called, and how its answer is printed.

A verb's module has `EXAMPLES`, `EXITS` and `command = verb(function)`; the function takes a
Session and its own flags and returns an Answer.
"""

import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NoReturn

import typer

from companyos_canary.commands.given import FORMATS, check
from companyos_canary.commands.options import (
    COMMON,
    DryRunOption,
    NoWaitOption,
    ReasonOption,
    RolloutArgument,
    RolloutOption,
    TimeoutOption,
)
from companyos_canary.commands.reporting import OPTIONS, Reporting, reporting
from companyos_canary.commands.session import Answer, Session
from companyos_canary.config import Flags, Resolved, resolve
from companyos_canary.errors import Interrupted, NotFound
from companyos_canary.runtime import ReaderGone, Runtime

__all__ = [
    "COMMON",
    "Answer",
    "DryRunOption",
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
) -> Callable[..., None]:
    """A Typer callback from a verb's function: its own flags plus the common ones. Without
    `reads_config` canary.yaml is not looked for, so a broken one is no obstacle. `forms`: what -o
    may be, checked before anything is done. `follows`: it may follow a rollout, and reports to a
    CI system."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    context = inspect.Parameter("ctx", keyword, annotation=typer.Context)
    shared = (*OPTIONS, *COMMON) if follows else COMMON
    common = [inspect.Parameter(n, keyword, annotation=a, default=d) for n, a, d in shared]

    def callback(ctx: typer.Context, **given: Any) -> None:
        options = {name: given.pop(name) for name, _, _ in shared}
        command = ctx.info_name or ""
        telling = reporting(ctx.obj, command, options) if follows else nullcontext(Reporting())
        with telling as reports:
            check(command, options, given.get("rollout"), forms)
            _finish(ctx.obj, command, options, reports, given, function, reads_config)

    parameters = [context, *(p.replace(kind=keyword) for p in own), *common]
    callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    callback.__annotations__ = {p.name: p.annotation for p in parameters}
    callback.__doc__ = function.__doc__
    callback.__name__ = function.__name__
    callback.forms = forms  # type: ignore[attr-defined]
    return callback


def _finish(
    runtime: Runtime,
    command: str,
    options: Mapping[str, Any],
    reports: Reporting,
    given: Mapping[str, Any],
    function: Callable[..., Answer],
    reads_config: bool,
) -> NoReturn:
    runtime.no_color = options["no_color"]
    flags = Flags(
        rollout=given.get("rollout"),
        namespace=options["namespace"],
        context=options["context"],
        kubeconfig=options["kubeconfig"],
        env=options["env"],
        file=options["file"],
    )
    session = Session(
        runtime=runtime,
        command=command,
        flags=flags,
        resolved=resolve(flags, runtime.environ, runtime.cwd) if reads_config else Resolved(),
        output=options["output"] if not options["field"] else "field",
        verbose=options["verbose"],
        quiet=options["quiet"],
        request_timeout=options["request_timeout"],
        reporting=reports,
        fields=tuple(options["field"] or ()),
    )
    if session.verbose:
        for setting, origin in session.resolved.origins.items():
            runtime.say_error(f"{setting}: {origin}")
        if (file := session.resolved.file) and not session.resolved.settings:
            shown = file.path.name if file.path else "canary.yaml"
            runtime.say_error(f"`{shown}` is about `{file.rollout}` and was not used for this Rollout")
    own = {k: v for k, v in given.items() if k != "rollout"}
    try:
        if given.get("dry_run") is False:  # a verb that changes something, and not for show
            _say_where(session)
        show(session, function(session, **own))
    except NotFound as error:
        from companyos_canary.commands.missing import explained

        raise explained(session, error) from error
    except BrokenPipeError as error:  # click would end these two with codes of its own, silently
        raise ReaderGone from error
    except KeyboardInterrupt:
        raise Interrupted("interrupted") from None


def _say_where(session: Session) -> None:
    """Where a change goes, if the user did not name it: a short flag may mean production, and what
    is there alone may be another team's."""
    settings, environ = session.resolved.settings, session.runtime.environ
    named = settings.environment if settings else session.flags.env or environ.get("CANARY_ENV")
    if named:
        what = session.resolved.rollout
        session.note(f"acting on {what} in {session.place} (environment {named})")
    elif not session.resolved.rollout:
        session.note(f"acting on {session.rollout}, the only Rollout in {session.place}")


def show(session: Session, answer: Answer) -> NoReturn:
    """Prints an answer in the form that was asked for, and ends with its exit code."""
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
        runtime.say(envelope(session.command, answer.code, answer.data, told))
    elif session.output == "yaml":
        from companyos_canary.render.yamltext import to_yaml

        runtime.stdout.write(to_yaml(answer.objects))
    elif session.output == "name":
        if answer.name:
            runtime.say(answer.name)
    elif answer.picture is not None and runtime.facts.terminal:
        runtime.out.print(answer.picture())
    else:
        for line in answer.lines:
            runtime.tell(line)
