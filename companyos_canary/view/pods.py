"""ReplicaSets, their pods, and in blue-green the Services that select them; and the lines of the pods' logs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from companyos_canary.argo.picture import Picture
from companyos_canary.argo.pods import PodState, ready_containers
from companyos_canary.errors import harmless
from companyos_canary.model.rollout import BlueGreen
from companyos_canary.model.workload import LogLine, ReplicaSet
from companyos_canary.view.format import duration, left, shorten
from companyos_canary.view.lines import Facts, Line, Tone, columns_of, cut, cut_start, filled, joined, painted

_NAME_ROOM = 36


def services_lines(picture: Picture, facts: Facts) -> list[Line]:
    """`active   companyos-api-active   v1.0.0`, the same for the preview, and what is waited for
    under it. Nothing for another strategy."""
    state = picture.snapshot.rollout.blue_green
    if state is None:
        return []
    rows = [("active", state.active_service, state.active)]
    if state.preview_service:
        rows.append(("preview", state.preview_service, state.preview))
    room = min(_NAME_ROOM, max(columns_of(name) for _, name, _ in rows))
    lines: list[Line] = [
        (f"  {role:<7}  ", f"{filled(shorten(name, room, facts.symbols), room)}  {_served(picture, hash_)}")
        for role, name, hash_ in rows
    ]
    note = _note(picture, facts, state)
    return [*lines, ("  " + " " * 9, note)] if note else lines


def service_role(state: BlueGreen, replicaset: ReplicaSet) -> str:
    """`active`, `preview`, or nothing for a ReplicaSet that no Service selects."""
    if not replicaset.hash:
        return ""
    if replicaset.hash == state.active:
        return "active"
    return "preview" if replicaset.hash == state.preview else ""


def _served(picture: Picture, hash_: str) -> str:
    if not hash_:
        return "nothing yet"
    found = picture.snapshot.replicaset(hash_)
    if found is None:
        return hash_
    none = "" if found.available else ", no pod is ready"
    return f"{picture.versions[found.name]}{none}"


def _note(picture: Picture, facts: Facts, state: BlueGreen) -> tuple[str, Tone] | None:
    progress, symbols = picture.progress, facts.symbols
    match progress.activity:
        case "waiting":
            return f"{symbols.paused} the switch waits for a person", "warning"
        case "pausing":
            return ", ".join(filter(None, (f"{symbols.running} switches automatically", left(picture)))), "hint"
        case "held":
            return f"{symbols.paused} paused by hand", "warning"
        case "inconclusive":
            return f"{symbols.unknown} no verdict from the analysis", "warning"
        case "analysing":
            before = state.run is not None and state.run is state.pre_run
            return (f"{symbols.running} analysing {'before' if before else 'after'} the switch", "hint")
        case "scaling":
            return f"{symbols.running} the preview's pods are starting", "hint"
    return None


# every: all pods and every earlier revision; all: every odd pod; some: six of these; these three have one line for pods
# that are alike and well.
# trouble: three; none: counts only.
Detail = Literal["every", "all", "some", "trouble", "none"]
_MOST = 3
_OLD = 3  # earlier revisions that are scaled down
_SHORTEST = 12  # columns of a pod's name


def replicas_lines(picture: Picture, facts: Facts, detail: Detail) -> list[Line]:
    lines: list[Line] = []
    old = [r for r in picture.snapshot.replicasets if _is_gone(picture, r)] if detail in ("all", "every") else []
    named = old if detail == "every" or len(old) <= _OLD + 1 else old[:_OLD]
    widths = _widths(picture, named)
    said = {p.message for p in picture.cause.pods} if picture.cause else set()
    for replicaset in picture.snapshot.replicasets:
        pods = picture.pod_states.get(replicaset.uid, ())
        role = picture.roles[replicaset.name]
        if role or replicaset.desired or replicaset.replicas or pods:
            lines.append(_head(picture, facts, replicaset, widths, pods))
            lines += pod_lines(pods, facts, picture.now, detail, said)
        elif replicaset in named:
            head = _name(picture, facts, replicaset, widths, facts.symbols.scaled_down)
            lines.append((f"{head}scaled down",))
    if len(named) < len(old):
        told = f"  {facts.symbols.scaled_down} {len(old) - len(named)} more revisions, scaled down: "
        lines.append((cut(told + picture.place.command("get", "--all"), facts.width, facts.symbols.more),))
    return lines


def _is_gone(picture: Picture, replicaset: ReplicaSet) -> bool:
    """An earlier revision without pods."""
    return not _present(picture, replicaset) and not picture.pod_states.get(replicaset.uid, ())


def _widths(picture: Picture, old: Sequence[ReplicaSet]) -> tuple[int, int, int]:
    """How wide the longest version, count of ready pods and revision are, of what is shown."""
    shown = [*(r for r in picture.snapshot.replicasets if _present(picture, r)), *old]
    room = min(24, max((columns_of(picture.versions[r.name]) for r in shown), default=0))
    digits = max((len(str(r.ready)) for r in shown), default=1)
    return room, digits, max((len(str(r.revision)) for r in shown), default=1)


def _head(
    picture: Picture, facts: Facts, replicaset: ReplicaSet, widths: tuple[int, int, int], pods: tuple[PodState, ...]
) -> Line:
    ready = f"{replicaset.ready:>{widths[1]}}/{replicaset.desired} ready"
    extra = replicaset.replicas - replicaset.desired
    leaving = f", {extra} leaving" if extra > 0 else ""
    if not replicaset.desired and not replicaset.replicas:
        ready = "scaled down"
    short = replicaset.ready < replicaset.desired
    state: Tone = "warning" if short else ""
    problems = list(dict.fromkeys(p.status for p in pods if p.in_trouble))
    why = f"  {', '.join(problems[:2])}" if problems else ""
    head = _name(picture, facts, replicaset, widths, facts.symbols.replicaset)
    text = cut(f"{ready}{leaving}{why}", facts.width - columns_of(head), facts.symbols.more)
    return (head, (text, state))


def _present(picture: Picture, replicaset: ReplicaSet) -> bool:
    return bool(picture.roles[replicaset.name] or replicaset.desired or replicaset.replicas)


def _name(picture: Picture, facts: Facts, replicaset: ReplicaSet, widths: tuple[int, int, int], mark: str) -> str:
    """`⧉ canary  v1.1.0  revision 8  `, in columns; in blue-green the Service that selects it says more than a role."""
    room, _, revisions = widths
    state, role, longest = picture.snapshot.rollout.blue_green, picture.roles[replicaset.name] or "old", 6
    if state is not None:
        role, longest = service_role(state, replicaset) or ("stable" if role == "stable" else "old"), 7
    name = shorten(picture.versions[replicaset.name], room, facts.symbols)
    return f"  {mark} {role:<{longest}}  {filled(name, room)}  revision {replicaset.revision:<{revisions}}  "


def pod_lines(
    pods: Sequence[PodState], facts: Facts, now: datetime, detail: Detail, said: Iterable[str] = ()
) -> list[Line]:
    """The pods of one ReplicaSet; a message of `said`, or of a pod above, is not repeated."""
    if detail == "none":
        return []
    alike = sum(p.is_well for p in pods)
    odd = [p for p in pods if not p.is_well or (alike == 1 and detail != "trouble")]
    shown = odd[: {"every": len(odd), "all": len(odd), "some": 2 * _MOST, "trouble": _MOST}[detail]]
    lines: list[Line] = []
    told = set(said)
    for pod in shown:
        lines.append(_pod(pod, facts, now))
        message = _message(pod)
        if message and message not in told:
            text = shorten(message, facts.width - 6, facts.symbols)
            lines.append((("      " + text, "failure"),))
        told.add(message)
    if len(odd) > len(shown):
        lines.append((f"    {facts.symbols.pod} and {len(odd) - len(shown)} more like these",))
    if alike > 1 and detail != "trouble":
        lines.append((f"    {facts.symbols.pod} {alike} running",))
    return lines


def _pod(state: PodState, facts: Facts, now: datetime) -> Line:
    pod, status = state.pod, state.status
    ready, of = ready_containers(pod)
    role: Tone = "failure" if state.in_trouble else ("" if pod.ready else "warning")
    age = duration(now - pod.created_at) if pod.created_at else ""
    again = f"restarts {state.restarts}" if state.restarts else ""
    detail = len(f"  {ready}/{of}") + columns_of(status)
    name = cut_start(pod.name, max(_SHORTEST, facts.width - 8 - detail), facts.symbols.more)
    head = f"    {facts.symbols.pod} {name}  "
    room = facts.width - columns_of(head) - columns_of(status) - 2
    return (head, (status, role), "  " + joined([(9, f"{ready}/{of}"), (3, age), (5, again)], room, "  "))


def _message(state: PodState) -> str:
    """Why a pod in trouble is not ready."""
    return state.message if state.in_trouble or state.pod.held[1] else ""


_ROLES: dict[str, Tone] = {"canary": "hint", "stable": "success"}


# The numbers of SGR: cyan, magenta, yellow, blue, green, bright red; and blue, magenta, green, red, cyan, black.
_OF_PODS = ("36", "35", "33", "34", "32", "91")
_ON_LIGHT = ("34", "35", "32", "31", "36", "30")


def log_line(found: LogLine, facts: Facts, *, prefixed: bool, pods: dict[str, int]) -> str:
    """`canary x2k1z GET /api 200`: the line, with what cannot be seen written out, after the role
    and the end of the pod's name. Only these are coloured, the name in a colour of its pod: `pods` has them in
    the order in which they were met, and is added to."""
    text = harmless(found.text, keep="\t")
    if not prefixed:
        return text
    role, pod = found.role, found.pod.rpartition("-")[2]
    if facts.colour:
        palette = _ON_LIGHT if facts.light else _OF_PODS
        pod = painted(pod, palette[pods.setdefault(found.pod, len(pods)) % len(palette)])
        role = painted(role, facts.style(_ROLES[role])) if role in _ROLES else role
    return f"{role} {pod} {text}"
