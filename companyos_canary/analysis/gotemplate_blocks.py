"""Texts of text/template as blocks: actions, and what is between them."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct, field

from companyos_canary.analysis.gotemplate_printf import Int, TemplateFault

_ACTION = re.compile(
    r"""\{\{(-(?=\s))?(\s*/\*.*?\*/\s*|(?:"(?:\\.|[^"\\])*"|`[^`]*`|[^"`])*?)((?<=\s)-)?\}\}""", re.DOTALL
)
_TOKEN = re.compile(
    r"""\s+|(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<char>'(?:\\.|[^'\\])')|"""
    r"""(?P<number>[-+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?))"""
    r"""|(?P<field>(?:\.[A-Za-z_]\w*)+)|(?P<variable>\$\w*)|(?P<word>[A-Za-z_]\w*)|(?P<mark>:=|=|\||\(|\)|,|\.)"""
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "'": "'"}
Token = tuple[str, str]
_KEYWORDS = frozenset(["if", "range", "with", "define", "block", "template", "break", "continue", "else", "end"])


class Block(Struct):
    """`if`, `range`, `with`, `define` or `block`, or the whole template: `words` of its action, what is in it, and
    behind its `else`. `break`, `continue` and `template` have nothing in them."""

    kind: str
    words: list[Token] = field(default_factory=list)
    body: list["str | list[Token] | Block"] = field(default_factory=list)
    otherwise: list["str | list[Token] | Block"] = field(default_factory=list)


class _Reader:
    """Makes blocks of the parts of a text: `stack` has the blocks that are open, `bodies` where the next part goes."""

    def __init__(self) -> None:
        whole = Block("")
        self.stack, self.bodies = [whole], [whole.body]
        self.defined: dict[str, Block] = {}

    def take(self, part: str | list[Token]) -> None:
        word = part[0][1] if isinstance(part, list) and part and part[0][0] == "word" else ""
        if isinstance(part, str) or word not in _KEYWORDS:
            self.bodies[-1].append(part)
        elif word in ("else", "end"):
            self._turn(word, part)
        elif word in ("break", "continue", "template"):
            self._mark(word, part)
        else:
            self._open(word, part)

    def _open(self, word: str, part: list[Token]) -> None:
        block = Block(word, part[1:])
        if word == "define" and len(self.stack) > 1:
            raise TemplateFault("unexpected {{define}}")
        if word in ("define", "block"):
            self.defined[_name_of(word, part)] = block
        if word == "block":
            self.bodies[-1].append(Block("template", part[1:]))
        elif word != "define":
            self.bodies[-1].append(block)
        self.stack.append(block)
        self.bodies.append(block.body)

    def _mark(self, word: str, part: list[Token]) -> None:
        if word == "template":
            _name_of(word, part)
        elif not any(block.kind == "range" for block in self.stack):
            raise TemplateFault(f"{{{{{word}}}}} outside {{{{range}}}}")
        self.bodies[-1].append(Block(word, part[1:]))

    def _turn(self, word: str, part: list[Token]) -> None:
        block = self.stack[-1]
        if len(self.stack) == 1 or (word == "else" and block.kind in ("define", "block")):
            raise TemplateFault(f"unexpected {{{{{word}}}}}")
        if word == "end":
            self.stack.pop()
            self.bodies.pop()
        elif len(part) > 1:
            inner = Block(part[1][1], part[2:])
            block.otherwise.append(inner)
            self.stack[-1], self.bodies[-1] = inner, inner.body  # one `end` ends them all
        else:
            self.bodies[-1] = block.otherwise


def template_blocks(text: str) -> tuple[Block, dict[str, Block]]:
    """The template, and those that it defines."""
    reader = _Reader()
    for part in _parts(text):
        reader.take(part)
    if len(reader.stack) > 1:
        raise TemplateFault(f"`{reader.stack[-1].kind}` has no {{{{end}}}}")
    return reader.stack[0], reader.defined


def _name_of(word: str, part: Sequence[Token]) -> str:
    if len(part) < 2 or part[1][0] != "string":
        raise TemplateFault(f"`{word}` has no name in quotes")
    return str(literal_value(*part[1]))


def _parts(text: str) -> Iterator[str | list[Token]]:
    """Texts and the tokens of actions; a text without the space that a mark takes away."""
    at, trims = 0, False
    for found in _ACTION.finditer(text):
        before = text[at : found.start()]
        before = before.lstrip() if trims else before
        yield before.rstrip() if found[1] else before
        at, trims = found.end(), bool(found[3])
        if not found[2].lstrip().startswith("/*"):
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


def literal_value(kind: str, text: str) -> Any:
    if kind == "number":
        try:
            return Int(text, 0)
        except ValueError:
            return float(text) if re.search("[.eE]", text) else Int(text, 8)
    if text.startswith("`"):
        return text[1:-1]
    found = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), text[1:-1])
    return ord(found) if kind == "char" else found
