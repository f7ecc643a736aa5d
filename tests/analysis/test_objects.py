"""Conditions about objects: members of maps, and nil where a field is missing."""

from datetime import UTC, datetime

import pytest

from companyos_canary.analysis.expr.objects import holds_for
from companyos_canary.analysis.expr.tree import ConditionError

ROLLOUT = {
    "metadata": {"labels": {"team": "shop"}},
    "spec": {"replicas": 3},
    "status": {"phase": "Degraded", "conditions": [{"type": "Available", "status": "True"}]},
}
NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("rollout.status.phase == 'Degraded'", True),
        ("rollout.status.phase in ['Healthy', 'Paused']", False),
        ("rollout['spec']['replicas'] >= 3", True),
        ("rollout.metadata.labels['team'] == 'shop'", True),
        ("rollout.metadata.labels['x/y'] == nil", True),
        ("rollout.status?.blueGreen?.activeSelector != nil", False),
        ("any(rollout.status.conditions, {.type == 'Available'})", True),
        ("len(rollout.status.conditions) == 1 and rollout.status.conditions[0].status == 'True'", True),
        ("rollout.nothing == nil", True),
    ],
)
def test_fields_are_members(text: str, holds: bool) -> None:
    assert holds_for(text, {"rollout": ROLLOUT}, NOW) is holds


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("rollout.status.blueGreen.activeSelector == ''", "cannot fetch activeSelector from <nil>"),
        ("time.Now() != nil", "unknown name time"),
        ("rollout.status.phase ==", "unexpected token"),
        ("result > 1", "unknown name result"),
        ("1 + 1", "expected bool, but got"),
    ],
)
def test_what_cannot_be_is_an_error(text: str, error: str) -> None:
    with pytest.raises(ConditionError, match=error):
        holds_for(text, {"rollout": ROLLOUT}, NOW)
