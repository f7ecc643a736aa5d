"""How it ended: the verdict in one line, and the sentences that close a watch."""

from companyos_canary.argo.picture import Picture, look
from companyos_canary.model.image import version
from companyos_canary.model.outcome import Ending
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.units import too_few_sentence
from companyos_canary.view.format import clock, duration, failure, quoted, weight_text
from companyos_canary.view.lines import Facts, Line, Tone, wrapped
from companyos_canary.view.why import controller_sentence, metric_sentence, pod_sentence


def verdict_line(ending: Ending) -> str:
    """The last line in a pipe: `verdict=rolled-back version=v1.1.0 stable=v1.0.0 step=2/3
    metric=error-rate value=0.112 limit=0.05 exit=3`."""
    values = {
        "verdict": ending.kind,
        "version": version(ending.image) if ending.image else "",
        "stable": version(ending.stable_image) if ending.stable_image else "",
        "step": _step_of(ending),
        "weight": _weight(ending),
        **_reason(ending),
        "abort_on": ending.abort_on.condition if ending.abort_on else "",
        "warnings": ",".join(w.code for w in ending.warnings),
        "exit": str(int(ending.exit_code)),
    }
    return " ".join(f"{k}={quoted(v)}" for k, v in values.items() if v)


def _reason(ending: Ending) -> dict[str, str]:
    if ending.cause is None:
        return {}
    if ending.cause.metrics:
        return failure(ending.cause.metrics)
    if ending.cause.pods:
        worst = ending.cause.pods[0]
        return {"pod": worst.pod, "reason": worst.reason}
    return {}


def _picture(ending: Ending) -> Picture:
    return look(ending.snapshot, ending.at)


def _weight(ending: Ending) -> str:
    """Of what ended before it was followed: that of the step where it stopped."""
    if ending.percent is not None:
        return str(ending.percent)
    stopped = _picture(ending).progress.failed_step
    return str(stopped.weight) if stopped else ""


def _step_of(ending: Ending) -> str:
    """`2/3`: where it had come to, as people count; empty if there are no steps."""
    picture = _picture(ending)
    steps, stopped = picture.progress.steps, picture.progress.failed_step
    if ending.step is None and stopped:
        return f"{stopped.number}/{len(steps)}"
    if ending.step is None or not steps:
        return ""
    at = picture.step_at(ending.step)
    return f"{at.number if at else len(steps)}/{len(steps)}"


# Lines of one sentence; a message of the cluster's that is longer is cut.
_MOST = 6
_STILL = "it stays where it is until someone promotes, resumes or aborts it"


def closing(ending: Ending, facts: Facts, *, place: Place | None = None) -> list[Line]:
    """For a terminal: the sentence, what it means, and commands that exist."""
    role, symbol = look_of(ending, facts)
    first, *rest = wrapped(sentence(ending), facts.width - 2, most=_MOST)
    lines: list[Line] = [((f"{symbol} {first}", role),)]
    lines += [((f"  {more}", role),) for more in rest]
    return lines + details(ending, facts, place=place)


def details(ending: Ending, facts: Facts, *, place: Place | None = None) -> list[Line]:
    """What comes after the sentence."""
    lines: list[Line] = []
    for fact in meaning(ending):
        lines += [(f"  {part}",) for part in wrapped(fact, facts.width - 2, most=_MOST)]
    return lines + _told(*commands(ending, place or Place()))


def look_of(ending: Ending, facts: Facts) -> tuple[Tone, str]:
    """Whether it is good or bad, and the symbol of that."""
    symbols = facts.symbols
    match ending.kind:
        case "healthy" | "reached":
            return "success", symbols.ok
        case "rolled-back" | "degraded":
            return "failure", symbols.failed
        case "paused":
            return "warning", symbols.paused
    return "warning", symbols.warning


