"""Lines for a pipe or a CI log: one a change, fixed words, then key=value. No escapes, no rich.

Numbers are raw (`error-rate=0.112`, `weight=25`); a value with blanks is quoted as in JSON.
"""

from datetime import datetime

from companyos_canary.argo.attempt import is_judged
from companyos_canary.argo.cause import number_text
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.format import about, clock, duration
from companyos_canary.view.keyed import failure, keyed
from companyos_canary.view.metrics import MetricRow
from companyos_canary.view.picture import Picture, Place, look
from companyos_canary.view.plain_pods import pods
from companyos_canary.view.plain_steps import step, steps, values
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
    where = f"{step(picture)} {progress.activity}" if progress.step else progress.phase.word
    return _at(now, keyed(f"still {where}", **({**tail, **values(picture.metrics)} | tail)))


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
        *steps(before, after),
        *_activity(before, after),
        *pods(before, after),
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
    number = number_text(row.value)
    return keyed(
        f"metric {row.name} {word}", value=number, limit=limit, failed=failed, message=message
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
    same = before and before.progress.activity == progress.activity
    if before and same and not (progress.activity == "aborted" and not _explained(before)):
        return []
    match progress.activity:
        case "healthy":
            ready = f"{after.snapshot.rollout.available_replicas}/{after.snapshot.rollout.replicas}"
            return [keyed(f"healthy {after.version}".rstrip(), pods=ready)]
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
    return bool(picture.cause and picture.cause.metrics) or not is_judged(picture.snapshot)


def _share(picture: Picture) -> str:
    """The pods of the new version, of those that are wanted."""
    return f"{picture.canary_pods}/{picture.snapshot.rollout.replicas}"


def _at(now: datetime, line: str) -> str:
    return f"{now:%H:%M:%S} {line}"
