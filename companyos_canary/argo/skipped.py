"""What a full promote leaves out. Pure."""

from dataclasses import dataclass

from companyos_canary.argo.steps import weight_steps
from companyos_canary.model.quantity import whole
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Skipped:
    """`weights` of the steps that are not finished, `analyses` and `pauses` among what is left,
    `measured` of `planned` measurements of the run in work (0 of 0 without one)."""

    weights: tuple[int, ...]
    analyses: int
    pauses: int
    measured: int
    planned: int

    @property
    def sentence(self) -> str:
        """`the steps at 25 % and 50 %, 2 analyses (3 of 20 measurements were made)`."""
        parts = []
        if self.weights:
            parts.append(f"{_steps(len(self.weights))} at {_and([f'{w} %' for w in self.weights])}")
        if self.analyses:
            made = f" ({self.measured} of {self.planned} measurements were made)"
            parts.append(_count(self.analyses, "analysis", "analyses") + (made if self.planned else ""))
        if self.pauses:
            parts.append(_count(self.pauses, "pause", "pauses"))
        return _and(parts) or "nothing"


def skipped(snapshot: Snapshot) -> Skipped:
    """What is left of the steps of the newest revision."""
    rollout = snapshot.rollout
    index = rollout.step_index or 0
    left = rollout.steps[index:]
    running = [r for r in snapshot.current_runs if not r.is_finished]
    planned = sum(whole(m.planned) for r in running for m in r.metrics)
    if rollout.blue_green:
        return _of_blue_green(rollout, sum(len(m.measurements) for r in running for m in r.results), planned)
    return Skipped(
        weights=tuple(g.weight for g in weight_steps(rollout.steps) if g.end > index),
        analyses=sum(1 for s in left if s.kind == "analysis") + _background(rollout),
        pauses=sum(1 for s in left if s.kind == "pause"),
        measured=sum(len(m.measurements) for r in running for m in r.results) if planned else 0,
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
    if "prePromotionAnalysis" in left and (switched or (judged and not _inconclusive(rollout))):
        left.remove("prePromotionAnalysis")
    waits = bool(rollout.pause_conditions) or (not state.promotes_itself and not switched)
    return Skipped((), len(left), int(waits), measured if planned else 0, planned)


def _inconclusive(rollout: Rollout) -> bool:
    return any(c.reason.startswith("Inconclusive") for c in rollout.pause_conditions)


def _background(rollout: Rollout) -> int:
    return 1 if rollout.background_run and rollout.background_run.status == "Running" else 0


def _steps(count: int) -> str:
    return "the step" if count == 1 else "the steps"


def _count(count: int, one: str, many: str) -> str:
    return f"1 {one}" if count == 1 else f"{count} {many}"


def _and(parts: list[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
