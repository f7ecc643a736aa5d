"""What comes next, and what a person can do about it."""

from companyos_canary.argo.picture import Picture
from companyos_canary.view.format import clock
from companyos_canary.view.lines import Facts, Line, Part, width

Command = tuple[str, str]
_OVER = ("healthy", "aborted", "degraded")
_BEFORE_THE_SWITCH = ("waiting", "inconclusive", "pausing", "analysing", "scaling")


def next_lines(picture: Picture, facts: Facts, *, leave: str = "", commands: bool = True) -> list[Line]:
    """`leave` says how to leave a live screen, empty if nothing runs on; without `commands` the
    keys replace them."""
    sentence, typed = outlook(picture)
    sentence = _deadline(picture) or sentence
    stale = picture.snapshot.stale_since
    head = f"  next, as of {clock(stale, picture.now).strip()}: " if stale else "  next: "
    lines: list[Line] = [(head, sentence)] if sentence else []
    if leave and picture.progress.activity not in _OVER:
        typed = [*typed, ("leave", f"{leave} (the rollout continues)")]
    return lines + (_packed(typed, facts) if commands else [])


def _deadline(picture: Picture) -> str:
    """When pods that do not start end it."""
    progress = picture.progress
    if progress.gives_up is None or not (picture.cause and picture.cause.pods):
        return ""
    what = "rolled back" if progress.aborts else "Degraded"
    return f"{what} at {clock(progress.gives_up, picture.now).strip()} if they are not ready"


def outlook(picture: Picture) -> tuple[str, list[Command]]:
    """What happens next, and what to type: a word for what it does, and the command."""
    if picture.snapshot.rollout.blue_green and picture.progress.activity in _BEFORE_THE_SWITCH:
        return _blue_green(picture)
    match picture.progress.activity:
        case "healthy" | "aborted" | "degraded":
            return _over(picture)
        case "waiting" | "inconclusive" | "held" | "pausing":
            return _paused(picture)
        case "unobserved":
            return "the controller takes up the change", []
        case "aborting":
            back = picture.stable or "the stable version"
            return f"the controller takes all traffic back to {back}", []
        case "finishing" if picture.snapshot.rollout.is_fully_promoted:
            return "Healthy once all pods are ready", []
    return _moving(picture), [("stop", picture.place.command("abort"))]


def _blue_green(picture: Picture) -> tuple[str, list[Command]]:
    command = picture.place.command
    abort, promote = ("stop", command("abort")), ("switch", command("promote"))
    switch = f"all traffic goes to {picture.version or 'the preview'}"
    match picture.progress.activity:
        case "waiting":
            return f"{switch} after `canary promote`", [promote, abort]
        case "inconclusive":
            return "nothing; a promote starts the analysis again", [("again", command("promote")), abort]
        case "pausing":
            return f"{switch}{_at(picture)}", [promote, abort]
        case "analysing" if picture.progress.weight:
            return f"{picture.version} is stable {_if_all_is_well(picture)}", [abort]
        case "analysing":
            return f"{switch}, or a pause, {_if_all_is_well(picture)}", [abort]
    return f"{switch}, or a pause, once its pods are ready", [abort]


def _moving(picture: Picture) -> str:
    match picture.progress.activity:
        case "analysing":
            return f"{_following(picture)}{_at(picture)} {_if_all_is_well(picture)}"
        case "scaling":
            return f"{_following(picture)}, once the pods are ready"
        case "finishing":
            if picture.snapshot.rollout.never_seen:
                return "no controller has acted on it yet: is Argo Rollouts running in this cluster?"
            return f"{picture.version} is stable once all pods are ready"
    return ""


def _paused(picture: Picture) -> tuple[str, list[Command]]:
    command, then = picture.place.command, _following(picture)
    abort, promote = ("stop", command("abort")), command("promote")
    match picture.progress.activity:
        case "pausing":
            return f"{then}{_at(picture)}", [("continue now", promote), abort]
        case "held":
            return f"nothing until someone resumes it{_unless(picture)}", [("continue", command("resume")), abort]
        case "inconclusive":
            said = f"{then} after `canary promote` (the analysis was inconclusive)"
            return said, [("continue", promote), abort]
    return f"{then} after `canary promote`{_unless(picture)}", [("continue", promote), abort]


def _if_all_is_well(picture: Picture) -> str:
    bad = [r.name for r in picture.metrics if r.verdict == "failing"]
    if len(bad) == 1:
        return f"if {bad[0]} does not fail again"
    if bad:
        return f"if none of {len(bad)} metrics fails again"
    open_ = [r.name for r in picture.metrics if r.verdict in ("no data", "no verdict", "error")]
    if len(open_) == 1:
        return f"if {open_[0]} gets a verdict"
    return f"if {len(open_)} metrics get a verdict" if open_ else "if all metrics hold"


def _unless(picture: Picture) -> str:
    return ", unless the analysis aborts it" if picture.snapshot.is_judged else ""


def _over(picture: Picture) -> tuple[str, list[Command]]:
    command = picture.place.command
    another = command("deploy", "VERSION")
    match picture.progress.activity:
        case "aborted":
            named = f"nothing; the Rollout's spec still has {picture.version}"
            undo = ("undo", command("undo"))
            return named if picture.version else "", [undo, ("ship another", another)]
        case "degraded":
            rollout = picture.snapshot.rollout
            nothing = rollout.is_fully_promoted or not rollout.stable_hash
            go_back = [] if nothing else [("go back", command("abort"))]
            return "", [*go_back, ("ship a repaired one", another)]
    return "", [("ship another", another)]


def _following(picture: Picture) -> str:
    """What comes after the Rollout's current step: another wait at this weight, the next weight."""
    rollout, weight = picture.snapshot.rollout, picture.progress.next_percent
    index = (rollout.step_index or 0) + 1
    kind = rollout.steps[index].kind if index < len(rollout.steps) else ""
    then = f"{weight} %" if weight < 100 else "all traffic"
    return {"analysis": "the analysis", "pause": "the pause"}.get(kind, then)


def _at(picture: Picture) -> str:
    remaining = picture.progress.remaining
    if remaining is None:
        return ""
    return f" at {clock(picture.as_of + remaining, picture.now)}"


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
