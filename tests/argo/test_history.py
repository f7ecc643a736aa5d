"""The outcome of each revision: from records, runs, and the controller's own word."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from companyos_canary.argo.history import CHANGE_CAUSE, Became, Revision, as_if_current, history
from companyos_canary.argo.patches.record import RECORD, Record
from companyos_canary.model.snapshot import Snapshot
from tests.builders import CANARY, NOW, STABLE, event, replicaset, result_object, run, snapshot

OLD = "5d8f7c9b6d"
HOUR = timedelta(hours=1)


def record(image: str, stable: str, reason: str = "") -> Mapping[str, str]:
    return {RECORD: Record("ben", NOW - HOUR, reason, image, stable).text()}


def revision(found: Snapshot, number: int) -> Revision:
    return next(r for r in history(found, NOW) if r.replicaset.revision == number)


def three(*, newest: Mapping[str, str] | None = None, middle: Any = None, **more: Any) -> Snapshot:
    """v1.2.0 (8, newest) over v1.1.0 (7) over v1.0.0 (6, stable)."""
    return snapshot(
        replicasets=[
            replicaset(image="companyos-api:v1.2.0", annotations=newest),
            replicaset(hash=OLD, revision=7, image="companyos-api:v1.1.0", annotations=middle),
            replicaset(hash=STABLE, revision=6, image="companyos-api:v1.0.0", desired=8),
        ],
        **more,
    )


def failed_run(hash: str = OLD, number: int = 7) -> Any:  # noqa: A002 - the field's own word
    bad = result_object("error-rate", ["[0.098]", "[0.112]"], ["Failed"] * 2, phase="Failed")
    return run(
        [bad], hash=hash, revision=number, phase="Failed", started_at=NOW - HOUR / 2, completed_at=NOW - HOUR / 4
    )


@pytest.mark.parametrize(
    ("fields", "became"),
    [
        ({}, "in progress"),
        ({"phase": "Healthy", "stable_hash": CANARY}, "stable"),
        ({"phase": "Degraded", "aborted_at": NOW}, "aborted"),
        ({"phase": "Degraded"}, "degraded"),
    ],
)
def test_the_newest_revision_is_what_the_status_says(fields: dict[str, Any], became: Became) -> None:
    newest = revision(three(**fields), 8)
    assert (newest.became, newest.current) == (became, True)


def test_the_stable_one_below_a_canary_is_stable() -> None:
    assert revision(three(), 6).became == "stable"


def test_one_that_a_record_names_was_promoted() -> None:
    found = three(newest=record("companyos-api:v1.2.0", OLD))
    assert revision(found, 7).became == "promoted"


def test_a_record_of_another_image_is_not_believed() -> None:
    found = three(newest=record("companyos-api:v9", OLD))
    assert revision(found, 7).became == "not recorded"
    assert (revision(found, 8).by, revision(found, 8).reason) == ("", "")


def test_one_with_a_failed_run_was_aborted_and_says_where_and_why() -> None:
    found = revision(three(runs=[failed_run()], middle=record("companyos-api:v1.1.0", STABLE)), 7)
    assert (found.became, found.weight) == ("aborted", 25)
    assert [(m.metric, m.value, m.limit) for m in found.metrics] == [("error-rate", 0.112, 0.05)]
    assert found.took == HOUR * 3 / 4


def test_the_run_of_another_revision_of_the_same_template_does_not_count() -> None:
    assert revision(three(runs=[failed_run(number=5)]), 7).became == "not recorded"


def test_when_the_next_one_was_sent_another_one_was_stable() -> None:
    found = three(newest=record("companyos-api:v1.2.0", STABLE))
    assert revision(found, 7).became == "not promoted"


def test_a_revision_in_between_that_is_gone_leaves_it_open() -> None:
    """Seen: undo gives an old ReplicaSet the highest number; what was between is not told."""
    sets = [
        replicaset(revision=9, image="companyos-api:v1.2.0", annotations=record("companyos-api:v1.2.0", STABLE)),
        replicaset(hash=OLD, revision=7, image="companyos-api:v1.1.0"),
    ]
    assert revision(snapshot(replicasets=sets, revision=9), 7).became == "not recorded"


def test_the_controllers_own_word_counts_while_there_is_an_event() -> None:
    said = event(
        "RolloutCompleted",
        f"Rollout completed update to revision 7 ({OLD}): Completed all 6 canary steps",
        at=NOW - HOUR / 2,
    )
    found = three(events=[said], middle=record("companyos-api:v1.1.0", STABLE))
    assert (revision(found, 7).became, revision(found, 7).took) == ("promoted", HOUR / 2)


@pytest.mark.parametrize(("number", "became"), [(7, "aborted"), (77, "not recorded")])
def test_an_abort_by_hand_is_known_while_there_is_an_event(number: int, became: Became) -> None:
    said = f"Rollout aborted update to revision {number}"
    found = revision(three(events=[event("RolloutAborted", said, type="Warning")]), 7)
    assert (found.became, found.message) == (became, said if number == 7 else "")


def test_the_first_deploy_is_complete_before_there_are_pods_and_tells_no_duration() -> None:
    said = event("RolloutCompleted", f"Rollout completed update to revision 6 ({STABLE}): Initial deploy")
    assert revision(three(events=[said]), 6).took is None


def test_who_when_and_why_are_those_of_the_record() -> None:
    found = revision(three(newest=record("companyos-api:v1.2.0", STABLE, "faster")), 8)
    assert (found.by, found.reason, found.at) == ("ben", "faster", NOW - HOUR)


def test_without_a_record_the_reason_is_the_change_cause() -> None:
    assert revision(three(newest={CHANGE_CAUSE: "kubectl"}), 8).reason == "kubectl"


def test_a_replicaset_that_was_used_again_does_not_say_when() -> None:
    again = {"rollout.argoproj.io/revision-history": "3"}
    found = revision(three(newest=again), 8)
    assert found.at is None


def test_the_newest_ones_duration_is_the_controllers() -> None:
    duration = {
        "rolloutStartedAt": "2026-03-02T12:00:00Z",
        "finishedAt": "2026-03-02T12:04:00Z",
        "totalManualPauseDurationSeconds": 90,
    }
    found = revision(three(status={"duration": duration}), 8)
    assert (found.took, found.waited) == (timedelta(minutes=4), timedelta(seconds=90))


def test_another_bad_end_has_the_controllers_message() -> None:
    message = "RolloutAborted: Rollout aborted update to revision 8"
    found = revision(three(phase="Degraded", message=message, aborted_at=NOW), 8)
    assert (found.message, found.metrics) == (message, ())


def test_as_if_current_is_about_one_run_alone() -> None:
    judged = failed_run()
    seen = as_if_current(three(runs=[judged, failed_run(CANARY, 8)]), judged)
    assert seen.current_runs == (judged,)


def test_what_another_event_quotes_is_not_the_controllers_word() -> None:
    """An Event of someone else may have the same words; its reason is another one."""
    aborted = event("Notified", "Rollout aborted update to revision 7", type="Warning")
    completed = event("Notified", f"Rollout completed update to revision 7 ({OLD}): Completed", at=NOW - HOUR / 2)
    found = revision(three(events=[aborted, completed], middle=record("companyos-api:v1.1.0", STABLE)), 7)
    assert (found.became, found.took, found.message) == ("not recorded", None, "")
