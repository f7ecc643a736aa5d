"""The last lines of a screen: what happens next, and what to type."""

from companyos_canary.view.format import clock
from companyos_canary.view.lines import Line, Part, width
from companyos_canary.view.picture import Picture
from companyos_canary.view.theme import Facts


def next_lines(picture: Picture, facts: Facts, *, leave: str = "") -> list[Line]:
    """`leave` says how to leave a live screen, empty where nothing runs on."""
    sentence, commands = outlook(picture)
    lines: list[Line] = [("  next: ", sentence)] if sentence else []
    pairs = [*commands, *([("leave", f"{leave} (the rollout goes on)")] if leave else [])]
    lines += _packed(pairs, facts)
    return lines


Command = tuple[str, str]


def outlook(picture: Picture) -> tuple[str, list[Command]]:
    """What happens next, and what to type: a word for what it does, and the command."""
    progress, command = picture.progress, picture.place.command
    if progress.activity in ("healthy", "aborted", "degraded"):
        return _over(picture)
    abort, go_on = ("stop", command("abort")), ("go on", command("promote"))
    then = f"{progress.next_weight} %" if progress.next_weight < 100 else "all traffic"
    match progress.activity:
        case "analysing":
            return f"{then}{_at(picture)} if all metrics hold", [abort]
        case "pausing":
            return f"{then}{_at(picture)}", [("go on now", command("promote")), abort]
        case "waiting":
            return f"{then} when somebody says so", [go_on, abort]
        case "inconclusive":
            return f"{then} when somebody says so: no verdict from the analysis", [go_on, abort]
        case "held":
            return "nothing until somebody resumes it", [go_on, abort]
        case "scaling":
            return "its analysis or pause, once the pods are ready", [abort]
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
            named = f"the Rollout still names {picture.version}" if picture.version else ""
            return named, [("ship another", another)]
        case "degraded":
            promoted = picture.snapshot.rollout.is_fully_promoted
            go_back = [] if promoted else [("go back", command("abort"))]
            return "", [*go_back, ("ship a repaired one", another)]
    return "", [("ship another", another)]


def _at(picture: Picture) -> str:
    remaining = picture.progress.remaining
    if remaining is None:
        return ""
    return f" at {clock(picture.now + remaining, picture.now)}"


def _packed(pairs: list[tuple[str, str]], facts: Facts) -> list[Line]:
    """As many in a line as fit."""
    lines: list[list[Part]] = []
    for label, command in pairs:
        piece: list[Part] = [f"{label}: ", (command, "hint")]
        dot = f" {facts.symbols.dot} "
        if lines and width(lines[-1]) + len(dot) + width(piece) <= facts.width:
            lines[-1] += [dot, *piece]
        else:
            lines.append(["  ", *piece])
    return [tuple(line) for line in lines]
