"""Log lines of several pods: a short prefix that says which pod, in which role."""

from companyos_canary.errors import harmless
from companyos_canary.model.workload import LogLine
from companyos_canary.view.lines import Facts, Tone

_ROLES: dict[str, Tone] = {"canary": "hint", "stable": "success"}


_OF_PODS = ("cyan", "magenta", "yellow", "blue", "green", "bright_red")
_ON_LIGHT = ("blue", "magenta", "green", "red", "cyan", "black")


def log_line(found: LogLine, facts: Facts, *, prefixed: bool, pods: dict[str, int]) -> str:
    """`canary x2k1z GET /api 200`: the line, with what cannot be seen written out, after the role
    and the end of the pod's name. Only these are coloured, the name in a colour of its pod: `pods` has them in
    the order in which they were met, and is added to."""
    text = harmless(found.text, keep="\t")
    if not prefixed:
        return text
    role, pod = found.role, found.pod.rpartition("-")[2]
    if facts.colour:
        from rich.style import Style  # noqa: PLC0415 - a pipe does without rich

        palette = _ON_LIGHT if facts.light else _OF_PODS
        pod = Style.parse(palette[pods.setdefault(found.pod, len(pods)) % len(palette)]).render(pod)
        role = Style.parse(facts.style(_ROLES[role])).render(role) if role in _ROLES else role
    return f"{role} {pod} {text}"
