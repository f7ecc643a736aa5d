"""What `canary --help` and `canary VERB --help` look like: examples first, exit codes last."""

import inspect
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand

from companyos_canary.commands.options import OF_CLUSTER, either
from companyos_canary.errors import MEANING

_EXAMPLES = """\
  canary demo                     see it work, with no cluster
  canary deploy v1.2.3            ship: 0 when it is stable, 3 when rolled back
  canary watch                    what is going on now
  canary promote                  continue after a pause
  canary abort NAME -n NAMESPACE  emergency: all traffic back to stable
"""
_MORE = "`canary VERB -h` has the examples and options of a verb; also: canary --version"
_NUMBERS = ("int", "int range")
_VALUES = {
    "kubeconfig": "FILE",
    "output": "FORM",
    "request_timeout": "SECONDS",
    "reason": "TEXT",
    "until": "STATE",
    "timeout": "DURATION",
    "since": "DURATION",
    "older": "DURATION",
    "every": "DURATION",
    "heartbeat": "DURATION",
    "ci": "SYSTEM",
}


def write_verbs(formatter: Any, groups: Mapping[str, Mapping[str, str]]) -> None:
    """Examples, the verbs of each group, exit codes."""
    with formatter.section("Examples"):
        formatter.write(_EXAMPLES)
    width = max(len(verb) for verbs in groups.values() for verb in verbs)
    for title, verbs in groups.items():
        with formatter.section(title):
            formatter.write_dl([(verb.ljust(width), text) for verb, text in verbs.items()])
    with formatter.section("Exit codes"):
        formatter.write_dl([(str(int(code)), text) for code, text in MEANING.items()])
    formatter.write(f"\n{_MORE}\n")


class _Verb(TyperCommand):
    """`module` is the verb's own: its EXAMPLES and EXITS are shown."""

    module: Any

    def get_params(self, ctx: Any) -> list[Any]:
        """With a word for each value that an option takes: `--env ENV`, `--if-step N`."""
        params: list[Any] = list(super().get_params(ctx))
        for param in params:
            if param.param_type_name == "option" and not param.is_flag and param.metavar is None:
                usual = "N" if param.type.name in _NUMBERS else param.name.upper()
                param.metavar = _VALUES.get(param.name, usual)
            if param.name == "output":
                param.help = either(self.module.command.forms)
            if param.name in OF_CLUSTER and not self.module.command.of_cluster:
                param.hidden = True
            if param.name == "help":
                param.help = "show this"
        return params

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        first, _, rest = inspect.cleandoc(self.help or "").partition("\n\n")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(first)
        with formatter.section("Examples"):
            for example in self.module.EXAMPLES:
                formatter.write(f"  {example}\n")
        if rest:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(rest)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        from companyos_canary.commands.base import COMMON

        common = {name for name, _, _ in COMMON} | {"help"}
        rows: dict[str, list[Any]] = {"Arguments": [], "Options": [], "Common options": []}
        for param in self.get_params(ctx):
            title = "Common options" if param.name in common else "Options"
            title = "Arguments" if param.param_type_name == "argument" else title
            if (record := param.get_help_record(ctx)) is not None:
                rows[title].append(record)
        for title, records in rows.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Exit codes"):
            formatter.write_dl([(f"{int(code):>3}", MEANING[code]) for code in self.module.EXITS])


@cache
def command_of(verb: str) -> Any:
    """The command of a verb, the same one each time; its module is imported now."""
    module = import_module(f"companyos_canary.commands.{verb}")
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(
        verb, cls=type("Verb", (_Verb,), {"module": module}), context_settings={"help_option_names": ["-h", "--help"]}
    )(module.command)
    return typer.main.get_command(single)