def sentence(ending: Ending) -> str:
    """How it ended, in one sentence without a full stop."""
    name = version(ending.image) if ending.image else ending.snapshot.rollout.name
    took = duration(ending.at - ending.started_at)
    after = "" if took == "0s" else f", after {took}"
    at = f" at {weight_text(ending.percent, ending.share)}" if ending.percent is not None else ""
    why = _why(ending)
    match ending.kind:
        case "healthy":
            return f"{name} is stable and has all traffic{after}"
        case "reached":
            return f"{name} has reached {_in_one(_reached(ending) + _in_step(ending))}{after}"
        case "rolled-back":
            return f"{name} was rolled back{at}{why}"
        case "degraded":
            return f"{name} is Degraded{at}{why}"
        case "paused":
            held = ending.snapshot.rollout.paused
            waits = "is paused by hand" if held else "waits for a person"
            return f"{name} {waits}{_in_one(at + _in_step(ending))}{why}"
        case "superseded" if ending.snapshot.rollout.aborted:
            return f"{name} made way for another version{at}{why}"
        case "superseded" | "reverted":
            return _replaced(ending, name)
        case "timeout":
            seen = f": {_seen(ending, at)}" if at else ""
            within = "in time" if took == "0s" else f"within {took}"
            return f"{name} did not get there {within}{seen}{why}"
    return f"no longer watching: {_goes_on(ending, name, at)}"


def _in_one(text: str) -> str:
    """With one pair of brackets: `25 % (18 % of the pods, step 2/3)`."""
    return text.replace(") (", ", ")


def _replaced(ending: Ending, name: str) -> str:
    if ending.why is not None:
        return ending.why.because
    if ending.kind == "reverted":
        return f"{name} is not live: the Rollout is back on {_newest(ending)}"
    return f"{name} was superseded by {_newest(ending)} (revision {ending.snapshot.rollout.revision})"


def _seen(ending: Ending, at: str) -> str:
    stale = ending.snapshot.stale_since
    return f"it was last seen{at}, at {clock(stale, ending.at)}" if stale else f"it is{at}"


def _goes_on(ending: Ending, name: str, at: str) -> str:
    rollout, stale = ending.snapshot.rollout, ending.snapshot.stale_since
    if stale:
        return f"no connection, {name} was last seen{at}, at {clock(stale, ending.at)}"
    if rollout.is_fully_promoted and rollout.observed:
        return f"{name} is stable"
    if rollout.aborted:
        done = _picture(ending).progress.phase.word == "Degraded"
        return f"{name} was rolled back" if done else f"{name} is being aborted"
    if rollout.paused:
        return f"{name} is paused by hand{at}"
    if _picture(ending).waits:
        return f"{name} waits for a person{at}"
    return f"the rollout of {name} continues{at and ', now' + at}"


def _reached(ending: Ending) -> str:
    """`25 %`; where the steps jump over the weight that was waited for, also that."""
    if ending.percent is None:
        return "the state that was waited for"
    jumped = ending.wanted is not None and ending.wanted < ending.percent
    wanted = f" (at least {ending.wanted} %)" if jumped else ""
    return f"{weight_text(ending.percent, ending.share)}{wanted}"


def _why(ending: Ending) -> str:
    """`: error-rate 11.2 % (limit < 5 %) in 2 of 4 measurements`, the worst reason only."""
    found = ending.cause
    if ending.abort_on:
        return f": {ending.abort_on.evidence} (--abort-on {ending.abort_on.condition})"
    if ending.why is not None:
        return f": {ending.why.because}" if ending.why.cause != "paused-by-hand" else ""
    if found is None:
        return ""
    if found.metrics:
        judged = len(ending.snapshot.attempt[-1].metrics) if ending.snapshot.attempt else 0
        few = too_few_sentence([(m.few, m.metric) for m in found.metrics], judged)
        return f": {few or metric_sentence(found.metrics[0])}"
    if found.pods:
        return f": {pod_sentence(found.pods[0])}"
    made_way = ending.kind == "superseded" and ending.snapshot.rollout.aborted
    told = made_way or ending.kind in ("rolled-back", "degraded")
    return f": {controller_sentence(found)}" if told else ""


