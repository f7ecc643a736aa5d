"""The first row of a screen: the state, the version, and the one fact that matters."""

from companyos_canary.argo.metric_rows import MetricRow
from companyos_canary.argo.picture import Picture
from companyos_canary.view.format import bound_text, clock, duration, left, said_text, shorten
from companyos_canary.view.lines import Facts, Line, Tone, columns_of
from companyos_canary.view.steps import doing as kind_text
from companyos_canary.view.why import controller_sentence, limited_metric

_VERSION_ROOM = 24
_BAD = {"aborted": "ROLLED BACK", "aborting": "ROLLING BACK", "degraded": "DEGRADED"}
_TO_DO = {"waiting": "promote or abort", "inconclusive": "promote or abort", "held": "resume or abort"}


def banner_line(picture: Picture, facts: Facts) -> Line:
    """`✖ ROLLED BACK  v1.2.0 at 25 %: error-rate 12.2 %, limit 5 %`, as wide as the terminal."""
    mark, state, role, fact = _told(picture, facts)
    head = f"{mark} {state}  "
    return ((head + shorten(fact, facts.width - len(head), facts.symbols), role),)


def too_long(picture: Picture, facts: Facts) -> str:
    """Why, where the banner has no room for all of it, or says something else."""
    if picture.why is None and (picture.cause is None or picture.cause.metrics or picture.cause.pods):
        return ""
    mark, state, _, fact = _told(picture, facts)
    fits = columns_of(f"{mark} {state}  {fact}") <= facts.width
    if picture.why is not None:
        return "" if picture.why.because in fact and fits else picture.why.because
    return "" if fits or picture.cause is None else controller_sentence(picture.cause)


def _told(picture: Picture, facts: Facts) -> tuple[str, str, Tone, str]:
    """The mark, the state in capitals, its colour, and what is said of it."""
    symbols, doing, at = facts.symbols, picture.progress.activity, _version(picture, facts)
    if stale := picture.snapshot.stale_since:
        age, when = duration(picture.now - stale), clock(stale, picture.now).strip()
        return symbols.warning, "NO CONNECTION", "gone", f"for {age}, this is from {when}: {at}, {_word(picture)}"
    if doing in _BAD:
        return symbols.failed, _BAD[doing], "bad", _with(at, _why(picture))
    if doing in _TO_DO:
        mark = symbols.unknown if doing == "inconclusive" else symbols.paused
        state = "PAUSED BY HAND" if doing == "held" else "WAITS FOR YOU"
        change, to_do = _change(picture, facts) + _weight(picture), _TO_DO[doing]
        forms = (f"{change}{_since(picture)}: {to_do}", f"{change}: {to_do}", f"{at}: {to_do}")
        room = facts.width - columns_of(f"{mark} {state}  ")
        return mark, state, "asking", next((f for f in forms if columns_of(f) <= room), forms[-1])
    if doing == "healthy":
        return symbols.ok, "HEALTHY", "done", f"{picture.version or picture.name} has all traffic"
    if doing == "unobserved":
        return symbols.running, "NOT STARTED", "doing", f"{at}: the controller has not acted on the change"
    return _under_way(picture, facts, at)


def _under_way(picture: Picture, facts: Facts, at: str) -> tuple[str, str, Tone, str]:
    symbols = facts.symbols
    if picture.cause and picture.cause.pods and (picture.why is None or picture.why.of_pods):
        return symbols.failed, "PODS FAIL", "bad", _with(at, _pods(picture))
    if failing := _failing(picture):
        return symbols.failed, "FAILING", "bad", _with(at, failing)
    return symbols.running, "IN PROGRESS", "doing", _with(_change(picture, facts) + _weight(picture), _doing(picture))


def _with(head: str, fact: str) -> str:
    return f"{head}: {fact}" if fact else head


def _version(picture: Picture, facts: Facts) -> str:
    """`v1.2.0 at 25 %`: where it is, or where it was stopped."""
    return shorten(picture.version or picture.name, _VERSION_ROOM, facts.symbols) + _weight(picture)


def _change(picture: Picture, facts: Facts) -> str:
    """`v1.0.0 → v1.1.0`."""
    new = shorten(picture.version or picture.name, _VERSION_ROOM, facts.symbols)
    old = shorten(picture.stable, _VERSION_ROOM, facts.symbols)
    return f"{old} {facts.symbols.arrow} {new}" if old and old != new else new


def _weight(picture: Picture) -> str:
    progress = picture.progress
    stopped = progress.activity in ("aborted", "aborting")
    at = progress.failed_step if stopped else progress.step or progress.failed_step
    return f" at {at.percent} %" if at and progress.stepped else ""


def _word(picture: Picture) -> str:
    doing = picture.progress.activity
    if doing in _BAD:
        return _BAD[doing].lower()
    return "healthy" if doing == "healthy" else "waiting for you" if doing in _TO_DO else "in progress"


def _since(picture: Picture) -> str:
    began = picture.snapshot.rollout.paused_at
    return f" since {clock(began, picture.now).strip()}" if began else ""


def _why(picture: Picture) -> str:
    """Why it ended: the worst metric, the pods, or the controller's own words."""
    cause = picture.cause
    if picture.why is not None:
        return picture.why.because
    if cause is None:
        return ""
    if cause.metrics:
        more = f", and {len(cause.metrics) - 1} more" if len(cause.metrics) > 1 else ""
        return limited_metric(cause.metrics[0]) + more
    return _pods(picture) if cause.pods else controller_sentence(cause)


def _pods(picture: Picture) -> str:
    """`ImagePullBackOff, 0 of 12 pods ready`."""
    if picture.why is not None:
        return picture.why.because
    pods, current = picture.cause.pods if picture.cause else (), picture.snapshot.current
    wanted = f", {current.ready} of {current.desired} pods ready" if current and current.desired else ""
    return f"{pods[0].reason}{wanted}" if pods else ""


def _failing(picture: Picture) -> str:
    """`error-rate 11.2 %, limit 5 %, and 1 more`: what the newest measurement says."""
    bad = [r for r in picture.metrics if r.verdict == "failing"]
    more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
    return _measured(bad[0]) + more if bad else ""


def _measured(row: MetricRow) -> str:
    limit = f", limit {bound_text(row.limit, row.unit)}" if row.limit else ""
    number = "" if row.value is None else said_text(row.name, row.value, row.unit, limit=row.limit)
    return " ".join(filter(None, (row.name, row.text or number))) + limit


def _doing(picture: Picture) -> str:
    """`step 2 of 3, analysing, 48s left`."""
    progress = picture.progress
    words = {"scaling": "waiting for pods", "analysing": "analysing", "pausing": "pausing"}
    number = f"step {progress.step.number} of {len(progress.steps)}" if progress.step and progress.stepped else ""
    doing = words.get(progress.activity, "finishing" if progress.activity == "finishing" else kind_text(picture))
    return ", ".join(w for w in (number, doing, left(picture)) if w)
