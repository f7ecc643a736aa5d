"""The lines of a pipe about steps: the one in work, and what became of those behind."""

from companyos_canary.argo.cause import number_text
from companyos_canary.argo.step_end import StepEnd, step_end
from companyos_canary.view.keyed import keyed
from companyos_canary.view.metrics import MetricRow, rows_of
from companyos_canary.view.picture import Picture


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
