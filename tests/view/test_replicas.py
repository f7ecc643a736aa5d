"""The ReplicaSets and pods of a screen, where there are many or they are new."""

from msgspec.structs import replace

from companyos_canary.view.lines import Facts
from tests.builders import NOW, STABLE, pod, pods, replicaset, snapshot
from tests.view.scenes import whole_lines


def test_the_ready_pods_of_a_large_replicaset_are_counted_not_listed() -> None:
    slow = [pod(f"s{n}", ready=False) for n in range(2)]
    many = snapshot(
        replicas=50,
        step_index=1,
        replicasets=[replicaset(desired=5, ready=3), replicaset(hash=STABLE, desired=48)],
        pods_now=[*pods(3), *slow, *pods(48, hash=STABLE)],
    )
    lines = whole_lines(many, NOW, Facts())
    assert sum(line.startswith("    □ companyos-api-") for line in lines) == len(slow)
    assert [line for line in lines if "running" in line] == ["    □ 3 running", "    □ 48 running"]


def test_pods_in_trouble_are_never_counted_away() -> None:
    stuck = [pod(f"s{n}", waiting="ImagePullBackOff") for n in range(20)]
    many = snapshot(replicasets=[replicaset(desired=40, ready=20)], pods_now=[*pods(20), *stuck])
    lines = whole_lines(many, NOW, Facts())
    assert sum("ImagePullBackOff  0/1" in line for line in lines) == 20
    assert "    □ 20 running" in lines


def test_a_pod_of_which_nothing_is_known_yet_is_pending() -> None:
    new = replace(pod("a", ready=False), phase="", containers=())
    (line,) = (x for x in whole_lines(snapshot(pods_now=[new]), NOW, Facts()) if "□" in x)
    assert line.endswith("-a  Pending  0/1  3m12s")


def test_old_revisions_stand_under_the_others() -> None:
    sets = [
        replicaset(revision=10, image="api:v1.10.0"),
        replicaset(hash=STABLE, revision=9, image="api:v1.9.0", desired=8),
        replicaset(hash="5d8f7c9b6d", revision=7, image="api:v1", desired=0),
    ]
    lines = whole_lines(snapshot(replicasets=sets, pods_now=()), NOW, Facts())
    columns = {x.index("revision") for x in lines if x.lstrip()[:1] in ("●", "•")}
    ends = {x.index("ready") for x in lines if x.lstrip()[:1] == "●"}
    assert len(columns) == len(ends) == 1
    (old,) = (x for x in lines if "•" in x)
    assert old == "  • old     v1       revision 7   scaled down"
