"""What happened between two looks, as lines for a pipe (grammar: docs/ci.md)."""

from collections.abc import Iterable
from datetime import datetime

from companyos_canary.argo.durations import StepEnd, step_end
from companyos_canary.argo.limits import number_text
from companyos_canary.argo.metric_rows import MetricRow, rows_of
from companyos_canary.argo.picture import Picture, Place, look
from companyos_canary.argo.pods import pod_share
from companyos_canary.argo.progress import step_run
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view import advice
from companyos_canary.view.format import about, clock, duration, failure, is_far, keyed
from companyos_canary.view.why import distinct

_READY = "pods ready "


def pods(before: Picture | None, after: Picture) -> list[str]:
    """Said when the pods that are wanted are there, not for each pod."""
    state = _settled(after)
    if state is None or (before and _settled(before) == state):
        return []
    canary, stable = after.snapshot.current, after.snapshot.stable
    counts = {"canary": canary, "stable": stable}
    share = pod_share(after.snapshot) if after.progress.step else None
    far = is_far(after.progress.weight, share)
    return [
        keyed("pods ready", **{k: str(r.available) for k, r in counts.items() if r}, share=str(share) if far else "")
    ]


def _settled(picture: Picture) -> int | None:
    """How many canary pods are wanted and there; none are, after an abort, once stable has all.
    None while pods come and go."""
    rollout, canary = picture.snapshot.rollout, picture.snapshot.current
    stable = picture.snapshot.stable
    if canary is None or stable is None or canary == stable:
        return None
    if canary.available != canary.desired or canary.replicas != canary.desired:
        return None
    if not rollout.aborted:
        return canary.desired or None
    return 0 if not canary.desired and stable.available == rollout.replicas else None


def unsaid(lines: Iterable[str], said: Iterable[str]) -> list[str]:
    """Without the pods' state where that was the last said of this version's: a pod may come and
    go."""
    last = next((line for line in reversed(list(said)) if _of_pods(line)), "")
    found = []
    for line in lines:
        if not line.startswith(_READY) or line != last:
            found.append(line)
        last = line if _of_pods(line) else last
    return found


def _of_pods(line: str) -> bool:
    """Whether it is about pods, or begins another version."""
    return line.startswith((_READY, "revision "))


def steps(before: Picture | None, after: Picture) -> list[str]:
    """What became of the steps that were left, and the one in work. A run's verdict may come
    after the Rollout has moved on: its step is said then."""
    was, now = (before.progress.step if before else None), after.progress.step
    known = _left_behind(before) if before else {}
    of = len(after.progress.steps)
    found: list[str] = []
    for number, end in _left_behind(after).items():
        said = number in known and known[number].settled
        if before and before.progress.stepped and end.settled and not said:
            found.append(keyed(f"step {number}/{of} {'-'.join(end.word.split())}", **_told(end)))
    if now and (was is None or now != was):
        found.append(step(after))
    return found


def _told(end: StepEnd) -> dict[str, str]:
    match end.word:
        case "passed":
            return values(rows_of(end.runs))
        case "skipped":
            return {"reason": "went on without a verdict"}
    return {}


def unsettled(picture: Picture) -> bool:
    """Whether what became of a step that was left is not known yet."""
    return not all(end.settled for end in _left_behind(picture).values())


def _left_behind(picture: Picture) -> dict[int, StepEnd]:
    """By number, the steps that this update has left."""
    progress = picture.progress
    at = progress.step
    if at is None and progress.activity not in ("finishing", "healthy"):
        return {}
    behind = (s for s in progress.steps if at is None or s.number < at.number)
    return {s.number: step_end(picture.snapshot, s) for s in behind}


def step(picture: Picture) -> str:
    """`step 2/3 weight=25`, where one is in work."""
    at = picture.progress.step
    of = len(picture.progress.steps)
    return f"step {at.number}/{of} weight={at.weight}" if at else ""


def values(rows: tuple[MetricRow, ...]) -> dict[str, str]:
    """The numbers of the newest run, without what it has not measured yet."""
    told = (r for r in rows if r.history and r.verdict != "waiting")
    return {"-".join(r.name.split()): number_text(r.value) or "no-data" for r in told}


# What waits for a person, and the verbs that go on and go back.
_WAITS = {
    "waiting": ("waits for a person", "promote"),
    "held": ("paused by hand", "resume"),
    "inconclusive": ("no verdict", "promote"),
}


def stamped(line: str, began: datetime, now: datetime) -> str:
    """`12:03:26 +2m05s step 1/3 weight=10`: the clock, and the time since the following began."""
    return f"{now:%H:%M:%S} +{duration(now - began)} {line}"


def opening(verb: str, snapshot: Snapshot, now: datetime, *, place: Place | None = None) -> str:
    """`deploy companyos-api version=v1.1.0 was=v1.0.0 namespace=companyos context=prod-eu
    revision=8`."""
    picture = look(snapshot, now, place)
    rollout = snapshot.rollout
    return keyed(
        f"{verb} {picture.name}",
        version=picture.version,
        was=picture.stable if picture.stable != picture.version else "",
        namespace=rollout.namespace,
        context=picture.place.context,
        revision=str(rollout.revision or "") if rollout.observed else "",
    )


def awaits_a_verdict(snapshot: Snapshot, now: datetime) -> bool:
    """Whether a step was left whose run has not ended yet: the Rollout may be seen before it."""
    return unsettled(look(snapshot, now))


