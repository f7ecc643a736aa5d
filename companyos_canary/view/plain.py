"""Lines for a pipe or a CI log: one a change, fixed words, then key=value. No escapes, no rich.

Numbers are raw (`error-rate=0.112`, `weight=25`); a value with blanks is quoted as in JSON.
"""

from datetime import datetime

from companyos_canary.argo.cause import number_text
from companyos_canary.argo.share import pod_share
from companyos_canary.argo.step_end import StepEnd, step_end
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.format import about, clock, duration, is_far
from companyos_canary.view.keyed import failure, keyed
from companyos_canary.view.metrics import MetricRow, rows_of
from companyos_canary.view.picture import Picture, Place, look
from companyos_canary.view.progress import step_run
from companyos_canary.view.why import distinct

_WAITS = {
    "waiting": "waits for a person: canary promote or canary abort",
    "held": "paused by hand: canary resume or canary abort",
    "inconclusive": "no verdict from the analysis: canary promote or canary abort",
    "aborting": "aborting",
}


def opening(verb: str, snapshot: Snapshot, now: datetime, *, place: Place | None = None) -> str:
    """`12:01:21 deploy companyos-api v1.1.0 (was v1.0.0) in companyos @ prod-eu, revision 8`."""
    picture = look(snapshot, now, place)
    was = f" (was {picture.stable})" if picture.stable not in ("", picture.version) else ""
    rollout = snapshot.rollout
    revision = f", revision {rollout.revision}" if rollout.revision and rollout.observed else ""
    head = f"{verb} {picture.name} {picture.version}{was}"
    return _at(now, f"{head} in {picture.where}{revision}")


def heartbeat(snapshot: Snapshot, now: datetime, *, place: Place | None = None) -> str:
    """`12:03:59 still step 2/3 weight=25 analysing left=48s error-rate=0.041`: nothing changed."""
    picture = look(snapshot, now, place)
    progress = picture.progress
    if snapshot.stale_since:
        return _at(now, keyed("still no connection", since=clock(snapshot.stale_since, now)))
    tail = {} if progress.remaining is None else {"left": duration(progress.remaining)}
    where = f"{_step(picture)} {progress.activity}" if progress.step else progress.phase.word
    return _at(now, keyed(f"still {where}", **({**tail, **_values(picture.metrics)} | tail)))


def lines(
    previous: Snapshot | None, snapshot: Snapshot, now: datetime, *, place: Place | None = None
) -> list[str]:
    """What changed since the last time, in the order in which it matters; all that holds now
    where there is no last time."""
    after = look(snapshot, now, place)
    before = look(previous, now, place) if previous else None
    if before and before.snapshot.rollout.current_hash != snapshot.rollout.current_hash:
        replaced = [keyed(f"revision {snapshot.rollout.revision} {after.version}".rstrip())]
        before = None
    else:
        replaced = []
    found = [
        *replaced,
        *_connection(before, after),
        *_steps(before, after),
        *_activity(before, after),
        *_pods(before, after),
        *_metrics(before, after),
        *_problems(before, after),
        *_phase(before, after),
    ]
    return [_at(now, line) for line in found]


def _connection(before: Picture | None, after: Picture) -> list[str]:
    was = before.snapshot.stale_since if before else None
    stale = after.snapshot.stale_since
    found = ["connection is back"] if was and not stale else []
    if stale and not was:
        found = [keyed("no connection", since=clock(stale, after.now))]
    known = before.snapshot.notes if before else ()
    return [*found, *(keyed("note", text=n) for n in after.snapshot.notes if n not in known)]


def _steps(before: Picture | None, after: Picture) -> list[str]:
    """What became of the steps that were left, and the one in work. A run's verdict may come
    after the Rollout has moved on: its step is said then."""
    was, now = (before.progress.step if before else None), after.progress.step
    known = _left_behind(before) if before else {}
    of = len(after.progress.steps)
    found: list[str] = []
    for number, end in _left_behind(after).items():
        said = number in known and known[number].settled
        if before and before.progress.stepped and end.settled and not said:
            values = _values(rows_of(end.runs)) if end.word == "passed" else {}
            why = "went on without a verdict" if end.word == "skipped" else ""
            found.append(keyed(f"step {number}/{of} {end.word}", **values, reason=why))
    if now and (was is None or now != was):
        found.append(_step(after))
    return found


def _left_behind(picture: Picture) -> dict[int, StepEnd]:
    """By number, the steps that this update has left."""
    progress = picture.progress
    at = progress.step
    if at is None and progress.activity not in ("finishing", "healthy"):
        return {}
    behind = (s for s in progress.steps if at is None or s.number < at.number)
    return {s.number: step_end(picture.snapshot, s) for s in behind}


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
    said = _WAITS.get(progress.activity)
    return [said] if said else []


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


def _pods(before: Picture | None, after: Picture) -> list[str]:
    """Said when the pods that are wanted are there, not for each pod."""
    state = _settled(after)
    if state is None or (before and _settled(before) == state):
        return []
    canary, stable = after.snapshot.current, after.snapshot.stable
    counts = {"canary": canary, "stable": stable}
    share = pod_share(after.snapshot) if after.progress.step else None
    far = is_far(after.progress.weight, share)
    return [
        keyed(
            "pods ready",
            **{k: str(r.available) for k, r in counts.items() if r},
            share=str(share) if far else "",
        )
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


def _metrics(before: Picture | None, after: Picture) -> list[str]:
    known = {r.name: r for r in before.metrics} if before else {}
    found: list[str] = []
    for row in after.metrics:
        was = known.get(row.name)
        again = was and was.verdict == row.verdict and was.failed >= row.failed
        first = was is None or was.verdict == "waiting"
        if again or row.verdict == "waiting" or (first and row.verdict == "ok"):
            continue
        found.append(_metric(row))
    return found


def _metric(row: MetricRow) -> str:
    limit = f"{row.limit.value:g}" if row.limit and row.known is not None else ""
    failed = f"{row.failed}/{row.measured}" if row.failed else ""
    word = row.verdict.replace(" ", "-")
    message = row.message if row.verdict == "error" else ""
    value = number_text(row.value)
    return keyed(
        f"metric {row.name} {word}", value=value, limit=limit, failed=failed, message=message
    )


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
    if before and before.progress.activity == progress.activity:
        return []
    match progress.activity:
        case "healthy":
            ready = f"{after.snapshot.rollout.available_replicas}/{after.snapshot.rollout.replicas}"
            return [keyed(f"healthy {after.version}".rstrip(), pods=ready)]
        case "aborted":
            failed = after.cause.metrics if after.cause else ()
            return [keyed("aborted", **failure(failed), message=progress.phase.message)]
        case "degraded":
            return [keyed("degraded", message=progress.phase.message)]
    return []


def _step(picture: Picture) -> str:
    step = picture.progress.step
    of = len(picture.progress.steps)
    return f"step {step.number}/{of} weight={step.weight}" if step else ""


def _share(picture: Picture) -> str:
    """The pods of the new version, of those that are wanted."""
    return f"{picture.canary_pods}/{picture.snapshot.rollout.replicas}"


def _values(rows: tuple[MetricRow, ...]) -> dict[str, str]:
    return {"-".join(r.name.split()): number_text(r.value) or "no-data" for r in rows if r.history}


def _at(now: datetime, line: str) -> str:
    return f"{now:%H:%M:%S} {line}"
