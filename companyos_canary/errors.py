"""What can go wrong, and the exit code that says so.

    CanaryError                 1  anything unexpected
    ├── UsageError              2  the command line is wrong
    │   └── ConfigError         2  canary.yaml is wrong: file, line, field
    ├── DeniedError             4
    │   ├── Unauthenticated     4  401, an expired token, an exec plugin that failed
    │   └── Forbidden           4  403: which verb on which resource
    ├── NotFound                5
    │   ├── CrdMissing          5  Argo Rollouts is not installed
    │   └── Gone                5  the Rollout was deleted while it was followed
    ├── Refused                 7  the verb would not do what its name says
    ├── Unobserved              9  no controller has acted on what was written
    │   └── Uncertain           9  a change was sent, and its answer was lost: it may have been made
    ├── TimedOut              124  --timeout is over
    ├── Unreachable             1  no answer from the server: address, TLS, time-out
    ├── NotAskedFor             1  2xx, but the answer is not what was asked for
    ├── ServerError             1  5xx and 429
    ├── Conflict                1  409: someone wrote in between
    ├── Invalid                 1  400, 422: the server does not accept what was sent
    │   └── Stale               1  422: a `test` of a JSON patch failed
    └── Interrupted           130  Ctrl-C; what was sent continues

`cli.py` is the one place that turns these into exit codes.
"""

import re
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every verb (design: one table; README and help are made from it)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DEGRADED = 3
    DENIED = 4
    NOT_FOUND = 5
    SUPERSEDED = 6
    REFUSED = 7
    UNFINISHED = 8
    UNOBSERVED = 9
    TIMEOUT = 124
    INTERRUPTED = 130


MEANING: dict[ExitCode, str] = {
    ExitCode.OK: "done; or the awaited state was reached; with --no-wait: sent",
    ExitCode.FAILED: "failed: network, API or internal error",
    ExitCode.USAGE: "usage or configuration",
    ExitCode.DEGRADED: "the rollout is Degraded or was aborted; lint: errors were found",
    ExitCode.DENIED: "not authenticated or not permitted",
    ExitCode.NOT_FOUND: "not found",
    ExitCode.SUPERSEDED: "superseded: another version replaced this one",
    ExitCode.REFUSED: "refused: in this state the verb would not do what its name says",
    ExitCode.UNFINISHED: "not finished: in progress or waiting for a person; diff: it differs",
    ExitCode.UNOBSERVED: "accepted, but the controller did not show the effect in time",
    ExitCode.TIMEOUT: "the end was not reached in time",
    ExitCode.INTERRUPTED: "interrupted; the rollout continues",
}


class CanaryError(Exception):
    """A failure that is told to the user in one sentence, with a hint where there is one."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CanaryError):
    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """canary.yaml cannot be used; the message names file, line and field."""


class DeniedError(CanaryError):
    exit_code = ExitCode.DENIED


class Unauthenticated(DeniedError):
    """401, or credentials that could not be had."""


class Forbidden(DeniedError):
    """403; the message says which verb on which resource."""


class NotFound(CanaryError):
    exit_code = ExitCode.NOT_FOUND


class Gone(NotFound):
    """The Rollout was deleted while it was followed."""


class CrdMissing(NotFound):
    """The server does not know the kind: Argo Rollouts is not installed."""


class Refused(CanaryError):
    """The verb would do something else than its name says."""

    exit_code = ExitCode.REFUSED


class Unobserved(CanaryError):
    """No controller has acted on what was written."""

    exit_code = ExitCode.UNOBSERVED


class Uncertain(Unobserved):
    """A change was sent, and no one knows whether it was made: no answer came, a 5xx, or one that
    cannot be read. It is never sent again. `cause` is what came in place of an answer."""

    def __init__(self, message: str, *, hint: str = "", cause: str = "") -> None:
        super().__init__(message, hint=hint)
        self.cause = cause


class TimedOut(CanaryError):
    """The time that the user gave is over."""

    exit_code = ExitCode.TIMEOUT


class Unreachable(CanaryError):
    """No answer: wrong address, no network, TLS, time-out. `sent`: the request may have reached the
    server."""

    sent = False


class Untrusted(Unreachable):
    """The server's certificate is not one that is trusted."""


class NotAskedFor(CanaryError):
    """2xx with something else than what was asked for: a page, half an answer, another object."""


class ServerError(CanaryError):
    """The server answered 5xx or 429."""

    def __init__(self, message: str, *, hint: str = "", status: int = 500, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after = retry_after


class Conflict(CanaryError):
    """409: the object changed between read and write, already exists, or (server-side apply)
    another manager owns a field. `owned`: manager and field (`.spec.replicas`; empty if it is
    not named), where the server says so."""

    def __init__(self, message: str, *, hint: str = "", owned: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.owned = owned

    @property
    def managers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(manager for manager, _ in self.owned))


class Invalid(CanaryError):
    """400 or 422: the server refused the content, for example a failed `test` operation."""


class Stale(Invalid):
    """422: a `test` of a JSON patch failed, so nothing of it was written."""


class Interrupted(CanaryError):
    """Ctrl-C before there was anything to follow."""

    exit_code = ExitCode.INTERRUPTED


def exits(*more: ExitCode) -> tuple[ExitCode, ...]:
    """The exit codes of a verb that asks a cluster: these, and `more`."""
    asking = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DENIED, ExitCode.NOT_FOUND)
    return tuple(sorted((*asking, *more)))


def printable(text: str) -> str:
    """The text on one line, control characters written out: for messages."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The known one that is most like the word; empty if nothing is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake pays for it

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=cutoff)), "")


def near(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint: ``did you mean `status`?``, or the other one where nothing is like it."""
    found = nearest(word, known, cutoff=0.7)
    return f"did you mean `{found}`?" if found else otherwise


def guess(word: str, known: Iterable[str]) -> str:
    """The end of a message: ``; did you mean `status` ``, empty if nothing is like it."""
    found = nearest(word, known)
    return f"; did you mean `{found}`" if found else ""


_GAP = r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+"


def words(text: str) -> str:
    """The same, and what breaks a line is a space."""
    return text if text.isprintable() else printable(re.sub(_GAP, " ", text))


def harmless(text: str, *, keep: str = "\n\t") -> str:
    """Everything that leaves: lines stay lines, spaces spaces, and any other character that cannot be
    seen is written out, as JSON does it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep or _is_space(c) else _escaped(c) for c in text)


def _is_space(character: str) -> bool:
    import unicodedata  # noqa: PLC0415 - hardly any text has another one than those of ASCII

    return unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
