"""The command line: a lazy table of verbs, and the one place where errors become exit codes.

Nothing heavy is imported here: `canary --help` loads typer and this table, a verb's module only
when it is called (docs/decisions/typer-pin.md).
"""

import errno
import io
import os
import re
import signal
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

from companyos_canary import __version__
from companyos_canary.commands.help import command_of, write_verbs
from companyos_canary.errors import CanaryError, ExitCode, Interrupted, UsageError, near
from companyos_canary.runtime import ReaderGone, Runtime

_CANNOT_WRITE = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EBADF)
GROUPS: dict[str, dict[str, str]] = {
    "Ship": {
        "deploy": "ship a version: trigger a canary and follow it, also in CI",
        "undo": "roll back a finished release to the last good version",
    },
    "Look": {
        "watch": "follow a rollout live until it ends",
        "status": "the state in one line, and an exit code for scripts",
        "get": "details: steps, weights, pods, each metric with its limit",
        "list": "all rollouts, those that wait for a person first",
        "experiment": "list, show or retry the Experiments next to a release",
        "links": "where the dashboard, the SLO board and the runbook are",
    },
    "Act": {
        "promote": "approve: continue after a pause; --full skips steps, analyses",
        "abort": "roll back now: stop the canary, all traffic to stable",
        "retry": "run an aborted version again, e.g. after a failed analysis",
        "pause": "hold a rollout where it is",
        "resume": "end a pause by hand",
        "restart": "replace all pods with new pods of the same version",
        "terminate": "end an AnalysisRun or an Experiment now",
    },
    "Explain": {
        "why": "why it is stuck or was rolled back, and what to do next",
        "doctor": "whether a release could go through: each check with its fix",
        "verify": "run an AnalysisTemplate now, without a release",
        "analysis": "why an analysis fails: values against limits, and queries",
        "metrics": "metrics by hand: what Prometheus says of canary and stable",
        "logs": "what the canary's pods write",
        "events": "what the controllers said, in chronological order",
        "history": "revisions: who shipped what, why, and the outcome",
    },
    "Set up": {
        "init": "write a canary.yaml, for a new service or a live Rollout",
        "plan": "how often the analysis of a release would be right, simulated",
        "lint": "find what would go wrong with manifests before a release",
        "render": "print the Kubernetes objects that canary.yaml produces",
        "diff": "what apply would change, or stable compared with canary",
        "apply": "install or update them in the cluster",
        "create": "create new Experiments, templates or AnalysisRuns from files",
        "notifications": "show templates and triggers, and try them for a Rollout",
        "rbac": "print the smallest Role for a viewer, deployer or operator",
        "completion": "complete verbs, options and names in bash, zsh or fish",
        "schema": "the JSON Schema of what -o json prints",
        "demo": "see a good and a bad release, with no cluster",
        "sandbox": "serve a cluster on this machine, to try things in",
        "version": "versions of canary, the API server and the controller",
    },
}
VERBS: dict[str, str] = {name: text for group in GROUPS.values() for name, text in group.items()}


