"""The rules, in the order of docs/lint.md.

    shape       what is no field, or no value, of the kind
    rollout     what the controller refuses, and what a Rollout does that its author does not expect
    metric      whether a metric judges anything

A new rule goes into the module that is about the same thing, with its sample in tests/lint/samples.
"""

from companyos_canary.lint.finding import Rule
from companyos_canary.lint.rules import metric, rollout, shape

RULES: tuple[Rule, ...] = (*shape.RULES, *rollout.RULES, *metric.RULES)
