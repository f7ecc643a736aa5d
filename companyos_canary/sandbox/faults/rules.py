"""The rules of faults as people write them: `PATCH 409 x2`, `watch /rollouts cut=120`,
`freeze=30s`."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from companyos_canary.errors import UsageError, guess
from companyos_canary.model.quantity import format_duration, parse_duration
from companyos_canary.sandbox.faults.effects import (
    ANSWERS,
    Answer,
    Cut,
    Drop,
    Effect,
    Expire,
    Fault,
    Freeze,
    Html,
    Lose,
    Race,
    RouterLag,
    Silence,
    Slow,
    Truncate,
)

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_HINT = "for example `PATCH 409 x2`, `watch drop`, `slow=2s`, `429=3`"
_PLAIN: Mapping[str, Effect] = {
    "drop": Drop(),
    "expire": Expire(),
    "lose": Lose(),
    "race": Race(),
    "storm": Race(refuse=True),
}
#: Effects with a number, and what they are without one (None: they need it).
_COUNTED: Mapping[str, Callable[[int | None], Effect]] = {
    "html": lambda n: Html() if n is None else Html(n),
    "cut": lambda n: Cut() if n is None else Cut(n),
    "truncate": lambda n: Truncate() if n is None else Truncate(n),
    "silence": Silence,
}
EFFECTS = (*_PLAIN, *_COUNTED, "slow", "freeze", "router")


def parse_fault(text: str) -> Fault | Freeze | RouterLag:
    """`[METHOD|verb] [/PATH-REGEXP] EFFECT [xTIMES] [after=N]`; an effect is a status code
    (`429=3`: with Retry-After) or one of EFFECTS. `freeze` and `router` are used alone. UsageError otherwise."""
    method = verb = path = ""
    times, after = None, 0
    effects: list[Effect | Freeze | RouterLag] = []
    for word in text.split():
        name, _, value = word.partition("=")
        if word.startswith("/"):
            path = _pattern(word)
        elif word[0] == "x" and word[1:].isdecimal():
            times = int(word[1:])
        elif name == "after" and value.isdecimal():
            after = int(value)
        elif word in METHODS:
            method = word
        elif word in VERBS:
            verb = word
        else:
            effects.append(_effect(word, name, value))
    if len(effects) != 1:
        raise UsageError(f"`{text}` names {'no fault' if not effects else 'two'}", hint=_HINT)
    effect = effects[0]
    if not isinstance(effect, Freeze | RouterLag):
        return Fault(effect, method, verb, path, times, after)
    if len(text.split()) > 1:
        name = "freeze" if isinstance(effect, Freeze) else "router"
        raise UsageError(f"`{text}`: `{name}` takes nothing else", hint=f"`{name}=30s`")
    return effect


def rule_text(fault: Fault) -> str:
    """The text that a fault is parsed from."""
    times = "" if fault.times is None else f"x{fault.times}"
    after = f"after={fault.after}" if fault.after else ""
    words = (fault.method, fault.verb, fault.path, _word(fault.effect), times, after)
    return " ".join(word for word in words if word)


def _effect(word: str, name: str, value: str) -> Effect | Freeze | RouterLag:
    number = int(value) if value.isdecimal() else None
    given = "=" in word
    if name.isdecimal() and int(name) in ANSWERS and (number is not None or not given):
        return Answer(int(name), retry_after=number)
    if name in _PLAIN and not given:
        return _PLAIN[name]
    if name in _COUNTED and (number is not None or not given):
        return _COUNTED[name](number)
    if name == "freeze":
        return Freeze(_seconds(word, value) if given else None)
    if name == "router":
        return RouterLag(_seconds(word, value))
    if name == "slow":
        return Slow(_seconds(word, value))
    raise UsageError(f"`{word}` names no fault{guess(name, (*EFFECTS, *VERBS))}", hint=_HINT)


def _seconds(word: str, value: str) -> float:
    try:
        seconds = parse_duration(value).total_seconds()
    except ValueError:
        seconds = -1.0
    if seconds < 0:
        name = word.partition("=")[0]
        raise UsageError(f"`{word}` is no duration", hint=f"`{name}=2s`")
    return seconds


def _pattern(word: str) -> str:
    try:
        re.compile(word)
    except re.error as error:
        raise UsageError(f"`{word}` is no regular expression: {error}", hint=_HINT) from error
    return word


def _word(effect: Effect) -> str:
    match effect:
        case Answer(code=code, retry_after=seconds):
            return str(code) if seconds is None else f"{code}={seconds}"
        case Html(code=code):
            return "html" if effect == Html() else f"html={code}"
        case Cut(bytes=length) | Truncate(bytes=length):
            return f"{type(effect).__name__.lower()}={length}"
        case Silence(lines=lines):
            return "silence" if lines is None else f"silence={lines}"
        case Slow(seconds=seconds):
            return f"slow={format_duration(timedelta(seconds=seconds))}"
        case _:
            return next(word for word, plain in _PLAIN.items() if plain == effect)
