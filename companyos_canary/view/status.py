"""The one line of `canary status`. No rich: this verb is the fast one."""

from dataclasses import replace
from datetime import datetime

from companyos_canary.argo.metric_rows import MetricRow
from companyos_canary.argo.picture import Picture, look
from companyos_canary.model.outcome import Diagnosis
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.experiment import doing as kind_text
from companyos_canary.view.experiment import route_text
from companyos_canary.view.format import left, limit_text, value_text, weight_text
from companyos_canary.view.why import controller_sentence, pod_sentence, short_metric

_ACTIVITY = {
    "scaling": "scaling",
    "analysing": "analysing",
    "pausing": "pause",
    "waiting": "waits for a person",
    "inconclusive": "no verdict, waits for a person",
    "held": "paused by hand",
    "aborting": "aborting",
}


def status_line(snapshot: Snapshot, now: datetime, *, place: Place | None = None, why: Diagnosis | None = None) -> str:
    """`companyos-api v1.1.0 Progressing: step 2/3, 25 %, analysing, 48s left, error-rate 0.9 %`.
    From the Rollout alone it says what that knows; with more it says more."""
    picture = replace(look(snapshot, now, place), why=why)
    head = " ".join(w for w in (picture.name, picture.version, picture.progress.phase.word) if w)
    tail = ", ".join(_facts(picture))
    return f"{head}: {tail}" if tail else head


def _facts(picture: Picture) -> list[str]:
    progress = picture.progress
    if progress.activity in ("aborted", "degraded"):
        return _ended(picture)
    if progress.activity == "healthy":
        return []
    found: list[str] = []
    if progress.step:
        found += [f"step {progress.step.number}/{len(progress.steps)}", weight_text(progress.percent, picture.share)]
    found += [route_text(route) for route in picture.routes]
    if picture.snapshot.rollout.weights_verified is False:
        found.append("weight not verified by the router")
    found.append(_ACTIVITY.get(progress.activity) or kind_text(picture) or progress.phase.message)
    if progress.remaining is not None:
        found.append(left(progress.remaining, progress.overdue))
    if picture.why is not None and picture.why.cause != "paused-by-hand":
        found.append(picture.why.because)
    else:
        found += [pod_sentence(p) for p in (picture.cause.pods[:1] if picture.cause else ())]
    found += [_metric(r) for r in picture.metrics if r.verdict != "waiting"]
    return [f for f in found if f]


def _metric(row: MetricRow) -> str:
    if row.known is None:
        return f"{row.name} {row.verdict}"
    value = value_text(row.value, row.unit, limit=row.limit)
    wrong = f" (limit {limit_text(row.limit, row.unit)})" if row.limit else ""
    return f"{row.name} {value}{wrong if row.verdict == 'failing' else ''}"


def _ended(picture: Picture) -> list[str]:
    why = picture.cause
    aborted = picture.progress.activity == "aborted"
    because = picture.why.because if picture.why else controller_sentence(why) if why else ""
    found: list[str] = ["aborted"] if aborted and not because.startswith("aborted") else []
    if picture.why:
        found.append(because)
    elif why and why.metrics:
        found += [short_metric(m) for m in why.metrics]
    elif why:
        found += [pod_sentence(p) for p in why.pods[:1]]
        found.append(controller_sentence(why))
    if aborted and picture.stable:
        found.append(f"{picture.stable} serves")
    return [f for f in found if f]
