"""`# canary-lint: ignore=ID,ID reason`: findings that a person has decided to leave, and whether they are still there.

At the end of a line the comment is about the field of that line and everything below it; on a line of
its own it is about the next field; above the first field of a document it is about the whole document.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from companyos_canary.errors import near
from companyos_canary.lint.documents import Node, YamlDocument
from companyos_canary.lint.finding import COMMENT, Found, rule

_COMMENT = re.compile(r"(?:^|\s)#\s*canary-lint:\s*(?P<rest>.*)$")
_IGNORE = re.compile(r"ignore\s*=\s*(?P<ids>[\w-]+(?:\s*,\s*[\w-]+)*)(?P<reason>.*)$")


class Comment(Struct, frozen=True):
    """`ids` are empty if the comment cannot be understood. It is about lines `first` to `last`, both included; a
    `first` of 0 means that it is about nothing."""

    line: int
    ids: tuple[str, ...]
    reason: str
    first: int = 0
    last: int = -1

    def ignores(self, rule: str, line: int) -> bool:
        return rule in self.ids and self.first <= line <= self.last


def comments(text: str, documents: Iterable[YamlDocument]) -> tuple[Comment, ...]:
    """The comments of a file whose documents were read."""
    roots = tuple(document.root for document in documents)
    return tuple(_placed(comment, about, roots) for comment, about in _written(text.splitlines()))


def _written(lines: list[str]) -> Iterator[tuple[Comment, int]]:
    """Each comment, and the line that it is about."""
    for number, line in enumerate(lines, 1):
        found = _COMMENT.search(line)
        if not found:
            continue
        about = number if line[: found.start()].strip() else _next_field(lines, number)
        ignore = _IGNORE.match(found["rest"])
        ids = re.split(r"\s*,\s*", ignore["ids"]) if ignore else ()
        yield Comment(number, tuple(ids), ignore["reason"].strip(" :-") if ignore else ""), about


def _next_field(lines: list[str], number: int) -> int:
    """The first line behind `number` with a field in it."""
    for index in range(number, len(lines)):
        text = lines[index].strip()
        if text and not text.startswith("#") and text != "---":
            return index + 1
    return 0


def _placed(comment: Comment, about: int, roots: tuple[Node, ...]) -> Comment:
    for root in roots:
        if root.line == about:
            return _over(comment, root.line, root.end)
        if root.line < about <= root.end:
            return _over(comment, *_scope(root, about))
    return comment


def _over(comment: Comment, first: int, last: int) -> Comment:
    return Comment(comment.line, comment.ids, comment.reason, first, last)


def _scope(node: Node, about: int) -> tuple[int, int]:
    """The lines of the outermost value below `node` whose key is in line `about`."""
    for line, inner in node.inner.values():
        if line == about:
            return line, max(line, inner.end)
        if line < about <= inner.end and inner.line <= inner.end:
            return _scope(inner, about)
    return about, about


class Used(Struct, frozen=True):
    """A comment, the rules whose findings it left out, and all rules that there are."""

    comment: Comment
    rules: frozenset[str]
    known: tuple[str, ...]


@rule("useless-ignore", "warning", COMMENT)
def useless_ignore(used: Used) -> Iterator[Found]:
    """A comment of canary-lint has no effect, or no reason.

    It names a rule that does not exist, or one that finds nothing there any more. Without a reason no one can tell
    later whether it may go.
    """
    if not used.comment.ids:
        yield Found((), "the comment is not understood", "write `# canary-lint: ignore=RULE reason`")
    for name in used.comment.ids:
        if name not in used.known:
            yield Found((), f"there is no rule `{name}`", near(name, used.known))
        elif name not in used.rules:
            yield Found((), f"`{name}` finds nothing here", "remove the comment")
    if used.comment.ids and not used.comment.reason:
        yield Found((), "the comment has no reason", "say behind the rule why the finding is left out")


RULES = (useless_ignore,)