def meaning(ending: Ending) -> list[str]:
    """What it means: where traffic is, what the Rollout does now."""
    rollout, cause = ending.snapshot.rollout, ending.cause
    found: list[str] = []
    if cause:
        found += [f"also {metric_sentence(m)}" for m in cause.metrics[1:] if not m.few]
        rest = cause.pods_by_reason
        told = ending.why is not None and not ending.why.of_pods
        found += [pod_sentence(p) for p in (rest if cause.metrics or told else rest[1:])]
    stable = version(ending.stable_image) if ending.stable_image else "the stable version"
    if ending.kind == "rolled-back":
        found.append(_back(ending.snapshot, stable))
        if ending.image and ending.image == rollout.image():
            name = version(ending.image)
            found.append(f"the Rollout's spec still has {name}: `canary undo` sets it back to {stable}")
    if ending.kind == "degraded" and not rollout.stable_hash:
        found.append("no version of it has ever been stable: there is nothing to go back to")
    elif ending.kind == "degraded" and not rollout.is_fully_promoted:
        share = "all" if rollout.blue_green else "the rest of"
        found.append(f"{stable} still has {share} the traffic: nothing was rolled back")
    return [*found, *_from_here(ending)]


def _back(snapshot: Snapshot, stable: str) -> str:
    """Where traffic is after an abort; canary pods that are still there still serve."""
    rollout, current, old = snapshot.rollout, snapshot.current, snapshot.stable
    have = old.available if old else rollout.available_replicas
    ready = f"{have}/{rollout.replicas} ready"
    by_pods = rollout.blue_green is None and not rollout.is_routed
    if current is None or current == old or not current.available or not by_pods:
        return f"traffic is back on {stable} ({ready})"
    return f"traffic goes back to {stable} ({ready}, the canary still has {current.available})"


def _from_here(ending: Ending) -> list[str]:
    """What the rollout does without this command, where that was seen."""
    rollout = ending.snapshot.rollout
    if ending.snapshot.stale_since or ending.kind not in ("paused", "timeout", "reached"):
        return []
    if rollout.paused or _picture(ending).waits:
        judged = "; the analysis keeps running, and can still abort it"
        stays = "the weight stays until someone promotes or aborts it"
        return [stays + judged if ending.snapshot.is_judged else _STILL]
    goes_on = ending.kind != "paused" and not rollout.is_fully_promoted
    return ["the rollout continues in the cluster without this command"] if goes_on else []


def commands(ending: Ending, place: Place) -> list[tuple[str, str]]:
    """What to type now: a word for what it is good for, and a command that exists."""
    command = place.command
    another = command("deploy", "VERSION")
    rollout = ending.snapshot.rollout
    promoted = rollout.is_fully_promoted
    watch, back = ("watch", command("watch")), ("back", command("abort"))
    match ending.kind:
        case "healthy":
            return []
        case "rolled-back":
            return [("look", command("get")), ("undo", command("undo")), ("next", another)]
        case "degraded":
            ways = [] if promoted or not rollout.stable_hash else [back]
            return [("look", command("get")), *ways, ("next", another)]
        case "paused":
            return [*_go_on(ending, place), back]
        case "reached":
            return [] if promoted else [watch, *_go_on(ending, place), back]
        case "superseded" | "reverted":
            return [("look", command("get")), watch]
    if promoted or ending.snapshot.rollout.aborted:
        return []
    return [watch, *_go_on(ending, place), ("stop", command("abort"))]


def _go_on(ending: Ending, place: Place) -> list[tuple[str, str]]:
    """What ends the pause; nothing where a promote would be refused."""
    rollout = ending.snapshot.rollout
    if rollout.paused:
        return [("continue", place.command("resume"))]
    return [("continue", place.command("promote"))] if _picture(ending).waits else []


def _told(*pairs: tuple[str, str]) -> list[Line]:
    room = max((len(label) for label, _ in pairs), default=0) + 2
    return [(f"  {label + ':':<{room}}", (command, "hint")) for label, command in pairs]


def _newest(ending: Ending) -> str:
    image = ending.snapshot.rollout.image()
    return version(image) if image else "another version"


def _in_step(ending: Ending) -> str:
    step = _step_of(ending)
    return f" (step {step})" if step else ""
