"""A place in the tokens of a condition."""

from companyos_canary.analysis.expr.errors import ConditionError
from companyos_canary.analysis.expr.lexer import Token, tokens

_DEEPEST = 60


class Cursor:
    """Reads tokens one by one; a fault of the text is raised once it is reached."""

    def __init__(self, text: str) -> None:
        self._tokens = iter(tokens(text))
        self._stashed: Token | None = None
        self._nesting = 0
        self.current = Token("eof", "")
        self.next()

    def next(self) -> Token:
        """Moves on; the token that was current."""
        before = self.current
        self.current = self._stashed or next(self._tokens, Token("eof", ""))
        self._stashed = None
        if self.current.kind == "error":
            raise ConditionError(self.current.text)
        return before

    def back_to(self, token: Token) -> None:
        """Makes the token before the current one current again."""
        self._stashed, self.current = self.current, token

    def at(self, kind: str, *texts: str) -> bool:
        return self.current.kind == kind and (not texts or self.current.text in texts)

    def expect(self, kind: str, *texts: str) -> Token:
        """Moves over the token that has to be here."""
        if not self.at(kind, *texts):
            raise ConditionError(f"unexpected token {self.current}")
        return self.next()

    def enter(self) -> None:
        """One level deeper; the depth is bounded, for Python's stack is."""
        self._nesting += 1
        if self._nesting > _DEEPEST:
            raise ConditionError("the condition is nested too deeply")

    def leave(self) -> None:
        self._nesting -= 1
