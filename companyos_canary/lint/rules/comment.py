"""Comments that leave findings out: whether they still do."""

from collections.abc import Iterator
from dataclasses import dataclass

from companyos_canary.errors import near
from companyos_canary.lint.finding import COMMENT, Found, rule
from companyos_canary.lint.ignoring import Comment


@dataclass(frozen=True, slots=True)
class Used:
    """A comment, the rules whose findings it left out, and all rules that there are."""

    comment: Comment
    rules: frozenset[str]
    known: tuple[str, ...]


@rule("useless-ignore", "warning", COMMENT)
def useless_ignore(used: Used) -> Iterator[Found]:
    """A comment of canary-lint has no effect, or no reason.

    It names a rule that does not exist, or one that finds nothing there any more. Without a reason nobody can tell
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
