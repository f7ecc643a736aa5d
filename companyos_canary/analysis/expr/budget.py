"""What one evaluation may use: a condition never hangs and never fills the memory."""

from companyos_canary.analysis.expr.errors import ConditionError

_STEPS = 200_000
_MEMORY = 1_000_000


class Budget:
    """Counts steps and elements; ConditionError once they are used up."""

    def __init__(self) -> None:
        self._steps = 0
        self._memory = 0

    def step(self, count: int = 1) -> None:
        self._steps += count
        if self._steps > _STEPS:
            raise ConditionError("the condition takes too many steps")

    def grow(self, size: int) -> None:
        """Upstream's bound and words: vm.go `memGrow`."""
        self._memory += size
        if self._memory > _MEMORY:
            raise ConditionError("memory budget exceeded")
