"""The tokens of a condition, split as expr-lang's lexer does it, and a cursor over them."""

import re
from typing import Literal

from msgspec import Struct

from companyos_canary.analysis.expr.tree import ConditionError
from companyos_canary.analysis.gotext import parse_float

TokenKind = Literal["identifier", "operator", "bracket", "number", "string", "error", "eof"]

_WORD_OPERATORS = frozenset(
    ("not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else")
)
_PATTERN = r"""
      (?P<space>\s+|//[^\n]*|/\*.*?\*/)
    | (?P<open_comment>/\*)
    | (?P<raw>`[^`]*`)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<open_string>["'`])
    | (?P<number>(?:0[xX][0-9a-fA-F_]*|0[oO][0-7_]*|0[bB][01_]*
        |[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?(?:[eE][+-]?[0-9_]*)?
        |\.[0-9][0-9_]*(?:[eE][+-]?[0-9_]*)?))
    | (?P<word>[^\W\d][\w$]*|\$[\w$]*)
    | (?P<bracket>[()\[\]{}])
    | (?P<operator>\?\.|\?\?|\?|\.\.|\.|\#\#?|\|\||\||::|:|[&!=*<>][&=*]?|[/,;%+\-^])
    """
_ESCAPE = r"(?s)\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))"
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "`": "`",
    "?": "?",
}
_LONGEST = 20_000


class Token(Struct, frozen=True):
    """`text` is the word or symbol, the content of a string, or the message of an `error`."""

    kind: TokenKind
    text: str

    def __str__(self) -> str:
        if self.kind == "eof":
            return "EOF"
        return f'{self.kind.capitalize()}("{self.text}")'


def tokens(text: str) -> list[Token]:
    """All tokens, ending with `eof` or `error`. A fault only counts once the parser reaches it."""
    if len(text) > _LONGEST:
        return [Token("error", f"the condition is longer than {_LONGEST} characters")]
    found: list[Token] = []
    pattern, at = re.compile(_PATTERN, re.VERBOSE | re.DOTALL), 0
    while at < len(text):
        match = pattern.match(text, at)
        if match is None:
            return [*found, Token("error", f"unrecognized character: {_named(text[at])}")]
        token = _token(match, text)
        if token is not None:
            found.append(token)
            if token.kind == "error":
                return found
        at = match.end()
    return [*found, Token("eof", "")]


def _token(match: re.Match[str], text: str) -> Token | None:
    kind, value = str(match.lastgroup), match[0]
    if kind == "space":
        return None
    if kind == "word":
        return Token("operator" if value in _WORD_OPERATORS else "identifier", value)
    if kind == "number":
        following = text[match.end() : match.end() + 1]
        if following.isalnum() or (following in ("_", "$") and following):
            return Token("error", f'bad number syntax: "{value}{following}"')
        return Token("number", value)
    if kind == "raw":
        return Token("string", value[1:-1])
    if kind == "string":
        try:
            return Token("string", re.sub(_ESCAPE, _unescaped, value[1:-1]))
        except ConditionError as error:
            return Token("error", str(error))
    if kind == "open_comment":
        return Token("error", "unclosed comment")
    if kind == "open_string":
        return Token("error", "literal not terminated")
    return Token("bracket" if kind == "bracket" else "operator", value)


def _unescaped(match: re.Match[str]) -> str:
    two, four, eight, octal, simple = match.groups()
    code = int(two or four or eight or "0", 16) if not octal else int(octal, 8)
    if simple is not None:
        if simple not in _SIMPLE:
            raise ConditionError("unable to unescape string")
        return _SIMPLE[simple]
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ConditionError("unable to unescape string")
    return chr(code)


def _named(character: str) -> str:
    shown = f" '{character}'" if character.isprintable() else ""
    return f"U+{ord(character):04X}{shown}"


_DEEPEST = 60


class Cursor:
    """Reads tokens one by one. Raises ConditionError when it reaches a fault in the text."""

    def __init__(self, text: str) -> None:
        self._tokens = iter(tokens(text))
        self._stashed: Token | None = None
        self._nesting = 0
        self.current = Token("eof", "")
        self.next()

    def next(self) -> Token:
        """Advance, and return the token that was current."""
        before = self.current
        self.current = self._stashed or next(self._tokens, Token("eof", ""))
        self._stashed = None
        if self.current.kind == "error":
            raise ConditionError(self.current.text)
        return before

    def back_to(self, token: Token) -> None:
        """Go back to the token before the current one."""
        self._stashed, self.current = self.current, token

    def at(self, kind: str, *texts: str) -> bool:
        return self.current.kind == kind and (not texts or self.current.text in texts)

    def expect(self, kind: str, *texts: str) -> Token:
        """Consume the token that must come here, or raise ConditionError."""
        if not self.at(kind, *texts):
            raise ConditionError(f"unexpected token {self.current}")
        return self.next()

    def enter(self) -> None:
        """Go one level deeper. The depth is limited because Python's stack is."""
        self._nesting += 1
        if self._nesting > _DEEPEST:
            raise ConditionError("the condition is nested too deeply")

    def leave(self) -> None:
        self._nesting -= 1


_BASES = {"0x": (16, "hex"), "0b": (2, "binary"), "0o": (8, "octal")}
_LARGEST = 2**63 - 1


def number(text: str) -> int | float:
    """Parse `1`, `1_000`, `0x1f`, `.5`, `1e3`. Raises ConditionError if it does not fit 64 bits."""
    digits = text.replace("_", "")
    base, name = _BASES.get(digits[:2].lower(), (10, "integer"))
    if base == 10 and any(c in digits for c in ".eE"):
        try:
            return parse_float(digits)
        except ValueError as error:
            raise ConditionError(f"invalid float literal: {error}") from None
    try:
        value = int(digits[2:] if base != 10 else digits, base)
    except ValueError:
        raise ConditionError(f'invalid {name} literal: strconv.ParseInt: parsing "{digits}"') from None
    if value > _LARGEST:
        raise ConditionError(f'invalid {name} literal: strconv.ParseInt: parsing "{digits}": value out of range')
    return value
