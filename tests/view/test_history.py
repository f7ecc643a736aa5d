"""The table of revisions, whole."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from companyos_canary.argo.history import history, revision_row
from companyos_canary.argo.patches.record import RECORD, Record
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.history import diff_lines, outcome, plain, screen
from companyos_canary.view.lines import Facts
from companyos_canary.view.lines import plain_text as text
from companyos_canary.view.machine import jsonable
from tests.builders import NOW, STABLE, replicaset, result_object, run, snapshot

HOUR = timedelta(hours=1)
HASHES = ("7f6c9d5b54", "5d8f7c9b6d", STABLE, "6f5d8b7c9c", "4c5b6d7f8a")


def deployed(by: str, ago: timedelta, image: str, stable: str, reason: str = "") -> dict[str, str]:
    return {RECORD: Record(by, NOW - ago, reason, image, stable).text()}


def five(version: str = "v1.2.0") -> Snapshot:
    """One of each kind: in progress, aborted, stable, promoted, unknown."""
    images = [f"companyos-api:{v}" for v in (version, "v1.1.0", "v1.0.0", "v0.9.9", "v0.9.8")]
    notes: list[dict[str, str]] = [
        deployed(
            "ana",
            HOUR / 20,
            images[0],
            STABLE,
            "the search is ten times as fast, and nobody has to wait for the index to be built any more",
        ),
        deployed("ben", HOUR * 3, images[1], STABLE),
        deployed("github-actions", HOUR * 20, images[2], HASHES[3]),
        {},
        {},
    ]
    bad = result_object("error-rate", ["[0.098]", "[0.112]"], ["Failed"] * 2, phase="Failed")
    failed = run(
        [bad],
        hash=HASHES[1],
        revision=7,
        phase="Failed",
        step_index=1,
        started_at=NOW - HOUR * 2.9,
        completed_at=NOW - HOUR * 2.8,
    )
    duration = {"rolloutStartedAt": "2026-03-02T12:01:00Z", "totalManualPauseDurationSeconds": 30}
    return snapshot(
        replicasets=[
            replicaset(hash=h, revision=8 - n, image=images[n], annotations=notes[n], created_at=NOW - HOUR * 24 * n)
            for n, h in enumerate(HASHES)
        ],
        runs=[failed],
        status={"duration": duration},
    )


SIZES = {"80": Facts(80), "60-ascii": Facts(60, unicode=False), "40": Facts(40)}


@pytest.mark.parametrize("size", SIZES)
def test_the_table(size: str, same_as_file: Callable[[str, str], None]) -> None:
    lines = [text(line) for line in screen(history(five(), NOW), NOW, SIZES[size], None)]
    same_as_file(f"history-{size}", "\n".join(lines))
    assert all(len(line) <= SIZES[size].width for line in lines)


def test_a_pipe_gets_keys(same_as_file: Callable[[str, str], None]) -> None:
    same_as_file("history-pipe", "\n".join(plain(r, None) for r in history(five(), NOW)))


def test_a_long_version_is_cut() -> None:
    found = history(five("a" * 60), NOW)
    line = text(screen(found, NOW, Facts(80), None)[1])
    assert "a" * 23 + "…" in line
    assert revision_row(found[0], None).version == "a" * 60


def test_an_abort_by_hand_says_so() -> None:
    message = "RolloutAborted: Rollout aborted update to revision 8"
    scene = snapshot(phase="Degraded", message=message, aborted_at=NOW, canary=0)
    found = history(scene, NOW)
    assert outcome(found[0]) == "aborted"
    below = text(screen(found, NOW, Facts(), None)[2]).strip()
    assert below == "aborted (no analysis failed)"
    assert jsonable(revision_row(found[0], None))["cause"]["message"] == message


def test_a_difference_is_red_and_green() -> None:
    lines = diff_lines(["-a", "+b", "@@ 1 @@", " c"])
    assert [line[0][1] for line in lines] == ["failure", "success", "hint", ""]
