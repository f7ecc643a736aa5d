"""Completion: the end of a command line in, what may be there out, a line each. Whatever goes
wrong, it says nothing and ends with 0."""

import contextlib
import shlex
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from companyos_canary.errors import printable
from companyos_canary.runtime import Runtime

ASKED = "_CANARY_COMPLETE"
"""The variable in which a shell's script gives the line up to the cursor."""
THE_SHELLS_OWN = ":files"
"""The answer that leaves it to the shell to complete names of files."""


class Item(NamedTuple):
    value: str
    help: str = ""


def complete(runtime: Runtime, verbs: Mapping[str, str], command: Callable[[str], Any]) -> int:
    """Answers `value<TAB>what it is` lines. `command` makes the command of a verb."""
    with contextlib.suppress(Exception, KeyboardInterrupt):
        for value, told in _found(runtime, verbs, command):
            runtime.say(printable(value) + (f"\t{printable(told)}" if told else ""))
    return 0


def _found(runtime: Runtime, verbs: Mapping[str, str], command: Callable[[str], Any]) -> Iterable[Item]:
    words, last = _split(runtime.environ[ASKED])
    at = next((i for i, word in enumerate(words) if not word.startswith("-")), None)
    if at is None or words[at] == "help":
        known = {"--help": "show help", "--version": "print the version"}
        offered = known if last.startswith("-") else verbs
        return [Item(*pair) for pair in offered.items() if pair[0].startswith(last)]
    verb, given = words[at], words[at + 1 :]
    if verb not in verbs:
        return []
    option, equals, value = last.partition("=")
    if not (equals and option.startswith("--")):
        return _of_verb(runtime, verb, command(verb), given, last)
    items = _of_verb(runtime, verb, command(verb), [*given, option], value)
    return [Item(i.value if i.value == THE_SHELLS_OWN else f"{option}={i.value}", i.help) for i in items]


def _split(line: str) -> tuple[list[str], str]:
    """The words behind the program's name, and the one that is being typed."""
    words = shlex.split(line)
    while words and "=" in words[0]:  # KUBECONFIG=… canary
        words.pop(0)
    words = words[1:]
    return (words, "") if not words or line[-1].isspace() else (words[:-1], words[-1])


def _of_verb(runtime: Runtime, verb: str, made: Any, given: list[str], last: str) -> list[Item]:
    """typer finds the option or argument that is meant; what it may be is looked up by its name."""
    from typer._completion_classes import BashComplete

    from companyos_canary.commands import candidates
    from companyos_canary.commands.candidates import CommandLine

    module = import_module(f"companyos_canary.commands.{verb}")
    own = {"output": lambda _: [(form, "") for form in module.command.forms]}
    sources = {**candidates.SOURCES, **own, **getattr(module, "COMPLETIONS", {})}

    def values(parameter: Any, _: Any, incomplete: str) -> list[Item]:
        if parameter.name in candidates.FILES:
            return [Item(THE_SHELLS_OWN)]
        if parameter.name not in sources:
            return []
        # An option without its value ends the parsing, and the arguments are not seen.
        at = [i for i, word in enumerate(given) if word in parameter.opts]
        said = given[: at[-1]] if at else list(given)
        context = made.make_context(verb, said, resilient_parsing=True)
        fitting: dict[str, Item] = {}
        for value, told in sources[parameter.name](CommandLine(runtime, context.params)):
            if value.startswith(incomplete):
                fitting.setdefault(value, Item(value, told))
        return list(fitting.values())

    for parameter in made.params:
        parameter.shell_complete = partial(values, parameter)
    found = BashComplete(made, {}, verb, "").get_completions(given, last)
    return [Item(i.value, i.help or "") for i in found]
