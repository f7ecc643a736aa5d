"""What holds of everything that any command of the suite prints, whatever the cluster said: no character that a
terminal would obey, no line that only looks like ours, and none of the secrets that the suite plants."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

#: Values that tests put where a secret may be. Each is one word, so that no folding of lines hides it.
SECRETS = ("s3cr3t-of-the-cluster", "s3cret", "hunter2")
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_CURSOR = re.compile(r"\r?\x1b\[(?:\d*[ABCDGJK]|\d*;?\d*H|\?(?:25|1049|2026|2004|7)[hl])")
_LINK = re.compile(r"\x1b\]8;[^\x1b\x07]*;[^\x1b\x07]*\x1b\\")
_FOLD = re.compile(r"\x1b\[0Ksection_(?:start|end):\d+:canary_\d+(?:\[collapsed=true\])?\r\x1b\[0K")
_COMMAND = re.compile(r"^\s*::(?P<name>[a-z-]*)", re.M)
_OURS = frozenset(("group", "endgroup", "error", "warning", "notice"))
_VERDICT = re.compile(r"^verdict=.*$", re.M)
_SEEN = "\n\t"


def check(
    arguments: Sequence[str],
    code: int,
    out: str,
    err: str,
    *,
    terminal: bool,
    environ: Mapping[str, str],
    secrets: Sequence[str] = (),
) -> None:
    """Fails where what a command printed breaks a law. `secrets`: besides those that the suite plants."""
    github = environ.get("GITHUB_ACTIONS") == "true" or "github" in (*arguments, environ.get("CANARY_CI"))
    found = list(faults(code, out, err, terminal=terminal, github=github, secrets=secrets))
    assert not found, (arguments, found)


def faults(
    code: int, out: str, err: str, *, terminal: bool, github: bool, secrets: Sequence[str] = ()
) -> Iterator[str]:
    """Each law that what was printed breaks, with the place. `github`: its runner reads it."""
    for text in (out, err):
        yield from _hidden(text, terminal=terminal)
        for secret in (*SECRETS, *secrets):
            if secret in text:
                yield f"a secret: {_around(text, text.index(secret))}"
    for text in (out, err):
        for found in _COMMAND.finditer(text) if github or not terminal else ():
            if not github or found["name"] not in _OURS:
                yield f"a command to GitHub's runner: {_around(text, found.start())}"
    if github and "##[" in out + err:
        yield "a command to GitHub's runner, of the older form"
    yield from _verdicts(code, out, err)


def _hidden(text: str, *, terminal: bool) -> Iterator[str]:
    kept = _FOLD.sub("", text)
    if terminal:
        for ours in (_LINK, _STYLE, _CURSOR):
            kept = ours.sub("", kept)
    if kept.replace("\n", "").replace("\t", "").isprintable():
        return
    for number, c in enumerate(kept):
        if not c.isprintable() and c not in _SEEN and unicodedata.category(c) != "Zs":
            yield f"a character that cannot be seen: {_around(kept, number)}"
            return


def _verdicts(code: int, out: str, err: str) -> Iterator[str]:
    """A verdict is the last line of stdout, and says the exit code."""
    if _VERDICT.search(err):
        yield f"a verdict on stderr: {err!r}"
    said = _VERDICT.findall(out)
    if not said:
        return
    if len(said) > 1 or out.rstrip("\n").rpartition("\n")[2] != said[0]:
        yield f"a verdict that is not the last line: {said}"
    if not said[0].endswith(f" exit={code}"):
        yield f"a verdict with another exit code than {code}: {said[0]}"


def _around(text: str, at: int) -> str:
    return repr(text[max(0, at - 60) : at + 60])
