"""Go's text/template, as far as templates of notifications use it: fields, variables, pipelines, `if`, `range`, `with`.

Source: the documentation of text/template. What is not here is refused by name: nothing is rendered in part.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from companyos_canary.analysis.gotemplate_functions import FUNCTIONS, TAKE_BYTES, TemplateFault, go_text, is_true

_ACTION = re.compile(r"\{\{(-(?=\s))?(/\*.*?\*/|.*?)((?<=\s)-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s+|(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<char>'(?:\\.|[^'\\])')|(?P<number>[-+]?\d+(?:\.\d+)?)"""
    r"""|(?P<field>(?:\.[A-Za-z_]\w*)+)|(?P<variable>\$\w*)|(?P<word>[A-Za-z_]\w*)|(?P<mark>:=|=|\||\(|\)|,|\.)"""
)
_MOST = 100_000  # nodes that one message may visit
_LONGEST = 1_000_000  # characters of a message
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "'": "'"}
_WORDS = {"true": True, "false": False, "nil": None}

Token = tuple[str, str]


class _Block(Struct):
    """`if`, `range` or `with`, or the whole template: `words` of its action, what is in it, and behind its `else`."""

    kind: str
    words: list[Token] = field(default_factory=list)
    body: list["str | list[Token] | _Block"] = field(default_factory=list)
    otherwise: list["str | list[Token] | _Block"] = field(default_factory=list)


def render(text: str, data: Mapping[str, Any]) -> str:
    """The text with its actions carried out on the data. Raises TemplateFault for what cannot be read, is not
    supported here, or where Go would report an error."""
    return _Run(data).texts(_read(text).body, data)


def _read(text: str) -> _Block:
    whole = _Block("")
    stack, bodies = [whole], [whole.body]
    for part in _parts(text):
        if isinstance(part, str):
            bodies[-1].append(part)
            continue
        word = part[0][1] if part and part[0][0] == "word" else ""
        if word in ("if", "range", "with"):
            block = _Block(word, part[1:])
            bodies[-1].append(block)
            stack.append(block)
            bodies.append(block.body)
        elif word in ("else", "end") and len(stack) == 1:
            raise TemplateFault(f"unexpected {{{{{word}}}}}")
        elif word == "else" and len(part) > 1:
            block = _Block(part[1][1], part[2:])
            stack[-1].otherwise.append(block)
            stack[-1], bodies[-1] = block, block.body  # one `end` ends them all
        elif word == "else":
            bodies[-1] = stack[-1].otherwise
        elif word == "end":
            stack.pop()
            bodies.pop()
        elif word in ("define", "template", "block", "break", "continue"):
            raise TemplateFault(f"`{word}` is not supported here")
        else:
            bodies[-1].append(part)
    if len(stack) > 1:
        raise TemplateFault(f"`{stack[-1].kind}` has no {{{{end}}}}")
    return whole


def _parts(text: str) -> Iterator[str | list[Token]]:
    """Texts and the tokens of actions; a text without the space that a mark takes away."""
    at, trims = 0, False
    for found in _ACTION.finditer(text):
        before = text[at : found.start()]
        before = before.lstrip() if trims else before
        yield before.rstrip() if found[1] else before
        at, trims = found.end(), bool(found[3])
        if not found[2].startswith("/*"):
            yield list(_tokens(found[2]))
    rest = text[at:]
    if "{{" in rest:
        raise TemplateFault("an action is not closed")
    yield rest.lstrip() if trims else rest


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise TemplateFault(f"unexpected `{text[at]}` in {{{{{text.strip()}}}}}")
        at = found.end()
        if found.lastgroup:
            yield found.lastgroup, found[found.lastgroup]


class _Run:
    """One template on one set of data."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._variables: list[tuple[str, Any]] = [("$", data)]
        self._left, self._length = _MOST, 0

    def texts(self, body: Sequence[Any], dot: Any) -> str:
        known = len(self._variables)
        found = "".join(self._text(part, dot) for part in body)
        del self._variables[known:]
        return found

    def _text(self, part: Any, dot: Any) -> str:
        self._left -= 1
        if self._left < 0:
            raise TemplateFault("the template takes too long")
        if isinstance(part, str):
            return self._bounded(part)
        if isinstance(part, list):
            declares, value = self._declared(part, dot)
            return "" if declares else self._bounded(go_text(value))
        known = len(self._variables)
        found = self._range(part, dot) if part.kind == "range" else self._branch(part, dot)
        del self._variables[known:]
        return found

    def _bounded(self, text: str) -> str:
        self._length += len(text)
        if self._length > _LONGEST:
            raise TemplateFault("the message is too long")
        return text

    def _branch(self, block: _Block, dot: Any) -> str:
        _, value = self._declared(block.words, dot)
        if is_true(value):
            return self.texts(block.body, value if block.kind == "with" else dot)
        return self.texts(block.otherwise, dot)

    def _range(self, block: _Block, dot: Any) -> str:
        names, words = _names(block.words)
        value = self._pipeline(_Words(words), dot)
        if isinstance(value, Mapping):
            items: list[tuple[Any, Any]] = sorted(value.items())
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
            found.append(self.texts(block.body, item))
            del self._variables[known:]
        return "".join(found) if items else self.texts(block.otherwise, dot)

    def _declared(self, words: list[Token], dot: Any) -> tuple[bool, Any]:
        """Whether the action only sets a variable, and its value."""
        names, rest = _names(words)
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
            function = FUNCTIONS.get(word)
            if function is None:
                raise TemplateFault(f"the function `{word}` is not supported here")
            arguments = [*self._operands(words, dot), *piped]
            return _called(word, function, arguments)
        found = [*self._operands(words, dot), *piped]
        if not found:
            raise TemplateFault("an action has no value")
        if len(found) > 1:
            raise TemplateFault(f"can't give an argument to non-function {go_text(found[0])}")
        return found[0]

    def _operands(self, words: "_Words", dot: Any) -> list[Any]:
        found = []
        while words.is_operand():
            found.append(self._operand(words, dot))
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
            return _literal(kind, text)
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
        if value is None:
            raise TemplateFault(f"nil pointer evaluating interface {{}}.{name}")
        if isinstance(value, Mapping):
            if name not in value:
                return None  # and so is what is behind it: only a null that is there is an error
            value = value.get(name)
        elif (method := getattr(value, "methods", {}).get(name)) is not None:
            value = method()
        else:
            raise TemplateFault(f"can't evaluate field {name} in {go_text(value)}")
    return value


def _literal(kind: str, text: str) -> Any:
    if kind == "number":
        return float(text) if "." in text else int(text)
    if text.startswith("`"):
        return text[1:-1]
    found = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), text[1:-1])
    return ord(found) if kind == "char" else found


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