class Verbs(TyperGroup):
    """Commands from the table; a module is imported when its verb is used."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in VERBS and not args[0].startswith("-"):
            hint = _plugin(args) or f"{near(args[0], VERBS)} see `canary --help`".strip()
            raise UsageError(f"there is no verb `{args[0]}`", hint=hint)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        return command_of(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        write_verbs(formatter, GROUPS)


app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="VERB …",
    options_metavar="",
    help="Ship a version with Argo Rollouts, watch it, and know why it stopped.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"canary {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="print the version and exit"
    ),
) -> None:
    pass


@cache
def _group() -> Any:
    return typer.main.get_command(app)


def run(arguments: Sequence[str], runtime: Runtime) -> int:
    """One whole command; the exit code. No exception leaves this function, unless CANARY_DEBUG is
    set."""
    if "_CANARY_COMPLETE" in runtime.environ:
        from companyos_canary.commands.tab import complete

        return complete(runtime, VERBS, command_of)
    arguments = _asked(arguments)
    try:
        code = _group()(args=list(arguments), prog_name="canary", standalone_mode=False, obj=runtime)
        runtime.flush()
        return int(code or 0)
    except CanaryError as error:
        return _fail(error, arguments, runtime)
    except KeyboardInterrupt:
        return _fail(Interrupted("interrupted"), arguments, runtime)
    except (ReaderGone, BrokenPipeError):
        runtime.silence()
        return ExitCode.INTERRUPTED
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            return _fail(_unexpected(error), arguments, runtime)
        runtime.silence()
        return _fail(CanaryError(f"stdout cannot be written: {error.strerror}"), (), runtime)
    except Exception as error:
        if hasattr(error, "format_message"):  # click's own: vendored by typer, so not importable
            wrong = _usage(error, _verb(arguments))
            wrong.hint = _plugin(arguments) or wrong.hint
            return _fail(wrong, arguments, runtime)
        if runtime.environ.get("CANARY_DEBUG"):
            raise
        return _fail(_unexpected(error), arguments, runtime)


def _asked(arguments: Sequence[str]) -> Sequence[str]:
    """Nothing is a question for help, and so is `help VERB`. Command lines of the plugin are put in our words."""
    if not arguments or arguments[0] == "help":
        return (*arguments[1:2], "--help")
    from companyos_canary.commands.aliases import translated

    return translated(arguments)


def _fail(error: CanaryError, arguments: Sequence[str], runtime: Runtime) -> int:
    return runtime.fail(error, as_json=_wants_json(arguments), command=_verb(arguments))


def _unexpected(error: Exception) -> CanaryError:
    return CanaryError(
        " ".join(f"unexpected {type(error).__name__}: {error}".split()),
        hint="run it again with CANARY_DEBUG=1 and report what it prints",
    )


_VALUE = r"^Invalid value for `?(?P<option>[^`:]*)`?: (?P<value>.*) is not in the range "
_CLICK = (
    (r"^Got unexpected extra arguments? \((.*)\)$", r"there is one argument too many: `\1`"),
    (r"^Got unexpected extra argument\(s\) \((.*)\)$", r"there is one argument too many: `\1`"),
    (_VALUE + r"(\S+)<=x<=(\S+)$", r"`\g<option>` is \g<value>: it must be \3 to \4"),
    (_VALUE + r"x>=(\S+)$", r"`\g<option>` is \g<value>: it must be \3 or more"),
    (r"is not a valid int(eger)?( range)?$", "is not a whole number"),
    (r"is not a valid float( range)?$", "is not a number"),
)
"""Words of click, and ours for them."""


def _usage(error: Any, verb: str) -> UsageError:
    """What click found wrong with the command line, in our words."""
    hint = f"see `{' '.join(filter(None, ('canary', verb)))} --help`"
    option = getattr(error, "option_name", "")
    if hasattr(error, "possibilities"):
        if verb and getattr(error.ctx, "parent", None) is None:
            hint = f"options come after the verb: `canary {verb} {option} …`"
        hint = f"{near(option, error.possibilities or ())} {hint}".strip()
        return UsageError(f"no such option: `{option}`", hint=hint)
    message = error.format_message().rstrip(".").replace("'", "`")
    for theirs, ours in _CLICK:
        message = re.sub(theirs, ours, message)
    message = message.replace(f"Option {option} requires", f"Option `{option}` requires")
    return UsageError(message[0].lower() + message[1:], hint=hint)


def _plugin(arguments: Sequence[str]) -> str:
    """What these words of the plugin are here; empty if they are none of its."""
    from companyos_canary.commands.plugin_words import meant

    return meant(arguments)


def _verb(arguments: Sequence[str]) -> str:
    return next((a for a in arguments if a in VERBS), "")


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether JSON is asked for, on a command line that may be wrong: `-o json`, `-ojson`,
    `-qo json`, `--output json`, `--output=json`."""
    return re.search(r"\0(-[a-z]*o\0?|--output[\0=])json\0", f"\0{chr(0).join(arguments)}\0") is not None


def _nowhere() -> TextIO:
    """Where a closed stderr is written to."""
    return open(os.devnull, "w", encoding="utf-8")


class _Closed(io.StringIO):
    """A closed stdout: what is written to it is lost, which is an error, as where it is full."""

    encoding = "utf-8"

    def write(self, _: str) -> int:
        raise OSError(errno.EBADF, "it is closed")


def start() -> int:
    """The `canary` program, and its exit code. SIGTERM (a cancelled CI job) and the end of a terminal are Ctrl-C: the
    verdict is still said. Under nohup the terminal may end."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    sys.stdout, sys.stderr = sys.stdout or _Closed(), sys.stderr or _nowhere()
    return run(sys.argv[1:], Runtime.real())
