"""Go's text/template: fields, variables, pipelines, `if`, `range`, `with`, `define`, `template`, `block`.

Source: the documentation of text/template. What is not here is refused by name: nothing is rendered in part.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from companyos_canary.analysis.gotemplate_blocks import Block, Token, literal_value, template_blocks
from companyos_canary.analysis.gotemplate_functions import FUNCTIONS, TAKE_BYTES
from companyos_canary.analysis.gotemplate_printf import TemplateFault, by_key, go_text, is_true
from companyos_canary.analysis.gotemplate_time import Moment, functions_of_time

_MOST = 100_000  # nodes that one message may visit
_LONGEST = 1_000_000  # characters of a message
_WORDS = {"true": True, "false": False, "nil": None}
_DEEPEST = 100  # templates within templates


class _Left(Exception):
    """`break` or `continue`, with the texts before it."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind
        self.texts: list[str] = []


class _Method(Struct, frozen=True):
    """A method of a value that is still to be called."""

    name: str
    function: Callable[..., Any]


def render(text: str, data: Mapping[str, Any]) -> str:
    """The text with its actions carried out on the data. Raises TemplateFault for what cannot be read, is not
    supported here, or where Go would report an error."""
    whole, defined = template_blocks(text)
    try:
        return _Run(data, defined).texts(whole.body, data)
    except RecursionError:
        raise TemplateFault("the template takes too long") from None


