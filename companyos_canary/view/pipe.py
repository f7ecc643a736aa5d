"""What happened, as lines for a pipe (grammar: docs/ci.md)."""

from datetime import datetime

from companyos_canary.argo.events import (
    Aborting,
    AnalysisBegan,
    ConnectionBack,
    ConnectionLost,
    Finished,
    Finishing,
    Happened,
    InProgress,
    MetricChanged,
    Noted,
    PauseBegan,
    PodFails,
    PodsReady,
    Replaced,
    StepBegan,
    StepEnded,
    WaitBegan,
)
from companyos_canary.argo.limits import number_text
from companyos_canary.argo.metric_rows import MetricRow
from companyos_canary.argo.picture import Picture
from companyos_canary.view import advice
from companyos_canary.view.format import about, clock, duration, failure, keyed

# What waits for a person, and the verb that continues.
_WAITS = {
    "waiting": ("waits for a person", "promote"),
    "held": ("paused by hand", "resume"),
    "inconclusive": ("no verdict", "promote"),
}


def event_words(event: Happened, picture: Picture) -> str:
    """The line of an event without its times; `picture` is the one after it."""
    match event:
        case Replaced():
            return keyed(f"revision {event.revision}", version=event.version)
        case StepBegan():
            return f"step {event.number}/{event.of} weight={event.weight}"
        case StepEnded():
            without = {"reason": "went on without a verdict"} if event.word == "skipped" else {}
            word = "-".join(event.word.split())
            return keyed(f"step {event.number}/{event.of} {word}", **(without or _values(event.metrics)))
        case PodsReady():
            share = "" if event.share is None else str(event.share)
            return keyed("pods ready", canary=str(event.canary), stable=str(event.stable), share=share)
        case MetricChanged():
            return _metric(event.row)
        case PodFails():
            pod = event.problem
            return keyed(f"pod {pod.pod} {pod.reason}", restarts=str(pod.restarts or ""), message=pod.message)
        case Finished():
            return _finished(event)
        case _:
            return _in_progress(event, picture)


def _in_progress(event: InProgress, picture: Picture) -> str:
    match event:
        case ConnectionLost():
            return keyed("no connection", since=clock(event.since, picture.now))
        case ConnectionBack():
            return "connection back"
        case Noted():
            return keyed("note", text=event.text)
        case AnalysisBegan():
            takes = about(event.takes) if event.takes else ""
            return keyed("analysis running", run=event.run, takes=takes, **_beside(picture))
        case PauseBegan():
            return keyed("pause", takes=about(event.takes), **_beside(picture))
        case WaitBegan():
            said, verb = _WAITS[event.activity]
            following = {"next": picture.place.command(verb), "back": picture.place.command("abort")}
            return keyed(said, **following, **_beside(picture))
        case Finishing():
            return keyed("finishing", pods=f"{event.pods}/{event.wanted}")
        case Aborting():
            return "aborting"


def _beside(picture: Picture) -> dict[str, str]:
    """What the weight does not tell: routes to the canary, the experiment or plugin of the step, and that the router
    has not confirmed the weight."""
    rollout, experiment = picture.snapshot.rollout, picture.snapshot.experiment
    routes = ", ".join(f"{r.name} ({', '.join(r.match)})" if r.match else r.name for r in picture.routes)
    phase = experiment.phase if experiment else ""
    plugin = rollout.step_plugin
    found = {"routes": routes, "experiment": rollout.experiment, "phase": phase or str(plugin.get("phase") or "")}
    found["plugin"] = str(plugin.get("name") or "")
    return {**found, "verified": "false" if rollout.weights_verified is False else ""}


def _finished(event: Finished) -> str:
    if event.activity == "healthy":
        return keyed("healthy", version=event.version, pods=f"{event.pods}/{event.wanted}")
    return keyed(event.activity, **failure(event.failed), message=event.message)


def _metric(row: MetricRow) -> str:
    limit = f"{row.limit.value:g}" if row.limit and row.known is not None else ""
    failed = f"{row.failed}/{row.measured}" if row.failed else ""
    word = row.verdict.replace(" ", "-")
    message = row.message if row.verdict == "error" else ""
    number = number_text(row.value)
    name = "-".join(row.name.split())
    so_far = advice.pairs(row.advice)
    of = str(row.values) if row.which else ""
    return keyed(f"metric {name} {word}", value=number, of=of, limit=limit, failed=failed, **so_far, message=message)


def _values(rows: tuple[MetricRow, ...]) -> dict[str, str]:
    """The numbers of the newest run, without what it has not measured yet, and the fewest requests behind one of
    them where they are counted."""
    told = [r for r in rows if r.history and r.verdict != "waiting"]
    counted = [r.requests for r in told if r.requests is not None]
    found = {"-".join(r.name.split()): number_text(r.value) or "no-data" for r in told}
    return found if not counted or "n" in found else {**found, "n": f"{min(counted):.0f}"}


def stamped(line: str, began: datetime, now: datetime) -> str:
    """`12:03:26 +2m05s step 1/3 weight=10`: the clock, and the time since the following began."""
    return f"{now:%H:%M:%S} +{duration(now - began)} {line}"


def opening(verb: str, picture: Picture) -> str:
    """`deploy companyos-api version=v1.1.0 was=v1.0.0 namespace=companyos context=prod-eu
    revision=8`."""
    rollout = picture.snapshot.rollout
    return keyed(
        f"{verb} {picture.name}",
        version=picture.version,
        was=picture.stable if picture.stable != picture.version else "",
        namespace=rollout.namespace,
        context=picture.place.context,
        revision=str(rollout.revision or "") if rollout.observed else "",
    )


def heartbeat(picture: Picture) -> str:
    """`still analysing step=2/3 weight=25 left=48s error-rate=0.041`: nothing changed. Where nothing is
    measured any more, since when, and what may be the reason."""
    progress, stale = picture.progress, picture.snapshot.stale_since
    if stale:
        return keyed("still no connection", since=clock(stale, picture.now))
    tail = {"left": duration(progress.remaining)} if progress.remaining is not None else {}
    if progress.overdue:
        since = clock(progress.measured_at, picture.now).strip()
        tail = {"overdue": duration(progress.overdue), "measured": since, "hint": "is the Rollouts controller running?"}
    if at := progress.step:
        number = f"{at.number}/{len(progress.steps)}"
        tail = {"step": number, "weight": str(at.percent), **tail, **_beside(picture)}
    return keyed(f"still {progress.activity}", **({**tail, **_values(picture.metrics)} | tail))
