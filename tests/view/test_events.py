"""The last events on a screen: those of this update, and never half of its story."""

from datetime import timedelta

from msgspec.structs import replace

from companyos_canary.argo.picture import look
from companyos_canary.model.quantity import format_time
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event
from companyos_canary.view.events import events_lines
from companyos_canary.view.lines import Facts, plain_text
from tests.builders import CANARY, NOW, event, replicaset, snapshot
from tests.view.scenes import analysing, whole_lines

DONE = event(
    "RolloutCompleted",
    f"Rollout completed update to revision 8 ({CANARY}): Completed all 6 canary steps",
    at=NOW - timedelta(minutes=1),
)


def story() -> list[Event]:
    def at(minutes: int) -> timedelta:
        return timedelta(minutes=minutes)

    return [
        event("RolloutAborted", "Rollout aborted update to revision 6", at=NOW - at(60), type="Warning"),
        event("RolloutUpdated", "Rollout updated to revision 8", at=NOW - at(5)),
        event("RolloutStepCompleted", "Rollout step 1/6 completed (setWeight: 10)", at=NOW - at(4)),
    ]


def healthy(*events: Event, known: bool = True, **fields: object) -> Snapshot:
    """Healthy for a minute; its ReplicaSet was made hours ago, for a revision before."""
    condition = {
        "type": "Healthy",
        "status": "True",
        "reason": "RolloutHealthy",
        "lastTransitionTime": format_time(NOW - timedelta(minutes=1)),
    }
    given = {
        "phase": "Healthy",
        "message": "",
        "stable_hash": CANARY,
        "step_index": 6,
        "stable": 0,
        "replicasets": [replicaset(created_at=NOW - timedelta(hours=2))],
        "status": {"conditions": [condition] if known else []},
        **fields,
    }
    return snapshot(events=events, **given)


def shown(moment: Snapshot) -> list[str]:
    return [plain_text(x).strip() for x in events_lines(look(moment, NOW), Facts(), 12)]


def test_the_story_of_a_healthy_one_ends_though_its_last_event_was_dropped() -> None:
    assert shown(healthy(*story())) == [
        "11:59:33  Rollout updated to revision 8",
        "12:00:33  setWeight: 10 done",
        "12:03:33  v1.1.0 is stable",
    ]


def test_a_story_that_is_whole_is_left_as_it_is() -> None:
    assert shown(healthy(*story(), DONE))[-1].startswith("12:03:33  Rollout completed update")


def test_half_a_story_without_a_known_end_is_not_told() -> None:
    assert shown(healthy(*story(), known=False)) == []


def test_nothing_is_made_up_where_nothing_was_told() -> None:
    assert shown(healthy()) == []


def test_a_restart_does_not_tell_the_update_before() -> None:
    begun = healthy(
        *story(),
        phase="Progressing",
        message="rollout is restarting",
        spec={"restartAt": format_time(NOW - timedelta(seconds=5))},
    )
    assert shown(begun) == []


def test_an_update_under_way_tells_its_own_events_alone() -> None:
    moment = analysing()
    old = event("RolloutAborted", "Rollout aborted update to revision 7", type="Warning")
    assert shown(replace(moment, events=(old, *moment.events))) == shown(moment)
    assert whole_lines(moment, NOW, Facts())