class _Run:
    """One template on one set of data."""

    def __init__(self, data: Mapping[str, Any], defined: Mapping[str, Block]) -> None:
        self._variables: list[tuple[str, Any]] = [("$", data)]
        self._left, self._length, self._depth = _MOST, 0, 0
        self._defined = defined
        self._functions = FUNCTIONS
        clock = data.get("time")
        now = clock["Now"]() if isinstance(clock, Mapping) and "Now" in clock else None
        if isinstance(now, Moment):
            self._functions = {**FUNCTIONS, **functions_of_time(now.at)}

    def texts(self, body: Sequence[Any], dot: Any) -> str:
        known = len(self._variables)
        found: list[str] = []
        try:
            for part in body:
                found.append(self._text(part, dot))
        except _Left as left:
            left.texts[:0] = found
            raise
        finally:
            del self._variables[known:]
        return "".join(found)

    def _text(self, part: Any, dot: Any) -> str:
        self._left -= 1
        if self._left < 0:
            raise TemplateFault("the template takes too long")
        if isinstance(part, str):
            return self._bounded(part)
        if isinstance(part, list):
            declares, value = self._declared(part, dot)
            return "" if declares else self._bounded(go_text(value))
        if part.kind in ("break", "continue"):
            raise _Left(part.kind)
        if part.kind == "template":
            return self._template(part, dot)
        known = len(self._variables)
        try:
            return self._range(part, dot) if part.kind == "range" else self._branch(part, dot)
        finally:
            del self._variables[known:]

    def _template(self, part: Block, dot: Any) -> str:
        name = str(literal_value(*part.words[0]))
        if name not in self._defined:
            raise TemplateFault(f'template "{name}" not defined')
        given = self._pipeline(_Words(part.words[1:]), dot) if len(part.words) > 1 else None
        if self._depth == _DEEPEST:
            raise TemplateFault("the template takes too long")
        outer, self._variables, self._depth = self._variables, [("$", given)], self._depth + 1
        try:
            return self.texts(self._defined[name].body, given)
        finally:
            self._variables, self._depth = outer, self._depth - 1

    def _bounded(self, text: str) -> str:
        self._length += len(text)
        if self._length > _LONGEST:
            raise TemplateFault("the message is too long")
        return text

    def _branch(self, block: Block, dot: Any) -> str:
        _, value = self._declared(block.words, dot)
        if is_true(value):
            return self.texts(block.body, value if block.kind == "with" else dot)
        return self.texts(block.otherwise, dot)

    def _range(self, block: Block, dot: Any) -> str:
        names, words = _names(block.words)
        value = self._pipeline(_Words(words), dot)
        if isinstance(value, Mapping):
            items: list[tuple[Any, Any]] = by_key(value)
        elif isinstance(value, list | tuple):
            items = list(enumerate(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            if value > _MOST:
                raise TemplateFault("the template takes too long")
            items = [(n, n) for n in range(value)]
        elif value is None:
            items = []
        else:
            raise TemplateFault(f"range can't iterate over {go_text(value)}")
        found = []
        for key, item in items:
            known = len(self._variables)
            self._variables += zip(names, (key, item) if len(names) == 2 else (item,), strict=False)
            try:
                found.append(self.texts(block.body, item))
            except _Left as left:
                found += left.texts
                if left.kind == "break":
                    break
            finally:
                del self._variables[known:]
        return "".join(found) if items else self.texts(block.otherwise, dot)

    def _declared(self, words: list[Token], dot: Any) -> tuple[bool, Any]:
        """Whether the action only sets a variable, and its value."""
        names, rest = _names(words)
        if len(names) > 1:
            raise TemplateFault("too many declarations in command")
        value = self._pipeline(_Words(rest), dot)
        if not names:
            return False, value
        if len(words) > 1 and words[1] == ("mark", "="):
            at = max((i for i, (name, _) in enumerate(self._variables) if name == names[0]), default=None)
            if at is None:
                raise TemplateFault(f"undefined variable `{names[0]}`")
            self._variables[at] = (names[0], value)
        else:
            self._variables.append((names[0], value))
        return True, value

    def _pipeline(self, words: "_Words", dot: Any) -> Any:
        value = self._command(words, dot, ())
        while words.take("mark", "|"):
            value = self._command(words, dot, (value,))
        words.must_end()
        return value

    def _command(self, words: "_Words", dot: Any, piped: tuple[Any, ...]) -> Any:
        word = words.word()
        if word is not None and word not in _WORDS:
            words.next()
            function = self._functions.get(word)
            if function is None:
                raise TemplateFault(f"the function `{word}` is not supported here")
            arguments = [*self._operands(words, dot), *piped]
            return _called(word, function, arguments)
        if word == "nil":
            raise TemplateFault("nil is not a command")
        if not words.is_operand():
            raise TemplateFault("an action has no value")
        first = self._operand(words, dot)
        if isinstance(first, _Method):
            return _called(first.name, first.function, [*self._operands(words, dot), *piped])
        found = [first, *self._operands(words, dot), *piped]
        if len(found) > 1:
            raise TemplateFault(f"can't give an argument to non-function {go_text(found[0])}")
        return found[0]

    def _operands(self, words: "_Words", dot: Any) -> list[Any]:
        found = []
        while words.is_operand():
            value = self._operand(words, dot)
            found.append(_called(value.name, value.function, []) if isinstance(value, _Method) else value)
        return found

    def _operand(self, words: "_Words", dot: Any) -> Any:
        kind, text = words.next()
        if kind == "mark" and text == "(":
            inner = words.until_closed()
            value = self._pipeline(_Words(inner), dot)
        elif kind == "mark":
            value = dot
        elif kind == "field":
            return _fields(dot, text)
        elif kind == "variable":
            value = next((v for name, v in reversed(self._variables) if name == text), _MISSING)
            if value is _MISSING:
                raise TemplateFault(f"undefined variable `{text}`")
        elif kind == "word":
            if text in _WORDS:
                return _WORDS[text]
            return self._command(_Words([(kind, text)]), dot, ())
        else:
            return literal_value(kind, text)
        return _fields(value, words.next()[1]) if words.is_field() else value


_MISSING = object()


class _Words:
    """The tokens of one pipeline, one after the other."""

    def __init__(self, words: Sequence[Token]) -> None:
        self._words = list(words)

    def next(self) -> Token:
        return self._words.pop(0)

    def word(self) -> str | None:
        return self._words[0][1] if self._words and self._words[0][0] == "word" else None

    def take(self, kind: str, text: str) -> bool:
        if self._words[:1] != [(kind, text)]:
            return False
        del self._words[0]
        return True

    def is_field(self) -> bool:
        return bool(self._words) and self._words[0][0] == "field"

    def is_operand(self) -> bool:
        return bool(self._words) and (self._words[0][0] != "mark" or self._words[0][1] in ("(", "."))

    def until_closed(self) -> list[Token]:
        found: list[Token] = []
        depth = 1
        while self._words:
            token = self.next()
            depth += {"(": 1, ")": -1}.get(token[1], 0) if token[0] == "mark" else 0
            if depth == 0:
                return found
            found.append(token)
        raise TemplateFault("a parenthesis is not closed")

    def must_end(self) -> None:
        if self._words:
            raise TemplateFault(f"unexpected `{self._words[0][1]}`")


def _names(words: list[Token]) -> tuple[list[str], list[Token]]:
    """The variables that an action sets, and the rest of it."""
    marks = [i for i, word in enumerate(words[:4]) if word in (("mark", ":="), ("mark", "="))]
    if not marks:
        return [], words
    return [text for kind, text in words[: marks[0]] if kind == "variable"], words[marks[0] + 1 :]


def _fields(value: Any, path: str) -> Any:
    for name in path.split(".")[1:]:
        if isinstance(value, _Method):
            value = _called(value.name, value.function, [])
        if value is None:
            raise TemplateFault(f"nil pointer evaluating interface {{}}.{name}")
        if isinstance(value, Mapping):
            if name not in value:
                return None  # and so is what is behind it: only a null that is there is an error
            value = value.get(name)
        elif (method := getattr(value, "methods", {}).get(name)) is not None:
            value = _Method(name, method)
        else:
            raise TemplateFault(f"can't evaluate field {name} in {go_text(value)}")
    return value


def _called(name: str, function: Callable[..., Any], arguments: list[Any]) -> Any:
    if name not in TAKE_BYTES and any(isinstance(a, bytes) for a in arguments):
        raise TemplateFault(f"error calling {name}: wrong type for value; expected string; got []uint8")
    try:
        found = function(*arguments)
    except TemplateFault:
        raise
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, re.error, RecursionError) as error:
        raise TemplateFault(f"error calling {name}: {error}") from None
    if isinstance(found, str) and len(found) > _LONGEST:
        raise TemplateFault("the message is too long")
    return found
