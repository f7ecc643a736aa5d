"""The rules, in the order of docs/lint.md.

    shape       what is no field, or no value, of the kind
    rollout     what the controller refuses, and what a Rollout does that its author does not expect
    routing     the objects that a router changes
    analysis    what the controller does not notice in an analysis before its step is reached
    argument    arguments: given, declared and used
    metric      whether a metric judges anything, and what its query selects over which time
    condition   what conditions make of the answers that a query can give
    comment     comments that leave findings out

A new rule goes into the module that is about the same thing, with its sample in tests/lint/samples.
"""

from companyos_canary.lint.finding import Rule
from companyos_canary.lint.rules import analysis, argument, comment, condition, metric, rollout, routing, shape

RULES: tuple[Rule, ...] = (
    *shape.RULES,
    *rollout.RULES,
    *routing.RULES,
    *analysis.RULES,
    *argument.RULES,
    *metric.RULES,
    *condition.RULES,
    *comment.RULES,
)
