"""Which pods, which container, and whether there is a log to ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.actions.logs import LONGEST_LINE, Wanted, container_in, has_log, lines_of, pods_of, role_of
from companyos_canary.errors import NotFound
from companyos_canary.model.workload import Pod
from tests.builders import CANARY, NAME, NOW, STABLE, pod, pod_object, snapshot


def of_containers(*names: str, init: tuple[str, ...] = ()) -> Pod:
    raw = pod_object("a")
    raw["spec"] = {"containers": [{"name": n} for n in names], "initContainers": [{"name": n} for n in init]}
    return Pod.from_object(raw)


@pytest.mark.parametrize(
    ("found", "now", "before"),
    [
        (pod("a"), True, False),
        (pod("a", waiting="ContainerCreating"), False, False),
        (pod("a", waiting="ImagePullBackOff"), False, False),
        (pod("a", waiting="CrashLoopBackOff", restarts=3), True, True),
        (pod("a", restarts=1), True, True),
    ],
)
def test_a_container_has_a_log_once_it_has_run(found: Pod, now: bool, before: bool) -> None:
    assert has_log(found, NAME, previous=False) is now
    assert has_log(found, NAME, previous=True) is before
    assert has_log(found, "other", previous=False) is False


@pytest.mark.parametrize(
    ("names", "wanted", "chosen"),
    [
        (("proxy", NAME), Wanted(), NAME),
        (("proxy", "app"), Wanted(), "proxy"),
        (("proxy", "app"), Wanted(settled="app"), "app"),
        (("proxy", "app"), Wanted(container="migrate"), "migrate"),
    ],
)
def test_the_container_of_the_version_speaks(names: tuple[str, ...], wanted: Wanted, chosen: str) -> None:
    found = of_containers(*names, init=("migrate",))
    assert container_in(snapshot(), found, wanted) == chosen


def test_the_roles_of_pods() -> None:
    found = snapshot()
    assert [role_of(found, pod("a", hash=h)) for h in (CANARY, STABLE, "older")] == ["canary", "stable", "old"]


def test_pods_by_role_and_by_name() -> None:
    found = snapshot()
    assert {p.hash for p in pods_of(found, Wanted())} == {CANARY}
    assert {p.hash for p in pods_of(found, Wanted(stable=True))} == {STABLE}
    name = found.pods[5].name
    assert [p.name for p in pods_of(found, Wanted(pod=name))] == [name]


@pytest.mark.parametrize(
    ("fields", "wanted", "said"),
    [
        ({}, Wanted(), "v1.1.0 has no pods yet"),
        ({"aborted_at": NOW, "phase": "Degraded"}, Wanted(), "it was aborted"),
        ({}, Wanted(stable=True), "has no stable pods"),
        ({"stable_hash": CANARY}, Wanted(), "has no stable pods"),
        ({}, Wanted(pod="x"), "has no pod `x`"),
    ],
)
def test_where_no_pod_is_left_that_is_said(fields: dict[str, object], wanted: Wanted, said: str) -> None:
    with pytest.raises(NotFound, match=said):
        pods_of(snapshot(pods_now=[], **fields), wanted)


def test_a_near_name_is_the_end_of_a_pods_name_too() -> None:
    with pytest.raises(NotFound) as error:
        pods_of(snapshot(pods_now=[pod("x2k1z")]), Wanted(pod="x2k1y"))
    assert error.value.hint == "did you mean `x2k1z`?"


def test_a_line_of_any_length_is_read_in_one_pass_and_shown_in_part() -> None:
    line = b"2026-03-02T12:00:00Z " + b"x" * (8 * LONGEST_LINE)
    chunks = [line[i : i + 4096] for i in range(0, len(line), 4096)]
    (stamp, text), second = lines_of(iter([*chunks, b"\n2026-03-02T12:00:01Z b"]))
    assert stamp == "2026-03-02T12:00:00Z"
    assert text.endswith(f"x … ({len(line) - LONGEST_LINE} bytes more)")
    assert second == ("2026-03-02T12:00:01Z", "b")


@given(st.lists(st.text("ab\n \r", max_size=12), max_size=8))
def test_lines_are_the_same_however_they_are_cut(pieces: list[str]) -> None:
    whole = "".join(pieces)
    lines = whole.removesuffix("\n").split("\n") if whole else []
    expected = [(s, t) for s, _, t in (line.rstrip("\r").partition(" ") for line in lines)]
    assert list(lines_of(iter([p.encode() for p in pieces]))) == expected
