"""The steps as people count them: a weight, and what is waited for at it, is one step.

`canary.yaml` writes `{weight: 10, analysis: 2m}`; the Rollout has two steps for that. Screens and
sentences count as canary.yaml does, machine output has the Rollout's own index beside it.
"""

from dataclasses import dataclass

from companyos_canary.argo.steps import FULL_WEIGHT, step_text
from companyos_canary.model.rollout import Rollout, Step


@dataclass(frozen=True, slots=True)
class WeightStep:
    """`number` counts from 1; it covers the Rollout's steps from `first` to before `end`."""

    number: int
    weight: int
    first: int
    end: int

    def covers(self, index: int) -> bool:
        return self.first <= index < self.end


def weight_steps(steps: tuple[Step, ...]) -> tuple[WeightStep, ...]:
    """Every setWeight begins one; what stands before the first has weight 0. A setWeight of 100 at
    the very end is no step of its own: it is the end."""
    end = len(steps) - 1 if _only_finishes(steps) else len(steps)
    starts = [i for i, s in enumerate(steps[:end]) if s.kind == "setWeight"]
    if not end:
        return ()
    if not starts or starts[0] > 0:
        starts.insert(0, 0)
    return tuple(
        WeightStep(n + 1, steps[first].weight or 0, first, following)
        for n, (first, following) in enumerate(zip(starts, [*starts[1:], end], strict=True))
    )


def _only_finishes(steps: tuple[Step, ...]) -> bool:
    last = steps[-1] if len(steps) > 1 else None
    return last is not None and last.kind == "setWeight" and (last.weight or 0) >= FULL_WEIGHT


def weight_step_at(groups: tuple[WeightStep, ...], index: int | None) -> WeightStep | None:
    """The one that covers an index of the Rollout's steps; None when all are done."""
    if index is None:
        return None
    return next((g for g in groups if g.covers(index)), None)


def step_number(rollout: Rollout) -> int | None:
    """The step in work as people count it; one more than there are when all are done; None where
    there are none."""
    groups = weight_steps(rollout.steps)
    if not groups or rollout.step_index is None:
        return None
    at = weight_step_at(groups, rollout.step_index)
    return at.number if at else len(groups) + 1


def place_of(rollout: Rollout) -> str:
    """`step 2/3 (analysis)`: where it is, and what is in work there."""
    at = weight_step_at(weight_steps(rollout.steps), rollout.step_index)
    step = rollout.current_step
    if at is None or step is None:
        return "the end of its steps"
    return f"step {at.number}/{len(weight_steps(rollout.steps))} ({step_text(step)})"
