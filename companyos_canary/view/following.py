"""The last lines of a screen: what happens next, and what to type."""

from companyos_canary.view.format import clock
from companyos_canary.view.lines import Line, Part, width
from companyos_canary.view.picture import Picture
from companyos_canary.view.theme import Facts


def next_lines(picture: Picture, facts: Facts, *, leave: str = "") -> list[Line]:
    """`leave` says how to leave a live screen, empty where nothing runs on."""
    sentence, commands = outlook(picture)
    lines: list[Line] = [("  next: ", sentence)] if sentence else []
    going = picture.progress.activity not in _OVER
    pairs = [*commands, *([("leave", f"{leave} (the rollout goes on)")] if leave and going else [])]
    lines += _packed(pairs, facts)
    return lines


Command = tuple[str, str]
_WAITS = {
    "waiting": "{} when somebody says so",
    "inconclusive": "{} when somebody says so: no verdict from the analysis",
    "held": "nothing until somebody resumes it",
}
_OVER = ("healthy", "aborted", "degraded")


def outlook(picture: Picture) -> tuple[str, list[Command]]:
    """What happens next, and what to type: a word for what it does, and the command."""
    progress, command = picture.progress, picture.place.command
    if progress.activity in _OVER:
        return _over(picture)
    abort, promote = ("stop", command("abort")), command("promote")
    then = f"{progress.next_weight} %" if progress.next_weight < 100 else "all traffic"
    match progress.activity:
        case "unobserved":
            return "the controller takes up the change", []
        case "aborting":
            back = picture.stable or "the stable version"
            return f"the controller takes all traffic back to {back}", []
        case "analysing":
            return f"{then}{_at(picture)} if all metrics hold", [abort]
        case "pausing":
            return f"{then}{_at(picture)}", [("go on now", promote), abort]
        case "waiting" | "inconclusive" | "held":
            return _WAITS[progress.activity].format(then), [("go on", promote), abort]
        case "scaling":
            return f"{_following(picture, then)}, once the pods are ready", [abort]
        case "finishing" if picture.snapshot.rollout.is_fully_promoted:
            return "Healthy once all pods are ready", []
        case "finishing":
            return f"{picture.version} is stable once all pods are ready", [abort]
    return "", [abort]


def _over(picture: Picture) -> tuple[str, list[Command]]:
    command = picture.place.command
    another = command("deploy", "VERSION")
    match picture.progress.activity:
        case "aborted":
            named = f"nothing; the Rollout still names {picture.version}"
            return named if picture.version else "", [("ship another", another)]
        case "degraded":
            rollout = picture.snapshot.rollout
            nothing = rollout.is_fully_promoted or not rollout.stable_hash
            go_back = [] if nothing else [("go back", command("abort"))]
            return "", [*go_back, ("ship a repaired one", another)]
    return "", [("ship another", another)]


def _following(picture: Picture, then: str) -> str:
    """What the Rollout's next step is, in words."""
    rollout = picture.snapshot.rollout
    index = (rollout.step_index or 0) + 1
    kind = rollout.steps[index].kind if index < len(rollout.steps) else ""
    return {"analysis": "the analysis", "pause": "the pause"}.get(kind, then)


def _at(picture: Picture) -> str:
    remaining = picture.progress.remaining
    if remaining is None:
        return ""
    return f" at {clock(picture.now + remaining, picture.now)}"


def _packed(pairs: list[tuple[str, str]], facts: Facts) -> list[Line]:
    """As many in a line as fit."""
    lines: list[list[Part]] = []
    for label, command in pairs:
        typed, bracket, remark = command.partition(" (")
        piece: list[Part] = [f"{label}: ", (typed, "hint"), bracket + remark]
        dot = f" {facts.symbols.dot} "
        if lines and width(lines[-1]) + len(dot) + width(piece) <= facts.width:
            lines[-1] += [dot, *piece]
        else:
            lines.append(["  ", *piece])
    return [tuple(line) for line in lines]