def heartbeat(snapshot: Snapshot, now: datetime, *, place: Place | None = None) -> str:
    """`still analysing step=2/3 weight=25 left=48s error-rate=0.041`: nothing changed."""
    picture = look(snapshot, now, place)
    progress = picture.progress
    if snapshot.stale_since:
        return keyed("still no connection", since=clock(snapshot.stale_since, now))
    tail = {"left": duration(progress.remaining)} if progress.remaining is not None else {}
    if at := progress.step:
        number = f"{at.number}/{len(progress.steps)}"
        tail = {"step": number, "weight": str(at.weight), **tail}
    return keyed(f"still {progress.activity}", **({**tail, **values(picture.metrics)} | tail))


def lines(previous: Snapshot | None, snapshot: Snapshot, now: datetime, *, place: Place | None = None) -> list[str]:
    """What changed since the last time, in the order in which it matters; all that holds now
    where there is no last time."""
    after = look(snapshot, now, place)
    before = look(previous, now, place) if previous else None
    if before and before.snapshot.rollout.current_hash != snapshot.rollout.current_hash:
        replaced = [keyed(f"revision {snapshot.rollout.revision}", version=after.version)]
        before = None
    else:
        replaced = []
    return [
        *replaced,
        *_connection(before, after),
        *steps(before, after),
        *_activity(before, after),
        *pods(before, after),
        *_metrics(before, after),
        *_problems(before, after),
        *_phase(before, after),
    ]


def _connection(before: Picture | None, after: Picture) -> list[str]:
    was = before.snapshot.stale_since if before else None
    stale = after.snapshot.stale_since
    found = ["connection back"] if was and not stale else []
    if stale and not was:
        found = [keyed("no connection", since=clock(stale, after.now))]
    known = before.snapshot.notes if before else ()
    return [*found, *(keyed("note", text=n) for n in after.snapshot.notes if n not in known)]


def _activity(before: Picture | None, after: Picture) -> list[str]:
    if before and _doing(before) == _doing(after):
        return []
    progress = after.progress
    takes = about(progress.length) if progress.length else ""
    match progress.activity:
        case "analysing":
            run = _run(after)
            return [keyed("analysis running", run=run, takes=takes)] if run else []
        case "pausing":
            return [keyed("pause", takes=takes)] if takes else []
        case "finishing" if progress.stepped:
            return [keyed("finishing", pods=_share(after))]
        case "aborting":
            return ["aborting"]
        case "waiting" | "held" | "inconclusive" as waits:
            words, verb = _WAITS[waits]
            command = after.place.command
            return [keyed(words, next=command(verb), back=command("abort"))]
    return []


def _doing(picture: Picture) -> tuple[str, int | None, str]:
    """What is going on, at which step, with which run."""
    index = picture.snapshot.rollout.step_index
    return picture.progress.activity, index, _run(picture)


def _run(picture: Picture) -> str:
    """The name of the run that decides now."""
    rollout = picture.snapshot.rollout
    if rollout.blue_green:
        return rollout.blue_green.run.name if rollout.blue_green.run else ""
    run = step_run(picture.snapshot, rollout.step_index)
    return run.name if run else ""


def _metrics(before: Picture | None, after: Picture) -> list[str]:
    known = {r.name: r for r in before.metrics} if before else {}
    found: list[str] = []
    for row in after.metrics:
        was = known.get(row.name)
        again = was and was.verdict == row.verdict and was.failed >= row.failed
        first = was is None or was.verdict == "waiting"
        quiet = again or row.verdict == "waiting" or (first and row.verdict == "ok")
        if quiet and not (_is_worse(row) and not (was and _is_worse(was))):
            continue
        found.append(_metric(row))
    return found


def _is_worse(row: MetricRow) -> bool:
    return row.advice is not None and row.advice.verdict == "worse"


def _metric(row: MetricRow) -> str:
    limit = f"{row.limit.value:g}" if row.limit and row.known is not None else ""
    failed = f"{row.failed}/{row.measured}" if row.failed else ""
    word = row.verdict.replace(" ", "-")
    message = row.message if row.verdict == "error" else ""
    number = number_text(row.value)
    name = "-".join(row.name.split())
    so_far = advice.pairs(row.advice)
    return keyed(f"metric {name} {word}", value=number, limit=limit, failed=failed, **so_far, message=message)


def _problems(before: Picture | None, after: Picture) -> list[str]:
    known = {p.reason for p in before.cause.pods} if before and before.cause else set()
    pods = distinct(after.cause.pods) if after.cause else ()
    return [
        keyed(f"pod {p.pod} {p.reason}", restarts=str(p.restarts or ""), message=p.message)
        for p in pods
        if p.reason not in known
    ]


def _phase(before: Picture | None, after: Picture) -> list[str]:
    progress = after.progress
    same = before and before.progress.activity == progress.activity
    if before and same and not (progress.activity == "aborted" and not _explained(before)):
        return []
    match progress.activity:
        case "healthy":
            ready = f"{after.snapshot.rollout.available_replicas}/{after.snapshot.rollout.replicas}"
            return [keyed("healthy", version=after.version, pods=ready)]
        case "aborted" if _explained(after):
            failed = after.cause.metrics if after.cause else ()
            return [keyed("aborted", **failure(failed), message=progress.phase.message)]
        case "degraded":
            return [keyed("degraded", message=progress.phase.message)]
    return []


def _explained(picture: Picture) -> bool:
    """Whether the run that led to an abort has said so: the Rollout may be seen before it."""
    if "analysis" not in picture.progress.phase.message:
        return True
    return bool(picture.cause and picture.cause.metrics) or not picture.snapshot.is_judged


def _share(picture: Picture) -> str:
    """The pods of the new version, of those that are wanted."""
    return f"{picture.canary_pods}/{picture.snapshot.rollout.replicas}"
