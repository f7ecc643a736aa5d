"""Log lines of several pods: a short prefix that says which pod, in which role."""

from companyos_canary.model.words import harmless
from companyos_canary.model.workload import LogLine
from companyos_canary.view.lines import Facts, Role

_ROLES: dict[str, Role] = {"canary": "hint", "stable": "success"}


def line(found: LogLine, facts: Facts, *, prefixed: bool) -> str:
    """`canary x2k1z GET /api 200`: the line, with what cannot be seen written out, after the role
    and the end of the pod's name. Only the prefix is coloured."""
    text = harmless(found.text, keep="\t")
    if not prefixed:
        return text
    prefix = f"{found.role} {found.pod.rpartition('-')[2]}"
    style = facts.style(_ROLES.get(found.role, ""))
    if style:
        from rich.style import Style  # noqa: PLC0415 - a pipe does without rich

        prefix = Style.parse(style).render(prefix)
    return f"{prefix} {text}"
