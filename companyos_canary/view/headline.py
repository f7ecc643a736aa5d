"""The top of a screen: what goes where, in which phase, since when, and why if it ended badly."""

from companyos_canary.view.cells import columns_of, cut
from companyos_canary.view.format import about, clock, duration, shorten
from companyos_canary.view.lines import Line, joined, width, wrapped
from companyos_canary.view.picture import Picture
from companyos_canary.view.theme import PHASES, Facts, phase_symbol
from companyos_canary.view.why import reasons

_VERSION_ROOM = 24
_NAME_ROOM = 12


def headline(picture: Picture, facts: Facts) -> list[Line]:
    """Name, versions and phase in one line, or in two where they do not fit."""
    symbols = facts.symbols
    new = shorten(picture.version, _VERSION_ROOM, symbols)
    old = shorten(picture.stable, _VERSION_ROOM, symbols)
    under_way = old and not (old == new and picture.snapshot.rollout.is_fully_promoted)
    change = f"{old} {symbols.arrow} {new}" if under_way else new
    name = cut(picture.name, max(_NAME_ROOM, facts.width - columns_of(change) - 2), symbols.more)
    left: Line = (f"{name}  {change}".rstrip(),)
    phase = picture.progress.phase.word
    right: Line = ((f"{phase_symbol(symbols, phase)} {phase}", PHASES.get(phase, "warning")), _detail(picture))
    room = facts.width - width(left) - width(right)
    return [(*left, " " * room, *right)] if room >= 2 else [left, right]


def _detail(picture: Picture) -> str:
    progress = picture.progress
    if progress.activity in ("aborted", "aborting"):
        return f"  {progress.activity}"
    if progress.activity == "degraded":
        reason, colon, _ = progress.phase.message.partition(":")
        return f"  {reason}" if colon and " " not in reason else ""
    if progress.step:
        return f"  step {progress.step.number}/{len(progress.steps)}"
    return "  finishing" if progress.activity == "finishing" and progress.stepped else ""


def where(picture: Picture, facts: Facts) -> Line:
    """Namespace and context, revision, since when and by whom, how long it will take."""
    rollout, progress = picture.snapshot.rollout, picture.progress
    by = f" by {picture.place.who}" if picture.place.who else ""
    since = picture.started
    under_way = progress.activity != "healthy"
    started = f"started {duration(picture.now - since)} ago{by}" if since and under_way else ""
    end = f"ends in about {about(progress.until_end)}" if progress.until_end else ""
    pieces = [
        (9, picture.where),
        (3, f"revision {rollout.revision}" if rollout.revision and rollout.observed else ""),
        (5, started),
        (6, _waits(picture)),
        (4, end if under_way else ""),
    ]
    return (joined(pieces, facts.width, f" {facts.symbols.dot} "),)


def _waits(picture: Picture) -> str:
    """Since when it waits for a person."""
    if picture.progress.activity not in ("waiting", "inconclusive"):
        return ""
    conditions = picture.snapshot.rollout.pause_conditions
    began = next((c.started_at for c in conditions if c.started_at), None)
    return f"waits since {clock(began, picture.now).strip()}" if began else ""


def warnings(picture: Picture, facts: Facts) -> list[Line]:
    """A lost connection, and why the rollout is where it is."""
    lines: list[Line] = []
    stale = picture.snapshot.stale_since
    mark = facts.symbols.warning
    if stale:
        age = duration(picture.now - stale)
        text = f"{mark} no connection for {age}: this is from {clock(stale, picture.now)}"
        lines.append(((shorten(text, facts.width, facts.symbols), "warning"),))
    for sentence, role in reasons(picture):
        symbol = facts.symbols.failed if role == "failure" else mark
        first, *rest = wrapped(sentence, facts.width - 2, more=facts.symbols.more)
        lines.append(((f"{symbol} {first}", role),))
        lines += [((f"  {line}", role),) for line in rest]
    return lines


def notes(picture: Picture, facts: Facts) -> list[Line]:
    """What could not be read."""
    room = facts.width - 4
    return [
        (("  " + shorten(f"{facts.symbols.warning} {n}", room, facts.symbols), "warning"),)
        for n in picture.snapshot.notes
    ]
