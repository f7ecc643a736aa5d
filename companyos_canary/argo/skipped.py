"""What a full promote would leave out, as facts and as words. Pure."""

from msgspec import Struct

from companyos_canary.argo.steps import steps_of
from companyos_canary.model.quantity import plural, whole
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot


class Skipped(Struct, frozen=True):
    """`weights` of the steps that are not finished, `analyses` and `pauses` among what is left,
    `measured` of `planned` measurements of the current run (0 of 0 without one)."""

    weights: tuple[float, ...]
    analyses: int
    pauses: int
    measured: int
    planned: int

    @property
    def sentence(self) -> str:
        """`the steps at 25 % and 50 %, 2 analyses (3 of 20 measurements were made)`."""
        parts = []
        if self.weights:
            steps = "the step" if len(self.weights) == 1 else "the steps"
            parts.append(f"{steps} at {_and([f'{w} %' for w in self.weights])}")
        if self.analyses:
            made = f" ({self.measured} of {self.planned} measurements were made)"
            parts.append(plural(self.analyses, "analysis", "analyses") + (made if self.planned else ""))
        if self.pauses:
            parts.append(plural(self.pauses, "pause"))
        return _and(parts) or "nothing"


def skipped(snapshot: Snapshot) -> Skipped:
    """What is left of the steps of the newest revision."""
    rollout = snapshot.rollout
    index = rollout.step_index or 0
    left = rollout.steps[index:]
    running = [r for r in snapshot.current_runs if not r.is_finished]
    planned = sum(whole(m.planned) for r in running for m in r.metrics)
    if rollout.blue_green:
        return _of_blue_green(rollout, sum(m.taken for r in running for m in r.results), planned)
    return Skipped(
        weights=tuple(g.percent for g in steps_of(rollout) if g.end > index),
        analyses=sum(1 for s in left if s.kind == "analysis") + _background(rollout),
        pauses=sum(1 for s in left if s.kind == "pause"),
        measured=sum(m.taken for r in running for m in r.results) if planned else 0,
        planned=planned,
    )


def _of_blue_green(rollout: Rollout, measured: int, planned: int) -> Skipped:
    """The pause lies before the switch of the active Service, and so does the first analysis."""
    state = rollout.blue_green
    if state is None:
        return Skipped((), 0, 0, 0, 0)
    left = list(state.analyses)
    switched = state.active == rollout.current_hash
    judged = state.pre_run is not None and state.run is not state.pre_run
    if "prePromotionAnalysis" in left and (switched or (judged and not rollout.lacks_a_verdict)):
        left.remove("prePromotionAnalysis")
    waits = bool(rollout.pause_conditions) or (not state.promotes_itself and not switched)
    return Skipped((), len(left), int(waits), measured if planned else 0, planned)


def _background(rollout: Rollout) -> int:
    return 1 if rollout.background_run and rollout.background_run.status == "Running" else 0


def _and(parts: list[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
