"""Conditions about objects: members of maps, and nil where a field is missing."""

from datetime import UTC, datetime

import pytest

from companyos_canary.analysis.expr.objects import holds_for
from companyos_canary.analysis.expr.tree import ConditionError

ROLLOUT = {
    "metadata": {"labels": {"team": "shop"}},
    "spec": {"replicas": 3},
    "status": {
        "since": "2026-03-01T23:50:00Z",
        "phase": "Degraded",
        "conditions": [{"type": "Available", "status": "True"}],
    },
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
        ("time.Now().Sub(time.Parse(rollout.status.since)).Minutes() == 10", True),
        ("time.Now().Sub(time.Parse(rollout.status.since)) > duration('5m')", True),
        ("time.Now() - time.Parse(rollout.status.since) > duration('15m')", False),
        ("time.Parse(rollout.status.since).Add(duration('15m')).Before(time.Now())", False),
        ("time.Parse(rollout.status.since).After(time.Parse('2026-03-01T23:49:59.5Z'))", True),
        ("time.Parse(rollout.status.since).Equal(time.Parse('2026-03-02T00:50:00+01:00'))", True),
        ("time.Now().Hour() in 9..17", False),
        ("rollout.status.since != nil and time.Parse(rollout.status.since).Year() == 2026", True),
    ],
)
def test_fields_are_members(text: str, holds: bool) -> None:
    assert holds_for(text, {"rollout": ROLLOUT}, NOW) is holds


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("rollout.status.blueGreen.activeSelector == ''", "cannot fetch activeSelector from <nil>"),
        ("repo.GetAppDetails() != nil", "unknown name repo"),
        ("time.Parse(rollout.nothing) != nil", "<nil> is not a time"),
        ("time.Parse('yesterday') != nil", "yesterday is not a time"),
        ("time.Parse() != nil", "`time.Parse` with 0 arguments"),
        ("time.Sleep(1) != nil", "`time.Sleep` with 1 arguments"),
        ("time.Now().Sub() != nil", "cannot use nothing as the argument of Sub"),
        ("time.Now().Sub(1) != nil", "cannot use int as the argument of Sub"),
        ("time.Now().Add(rollout.spec.replicas) != nil", "cannot use int as the argument of Add"),
        ("time.Now().Truncate(1) != nil", "the method Truncate"),
        ("rollout.status.phase ==", "unexpected token"),
        ("result > 1", "unknown name result"),
        ("1 + 1", "expected bool, but got"),
    ],
)
def test_what_cannot_be_is_an_error(text: str, error: str) -> None:
    with pytest.raises(ConditionError, match=error):
        holds_for(text, {"rollout": ROLLOUT}, NOW)
