"""Blue-green: which version each of the two Services serves, in the place of steps."""

from companyos_canary.model.rollout import BlueGreen
from companyos_canary.model.workload import ReplicaSet
from companyos_canary.view.cells import columns_of, filled
from companyos_canary.view.format import left, shorten
from companyos_canary.view.lines import Line
from companyos_canary.view.picture import Picture
from companyos_canary.view.theme import Facts, Role

_NAME_ROOM = 36


def services_lines(picture: Picture, facts: Facts) -> list[Line]:
    """`active   companyos-api-active   v1.0.0`, the same for the preview, and what is waited for
    under it. Nothing for another strategy."""
    state = picture.snapshot.rollout.blue_green
    if state is None:
        return []
    rows = [("active", state.active_service, state.active)]
    if state.preview_service:
        rows.append(("preview", state.preview_service, state.preview))
    room = min(_NAME_ROOM, max(columns_of(name) for _, name, _ in rows))
    lines: list[Line] = [
        (f"  {role:<7}  ", f"{filled(shorten(name, room, facts.symbols), room)}  {_served(picture, hash_)}")
        for role, name, hash_ in rows
    ]
    note = _note(picture, facts, state)
    return [*lines, ("  " + " " * 9, note)] if note else lines


def service_role(state: BlueGreen, replicaset: ReplicaSet) -> str:
    """`active`, `preview`, or nothing for a ReplicaSet that no Service selects."""
    if not replicaset.hash:
        return ""
    if replicaset.hash == state.active:
        return "active"
    return "preview" if replicaset.hash == state.preview else ""


def _served(picture: Picture, hash_: str) -> str:
    if not hash_:
        return "nothing yet"
    found = picture.snapshot.replicaset(hash_)
    if found is None:
        return hash_
    none = "" if found.available else ", no pod is ready"
    return f"{picture.version_of(found)}{none}"


def _note(picture: Picture, facts: Facts, state: BlueGreen) -> tuple[str, Role] | None:
    progress, symbols = picture.progress, facts.symbols
    time = f", {left(progress.remaining)}" if progress.remaining is not None else ""
    match progress.activity:
        case "waiting":
            return f"{symbols.paused} the switch waits for a person", "warning"
        case "pausing":
            return f"{symbols.running} switches by itself{time}", "hint"
        case "held":
            return f"{symbols.paused} paused by hand", "warning"
        case "inconclusive":
            return f"{symbols.unknown} no verdict from the analysis", "warning"
        case "analysing":
            before = state.run is not None and state.run is state.pre_run
            return (f"{symbols.running} analysing {'before' if before else 'after'} the switch", "hint")
        case "scaling":
            return f"{symbols.running} the preview's pods are on their way", "hint"
    return None
