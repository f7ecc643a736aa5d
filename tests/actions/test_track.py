"""What was seen on the way to an end: pure, over snapshots."""

from companyos_canary.actions.follow import Track
from companyos_canary.argo.picture import look
from companyos_canary.model.outcome import Cause, FailedMetric
from companyos_canary.model.snapshot import Snapshot
from tests.builders import CANARY, NOW, STABLE, pod, replicaset, snapshot

LATE = Cause('RolloutAborted: ReplicaSet "x" has timed out progressing.')
METRIC = FailedMetric("run", "error-rate", "Failed", 0.1, "<", 0.05, 2, 2, "")


def starting(waiting: str, name: str = "a") -> Snapshot:
    return snapshot(
        step_index=0, canary=0, replicasets=[replicaset(desired=1, ready=0)], pods_now=[pod(name, waiting=waiting)]
    )


def gone() -> Snapshot:
    return snapshot(step_index=0, aborted_at=NOW, canary=0, pods_now=())


def track(*moments: Snapshot) -> Track:
    found = Track()
    for moment in moments:
        found = found.after(moment, CANARY)
    return found


def test_the_pods_problem_outlives_the_pods() -> None:
    seen = track(starting("ErrImagePull"), starting("ImagePullBackOff"), gone())
    assert [p.reason for p in seen.pods] == ["ImagePullBackOff"]
    assert (seen.step, seen.weight) == (0, 10)


def test_a_crash_between_two_starts_is_still_a_crash() -> None:
    seen = track(starting("CrashLoopBackOff"), starting("Error"), gone())
    assert [p.reason for p in seen.pods] == ["CrashLoopBackOff"]


def test_pods_that_came_up_after_all_are_no_reason() -> None:
    assert track(starting("ErrImagePull"), snapshot(), gone()).pods == ()


def test_another_version_says_nothing_about_ours() -> None:
    other = snapshot(current=STABLE, step_index=5)
    assert track(snapshot(), other) == track(snapshot())


def test_a_deadline_is_explained_by_pods_and_so_is_an_abort_without_a_reason() -> None:
    seen = track(starting("ImagePullBackOff"))
    bare = "RolloutAborted: Rollout aborted update to revision 8"
    by_hand = Cause(bare, by_hand=True)
    assert seen.explaining(Cause(bare)) == Cause(bare, pods=seen.pods)
    measured = Cause(LATE.message, metrics=(METRIC,))
    assert seen.explaining(LATE) == Cause(LATE.message, pods=seen.pods)
    assert [seen.explaining(c) for c in (None, by_hand, measured)] == [None, by_hand, measured]


def test_the_share_is_what_the_pods_make_of_the_weight() -> None:
    few = snapshot(step_index=1, replicas=1, canary=1, stable=1)
    assert (track(few).weight, track(few).share) == (10, 50)


def test_the_share_is_that_of_the_replicasets_where_the_rollout_counts_later() -> None:
    late = snapshot(step_index=1, replicas=4, canary=1, stable=3, status={"availableReplicas": 3, "updatedReplicas": 0})
    assert track(late).share == 25
    assert look(late, NOW).actual_weight == 25
